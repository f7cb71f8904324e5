package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// live shows a track until the user has seen enough. On a terminal the tree is written
// over itself, line by line, and times are counted down; elsewhere it is written anew
// whenever it says something else.
func (s *session) live(ctx context.Context, name string, all bool) error {
	first, err := s.view(ctx, name, all)
	if err != nil {
		return err
	}
	kinds := []watched{
		{&v1alpha1.ReleaseTrackList{}, []client.ListOption{client.InNamespace(s.namespace)}},
		{&v1alpha1.ImmutableReleaseList{}, s.ofTrack(name)},
	}
	if first.Unseen == "" {
		kinds = append(kinds, watched{&corev1.PodList{}, []client.ListOption{client.InNamespace(s.namespace), client.MatchingLabels{v1alpha1.LabelTrack: name}}})
	}
	file, onTerminal := terminal(s.Streams.Out)
	var ticks <-chan time.Time
	if onTerminal {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		ticks = ticker.C
	}
	show := screen{out: s.Streams.Out}
	last := ""
	err = s.until(ctx, kinds, ticks, func() (bool, error) {
		view, err := s.view(ctx, name, all)
		if err != nil {
			return false, err
		}
		if onTerminal {
			width, height, err := term.GetSize(int(file.Fd()))
			if err != nil {
				return false, fmt.Errorf("ask for the size of the terminal: %w", err)
			}
			return false, show.draw(view.tree(styleOf(file), s.Now()), width, height)
		}
		text := view.tree(style{}, s.Now())
		if text == last {
			return false, nil
		}
		if last != "" {
			text = "\n" + text
		}
		last = strings.TrimPrefix(text, "\n")
		_, err = io.WriteString(s.Streams.Out, text)
		return false, err
	})
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil // The user has seen enough.
	}
	return err
}

// screen is what was drawn last, for the next to be drawn over it.
type screen struct {
	out   io.Writer
	lines int
}

// draw writes a text over the last one, in one write: each line with what is left of the
// old one cleared, and then all below it. Nothing is blank in between, and so nothing
// flickers. Lines that are too long, or too many, are cut: a line that wraps would count
// for two.
func (s *screen) draw(text string, width, height int) error {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if height > 1 && len(lines) > height-1 {
		lines = append(lines[:height-2:height-2], "...")
	}
	var b strings.Builder
	if s.lines > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", s.lines)
	}
	for _, line := range lines {
		b.WriteString(cut(line, width) + "\x1b[K\r\n")
	}
	b.WriteString("\x1b[J")
	s.lines = len(lines)
	_, err := io.WriteString(s.out, b.String())
	return err
}

// cut shortens a line to a width, not counting the codes that set colours.
func cut(line string, width int) string {
	if width <= 0 {
		return line
	}
	var b strings.Builder
	seen, code, coloured := 0, false, false
	for _, r := range line {
		switch {
		case r == '\x1b':
			code, coloured = true, true
		case code:
			code = r != 'm'
		case seen == width:
			if coloured {
				b.WriteString("\x1b[0m")
			}
			return b.String()
		default:
			seen++
		}
		b.WriteRune(r)
	}
	return b.String()
}
