//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

var _ = story("a rollback to a release scaled to zero brings it up first, and nothing is dropped",
	Label("traffic", "going-back", "scenario-16"), func(ctx context.Context, w *world) {
		track := w.NewTrack(w.namespace, func(t *v1alpha1.ReleaseTrack) { t.Spec.Retention.WarmReleases = ptr.To[int32](0) })
		w.goLive(ctx, 60, track, w.NewRelease(w.namespace, "1.0.0"))
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilGone(ctx, "1.0.0")
		w.allow(ctx, "ann", "rollback")

		intent := time.Now()
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))).To(Succeed())
		recalled := w.untilRecord(ctx, "1.0.0", v1alpha1.EventRecalled)
		rolledBack := w.untilRecord(ctx, "2.0.0", v1alpha1.EventRolledBack)
		Expect(harness.Weights(recalled)).To(Equal(map[string]int32{harness.ReleaseName("2.0.0"): 100}), "nothing moves before it is up")
		Expect(harness.Weights(rolledBack)).To(Equal(map[string]int32{harness.ReleaseName("1.0.0"): 100}))
		Expect(rolledBack.Spec.ActionName).To(Equal("back"))
		Expect(rolledBack.Spec.Actor).To(Equal("ann"))
		w.note("rollback to a release without pods: intent to record %s", rolledBack.Spec.Time.Sub(intent).Round(time.Millisecond))

		w.untilAnswers(ctx, "1.0.0")
		pods, err := w.Pods(ctx, w.namespace, "1.0.0")
		Expect(err).NotTo(HaveOccurred())
		Expect(pods).To(HaveLen(2))
		for _, pod := range pods {
			Expect(pod.CreationTimestamp.Time).To(BeTemporally(">=", intent.Truncate(time.Second)))
			Expect(readyTime(pod)).To(BeTemporally("<=", rolledBack.Spec.Time.Time), "pod %s takes traffic before it is ready", pod.Name)
		}
		Expect(w.moves(intent)).To(Equal([]string{"1.0.0:100"}))
		w.untilGone(ctx, "2.0.0")
		time.Sleep(2 * settleTime)
		w.expectOnly("1.0.0", time.Now().Add(-settleTime))
	})

// readyTime is when a pod became ready; the end of time while it is not.
func readyTime(pod corev1.Pod) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Unix(1<<40, 0)
}
