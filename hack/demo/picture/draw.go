package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/strata-release/strata/hack/demo/seen"
)

// The picture, in pixels: a title, lanes of marks, the plot of shares, a strip of
// failed requests, the time, and a line of figures.
const (
	width, height = 960.0, 470.0
	left, right   = 56.0, 936.0
	lanesTop      = 70.0
	laneHeight    = 17.0
	lanes         = 4
	top, bottom   = 150.0, 352.0
	stripBottom   = 392.0
	axis          = 410.0
)

// style is for both light and dark pages; the picture brings its own ground.
const style = `
  .ground { fill: #ffffff; stroke: #d0d7de } .text { fill: #1f2328 } .soft { fill: #59636e }
  .grid { stroke: #d0d7de } .mark { stroke: #1f2328 } .asked { stroke: #1f2328 } .bad { fill: #cf222e }
  .a { fill: #8c959f } .b { fill: #2f81f7 } .c { fill: #bf8700 } .d { fill: #8250df } .label { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #30363d } .text { fill: #e6edf3 } .soft { fill: #9198a1 }
    .grid { stroke: #30363d } .mark { stroke: #e6edf3 } .asked { stroke: #e6edf3 } .bad { fill: #f85149 }
    .a { fill: #6e7681 } .b { fill: #1f6feb } .c { fill: #9e6a03 } .d { fill: #8957e5 }
  }
  text { font: 12px -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif }
  .title { font-size: 16px; font-weight: 600 } .label { font-weight: 600; font-size: 13px } .small { font-size: 11px }
  .halo { paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
  @media (prefers-color-scheme: dark) { .halo { stroke: #0d1117 } }
`

// colours of the versions, in their order.
var colours = []string{"a", "b", "c", "d"}

// plot is a report with the scale of its drawing.
type plot struct {
	seen.Report
	versions []string
	end      float64
	b        strings.Builder
}

// draw gives the picture as SVG.
func draw(report seen.Report) string {
	p := &plot{Report: report, end: report.Samples[len(report.Samples)-1].Time + seen.SampleSeconds}
	answered := map[string]bool{}
	for _, sample := range report.Samples {
		for version := range sample.Requests {
			answered[version] = version != ""
		}
	}
	p.versions = slices.DeleteFunc(slices.Sorted(maps.Keys(answered)), func(v string) bool { return v == "" })
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`, width, height, p.caption())
	p.add(`<style>%s</style>`, style)
	p.add(`<rect class="ground" x="0.5" y="0.5" width="%g" height="%g" rx="8"/>`, width-1, height-1)
	p.add(`<text class="text title" x="24" y="32">Who answered, as a client saw it</text>`)
	p.add(`<text class="soft" x="24" y="52">Areas: share of the requests by version. Dashed: the weight that was asked for.</text>`)
	p.areas()
	p.grid()
	p.asked()
	p.names()
	p.marks()
	p.failures()
	p.add(`<text class="soft" x="24" y="%g">%s</text>`, height-18, p.caption())
	p.add(`</svg>`)
	return p.b.String()
}

func (p *plot) add(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

func (p *plot) caption() string {
	text := fmt.Sprintf("%s requests over %.0f s: %d failed", thousands(p.Requests), p.end, p.Unexpected)
	if own := p.Failures - p.Unexpected; own > 0 {
		text += fmt.Sprintf(", but for %d that the broken release itself answered", own)
	}
	return text + fmt.Sprintf(". Rolled back by hand within %.2f s.", p.RollbackSeconds)
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

func (p *plot) x(seconds float64) float64 { return left + (right-left)*seconds/p.end }

// y of a share in percent; 100 is at the top.
func y(percent float64) float64 { return bottom - (bottom-top)*percent/100 }

func (p *plot) colour(version string) string {
	return colours[slices.Index(p.versions, version)%len(colours)]
}

// shares of the versions in a sample, in percent; a sample without requests has
// none.
func (p *plot) shares(sample seen.Sample) []float64 {
	total := 0
	for _, version := range p.versions {
		total += sample.Requests[version]
	}
	shares := make([]float64, len(p.versions))
	for i, version := range p.versions {
		if total > 0 {
			shares[i] = 100 * float64(sample.Requests[version]) / float64(total)
		}
	}
	return shares
}

// areas stacks the shares, the first version at the bottom.
func (p *plot) areas() {
	for i, version := range p.versions {
		var upper, lower []string
		for _, sample := range p.Samples {
			floor := 0.0
			shares := p.shares(sample)
			for _, share := range shares[:i] {
				floor += share
			}
			for _, t := range []float64{sample.Time, sample.Time + seen.SampleSeconds} {
				upper = append(upper, fmt.Sprintf("%.1f,%.1f", p.x(t), y(floor+shares[i])))
				lower = append(lower, fmt.Sprintf("%.1f,%.1f", p.x(t), y(floor)))
			}
		}
		slices.Reverse(lower)
		p.add(`<polygon class="%s" points="%s"/>`, p.colour(version), strings.Join(append(upper, lower...), " "))
	}
}

func (p *plot) grid() {
	for percent := 0.0; percent <= 100; percent += 25 {
		p.add(`<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f" stroke-opacity="0.6"/>`, left, right, y(percent), y(percent))
		p.add(`<text class="soft small" x="%g" y="%.1f" text-anchor="end">%.0f %%</text>`, left-6, y(percent)+4, percent)
	}
	for t := 0.0; t <= p.end; t += 20 {
		p.add(`<text class="soft small" x="%.1f" y="%g" text-anchor="middle">%.0f s</text>`, p.x(t), axis, t)
	}
}

// asked draws, for every pair of neighbours in the stack, where the records say
// that it should be.
func (p *plot) asked() {
	weights := map[string]int32{}
	points := make([][]string, len(p.versions))
	line := func(t float64) {
		floor := 0.0
		for i, version := range p.versions {
			floor += float64(weights[version])
			points[i] = append(points[i], fmt.Sprintf("%.1f,%.1f", p.x(t), y(floor)))
		}
	}
	for _, mark := range p.Marks {
		if mark.Time > 0 {
			line(mark.Time)
		}
		weights = mark.Weights
		line(max(mark.Time, 0))
	}
	line(p.end)
	for i := range p.versions[:max(len(p.versions)-1, 0)] {
		p.add(`<polyline class="asked" fill="none" stroke-width="1.5" stroke-dasharray="4 3" points="%s"/>`, strings.Join(points[i], " "))
	}
}

// names writes every version once, where it has most room.
func (p *plot) names() {
	for i, version := range p.versions {
		middle, ok := p.roomiest(i)
		if !ok {
			continue
		}
		floor := 0.0
		shares := p.shares(middle)
		for _, share := range shares[:i] {
			floor += share
		}
		p.add(`<text class="label" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, p.x(middle.Time), y(floor+shares[i]/2)+4, version)
	}
}

// roomiest is the middle of the longest time in which a version had a share that
// its name fits into.
func (p *plot) roomiest(version int) (middle seen.Sample, ok bool) {
	const enough = 18 // percent
	from, longest := 0, 0
	for n, sample := range p.Samples {
		if p.shares(sample)[version] < enough {
			from = n + 1
			continue
		}
		if length := n + 1 - from; length > longest {
			longest, middle, ok = length, p.Samples[from+length/2], true
		}
	}
	return middle, ok
}

// failures is the strip below the plot: failed requests, as a share of all.
func (p *plot) failures() {
	const room = stripBottom - bottom - 14
	p.add(`<line class="grid" x1="%g" x2="%g" y1="%g" y2="%g"/>`, left, right, stripBottom, stripBottom)
	p.add(`<text class="soft small" x="%g" y="%g" text-anchor="end">failed</text>`, left-6, stripBottom-2)
	for _, sample := range p.Samples {
		failed, total := 0, 0
		for version, n := range sample.Requests {
			total, failed = total+n, failed+sample.Failures[version]
		}
		if failed > 0 {
			h := room * float64(failed) / float64(total)
			p.add(`<rect class="bad" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, p.x(sample.Time), stripBottom-h,
				p.x(seen.SampleSeconds)-left, h)
		}
	}
}
