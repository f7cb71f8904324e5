package plugin

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// style says how words are set off: by colours on a terminal, and not at all elsewhere.
type style struct{ colours bool }

// terminal is the file behind a writer if that is a terminal.
func terminal(out io.Writer) (*os.File, bool) {
	file, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil, false
	}
	return file, true
}

// styleOf follows NO_COLOR too.
func styleOf(out io.Writer) style {
	_, ok := terminal(out)
	return style{colours: ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (s style) paint(colour, text string) string {
	if !s.colours || text == "" || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// barWidth is the width of 100 percent.
const barWidth = 20

// bar is a share of the traffic, in 20 parts: none only for none, all only for all.
func bar(percent int32) string {
	filled := int(percent) * barWidth / 100
	if percent > 0 {
		filled = max(filled, 1)
	}
	filled = min(max(filled, 0), barWidth)
	return "[" + strings.Repeat("█", filled) + strings.Repeat("░", barWidth-filled) + "]"
}
