package rollout_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// up is a component as it is when all its pods are there and ready.
func up(name string, pods int32) rollout.Component {
	return rollout.Component{
		Name: name, Service: rollout.Ours, Deployment: rollout.Ours, Sequence: 10, ServiceSequence: 10,
		Replicas: pods, ReadyReplicas: pods, AvailableReplicas: pods, ReadyEndpoints: pods, Available: true,
	}
}

// verified makes an observation one of routers that carry what the newest record
// says, and have for a while.
func verified(o *rollout.Observation) {
	state := &o.Log.Head.State
	since := metav1.NewMicroTime(world.Start)
	for i := range state.Routes {
		route := &state.Routes[i]
		route.VerifiedTime = &since
		o.Routes = append(o.Routes, rollout.Route{
			Name: route.Name, Type: v1alpha1.RouteGatewayAPI, Presence: rollout.Ours, Sequence: 10,
			Weights: route.Weights, Current: true, Verified: true,
		})
	}
	for i := range state.Live {
		if weightOf(*state, state.Live[i].Name) == 0 {
			state.Live[i].ZeroTime = &since
		}
	}
}

// TestMakingBeforeBreaking: what is missing is made before anything is taken down.
func TestMakingBeforeBreaking(t *testing.T) {
	o := observed(2, 3, 0)
	retired, stable, candidate := published(1), published(2), published(3)
	retired.Components = []rollout.Component{up("web", 2)}
	stable.Components, stable.Sealed, stable.Held = []rollout.Component{up("web", 2)}, &rollout.Sealed{}, 10
	candidate.Components, candidate.Sealed = []rollout.Component{{Name: "web"}}, &rollout.Sealed{}
	o.Releases = []rollout.Release{retired, stable, candidate}
	for _, n := range []int{1, 2} {
		o.Log.Verdicts[refOf(n).Version] = rollout.Verdict{Event: v1alpha1.EventPromoted, UID: refOf(n).UID, CreationTime: published(n).CreationTime}
	}
	verified(&o)
	plan := rollout.Compute(o)
	if plan.Append != nil || len(plan.Do) != 2 {
		t.Fatalf("%+v, %+v", plan.Append, plan.Do)
	}
	if made, ok := plan.Do[0].(rollout.CreateChildren); !ok || made.Release != "shop-3" {
		t.Errorf("first %+v", plan.Do[0])
	}
	if broken, ok := plan.Do[1].(rollout.DeleteChildren); !ok || broken.Release != "shop-1" {
		t.Errorf("then %+v", plan.Do[1])
	}
}

// TestBaselineIsListedFirst of those that have a share, also where the candidate has been
// live for longer: a router of two parts has it as its base.
func TestBaselineIsListedFirst(t *testing.T) {
	o := observed(2, 1, 80)
	o.Track.Spec.ReleaseName = "shop-1"
	state := &o.Log.Head.State
	state.Live[0], state.Live[1] = state.Live[1], state.Live[0]
	for _, n := range []int{1, 2} {
		r := published(n)
		r.Components, r.Sealed, r.Held = []rollout.Component{up("web", 2)}, &rollout.Sealed{}, 10
		o.Releases = append(o.Releases, r)
	}
	verified(&o)
	o.Routes[0].Presence, o.Routes[0].Weights = rollout.Missing, nil
	for _, do := range rollout.Compute(o).Do {
		if write, ok := do.(rollout.WriteRoute); ok {
			if w := write.Weights; len(w) != 2 || w[0].ReleaseName != "shop-2" || w[0].WeightPercent != 20 || w[1].WeightPercent != 80 {
				t.Errorf("%+v", w)
			}
			return
		}
	}
	t.Error("the route is not written")
}

// TestRecallWaitsForAllPods: a Rollback to a release without pods is carried out when
// it has come up, and not with its first pod.
func TestRecallWaitsForAllPods(t *testing.T) {
	for name, c := range map[string]struct {
		available bool
		want      v1alpha1.RecordEvent
	}{"the first pod": {false, ""}, "all pods": {true, v1alpha1.EventRolledBack}} {
		o := observed(2, 0, 0)
		target, stable := published(1), published(2)
		target.Components, target.Sealed = []rollout.Component{up("web", 2)}, &rollout.Sealed{}
		target.Components[0].Available, target.Components[0].AvailableReplicas, target.Components[0].ReadyEndpoints = c.available, 1, 1
		stable.Components, stable.Sealed = []rollout.Component{up("web", 2)}, &rollout.Sealed{}
		o.Releases = []rollout.Release{target, stable}
		state := &o.Log.Head.State
		state.Live = append(state.Live, v1alpha1.LiveRelease{ReleaseRef: refOf(1), Sequence: 10, Recall: &v1alpha1.Recall{
			ActionName: "undo", Requester: "ann", Time: metav1.NewMicroTime(o.Now.Add(-time.Second)),
		}})
		for _, n := range []int{1, 2} {
			o.Log.Verdicts[refOf(n).Version] = rollout.Verdict{Event: v1alpha1.EventPromoted, UID: refOf(n).UID, CreationTime: published(n).CreationTime}
			o.Log.Promotions[refOf(n).Version] = rollout.Promotion{ReleaseName: refOf(n).Name, UID: refOf(n).UID, Sequence: int64(n)}
		}
		verified(&o)
		var got v1alpha1.RecordEvent
		e := rollout.Compute(o).Append
		if e != nil {
			got = e.Event
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if e != nil && (e.Actor != "ann" || e.ActionName != "undo") {
			t.Errorf("asked for by %s in %s", e.Actor, e.ActionName)
		}
	}
}

// TestActorIsWhoAsked: what people ask for is recorded in their name, what nobody asked
// for in the operator's own.
func TestActorIsWhoAsked(t *testing.T) {
	o := observed(1, 2, 20)
	o.Releases = []rollout.Release{published(1), published(2)}
	o.Releases = append(o.Releases, published(3))
	if e := rollout.Compute(o).Append; e == nil || e.Event != v1alpha1.EventSuperseded || e.Actor != world.Actor {
		t.Errorf("%+v", e)
	}
	o.Actions = []v1alpha1.ReleaseAction{{
		ObjectMeta: metav1.ObjectMeta{Name: "stop", CreationTimestamp: metav1.NewTime(world.Start)},
		Spec:       v1alpha1.ReleaseActionSpec{Action: v1alpha1.ActionAbort, ReleaseName: "shop-2", Attempt: ptr(int32(2)), Requester: "ann", Reason: "because"},
	}}
	if e := rollout.Compute(o).Append; e == nil || e.Event != v1alpha1.EventAborted || e.Actor != "ann" || e.ActionName != "stop" {
		t.Errorf("%+v", e)
	}
}

// TestDeadBaselineIsConfirmed: steps are left out for a baseline that is dead on live
// reads, not for one that a cache does not show.
func TestDeadBaselineIsConfirmed(t *testing.T) {
	for _, dead := range []bool{false, true} {
		o := candidateAt(t, 20)
		for i := range o.Releases {
			if dead && o.Releases[i].Name == "shop-1" {
				o.Releases[i].Components[0].ReadyEndpoints = 0
			}
		}
		if e := rollout.Compute(o).Append; e == nil || e.Event != v1alpha1.EventWeightSet || e.Confirm != dead {
			t.Errorf("dead %t: %+v", dead, e)
		}
	}
}

// TestMarkIsAsNewAsTheRelease: one that became live again is marked anew, so that a
// leader who would still lift the old mark cannot.
func TestMarkIsAsNewAsTheRelease(t *testing.T) {
	for mark, want := range map[int64]int{0: 1, 4: 1, 5: 0, 7: 0} {
		o := observed(1, 0, 0)
		stable := published(1)
		stable.Components, stable.Sealed, stable.Held = []rollout.Component{up("web", 2)}, &rollout.Sealed{}, mark
		o.Releases = []rollout.Release{stable}
		o.Log.Verdicts["1.0"] = rollout.Verdict{Event: v1alpha1.EventPromoted, UID: stable.UID, CreationTime: stable.CreationTime}
		o.Log.Head.State.Live[0].Sequence = 5
		verified(&o)
		marks := 0
		plan := rollout.Compute(o)
		for _, action := range plan.Do {
			if held, ok := action.(rollout.MarkHeld); ok && held.Release == "shop-1" {
				marks++
			}
		}
		if plan.Append != nil || marks != want {
			t.Errorf("live since record 5, mark of record %d: %+v, %+v", mark, plan.Append, plan.Do)
		}
	}
}
