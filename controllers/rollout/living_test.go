package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

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

// recordsLostAndTried: what nobody remembers is known again from the first attempt on
// that somebody asked for. A pin that takes it away does not speak against it.
func recordsLostAndTried(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.user("all records are lost", s.LoseRecords)
	s.pass(time.Minute)
	s.ask(v1alpha1.ActionRetry, "shop-2")
	s.pass(8 * time.Second)
	s.pin("shop-1")
	s.pass(8 * time.Second)
	s.pin("")
	s.run()
	s.end()
}

// recordsLostAndPinned: the attempt of a pin goes on when the pin is gone.
func recordsLostAndPinned(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.user("all records are lost", s.LoseRecords)
	s.pin("shop-2")
	s.pass(3 * time.Second)
	s.pin("")
	s.run()
	s.end()
}

// cameBackUnderItsName: what routes list by name is kept, whoever has the name now.
func cameBackUnderItsName(t *testing.T) {
	s := serving(t, track(warm(0, 0), func(spec *v1alpha1.ReleaseTrackSpec) { spec.Retention.HistoryLimit = ptr(int32(0)) }))
	s.user("delete shop-1, which only the guards being off allows", func() { delete(s.Releases, "shop-1") })
	s.run()
	s.publish("shop-1", release("1.0"), fine())
	s.run()
	s.ask(v1alpha1.ActionRetry, "shop-1")
	s.run()
	s.end()
}
