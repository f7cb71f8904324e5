package operator

import (
	"context"
	"testing"
	"time"
)

// TestMemoryIsGivenBackOnceAtRest looks at a heap that is busy, rests, and is busy again.
func TestMemoryIsGivenBackOnceAtRest(t *testing.T) {
	const inUse = 80
	allocated, looks, given := uint64(0), -1, []int{}
	ctx, cancel := context.WithCancel(t.Context())
	busy := []bool{true, true, false, false, false, true, false, false}
	rests := &atRest{
		every: time.Microsecond,
		heap: func() (uint64, uint64) {
			if looks >= 0 && looks < len(busy) && busy[looks] {
				allocated += inUse
			}
			if looks++; looks > len(busy) {
				cancel()
			}
			return allocated, inUse
		},
		give: func() { given = append(given, looks-1) },
	}
	if err := rests.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if len(given) != 2 || given[0] != 2 || given[1] != 6 {
		t.Errorf("memory was given back at looks %v; want 2 and 6", given)
	}
	if rests.NeedLeaderElection() {
		t.Error("a replica that does not lead keeps what it does not need")
	}
}
