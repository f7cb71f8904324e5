//go:build e2e

package e2e

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// autoscaled gives web an autoscaler of 2 to 10 pods and a PodDisruptionBudget. The
// cluster measures nothing: such an autoscaler keeps its bounds, and else leaves a
// size as it finds it.
func autoscaled(r *v1alpha1.ImmutableRelease) {
	r.Spec.Components[0].Autoscaling = &v1alpha1.ComponentAutoscaling{MinReplicas: 2, MaxReplicas: 10}
	r.Spec.Components[0].Disruption = &v1alpha1.ComponentDisruption{MaxUnavailable: ptr.To(intstr.FromInt32(1))}
}

// sizeOfWeb is "least..most, available of asked": the autoscaler, then the Deployment.
func (w *world) sizeOfWeb(ctx context.Context, version string) (string, error) {
	name := types.NamespacedName{Namespace: w.namespace, Name: harness.ReleaseName(version) + "-web"}
	autoscaler, deployment := &autoscalingv2.HorizontalPodAutoscaler{}, &appsv1.Deployment{}
	if err := w.Client.Get(ctx, name, autoscaler); err != nil {
		return "", err
	}
	if err := w.Client.Get(ctx, name, deployment); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d..%d, %d of %d", *autoscaler.Spec.MinReplicas, autoscaler.Spec.MaxReplicas,
		deployment.Status.AvailableReplicas, *deployment.Spec.Replicas), nil
}

func (w *world) untilSize(ctx context.Context, version, want string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		got, err := w.sizeOfWeb(ctx, version)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got).To(Equal(want), "size of web of %s", version)
	}).WithTimeout(patience).Should(Succeed())
}

var _ = story("a release beside one that was scaled to 6 pods has 6 before it takes weight, and the old one keeps them while it is warm",
	Label("traffic", "going-live", "scenario-7"), func(ctx context.Context, w *world) {
		track := w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 2)), func(t *v1alpha1.ReleaseTrack) {
			t.Spec.Capacity = []v1alpha1.ComponentCapacity{{ComponentName: "web", Replicas: 6}}
		})
		w.goLive(ctx, 60, track, w.NewRelease(w.namespace, "1.0.0", autoscaled))
		w.untilSize(ctx, "1.0.0", "6..10, 6 of 6")
		By("the override is gone, and the autoscaler, which knows no load, leaves the size")
		w.patch(ctx, track, `{"spec":{"capacity":null}}`)
		w.untilSize(ctx, "1.0.0", "2..10, 6 of 6")
		before := w.pods(ctx, "1.0.0")
		Expect(before).To(HaveLen(6))

		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", autoscaled))
		w.untilWeight(ctx, "2.0.0", 20)
		w.expectReadyBefore(ctx, "2.0.0", 6, w.recordsOf(ctx, "2.0.0", v1alpha1.EventWeightSet)[0])
		w.untilSize(ctx, "1.0.0", "6..10, 6 of 6")
		w.untilSize(ctx, "2.0.0", "6..10, 6 of 6")

		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
		w.untilSize(ctx, "1.0.0", "6..10, 6 of 6")
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before), "the pods of 1.0.0, which stays warm")
		budget := &policyv1.PodDisruptionBudget{}
		Expect(w.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: harness.ReleaseName("2.0.0") + "-web"}, budget)).To(Succeed())
		Expect(budget.Spec.MaxUnavailable).To(Equal(ptr.To(intstr.FromInt32(1))))
	})

// expectReadyBefore: so many pods of a version were ready when a record was written.
func (w *world) expectReadyBefore(ctx context.Context, version string, pods int, record v1alpha1.ReleaseRecord) {
	GinkgoHelper()
	all, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	ready := 0
	for _, pod := range all {
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && !c.LastTransitionTime.After(record.Spec.Time.Time) {
				ready++
			}
		}
	}
	Expect(ready).To(Equal(pods), "pods of %s that were ready before record %d", version, record.Spec.Sequence)
}
