package stories

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// sync applies manifests as a GitOps tool does, which takes every field for its own, and
// returns what the API server makes of them.
func (w *world) sync(ctx context.Context, tool string, manifests []*unstructured.Unstructured, options ...client.ApplyOption) []*unstructured.Unstructured {
	GinkgoHelper()
	var stored []*unstructured.Unstructured
	for _, manifest := range manifests {
		object := manifest.DeepCopy()
		options := append([]client.ApplyOption{client.FieldOwner(tool), client.ForceOwnership}, options...)
		Expect(w.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), options...)).To(Succeed())
		stored = append(stored, object)
	}
	return stored
}

// live are the objects of manifests as they are.
func (w *world) live(ctx context.Context, manifests []*unstructured.Unstructured) []*unstructured.Unstructured {
	GinkgoHelper()
	var live []*unstructured.Unstructured
	for _, manifest := range manifests {
		object := manifest.DeepCopy()
		w.get(ctx, object, manifest.GetName())
		live = append(live, object)
	}
	return live
}

// withoutManagers is how objects are compared that nothing wrote in between.
func withoutManagers(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	for _, object := range objects {
		object.SetManagedFields(nil)
	}
	return objects
}

var _ = story("what a GitOps tool applies again stays as it is, and a pin in its repository goes back", func(ctx context.Context, w *world) {
	const tool = "kustomize-controller"
	repository := []*unstructured.Unstructured{manifestOf(w.track()), manifestOf(w.release("1.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))}
	w.sync(ctx, tool, repository)
	w.untilSettled(ctx, "1.0.0")
	repository = append(repository, manifestOf(w.release("2.0.0")))
	w.sync(ctx, tool, repository)
	w.untilSettled(ctx, "2.0.0")

	By("nothing but the tool writes, and it finds nothing to write")
	w.stopOperators()
	settled := w.live(ctx, repository)
	Expect(w.sync(ctx, tool, repository)).To(Equal(settled), "applied again")
	Expect(w.live(ctx, repository)).To(Equal(settled), "applied again")
	dry := w.sync(ctx, "argocd-controller", repository, client.DryRunAll)
	Expect(withoutManagers(dry)).To(Equal(withoutManagers(settled)), "compared by a dry run")

	By("a pin is a commit, and so is its end")
	w.startOperator()
	Expect(unstructured.SetNestedField(repository[0].Object, "shop-1-0-0", "spec", "releaseName")).To(Succeed())
	w.sync(ctx, tool, repository)
	w.untilSettled(ctx, "1.0.0")
	unstructured.RemoveNestedField(repository[0].Object, "spec", "releaseName")
	w.sync(ctx, tool, repository)
	w.untilSettled(ctx, "1.0.0")
	track, err := w.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	Expect(track.Spec.ReleaseName).To(BeEmpty())
	w.sync(ctx, tool, append(repository, manifestOf(w.release("3.0.0"))))
	w.untilSettled(ctx, "3.0.0")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "2.0.0:100", "1.0.0:100", "3.0.0:100"}))
})
