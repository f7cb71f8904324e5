package admission

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
)

var _ = Describe("What bounds the size of a release", func() {
	meta := func() metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: newNamespace(), Name: "shop-1-web", Labels: map[string]string{v1alpha1.LabelRelease: "shop-1"}, OwnerReferences: ownedBy("shop-1")}
	}

	It("is its autoscaler, which the operator alone changes", func() {
		autoscaler := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta(), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "shop-1-web"},
			MinReplicas:    ptr.To[int32](2), MaxReplicas: 4,
		}}
		Expect(operator.Create(ctx, autoscaler)).To(Succeed())
		says := And(ContainSubstring("STRATA-020"), ContainSubstring("release shop-1"), ContainSubstring("spec.capacity"))
		for _, change := range []string{`{"spec":{"maxReplicas":9}}`, `{"metadata":{"labels":{"a":"b"}}}`, `{"metadata":{"annotations":{"a":"b"}}}`, `{"metadata":{"finalizers":["a.b/c"]}}`} {
			Expect(admin.Patch(ctx, autoscaler.DeepCopy(), mergePatch(change))).To(MatchError(says), change)
		}
		old := &autoscalingv1.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: autoscaler.Namespace, Name: autoscaler.Name}}
		Expect(admin.Patch(ctx, old, mergePatch(`{"spec":{"minReplicas":1}}`))).To(MatchError(says))
		Expect(admin.Patch(ctx, autoscaler.DeepCopy(), mergePatch(`{"spec":{"maxReplicas":4}}`))).To(Succeed())
		Expect(operator.Patch(ctx, autoscaler, mergePatch(`{"spec":{"minReplicas":4}}`))).To(Succeed())
	})

	It("is its PodDisruptionBudget, which nobody changes", func() {
		budget := &policyv1.PodDisruptionBudget{ObjectMeta: meta(), Spec: policyv1.PodDisruptionBudgetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelRelease: "shop-1"}}, MaxUnavailable: ptr.To(intstr.FromInt32(1)),
		}}
		Expect(operator.Create(ctx, budget)).To(Succeed())
		Expect(admin.Patch(ctx, budget.DeepCopy(), mergePatch(`{"spec":{"maxUnavailable":"100%"}}`))).
			To(MatchError(And(ContainSubstring("STRATA-021"), ContainSubstring("release shop-1"))))
		budget.Status.ExpectedPods = 2
		Expect(controllerOf("disruption-controller").Status().Update(ctx, budget)).To(Succeed())
	})
})
