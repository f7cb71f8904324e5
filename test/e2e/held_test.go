//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// untilHeld waits until exactly these versions are held.
func (w *world) untilHeld(ctx context.Context, versions ...string) {
	GinkgoHelper()
	names := []string{}
	for _, version := range versions {
		names = append(names, harness.ReleaseName(version))
	}
	Eventually(ctx, func(g Gomega) {
		var held v1alpha1.ImmutableReleaseList
		g.Expect(w.Client.List(ctx, &held, client.InNamespace(w.namespace), client.HasLabels{v1alpha1.LabelHeld})).To(Succeed())
		found := []string{}
		for i := range held.Items {
			found = append(found, held.Items[i].Name)
		}
		g.Expect(found).To(ConsistOf(names))
	}).WithTimeout(patience).Should(Succeed())
}

// expectRefused tries to delete releases, which are held.
func (w *world) expectRefused(ctx context.Context, versions ...string) {
	GinkgoHelper()
	for _, version := range versions {
		err := w.Client.Delete(ctx, w.NewRelease(w.namespace, version))
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s: %v", version, err)
		Expect(err).To(MatchError(And(ContainSubstring("is held by track shop"), ContainSubstring("publish a newer one"))))
	}
}

// scaleOperator sets the number of the operator's pods, and waits until they are gone
// or answer.
func (w *world) scaleOperator(ctx context.Context, replicas int32) {
	GinkgoHelper()
	Expect(w.ScaleOperator(ctx, replicas)).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		var pods corev1.PodList
		g.Expect(w.Client.List(ctx, &pods, client.InNamespace(w.OperatorNamespace))).To(Succeed())
		ready := int32(0)
		for i := range pods.Items {
			for _, c := range pods.Items[i].Status.Conditions {
				if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
					ready++
				}
			}
		}
		g.Expect(ready).To(Equal(replicas))
		g.Expect(pods.Items).To(HaveLen(int(replicas)))
	}).WithTimeout(patience).Should(Succeed())
}

// It takes the operator away.
var _ = alone("what serves, stands by or is pinned is not deleted, also with the operator down; without its track the application serves on",
	Label("deleting", "scenario-26"), func(ctx context.Context, w *world) {
		w.goLiveUnasked(ctx, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.create(ctx, w.NewRelease(w.namespace, "3.0.0", w.Test("basket", v1alpha1.BeforeTraffic, 60, "fail")))
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventFailed)
		w.untilHeld(ctx, "1.0.0", "2.0.0")
		w.patch(ctx, w.NewTrack(w.namespace), `{"spec":{"releaseName":"shop-3-0-0"}}`)
		w.untilHeld(ctx, "1.0.0", "2.0.0", "3.0.0")
	}, func(ctx context.Context, w *world) {
		w.startLoad(ctx, 40)
		DeferCleanup(func(ctx SpecContext) { w.scaleOperator(ctx, 1) })
		w.expectRefused(ctx, "1.0.0", "2.0.0", "3.0.0")
		before, start := w.pods(ctx, "2.0.0"), time.Now()

		By("the operator is down")
		w.scaleOperator(ctx, 0)
		w.expectRefused(ctx, "1.0.0", "2.0.0", "3.0.0")
		err := w.Client.DeleteAllOf(ctx, &v1alpha1.ImmutableRelease{}, client.InNamespace(w.namespace))
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)

		By("the track goes, and nobody holds anything any more")
		Expect(w.Client.Delete(ctx, w.NewTrack(w.namespace))).To(Succeed())
		w.expectRefused(ctx, "2.0.0")
		w.scaleOperator(ctx, 1)
		w.untilHeld(ctx)
		Expect(w.Client.Delete(ctx, w.NewRelease(w.namespace, "2.0.0"), client.DryRunAll)).To(Succeed())
		time.Sleep(3 * time.Second)
		w.expectOnly("2.0.0", start)
		Expect(w.pods(ctx, "2.0.0")).To(Equal(before))

		By("a track of the name goes on from there")
		w.create(ctx, w.NewTrack(w.namespace))
		w.untilHeld(ctx, "1.0.0", "2.0.0")
		Expect(w.pods(ctx, "2.0.0")).To(Equal(before))
		Expect(w.moves(start)).To(BeEmpty())
	})

var _ = story("idle releases beyond the limit go, but none that is held or that a GitOps tool owns; the log stays, and one that comes back is not deployed",
	Label("deleting", "scenario-27"), func(ctx context.Context, w *world) {
		none, one := int32(0), int32(1)
		w.goLive(ctx, 40, w.NewTrack(w.namespace, func(t *v1alpha1.ReleaseTrack) {
			t.Spec.Retention = &v1alpha1.RetentionSpec{WarmReleases: &none, HistoryLimit: &one}
		}), w.NewRelease(w.namespace, "1.0.0"))
		for _, version := range []string{"2.0.0", "3.0.0", "4.0.0", "5.0.0"} {
			release := w.NewRelease(w.namespace, version)
			if version == "2.0.0" {
				release.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "shop:strata.dev/ImmutableRelease:" + w.namespace + "/" + release.Name}
			}
			w.create(ctx, release)
			w.untilVerdict(ctx, version, v1alpha1.EventPromoted)
		}
		Eventually(ctx, func(g Gomega) {
			var left v1alpha1.ImmutableReleaseList
			g.Expect(w.Client.List(ctx, &left, client.InNamespace(w.namespace))).To(Succeed())
			names := []string{}
			for i := range left.Items {
				names = append(names, left.Items[i].Name)
			}
			g.Expect(names).To(ConsistOf("shop-2-0-0", "shop-4-0-0", "shop-5-0-0"))
		}).WithTimeout(patience).Should(Succeed())
		Expect(w.recordsOf(ctx, "1.0.0", v1alpha1.EventPromoted)).To(HaveLen(1))

		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "1.0.0"))
		time.Sleep(5 * time.Second)
		w.expectOnly("5.0.0", start)
		Expect(w.pods(ctx, "1.0.0")).To(BeEmpty())
		Expect(w.recordsOf(ctx, "1.0.0", v1alpha1.EventAttemptOpened)).To(HaveLen(1))
	})

var _ = story("an application is taken out of Strata as docs/uninstall.md says, and serves on; it comes back, and no pod is touched",
	Label("deleting", "uninstall", "scenario-31", "scenario-26"), func(ctx context.Context, w *world) {
		w.goLive(ctx, 40, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		w.untilHeld(ctx, "1.0.0")
		before, start := w.pods(ctx, "1.0.0"), time.Now()

		Expect(w.Client.Delete(ctx, w.NewTrack(w.namespace))).To(Succeed())
		w.untilHeld(ctx)
		Expect(w.Client.DeleteAllOf(ctx, &v1alpha1.ImmutableRelease{}, client.InNamespace(w.namespace), client.PropagationPolicy(metav1.DeletePropagationOrphan))).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			var left v1alpha1.ImmutableReleaseList
			g.Expect(w.Client.List(ctx, &left, client.InNamespace(w.namespace))).To(Succeed())
			g.Expect(left.Items).To(BeEmpty())
		}).WithTimeout(patience).Should(Succeed())
		var deployments appsv1.DeploymentList
		Expect(w.Client.List(ctx, &deployments, client.InNamespace(w.namespace))).To(Succeed())
		Expect(deployments.Items).To(HaveLen(1))
		Expect(deployments.Items[0].OwnerReferences).To(BeEmpty())
		time.Sleep(5 * time.Second)
		w.expectOnly("1.0.0", start)
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before))

		By("it comes back")
		w.create(ctx, w.NewRelease(w.namespace, "1.0.0"), w.NewTrack(w.namespace))
		w.untilRecord(ctx, "1.0.0", v1alpha1.EventRestored)
		w.untilSettled(ctx, "1.0.0")
		w.untilHeld(ctx, "1.0.0")
		w.expectOwned(ctx, "1.0.0")
		w.expectOnly("1.0.0", start)
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
	})
