package rollout_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// candidateAt is what is observed of a healthy candidate shop-2 that has a weight,
// verified, and every test of it passed: it is about to take the next step.
func candidateAt(t *testing.T, percent int32) rollout.Observation {
	t.Helper()
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic), tested("probe", v1alpha1.EveryStep)), fine())
	for range 500 {
		s.planner.Sync()
		plan := s.planner.Think(false)
		if e := plan.Append; e != nil && s.Head().Candidate != nil && weightOf(s.Head(), "shop-2") == percent &&
			(e.Reason == "GatesHold" && (e.Event == v1alpha1.EventWeightSet || e.Event == v1alpha1.EventPromoted)) {
			return clone(s.Observe())
		}
		if !s.once() {
			next, _ := s.nextMoment()
			s.Now = next
		}
	}
	t.Fatalf("never about to leave %d\n%s", percent, s.transcript())
	return rollout.Observation{}
}

func weightOf(state v1alpha1.TrackState, name string) int32 {
	for _, w := range state.Routes[0].Weights {
		if w.ReleaseName == name {
			return w.WeightPercent
		}
	}
	return 0
}

func candidate(o *rollout.Observation) *rollout.Release {
	for i := range o.Releases {
		if o.Releases[i].Name == "shop-2" {
			return &o.Releases[i]
		}
	}
	return nil
}

func TestGates(t *testing.T) {
	type change func(o *rollout.Observation, r *rollout.Release)
	obstacle := func(gate, reason string) change {
		return func(_ *rollout.Observation, r *rollout.Release) {
			r.Obstacle = &rollout.Obstacle{Gate: gate, Reason: reason, Message: "in words"}
		}
	}
	web := func(change func(*rollout.Component)) change {
		return func(_ *rollout.Observation, r *rollout.Release) { change(&r.Components[0]) }
	}
	route := func(change func(*rollout.Route)) change {
		return func(o *rollout.Observation, _ *rollout.Release) { change(&o.Routes[0]) }
	}
	state := func(change func(*v1alpha1.TrackState)) change {
		return func(o *rollout.Observation, _ *rollout.Release) { change(&o.Log.Head.State) }
	}
	const waiting = "component web has 1 of 2 pods available"
	for name, c := range map[string]struct {
		at     int32
		change change
		want   v1alpha1.BlockedBy
	}{
		"not sealed": {0, func(_ *rollout.Observation, r *rollout.Release) { r.Sealed = nil },
			v1alpha1.BlockedBy{Gate: "Sealed", Reason: "Sealing", Message: "freezing the configuration of shop-2"}},
		"cannot be sealed": {0, func(o *rollout.Observation, r *rollout.Release) {
			r.Sealed = nil
			obstacle("Sealed", "ConfigMissing")(o, r)
		},
			v1alpha1.BlockedBy{Gate: "Sealed", Reason: "ConfigMissing", Message: "in words"}},
		"not promoted elsewhere": {0, func(o *rollout.Observation, _ *rollout.Release) {
			o.Track.Spec.Requires = []v1alpha1.RequiredTrack{staging}
		},
			v1alpha1.BlockedBy{Gate: "RequiredTracksPromoted", Reason: "RequiredTrackUnread", Message: "the log of track staging/shop is about to be read"}},
		"name taken, as observed": {0, obstacle("NamesFree", "NameTaken"),
			v1alpha1.BlockedBy{Gate: "NamesFree", Reason: "NameTaken", Message: "in words"}},
		"Service of somebody else": {0, web(func(c *rollout.Component) { c.Service = rollout.Foreign }),
			v1alpha1.BlockedBy{Gate: "NamesFree", Reason: "NameTaken", Message: "Service shop-2-web is not of this release and is left alone: remove it, or publish the release under another name"}},
		"Deployment of somebody else": {0, web(func(c *rollout.Component) { c.Deployment = rollout.Foreign }),
			v1alpha1.BlockedBy{Gate: "NamesFree", Reason: "NameTaken", Message: "Deployment shop-2-web is not of this release and is left alone: remove it, or publish the release under another name"}},
		"Job of somebody else": {0, func(_ *rollout.Observation, r *rollout.Release) { r.Jobs[0].Presence = rollout.Foreign },
			v1alpha1.BlockedBy{Gate: "NamesFree", Reason: "NameTaken", Message: "Job shop-2-smoke-1 is not of this release and is left alone: remove it, or publish the release under another name"}},
		"route of somebody else": {0, route(func(r *rollout.Route) { r.Presence = rollout.Foreign }),
			v1alpha1.BlockedBy{Gate: "RoutesFree", Reason: "RouteConflict", Message: "the object for route public belongs to somebody else and is left alone: remove it, or change the route"}},
		"route of which something is dropped": {20, route(func(r *rollout.Route) { r.Unkept = "the cluster drops it" }),
			v1alpha1.BlockedBy{Gate: "RoutesFree", Reason: "SessionPersistenceMissing", Message: "the cluster drops it"}},
		"route in conflict": {20, route(func(r *rollout.Route) { r.Reason, r.Message = "RouteConflict", "track a has the host" }),
			v1alpha1.BlockedBy{Gate: "RoutesFree", Reason: "RouteConflict", Message: "track a has the host"}},
		"no such port": {0, func(_ *rollout.Observation, r *rollout.Release) {
			spec := r.Spec.DeepCopy()
			spec.Components[0].Ports = nil
			r.Spec = spec
		},
			v1alpha1.BlockedBy{Gate: "BackendsExist", Reason: "BackendMissing", Message: "route public goes to port http of component web, which shop-2 does not have: publish a release that has it, or change the route"}},
		"selected by another Service": {0, web(func(c *rollout.Component) { c.ForeignSelectors = []string{"a", "b"} }),
			v1alpha1.BlockedBy{Gate: "NoForeignSelector", Reason: "ForeignSelector", Message: "Service a, b selects the pods of component web, which would get traffic past the gates: change that Service's selector, or the labels in the template"}},
		"no Deployments": {0, func(_ *rollout.Observation, r *rollout.Release) { r.Components = nil },
			v1alpha1.BlockedBy{Gate: "PodsAvailable", Reason: "PodsNotAvailable", Message: "the Deployments are not there yet"}},
		"a pod is missing": {0, web(func(c *rollout.Component) { c.AvailableReplicas = 1 }),
			v1alpha1.BlockedBy{Gate: "PodsAvailable", Reason: "PodsNotAvailable", Message: waiting}},
		"not available": {20, web(func(c *rollout.Component) { c.Available, c.AvailableReplicas, c.Trouble = false, 1, "CrashLoopBackOff" }),
			v1alpha1.BlockedBy{Gate: "PodsAvailable", Reason: "PodsNotAvailable", Message: waiting + ": CrashLoopBackOff"}},
		"not marked": {0, web(func(c *rollout.Component) { c.Sequence = 1 }),
			v1alpha1.BlockedBy{Gate: "PodsAvailable", Reason: "PodsNotAvailable", Message: "component web has 2 of 2 pods available, and its Deployment is about to be brought up to date"}},
		"scaled": {0, web(func(c *rollout.Component) { c.Replicas = 3 }),
			v1alpha1.BlockedBy{Gate: "PodsAvailable", Reason: "PodsNotAvailable", Message: "component web has 2 of 2 pods available, and its Deployment is about to be brought up to date"}},
		"no endpoints": {0, web(func(c *rollout.Component) { c.ReadyEndpoints = 1 }),
			v1alpha1.BlockedBy{Gate: "EndpointsReady", Reason: "EndpointsNotReady", Message: "Service shop-2-web has 1 of 2 ready endpoints"}},
		"endpoints of a moment ago": {0, func(o *rollout.Observation, r *rollout.Release) {
			r.Components[0].AvailableChange = o.Now.Add(-time.Second)
		},
			v1alpha1.BlockedBy{Gate: "EndpointsReady", Reason: "EndpointsSettling", Message: "all endpoints are ready; the routers get 2s to learn of them"}},
		"no Service": {0, web(func(c *rollout.Component) { c.Service = rollout.Missing }),
			v1alpha1.BlockedBy{Gate: "EndpointsReady", Reason: "EndpointsNotReady", Message: "Service shop-2-web is not there yet"}},
		"route lost": {20, route(func(r *rollout.Route) { *r = rollout.Route{Name: r.Name, Type: r.Type} }),
			v1alpha1.BlockedBy{Gate: "RouteVerified", Reason: "RouteMissing", Message: "route public is not there yet"}},
		"route not observed": {20, func(o *rollout.Observation, _ *rollout.Release) { o.Routes = nil },
			v1alpha1.BlockedBy{Gate: "RouteVerified", Reason: "RouteMissing", Message: "route public is not there yet"}},
		"route changed by hand": {20, route(func(r *rollout.Route) { r.Weights[1].WeightPercent = 90 }),
			v1alpha1.BlockedBy{Gate: "RouteVerified", Reason: "RouteNotWritten", Message: "route public does not carry yet what the newest record says"}},
		"route of an older stamp": {20, route(func(r *rollout.Route) { r.Sequence = 1 }),
			v1alpha1.BlockedBy{Gate: "RouteVerified", Reason: "RouteNotWritten", Message: "route public does not carry yet what the newest record says"}},
		"router silent": {20, route(func(r *rollout.Route) { r.Verified = false }),
			v1alpha1.BlockedBy{Gate: "RouteVerified", Reason: "RouteNotVerified", Message: "the router has not confirmed route public"}},
		"router refuses": {20, route(func(r *rollout.Route) {
			r.Verified, r.Reason, r.Message = false, "RouteNotAccepted", "no such listener"
		}),
			v1alpha1.BlockedBy{Gate: "RouteVerified", Reason: "RouteNotAccepted", Message: "no such listener"}},
		"backend not known to the router": {0, route(func(r *rollout.Route) { r.Weights = r.Weights[:1] }),
			v1alpha1.BlockedBy{Gate: "RouteVerified", Reason: "BackendNotListed", Message: "route public does not list the release as a backend yet"}},
		"verified, and not recorded": {20, state(func(s *v1alpha1.TrackState) { s.Routes[0].VerifiedTime = nil }),
			v1alpha1.BlockedBy{Gate: "RouteVerified", Reason: "RouteNotVerified", Message: "the routers carry the weights; the record of it follows"}},
		"test not run": {0, func(o *rollout.Observation, r *rollout.Release) { o.Log.Head.State.Tests, r.Jobs = nil, nil },
			v1alpha1.BlockedBy{Gate: "TestsPassed", Reason: "TestNotRun", Message: "test smoke has not started"}},
		"test runs": {20, func(o *rollout.Observation, r *rollout.Release) {
			o.Log.Head.State.Tests[1].Outcome = v1alpha1.TestRunning
			r.Jobs[0].Succeeded, r.Jobs[1].Succeeded = false, false
			r.Jobs[0].Message, r.Jobs[1].Message = "ContainerCreating", "ContainerCreating"
		}, v1alpha1.BlockedBy{Gate: "TestsPassed", Reason: "TestRunning", Message: "test probe at 20 % runs as Job shop-2-probe-1-20: ContainerCreating"}},
		"test failed": {20, state(func(s *v1alpha1.TrackState) {
			s.Tests[1].Outcome, s.Tests[1].Message = v1alpha1.TestFailed, "exit code 1"
		}),
			v1alpha1.BlockedBy{Gate: "TestsPassed", Reason: "TestFailed", Message: "test probe at 20 % failed: exit code 1"}},
		"held": {20, func(o *rollout.Observation, _ *rollout.Release) { o.Now = o.Now.Add(-time.Second) },
			v1alpha1.BlockedBy{Gate: "HoldOver", Reason: "Holding", Message: "at 20 %, held until 2026-01-01T00:02:26Z"}},
		"bakes": {100, func(o *rollout.Observation, _ *rollout.Release) { o.Now = o.Now.Add(-time.Second) },
			v1alpha1.BlockedBy{Gate: "HoldOver", Reason: "Baking", Message: "at 100 %, baking until 2026-01-01T00:04:28Z"}},
		"approval": {20, func(o *rollout.Observation, _ *rollout.Release) { approval(50)(&o.Track.Spec) },
			v1alpha1.BlockedBy{Gate: "Approved", Reason: "ApprovalRequired", Message: "the step to 50 % waits for a ReleaseAction Approve with releaseName shop-2, attempt 1, weightPercent 50"}},
		"a test before the pods has not passed": {0, func(_ *rollout.Observation, r *rollout.Release) {
			spec := r.Spec.DeepCopy()
			tested("migrate", v1alpha1.BeforePods)(spec)
			r.Spec = spec
		},
			v1alpha1.BlockedBy{Gate: "BeforePodsPassed", Reason: "TestNotRun", Message: "test migrate has not started"}},
		"a test after the promotion has not passed": {100, func(_ *rollout.Observation, r *rollout.Release) {
			spec := r.Spec.DeepCopy()
			tested("orders", v1alpha1.AfterPromotion)(spec)
			r.Spec = spec
		},
			v1alpha1.BlockedBy{Gate: "TestsPassed", Reason: "TestNotRun", Message: "test orders has not started"}},
		"paused": {20, func(o *rollout.Observation, _ *rollout.Release) { paused(&o.Track.Spec) },
			v1alpha1.BlockedBy{Gate: "AdvanceAllowed", Reason: "Paused", Message: "the track is paused: set spec.rollout.advancePolicy to Automatic, and the step to 50 % follows"}},
		"held by a failure": {20, func(o *rollout.Observation, _ *rollout.Release) {
			holdFailures(&o.Track.Spec)
			o.Log.Head.State.Tests[1].Outcome, o.Log.Head.State.Tests[1].Message = v1alpha1.TestFailed, "exit code 1"
		},
			v1alpha1.BlockedBy{Gate: "NotFailed", Reason: "TestFailed", Message: "shop-2 has failed and is held at 20 %: test probe at 20 % failed: exit code 1; that test does not run again in this attempt: end attempt 1 by a ReleaseAction Abort, or set spec.rollout.failurePolicy to Rollback"}},
		"rollback under way": {20, state(func(s *v1alpha1.TrackState) {
			s.Live[0].Recall = &v1alpha1.Recall{ActionName: "undo", Time: metav1.NewMicroTime(world.Start)}
			s.Live[0].Sequence = 1000
		}),
			v1alpha1.BlockedBy{Gate: "NoRollback", Reason: "RollbackUnderWay", Message: "shop-1 is brought up for action undo; no weight rises until it serves, or that is given up"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := candidateAt(t, c.at)
			if blocked := rollout.Compute(o).Blocked; blocked != nil {
				t.Fatalf("blocked before the change: %+v", *blocked)
			}
			c.change(&o, candidate(&o))
			plan := rollout.Compute(o)
			if plan.Blocked == nil || *plan.Blocked != c.want {
				t.Errorf("blocked by %+v\nwant       %+v", plan.Blocked, c.want)
			}
			if e := plan.Append; e != nil && (e.Event == v1alpha1.EventWeightSet || e.Event == v1alpha1.EventPromoted) {
				t.Errorf("blocked, and yet %s: %s", e.Event, e.Message)
			}
		})
	}
}

// TestSteps: which weight comes next.
func TestSteps(t *testing.T) {
	dead := func(o *rollout.Observation) {
		for i := range o.Releases {
			if o.Releases[i].Name == "shop-1" {
				o.Releases[i].Components[0].ReadyEndpoints = 0
			}
		}
	}
	edit := func(weights ...int32) func(*rollout.Observation) {
		return func(o *rollout.Observation) { steps(weights...)(&o.Track.Spec) }
	}
	for name, c := range map[string]struct {
		at     int32
		change func(*rollout.Observation)
		want   int32
	}{
		"the first":                     {0, nil, 20},
		"the second":                    {20, nil, 50},
		"a last 100 is implied":         {50, nil, 100},
		"a last 100 is written":         {50, edit(20, 50, 100), 100},
		"no steps":                      {0, edit(), 100},
		"a step below is passed":        {20, edit(5, 10, 30), 30},
		"the baseline is dead":          {0, dead, 100},
		"the baseline dies under way":   {20, dead, 100},
		"nothing was promoted":          {0, func(o *rollout.Observation) { o.Log.Head.State.Stable = nil }, 100},
		"the candidate was stable once": {0, func(o *rollout.Observation) { o.Log.Promotions["2.0"] = rollout.Promotion{UID: candidate(o).UID} }, 100},
		"its version was, of another":   {0, func(o *rollout.Observation) { o.Log.Promotions["2.0"] = rollout.Promotion{UID: "other"} }, 20},
		"stable once, and then it failed": {0, func(o *rollout.Observation) {
			o.Log.Promotions["2.0"] = rollout.Promotion{UID: candidate(o).UID}
			o.Log.Verdicts["2.0"] = rollout.Verdict{Event: v1alpha1.EventFailed, UID: candidate(o).UID, CreationTime: candidate(o).CreationTime}
		}, 20},
		"all or nothing": {0, func(o *rollout.Observation) { o.Track.Spec.Traffic.Routes[0].Type = v1alpha1.RouteService }, 100},
	} {
		t.Run(name, func(t *testing.T) {
			o := candidateAt(t, c.at)
			if c.change != nil {
				c.change(&o)
			}
			plan := rollout.Compute(o)
			if plan.NextWeightPercent != c.want {
				t.Errorf("next %d, want %d", plan.NextWeightPercent, c.want)
			}
			if plan.Append == nil || plan.Append.Event != v1alpha1.EventWeightSet || weightOf(plan.Append.State, "shop-2") != c.want {
				t.Errorf("appends %+v", plan.Append)
			}
		})
	}
}
