package controllers

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
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
