package rollout_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// restored: what served and what stood by are known again, and no pod is touched; a
// Rollback is one write as before.
func restored(t *testing.T) {
	s := serving(t, track(warm(1, 86400)))
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.run()
	s.user("(shop-2 serves, shop-1 is warm; the transcript begins here)", func() { s.lines = nil })
	s.user("the namespace is restored", func() { s.Restore("shop-1", "shop-2") })
	s.pass(10 * time.Second)
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// restoredUnderWay: what was tried is closed and goes; to be tried again it passes all
// its gates.
func restoredUnderWay(t *testing.T) {
	s := serving(t, track(steps(20), warm(0, 0)))
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.untilWeight("shop-2", 20)
	s.user("the namespace is restored", func() { s.Restore("shop-1", "shop-2") })
	s.run()
	s.ask(v1alpha1.ActionRetry, "shop-2")
	s.run()
	s.end()
}

// restoredIdle: what has no pods is known again too, and a Rollback brings it up.
func restoredIdle(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.user("(shop-2 serves, shop-1 is retired; the transcript begins here)", func() { s.lines = nil })
	s.user("the namespace is restored", func() { s.Restore("shop-1", "shop-2") })
	s.run()
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// restoredWithoutRecords: what has all the traffic is adopted, and taken over.
func restoredWithoutRecords(t *testing.T) {
	s := serving(t, track())
	s.user("the namespace is restored without its records", func() { s.LoseRecords(); s.Restore("shop-1") })
	s.run()
	s.end()
}

// TestRestoreTakesOverNothingElse: a seal of another digest, of another version or name,
// or one with an owner tells nothing of what was recorded.
func TestRestoreTakesOverNothingElse(t *testing.T) {
	for name, change := range map[string]func(*rollout.Release, *rollout.Log){
		"as it was":       func(*rollout.Release, *rollout.Log) {},
		"another digest":  func(r *rollout.Release, _ *rollout.Log) { r.Sealed.Digest = "sha256:other" },
		"never sealed":    func(_ *rollout.Release, log *rollout.Log) { delete(log.Digests, "1.0") },
		"owned":           func(r *rollout.Release, _ *rollout.Log) { r.Ownerless = false },
		"deleted":         func(r *rollout.Release, _ *rollout.Log) { r.Deleting = true },
		"another name":    func(r *rollout.Release, _ *rollout.Log) { r.Name = "shop-9" },
		"another version": func(r *rollout.Release, _ *rollout.Log) { r.Spec = r.Spec.DeepCopy(); r.Spec.Version = "9.0" },
	} {
		o := observed(1, 0, 0)
		r := published(1)
		r.UID, r.Ownerless = "came-back", true
		r.Sealed = &rollout.Sealed{Digest: "sha256:1"}
		o.Log.Digests = map[string]rollout.RecordedDigest{"1.0": {ReleaseName: "shop-1", UID: refOf(1).UID, Digest: "sha256:1"}}
		change(&r, &o.Log)
		o.Releases = []rollout.Release{r}
		e := rollout.Compute(o).Append
		is := e != nil && e.Event == v1alpha1.EventRestored
		if want := name == "as it was"; is != want {
			t.Errorf("%s: restored %t: %+v", name, is, e)
		}
	}
}

// TestRestoredAndDifferent: what serves and came back as something else is left alone, and
// is not tried under its name, be it pinned or asked for; users read in what it differs and
// what to do.
func TestRestoredAndDifferent(t *testing.T) {
	o := observed(1, 0, 0)
	r := published(1)
	r.UID, r.Differs = "came-back", "ControllerRevision shop-1-seal has no owner and is not what shop-1 is sealed as"
	o.Releases = []rollout.Release{r}
	o.Log.Verdicts["1.0"] = rollout.Verdict{Event: v1alpha1.EventPromoted, ReleaseName: "shop-1", UID: refOf(1).UID}
	for _, pin := range []string{"", "shop-1"} {
		o.Track.Spec.ReleaseName = pin
		plan := rollout.Compute(o)
		if plan.Append != nil || pin == "" && len(plan.Do) > 0 || plan.Stalled == nil || plan.Stalled.Reason != "RestoredDiffers" {
			t.Errorf("pinned to %q: %+v, stalled %+v", pin, plan, plan.Stalled)
		}
	}
	o.Actions = []v1alpha1.ReleaseAction{{
		ObjectMeta: metav1.ObjectMeta{Name: "again", CreationTimestamp: metav1.NewTime(world.Start)},
		Spec:       v1alpha1.ReleaseActionSpec{TrackName: "shop", Action: v1alpha1.ActionRetry, ReleaseName: "shop-1"},
	}}
	if e := rollout.Compute(o).Append; e == nil || e.Event != v1alpha1.EventRefused || e.Reason != "RestoredDiffers" {
		t.Errorf("a Retry: %+v", e)
	}
}

// TestWhatIsHeldIsMarkedBeforeItOwns: an owner that goes takes all that it owns with it,
// and what serves has one only once that cannot be deleted.
func TestWhatIsHeldIsMarkedBeforeItOwns(t *testing.T) {
	for mark, want := range map[int64]bool{0: false, 9: false, 10: true} {
		o := observed(1, 0, 0)
		r := published(1)
		r.Ownerless, r.Sealed, r.Held = true, &rollout.Sealed{Digest: "sha256:1"}, mark
		o.Releases = []rollout.Release{r}
		o.Log.Head.State.Live[0].Sequence = 10
		var does bool
		for _, action := range rollout.Compute(o).Do {
			_, takes := action.(rollout.TakeOver)
			does = does || takes
		}
		if does != want {
			t.Errorf("held by record %d: taken over %t", mark, does)
		}
	}
}

// TestWhatMayHaveComeBackIsKept: pods of what is not live go, but not those under the name
// of something live: that may have come back as another object, and serve by them.
func TestWhatMayHaveComeBackIsKept(t *testing.T) {
	for n, want := range map[int]bool{1: false, 2: true} {
		o := observed(1, 0, 0)
		o.Track.Spec.Traffic, o.Log.Head.State.Routes = nil, nil
		r := published(n)
		r.UID, r.Components = "another", []rollout.Component{{Name: r.Spec.Components[0].Name, Deployment: rollout.Ours}}
		o.Releases = []rollout.Release{r}
		o.Log.Verdicts[r.Spec.Version] = rollout.Verdict{Event: v1alpha1.EventPromoted, ReleaseName: r.Name, UID: refOf(n).UID, CreationTime: r.CreationTime}
		plan := rollout.Compute(o)
		var goes bool
		for _, action := range plan.Do {
			_, deletes := action.(rollout.DeleteChildren)
			goes = goes || deletes
		}
		if goes != want {
			t.Errorf("shop-%d: its children go: %t; %+v", n, goes, plan)
		}
	}
}
