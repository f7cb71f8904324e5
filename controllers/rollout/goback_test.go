package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/world"
)

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

// routesReplacedUnderWay by one that the candidate cannot serve: people are told, and
// it goes on once that is put right.
func routesReplacedUnderWay(t *testing.T) {
	s := serving(t, track(steps(20)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("route internal instead of public", func() { routes(serviceRoute("internal", "api"))(&s.Track.Spec) })
	s.pass(24 * time.Hour)
	s.user("route public again", func() { routes(gatewayRoute("public", "web"))(&s.Track.Spec) })
	s.untilStable("shop-2")
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
