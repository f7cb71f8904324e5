package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// published is a release n, created n minutes after the start, of version n.0.
func published(n int) rollout.Release {
	spec := release(fmt.Sprintf("%d.0", n))
	return rollout.Release{
		Name: fmt.Sprintf("shop-%d", n), UID: types.UID(fmt.Sprintf("uid-%d", n)),
		CreationTime: world.Start.Add(time.Duration(n) * time.Minute), Spec: &spec,
	}
}

func refOf(n int) v1alpha1.ReleaseRef {
	r := published(n)
	return v1alpha1.ReleaseRef{Name: r.Name, UID: r.UID, Version: r.Spec.Version}
}

// TestDesired: which release an attempt is opened for, or closed.
func TestDesired(t *testing.T) {
	type setup struct {
		releases  []int
		stable    int
		candidate int
		retry     bool
		weight    int32
		pin       string
		verdicts  map[int]v1alpha1.RecordEvent
		pinned    bool
		change    func(*rollout.Observation)
	}
	const opened, superseded, nothing = v1alpha1.EventAttemptOpened, v1alpha1.EventSuperseded, v1alpha1.RecordEvent("")
	promoted := map[int]v1alpha1.RecordEvent{1: v1alpha1.EventPromoted}
	with := func(n int, event v1alpha1.RecordEvent) map[int]v1alpha1.RecordEvent {
		return map[int]v1alpha1.RecordEvent{1: v1alpha1.EventPromoted, n: event}
	}
	deleting := func(n int) func(*rollout.Observation) {
		return func(o *rollout.Observation) {
			for i := range o.Releases {
				if o.Releases[i].Name == published(n).Name {
					o.Releases[i].Deleting = true
				}
			}
		}
	}
	for name, c := range map[string]struct {
		setup
		event v1alpha1.RecordEvent
		about int
	}{
		"nothing published":               {setup{}, nothing, 0},
		"the first":                       {setup{releases: []int{1}}, opened, 1},
		"the newest":                      {setup{releases: []int{2, 3, 1}}, opened, 3},
		"stable is the newest":            {setup{releases: []int{1}, stable: 1, verdicts: promoted}, nothing, 0},
		"newer than stable":               {setup{releases: []int{1, 2}, stable: 1, verdicts: promoted}, opened, 2},
		"the newest is being deleted":     {setup{releases: []int{1, 2}, stable: 1, verdicts: promoted, change: deleting(2)}, nothing, 0},
		"the newest failed":               {setup{releases: []int{1, 2}, stable: 1, verdicts: with(2, v1alpha1.EventFailed)}, nothing, 0},
		"the newest was superseded":       {setup{releases: []int{1, 2}, stable: 1, verdicts: with(2, v1alpha1.EventSuperseded)}, nothing, 0},
		"superseded under a pin":          {setup{releases: []int{1, 2}, stable: 1, verdicts: with(2, v1alpha1.EventSuperseded), pinned: true}, opened, 2},
		"a later one had its verdict":     {setup{releases: []int{1, 2}, stable: 1, verdicts: with(3, v1alpha1.EventFailed)}, nothing, 0},
		"a later one, under a pin":        {setup{releases: []int{1, 2}, stable: 1, verdicts: with(3, v1alpha1.EventSuperseded), pinned: true}, opened, 2},
		"an old one comes back":           {setup{releases: []int{1, 2}, stable: 2, verdicts: with(2, v1alpha1.EventPromoted), change: createdNow(1)}, nothing, 0},
		"an old one comes back meanwhile": {setup{releases: []int{1, 2, 3}, stable: 2, candidate: 3, verdicts: with(2, v1alpha1.EventPromoted), change: createdNow(1)}, nothing, 0},
		"the candidate goes on":           {setup{releases: []int{1, 2}, stable: 1, candidate: 2, verdicts: promoted}, nothing, 0},
		"replaced by a newer one":         {setup{releases: []int{1, 2, 3}, stable: 1, candidate: 2, weight: 20, verdicts: promoted}, superseded, 2},
		"not at 100":                      {setup{releases: []int{1, 2, 3}, stable: 1, candidate: 2, weight: 100, verdicts: promoted}, nothing, 0},
		"a newer one waits under Queue":   {setup{releases: []int{1, 2, 3}, stable: 1, candidate: 2, weight: 20, verdicts: promoted, change: queues}, nothing, 0},
		"at 0 as well":                    {setup{releases: []int{1, 2, 3}, stable: 1, candidate: 2, verdicts: promoted, change: queues}, nothing, 0},
		"a pin does not wait under Queue": {setup{releases: []int{1, 2, 3}, stable: 1, candidate: 2, weight: 20, pin: "shop-3", verdicts: promoted, change: queues}, superseded, 2},
		"gone under Queue":                {setup{releases: []int{1, 3}, stable: 1, candidate: 2, weight: 20, verdicts: promoted, change: queues}, superseded, 2},
		"after a failure under Queue":     {setup{releases: []int{1, 2, 3}, stable: 1, verdicts: with(2, v1alpha1.EventFailed), change: queues}, opened, 3},
		"retried":                         {setup{releases: []int{1, 2}, stable: 1, candidate: 2, retry: true, verdicts: with(2, v1alpha1.EventFailed)}, nothing, 0},
		"retried, and a later one failed": {setup{releases: []int{1, 2}, stable: 1, candidate: 2, retry: true, verdicts: with(3, v1alpha1.EventFailed)}, nothing, 0},
		"retried, and a newer one comes":  {setup{releases: []int{1, 2, 3}, stable: 1, candidate: 2, retry: true, verdicts: with(2, v1alpha1.EventFailed)}, superseded, 2},
		"the candidate is gone":           {setup{releases: []int{1}, stable: 1, candidate: 2, verdicts: promoted}, superseded, 2},
		"the candidate is being deleted":  {setup{releases: []int{1, 2}, stable: 1, candidate: 2, verdicts: promoted, change: deleting(2)}, superseded, 2},
		"the candidate was replaced":      {setup{releases: []int{1, 2}, stable: 1, candidate: 2, verdicts: promoted, change: otherUID(2)}, superseded, 2},
		"pinned":                          {setup{releases: []int{1, 2, 3}, stable: 1, pin: "shop-2", verdicts: promoted}, opened, 2},
		"pinned to an older one":          {setup{releases: []int{1, 2}, stable: 2, pin: "shop-1", verdicts: with(2, v1alpha1.EventPromoted)}, opened, 1},
		"pinned to stable":                {setup{releases: []int{1, 2}, stable: 1, pin: "shop-1", verdicts: promoted}, nothing, 0},
		"pinned, and it failed":           {setup{releases: []int{1, 2}, stable: 1, pin: "shop-2", verdicts: with(2, v1alpha1.EventFailed)}, nothing, 0},
		"pinned, and it was superseded":   {setup{releases: []int{1, 2}, stable: 1, pin: "shop-2", verdicts: with(2, v1alpha1.EventSuperseded)}, opened, 2},
		"pinned to none":                  {setup{releases: []int{1, 2}, stable: 1, pin: "shop-9", verdicts: promoted}, nothing, 0},
		"pinned to none, with candidate":  {setup{releases: []int{1, 2, 3}, stable: 1, candidate: 2, pin: "shop-9", verdicts: promoted}, nothing, 0},
		"the pin moves away":              {setup{releases: []int{1, 2}, stable: 1, candidate: 2, pin: "shop-1", verdicts: promoted}, superseded, 2},
		"the pin moves away at 100":       {setup{releases: []int{1, 2}, stable: 1, candidate: 2, weight: 100, pin: "shop-1", verdicts: promoted}, superseded, 2},
		"the first one failed, no stable": {setup{releases: []int{1}, verdicts: map[int]v1alpha1.RecordEvent{1: v1alpha1.EventFailed}}, nothing, 0},
		"one version, two releases":       {setup{releases: []int{1, 2}, stable: 1, verdicts: promoted, change: sameVersion(2, 1)}, nothing, 0},
		"one version, two new releases":   {setup{releases: []int{1, 2, 3}, stable: 1, verdicts: promoted, change: sameVersion(3, 2)}, opened, 2},
		"pinned to a version of another":  {setup{releases: []int{1, 2}, stable: 1, pin: "shop-2", verdicts: promoted, change: sameVersion(2, 1)}, nothing, 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed(c.stable, c.candidate, c.weight)
			if c.candidate != 0 {
				o.Log.Head.State.Candidate.Retry = c.retry
			}
			for _, n := range c.releases {
				o.Releases = append(o.Releases, published(n))
			}
			for n, event := range c.verdicts {
				r := published(n)
				o.Log.Verdicts[r.Spec.Version] = rollout.Verdict{Event: event, ReleaseName: r.Name, UID: r.UID, CreationTime: r.CreationTime, Attempt: 1, Pinned: c.pinned && n != 1}
				o.Log.Attempts[r.Spec.Version] = 1
			}
			o.Track.Spec.ReleaseName = c.pin
			if c.change != nil {
				c.change(&o)
			}
			e := rollout.Compute(o).Append
			// Releases that were passed over get their verdict after what is looked at here.
			if e != nil && e.Reason == "PassedOver" {
				e = nil
			}
			switch {
			case e == nil && c.event != nothing:
				t.Errorf("nothing, want %s of shop-%d", c.event, c.about)
			case e != nil && (e.Event != c.event || e.Release.Name != fmt.Sprintf("shop-%d", c.about)):
				t.Errorf("%s of %s (%s), want %q of shop-%d", e.Event, e.Release.Name, e.Message, c.event, c.about)
			}
		})
	}
}

func queues(o *rollout.Observation) { queue(&o.Track.Spec) }

func createdNow(n int) func(*rollout.Observation) {
	return func(o *rollout.Observation) { o.Releases[n-1].CreationTime = world.Start.Add(time.Hour) }
}

func otherUID(n int) func(*rollout.Observation) {
	return func(o *rollout.Observation) { o.Releases[n-1].UID = "other" }
}

func sameVersion(n, as int) func(*rollout.Observation) {
	return func(o *rollout.Observation) {
		spec := *o.Releases[n-1].Spec
		spec.Version = o.Releases[as-1].Spec.Version
		o.Releases[n-1].Spec = &spec
	}
}

// observed is a track with a stable release, and a candidate that has a weight: 0
// for none of them. Nothing of their pods is observed.
func observed(stable, candidate int, weight int32) rollout.Observation {
	spec := track(steps(20, 50))
	o := rollout.Observation{
		Now: world.Start.Add(time.Hour), Namespace: world.Namespace, TrackName: world.TrackName, Actor: world.Actor,
		Track: &rollout.Track{Spec: spec},
		Log: rollout.Log{
			Head: &v1alpha1.ReleaseRecordSpec{Sequence: 10}, Verdicts: map[string]rollout.Verdict{}, Promotions: map[string]rollout.Promotion{},
			Attempts: map[string]int32{}, ContentDigests: map[string]string{}, Actions: map[string]rollout.ActionRecord{},
		},
	}
	state := &o.Log.Head.State
	if stable != 0 {
		ref := refOf(stable)
		state.Stable = &ref
		state.Live = append(state.Live, v1alpha1.LiveRelease{ReleaseRef: ref, Sequence: 1})
		state.Routes = []v1alpha1.RouteState{{Name: "public", Weights: []v1alpha1.ReleaseWeight{{ReleaseName: ref.Name, WeightPercent: 100 - weight}}}}
		o.Log.Promotions[ref.Version] = rollout.Promotion{ReleaseName: ref.Name, UID: ref.UID, Sequence: 4}
	}
	if candidate != 0 {
		state.Candidate = &v1alpha1.CandidateState{ReleaseRef: refOf(candidate), Attempt: 2}
		state.Candidate.StartTime.Time = o.Now
		state.Live = append(state.Live, v1alpha1.LiveRelease{ReleaseRef: refOf(candidate), Sequence: 5})
		if weight > 0 {
			state.Routes[0].Weights = append(state.Routes[0].Weights, v1alpha1.ReleaseWeight{ReleaseName: refOf(candidate).Name, WeightPercent: weight})
		}
	}
	return o
}
