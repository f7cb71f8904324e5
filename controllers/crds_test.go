package controllers

import (
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/strata-release/strata/api/v1alpha1"
)

// TestCRDsAreMarkedWhileReleasesAreHeld: with the first, and until the last is let go;
// no write is made for what changes nothing, be it after a restart.
func TestCRDsAreMarkedWhileReleasesAreHeld(t *testing.T) {
	writes := 0
	builder := countPatches(t, &writes, apiextensionsv1.AddToScheme)
	if err := IndexHeld(t.Context(), indexer{builder}); err != nil {
		t.Fatal(err)
	}
	for _, name := range crds[1:] { // One is not installed.
		builder.WithObjects(&apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "strata"}}})
	}
	api := builder.Build()
	r := NewCRDs(api, api)
	expect := func(what string, marked bool, written int) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{}); err != nil {
			t.Fatal(err)
		}
		list := &apiextensionsv1.CustomResourceDefinitionList{}
		if err := api.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		for i := range list.Items {
			if crd := &list.Items[i]; isMarked(crd) != marked || crd.Labels["app"] != "strata" {
				t.Errorf("%s: CRD %s has labels %v", what, crd.Name, crd.Labels)
			}
		}
		if writes != written {
			t.Errorf("%s: %d writes, want %d", what, writes, written)
		}
		writes = 0
	}
	hold := func(name string, mark map[string]string) {
		t.Helper()
		release := &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: mark}}
		if err := api.Create(t.Context(), release); err != nil {
			t.Fatal(err)
		}
	}
	mark := map[string]string{v1alpha1.LabelHeld: "7"}
	hold("shop-1", nil)
	expect("none is held", false, 0)
	hold("shop-2", mark)
	expect("the first is held", true, 4)
	hold("shop-3", mark)
	expect("another is", true, 0)
	r = NewCRDs(api, api)
	expect("after a restart", true, 0)
	for _, name := range []string{"shop-2", "shop-3"} {
		if err := api.Delete(t.Context(), &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	expect("none is held any more", false, 4)
}
