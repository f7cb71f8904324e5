//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// restartPods deletes the pods of a version one after the other, each when its
// replacement is ready, and expects that none of the former is left.
func (w *world) restartPods(ctx context.Context, version string) {
	GinkgoHelper()
	former, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	uids := map[types.UID]bool{}
	for i := range former {
		uids[former[i].UID] = true
		Expect(w.Client.Delete(ctx, &former[i])).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			pods, err := w.Pods(ctx, w.namespace, version)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(pods).To(HaveLen(len(former)))
			for _, pod := range pods {
				g.Expect(pod.UID).NotTo(Equal(former[i].UID))
				g.Expect(isReady(pod)).To(BeTrue(), "pod %s is not ready", pod.Name)
			}
		}).WithTimeout(patience).Should(Succeed())
	}
	pods, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	for _, pod := range pods {
		Expect(uids).NotTo(HaveKey(pod.UID), "pod %s was not restarted", pod.Name)
	}
}

func isReady(pod corev1.Pod) bool {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// expectConfig: every pod of a version answers with this config value.
func (w *world) expectConfig(ctx context.Context, version, value string) {
	GinkgoHelper()
	pods, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	heard := map[string]bool{}
	Eventually(ctx, func(g Gomega) {
		got, err := w.ask(ctx, "/")
		g.Expect(err).NotTo(HaveOccurred())
		Expect(got.Config).To(Equal(value), "config of pod %s", got.Pod)
		heard[got.Pod] = true
		for _, pod := range pods {
			g.Expect(heard).To(HaveKey(pod.Name), "pod %s did not answer yet", pod.Name)
		}
	}).WithTimeout(30 * time.Second).WithPolling(50 * time.Millisecond).Should(Succeed())
}

var _ = story("pods of a release read the configuration that it was sealed with, whatever becomes of the live one",
	Label("not-changing", "scenario-20"), func(ctx context.Context, w *world) {
		config := &corev1.ConfigMap{Data: map[string]string{"greeting": "hello"}}
		config.Namespace, config.Name = w.namespace, "shop-settings"
		w.create(ctx, config)
		w.goLive(ctx, 40, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "shop-settings")))
		w.expectConfig(ctx, "1.0.0", "hello")

		By("the live ConfigMap changes")
		w.patch(ctx, config, `{"data":{"greeting":"goodbye"}}`)
		w.restartPods(ctx, "1.0.0")
		w.expectConfig(ctx, "1.0.0", "hello")

		By("the live ConfigMap is deleted")
		Expect(w.Client.Delete(ctx, config)).To(Succeed())
		w.restartPods(ctx, "1.0.0")
		w.expectConfig(ctx, "1.0.0", "hello")

		By("a release that is sealed later has the configuration of its own time")
		config = &corev1.ConfigMap{Data: map[string]string{"greeting": "good morning"}}
		config.Namespace, config.Name = w.namespace, "shop-settings"
		w.create(ctx, config)
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "shop-settings")))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilAnswers(ctx, "2.0.0")
		time.Sleep(settleTime)
		w.expectConfig(ctx, "2.0.0", "good morning")

		var copies corev1.ConfigMapList
		Expect(w.Client.List(ctx, &copies, client.InNamespace(w.namespace), client.HasLabels{v1alpha1.LabelRelease})).To(Succeed())
		Expect(copies.Items).To(HaveLen(2))
		for _, c := range copies.Items {
			Expect(c.Immutable).To(HaveValue(BeTrue()), "copy %s", c.Name)
		}
	})
