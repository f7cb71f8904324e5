package controllers

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// editTemplate writes spec.releaseTemplate, as ann.
func (b *bench) editTemplate(version string, change ...func(*v1alpha1.ReleaseTemplate)) {
	b.Helper()
	track := b.track()
	track.Generation++
	track.Annotations = map[string]string{v1alpha1.AnnotationRequestedBy: "ann"}
	track.Spec.ReleaseTemplate = &v1alpha1.ReleaseTemplate{Version: version, Components: []v1alpha1.Component{{
		Name: "web", Replicas: 1, Ports: []v1alpha1.ComponentPort{{Name: "http", Port: 80}}, Template: pod(),
	}}}
	for _, c := range change {
		c(track.Spec.ReleaseTemplate)
	}
	if err := b.api.Update(b.Context(), track); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) templated(version string) *v1alpha1.ImmutableRelease {
	release := &v1alpha1.ImmutableRelease{}
	err := b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: "shop-" + version}, release)
	if client.IgnoreNotFound(err) != nil {
		b.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return release
}

// wantPublished holds the condition to a reason and some words.
func (b *bench) wantPublished(reason, words string) {
	b.Helper()
	is := meta.FindStatusCondition(b.track().Status.Conditions, v1alpha1.ConditionPublished)
	if is == nil || is.Reason != reason || !strings.Contains(is.Message, words) || (is.Status == metav1.ConditionTrue) != (reason == rollout.ReasonPublished) {
		b.Errorf("the condition is %+v, want the reason %s and %q", is, reason, words)
	}
}

// What is created is what was stored, in the name of who wrote it, and once.
func TestTheTemplateIsPublished(t *testing.T) {
	b := newBench(t)
	b.editTemplate("1.0")
	b.pass(8)
	release := b.templated("1-0")
	if release == nil || release.Annotations[v1alpha1.AnnotationRequestedBy] != "ann" || release.Spec.TrackName != "shop" || release.Spec.Version != "1.0" {
		t.Fatalf("created is %+v", release)
	}
	b.wantPublished(rollout.ReasonPublished, "shop-1-0 is the release")
	records := &v1alpha1.ReleaseRecordList{}
	if err := b.api.List(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	first := records.Items[0].Spec
	if first.Event != v1alpha1.EventPublished || first.Actor != "ann" || first.Release.ContentDigest == "" || first.Release.RequestedBy != "ann" {
		t.Errorf("the first record is %+v", first)
	}
	if state := records.Items[len(records.Items)-1].Spec.State.Published; state == nil || state.Pending {
		t.Errorf("in the end the records say %+v", state)
	}
	// What admission did not see.
	b.editTemplate("1.0", func(t *v1alpha1.ReleaseTemplate) { t.Components[0].Replicas = 3 })
	b.pass(8)
	b.wantPublished(rollout.ReasonVersionReused, "spec.releaseTemplate.components[web].replicas: 1 -> 3")
	if stalled := meta.FindStatusCondition(b.track().Status.Conditions, v1alpha1.ConditionStalled); stalled.Status != metav1.ConditionTrue {
		t.Errorf("the track is not stalled: %+v", stalled)
	}
}

// What is refused is said, and tried again; a template that is another one by then is not
// made under the old record.
func TestTheTemplateThatIsRefused(t *testing.T) {
	b := newBench(t)
	b.refuse = func(verb string, object client.Object, _ bool) error {
		if _, release := object.(*unstructured.Unstructured); release && verb == "create" {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "immutablereleases"}, object.GetName(), nil)
		}
		return nil
	}
	b.editTemplate("1.0")
	b.pass(8)
	b.wantPublished(rollout.ReasonPublishing, "shop-1-0")
	if blocked := b.track().Status.BlockedBy; blocked == nil || blocked.Reason != "ApplyFailed" || !strings.Contains(blocked.Message, "shop-1-0") {
		t.Errorf("the refusal is told as %+v", blocked)
	}
	b.editTemplate("1.1")
	b.refuse = nil
	b.pass(8)
	if b.templated("1-0") != nil || b.templated("1-1") == nil {
		t.Error("the release of a template that went was created, or the next one was not")
	}
	b.editTemplate("1.0")
	b.pass(8)
	b.wantPublished(rollout.ReasonReleaseGone, "1.0")
}

// The name of a release of another track is left alone, and so is the template.
func TestTheTemplateWhoseNameIsTaken(t *testing.T) {
	b := newBench(t)
	b.store(&v1alpha1.ImmutableRelease{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-1-0"},
		Spec:       v1alpha1.ImmutableReleaseSpec{TrackName: "other"},
	})
	b.writes = nil
	b.editTemplate("1.0")
	b.pass(8)
	b.wantPublished(rollout.ReasonNameTaken, "which is a release of track other")
	if len(b.writes) > 0 {
		t.Errorf("it was written: %v", b.writes)
	}
}
