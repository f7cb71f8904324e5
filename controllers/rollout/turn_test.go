package rollout_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// busy is a namespace of which the only place is free for a while, and then is not; before
// is how many tracks are said to wait. With none there is no limit at first.
func busy(before int, spell time.Duration) func(time.Time) rollout.Turn {
	return func(now time.Time) rollout.Turn {
		spells := int(now.Sub(world.Start) / spell)
		switch {
		case before == 0 && spells < 4:
			return rollout.Turn{Come: true}
		case spells%3 == 0:
			return rollout.Turn{NamespaceLimit: 1, NamespaceUnderWay: []string{"cart"}, UnderWay: 1, Before: before}
		}
		return rollout.Turn{NamespaceLimit: 1, Come: true}
	}
}

// full is a namespace without a place; free is one with one.
func full(time.Time) rollout.Turn {
	return rollout.Turn{NamespaceLimit: 3, NamespaceUnderWay: []string{"cart", "pay", "search"}, UnderWay: 3, Before: 2}
}

func free(time.Time) rollout.Turn {
	return rollout.Turn{NamespaceLimit: 3, NamespaceUnderWay: []string{"cart", "pay"}, UnderWay: 2, Come: true}
}

// waitsForItsTurn: sealed, it waits longer than any deadline, and costs neither a pod nor a
// test. What goes back, and what nobody asked for before, waits for nobody.
func waitsForItsTurn(t *testing.T) {
	s := serving(t, track(warm(1, 86400)))
	s.user("three other rollouts are under way, and there may be three", func() { s.Turn = full })
	s.publish("shop-2", release("2.0", tested("migrate", v1alpha1.BeforePods), tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.pass(time.Hour)
	s.user("one of them ends", func() { s.Turn = free })
	s.until("stable", time.Hour, func() bool { return s.Head().Stable.Name == "shop-2" })
	s.user("there are three again", func() { s.Turn = full })
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.pass(time.Minute)
	s.pin("shop-1")
	s.pass(time.Minute)
	s.pin("")
	s.publish("shop-3", release("3.0"), fine())
	s.pass(time.Minute)
	s.user("nothing limits them any more", func() { s.Turn = func(time.Time) rollout.Turn { return rollout.Turn{Come: true} } })
	s.run()
	s.end()
}

// turnYielded: who waits for another track is in nobody's way, and keeps its pods.
func turnYielded(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	requires(staging)(&s.Track.Spec)
	decide := func(verdict v1alpha1.RecordEvent) {
		s.user("in staging version 2.0 ends as "+string(verdict), func() { s.Decide(staging, "2.0", s.Content("shop-2"), verdict) })
	}
	s.Turn = full
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.pass(time.Hour)
	decide(v1alpha1.EventPromoted)
	s.pass(time.Minute)
	decide(v1alpha1.EventRolledBack)
	s.pass(time.Minute)
	decide(v1alpha1.EventPromoted)
	s.pass(time.Minute)
	s.user("a place is free", func() { s.Turn = free })
	s.untilState("its pods are made", func(v1alpha1.TrackState) bool { return s.Deployments["shop-2-web"] != nil })
	decide(v1alpha1.EventRolledBack)
	s.user("there is none any more", func() { s.Turn = full })
	s.pass(time.Hour)
	decide(v1alpha1.EventPromoted)
	s.run()
	s.end()
}

// begunBeforeALimit: what has begun is not stopped, and counts.
func begunBeforeALimit(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilState("its pods are made", func(v1alpha1.TrackState) bool { return s.Deployments["shop-2-web"] != nil })
	s.user("a limit is set, and reached", func() { s.Turn = full })
	s.run()
	s.end()
}

// deadBaselineNoTurn: what replaces a release that is down waits for nobody.
func deadBaselineNoTurn(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.Turn = full
	s.publish("shop-2", release("2.0"), fine())
	s.pass(time.Minute)
	s.user("the pods of shop-1 break", func() { s.Break("shop-1", "they crash") })
	s.run()
	s.end()
}

// TestTurn: in what words a release waits for its turn, and when it does not.
func TestTurn(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f", "g"}
	turn := func(turn rollout.Turn) func(*rollout.Observation) {
		return func(o *rollout.Observation) { o.Turn = turn }
	}
	with := func(changes ...func(*rollout.Observation)) func(*rollout.Observation) {
		return func(o *rollout.Observation) {
			for _, change := range changes {
				change(o)
			}
		}
	}
	awaited := func(o *rollout.Observation) {
		at := metav1.NewMicroTime(world.Start)
		o.Log.Head.State.Candidate.TurnAwaitedTime = &at
	}
	taken := func(o *rollout.Observation) {
		at := metav1.NewMicroTime(world.Start)
		o.Log.Head.State.Candidate.TurnTakenTime = &at
	}
	trusted := func(o *rollout.Observation) {
		o.Log.Promotions["2.0"] = rollout.Promotion{UID: candidate(o).UID}
	}
	for name, c := range map[string]struct {
		at              int32
		change          func(*rollout.Observation)
		reason, message string
	}{
		"no limit":         {0, turn(rollout.Turn{}), "", ""},
		"with weight":      {20, turn(full(world.Start)), "", ""},
		"taken":            {0, with(turn(full(world.Start)), taken), "", ""},
		"was stable once":  {0, with(turn(full(world.Start)), trusted), "", ""},
		"namespace full":   {0, turn(full(world.Start)), "RolloutsUnderWay", "3 of 3 rollouts of the namespace are under way (cart, pay, search): the next begins when one ends, and 2 tracks are before this one"},
		"one before":       {0, turn(rollout.Turn{NamespaceLimit: 1, NamespaceUnderWay: []string{"cart"}, UnderWay: 1, Before: 1}), "RolloutsUnderWay", "1 of 1 rollouts of the namespace are under way (cart): the next begins when one ends, and 1 track is before this one"},
		"many names":       {0, turn(rollout.Turn{NamespaceLimit: 7, NamespaceUnderWay: names, UnderWay: 7}), "RolloutsUnderWay", "7 of 7 rollouts of the namespace are under way (a, b, c, d, e and 2 more): the next begins when one ends, and this one is next"},
		"all full":         {0, turn(rollout.Turn{NamespaceLimit: 3, NamespaceUnderWay: []string{"cart"}, Limit: 9, UnderWay: 9, Before: 2}), "RolloutsUnderWay", "9 of 9 rollouts of all namespaces are under way, 1 of them in this one: the next begins when one ends, and 2 tracks are before this one"},
		"others are first": {0, turn(rollout.Turn{Limit: 9, UnderWay: 8, Before: 2}), "RolloutsWaiting", "a rollout may begin, and 2 tracks are before this one"},
		"limit is gone":    {0, awaited, "RolloutsWaiting", "a rollout may begin, and this one is next"},
		"unread":           {0, turn(rollout.Turn{Unread: "no answer"}), "PoliciesUnread", "it is not known how many rollouts may be under way in the namespace: no answer"},
		"told":             {0, with(turn(rollout.Turn{Told: "in words"}), awaited), "RolloutsUnderWay", "in words"},
	} {
		t.Run(name, func(t *testing.T) {
			o := candidateAt(t, c.at)
			c.change(&o)
			var got rollout.Gate
			for _, gate := range rollout.Ask(o).Explain() {
				if gate.Name == "TurnTaken" {
					got = gate
				}
			}
			if got.Reason != c.reason || got.Message != c.message || got.Blocked != (c.reason != "") {
				t.Errorf("got  %+v\nwant %s: %s", got, c.reason, c.message)
			}
		})
	}
}

// TestTurnLooks: a long line is not looked at all the time.
func TestTurnLooks(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.Turn = full
	s.publish("shop-2", release("2.0"), fine())
	s.pass(time.Minute)
	for before, want := range map[int]time.Duration{0: 10 * time.Second, 1: 20 * time.Second, 999: 10000 * time.Second} {
		o := s.Observe()
		o.Turn.Before = before
		if got := rollout.Compute(o).After; got != want {
			t.Errorf("with %d tracks before it, it looks again after %s, want %s", before, got, want)
		}
	}
}
