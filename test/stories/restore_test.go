package stories

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// bounded has all that a component may own.
func bounded(r *v1alpha1.ImmutableRelease) {
	r.Spec.Components[0].Autoscaling = &v1alpha1.ComponentAutoscaling{MinReplicas: 2, MaxReplicas: 4}
	r.Spec.Components[0].Disruption = &v1alpha1.ComponentDisruption{MaxUnavailable: ptr.To(intstr.FromInt32(1))}
}

// lose deletes what a backup has, and all else that the releases own.
func (w *world) lose(ctx context.Context, backup []*unstructured.Unstructured) {
	GinkgoHelper()
	for _, object := range slices.Backward(backup) {
		Expect(client.IgnoreNotFound(w.Client.Delete(ctx, object.DeepCopy()))).To(Succeed())
	}
	Eventually(ctx, func(g Gomega) {
		for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.PodList{}, &v1alpha1.ReleaseRecordList{}} {
			g.Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
			items, err := unstructuredItems(list)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(items).To(BeZero())
		}
	}).Should(Succeed())
}

func unstructuredItems(list client.ObjectList) (int, error) {
	switch l := list.(type) {
	case *appsv1.DeploymentList:
		return len(l.Items), nil
	case *corev1.PodList:
		return len(l.Items), nil
	case *v1alpha1.ReleaseRecordList:
		return len(l.Items), nil
	}
	return 0, nil
}

// ownersOf are the owners of everything that carries the label of a release, but pods
// and what Kubernetes makes.
func (w *world) expectOwned(ctx context.Context, version string) {
	GinkgoHelper()
	release, err := w.Release(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	name := release.Name
	for _, object := range []client.Object{
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name + "-web"}}, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name + "-web"}},
		&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Name: name + "-web"}},
		&policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: name + "-web"}},
		&appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: name + "-seal"}},
	} {
		Eventually(ctx, func(g Gomega) {
			g.Expect(w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: object.GetName()}, object)).To(Succeed())
			g.Expect(metav1.IsControlledBy(object, release)).To(BeTrue(), "%T %s is owned by %v", object, object.GetName(), object.GetOwnerReferences())
		}).Should(Succeed())
	}
}

var _ = story("a namespace that was restored without status and owners is what it was: no pod is touched, and a Rollback needs no test",
	func(ctx context.Context, w *world) {
		w.startOperator()
		w.create(ctx, w.configMap("settings", "hello"))
		settings := harness.Greeting(v1alpha1.ConfigMapKind, "settings")
		w.goLive(ctx, w.track(), w.release("1.0.0", settings, bounded))
		w.create(ctx, w.release("2.0.0", settings, bounded, w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
		w.untilSettled(ctx, "2.0.0")
		w.stopOperators()
		records := len(w.records(ctx))
		backup, err := w.BackUp(ctx, w.namespace)
		Expect(err).NotTo(HaveOccurred())
		w.lose(ctx, backup)

		By("everything comes back, the track as the last")
		track := backup[len(backup)-1]
		for _, object := range backup[:len(backup)-1] {
			w.create(ctx, object)
		}
		w.startOperator()
		Eventually(ctx, func() int { return len(w.pods(ctx, "2.0.0")) }).Should(BeNumerically(">", 0))
		pods := [][]string{w.pods(ctx, "1.0.0"), w.pods(ctx, "2.0.0")}
		w.create(ctx, track)

		By("it is what it was")
		w.untilSettled(ctx, "2.0.0")
		w.expectOwned(ctx, "1.0.0")
		w.expectOwned(ctx, "2.0.0")
		Expect(w.recordsOf(ctx, "1.0.0", v1alpha1.EventRestored)).To(HaveLen(1))
		Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventRestored)).To(HaveLen(1))
		Expect(w.records(ctx)).To(HaveLen(records + 2))
		Expect([][]string{w.pods(ctx, "1.0.0"), w.pods(ctx, "2.0.0")}).To(Equal(pods))
		Expect(w.weights(ctx)).To(Equal("2.0.0:100"))

		By("it can be gone back")
		w.act(ctx, v1alpha1.ActionRollback, "1.0.0")
		w.untilServed(ctx, "1.0.0:100")
		Expect(w.pods(ctx, "1.0.0")).To(Equal(pods[0]))
		w.expectIntact(ctx)
	})

var _ = story("what comes back as something else is left alone and serves on, and the track says in what it differs",
	func(ctx context.Context, w *world) {
		w.startOperator()
		w.goLive(ctx, w.track(), w.release("1.0.0"))
		w.stopOperators()
		backup, err := w.BackUp(ctx, w.namespace)
		Expect(err).NotTo(HaveOccurred())
		w.lose(ctx, backup)
		for _, object := range backup {
			if object.GetKind() == "Deployment" {
				Expect(unstructured.SetNestedField(object.Object, int64(7), "spec", "minReadySeconds")).To(Succeed())
			}
			w.create(ctx, object)
		}
		w.startOperator()
		w.untilTrack(ctx, v1alpha1.ConditionStalled, And(HavePrefix("Stalled=True RestoredDiffers"), ContainSubstring("Deployment shop-1-0-0-web"), ContainSubstring("spec.minReadySeconds is 7, sealed 2")))
		Expect(w.deployments(ctx, "1.0.0")).To(HaveLen(1))
		Expect(w.deployments(ctx, "1.0.0")[0].OwnerReferences).To(BeEmpty())
		Expect(*w.deployments(ctx, "1.0.0")[0].Spec.Replicas).To(BeNumerically(">", 0))
		Expect(w.weights(ctx)).To(Equal("1.0.0:100"))

		By("what is removed is made again as it was sealed")
		Expect(w.Client.Delete(ctx, &w.deployments(ctx, "1.0.0")[0])).To(Succeed())
		w.untilSettled(ctx, "1.0.0")
		Expect(w.deployments(ctx, "1.0.0")[0].OwnerReferences).To(HaveLen(1))
	})
