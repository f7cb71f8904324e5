package controllers

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/snapshot"
)

// A copy that belongs to a deleted release of the same name is about to be collected
// with it, and so is no copy of the release that was created after it.
func TestCreateCopyTakesOnlyWhatStays(t *testing.T) {
	frozen := func(uid types.UID, value string) *corev1.ConfigMap {
		copied := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1-settings-0123456789abcdef"},
			Immutable:  ptr.To(true), Data: map[string]string{"level": value},
		}
		if uid != "" {
			copied.OwnerReferences = []metav1.OwnerReference{{APIVersion: "strata.dev/v1alpha1", Kind: "ImmutableRelease", Name: "shop-1", UID: uid, Controller: ptr.To(true)}}
		}
		return copied
	}
	for name, c := range map[string]struct {
		there *corev1.ConfigMap
		taken bool
	}{
		"nothing there":          {nil, false},
		"made by an earlier try": {frozen("new", "debug"), false},
		"restored without owner": {frozen("", "debug"), false},
		"of a deleted release":   {frozen("old", "debug"), true},
		"of another content":     {frozen("new", "info"), true},
	} {
		t.Run(name, func(t *testing.T) {
			builder := fake.NewClientBuilder()
			if c.there != nil {
				builder = builder.WithObjects(c.there)
			}
			cluster := builder.Build()
			r, wanted := &TrackReconciler{Client: cluster, live: cluster}, frozen("new", "debug")
			err := r.createCopy(context.Background(), wanted)
			if (err != nil) != c.taken {
				t.Error(err)
			}
		})
	}
}

// What is rendered once is given out bare each time: the evidence that one look at the
// policies brought is none of the next. And nothing else than the same is taken for it.
func TestRenderedOnceIsBareEachTime(t *testing.T) {
	release := &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-1", UID: "first"}}
	release.Spec.Version = "1"
	release.Spec.Components = []v1alpha1.Component{{Name: "web"}}
	release.Spec.Components[0].Template.Spec.Containers = []corev1.Container{{Name: "web", Image: "registry.example.com/web@sha256:ab"}}
	note := &notebook{}
	render := func(spec string, snapshots ...v1alpha1.SnapshotDigest) *resources.Seal {
		t.Helper()
		seal, err := note.render(release, []byte(spec), &snapshot.Frozen{Digests: snapshots})
		if err != nil {
			t.Fatal(err)
		}
		return seal
	}
	first := render(`{"version":"1"}`)
	first.Witness(nil, map[string][]string{first.Images[0].Image: {"sha256:cd"}}, []string{"unsigned"})
	again := render(`{"version":"1"}`)
	if len(again.Images[0].PlatformDigests) != 0 || len(again.PolicyWarnings) != 0 {
		t.Errorf("it has the evidence of another look: %+v, %v", again.Images, again.PolicyWarnings)
	}
	if other := render(`{"version":"2"}`); other.ContentDigest == first.ContentDigest {
		t.Error("another spec has the same content")
	}
	bare := render(`{"version":"1"}`)
	if configured := render(`{"version":"1"}`, v1alpha1.SnapshotDigest{Kind: v1alpha1.ConfigMapKind, Name: "settings", Digest: "sha256:ef"}); configured.Digest == bare.Digest {
		t.Error("another configuration has the same digest")
	}
	release.UID = "second"
	if anew := render(`{"version":"1"}`, v1alpha1.SnapshotDigest{Kind: v1alpha1.ConfigMapKind, Name: "settings", Digest: "sha256:ef"}); anew.ContentDigest != bare.ContentDigest || note.rendered.uid != "second" {
		t.Error("a release that was created anew is taken for the one before")
	}
}
