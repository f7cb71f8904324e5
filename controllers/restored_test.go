package controllers

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// A seal that came back is that of its release only if it is what the release would be
// sealed as: whoever could write it could have written something else.
func TestSealThatDiffersIsLeftAlone(t *testing.T) {
	for name, change := range map[string]string{"as it was": `"value":"1.0"`, "another value": `"value":"9.9"`} {
		b := newBench(t)
		b.publish("1.0")
		b.settle("shop-1.0")
		revision := &appsv1.ControllerRevision{}
		b.must(b.api.Get(b.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: resources.SealName("shop-1.0")}, revision))
		revision.OwnerReferences = nil
		changed := bytes.ReplaceAll(revision.Data.Raw, []byte(`"value":"1.0"`), []byte(change))
		if differs := !bytes.Equal(changed, revision.Data.Raw); differs != (name != "as it was") {
			t.Fatalf("%s: the seal was changed: %t", name, differs)
		}
		revision.Data.Raw = changed
		b.must(b.api.Update(b.Context(), revision))
		w, err := b.loop.observe(b.Context(), shop, reading{past: everything})
		b.must(err)
		facts := w.facts("shop-1.0")
		if same := name == "as it was"; facts.Ownerless != same || (facts.Differs == "") != same || !same && !strings.Contains(facts.Differs, "it differs in") {
			t.Errorf("%s: to be taken over %t, differs: %q", name, facts.Ownerless, facts.Differs)
		}
	}
}

// A copy is what a seal says only while nobody can change it.
func TestCopiesThatCameBack(t *testing.T) {
	seal := &resources.Seal{Snapshots: []v1alpha1.SnapshotDigest{{Kind: v1alpha1.ConfigMapKind, Name: "settings", Copy: "shop-1.0-settings"}}}
	release := &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-1.0"}}
	copied := func(immutable *bool) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-1.0-settings"}, Immutable: immutable}
	}
	for want, there := range map[string]*corev1.ConfigMap{
		"CopyMissing": nil, "CopyMutable": copied(nil), "": copied(ptr.To(true)),
	} {
		b := newBench(t)
		if there != nil {
			b.store(there)
		}
		sources, err := b.loop.readCopies(b.Context(), release, seal)
		var unfit *unsealable
		switch {
		case want == "" && (err != nil || sources.ConfigMaps["settings"] == nil):
			t.Errorf("%v: %+v", err, sources)
		case want != "" && (!errors.As(err, &unfit) || unfit.reason != want):
			t.Errorf("%v, want %s", err, want)
		}
	}
}
