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

// It measures seconds on the wire.
var _ = alone("a promoted release is rolled back to the same warm pods, in one write and within 1.5 s on the wire",
	Label("traffic", "going-back", "scenario-15"), func(ctx context.Context, w *world) {
		smoke := w.Test("smoke", v1alpha1.BeforeTraffic, 60, "smoke")
		w.goLiveUnasked(ctx, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0", smoke))
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", smoke))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
	}, func(ctx context.Context, w *world) {
		w.startLoad(ctx, 150)
		before := w.pods(ctx, "1.0.0")
		shifted := time.Now().Add(settleTime)
		time.Sleep(2 * settleTime)
		w.expectOnly("2.0.0", shifted)
		w.allow(ctx, "ann", "rollback")
		jobs, err := w.Jobs(ctx, w.namespace, "1.0.0")
		Expect(err).NotTo(HaveOccurred())
		tests := len(w.recordsOf(ctx, "1.0.0", v1alpha1.EventTestStarted))

		intent := time.Now()
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))).To(Succeed())
		w.untilRecord(ctx, "2.0.0", v1alpha1.EventRolledBack)
		time.Sleep(4 * time.Second)

		done, all := w.load.Since(intent).NewConnections().AllFrom("1.0.0")
		Expect(all).To(BeTrue(), "new connections still reach 2.0.0")
		states, err := w.routes.Since(intent)
		Expect(err).NotTo(HaveOccurred())
		Expect(states).NotTo(BeEmpty())
		w.note("rollback: intent to weights written %s, to every new connection %s",
			states[0].Time.Sub(intent).Round(time.Millisecond), done.Sub(intent).Round(time.Millisecond))
		Expect(done.Sub(intent)).To(BeNumerically("<=", 1500*time.Millisecond))

		Expect(w.moves(intent)).To(Equal([]string{"1.0.0:100"}))
		rolledBack := w.recordsOf(ctx, "2.0.0", v1alpha1.EventRolledBack)
		Expect(rolledBack).To(HaveLen(1))
		Expect(rolledBack[0].Spec.Actor).To(Equal("ann"))
		Expect(rolledBack[0].Spec.ActionName).To(Equal("back"))
		By("the track says that the newest release does not serve, and why")
		Eventually(ctx, func(g Gomega) {
			track, err := w.Track(ctx, w.namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(track.Status.StableReleaseName).To(Equal(harness.ReleaseName("1.0.0")))
			g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionStalled)).
				To(And(HavePrefix("Stalled=True RolledBack"), ContainSubstring(harness.ReleaseName("2.0.0")), ContainSubstring("ann")))
			g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionTrafficShifted)).To(HavePrefix("TrafficShifted=True"))
		}).WithTimeout(patience).Should(Succeed())
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before), "the same pods serve again")
		Expect(w.recordsOf(ctx, "1.0.0", v1alpha1.EventTestStarted)).To(HaveLen(tests), "no test ran")
		after, err := w.Jobs(ctx, w.namespace, "1.0.0")
		Expect(err).NotTo(HaveOccurred())
		Expect(len(after)).To(BeNumerically("<=", len(jobs)), "no Job was created")
	})
