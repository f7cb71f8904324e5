package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// What one plan may allocate, at any moment of a rollout and while nothing moves.
const (
	maxAllocations        = 30
	maxSettledAllocations = 16
)

// TestAllocationsOfAPlan: a look at a track costs little, above all where nothing moves.
func TestAllocationsOfAPlan(t *testing.T) {
	w := world.New(track(routes(gatewayRoute("public", "web"))))
	p := world.NewPlanner(w, rollout.Compute)
	most, settled := 0.0, 0.0
	for i := range 400 {
		switch i {
		case 0:
			w.Publish("shop-1", release("1.0"), fine())
		case 200:
			w.Publish("shop-2", release("2.0"), fine())
		}
		o := w.Observe()
		settled = testing.AllocsPerRun(5, func() { rollout.Compute(o) })
		most = max(most, settled)
		p.Sync()
		p.Think(false)
		for !p.Idle() {
			if _, err := p.Act(); err != nil {
				t.Fatal(err)
			}
		}
		w.Step()
		w.Now = w.Now.Add(time.Second)
	}
	if head := w.Observe().Log.Head; head == nil || head.State.Stable == nil || head.State.Stable.Name != "shop-2" {
		t.Fatalf("shop-2 is not stable: %+v", head)
	}
	t.Logf("%.0f allocations at the most, %.0f when settled", most, settled)
	if most > maxAllocations {
		t.Errorf("%.0f allocations of a plan, at most %d are to be", most, maxAllocations)
	}
	if settled > maxSettledAllocations {
		t.Errorf("%.0f allocations of a plan of a settled track, at most %d are to be", settled, maxSettledAllocations)
	}
}
