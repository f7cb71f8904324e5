package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// copyOf is a snapshot of a release that is not what was sealed.
func copyOf(release, source, difference string, known bool) rollout.Snapshot {
	return rollout.Snapshot{Kind: v1alpha1.SecretKind, Name: release + "-" + source, Source: source, Difference: difference, Known: known}
}

func (s *story) breakSnapshots(does, release string, broken ...rollout.Snapshot) {
	s.user(does, func() { s.BreakSnapshots(release, broken...) })
}

// snapshotMissing: what is missing is made again after a record says so; after three times
// it is left for an hour. What nobody knows any more is not made.
func snapshotMissing(t *testing.T) {
	s := serving(t, track())
	s.breakSnapshots("two snapshots are deleted, and of one the source is another by now", "shop-1",
		copyOf("shop-1", "keys", "", true), copyOf("shop-1", "words", "", false))
	s.pass(2 * time.Hour)
	s.breakSnapshots("the source is put back", "shop-1", copyOf("shop-1", "words", "", true))
	s.pass(time.Minute)
	for range 4 {
		s.breakSnapshots("somebody deletes a snapshot again", "shop-1", copyOf("shop-1", "keys", "", true))
		s.pass(time.Minute)
	}
	s.run()
	s.end()
}

// snapshotChanged: one that has another content is told of once, and left; a new release is
// the way out of it.
func snapshotChanged(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	var broken []rollout.Snapshot
	for i := range 5 {
		broken = append(broken, copyOf("shop-1", fmt.Sprintf("keys-%d", i), "it differs in data[word]", false))
	}
	s.breakSnapshots("somebody writes snapshots past the guards", "shop-1", broken...)
	s.pass(100 * time.Hour)
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.end()
}

// snapshotOfCandidate: it gets no traffic, and fails in the end.
func snapshotOfCandidate(t *testing.T) {
	s := serving(t, track(steps(20), warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilState("shop-2 sealed", func(v1alpha1.TrackState) bool { return s.Seals["shop-2"] != nil })
	s.breakSnapshots("somebody writes its snapshot past the guards", "shop-2", copyOf("shop-2", "keys", "it differs in data[word]", true))
	s.run()
	if verdict := s.Observe().Log.Verdicts["2.0"]; verdict.Event != v1alpha1.EventFailed || !strings.Contains(verdict.Message, "data[word]") {
		t.Errorf("verdict is %+v", verdict)
	}
	s.publish("shop-3", release("3.0"), fine())
	s.untilWeight("shop-3", 20)
	s.breakSnapshots("one is deleted of a candidate that has weight", "shop-3", copyOf("shop-3", "keys", "", true))
	s.run()
	s.end()
}

// snapshotRollback: what may run something else takes no traffic, and what could not start
// is not brought up; pods that run what was sealed take it.
func snapshotRollback(t *testing.T) {
	s := serving(t, track(warm(1, 86400)))
	s.publishAll("2", "3")
	s.lines = nil
	s.breakSnapshots("the snapshot of the warm release is written", "shop-2", copyOf("shop-2", "keys", "it differs in data[word]", false))
	s.ask(v1alpha1.ActionRollback, "shop-2")
	s.run()
	s.breakSnapshots("that of a release without pods is deleted, and nobody knows it any more", "shop-1", copyOf("shop-1", "keys", "", false))
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.publish("shop-4", release("4.0"), fine())
	s.untilStable("shop-4")
	s.breakSnapshots("so is that of the warm release", "shop-3", copyOf("shop-3", "keys", "", false))
	s.ask(v1alpha1.ActionRollback, "shop-3")
	s.run()
	s.end()
}
