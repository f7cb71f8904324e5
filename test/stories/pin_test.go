package stories

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

func (w *world) pin(ctx context.Context, release string) {
	GinkgoHelper()
	track, err := w.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	w.patch(ctx, track, `{"spec":{"releaseName":`+release+`}}`)
}

var _ = story("a pin to an older release serves it again, without tests or steps", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(warm(0), harness.Steps(harness.Step(50, 1))), w.release("1.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
	w.untilGone(ctx, "1.0.0")
	w.pin(ctx, `"shop-1-0-0"`)
	w.untilSettled(ctx, "1.0.0")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "1.0.0:50 2.0.0:50", "2.0.0:100", "1.0.0:100"}))
	Expect(w.recordsOf(ctx, "1.0.0", v1alpha1.EventTestFinished)).To(HaveLen(1), "the test of a promoted release ran again")

	By("a newer release waits for the pin to go")
	w.create(ctx, w.release("3.0.0"))
	w.untilRelease(ctx, "3.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False Waiting"), ContainSubstring("shop-1-0-0")))
	w.pin(ctx, `null`)
	w.untilSettled(ctx, "3.0.0")
})

var _ = story("a pin to a release that does not exist stalls the track, and what serves serves on until it is there", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	w.pin(ctx, `"shop-2-0-0"`)
	w.untilTrack(ctx, v1alpha1.ConditionStalled, And(HavePrefix("Stalled=True PinnedReleaseMissing"), ContainSubstring("shop-2-0-0")))
	w.untilTrack(ctx, v1alpha1.ConditionReady, HavePrefix("Ready=False Stalled"))
	Consistently(ctx, func() string { return w.weights(ctx) }).WithTimeout(500 * time.Millisecond).Should(Equal("1.0.0:100"))
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
})

var _ = story("a release without its track says so, and goes when the track is there", func(ctx context.Context, w *world) {
	w.create(ctx, w.release("1.0.0"))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False TrackNotFound"), ContainSubstring("ReleaseTrack shop")))
	Expect(w.deployments(ctx, "1.0.0")).To(BeEmpty())
	w.create(ctx, w.track())
	w.untilSettled(ctx, "1.0.0")
})

var _ = story("two releases with one version: the first has it, the second is never deployed and says why", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	second := w.release("1.0.0", harness.Replicas(1), harness.Flags("--color=red"))
	second.Name = "shop-again"
	w.create(ctx, second)
	Eventually(ctx, func() (string, error) {
		live := &v1alpha1.ImmutableRelease{}
		w.get(ctx, live, "shop-again")
		return harness.ConditionLine(live.Status.Conditions, v1alpha1.ConditionReady), nil
	}).Should(And(HavePrefix("Ready=False"), ContainSubstring("1.0.0"), ContainSubstring("shop-1-0-0")))
	Consistently(ctx, func() []string { return w.moves() }).WithTimeout(500 * time.Millisecond).Should(Equal([]string{"1.0.0:100"}))
	Expect(w.deployments(ctx, "again")).To(BeEmpty())
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
})
