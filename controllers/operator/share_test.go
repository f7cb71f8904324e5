package operator

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// managed is how objects come from an API server.
func managed(name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("uid of " + name), ResourceVersion: "7", Labels: labels,
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "strata", FieldsV1: metav1.NewFieldsV1(`{"f:spec":"` + strings.Repeat("x", 2048) + `"}`)}},
	}
}

func digest(of string) string { return "sha256:" + strings.Repeat(of, 64) }

// recordOf an attempt of a release, of which each has five.
func recordOf(sequence int) *v1alpha1.ReleaseRecord {
	attempt := sequence / 5
	version, noon := fmt.Sprintf("1.%d.0", attempt), time.Date(2026, 1, 1, 12, attempt, 0, 0, time.UTC)
	ref := v1alpha1.ReleaseRef{Name: fmt.Sprintf("shop-1-%d-0", attempt), UID: types.UID(fmt.Sprintf("6c3e0c4e-0d0a-4f0e-8f0b-%012d", attempt)), Version: version}
	before := metav1.NewMicroTime(noon)
	return &v1alpha1.ReleaseRecord{
		ObjectMeta: managed(fmt.Sprintf("shop-%06d", sequence), map[string]string{
			v1alpha1.LabelTrack: "shop", v1alpha1.LabelRelease: ref.Name, v1alpha1.LabelVersion: version,
		}),
		Spec: v1alpha1.ReleaseRecordSpec{
			TrackName: "shop", Sequence: int64(sequence), Time: metav1.NewMicroTime(noon.Add(time.Duration(sequence) * time.Second)),
			PreviousDigest: fmt.Sprintf("sha256:%064d", sequence-1), Digest: fmt.Sprintf("sha256:%064d", sequence),
			Actor: "system:serviceaccount:strata-system:strata", Event: v1alpha1.EventWeightSet, Reason: "Advanced", Message: ref.Name + " goes to 50 %",
			Release: &v1alpha1.RecordedRelease{
				Name: ref.Name, UID: ref.UID, Version: version, CreationTime: metav1.NewTime(noon), Attempt: 1, Digest: digest("a"), ContentDigest: digest("b"),
				Images: []v1alpha1.RecordedImage{{Image: "registry.example.com/shop/web@" + digest("c")}},
			},
			State: v1alpha1.TrackState{
				Stable:    &v1alpha1.ReleaseRef{Name: "shop-1-0-0", UID: "6c3e0c4e-0d0a-4f0e-8f0b-000000000000", Version: "1.0.0"},
				Candidate: &v1alpha1.CandidateState{ReleaseRef: ref, Attempt: 1, StartTime: before},
				Routes: []v1alpha1.RouteState{{Name: "public", SetSequence: int64(sequence), SetTime: before, VerifiedTime: &before, Weights: []v1alpha1.ReleaseWeight{
					{ReleaseName: "shop-1-0-0", WeightPercent: 50}, {ReleaseName: ref.Name, WeightPercent: 50},
				}}},
				Live: []v1alpha1.LiveRelease{
					{ReleaseRef: v1alpha1.ReleaseRef{Name: "shop-1-0-0", UID: "6c3e0c4e-0d0a-4f0e-8f0b-000000000000", Version: "1.0.0"}, Sequence: 1, Sizes: []v1alpha1.ComponentSize{{ComponentName: "web", Replicas: 3}}},
					{ReleaseRef: ref, Sequence: int64(sequence - sequence%5), ZeroTime: &before, Sizes: []v1alpha1.ComponentSize{{ComponentName: "web", Replicas: 3}}},
				},
			},
		},
	}
}

// decoded is an object as a client decodes it: nothing in it is anybody else's.
func decoded[T any](t *testing.T, object *T) *T {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	into := new(T)
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
	return into
}

func transformed[P client.Object](t *testing.T, object P) P {
	t.Helper()
	options := CacheOptions()
	transform := options.DefaultTransform
	for kind, by := range options.ByObject {
		if reflect.TypeOf(kind) == reflect.TypeOf(object) && by.Transform != nil {
			transform = by.Transform
		}
	}
	is, err := transform(object)
	if err != nil {
		t.Fatal(err)
	}
	return is.(P)
}

// A log has hundreds of records, and is the most of what is cached of a track.
func TestRetainedOfARecord(t *testing.T) {
	const records, most = 500, 1500
	transform, kept := CacheOptions().DefaultTransform, make([]any, records)
	before := reachable()
	for i := range kept {
		var err error
		if kept[i], err = transform(decoded(t, recordOf(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	each := (int64(reachable()) - int64(before)) / records
	t.Logf("%d bytes are retained of a record", each)
	if each > most {
		t.Errorf("%d bytes, of %d at most", each, most)
	}
	runtime.KeepAlive(kept)
}

// What is shared is equal to what was decoded, and is transformed once: others read it
// then, and it must not be written.
func TestWhatIsSharedStaysAsItWas(t *testing.T) {
	transform := CacheOptions().DefaultTransform
	for i := 1; i < 20; i++ {
		record := decoded(t, recordOf(i))
		want := decoded(t, recordOf(i))
		want.ManagedFields = nil
		for range 2 {
			if _, err := transform(record); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(record, want) {
				t.Fatalf("record %d became %+v, and was %+v", i, record, want)
			}
		}
	}
}

func TestEqualLabelsAreOneMap(t *testing.T) {
	transform := CacheOptions().DefaultTransform
	one := func(name string, labels map[string]string) map[string]string {
		object, err := transform(&appsv1.Deployment{ObjectMeta: managed(name, labels), Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: maps.Clone(labels)}}})
		if err != nil {
			t.Fatal(err)
		}
		deployment := object.(*appsv1.Deployment)
		if !maps.Equal(deployment.Labels, labels) || !maps.Equal(deployment.Spec.Selector.MatchLabels, labels) {
			t.Fatalf("%v became %v", labels, deployment.Labels)
		}
		if reflect.ValueOf(deployment.Labels).Pointer() != reflect.ValueOf(deployment.Spec.Selector.MatchLabels).Pointer() {
			t.Errorf("the labels of %s are in memory twice", name)
		}
		return deployment.Labels
	}
	first, other, again := one("a", map[string]string{"app": "a"}), one("b", map[string]string{"app": "b"}), one("c", map[string]string{"app": "a"})
	if reflect.ValueOf(first).Pointer() != reflect.ValueOf(again).Pointer() || reflect.ValueOf(first).Pointer() == reflect.ValueOf(other).Pointer() {
		t.Error("equal labels are in memory twice, or different ones are shared")
	}
}

// What kubectl notes of what it applied is as large as all of the object.
func TestWhatWasAppliedIsNotCached(t *testing.T) {
	release := &v1alpha1.ImmutableRelease{ObjectMeta: managed("shop-1", nil)}
	release.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}", v1alpha1.AnnotationRequestedBy: "ann"}
	if is := transformed(t, release).Annotations; !maps.Equal(is, map[string]string{v1alpha1.AnnotationRequestedBy: "ann"}) {
		t.Errorf("annotations are %v", is)
	}
	deployment := &appsv1.Deployment{ObjectMeta: managed("shop-1-web", nil)}
	deployment.Annotations = map[string]string{corev1.LastAppliedConfigAnnotation: "{}"}
	if is := transformed(t, deployment).Annotations; len(is) != 1 {
		t.Errorf("annotations of what is compared, and written back, are %v", is)
	}
}

func reachable() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
