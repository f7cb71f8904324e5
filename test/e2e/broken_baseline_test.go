//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

var scenario14 = Label("traffic", "not-going-live", "scenario-14")

var _ = story("a good release goes live past one that serves errors", scenario14, func(ctx context.Context, w *world) {
	w.forgiven = func(r load.Result) bool { return r.Version == "1.0.0" }
	w.goLive(ctx, 40, w.NewTrack(w.namespace, harness.Steps(harness.Step(50, 5))), w.NewRelease(w.namespace, "1.0.0", harness.Flags("--fail-after=100")))
	Eventually(ctx, func() load.Results { return w.load.Results().Failures() }).WithTimeout(patience).ShouldNot(BeEmpty(), "1.0.0 breaks")

	w.create(ctx, w.NewRelease(w.namespace, "2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60, "smoke")))
	w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
	Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{50, 100}))
	w.untilSettled(ctx, "2.0.0")
	from := time.Now().Add(settleTime)
	time.Sleep(2 * settleTime)
	w.expectOnly("2.0.0", from)
})

var _ = story("a good release goes live at once where nothing is left that serves", early, scenario14, func(ctx context.Context, w *world) {
	w.goLive(ctx, 40, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 60), harness.Step(50, 60))),
		w.NewRelease(w.namespace, "1.0.0", harness.Flags("--unready-after=40s")))
	By("no pod of 1.0.0 is ready any more, and the track says so")
	Eventually(ctx, func(g Gomega) {
		track, err := w.Track(ctx, w.namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionAvailable)).To(HavePrefix("Available=False NoReadyEndpoints"))
	}).WithTimeout(patience).Should(Succeed())

	w.create(ctx, w.NewRelease(w.namespace, "2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60, "smoke")))
	verified := w.untilWeight(ctx, "2.0.0", 100).Spec.State.Routes[0].VerifiedTime.Time
	w.forgiven = func(r load.Result) bool { return r.Version != "2.0.0" && r.Start.Before(verified.Add(settleTime)) }
	w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
	Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{100}), "one write: there is nothing to go back to that would be better")
	w.untilSettled(ctx, "2.0.0")
	time.Sleep(2 * settleTime)
	w.expectOnly("2.0.0", verified.Add(settleTime))
})
