package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// TestLateLeader: a leader falls asleep between two writes of taking down the pods
// of a retired release, and another one carries out a Rollback to that release.
// Whenever the first wakes up, it takes nothing away that serves again.
func TestLateLeader(t *testing.T) {
	for before := range 5 {
		for after := range 20 {
			lateLeader(t, before, after)
		}
	}
}

// lateLeader falls asleep after some of its own writes, and wakes up after some of
// the other's.
func lateLeader(t *testing.T, before, after int) {
	t.Helper()
	s := serving(t, track(warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilStable("shop-2")
	late := world.NewPlanner(s.World, rollout.Compute)
	s.until("children of shop-1 may go", time.Hour, func() bool {
		late.Sync()
		return deletesChildren(late.Think(false))
	})
	act := func() {
		line, err := late.Act()
		s.tell("1", "%s", line)
		if err != nil {
			t.Errorf("asleep after %d writes, awake after %d: %v\n%s", before, after, err, s.transcript())
		}
	}
	for range before {
		act()
	}
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.planner = nil
	for range after {
		if next, ok := s.nextMoment(); !s.once() && ok {
			s.Now = next
		}
	}
	for !late.Idle() {
		act()
	}
	s.run()
	if err := s.settled(); err != nil {
		t.Error(err)
	}
}

func deletesChildren(plan rollout.Plan) bool {
	for _, action := range plan.Do {
		if _, ok := action.(rollout.DeleteChildren); ok {
			return true
		}
	}
	return false
}

// TestEveryRestart: an operator that is killed after every single write, and starts
// again with nothing but what the API server has, takes the same decisions at the
// same time as one that lives on.
func TestEveryRestart(t *testing.T) {
	end := func(restart bool) string {
		s := serving(t, track(steps(20, 50)))
		if restart {
			s.planner = nil
		}
		s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic), tested("probe", v1alpha1.EveryStep)), fine())
		s.run()
		s.lines = slices.DeleteFunc(s.lines, func(line string) bool { return !strings.Contains(line, " # ") })
		return s.transcript()
	}
	if lives, dies := end(false), end(true); lives != dies {
		t.Errorf("%s\nwith restarts:\n%s", lives, dies)
	}
}
