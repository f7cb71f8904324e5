package controllers

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/metrics"
	"github.com/strata-release/strata/controllers/rollout"
)

// A stage is measured from its own beginning, also where Ready is False from the
// first stage to the last.
func TestCountMeasuresEachStage(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	if err := metrics.Register(registry); err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	f, note := findingsOf(&world{}, rollout.Plan{}, nil), &notebook{}
	for _, at := range []struct {
		second int
		stage  string
	}{{0, "Zero"}, {100, "One"}, {103, "Two"}, {105, "Two"}, {113, "Three"}} {
		f.Now = start.Add(time.Duration(at.second) * time.Second)
		track := &v1alpha1.ReleaseTrack{}
		track.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: at.stage}}
		count(f, note, track)
	}
	got := stageSeconds(t, registry)
	for _, want := range []string{"One 1x3", "Two 1x10"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func stageSeconds(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, family := range families {
		if family.GetName() != "strata_stage_duration_seconds" {
			continue
		}
		for _, m := range family.GetMetric() {
			all = append(all, fmt.Sprintf("%s %dx%v", m.GetLabel()[0].GetValue(), m.GetHistogram().GetSampleCount(), m.GetHistogram().GetSampleSum()))
		}
	}
	return strings.Join(all, " ")
}

// Statuses of ten times as many releases cost about ten times as much.
func TestStatusesAreLinear(t *testing.T) {
	spec := &v1alpha1.ImmutableReleaseSpec{ReleaseTemplate: v1alpha1.ReleaseTemplate{Version: "1", Components: []v1alpha1.Component{{Name: "web"}}}}
	cost := func(n int) int64 {
		w := &world{places: map[string]int{}, track: &v1alpha1.ReleaseTrack{}}
		w.Track = &rollout.Track{}
		for i := range n {
			name := fmt.Sprintf("shop-%d", i)
			w.places[name] = i
			w.releases = append(w.releases, v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: *spec})
			w.Releases = append(w.Releases, rollout.Release{Name: name, UID: types.UID(name), Spec: spec})
		}
		return testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				f := findingsOf(w, rollout.Plan{}, nil)
				for i := range w.releases {
					f.releaseStatus(w.releases[i].DeepCopy())
				}
			}
		}).AllocedBytesPerOp()
	}
	if few, many := cost(50), cost(500); many > 15*few {
		t.Errorf("50 releases: %d bytes, 500 releases: %d bytes", few, many)
	}
}

// What has taken the name of stable and is not what was sealed under it has not
// arrived, whatever the log says of its version.
func TestWhoHasTheNameOfStableIsNotRetired(t *testing.T) {
	spec := &v1alpha1.ImmutableReleaseSpec{ReleaseTemplate: v1alpha1.ReleaseTemplate{Version: "1.0", Components: []v1alpha1.Component{{Name: "web"}}}}
	w := &world{places: map[string]int{"shop-1": 0}, track: &v1alpha1.ReleaseTrack{}}
	w.Track = &rollout.Track{}
	was := v1alpha1.ReleaseRef{Name: "shop-1", UID: "was", Version: "1.0"}
	w.Log.Head = &v1alpha1.ReleaseRecordSpec{State: v1alpha1.TrackState{Stable: &was, Live: []v1alpha1.LiveRelease{{ReleaseRef: was}}}}
	w.Log.Verdicts = map[string]rollout.Verdict{"1.0": {Event: v1alpha1.EventPromoted, ReleaseName: "shop-1", UID: "was"}}
	release := v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Name: "shop-1", UID: "is"}, Spec: *spec}
	w.releases = []v1alpha1.ImmutableRelease{release}
	w.Releases = []rollout.Release{{Name: "shop-1", UID: "is", Spec: spec, Differs: "its seal has another content"}}
	findingsOf(w, rollout.Compute(w.Observation), nil).releaseStatus(&release)
	for of, want := range map[string]metav1.ConditionStatus{v1alpha1.ConditionReady: metav1.ConditionFalse, v1alpha1.ConditionStalled: metav1.ConditionTrue} {
		is := meta.FindStatusCondition(release.Status.Conditions, of)
		if is == nil || is.Status != want || is.Reason != "RestoredDiffers" || !strings.Contains(is.Message, "another content") {
			t.Errorf("%s: %+v", of, is)
		}
	}
}

// A release that was retired before anybody came to report it says that it is sealed, and
// by which digest: its records tell. So it does after a restore without statuses.
func TestRetiredReleaseIsKnownByItsRecords(t *testing.T) {
	b := newBench(t)
	b.retain(v1alpha1.RetentionSpec{WarmReleases: ptr.To[int32](0)})
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	b.settle("shop-2.0")
	b.pass(5)
	release := &v1alpha1.ImmutableRelease{}
	b.must(b.api.Get(b.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "shop-1.0"}, release))
	digest, content := release.Status.Digest, release.Status.ContentDigest
	release.Status = v1alpha1.ImmutableReleaseStatus{}
	b.must(b.api.Status().Update(b.Context(), release))
	b.pass(15)
	b.expect("shop-1.0", v1alpha1.ConditionReady, "True Retired", "")
	b.expect("shop-1.0", v1alpha1.ConditionSealed, "True Sealed", "")
	b.must(b.api.Get(b.Context(), client.ObjectKeyFromObject(release), release))
	if digest == "" || release.Status.Digest != digest || release.Status.ContentDigest != content {
		t.Errorf("digests %q and %q, want %q and %q", release.Status.Digest, release.Status.ContentDigest, digest, content)
	}
}
