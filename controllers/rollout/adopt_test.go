package rollout_test

import (
	"strings"
	"testing"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// TestAdopt: without records, a release is taken for stable that serves beyond doubt,
// and nothing else is done.
func TestAdopt(t *testing.T) {
	for name, c := range map[string]struct {
		weight int32
		change func(*rollout.Observation)
		// why nothing is adopted; "" where shop-2 is.
		why string
	}{
		"all of the weight": {weight: 100},
		"a part":            {weight: 20, why: "route public does not send everything to one release"},
		"two routes, two":   {weight: 100, change: func(o *rollout.Observation) { o.Routes = append(o.Routes, other(o.Routes[0], "shop-1")) }, why: "the same as the others"},
		"no route":          {weight: 100, change: func(o *rollout.Observation) { o.Routes = nil }, why: "no route of the track tells"},
		"somebody's route":  {weight: 100, change: func(o *rollout.Observation) { o.Routes[0].Presence = rollout.Foreign }, why: "no route of the track tells"},
		"no release":        {weight: 100, change: func(o *rollout.Observation) { o.Releases = o.Releases[:1] }, why: "the release object of shop-2, which serves, is gone"},
		"no seal":           {weight: 100, change: func(o *rollout.Observation) { o.Releases[1].Sealed = nil }, why: "lacks its seal"},
		"no Deployment":     {weight: 100, change: func(o *rollout.Observation) { o.Releases[1].Components[0].Deployment = rollout.Missing }, why: "or what it owns"},
		"a route left over": {weight: 100, change: func(o *rollout.Observation) { o.Routes[0].Orphaned = true }, why: "no route of the track tells"},
	} {
		t.Run(name, func(t *testing.T) {
			o := candidateAt(t, c.weight)
			stamp := o.Log.Head.Sequence
			o.Log = rollout.Log{}
			if c.change != nil {
				c.change(&o)
			}
			plan := rollout.Compute(o)
			if c.why != "" {
				if !plan.Stale || plan.Append != nil || plan.Do != nil || plan.Stalled == nil || !strings.Contains(plan.Stalled.Message, c.why) {
					t.Errorf("%+v, stalled %+v; want %s", plan, plan.Stalled, c.why)
				}
				return
			}
			e := plan.Append
			if e == nil || e.Event != v1alpha1.EventAdopted || e.State.Stable.Name != "shop-2" || !e.Confirm || e.LastStamp == 0 || e.LastStamp > stamp {
				t.Fatalf("%+v", plan)
			}
			if len(e.State.Live) != 2 || e.State.Live[0].ZeroTime != nil || e.State.Live[1].ZeroTime != nil {
				t.Errorf("live: %+v", e.State.Live)
			}
		})
	}
}

// other is a route of another name that goes to a release.
func other(route rollout.Route, release string) rollout.Route {
	route.Name = "internal"
	route.Weights = []v1alpha1.ReleaseWeight{{ReleaseName: release, WeightPercent: 100}}
	return route
}
