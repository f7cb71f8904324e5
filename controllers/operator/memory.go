package operator

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// restLook is how often it is looked whether the operator rests.
const restLook = 30 * time.Second

// atRest gives memory back to the system whenever the operator has come to rest. The
// runtime keeps what the busiest time took, for the next: as much again as all that is
// cached, while nothing has moved for hours.
type atRest struct {
	every time.Duration
	// heap is how many bytes were allocated since the program began, and are in use.
	heap func() (allocated, inUse uint64)
	give func()
}

func newAtRest() *atRest { return &atRest{every: restLook, heap: heap, give: debug.FreeOSMemory} }

// NeedLeaderElection implements manager.LeaderElectionRunnable: every replica has caches.
func (r *atRest) NeedLeaderElection() bool { return false }

// Start implements manager.Runnable.
func (r *atRest) Start(ctx context.Context) error {
	ticker := time.NewTicker(r.every)
	defer ticker.Stop()
	before, _ := r.heap()
	for given := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		allocated, inUse := r.heap()
		rests := allocated-before < inUse/8
		if rests && !given {
			r.give()
		}
		before, given = allocated, rests
	}
}

func heap() (allocated, inUse uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}
