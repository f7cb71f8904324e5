package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/strata-release/strata/hack/demo/seen"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

// report is what was seen, for the picture.
func (s *show) report() seen.Report {
	all := s.load.Results()
	failures := all.Failures()
	r := seen.Report{
		Steps: s.steps, Requests: len(all), Failures: len(failures),
		Unexpected: len(failures.Where(unexpected)), RollbackSeconds: s.rollback.Seconds(),
	}
	if len(all) == 0 {
		return r
	}
	const interval = time.Duration(seen.SampleSeconds * float64(time.Second))
	first, last := all[0].Start, all[len(all)-1].Start
	for from := first; from.Before(last); from = from.Add(interval) {
		window := all.Between(from, from.Add(interval))
		r.Samples = append(r.Samples, seen.Sample{
			Time: from.Sub(first).Seconds(), Requests: window.Versions(), Failures: window.Failures().Versions(),
		})
	}
	versions := map[string]string{}
	for _, version := range []string{v1, v2, v3, v4} {
		versions[harness.ReleaseName(version)] = version
	}
	for _, record := range s.log() {
		mark := seen.Mark{Time: record.Spec.Time.Sub(first).Seconds(), Event: string(record.Spec.Event), Weights: map[string]int32{}}
		for release, weight := range harness.Weights(record) {
			mark.Weights[versions[release]] = weight
		}
		if record.Spec.Release != nil {
			mark.Version = record.Spec.Release.Version
		}
		r.Marks = append(r.Marks, mark)
	}
	return r
}

// unexpected failures are those that the version that is broken on purpose did not
// cause.
func unexpected(r load.Result) bool { return r.Version != v4 }

func write(r seen.Report, file string) error {
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
	foreign := failures.Where(unexpected)
	own := len(failures) - len(foreign)

	s.act("What was asked, and what was seen")
	row := func(what, asked, seen string) { fmt.Printf("  %-34s %14s %14s\n", what, asked, seen) }
	row("", "asked", "seen")
	for _, st := range s.steps {
		row(fmt.Sprintf("share of %s, %d requests", st.Version, st.Requests), fmt.Sprintf("%.0f %%", st.Asked), fmt.Sprintf("%.2f %%", st.Seen))
	}
	row("rollback by hand, on the wire", "<= 1.5 s", fmt.Sprintf("%.2f s", s.rollback.Seconds()))
	row("requests", "", fmt.Sprint(len(all)))
	row("failed", "0", fmt.Sprint(len(foreign)))
	row("failed in the broken version's share", "> 0", fmt.Sprint(own))
	row("slowest 1 % of the answers", "", all.Percentile(99).Round(100*time.Microsecond).String())
	fmt.Println()
	s.expect(len(foreign) == 0, "no request failed but by %s itself", v4)
	if len(foreign) > 0 {
		fmt.Print(foreign.Describe(10))
	}
	s.expect(own > 0, "%s did fail: the demo is real", v4)
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
