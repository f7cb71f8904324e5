package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strata-release/strata/hack/demo/seen"
)

// words of a record in the picture; "" for those that are not shown.
func words(mark seen.Mark) string {
	switch mark.Event {
	case "WeightSet":
		return fmt.Sprintf("%s: %d %%", mark.Version, mark.Weights[mark.Version])
	case "Promoted":
		return mark.Version + " promoted"
	case "Failed":
		return mark.Version + " failed its test"
	case "RolledBack":
		for version, weight := range mark.Weights {
			if weight == 100 {
				return "back to " + version + ", by hand"
			}
		}
	}
	return ""
}

// marks writes the records above the plot, each in the lowest lane that has room,
// with a line down to its moment.
func (p *plot) marks() {
	const perLetter, gap = 6.1, 10.0
	occupied := make([][]float64, 0, lanes) // of each lane, where it is free again
	for range lanes {
		occupied = append(occupied, []float64{left})
	}
	var texts []string
	for _, mark := range p.Marks {
		text := words(mark)
		if text == "" || mark.Time < 0 {
			continue
		}
		x, length := p.x(mark.Time), perLetter*float64(len(text))
		anchor, from := "start", x+4
		if x+length > right {
			anchor, from = "end", x-4-length
		}
		lane := slices.IndexFunc(occupied, func(free []float64) bool { return free[len(free)-1] <= from })
		if lane < 0 {
			lane = lanes - 1
		}
		occupied[lane] = append(occupied[lane], from+length+gap)
		baseline := lanesTop + laneHeight*float64(lanes-lane)
		at := x + 4
		if anchor == "end" {
			at = x - 4
		}
		p.add(`<line class="mark" x1="%.1f" x2="%.1f" y1="%.1f" y2="%g" stroke-opacity="0.45"/>`, x, x, baseline-9, bottom)
		texts = append(texts, fmt.Sprintf(`<text class="text small halo" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`, at, baseline, anchor, text))
	}
	// Over all the lines, which pass behind them.
	p.add("%s", strings.Join(texts, "\n"))
}
