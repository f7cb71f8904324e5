package controllers

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestRestless(t *testing.T) {
	for name, c := range map[string]struct {
		age    time.Duration
		do     []rollout.Action
		reason string
		want   time.Duration
	}{
		"a record just now":                              {age: 100 * time.Millisecond, want: settleTime},
		"a record a while ago":                           {age: time.Second},
		"a record of a clock that is ahead":              {age: -time.Hour},
		"something was written, long after it":           {age: time.Hour, do: []rollout.Action{rollout.SealRelease{}}, want: settleTime},
		"a router that has not reported yet":             {age: 500 * time.Millisecond, reason: traffic.ReasonNotReported, want: routerTime - 500*time.Millisecond},
		"a router that has not reported for a while":     {age: routerTime, reason: traffic.ReasonNotReported},
		"a router that has reported, and does not agree": {age: 500 * time.Millisecond, reason: "RouteNotResolved"},
	} {
		w := &world{}
		w.Now, w.Log.Head = noon, &v1alpha1.ReleaseRecordSpec{Time: metav1.NewMicroTime(noon.Add(-c.age))}
		if c.reason != "" {
			weights := []v1alpha1.ReleaseWeight{{ReleaseName: "shop-1", WeightPercent: 100}}
			w.Track = &rollout.Track{Spec: shopTrack()}
			w.Log.Head.State.Routes = []v1alpha1.RouteState{{Name: "public", Weights: weights}}
			w.Routes = []rollout.Route{{Name: "public", Presence: rollout.Ours, Current: true, Weights: weights, Reason: c.reason}}
		}
		if got := restless(w, rollout.Plan{Do: c.do}); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestTooRestless(t *testing.T) {
	r, key := &TrackReconciler{}, types.NamespacedName{Namespace: "shop", Name: "shop"}
	for _, at := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {time.Second, false}, {maxRestless + time.Second, true}} {
		w := &world{key: key, note: r.notes.of(key)}
		w.Now = noon.Add(at.after)
		if got := r.tooRestless(w); got != at.want {
			t.Errorf("after %s: %t", at.after, got)
		}
	}
}

func TestNextLook(t *testing.T) {
	for name, c := range map[string]struct {
		after time.Duration
		due   time.Time
		want  time.Duration
	}{
		"nothing waits":         {0, time.Time{}, 0},
		"the plan":              {time.Minute, time.Time{}, time.Minute},
		"a report":              {0, noon.Add(time.Second), time.Second},
		"a report that is late": {0, noon.Add(-time.Second), time.Millisecond},
		"the sooner of both":    {time.Minute, noon.Add(time.Second), time.Second},
	} {
		if got := nextLook(rollout.Plan{After: c.after}, noon, c.due); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
