package simulation_test

import (
	"fmt"
	"sort"
	"testing"
	"strings"

	"github.com/strata-release/strata/test/simulation"
)

// TestDev counts violations by rule and shows the shortest story of each.
func TestDev(t *testing.T) {
	type hit struct {
		seeds []uint64
		o simulation.Outcome
		msg string
	}
	hits := map[string]*hit{}
	rec, wr := 0, 0
	for i := range uint64(*worlds) {
		o := simulation.Run(*seed + i)
		rec += o.Records
		wr += o.Writes
		if o.Failed != nil {
			h := hits[o.Failed.Rule]
			if h == nil {
				h = &hit{o: o, msg: o.Failed.Message}
				hits[o.Failed.Rule] = h
			}
			h.seeds = append(h.seeds, *seed+i)
		}
	}
	fmt.Println(rec, "records", wr, "writes")
	var keys []string
	for k := range hits { keys = append(keys, k) }
	sort.Strings(keys)
	for _, k := range keys {
		h := hits[k]
		fmt.Printf("=== %s: %d worlds, e.g. %v: %s\n", k, len(h.seeds), h.seeds[:min(5, len(h.seeds))], h.msg)
	}
	for _, k := range keys {
		h := hits[k]
		short := simulation.Replay(simulation.Shrink(h.o.Choices, k, 1500))
		fmt.Printf("=== %s\n%s\n", k, strings.Join(short.Lines, "\n"))
	}
}
