package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// TestAfter: when the planner wants to be woken, though nothing changes.
func TestAfter(t *testing.T) {
	for name, c := range map[string]struct {
		tell func(*story)
		want time.Duration
	}{
		"settled, nothing to wait for": {func(s *story) { s.run() }, 0},
		"settled, a release is warm": {func(s *story) {
			s.publishAll("2")
			s.pass(9 * time.Second)
		}, 86400*time.Second - 60*time.Second - 9*time.Second},
		"pods come up: the deadline": {func(s *story) {
			s.publish("shop-2", release("2.0"), world.Script{ReadyAfter: -1})
			s.pass(100 * time.Second)
		}, 500 * time.Second},
		"something is in the way: look again": {func(s *story) {
			s.publish("shop-2", release("2.0"), world.Script{Obstacle: &rollout.Obstacle{Gate: "Sealed"}})
			s.pass(time.Second)
		}, 10 * time.Second},
		"a selector is in the way: look again": {func(s *story) {
			s.publish("shop-2", release("2.0"), world.Script{ForeignSelectors: []string{"a"}})
			s.pass(time.Second)
		}, 10 * time.Second},
		"a test runs: its deadline": {func(s *story) {
			s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), world.Script{Tests: map[string]world.TestScript{"smoke": {Hangs: true}}})
			s.pass(22 * time.Second)
		}, 100 * time.Second},
		"endpoints are ready: the routers learn of them": {func(s *story) {
			s.publish("shop-2", release("2.0"), fine())
			s.pass(6 * time.Second)
		}, time.Second},
		"held: the rest of it": {func(s *story) {
			s.publish("shop-2", release("2.0"), fine())
			s.untilWeight("shop-2", 20)
			s.pass(13 * time.Second)
		}, 47 * time.Second},
		"bakes: the rest of it": {func(s *story) {
			s.publish("shop-2", release("2.0"), fine())
			s.untilWeight("shop-2", 100)
			s.pass(13 * time.Second)
		}, 47 * time.Second},
		"held, and not available: whichever is first": {func(s *story) {
			s.publish("shop-2", release("2.0"), fine())
			s.untilWeight("shop-2", 20)
			s.pass(time.Second)
			s.Break("shop-2", "")
			s.pass(30 * time.Second)
		}, 29 * time.Second},
		"held is over, and not available": {func(s *story) {
			s.publish("shop-2", release("2.0"), fine())
			s.untilWeight("shop-2", 20)
			s.pass(59 * time.Second)
			s.Break("shop-2", "")
			s.pass(30 * time.Second)
		}, 30 * time.Second},
		"not verified: the deadline": {func(s *story) {
			s.publish("shop-2", release("2.0"), fine())
			s.untilState("set", func(state v1alpha1.TrackState) bool { return weightOf(state, "shop-2") == 20 })
			s.RouterDelay = time.Hour
			s.pass(10 * time.Second)
		}, 590 * time.Second},
		"waits for an approval": {func(s *story) {
			approval(20)(&s.Track.Spec)
			s.publish("shop-2", release("2.0"), fine())
			s.pass(time.Hour)
		}, 0},
		"an approval lapses": {func(s *story) {
			approval(50)(&s.Track.Spec)
			paused(&s.Track.Spec)
			s.Track.Approvals.Valid = 10 * time.Minute
			s.publish("shop-2", release("2.0"), fine())
			s.pass(time.Hour)
			s.ask(v1alpha1.ActionApprove, "shop-2", attempt(1), weight(50))
			s.pass(time.Minute)
		}, 9 * time.Minute},
		"an action has its outcome: until it goes": {func(s *story) {
			s.Track.Spec.Retention = &v1alpha1.RetentionSpec{ActionSeconds: ptr(int32(3600))}
			s.ask(v1alpha1.ActionAbort, "shop-1", attempt(1))
			s.pass(time.Minute)
		}, 59 * time.Minute},
		"a Rollback brings its release up: the deadline": {func(s *story) {
			warm(0, 0)(&s.Track.Spec)
			s.publishAll("2")
			s.run()
			s.Scripts["shop-1"].ReadyAfter = -1
			s.ask(v1alpha1.ActionRollback, "shop-1")
			s.pass(10 * time.Second)
		}, 590 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			s := serving(t, track(steps(20, 50)))
			c.tell(s)
			if after := rollout.Compute(s.Observe()).After; after != c.want {
				t.Errorf("after %s, want %s\n%s", after, c.want, s.transcript())
			}
		})
	}
}

// TestNothingIsDone where nothing may be: without a track, but that it holds nothing,
// while one goes, and on what is older than the world.
func TestNothingIsDone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*rollout.Observation)
		stale  bool
		reason string
		does   []rollout.Action
	}{
		"no track": {change: func(o *rollout.Observation) { o.Track = nil },
			does: []rollout.Action{rollout.LiftMark{Release: "shop-1"}, rollout.LiftMark{Release: "shop-2"}}},
		"a track that goes":  {change: func(o *rollout.Observation) { o.Track.Deleting = true }},
		"an older log":       {change: func(o *rollout.Observation) { o.Log.Head.Sequence = 3 }, stale: true},
		"a newer Deployment": {change: func(o *rollout.Observation) { o.Releases[1].Components[0].Sequence = 1000 }, stale: true},
		"no log":             {change: func(o *rollout.Observation) { o.Log = rollout.Log{} }, stale: true, reason: "LogMissing"},
	} {
		t.Run(name, func(t *testing.T) {
			o := candidateAt(t, 20)
			c.change(&o)
			plan := rollout.Compute(o)
			if plan.Append != nil || !slices.Equal(plan.Do, c.does) {
				t.Errorf("does %+v %+v", plan.Append, plan.Do)
			}
			if plan.Stale != c.stale {
				t.Errorf("stale: %t", plan.Stale)
			}
			if got := plan.Stalled; c.reason != "" && (got == nil || got.Reason != c.reason) {
				t.Errorf("stalled: %+v, want %s", got, c.reason)
			}
		})
	}
}

// TestFullRoute: a route lists no more than a router takes; what only drains is left
// out first.
func TestFullRoute(t *testing.T) {
	o := candidateAt(t, 20)
	drained := o.Now
	o.Log.Head.State.Routes[0].VerifiedTime = ptr(metav1.NewMicroTime(o.Now)) // held for now
	for i := range 20 {
		r := o.Releases[1]
		r.Name, r.UID = fmt.Sprintf("drained-%d", i), types.UID(fmt.Sprintf("drained-%d", i))
		o.Releases = append(o.Releases, r)
		zero := metav1.NewMicroTime(drained)
		o.Log.Head.State.Live = append(o.Log.Head.State.Live, v1alpha1.LiveRelease{
			ReleaseRef: v1alpha1.ReleaseRef{Name: r.Name, UID: r.UID, Version: r.Name}, ZeroTime: &zero,
		})
	}
	for _, action := range rollout.Compute(o).Do {
		write, ok := action.(rollout.WriteRoute)
		if !ok {
			continue
		}
		listed := map[string]bool{}
		for _, w := range write.Weights {
			listed[w.ReleaseName] = true
		}
		if len(write.Weights) != 16 || !listed["shop-1"] || !listed["shop-2"] || !listed["drained-19"] || listed["drained-0"] {
			t.Errorf("lists %+v", write.Weights)
		}
		return
	}
	t.Errorf("the route is not written: %+v", rollout.Compute(o).Append)
}

// TestFailures: which of the rules ends an attempt, and the words for it.
func TestFailures(t *testing.T) {
	hour := func(o *rollout.Observation) { o.Now = o.Now.Add(time.Hour) }
	for name, c := range map[string]struct {
		at     int32
		change func(*rollout.Observation, *rollout.Release)
		want   string
	}{
		"unavailable, since the first component was": {20, func(o *rollout.Observation, r *rollout.Release) {
			spec := r.Spec.DeepCopy()
			spec.Components = append(spec.Components, component("api", 1))
			r.Spec = spec
			r.Components[0].Available, r.Components[0].AvailableReplicas, r.Components[0].AvailableChange = false, 0, o.Now.Add(-61*time.Second)
			r.Components = append(r.Components, r.Components[0])
			r.Components[1].Name, r.Components[1].AvailableChange = "api", o.Now.Add(-time.Second)
		}, "Unavailable: unavailable for 1m0s at 20 %: component web has 0 of 2 pods available"},
		"available for so long": {20, func(o *rollout.Observation, _ *rollout.Release) { hour(o) }, ""},
		"unavailable before the attempt began": {20, func(o *rollout.Observation, r *rollout.Release) {
			r.Components[0].Available, r.Components[0].AvailableChange = false, o.Now.Add(-time.Hour)
			o.Log.Head.State.Candidate.StartTime = metav1.NewMicroTime(o.Now.Add(-time.Second))
		}, ""},
		"the Deployment is gone, and comes again": {20, func(_ *rollout.Observation, r *rollout.Release) {
			r.Components[0] = rollout.Component{Name: "web"}
		}, ""},
		"the Deployment is gone, and is refused": {20, func(_ *rollout.Observation, r *rollout.Release) {
			r.Components[0] = rollout.Component{Name: "web", Service: rollout.Ours}
			r.Obstacle = &rollout.Obstacle{Gate: "ChildrenAccepted", Reason: "ChildRefused", Message: "quota exceeded"}
		}, "ChildRefused: what served is gone and cannot be made again: quota exceeded"},
		"the Deployment is gone, and its name is somebody's": {20, func(_ *rollout.Observation, r *rollout.Release) {
			r.Components[0].Deployment = rollout.Foreign
		}, "NameTaken: what served is gone and cannot be made again: Deployment shop-2-web is not of this release and is left alone: remove it, or publish the release under another name"},
		"a selector in the way, past the deadline": {0, func(o *rollout.Observation, r *rollout.Release) {
			hour(o)
			r.Components[0].ForeignSelectors = []string{"legacy"}
		}, "ForeignSelector: not ready within 10m0s: Service legacy selects the pods of component web, which would get traffic past the gates: change that Service's selector, or the labels in the template"},
		"an approval may take its time, pods are there": {0, func(o *rollout.Observation, _ *rollout.Release) {
			hour(o)
			approval(20)(&o.Track.Spec)
			o.Routes[0].Verified = false
		}, ""},
		"never confirmed": {20, func(o *rollout.Observation, _ *rollout.Release) {
			hour(o)
			o.Log.Head.State.Routes[0].VerifiedTime = nil
			o.Routes[0].Verified, o.Routes[0].Reason, o.Routes[0].Message = false, "RouteNotReported", "silence"
		}, "RouteNotReported: 20 % not confirmed within 10m0s: silence"},
		"confirmed late, and not recorded yet": {20, func(o *rollout.Observation, _ *rollout.Release) {
			hour(o)
			o.Log.Head.State.Routes[0].VerifiedTime = nil
		}, ""},
		"confirmed once, and silent since": {20, func(o *rollout.Observation, _ *rollout.Release) {
			hour(o)
			o.Routes[0].Verified = false
		}, ""},
		"a test cannot be started": {20, func(o *rollout.Observation, r *rollout.Release) {
			hour(o)
			o.Log.Head.State.Tests, r.Jobs = o.Log.Head.State.Tests[:1], nil
			r.Components[0].AvailableReplicas = 1
		}, "PodsNotAvailable: a test at 20 % has not started within 10m0s: component web has 1 of 2 pods available"},
		"a test before the pods has not started": {0, func(o *rollout.Observation, r *rollout.Release) {
			hour(o)
			spec := r.Spec.DeepCopy()
			tested("migrate", v1alpha1.BeforePods)(spec)
			r.Spec = spec
		}, "TestNotRun: not ready within 10m0s: test migrate has not started"},
		"a test before the pods runs: it has a deadline of its own": {0, func(o *rollout.Observation, r *rollout.Release) {
			hour(o)
			spec := r.Spec.DeepCopy()
			tested("migrate", v1alpha1.BeforePods)(spec)
			spec.Tests[2].DeadlineSeconds = ptr(int32(86400))
			r.Spec = spec
			start := metav1.NewMicroTime(o.Now.Add(-time.Hour))
			o.Log.Head.State.Tests = append(o.Log.Head.State.Tests, v1alpha1.TestResult{Name: "migrate", JobUID: "job", Outcome: v1alpha1.TestRunning, StartTime: start})
			r.Jobs = append(r.Jobs, rollout.Job{Name: "shop-2-migrate-1", UID: "job", Test: "migrate", Attempt: 1, Presence: rollout.Ours, CreationTime: start.Time})
		}, ""},
		"paused may take its time, pods are there": {0, func(o *rollout.Observation, _ *rollout.Release) {
			hour(o)
			paused(&o.Track.Spec)
			o.Routes[0].Verified = false
		}, ""},
		"a failure with weight is held": {20, func(o *rollout.Observation, r *rollout.Release) {
			hour(o)
			holdFailures(&o.Track.Spec)
			r.Components[0].Available, r.Components[0].AvailableReplicas = false, 0
		}, ""},
		"a failure without weight is not held": {0, func(o *rollout.Observation, _ *rollout.Release) {
			holdFailures(&o.Track.Spec)
			o.Log.Head.State.Tests[0].Outcome, o.Log.Head.State.Tests[0].Message = v1alpha1.TestFailed, "exit code 1"
		}, "TestFailed: test smoke failed: exit code 1"},
		"a test failed": {20, func(o *rollout.Observation, _ *rollout.Release) {
			o.Log.Head.State.Tests[0].Outcome, o.Log.Head.State.Tests[0].Message = v1alpha1.TestFailed, "exit code 1"
		}, "TestFailed: test smoke failed: exit code 1"},
	} {
		t.Run(name, func(t *testing.T) {
			o := candidateAt(t, c.at)
			c.change(&o, candidate(&o))
			e := rollout.Compute(o).Append
			got := ""
			if e != nil && e.Event == v1alpha1.EventFailed {
				got = e.Reason + ": " + e.Message
				if !e.Confirm {
					t.Errorf("a failure is decided again on live reads")
				}
				if w := weightOf(e.State, "shop-1"); w != 100 {
					t.Errorf("shop-1 gets %d", w)
				}
			}
			if got != c.want {
				t.Errorf("%q\nwant %q", got, c.want)
			}
		})
	}
}

// TestOutcomes: what comes of a test by what is seen of its Job.
func TestOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		change func(o *rollout.Observation, r *rollout.Release)
		want   string
	}{
		"runs":      {func(*rollout.Observation, *rollout.Release) {}, ""},
		"succeeded": {func(_ *rollout.Observation, r *rollout.Release) { r.Jobs[0].Succeeded = true }, "JobSucceeded Passed "},
		"succeeded after the end": {func(o *rollout.Observation, r *rollout.Release) {
			o.Now = o.Now.Add(time.Hour)
			r.Jobs[0].Succeeded = true
		}, "JobSucceeded Passed "},
		"failed": {func(_ *rollout.Observation, r *rollout.Release) { r.Jobs[0].Failed = true }, "JobFailed Failed Job shop-2-smoke-1 failed"},
		"failed, in its words": {func(_ *rollout.Observation, r *rollout.Release) {
			r.Jobs[0].Failed, r.Jobs[0].Message = true, "exit code 3"
		}, "JobFailed Failed exit code 3"},
		"too long": {func(o *rollout.Observation, _ *rollout.Release) { o.Now = o.Now.Add(time.Hour) }, "DeadlineExceeded Failed not finished within 2m0s"},
		"too long, in its words": {func(o *rollout.Observation, r *rollout.Release) {
			o.Now = o.Now.Add(time.Hour)
			r.Jobs[0].Message = "ImagePullBackOff"
		}, "DeadlineExceeded Failed not finished within 2m0s: ImagePullBackOff"},
		"gone": {func(_ *rollout.Observation, r *rollout.Release) { r.Jobs = nil }, "JobVanished Failed Job shop-2-smoke-1 was deleted before it finished"},
		"of somebody else": {func(_ *rollout.Observation, r *rollout.Release) {
			r.Jobs[0].Presence, r.Jobs[0].Succeeded = rollout.Foreign, true
		}, "JobReplaced Failed Job shop-2-smoke-1 is not the one that was started"},
		"another one": {func(_ *rollout.Observation, r *rollout.Release) { r.Jobs[0].UID, r.Jobs[0].Succeeded = "other", true }, "JobReplaced Failed Job shop-2-smoke-1 is not the one that was started"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serving(t, track())
			s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), world.Script{Tests: map[string]world.TestScript{"smoke": {Hangs: true}}})
			s.untilState("started", func(state v1alpha1.TrackState) bool { return len(state.Tests) == 1 })
			o := clone(s.Observe())
			c.change(&o, candidate(&o))
			got := ""
			if e := rollout.Compute(o).Append; e != nil && e.Event == v1alpha1.EventTestFinished {
				result := e.Release.Test
				got = strings.Join([]string{e.Reason, string(result.Outcome), result.Message}, " ")
				if e.Confirm != (result.Outcome == v1alpha1.TestFailed) {
					t.Errorf("confirm: %t", e.Confirm)
				}
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
