package controllers

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
)

// TestWritersAreNotedOnNamespaces: of those that a policy selects, and no write is made
// for what is there already.
func TestWritersAreNotedOnNamespaces(t *testing.T) {
	writes := 0
	api := countPatches(t, &writes, corev1.AddToScheme).Build()
	r := NewNamespaces(api, api)
	create := func(object client.Object) {
		t.Helper()
		if err := api.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what, name, noted string, written int) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: name}}); err != nil {
			t.Fatal(err)
		}
		namespace := &corev1.Namespace{}
		if err := api.Get(t.Context(), client.ObjectKey{Name: name}, namespace); err != nil {
			t.Fatal(err)
		}
		if got, is := namespace.Annotations[v1alpha1.AnnotationWriters]; got != noted || is != (noted != "") || namespace.Annotations["team"] != "shop" {
			t.Errorf("%s: annotations are %v", what, namespace.Annotations)
		}
		if writes != written {
			t.Errorf("%s: %d writes, want %d", what, writes, written)
		}
		writes = 0
	}
	for _, name := range []string{"shop", "other", guards.Namespace} {
		create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"of": name}, Annotations: map[string]string{"team": "shop"}}})
	}
	forged := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "forged", Annotations: map[string]string{"team": "shop", v1alpha1.AnnotationWriters: "scale mallory"}}}
	create(forged)
	expect("nobody asks", "shop", "", 0)
	expect("what a namespace was created with", "forged", "", 1)

	policy := func(name string, selector map[string]string, users ...string) *v1alpha1.ReleasePolicy {
		p := &v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
		p.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: selector}
		for _, user := range users {
			p.Spec.Writers = append(p.Spec.Writers, v1alpha1.NamedWriter{Name: user, Type: v1alpha1.WriterScaler,
				Scaler: &v1alpha1.Scaler{Username: user, Target: v1alpha1.ScaleReplicas}})
		}
		return p
	}
	all := policy("all", nil, "keda", "other")
	create(all)
	expect("two may scale", "shop", "scale keda\nscale other", 1)
	expect("again", "shop", "scale keda\nscale other", 0)
	expect("where nothing is guarded", guards.Namespace, "", 0)
	create(policy("shop", map[string]string{"of": "shop"}, "keda"))
	expect("one of them by both", "shop", "scale keda", 1)
	expect("where the other does not ask", "other", "scale keda\nscale other", 1)
	if err := api.Delete(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	expect("none any more", "other", "", 1)
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "gone"}}); err != nil {
		t.Errorf("a namespace that is gone: %v", err)
	}
	if got := len(r.all(t.Context())); got != 4 {
		t.Errorf("%d namespaces are looked at", got)
	}
}

// TestTrackedIsNotedOnNamespaces: as long as there is a track, and by the UID, which a
// namespace that is restored does not keep.
func TestTrackedIsNotedOnNamespaces(t *testing.T) {
	writes := 0
	api := countPatches(t, &writes, corev1.AddToScheme).Build()
	r := NewNamespaces(api, api)
	expect := func(what, noted string, written int) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Name: "shop"}}); err != nil {
			t.Fatal(err)
		}
		namespace := &corev1.Namespace{}
		if err := api.Get(t.Context(), client.ObjectKey{Name: "shop"}, namespace); err != nil {
			t.Fatal(err)
		}
		if got, is := namespace.Annotations[v1alpha1.AnnotationTracked]; got != noted || is != (noted != "") || writes != written {
			t.Errorf("%s: annotations are %v, by %d writes, want %q by %d", what, namespace.Annotations, writes, noted, written)
		}
		writes = 0
	}
	restored := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", UID: "second", Annotations: map[string]string{v1alpha1.AnnotationTracked: "first"}}}
	first := &v1alpha1.ReleaseTrack{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}}
	second := &v1alpha1.ReleaseTrack{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "basket"}}
	elsewhere := &v1alpha1.ReleaseTrack{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "shop"}}
	for _, object := range []client.Object{restored, elsewhere} {
		if err := api.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	expect("restored, without a track", "", 1)
	for _, track := range []*v1alpha1.ReleaseTrack{first, second} {
		if err := api.Create(t.Context(), track); err != nil {
			t.Fatal(err)
		}
	}
	expect("two tracks", "second", 1)
	expect("again", "second", 0)
	for i, track := range []*v1alpha1.ReleaseTrack{first, second} {
		if err := api.Delete(t.Context(), track); err != nil {
			t.Fatal(err)
		}
		expect("one fewer", []string{"second", ""}[i], i)
	}
}
