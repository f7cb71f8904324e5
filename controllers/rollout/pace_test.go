package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// plays is a script of pods that are ready after five seconds, and of one test.
func plays(test string, script world.TestScript) world.Script {
	return world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{test: script}}
}

func policy(change func(*v1alpha1.RolloutSpec)) func(*v1alpha1.ReleaseTrackSpec) {
	return func(spec *v1alpha1.ReleaseTrackSpec) { change(spec.Rollout) }
}

var (
	holdFailures = policy(func(r *v1alpha1.RolloutSpec) { r.FailurePolicy = v1alpha1.FailureHold })
	queue        = policy(func(r *v1alpha1.RolloutSpec) { r.SupersedePolicy = v1alpha1.SupersedeQueue })
	paused       = policy(func(r *v1alpha1.RolloutSpec) { r.AdvancePolicy = v1alpha1.AdvancePaused })
	automatic    = policy(func(r *v1alpha1.RolloutSpec) { r.AdvancePolicy = v1alpha1.AdvanceAutomatic })
)

// beforePodsTakesItsTime: no pod before the migration is done; it has a deadline of
// its own, and that of the pods counts from its end.
func beforePodsTakesItsTime(t *testing.T) {
	s := serving(t, track())
	script := plays("migrate", world.TestScript{After: 15 * time.Minute})
	script.ReadyAfter = 9 * time.Minute
	spec := release("2.0", tested("migrate", v1alpha1.BeforePods), tested("smoke", v1alpha1.BeforeTraffic))
	spec.Tests[0].DeadlineSeconds = ptr(int32(1200))
	s.publish("shop-2", spec, script)
	s.run()
	s.end()
}

// beforePodsFails: what was not migrated never gets a pod.
func beforePodsFails(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("migrate", v1alpha1.BeforePods)),
		plays("migrate", world.TestScript{After: 20 * time.Second, Fails: true, Message: "exit code 1: relation orders is locked"}))
	s.run()
	s.end()
}

// beforePodsRetry: a new attempt migrates anew, although there are pods.
func beforePodsRetry(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("migrate", v1alpha1.BeforePods), tested("smoke", v1alpha1.BeforeTraffic)),
		plays("smoke", world.TestScript{After: 5 * time.Second, Fails: true, Message: "the cache was away"}))
	s.untilState("failed", func(v1alpha1.TrackState) bool { return s.Records[len(s.Records)-1].Spec.Event == v1alpha1.EventFailed })
	s.user("the cache is back", func() { s.Scripts["shop-2"].Tests = nil })
	s.ask(v1alpha1.ActionRetry, "shop-2")
	s.untilWeight("shop-2", 100)
	s.run()
	s.end()
}

// afterPromotion: the bake is over before the test is; the promotion waits for it.
func afterPromotion(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("orders", v1alpha1.AfterPromotion)), plays("orders", world.TestScript{After: 90 * time.Second}))
	s.run()
	s.end()
}

func afterPromotionFails(t *testing.T) {
	s := serving(t, track(steps(20)))
	s.publish("shop-2", release("2.0", tested("orders", v1alpha1.AfterPromotion)),
		plays("orders", world.TestScript{After: 20 * time.Second, Fails: true, Message: "exit code 1: no order in 20 s"}))
	s.run()
	s.end()
}

// afterPromotionFirstRelease: there is nothing to go back to.
func afterPromotionFirstRelease(t *testing.T) {
	s := newStory(t, track())
	s.publish("shop-1", release("1.0", tested("orders", v1alpha1.AfterPromotion)),
		plays("orders", world.TestScript{After: 20 * time.Second, Fails: true, Message: "exit code 1: no order in 20 s"}))
	s.run()
	s.end()
}

// afterPromotionWithoutRoutes: once the workers have taken over, before the promotion.
func afterPromotionWithoutRoutes(t *testing.T) {
	s := newStory(t, v1alpha1.ReleaseTrackSpec{})
	s.publish("shop-1", release("1.0", with(worker("queue")),
		tested("jobs", v1alpha1.AfterPromotion), tested("migrate", v1alpha1.BeforePods), tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.run()
	s.end()
}

func unavailableInTheBake(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 100)
	s.pass(10 * time.Second)
	s.user("shop-2 breaks, and the bake is over before failureSeconds are", func() { s.Break("shop-2", "OOMKilled") })
	s.run()
	s.end()
}

// baselineDiesUnderWay: there is nothing to spare any more. The candidate goes to 100
// in one write, past the hold and the steps, once its gates hold.
func baselineDiesUnderWay(t *testing.T) {
	s := serving(t, track(steps(20, 50), warm(0, 0)))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)), fine())
	s.untilWeight("shop-2", 20)
	s.user("shop-1 breaks", func() { s.Break("shop-1", "CrashLoopBackOff: exit code 1") })
	s.run()
	s.end()
}

// neverConfirmedAt100: a weight that no router confirms is a failure past the deadline.
func neverConfirmedAt100(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.untilState("set to 100", func(state v1alpha1.TrackState) bool { return weightOf(state, "shop-2") == 100 })
	s.user("the router stops to report", func() { s.RouterDown = true })
	s.run()
	s.user("it is back", func() { s.RouterDown = false })
	s.run()
	s.end()
}

// rollbackUnverified: a Rollback does not wait for a router, and nothing is taken away
// that the router may still send requests to.
func rollbackUnverified(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.untilStable("shop-2")
	s.lines = nil
	s.user("the router stops to report", func() { s.RouterDown = true })
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.pass(time.Hour)
	s.user("it is back", func() { s.RouterDown = false })
	s.run()
	s.end()
}

// queued: what is under way finishes first, then the newest follows; what came in
// between is passed over.
func queued(t *testing.T) {
	s := serving(t, track(steps(20), queue))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.publish("shop-3", release("3.0"), fine())
	s.pass(time.Second)
	s.publish("shop-4", release("4.0"), fine())
	s.untilWeight("shop-4", 20)
	s.user("supersedePolicy is Replace now", func() { s.Track.Spec.Rollout.SupersedePolicy = v1alpha1.SupersedeReplace })
	s.publish("shop-5", release("5.0"), fine())
	s.untilWeight("shop-5", 20)
	s.ask(v1alpha1.ActionAbort, "shop-5", attempt(1))
	s.run()
	s.end()
}

// queuedBehindAFailure: the next one need not wait for what has failed.
func queuedBehindAFailure(t *testing.T) {
	s := serving(t, track(steps(20), queue))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)), plays("probe@20", world.TestScript{After: 20 * time.Second, Fails: true, Message: "answered 500"}))
	s.untilWeight("shop-2", 20)
	s.publish("shop-3", release("3.0"), fine())
	s.untilWeight("shop-3", 20)
	s.run()
	s.end()
}

// heldUntilWell: a candidate that fails keeps its weight, and goes on once it is well.
func heldUntilWell(t *testing.T) {
	s := serving(t, track(steps(20), holdFailures))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("shop-2 breaks", func() { s.Break("shop-2", "CrashLoopBackOff: exit code 137") })
	s.pass(time.Hour)
	s.user("shop-2 is well again", func() { s.Heal("shop-2") })
	s.run()
	s.end()
}

// heldByATest: a test that failed holds the candidate until somebody decides.
func heldByATest(t *testing.T) {
	fails := plays("probe@20", world.TestScript{After: 20 * time.Second, Fails: true, Message: "answered 500"})
	s := serving(t, track(steps(20, 50), holdFailures))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)), fails)
	s.pass(time.Hour)
	s.ask(v1alpha1.ActionAbort, "shop-2", attempt(1))
	s.pass(time.Minute)
	s.publish("shop-3", release("3.0", tested("probe", v1alpha1.EveryStep)), fails)
	s.pass(time.Hour)
	s.user("failurePolicy is Rollback now", func() { s.Track.Spec.Rollout.FailurePolicy = v1alpha1.FailureRollback })
	s.run()
	s.end()
}

// heldAndReplaced: a newer release replaces what is held at 20.
func heldAndReplaced(t *testing.T) {
	s := serving(t, track(steps(20), holdFailures, warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("shop-2 breaks", func() { s.Break("shop-2", "CrashLoopBackOff: exit code 137") })
	s.pass(2 * time.Minute)
	s.publish("shop-3", release("3.0"), fine())
	s.run()
	s.end()
}

// heldAt100: a newer release waits until somebody decides.
func heldAt100(t *testing.T) {
	s := newStory(t, track(holdFailures))
	s.publish("shop-1", release("1.0", tested("orders", v1alpha1.AfterPromotion)),
		plays("orders", world.TestScript{After: 20 * time.Second, Fails: true, Message: "exit code 1: no order in 20 s"}))
	s.pass(time.Minute)
	s.publish("shop-2", release("2.0"), fine())
	s.pass(time.Hour)
	s.ask(v1alpha1.ActionAbort, "shop-1", attempt(1))
	s.run()
	s.end()
}

// pausedTrack: no weight rises, and all else goes on: pods and tests, actions, and at
// 100 the promotion.
func pausedTrack(t *testing.T) {
	s := serving(t, track(steps(20)))
	s.user("advancePolicy is Paused now", func() { paused(&s.Track.Spec) })
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.pass(time.Hour)
	s.user("advancePolicy is Automatic now", func() { automatic(&s.Track.Spec) })
	s.untilWeight("shop-2", 20)
	s.user("advancePolicy is Paused again", func() { paused(&s.Track.Spec) })
	s.pass(time.Hour)
	s.user("advancePolicy is Automatic now", func() { automatic(&s.Track.Spec) })
	s.untilWeight("shop-2", 100)
	s.user("advancePolicy is Paused again", func() { paused(&s.Track.Spec) })
	s.untilStable("shop-2")
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// pausedWithoutRoutes: the promotion is the only step that such a track has.
func pausedWithoutRoutes(t *testing.T) {
	s := newStory(t, v1alpha1.ReleaseTrackSpec{Rollout: &v1alpha1.RolloutSpec{}})
	paused(&s.Track.Spec)
	s.publish("shop-1", release("1.0", with(worker("queue"))), fine())
	s.pass(time.Hour)
	s.user("advancePolicy is Automatic now", func() { automatic(&s.Track.Spec) })
	s.run()
	s.end()
}

// skipHold ends the hold of the step that the candidate is at, and nothing else.
func skipHold(t *testing.T) {
	s := serving(t, track(steps(20, 50, 100)))
	s.Track.Spec.Rollout.Steps[2].HoldSeconds = ptr(int32(300))
	approval(50)(&s.Track.Spec)
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.ask(v1alpha1.ActionSkipHold, "shop-2", attempt(2), weight(20))
	s.ask(v1alpha1.ActionSkipHold, "shop-2", attempt(1), weight(50))
	s.ask(v1alpha1.ActionSkipHold, "shop-2", attempt(1), weight(20))
	s.ask(v1alpha1.ActionSkipHold, "shop-2", attempt(1), weight(20))
	s.pass(time.Second)
	s.ask(v1alpha1.ActionApprove, "shop-2", attempt(1), weight(50))
	s.untilWeight("shop-2", 100)
	s.ask(v1alpha1.ActionSkipHold, "shop-2", attempt(1), weight(100))
	s.ask(v1alpha1.ActionSkipHold, "shop-2", attempt(1), weight(100))
	s.run()
	s.end()
}

// TestUnpassed: which runs of tests the loop has to look for.
func TestUnpassed(t *testing.T) {
	all := func(o *rollout.Observation) {
		r := candidate(o)
		spec := r.Spec.DeepCopy()
		for _, when := range []v1alpha1.TestPhase{v1alpha1.BeforePods, v1alpha1.AfterPromotion} {
			tested(string(when), when)(spec)
		}
		r.Spec = spec
		o.Log.Head.State.Tests = nil
	}
	for name, c := range map[string]struct {
		at     int32
		change func(*rollout.Observation)
		want   string
	}{
		"before traffic": {0, nil, "smoke BeforePods(before pods) "},
		"at a step":      {20, nil, "smoke probe@20 BeforePods(before pods) "},
		"at 100":         {100, nil, "smoke probe@100 BeforePods(before pods) AfterPromotion "},
		"promoted once":  {0, func(o *rollout.Observation) { o.Log.Promotions["2.0"] = rollout.Promotion{UID: candidate(o).UID} }, ""},
		"no candidate":   {20, func(o *rollout.Observation) { o.Log.Head.State.Candidate = nil }, ""},
		"no track":       {20, func(o *rollout.Observation) { o.Track = nil }, ""},
		"some have passed": {20, func(o *rollout.Observation) {
			o.Log.Head.State.Tests = []v1alpha1.TestResult{{Name: "smoke", Outcome: v1alpha1.TestPassed}, {Name: "BeforePods", Outcome: v1alpha1.TestRunning}}
		}, "probe@20 BeforePods(before pods) "},
	} {
		t.Run(name, func(t *testing.T) {
			o := candidateAt(t, c.at)
			all(&o)
			if c.change != nil {
				c.change(&o)
			}
			if got := runsText(rollout.Ask(o).Unpassed()); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func runsText(runs []rollout.TestRun) string {
	text := ""
	for _, run := range runs {
		text += run.Test
		if run.WeightPercent != nil {
			text += fmt.Sprintf("@%d", *run.WeightPercent)
		}
		if run.BeforePods {
			text += "(before pods)"
		}
		text += " "
	}
	return text
}
