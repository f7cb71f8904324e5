package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

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

// approvalsByOthers: policies want two people, and who published it is none of them.
func approvalsByOthers(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	approval(50)(&s.Track.Spec)
	s.Track.Approvals = rollout.Approvals{Count: 2, RequesterExcluded: true}
	script := fine()
	script.RequestedBy = "ann"
	s.publish("shop-2", release("2.0"), script)
	s.run()
	approve := func(release, user string) {
		s.ask(v1alpha1.ActionApprove, release, attempt(1), weight(50), by(user))
	}
	for _, user := range []string{"ann", "bob", "bob"} {
		approve("shop-2", user)
	}
	s.run()
	s.user("policies cannot be read", func() { s.Track.Approvals.Unread = "the API server does not answer" })
	s.run()
	s.user("they ask for two again", func() { s.Track.Approvals.Unread = "" })
	approve("shop-2", "eve")
	s.untilStable("shop-2")
	s.publish("shop-3", release("3.0"), fine())
	s.run()
	for _, user := range []string{"ann", "bob", "eve"} {
		s.user("(nobody knows who published shop-3)", func() {})
		approve("shop-3", user)
		s.run()
	}
	s.end()
}

// approvalLapses: two approvals are wanted, each for half a minute. One lapses while the
// step is held, and the other while the second is waited for.
func approvalLapses(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	approval(50)(&s.Track.Spec)
	s.Track.Approvals = rollout.Approvals{Count: 2, Valid: 30 * time.Second}
	approve := func(user string) { s.ask(v1alpha1.ActionApprove, "shop-2", attempt(1), weight(50), by(user)) }
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.pass(20 * time.Second)
	approve("bob")
	s.pass(40 * time.Second)
	approve("ann")
	s.pass(20 * time.Second)
	approve("bob")
	s.untilWeight("shop-2", 50)
	s.publish("shop-3", release("3.0"), fine())
	s.user("one is enough, for half a minute still", func() { s.Track.Approvals.Count = 1 })
	s.untilWeight("shop-3", 20)
	s.ask(v1alpha1.ActionApprove, "shop-3", attempt(1), weight(50))
	s.pass(time.Hour)
	s.user("approvals may be of any age now", func() { s.Track.Approvals.Valid = 0 })
	s.run()
	s.end()
}

func by(user string) func(*v1alpha1.ReleaseActionSpec) {
	return func(a *v1alpha1.ReleaseActionSpec) { a.Requester = user }
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

// applyAnew: a user's route is as its author has it, but for the marks on it.
func applyAnew(s *story, object string) {
	given := *s.Routes[object]
	given.Weights, given.Version, given.Generation = nil, -1, given.Generation+1
	s.Routes[object] = &given
}

// routeAttached: a user's own route leads to releases while the track names it, whatever
// its author applies meanwhile, and is given back, also when the track goes.
func routeAttached(t *testing.T) {
	own := func(s *story) {
		s.user("have an HTTPRoute front of their own", func() { s.Routes["front"] = &world.RouteObject{Name: "front", Users: true} })
	}
	attached := routes(serviceRoute("internal", "web"), attachedRoute("public", "web", "front"))
	s := newStory(t, track(steps(20, 50), warm(1, 3600), routes(serviceRoute("internal", "web"))))
	own(s)
	s.publish("shop-1", release("1.0"), fine())
	s.run()
	s.user("attach to front", func() { attached(&s.Track.Spec) })
	s.run()
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("apply front anew", func() { applyAnew(s, "front") })
	s.run()
	s.user("name front no more", func() { routes(serviceRoute("internal", "web"))(&s.Track.Spec) })
	s.run()
	s.user("attach to front again", func() { attached(&s.Track.Spec) })
	s.run()
	s.user("delete the track", func() { s.TrackGone = true })
	s.run()
	s.end()
}

// routeAttachedToNobody: where the user's route is not there, or goes, nothing is made in
// its place; it is found when it comes.
func routeAttachedToNobody(t *testing.T) {
	s := newStory(t, track(steps(50), warm(0, 0), routes(serviceRoute("internal", "web"), attachedRoute("public", "web", "front"))))
	s.publish("shop-1", release("1.0"), fine())
	s.pass(30 * time.Second)
	s.user("make HTTPRoute front", func() { s.Routes["front"] = &world.RouteObject{Name: "front", Users: true} })
	s.run()
	s.user("delete it", func() { delete(s.Routes, "front") })
	s.pass(30 * time.Second)
	s.user("make it again", func() { s.Routes["front"] = &world.RouteObject{Name: "front", Users: true} })
	s.run()
	s.user("shop-1 breaks", func() { s.Break("shop-1", "CrashLoopBackOff") })
	s.user("apply front anew", func() { applyAnew(s, "front") })
	s.run()
	s.user("shop-1 is well again", func() { s.Heal("shop-1") })
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
