//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

var _ = story("a pinned release that was rolled back: the track says so, and does not fight",
	Label("going-back", "scenario-17"), func(ctx context.Context, w *world) {
		track := w.NewTrack(w.namespace)
		w.goLive(ctx, 60, track, w.NewRelease(w.namespace, "1.0.0"))
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		w.patch(ctx, track, `{"spec":{"releaseName":"shop-2-0-0"}}`)
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
		w.allow(ctx, "ann", "rollback")

		intent := time.Now()
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))).To(Succeed())
		w.untilRecord(ctx, "2.0.0", v1alpha1.EventRolledBack)
		saysSo := func() {
			GinkgoHelper()
			Eventually(ctx, func(g Gomega) {
				track, err := w.Track(ctx, w.namespace)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(track.Status.StableReleaseName).To(Equal(harness.ReleaseName("1.0.0")))
				line := harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionStalled)
				g.Expect(line).To(HavePrefix("Stalled=True RolledBack"))
				for _, word := range []string{harness.ReleaseName("2.0.0"), "spec.releaseName", harness.ReleaseName("1.0.0"), "back by ann"} {
					g.Expect(line).To(ContainSubstring(word))
				}
			}).WithTimeout(patience).Should(Succeed())
		}
		saysSo()

		By("the pin stays, the operator restarts: nothing moves")
		Expect(w.RestartOperator(ctx)).To(Succeed())
		records := len(w.records(ctx))
		Consistently(ctx, func() int { return len(w.recordsOf(ctx, "2.0.0", v1alpha1.EventAttemptOpened)) }).
			WithTimeout(12 * time.Second).WithPolling(time.Second).Should(Equal(1))
		saysSo()
		Expect(w.moves(intent)).To(Equal([]string{"1.0.0:100"}))
		// That its weight was confirmed may still be recorded; no more than that.
		Expect(len(w.records(ctx)) - records).To(BeNumerically("<=", 1))

		By("the pin moves to what serves: all is well")
		w.patch(ctx, track, `{"spec":{"releaseName":"shop-1-0-0"}}`)
		w.untilSettled(ctx, "1.0.0")
		w.expectOnly("1.0.0", time.Now().Add(-2*settleTime))
	})
