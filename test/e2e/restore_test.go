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

// The namespace is gone for a while, and nobody asks it anything then. What came back
// serves under load before the operator hears of its track.
var _ = story("a namespace restored from a backup without status and owners is adopted as it was: nothing restarts, and what was promoted can be gone back to",
	early, Label("restore", "scenario-31"), func(ctx context.Context, w *world) {
		smoke := w.Test("smoke", v1alpha1.BeforeTraffic, 60, "smoke")
		w.create(ctx, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0", smoke))
		w.untilVerdict(ctx, "1.0.0", v1alpha1.EventPromoted)
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", smoke))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
		backup, err := w.BackUp(ctx, w.namespace)
		Expect(err).NotTo(HaveOccurred())
		records := w.records(ctx)

		By("the namespace is lost, and everything but the track comes back")
		Expect(w.DeleteNamespace(ctx, w.namespace)).To(Succeed())
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(w.Client.Get(ctx, client.ObjectKeyFromObject(namespace), &corev1.Namespace{}))
		}).WithTimeout(2*patience).Should(BeTrue(), "the namespace is still there")
		w.create(ctx, namespace)
		track := backup[len(backup)-1]
		for _, object := range backup[:len(backup)-1] {
			w.create(ctx, object)
		}
		w.untilAnswers(ctx, "2.0.0")
		w.untilAvailable(ctx)
		w.startLoad(ctx, 40)
		before := [][]string{w.pods(ctx, "1.0.0"), w.pods(ctx, "2.0.0")}
		Expect(before[0]).NotTo(BeEmpty(), "1.0.0 stands by")

		By("the track comes back, and is what it was")
		start := time.Now()
		w.create(ctx, track)
		w.untilRecord(ctx, "1.0.0", v1alpha1.EventRestored)
		w.untilRecord(ctx, "2.0.0", v1alpha1.EventRestored)
		w.untilSettled(ctx, "2.0.0")
		w.untilHeld(ctx, "1.0.0", "2.0.0")
		Expect(w.records(ctx)).To(HaveLen(len(records) + 2))
		for _, version := range []string{"1.0.0", "2.0.0"} {
			w.expectOwned(ctx, version)
		}
		time.Sleep(3 * time.Second)
		w.expectOnly("2.0.0", start)
		Expect([][]string{w.pods(ctx, "1.0.0"), w.pods(ctx, "2.0.0")}).To(Equal(before), "no pod is another one, or was restarted")

		By("what was promoted before can be gone back to, in one write and without a test")
		tests := len(w.recordsOf(ctx, "1.0.0", v1alpha1.EventTestStarted))
		w.allow(ctx, "ann", "rollback")
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))).To(Succeed())
		rolledBack := w.untilRecord(ctx, "2.0.0", v1alpha1.EventRolledBack)
		w.expectOnly("1.0.0", rolledBack.Spec.Time.Add(3*time.Second))
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before[0]))
		Expect(w.recordsOf(ctx, "1.0.0", v1alpha1.EventTestStarted)).To(HaveLen(tests))
	})

// untilAvailable waits until every Deployment of the namespace has all its pods.
func (w *world) untilAvailable(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		var all appsv1.DeploymentList
		g.Expect(w.Client.List(ctx, &all, client.InNamespace(w.namespace))).To(Succeed())
		for i := range all.Items {
			g.Expect(all.Items[i].Status.AvailableReplicas).To(Equal(*all.Items[i].Spec.Replicas), all.Items[i].Name)
		}
	}).WithTimeout(patience).Should(Succeed())
}

// expectOwned: the release owns its Deployment, its Service and its seal again.
func (w *world) expectOwned(ctx context.Context, version string) {
	GinkgoHelper()
	release, err := w.Release(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	for object, name := range map[client.Object]string{
		&appsv1.Deployment{}: "-web", &corev1.Service{}: "-web", &appsv1.ControllerRevision{}: "-seal",
	} {
		Eventually(ctx, func(g Gomega) {
			g.Expect(w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: release.Name + name}, object)).To(Succeed())
			g.Expect(metav1.IsControlledBy(object, release)).To(BeTrue(), "%T %s", object, object.GetName())
		}).WithTimeout(patience).Should(Succeed())
	}
}
