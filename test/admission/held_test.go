package admission

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

const (
	putMark  = `{"metadata":{"labels":{"strata.dev/held":"7"}}}`
	liftMark = `{"metadata":{"labels":{"strata.dev/held":null}}}`
)

var _ = Describe("A release that is held", func() {
	var (
		namespace string
		rel       *v1alpha1.ImmutableRelease
	)
	BeforeEach(func() {
		namespace = newNamespace()
		rel = newRelease(namespace, "shop-1", "shop", "1")
		Expect(admin.Create(ctx, rel)).To(Succeed())
		Expect(operator.Patch(ctx, rel, mergePatch(putMark))).To(Succeed())
	})

	It("is deleted by nobody, one by one or with others, and the refusal says what to do", func() {
		err := admin.Delete(ctx, rel)
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
		Expect(err).To(MatchError(And(ContainSubstring("STRATA-030"), ContainSubstring("release shop-1 is held by track shop"), ContainSubstring("stands by"), ContainSubstring("publish a newer one"))))
		rel.Status.WeightPercent = 25
		Expect(operator.Status().Patch(ctx, rel, mergePatch(`{"status":{"weightPercent":25}}`))).To(Succeed())
		Expect(admin.Delete(ctx, rel)).To(MatchError(ContainSubstring("it serves 25 % of the traffic")))
		Expect(admin.DeleteAllOf(ctx, &v1alpha1.ImmutableRelease{}, client.InNamespace(namespace))).To(MatchError(ContainSubstring("STRATA-030")))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(rel), rel)).To(Succeed())
		Expect(rel.DeletionTimestamp).To(BeNil())
	})

	It("goes with its namespace, and with the owner that it always had", func() {
		for _, controller := range []string{"namespace-controller", "generic-garbage-collector"} {
			user := as(rest.ImpersonationConfig{UserName: "system:serviceaccount:kube-system:" + controller, Groups: []string{"system:masters"}})
			Expect(user.Delete(ctx, rel, client.DryRunAll)).To(Succeed())
		}
		owned := rel.DeepCopy()
		owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "trap", UID: "f0f1"}}
		Expect(admin.Update(ctx, owned)).To(MatchError(ContainSubstring("STRATA-031")))
	})

	It("keeps its mark: nobody else writes it or takes it", func() {
		Expect(admin.Patch(ctx, rel, mergePatch(liftMark))).To(MatchError(ContainSubstring("strata.dev/")))
		Expect(admin.Patch(ctx, rel, mergePatch(`{"metadata":{"labels":{"strata.dev/held":"8"}}}`))).To(MatchError(ContainSubstring("strata.dev/")))
		other := newRelease(namespace, "shop-2", "shop", "2")
		other.Labels = map[string]string{v1alpha1.LabelHeld: "7"}
		Expect(admin.Create(ctx, other)).To(MatchError(ContainSubstring("strata.dev/")))
		other.Labels = nil
		Expect(admin.Create(ctx, other)).To(Succeed())
		Expect(admin.Patch(ctx, other, mergePatch(putMark))).To(MatchError(ContainSubstring("strata.dev/")))
	})

	It("takes the same manifest again, applied or replaced, and is held as before", func() {
		path := releaseManifest()
		output, err := kubectl(nil, "-n", namespace, "apply", "-f", path)
		Expect(err).NotTo(HaveOccurred(), output)
		applied := &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop-1-4-2"}}
		Expect(operator.Patch(ctx, applied, mergePatch(putMark))).To(Succeed())
		by := applied.Annotations[v1alpha1.AnnotationRequestedBy]
		for _, way := range [][]string{{"apply"}, {"replace"}, {"apply", "--server-side", "--force-conflicts"}, {"apply"}, {"replace"}, {"replace"}, {"apply", "--server-side", "--force-conflicts"}, {"replace"}} {
			output, err := kubectl(nil, append(append([]string{"-n", namespace}, way...), "-f", path)...)
			Expect(err).NotTo(HaveOccurred(), "%v: %s", way, output)
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(applied), applied)).To(Succeed())
			Expect(applied.Labels).To(HaveKeyWithValue(v1alpha1.LabelHeld, "7"), "%v", way)
			Expect(applied.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationRequestedBy, by), "%v", way)
		}
	})

	It("keeps its mark where somebody takes all that the operator wrote", func() {
		Expect(admin.Patch(ctx, rel, mergePatch(`{"metadata":{"labels":null,"annotations":null}}`))).To(Succeed())
		Expect(rel.Labels).To(HaveKeyWithValue(v1alpha1.LabelHeld, "7"))
		Expect(rel.Annotations).To(HaveKey(v1alpha1.AnnotationRequestedBy))
		Expect(admin.Patch(ctx, rel, mergePatch(`{"metadata":{"labels":{"strata.dev/held":"8"},"annotations":null}}`))).To(MatchError(ContainSubstring("strata.dev/")))
	})

	It("can be deleted once it is let go", func() {
		Expect(operator.Patch(ctx, rel, mergePatch(liftMark))).To(Succeed())
		Expect(admin.Delete(ctx, rel)).To(Succeed())
	})
})

var _ = Describe("The CRDs, while a release is held", Ordered, func() {
	crd := func(name string) *unstructured.Unstructured {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
		object.SetName(name)
		return object
	}
	names := []string{"immutablereleases.strata.dev", "releasetracks.strata.dev", "releaserecords.strata.dev", "releaseactions.strata.dev", "releasepolicies.strata.dev"}
	BeforeAll(func() {
		for _, name := range names {
			Expect(operator.Patch(ctx, crd(name), mergePatch(`{"metadata":{"labels":{"strata.dev/held":"true"}}}`))).To(Succeed())
		}
		DeferCleanup(func() {
			for _, name := range names {
				Expect(operator.Patch(ctx, crd(name), mergePatch(liftMark))).To(Succeed())
				Expect(admin.Delete(ctx, crd(name), client.DryRunAll)).To(Succeed())
			}
		})
	})

	It("are not removed, and keep their mark", func() {
		for _, name := range names {
			Expect(admin.Delete(ctx, crd(name))).To(MatchError(And(ContainSubstring("STRATA-032"), ContainSubstring("docs/uninstall.md"))))
			Expect(admin.Patch(ctx, crd(name), mergePatch(liftMark))).To(MatchError(ContainSubstring("STRATA-033")))
		}
	})

	It("forget no field of a spec, however deep it stands", func() {
		for _, field := range [][]string{{"version"}, {"components", "items", "properties", "template"},
			{"components", "items", "properties", "template", "properties", "spec", "properties", "containers", "items", "properties", "livenessProbe", "properties", "httpGet", "properties", "httpHeaders", "items", "properties", "value"}} {
			weaker := crd(names[0])
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(weaker), weaker)).To(Succeed())
			version := weaker.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
			path := append([]string{"schema", "openAPIV3Schema", "properties", "spec", "properties"}, field...)
			parent, _, err := unstructured.NestedMap(version, path[:len(path)-2]...)
			Expect(err).NotTo(HaveOccurred())
			Expect(parent["properties"]).To(HaveKey(field[len(field)-1]))
			unstructured.RemoveNestedField(version, path...)
			// What speaks of the field goes with it, else this is no CRD.
			delete(parent, "required")
			delete(parent, "x-kubernetes-validations")
			delete(parent, "x-kubernetes-list-map-keys")
			if field[0] == "version" {
				delete(version, "additionalPrinterColumns")
			}
			Expect(unstructured.SetNestedMap(version, parent, path[:len(path)-2]...)).To(Succeed())
			unstructured.RemoveNestedField(version, path...)
			Expect(admin.Update(ctx, weaker, client.DryRunAll)).To(MatchError(ContainSubstring("STRATA-035")), "%v", field)
		}
	})

	It("can be upgraded", func() {
		output, err := kubectl(nil, "apply", "--server-side", "--force-conflicts", "-f", repository("config/crd/bases"))
		Expect(err).NotTo(HaveOccurred(), output)
		live := crd(names[0])
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(live), live)).To(Succeed())
		Expect(live.GetLabels()).To(HaveKey(v1alpha1.LabelHeld))
	})
})
