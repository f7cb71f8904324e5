package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

func capacity(component string, replicas int32) func(*v1alpha1.ReleaseTrackSpec) {
	return func(spec *v1alpha1.ReleaseTrackSpec) {
		spec.Capacity = []v1alpha1.ComponentCapacity{{ComponentName: component, Replicas: replicas}}
	}
}

func sizedPerStep(spec *v1alpha1.ReleaseTrackSpec) {
	spec.Rollout.Capacity = v1alpha1.CapacityProportional
}

// load makes an autoscaler want a size.
func (s *story) load(deployment string, size int32) {
	s.user(fmt.Sprintf("load for %d pods on %s", size, deployment), func() { s.tell("~", "%s", s.Load(deployment, size)) })
	s.pass(10 * time.Second)
}

// servingAutoscaled begins with shop-1 stable, of 2 to 10 pods, and at 6.
func servingAutoscaled(t *testing.T, spec v1alpha1.ReleaseTrackSpec) *story {
	t.Helper()
	s := newStory(t, spec)
	s.publish("shop-1", release("1.0", with(autoscaled(component("web", 2), 2, 10))), fine())
	s.run()
	s.load("shop-1-web", 6)
	s.run()
	s.user("(shop-1 serves with 6 pods; the transcript begins here)", func() { s.lines = nil })
	return s
}

// autoscaledRelease: shop-2 has the 6 pods of shop-1 before it takes weight, follows
// when shop-1 grows, and is held there until its own autoscaler knows its load.
func autoscaledRelease(t *testing.T) {
	s := servingAutoscaled(t, track(steps(20)))
	s.publish("shop-2", release("2.0", with(autoscaled(component("web", 2), 2, 10))), fine())
	s.untilWeight("shop-2", 20)
	s.load("shop-1-web", 8)
	s.load("shop-1-web", 1)
	s.untilStable("shop-2")
	s.run()
	before := s.Writes
	for _, size := range []int32{9, 3, 5} {
		s.load("shop-2-web", size)
	}
	s.run()
	if s.Writes != before {
		t.Errorf("an autoscaler that scales a settled track costs %d writes", s.Writes-before)
	}
	s.end()
}

// scaledByOthers: a size that somebody gives who may is left alone from what the author
// asked for upwards, without a write; a release that follows has its own.
func scaledByOthers(t *testing.T) {
	s := newStory(t, track(steps(20)))
	s.Track.Scaled = true
	s.publish("shop-1", release("1.0", with(component("web", 3))), fine())
	s.run()
	scale := func(deployment string, size int32) {
		s.user(fmt.Sprintf("%s is scaled to %d", deployment, size), func() { s.tell("~", "%s", s.Scale(deployment, size)) })
		s.pass(10 * time.Second)
	}
	before := s.Writes
	scale("shop-1-web", 6)
	s.run()
	if s.Writes != before {
		t.Errorf("somebody who scales a settled track costs %d writes", s.Writes-before)
	}
	scale("shop-1-web", 2)
	s.run()
	s.publish("shop-2", release("2.0", with(component("web", 3))), fine())
	s.untilWeight("shop-2", 20)
	scale("shop-2-web", 5)
	s.run()
	s.end()
}

// autoscaledAlone: of what is held at 100 with nothing to go back to, the autoscaler has
// its say again in time.
func autoscaledAlone(t *testing.T) {
	s := newStory(t, track(holdFailures))
	s.publish("shop-1", release("1.0", tested("orders", v1alpha1.AfterPromotion), with(autoscaled(component("web", 2), 2, 10))),
		plays("orders", world.TestScript{After: 20 * time.Second, Fails: true}))
	s.run()
	s.load("shop-1-web", 6)
	s.ask(v1alpha1.ActionAbort, "shop-1", attempt(1))
	s.run()
	s.publish("shop-2", release("2.0", tested("orders", v1alpha1.AfterPromotion), with(autoscaled(component("web", 2), 2, 10))),
		plays("orders", world.TestScript{After: 20 * time.Second, Fails: true}))
	s.run()
	s.end()
}

func autoscaledAborted(t *testing.T) {
	s := servingAutoscaled(t, track(steps(20)))
	s.publish("shop-2", release("2.0", with(autoscaled(component("web", 2), 2, 10))), fine())
	s.untilWeight("shop-2", 20)
	s.ask(v1alpha1.ActionAbort, "shop-2", attempt(1))
	s.run()
	s.end()
}

// autoscaledAtMost: what its author allows a release at most is enough for it, and a
// fixed size is a fixed size.
func autoscaledAtMost(t *testing.T) {
	s := servingAutoscaled(t, track(warm(0, 0)))
	s.publish("shop-2", release("2.0", with(autoscaled(component("web", 2), 1, 4))), fine())
	s.run()
	s.publish("shop-3", release("3.0", with(component("web", 3))), fine())
	s.run()
	s.publish("shop-4", release("4.0", with(autoscaled(component("web", 2), 1, 9))), fine())
	s.run()
	s.end()
}

func proportional(t *testing.T) {
	s := newStory(t, track(sizedPerStep, steps(5, 50)))
	s.publish("shop-1", release("1.0", with(component("web", 5), component("api", 2))), fine())
	s.run()
	s.user("(shop-1 serves; the transcript begins here)", func() { s.lines = nil })
	s.publish("shop-2", release("2.0", with(component("web", 5), autoscaled(component("api", 2), 2, 4))), fine())
	s.run()
	s.end()
}

// proportionalHeld: growing begins the hold of a step anew where failures are held, and
// what grew stays, or it would grow and shrink for ever.
func proportionalHeld(t *testing.T) {
	s := servingAutoscaled(t, track(steps(50), sizedPerStep, holdFailures))
	s.publish("shop-2", release("2.0", with(autoscaled(component("web", 2), 2, 10))), fine())
	s.untilStable("shop-2")
	s.run()
	s.end()
}

// proportionalNoRoom: what it has at 5 % is fine, and there is no room for more. It is
// not unavailable, and yet it ends.
func proportionalNoRoom(t *testing.T) {
	s := newStory(t, track(sizedPerStep, steps(5, 50)))
	s.publish("shop-1", release("1.0", with(component("web", 5))), fine())
	s.run()
	s.user("(shop-1 serves; the transcript begins here)", func() { s.lines = nil })
	s.publish("shop-2", release("2.0", with(component("web", 5))), fine())
	s.untilWeight("shop-2", 5)
	s.user("the cluster is full", func() { s.Scripts["shop-2"].ReadyAfter, s.Scripts["shop-2"].Trouble = -1, "Unschedulable" })
	s.run()
	s.end()
}

// capacityOverridden: at 3 a.m., for what serves and for what is warm; and taken back.
func capacityOverridden(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", with(autoscaled(component("web", 2), 1, 3))), fine())
	s.untilStable("shop-2")
	s.pass(time.Minute)
	s.user("override: 5 pods of web", func() { capacity("web", 5)(&s.Track.Spec) })
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.untilStable("shop-1")
	s.user("override: 1 pod of web", func() { capacity("web", 1)(&s.Track.Spec) })
	s.pass(time.Minute)
	s.user("no override", func() { s.Track.Spec.Capacity = nil })
	s.run()
	s.end()
}

// rollbackToSmaller: a warm release first gets the size that its successor has grown to.
func rollbackToSmaller(t *testing.T) {
	s := servingAutoscaled(t, track())
	s.publish("shop-2", release("2.0", with(autoscaled(component("web", 2), 2, 20))), fine())
	s.untilStable("shop-2")
	s.pass(time.Hour)
	s.load("shop-2-web", 14)
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// workers of shop-2 take no queue item before it is at 100; those of shop-1 none while
// it is warm.
func workers(t *testing.T) {
	s := newStory(t, track(steps(20)))
	both := with(component("web", 2), worker("queue"))
	s.publish("shop-1", release("1.0", both), fine())
	s.run()
	s.publish("shop-2", release("2.0", both), fine())
	s.untilStable("shop-2")
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// workerNeverReady: its web was fine up to 100, its workers are not.
func workerNeverReady(t *testing.T) {
	s := newStory(t, track())
	both := with(component("web", 2), worker("queue"))
	s.publish("shop-1", release("1.0", both), fine())
	s.run()
	s.publish("shop-2", release("2.0", both), fine())
	s.untilWeight("shop-2", 100)
	s.user("the workers of shop-2 crash", func() { s.Scripts["shop-2"].ReadyAfter, s.Scripts["shop-2"].Trouble = -1, "CrashLoopBackOff" })
	s.run()
	s.end()
}

func workersRollBack(t *testing.T) {
	s := newStory(t, track(func(spec *v1alpha1.ReleaseTrackSpec) { spec.Rollout.BakeSeconds = ptr(int32(600)) }))
	both := with(component("web", 2), autoscaled(worker("queue"), 2, 6))
	s.publish("shop-1", release("1.0", both), fine())
	s.run()
	s.load("shop-1-queue", 5)
	s.publish("shop-2", release("2.0", both), fine())
	s.untilWeight("shop-2", 100)
	s.pass(time.Minute)
	s.user("shop-2 crashes", func() { s.Break("shop-2", "CrashLoopBackOff") })
	s.run()
	s.end()
}

func workersWithoutRoutes(t *testing.T) {
	s := newStory(t, v1alpha1.ReleaseTrackSpec{Rollout: &v1alpha1.RolloutSpec{BakeSeconds: ptr(int32(60))}})
	s.publish("shop-1", release("1.0", with(worker("queue"))), fine())
	s.run()
	s.publish("shop-2", release("2.0", with(worker("queue"))), fine())
	s.untilState("shop-2 active", func(state v1alpha1.TrackState) bool {
		return state.Candidate != nil && state.Candidate.ActivatedTime != nil
	})
	s.pass(20 * time.Second)
	s.user("shop-2 crashes", func() { s.Break("shop-2", "CrashLoopBackOff") })
	s.run()
	s.end()
}

func autoscalerNameTaken(t *testing.T) {
	s := serving(t, track())
	s.user("somebody has the name of an autoscaler", func() {
		s.Autoscalers["shop-2-web"] = &world.Autoscaler{Name: "shop-2-web", Min: 1, Max: 2}
	})
	s.publish("shop-2", release("2.0", with(autoscaled(component("web", 2), 2, 10))), fine())
	s.run()
	s.end()
}

func routeToWaiting(t *testing.T) {
	s := serving(t, track())
	web := component("web", 2)
	web.Activation = v1alpha1.ActivationAtFullWeight
	s.publish("shop-2", release("2.0", with(web)), fine())
	s.run()
	s.end()
}

// componentsWaitForAll: what siblings call stays until the old release is drained.
func componentsWaitForAll(t *testing.T) {
	s := newStory(t, track())
	cron := component("cron", 1)
	cron.Activation = v1alpha1.ActivationAtFullWeight
	s.publish("shop-1", release("1.0", with(component("web", 2), cron)), fine())
	s.run()
	s.publish("shop-2", release("2.0", with(component("web", 2), cron)), fine())
	s.run()
	s.end()
}

// TestCapacityReady is about the size that a weight needs.
func TestCapacityReady(t *testing.T) {
	const ready = "component web has 2 of the %s traffic needs"
	grown := func(own, baseline int32) func(*rollout.Observation, *rollout.Release) {
		return func(o *rollout.Observation, r *rollout.Release) {
			spec := r.Spec.DeepCopy()
			spec.Components[0] = autoscaled(spec.Components[0], own, 8)
			r.Spec = spec
			r.Components[0].Autoscaler, r.Components[0].MinReplicas, r.Components[0].MaxReplicas = rollout.Ours, own, 8
			for i := range o.Releases {
				if o.Releases[i].Name == "shop-1" {
					o.Releases[i].Components[0].Replicas = baseline
				}
			}
		}
	}
	for name, c := range map[string]struct {
		at     int32
		change func(*rollout.Observation, *rollout.Release)
		want   string
	}{
		"as large as the baseline": {0, grown(2, 2), ""},
		"baseline is larger":       {0, grown(1, 6), fmt.Sprintf(ready, "6 pods that 20 % of the")},
		"baseline grew":            {20, grown(1, 6), fmt.Sprintf(ready, "6 pods that 50 % of the")},
		"baseline is the largest":  {0, grown(1, 30), fmt.Sprintf(ready, "8 pods that 20 % of the")},
		"own size is larger":       {0, grown(3, 2), "component web has 2 of 3 pods available"},
		"fixed beside a larger baseline": {0, func(o *rollout.Observation, r *rollout.Release) {
			grown(1, 6)(o, r)
			r.Spec.Components[0].Autoscaling = nil
		}, ""},
		"overridden": {20, func(o *rollout.Observation, _ *rollout.Release) { capacity("web", 7)(&o.Track.Spec) },
			fmt.Sprintf(ready, "7 pods that 50 % of the")},
		"overridden, no room": {20, func(o *rollout.Observation, r *rollout.Release) {
			capacity("web", 7)(&o.Track.Spec)
			r.Components[0].Trouble = "Unschedulable"
		}, fmt.Sprintf(ready, "7 pods that 50 % of the") + ": Unschedulable"},
		"sized per step": {20, func(o *rollout.Observation, _ *rollout.Release) {
			sizedPerStep(&o.Track.Spec)
			capacity("web", 10)(&o.Track.Spec)
		}, fmt.Sprintf(ready, "5 pods that 50 % of the")},
		"sized for the next step once it may be entered": {20, func(o *rollout.Observation, _ *rollout.Release) {
			sizedPerStep(&o.Track.Spec)
			capacity("web", 10)(&o.Track.Spec)
			approval(50)(&o.Track.Spec)
		}, "the step to 50 % waits for a ReleaseAction Approve with releaseName shop-2, attempt 1, weightPercent 50"},
		"largest size is remembered": {0, func(o *rollout.Observation, r *rollout.Release) {
			grown(1, 2)(o, r)
			for i := range o.Log.Head.State.Live {
				o.Log.Head.State.Live[i].Sizes = []v1alpha1.ComponentSize{{ComponentName: "web", Replicas: 4}}
			}
		}, fmt.Sprintf(ready, "4 pods that 20 % of the")},
		"autoscaler is gone": {0, func(o *rollout.Observation, r *rollout.Release) {
			grown(2, 2)(o, r)
			r.Components[0].Autoscaler = rollout.Missing
		}, "HorizontalPodAutoscaler shop-2-web does not keep component web at 2 pods yet"},
	} {
		t.Run(name, func(t *testing.T) {
			o := candidateAt(t, c.at)
			c.change(&o, candidate(&o))
			plan := rollout.Compute(o)
			message := ""
			if plan.Blocked != nil {
				message = plan.Blocked.Message
			}
			if message != c.want {
				t.Errorf("got  %q\nwant %q", message, c.want)
			}
			if c.want != "" && plan.Append != nil {
				t.Errorf("appended %+v", plan.Append)
			}
		})
	}
}
