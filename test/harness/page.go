package harness

import (
	"fmt"
	"regexp"
	"strings"
)

// PageStep is a step of a page: commands that it tells its reader to type, and what they
// show.
type PageStep struct {
	// Line of the page on which the commands begin, from 1.
	Line     int
	Commands string
	// Shows is nil where the page does not say. In it "..." stands for any text, and on a
	// line of its own for any lines. Spaces count once.
	Shows *string
}

// ReadPage finds the steps of a page in Markdown: every block of sh, with the block of
// text that follows it as what is shown. A block of another kind is an error, so that
// none is passed over.
func ReadPage(markdown string) ([]PageStep, error) {
	var steps []PageStep
	var block []string
	kind, begin := "", 0
	for i, line := range strings.Split(markdown, "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case !isFence && kind != "":
			block = append(block, line)
		case !isFence:
		case kind == "":
			kind, begin, block = fence, i+2, nil
			if kind != "sh" && kind != "text" {
				return nil, fmt.Errorf("line %d: a block of %q: commands are in blocks of sh, what they show in blocks of text", i+1, kind)
			}
		default:
			text := strings.Join(block, "\n") + "\n"
			if last := len(steps) - 1; kind == "sh" {
				steps = append(steps, PageStep{Line: begin, Commands: text})
			} else if last < 0 || steps[last].Shows != nil {
				return nil, fmt.Errorf("line %d: what is shown follows no commands", begin-1)
			} else {
				steps[last].Shows = &text
			}
			kind = ""
		}
	}
	if kind != "" {
		return nil, fmt.Errorf("line %d: the block does not end", begin-1)
	}
	return steps, nil
}

// marker begins the output of a step.
const marker = "--- step "

// Script is what a shell runs to go through a page: it stops at the first command that
// fails, and its output is for Outputs.
func Script(steps []PageStep) string {
	var b strings.Builder
	b.WriteString("set -euo pipefail\nexec 2>&1\n")
	for i, step := range steps {
		fmt.Fprintf(&b, "echo; echo '%s%d'\n%s", marker, i, step.Commands)
	}
	return b.String()
}

// Outputs of the steps that were begun, of the output of their Script.
func Outputs(output string) []string {
	var outputs []string
	for i, part := range strings.Split(output, "\n"+marker) {
		if _, after, ok := strings.Cut(part, "\n"); ok && i > 0 {
			outputs = append(outputs, after)
		}
	}
	return outputs
}

var spaces = regexp.MustCompile(`[ \t]+`)

// ShownBy says whether an output is what the page shows; true where it does not say.
func (s PageStep) ShownBy(output string) bool {
	if s.Shows == nil {
		return true
	}
	var pattern strings.Builder
	pattern.WriteString(`\A`)
	for _, line := range strings.Split(strings.TrimRight(*s.Shows, "\n"), "\n") {
		if line == "..." {
			pattern.WriteString(`(?:.*\n)*`)
			continue
		}
		parts := strings.Split(evenly(line), "...")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern.WriteString(strings.Join(parts, `.*`) + `\n`)
	}
	pattern.WriteString(`\z`)
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	for i := range lines {
		lines[i] = evenly(lines[i])
	}
	return regexp.MustCompile(pattern.String()).MatchString(strings.Join(lines, "\n") + "\n")
}

func evenly(line string) string {
	return strings.TrimRight(spaces.ReplaceAllString(line, " "), " ")
}
