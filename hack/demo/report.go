package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

// report is what was seen, for the picture. Times are seconds since the start of
// the load.
type report struct {
	Samples  []sample  `json:"samples"`
	Marks    []mention `json:"marks"`
	Steps    []step    `json:"steps"`
	Requests int       `json:"requests"`
	Failures int       `json:"failures"`
	Rollback float64   `json:"rollbackSeconds"`
}

// sample counts the requests of one interval by the version that answered.
type sample struct {
	Time     float64        `json:"time"`
	Requests map[string]int `json:"requests"`
	Failures map[string]int `json:"failures,omitempty"`
}

// mention is a record.
type mention struct {
	Time    float64          `json:"time"`
	Event   string           `json:"event"`
	Version string           `json:"version,omitempty"`
	Weights map[string]int32 `json:"weights,omitempty"`
}

const sampleEvery = 500 * time.Millisecond

func (s *show) report() report {
	all := s.load.Results()
	r := report{Steps: s.steps, Requests: len(all), Failures: len(all.Failures()), Rollback: s.rollback.Seconds()}
	if len(all) == 0 {
		return r
	}
	first, last := all[0].Start, all[len(all)-1].Start
	for from := first; from.Before(last); from = from.Add(sampleEvery) {
		window := all.Between(from, from.Add(sampleEvery))
		r.Samples = append(r.Samples, sample{
			Time: from.Sub(first).Seconds(), Requests: window.Versions(), Failures: window.Failures().Versions(),
		})
	}
	for _, record := range s.log() {
		m := mention{Time: record.Spec.Time.Sub(first).Seconds(), Event: string(record.Spec.Event), Weights: harness.Weights(record)}
		if record.Spec.Release != nil {
			m.Version = record.Spec.Release.Version
		}
		r.Marks = append(r.Marks, m)
	}
	return r
}

func (r report) write(file string) error {
	content, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.WriteFile(file, append(content, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// table prints what was asked against what was seen, and says whether all holds:
// every check, and no request failed but in the share of the version that is broken
// on purpose.
func (s *show) table() bool {
	all := s.load.Results()
	failures := all.Failures()
	own := failures.Where(func(r load.Result) bool { return r.Version == v4 })
	foreign := failures.Where(func(r load.Result) bool { return r.Version != v4 })

	s.act("What was asked, and what was seen")
	row := func(what, asked, seen string) { fmt.Printf("  %-34s %14s %14s\n", what, asked, seen) }
	row("", "asked", "seen")
	for _, st := range s.steps {
		row(fmt.Sprintf("share of %s, %d requests", st.Version, st.Requests), fmt.Sprintf("%.0f %%", st.Asked), fmt.Sprintf("%.2f %%", st.Seen))
	}
	row("rollback by hand, on the wire", "<= 1.5 s", fmt.Sprintf("%.2f s", s.rollback.Seconds()))
	row("requests", "", fmt.Sprint(len(all)))
	row("failed", "0", fmt.Sprint(len(foreign)))
	row("failed in the broken version's share", "> 0", fmt.Sprint(len(own)))
	row("slowest 1 % of the answers", "", all.Percentile(99).Round(100*time.Microsecond).String())
	fmt.Println()
	s.expect(len(foreign) == 0, "no request failed but by %s itself", v4)
	if len(foreign) > 0 {
		fmt.Print(foreign.Describe(10))
	}
	s.expect(len(own) > 0, "%s did fail: the demo is real", v4)
	s.expect(!s.load.Exhausted(), "the client asked to the end")
	s.expect(len(all.Versions()) > 0 && slices.Contains(slices.Collect(maps.Keys(all.Versions())), v4), "every version but %s answered somebody", v3)

	off := 0
	for _, c := range s.checks {
		if !c.ok {
			off++
		}
	}
	fmt.Printf("\n%d checks, %d off\n", len(s.checks), off)
	return off == 0
}
