package simulation_test

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/strata-release/strata/test/simulation"
)

var (
	worlds = flag.Int("worlds", 20000, "how many worlds to play")
	seed   = flag.Uint64("seed", 1, "of the first world")
	tell   = flag.Bool("tell", false, "tell of the world of -seed, and of no other")
)

// shrinkTries bounds the worlds that are played to make a violation's story short.
const shrinkTries = 4000

// TestWorlds plays worlds, each from a seed of its own, on every core.
func TestWorlds(t *testing.T) {
	if *tell {
		outcome := simulation.Run(*seed)
		t.Log("\n" + strings.Join(simulation.Replay(outcome.Choices).Lines, "\n"))
		report(t, *seed, outcome)
		return
	}
	// Worlds are short-lived garbage: memory is cheaper here than collecting it.
	defer debug.SetGCPercent(debug.SetGCPercent(1600))
	var next, records, writes, failed atomic.Int64
	t.Run("all", func(t *testing.T) {
		for part := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprintf("part %d", part+1), func(t *testing.T) {
				t.Parallel()
				for i := next.Add(1) - 1; i < int64(*worlds) && failed.Load() == 0; i = next.Add(1) - 1 {
					outcome := simulation.Run(*seed + uint64(i))
					records.Add(int64(outcome.Records))
					writes.Add(int64(outcome.Writes))
					if outcome.Failed != nil && failed.Add(1) == 1 {
						report(t, *seed+uint64(i), outcome)
					}
				}
			})
		}
	})
	t.Logf("%d worlds: %d records, %d writes", *worlds, records.Load(), writes.Load())
}

// report tells the short story of a violation.
func report(t *testing.T, seed uint64, outcome simulation.Outcome) {
	t.Helper()
	if outcome.Failed == nil {
		return
	}
	short := simulation.Replay(simulation.Shrink(outcome.Choices, outcome.Failed.Rule, shrinkTries))
	t.Errorf("world %d breaks the rule %s: %s\n(make simulate SEED=%d tells all of it, in %d steps; this is its short story, in %d.)\n%s",
		seed, outcome.Failed.Rule, outcome.Failed.Message, seed, len(outcome.Choices)-1, len(short.Choices)-1, strings.Join(short.Lines, "\n"))
}

// TestReplays: a world is the same each time that it is made from its choices.
func TestReplays(t *testing.T) {
	for seed := range uint64(50) {
		first := simulation.Run(seed)
		once, twice := simulation.Replay(first.Choices), simulation.Replay(first.Choices)
		if first.Writes != once.Writes || first.Records != once.Records || !slices.Equal(once.Lines, twice.Lines) {
			t.Fatalf("world %d is another one the next time: %s", seed, firstDifference(once.Lines, twice.Lines))
		}
	}
}

func firstDifference(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d:\n%s\n%s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d and %d lines", len(a), len(b))
}
