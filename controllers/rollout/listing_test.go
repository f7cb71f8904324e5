package rollout_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// listedFirst: Services, then the route lists them, then pods; nothing goes before the delay
// of the load balancer is over.
func listedFirst(t *testing.T) {
	s := newStory(t, track(steps(20), routes(albRoute("public", "web")), warm(0, 0)))
	s.publish("shop-1", release("1.0"), fine())
	s.untilStable("shop-1")
	s.publish("shop-2", release("2.0", tested("migrate", v1alpha1.BeforePods)), fine())
	s.run()
	s.end()
}

// listedFirstRollback: to one that has no pods any more, and to one that is warm.
func listedFirstRollback(t *testing.T) {
	s := serving(t, track(routes(albRoute("public", "web")), warm(1, 86400)))
	s.publishAll("2", "3")
	s.run()
	s.lines = nil
	s.ask(v1alpha1.ActionRollback, "shop-2")
	s.pass(time.Minute)
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// listedFirstSticky: while clients stay with what they met, nobody without weight is listed;
// who is gone back to is listed before it has weight.
func listedFirstSticky(t *testing.T) {
	route := albRoute("public", "web")
	route.Ingress.StickinessSeconds = ptr(int32(600))
	backToWhatIsNotListed(t, route)
}

// boundClients: while clients of an HTTPRoute stay with what they met, nobody without weight
// is listed; at 100, and after a rollback, all are again.
func boundClients(t *testing.T) { backToWhatIsNotListed(t, bound(gatewayRoute("public", "web"))) }

// backToWhatIsNotListed: a rollback in the midst of a rollout, to the release before the
// baseline.
func backToWhatIsNotListed(t *testing.T, route v1alpha1.Route) {
	s := serving(t, track(steps(20), routes(route), warm(1, 86400)))
	s.publishAll("2")
	s.publish("shop-3", release("3.0"), fine())
	s.untilWeight("shop-3", 20)
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// boundClientsUnkept: where the cluster drops what binds clients, the track says so, what
// serves serves on, and is put back where it is lost; a candidate waits, until it is kept.
func boundClientsUnkept(t *testing.T) {
	s := serving(t, track(steps(20), routes(gatewayRoute("public", "web"))))
	s.user("clients are to be bound, and the cluster drops that", func() {
		s.NoSessions = true
		routes(bound(gatewayRoute("public", "web")))(&s.Track.Spec)
	})
	s.pass(time.Minute)
	s.publish("shop-2", release("2.0"), fine())
	s.pass(time.Minute)
	s.user("the route object is deleted", func() { delete(s.Routes, "shop-public") })
	s.pass(time.Minute)
	s.user("the cluster keeps it", func() { s.NoSessions = false })
	s.run()
	s.end()
}

// boundClientsLost: what the cluster drops while a candidate has weight keeps it there.
func boundClientsLost(t *testing.T) {
	s := serving(t, track(steps(20, 50), routes(bound(gatewayRoute("public", "web")))))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("the cluster drops what binds clients", func() { s.NoSessions = true })
	s.pass(20 * time.Minute)
	s.ask(v1alpha1.ActionAbort, "shop-2", attempt(1))
	s.pass(time.Minute)
	s.user("the cookie is taken out", func() { routes(gatewayRoute("public", "web"))(&s.Track.Spec) })
	s.run()
	s.end()
}

func bound(route v1alpha1.Route) v1alpha1.Route {
	route.GatewayAPI.StickyCookieName = "shop"
	return route
}

// listedFirstDeadBaseline: with a baseline that is gone nobody can be listed beside it, and
// nothing waits for that.
func listedFirstDeadBaseline(t *testing.T) {
	s := serving(t, track(routes(albRoute("public", "web"))))
	s.user("shop-1 is deleted, with all that it owns", func() { delete(s.Releases, "shop-1") })
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.end()
}

// listedFirstNever: a router that never takes it over fails the candidate, without a pod.
func listedFirstNever(t *testing.T) {
	s := serving(t, track(routes(albRoute("public", "web"))))
	s.user("the router is down", func() { s.RouterDown = true })
	s.publish("shop-2", release("2.0"), fine())
	s.pass(20 * time.Minute)
	s.user("it is back", func() { s.RouterDown = false })
	s.run()
	s.end()
}

// noReadinessGates: pods without gates get no weight.
func noReadinessGates(t *testing.T) {
	s := serving(t, track(routes(albRoute("public", "web"))))
	s.user("nobody gives pods readiness gates", func() { s.NoGates = true })
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.end()
}

// The drain is no shorter than the delay of a load balancer, and as long as the track says.
func TestDrainHonoursTheLoadBalancer(t *testing.T) {
	for _, c := range []struct {
		drain, delay *int32
		want         time.Duration
	}{
		{nil, nil, 300 * time.Second},
		{ptr(int32(30)), ptr(int32(45)), 45 * time.Second},
		{ptr(int32(60)), ptr(int32(45)), 60 * time.Second},
		{ptr(int32(0)), ptr(int32(0)), 0},
	} {
		route := albRoute("public", "web")
		route.Ingress.DeregistrationDelaySeconds = c.delay
		s := serving(t, track(routes(route), warm(0, 0), func(spec *v1alpha1.ReleaseTrackSpec) {
			spec.Traffic.DrainSeconds, spec.Rollout.BakeSeconds = c.drain, ptr(int32(0))
		}))
		s.publish("shop-2", release("2.0"), fine())
		s.run()
		var zero, retired time.Time
		for _, r := range s.Records {
			for _, live := range r.Spec.State.Live {
				if live.Name == "shop-1" && live.ZeroTime != nil {
					zero = live.ZeroTime.Time
				}
			}
			if r.Spec.Event == v1alpha1.EventRetired {
				retired = r.Spec.Time.Time
			}
		}
		if got := retired.Sub(zero); zero.IsZero() || got < c.want || got > c.want+5*time.Second {
			t.Errorf("%+v: retired %s after it had no weight any more", c, got)
		}
	}
}

// However many releases are live, an action lists five, the candidate among them.
func TestAnActionListsFive(t *testing.T) {
	s := serving(t, track(steps(20), routes(albRoute("public", "web")), warm(8, 86400)))
	for i := 2; i <= 8; i++ {
		s.publishAll(fmt.Sprint(i))
	}
	s.publish("shop-9", release("9.0"), fine())
	s.untilWeight("shop-9", 20)
	weights := s.Observe().Routes[0].Weights
	listed := map[string]bool{}
	for _, w := range weights {
		listed[w.ReleaseName] = true
	}
	if len(weights) != 5 || !listed["shop-9"] || !listed["shop-8"] || !listed["shop-7"] {
		t.Errorf("%v", weights)
	}
}
