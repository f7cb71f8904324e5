package rollout_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// FuzzCompute: the planner is total. Whatever is observed, it answers, with one
// answer, and wants either a record or writes, never both.
func FuzzCompute(f *testing.F) {
	for _, seed := range observations(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var o rollout.Observation
		if json.Unmarshal(data, &o) != nil {
			t.Skip()
		}
		plan := rollout.Compute(o)
		if again := rollout.Compute(o); !reflect.DeepEqual(plan, again) {
			t.Errorf("two plans:\n%+v\n%+v", plan, again)
		}
		if plan.Append != nil && len(plan.Do) > 0 {
			t.Errorf("a record and writes at once: %+v", plan)
		}
		if plan.After < 0 {
			t.Errorf("look again in the past: %s", plan.After)
		}
	})
}

// observations are some of a rollout as seen on its way, as JSON.
func observations(f *testing.F) [][]byte {
	w := world.New(track(steps(20), approval(20), routes(gatewayRoute("public", "web"), serviceRoute("internal", "api"))))
	both := with(component("web", 2), component("api", 1))
	w.Publish("shop-1", release("1.0", both), fine())
	p := world.NewPlanner(w, rollout.Compute)
	var seeds [][]byte
	for i := range 400 {
		switch i {
		case 40:
			w.Ask(v1alpha1.ReleaseActionSpec{Action: v1alpha1.ActionApprove, ReleaseName: "shop-1", Attempt: ptr(int32(1)), WeightPercent: ptr(int32(20))})
		case 150:
			w.Publish("shop-2", release("2.0", both, tested("smoke", v1alpha1.BeforeTraffic), tested("probe", v1alpha1.EveryStep)), fine())
		case 200:
			w.Ask(v1alpha1.ReleaseActionSpec{Action: v1alpha1.ActionApprove, ReleaseName: "shop-2", Attempt: ptr(int32(1)), WeightPercent: ptr(int32(20))})
		case 300:
			w.Ask(v1alpha1.ReleaseActionSpec{Action: v1alpha1.ActionRollback, ReleaseName: "shop-1"})
		}
		p.Sync()
		p.Think(false)
		for !p.Idle() {
			if _, err := p.Act(); err != nil {
				f.Fatal(err)
			}
		}
		w.Step()
		w.Now = w.Now.Add(time.Second)
		if i%20 == 0 {
			seed, err := json.Marshal(w.Observe())
			if err != nil {
				f.Fatal(err)
			}
			seeds = append(seeds, seed)
		}
	}
	return seeds
}
