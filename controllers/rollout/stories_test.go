package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// stories by the name of their golden file.
var stories = map[string]func(*testing.T){
	// Going live.
	"first-release":            firstRelease,
	"steps-and-holds":          stepsAndHolds,
	"blue-green":               blueGreen,
	"components-and-routes":    componentsAndRoutes,
	"track-without-routes":     trackWithoutRoutes,
	"approval":                 approvalOfASteps,
	"approval-first-release":   approvalFirstRelease,
	"steps-edited-under-way":   stepsEdited,
	"superseded-at-20":         supersededAt20,
	"queued-while-baking":      queuedWhileBaking,
	"dead-baseline":            deadBaseline,
	"route-added-and-removed":  routeAddedAndRemoved,
	"routes-removed-under-way": routesRemovedUnderWay,
	"first-attempts-fail":      firstAttemptsFail,
	// Not going live.
	"before-traffic-test-fails":  beforeTrafficFails,
	"every-step-test-fails":      everyStepFails,
	"never-ready":                neverReady,
	"unavailable-with-weight":    unavailableWithWeight,
	"test-hangs":                 testHangs,
	"job-vanishes":               jobVanishes,
	"job-replaced":               jobReplaced,
	"router-never-verifies":      routerNeverVerifies,
	"dead-baseline-at-verdict":   deadBaselineAtVerdict,
	"baseline-dies-before-write": baselineDiesBeforeWrite,
	"route-of-somebody-else":     routeOfSomebodyElse,
	"foreign-selector":           foreignSelector,
	"name-taken":                 nameTaken,
	"obstacle":                   obstacle,
	"backend-missing":            backendMissing,
	"version-reused":             versionReused,
	"release-deleted":            releaseDeleted,
	"stable-deleted":             stableDeleted,
	// Going back.
	"abort":                   abort,
	"retry":                   retry,
	"retry-at-100":            retryAt100,
	"rollback-warm":           rollbackWarm,
	"rollback-under-way":      rollbackUnderWay,
	"rollback-to-retired":     rollbackToRetired,
	"rollback-never-comes-up": rollbackNeverComesUp,
	"rollback-to-dead-stable": rollbackToDeadStable,
	"rollback-pending":        rollbackPending,
	"rollback-cannot-serve":   rollbackCannotServe,
	"rollback-target-deleted": rollbackTargetDeleted,
	"version-comes-back":      versionComesBack,
	"rollback-before-pods-go": rollbackBeforePodsGo,
	"refused-actions":         refusedActions,
	"pin-to-older-and-back":   pinToOlderAndBack,
	"pin-to-missing":          pinToMissing,
	"pinned-was-rolled-back":  pinnedWasRolledBack,
	// Living with it.
	"drain-and-retire":     drainAndRetire,
	"warm-releases":        warmReleases,
	"children-deleted":     childrenDeleted,
	"route-object-deleted": routeObjectDeleted,
	"log-broken":           logBroken,
}

func TestStories(t *testing.T) {
	for name, tell := range stories {
		t.Run(name, tell)
	}
}

// serving is a story that begins with shop-1 stable and its routes verified.
func serving(t *testing.T, spec v1alpha1.ReleaseTrackSpec) *story {
	t.Helper()
	s := newStory(t, spec)
	s.publish("shop-1", release("1.0"), fine())
	s.run()
	if stable := s.Head().Stable; stable == nil || stable.Name != "shop-1" {
		t.Fatalf("shop-1 is not stable\n%s", s.transcript())
	}
	s.user("(shop-1 serves; the transcript begins here)", func() { s.lines = nil })
	return s
}

// publishAll publishes releases one after the other, each stable before the next.
func (s *story) publishAll(versions ...string) {
	for _, v := range versions {
		s.publish("shop-"+v, release(v+".0"), fine())
		s.untilStable("shop-" + v)
	}
}

func (s *story) untilStable(name string) {
	s.untilState(name+" stable", func(state v1alpha1.TrackState) bool {
		return state.Stable != nil && state.Stable.Name == name && state.Candidate == nil
	})
}

func (s *story) untilCandidate(name string) {
	s.untilState(name+" candidate", func(state v1alpha1.TrackState) bool {
		return state.Candidate != nil && state.Candidate.Name == name
	})
}

func firstRelease(t *testing.T) {
	s := newStory(t, track(steps(20, 50)))
	s.publish("shop-1", release("1.0", tested("smoke", v1alpha1.BeforeTraffic), tested("probe", v1alpha1.EveryStep)), fine())
	s.run()
	s.end()
}

func stepsAndHolds(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic), tested("probe", v1alpha1.EveryStep)), fine())
	s.run()
	s.end()
}

func blueGreen(t *testing.T) {
	s := serving(t, track())
	before := s.Writes
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	if writes := s.Writes - before; writes > 16 {
		t.Errorf("%d writes, at most 16 were promised", writes)
	}
	s.end()
}

func componentsAndRoutes(t *testing.T) {
	components := with(component("web", 2), component("api", 3), worker("queue"))
	s := newStory(t, track(steps(20, 50), routes(gatewayRoute("public", "web"), serviceRoute("internal", "api"))))
	s.publish("shop-1", release("1.0", components), fine())
	s.run()
	s.publish("shop-2", release("2.0", components), fine())
	s.run()
	s.end()
}

func trackWithoutRoutes(t *testing.T) {
	s := newStory(t, v1alpha1.ReleaseTrackSpec{})
	s.publish("shop-1", release("1.0", with(worker("queue"))), fine())
	s.run()
	s.publish("shop-2", release("2.0", with(worker("queue")), tested("smoke", v1alpha1.BeforeTraffic), tested("probe", v1alpha1.EveryStep)), fine())
	s.run()
	s.end()
}

func approvalOfASteps(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	approval(50)(&s.Track.Spec)
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.ask(v1alpha1.ActionApprove, "shop-2", attempt(1), weight(20))
	s.ask(v1alpha1.ActionApprove, "shop-2", attempt(1), weight(50))
	s.ask(v1alpha1.ActionApprove, "shop-2", attempt(1), weight(50))
	s.run()
	s.end()
}

// approvalFirstRelease: a release that goes to 100 at once enters every step on
// the way, and so needs the approvals of all of them.
func approvalFirstRelease(t *testing.T) {
	s := newStory(t, track(steps(20, 50), approval(50)))
	s.publish("shop-1", release("1.0"), fine())
	s.run()
	s.ask(v1alpha1.ActionApprove, "shop-1", attempt(1), weight(50))
	s.run()
	s.end()
}

func stepsEdited(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("steps are 10, 30, 60 now", func() { steps(10, 30, 60)(&s.Track.Spec) })
	s.untilWeight("shop-2", 30)
	s.user("no steps any more", func() { steps()(&s.Track.Spec) })
	s.run()
	s.end()
}

func supersededAt20(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.publish("shop-3", release("3.0"), fine())
	s.run()
	s.end()
}

func queuedWhileBaking(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 100)
	s.pass(10 * time.Second)
	s.publish("shop-3", release("3.0"), fine())
	s.pass(time.Second)
	s.publish("shop-4", release("4.0"), fine())
	s.run()
	s.end()
}

func deadBaseline(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.user("shop-1 breaks", func() { s.Break("shop-1", "CrashLoopBackOff: exit code 1") })
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic), tested("probe", v1alpha1.EveryStep)), fine())
	s.run()
	s.end()
}

func routeAddedAndRemoved(t *testing.T) {
	both := with(component("web", 2), component("api", 1))
	s := newStory(t, track(warm(0, 0)))
	s.publish("shop-1", release("1.0", both), fine())
	s.run()
	s.user("add route internal, and route later to a component that no release has", func() {
		routes(gatewayRoute("public", "web"), serviceRoute("internal", "api"), gatewayRoute("later", "admin"))(&s.Track.Spec)
	})
	s.run()
	s.user("remove route public, keep its object", func() { routes(serviceRoute("internal", "api"))(&s.Track.Spec) })
	s.run()
	s.publish("shop-2", release("2.0", both), fine())
	s.run()
	s.user("delete the object of route public", func() { delete(s.Routes, "shop-public") })
	s.run()
	s.user("remove route internal: no routes are left", func() { routes()(&s.Track.Spec) })
	s.run()
	s.end()
}

func routesRemovedUnderWay(t *testing.T) {
	s := serving(t, track(steps(20, 50), warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("remove the only route, and its object", func() { routes()(&s.Track.Spec); delete(s.Routes, "shop-public") })
	s.run()
	s.end()
}

// firstAttemptsFail: before any promotion there is nothing to go back to. What
// fails at 100 stays until another can serve, and that one goes to 100 at once.
func firstAttemptsFail(t *testing.T) {
	s := newStory(t, track(steps(20, 50)))
	s.publish("shop-1", release("1.0", tested("probe", v1alpha1.EveryStep)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"probe@100": {After: 8 * time.Second, Fails: true, Message: "answered 500"}}})
	s.run()
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.end()
}

func beforeTrafficFails(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"smoke": {After: 20 * time.Second, Fails: true, Message: "exit code 1: want 200, got 500"}}})
	s.run()
	s.end()
}

func everyStepFails(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"probe@50": {After: 20 * time.Second, Fails: true, Message: "exit code 1: 7 of 300 requests failed"}}})
	s.run()
	s.end()
}

func neverReady(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), world.Script{ReadyAfter: -1, Trouble: "ImagePullBackOff: no such image"})
	s.run()
	s.end()
}

func unavailableWithWeight(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 50)
	s.pass(5 * time.Second)
	s.user("shop-2 breaks for a moment", func() { s.Break("shop-2", "CrashLoopBackOff: exit code 137") })
	s.pass(30 * time.Second)
	s.user("it is well again", func() { s.Heal("shop-2") })
	s.pass(20 * time.Second)
	s.user("and breaks for good", func() { s.Break("shop-2", "CrashLoopBackOff: exit code 137") })
	s.run()
	s.end()
}

func testHangs(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"smoke": {Hangs: true}}})
	s.run()
	s.end()
}

func jobVanishes(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.untilState("test started", func(state v1alpha1.TrackState) bool { return len(state.Tests) > 0 })
	s.user("delete its Job", func() { delete(s.Jobs, "shop-2-smoke-1") })
	s.run()
	s.end()
}

func jobReplaced(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.untilState("test started", func(state v1alpha1.TrackState) bool { return len(state.Tests) > 0 })
	s.user("replace its Job by one that has succeeded", func() {
		j := *s.Jobs["shop-2-smoke-1"]
		j.UID, j.Succeeded = "forged", true
		s.Jobs["shop-2-smoke-1"] = &j
	})
	s.run()
	s.end()
}

func routerNeverVerifies(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("the router stops to report", func() { s.RouterDown = true })
	s.pass(20 * time.Minute)
	s.user("it is back, and gone again right after the next write", func() { s.RouterDown = false })
	s.untilState("set to 50", func(state v1alpha1.TrackState) bool {
		return len(state.Routes[0].Weights) == 2 && state.Routes[0].Weights[1].WeightPercent == 50
	})
	s.user("the router stops to report", func() { s.RouterDown = true })
	s.run()
	s.user("it is back", func() { s.RouterDown = false })
	s.run()
	s.end()
}

// deadBaselineAtVerdict: the weights stay where they are, and are withdrawn once
// the baseline serves again.
func deadBaselineAtVerdict(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"probe@20": {After: 30 * time.Second, Fails: true, Message: "exit code 1"}}})
	s.untilWeight("shop-2", 20)
	s.user("shop-1 breaks", func() { s.Break("shop-1", "CrashLoopBackOff") })
	s.run()
	s.user("shop-1 is well again", func() { s.Heal("shop-1") })
	s.run()
	s.end()
}

// baselineDiesBeforeWrite: weights that wait for a dead baseline do not keep the
// next release from going live.
func baselineDiesBeforeWrite(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"probe@20": {After: 30 * time.Second, Fails: true, Message: "exit code 1"}}})
	s.untilState("failed", func(v1alpha1.TrackState) bool {
		return s.Records[len(s.Records)-1].Spec.Event == v1alpha1.EventFailed
	})
	s.user("shop-1 breaks before the weights are written", func() { s.Break("shop-1", "CrashLoopBackOff") })
	s.pass(time.Minute)
	s.publish("shop-3", release("3.0"), fine())
	s.run()
	s.end()
}

func routeOfSomebodyElse(t *testing.T) {
	s := newStory(t, track())
	s.user("somebody has an HTTPRoute shop-public", func() { s.Routes["shop-public"] = &world.RouteObject{Name: "shop-public", Foreign: true} })
	s.publish("shop-1", release("1.0"), fine())
	s.pass(5 * time.Minute)
	s.user("it is removed", func() { delete(s.Routes, "shop-public") })
	s.run()
	s.end()
}

func foreignSelector(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), world.Script{ReadyAfter: 5 * time.Second, ForeignSelectors: []string{"legacy"}})
	s.pass(time.Minute)
	s.user("the other Service selects something else now", func() { s.Scripts["shop-2"].ForeignSelectors = nil })
	s.run()
	s.end()
}

func nameTaken(t *testing.T) {
	s := serving(t, track())
	s.user("somebody has a Service shop-2-web", func() { s.Services["shop-2-web"] = &world.Service{Name: "shop-2-web"} })
	s.publish("shop-2", release("2.0"), fine())
	s.pass(time.Minute)
	s.user("it is removed", func() { delete(s.Services, "shop-2-web") })
	s.run()
	s.end()
}

func obstacle(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), world.Script{ReadyAfter: 5 * time.Second, Obstacle: &rollout.Obstacle{Gate: "Sealed", Reason: "ConfigMissing", Message: "ConfigMap shop-settings does not exist"}})
	s.pass(time.Minute)
	s.user("the ConfigMap is there now", func() { s.Scripts["shop-2"].Obstacle = nil })
	s.untilStable("shop-2")
	s.publish("shop-3", release("3.0"), world.Script{Obstacle: &rollout.Obstacle{Gate: "Sealed", Reason: "ConfigMissing", Message: "ConfigMap shop-settings does not exist"}})
	s.run()
	s.end()
}

func backendMissing(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", with(component("api", 1))), fine())
	s.run()
	s.end()
}

func versionReused(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-1b", release("1.0"), world.Script{ReadyAfter: 5 * time.Second, Content: "other"})
	s.run()
	s.pin("shop-1b")
	s.run()
	s.pin("")
	s.run()
	s.end()
}

func releaseDeleted(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("delete shop-2", func() { delete(s.Releases, "shop-2") })
	s.run()
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.ask(v1alpha1.ActionRetry, "shop-2")
	s.run()
	s.end()
}

func stableDeleted(t *testing.T) {
	s := serving(t, track())
	s.user("delete shop-1, which only the guards being off allows", func() { delete(s.Releases, "shop-1") })
	s.run()
	s.publish("shop-1", release("1.0"), fine())
	s.run()
	s.ask(v1alpha1.ActionRetry, "shop-1")
	s.run()
	s.end()
}

func abort(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.ask(v1alpha1.ActionAbort, "shop-2", attempt(2))
	s.ask(v1alpha1.ActionAbort, "shop-2", attempt(1))
	s.run()
	s.end()
}

func retry(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"smoke": {After: 5 * time.Second, Fails: true, Message: "the database was away"}}})
	s.run()
	s.user("the database is back", func() { s.Scripts["shop-2"].Tests = nil })
	s.ask(v1alpha1.ActionRetry, "shop-2")
	s.run()
	s.end()
}

// retryAt100: a first release that failed at 100 has all the weight, and bakes
// again from the start of its new attempt.
func retryAt100(t *testing.T) {
	s := newStory(t, track())
	s.publish("shop-1", release("1.0"), fine())
	s.untilWeight("shop-1", 100)
	s.user("shop-1 breaks", func() { s.Break("shop-1", "CrashLoopBackOff") })
	s.run()
	s.ask(v1alpha1.ActionRetry, "shop-1")
	s.pass(30 * time.Second)
	s.user("shop-1 is well again", func() { s.Heal("shop-1") })
	s.run()
	s.end()
}

func rollbackWarm(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilStable("shop-2")
	s.pass(10 * time.Minute)
	s.lines = nil
	before := s.Writes
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.pass(time.Second)
	if writes := s.Writes - before; writes != 3 {
		t.Errorf("%d writes, want the verdict, the route, and that it is verified\n%s", writes, s.transcript())
	}
	s.run()
	s.end()
}

// rollbackUnderWay: to stable while a candidate has weight, and to an older one.
func rollbackUnderWay(t *testing.T) {
	s := serving(t, track(steps(20, 50), warm(2, 86400)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilStable("shop-2")
	s.publish("shop-3", release("3.0"), fine())
	s.untilWeight("shop-3", 20)
	s.ask(v1alpha1.ActionRollback, "shop-3")
	s.ask(v1alpha1.ActionRollback, "shop-2")
	s.pass(time.Minute)
	s.publish("shop-4", release("4.0"), fine())
	s.untilWeight("shop-4", 50)
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

func rollbackToRetired(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publishAll("2")
	s.run()
	s.lines = nil
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

func rollbackNeverComesUp(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publishAll("2")
	s.run()
	s.lines = nil
	s.Break("shop-1", "ImagePullBackOff: the image was deleted")
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// rollbackToDeadStable: the attempt ends otherwise while stable is brought up. A
// release is never given a verdict for being gone back to.
func rollbackToDeadStable(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("shop-1 breaks", func() { s.Break("shop-1", "CrashLoopBackOff") })
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.pass(10 * time.Second)
	s.ask(v1alpha1.ActionAbort, "shop-2", attempt(1))
	s.pass(10 * time.Second)
	s.user("shop-1 is well again", func() { s.Heal("shop-1") })
	s.run()
	s.end()
}

// rollbackPending: weight does not rise while a Rollback brings its release up.
func rollbackPending(t *testing.T) {
	s := serving(t, track(steps(20, 50), warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilStable("shop-2")
	s.pass(time.Minute)
	s.Scripts["shop-1"].ReadyAfter = 3 * time.Minute
	s.publish("shop-3", release("3.0"), fine())
	s.untilWeight("shop-3", 20)
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// rollbackBeforePodsGo: the target is retired, but its pods are still there. They
// are marked before they take weight: a writer that still wants to delete them
// cannot any more.
func rollbackBeforePodsGo(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilState("shop-1 retired", func(v1alpha1.TrackState) bool {
		return s.Records[len(s.Records)-1].Spec.Event == v1alpha1.EventRetired
	})
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

func refusedActions(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	approval(50)(&s.Track.Spec)
	s.ask(v1alpha1.ActionAbort, "shop-1", attempt(1))
	s.ask(v1alpha1.ActionApprove, "shop-1", attempt(1), weight(50))
	s.ask(v1alpha1.ActionRetry, "shop-9")
	s.ask(v1alpha1.ActionRetry, "shop-1")
	s.ask(v1alpha1.ActionRollback, "shop-9")
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.ask(v1alpha1.ActionSkipHold, "shop-1", attempt(1), weight(20))
	s.run()
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.ask(v1alpha1.ActionRetry, "shop-2")
	s.ask(v1alpha1.ActionApprove, "shop-1", attempt(1), weight(50))
	s.ask(v1alpha1.ActionAbort, "shop-2", attempt(1))
	s.run()
	s.ask(v1alpha1.ActionRollback, "shop-2")
	s.publish("shop-3", release("3.0"), fine())
	s.pass(time.Minute)
	s.ask(v1alpha1.ActionAbort, "shop-3", attempt(1))
	s.ask(v1alpha1.ActionRetry, "shop-2")
	s.run()
	s.end()
}

func pinToOlderAndBack(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.untilStable("shop-2")
	s.pin("shop-1")
	s.untilStable("shop-1")
	s.pin("shop-2")
	s.untilStable("shop-2")
	s.pin("")
	s.run()
	s.end()
}

func pinToMissing(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.pin("shop-3")
	s.untilStable("shop-2")
	s.run()
	s.publish("shop-3", release("3.0"), fine())
	s.run()
	s.end()
}

func pinnedWasRolledBack(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.pin("shop-2")
	s.untilStable("shop-2")
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

func drainAndRetire(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.end()
}

func warmReleases(t *testing.T) {
	s := serving(t, track(warm(2, 3600)))
	s.publishAll("2", "3", "4")
	s.run()
	s.end()
}

func childrenDeleted(t *testing.T) {
	s := serving(t, track())
	s.user("delete Deployment and Service of shop-1", func() { delete(s.Deployments, "shop-1-web"); delete(s.Services, "shop-1-web") })
	s.run()
	s.end()
}

func routeObjectDeleted(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("delete the HTTPRoute", func() { delete(s.Routes, "shop-public") })
	s.run()
	s.end()
}

// logBroken: nothing is decided, nothing is taken away; what serves is kept up.
func logBroken(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 100)
	s.user("edit record 3, which only the guards being off allows", func() {
		s.EditRecord(3, func(spec *v1alpha1.ReleaseRecordSpec) { spec.Message = "nothing happened" })
	})
	s.pass(time.Hour)
	s.user("delete Deployment of shop-2", func() { delete(s.Deployments, "shop-2-web") })
	s.pass(time.Hour)
	golden(t, s.transcript())
}

// versionComesBack: a version may come back with the same content only.
func versionComesBack(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.untilStable("shop-2")
	s.user("delete shop-1", func() { delete(s.Releases, "shop-1") })
	s.publish("shop-1b", release("1.0"), world.Script{ReadyAfter: 5 * time.Second, Content: "other"})
	s.pin("shop-1b")
	s.run()
	s.user("delete shop-1b", func() { delete(s.Releases, "shop-1b") })
	s.publish("shop-1", release("1.0"), fine())
	s.pin("shop-1")
	s.ask(v1alpha1.ActionRetry, "shop-1")
	s.untilStable("shop-1")
	s.run()
	s.end()
}

// rollbackCannotServe: the target has no backend for a route that was added since.
func rollbackCannotServe(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", with(component("web", 2), component("api", 1))), fine())
	s.untilStable("shop-2")
	s.user("add route internal", func() { routes(gatewayRoute("public", "web"), serviceRoute("internal", "api"))(&s.Track.Spec) })
	s.pass(time.Minute)
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.pass(time.Minute)
	s.user("remove route internal", func() { routes(gatewayRoute("public", "web"))(&s.Track.Spec); delete(s.Routes, "shop-api") })
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// rollbackTargetDeleted while it is brought up; meanwhile no attempt is opened.
func rollbackTargetDeleted(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publishAll("2")
	s.run()
	s.lines = nil
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.pass(time.Second)
	s.publish("shop-3", release("3.0"), fine())
	s.ask(v1alpha1.ActionRetry, "shop-3")
	s.pass(time.Second)
	s.user("delete shop-1", func() { delete(s.Releases, "shop-1") })
	s.run()
	s.end()
}
