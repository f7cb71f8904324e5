package stories

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

var _ = story("a second release goes by steps of 20 and 50, and holds each", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 1), harness.Step(50, 1))), w.release("1.0.0"))
	before := w.pods(ctx, "1.0.0")
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")

	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "1.0.0:80 2.0.0:20", "1.0.0:50 2.0.0:50", "2.0.0:100"}))
	Expect(w.pods(ctx, "1.0.0")).To(Equal(before), "the pods of the warm release are others")

	By("the log says the same, and when")
	var asked []int32
	var verified time.Time
	for _, r := range w.records(ctx) {
		if r.Spec.Release.Version != "2.0.0" {
			continue
		}
		weight := harness.Weights(r)[harness.ReleaseName("2.0.0")]
		switch r.Spec.Event {
		case v1alpha1.EventWeightSet:
			asked = append(asked, weight)
			if weight > 20 {
				Expect(r.Spec.Time.Time).To(BeTemporally(">=", verified.Add(time.Second)), "the hold before %d %% was cut short", weight)
			}
		case v1alpha1.EventWeightVerified:
			verified = r.Spec.Time.Time
		}
	}
	Expect(asked).To(Equal([]int32{20, 50, 100}))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=True Standby"))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionServing, HavePrefix("Serving=False"))
})

var _ = story("without steps a release goes from 0 to 100 in one write", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	before := w.route(ctx)
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "2.0.0:100"}))
	Expect(w.route(ctx).UID).To(Equal(before.UID))
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventWeightSet)).To(HaveLen(1))
})

var _ = story("retention keeps as many warm releases as the track says, and their seals for ever", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(warm(1)), w.release("1.0.0"))
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
	w.create(ctx, w.release("3.0.0"))
	w.untilSettled(ctx, "3.0.0")
	w.untilGone(ctx, "1.0.0")
	Expect(w.deployments(ctx, "2.0.0")).To(HaveLen(1))
	Expect(w.seal(ctx, "1.0.0")).NotTo(BeEmpty())
})
