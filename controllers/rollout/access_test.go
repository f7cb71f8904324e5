package rollout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// lasting is a BreakGlass of so many seconds.
func lasting(seconds int32) func(*v1alpha1.ReleaseActionSpec) {
	return func(a *v1alpha1.ReleaseActionSpec) { a.DurationSeconds, a.Ticket = &seconds, "OPS-7" }
}

// open asks for access, and lets it be carried out. It answers with the action's name.
func (s *story) open(release string, change ...func(*v1alpha1.ReleaseActionSpec)) string {
	s.t.Helper()
	s.ask(v1alpha1.ActionBreakGlass, release, change...)
	s.pass(time.Second)
	return s.Actions[len(s.Actions)-1].Name
}

// enter a pod of web, or fail to.
func (s *story) enter(action string, pod int, want bool) {
	s.t.Helper()
	s.user("enter a pod by "+action, func() {
		if got := s.Enter(action, "web", pod); got != want {
			s.t.Errorf("entered by %s: %t, want %t\n%s", action, got, want, s.transcript())
		}
	})
}

// breakGlass: every use is recorded, the last one although it was over by then. The
// pods that were entered are replaced one after the other.
func breakGlass(t *testing.T) {
	s := serving(t, track())
	action := s.open("shop-1", lasting(60))
	s.enter(action, 1, true)
	s.enter(action, 1, true)
	s.pass(10 * time.Second)
	s.enter(action, 2, true)
	s.pass(48*time.Second + 999*time.Millisecond)
	s.enter(action, 2, true)
	s.run()
	s.enter(action, 2, false)
	s.end()
}

// breakGlassRefused: what is not there, has no pods, or is over by now is not opened.
func breakGlassRefused(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.open("shop-9")
	s.open("shop-1")
	s.ask(v1alpha1.ActionBreakGlass, "shop-2", lasting(60))
	s.Now = s.Now.Add(time.Minute)
	s.run()
	s.end()
}

// breakGlassTwice: for the same user and release the longest counts; another user's
// access ends by itself.
func breakGlassTwice(t *testing.T) {
	s := serving(t, track())
	short, long, other := s.open("shop-1", lasting(60)), s.open("shop-1", lasting(120)), s.open("shop-1", lasting(90), by("bob"))
	s.enter(short, 1, true)
	s.enter(other, 2, true)
	s.pass(70 * time.Second)
	s.enter(short, 1, false)
	s.enter(long, 1, true)
	s.run()
	s.end()
}

// breakGlassRetired: access ends with the pods of the release.
func breakGlassRetired(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	action := s.open("shop-1", lasting(3600))
	s.enter(action, 1, true)
	s.publish("shop-2", release("2.0"), fine())
	s.untilStable("shop-2")
	s.run()
	s.enter(action, 1, false)
	s.end()
}

// breakGlassNeverWell: what was entered is replaced in any case, after a while.
func breakGlassNeverWell(t *testing.T) {
	s := serving(t, track())
	action := s.open("shop-1", lasting(60))
	s.enter(action, 1, true)
	s.enter(action, 2, true)
	s.pass(time.Second)
	s.user("shop-1 loses a pod", func() { s.Lose("shop-1", "CrashLoopBackOff") })
	s.run()
	s.end()
}

// breakGlassTrackDeleted: access ends, and the pods are replaced; what was open is
// closed in the log when the track comes back.
func breakGlassTrackDeleted(t *testing.T) {
	s := serving(t, track())
	action := s.open("shop-1", lasting(3600))
	s.enter(action, 1, true)
	s.pass(time.Second)
	s.user("delete the track", func() { s.TrackGone = true })
	s.run()
	s.enter(action, 1, false)
	s.user("create the track again", func() { s.TrackGone = false })
	s.pass(time.Hour)
	s.run()
	s.end()
}

// An operator that is killed after every write, and reads everything anew, opens,
// records, replaces and closes the same at the same time.
func TestBreakGlassThroughEveryRestart(t *testing.T) {
	end := func(restart bool) string {
		s := serving(t, track())
		if restart {
			s.planner = nil
		}
		action := s.open("shop-1", lasting(60))
		s.enter(action, 1, true)
		s.enter(action, 2, true)
		s.run()
		if err := s.CheckAccess(); err != nil {
			t.Error(err)
		}
		s.lines = slices.DeleteFunc(s.lines, func(line string) bool { return !strings.Contains(line, " # ") })
		return s.transcript()
	}
	if lives, dies := end(false), end(true); lives != dies {
		t.Errorf("%s\nwith restarts:\n%s", lives, dies)
	}
}

// Records that were tampered with open nothing.
func TestBrokenLogClosesAccess(t *testing.T) {
	s := serving(t, track())
	s.open("shop-1", lasting(3600))
	if len(s.Opened.Lines) != 1 {
		t.Fatalf("not open: %v", s.Opened)
	}
	s.EditRecord(len(s.Records), func(r *v1alpha1.ReleaseRecordSpec) { r.State.Opened[0].Requester = "eve" })
	s.pass(time.Second)
	if len(s.Opened.Lines) != 0 {
		t.Errorf("open: %v", s.Opened)
	}
}

// A use of the last moment has no record when its track is deleted, and gets none. The pod
// is replaced like any other that was entered.
func TestLastUseBeforeTheTrackIsDeleted(t *testing.T) {
	s := serving(t, track())
	action := s.open("shop-1", lasting(3600))
	o := s.Observe()
	o.Track = nil
	o.Uses = []rollout.Use{{ActionName: action, AccessUse: v1alpha1.AccessUse{
		Time: metav1.NewMicroTime(o.Now), Way: v1alpha1.AccessExec, PodName: "shop-1-web-a", PodUID: "a", ComponentName: "web",
	}}}
	o.Entered = []rollout.Pod{{UID: "a"}}
	want := rollout.DeletePod{Name: "shop-1-web-a", UID: "a"}
	if plan := rollout.Compute(o); !slices.Contains(plan.Do, rollout.Action(want)) {
		for i := range plan.Do {
			t.Logf("does %T", plan.Do[i])
		}
		t.Error("the pod is not replaced")
	}
}
