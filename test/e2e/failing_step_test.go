//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

var _ = story("a release that fails at 50 % is taken back in one write, drained, then scaled down",
	Label("traffic", "not-going-live", "scenario-11"), func(ctx context.Context, w *world) {
		const drain = 3 * time.Second // of harness.NewTrack
		w.goLive(ctx, 60, w.NewTrack(w.namespace, harness.Steps(harness.Step(50, 2))), w.NewRelease(w.namespace, "1.0.0"))
		before := w.pods(ctx, "1.0.0")
		start := time.Now()
		// Its customers notice nothing; its own test does, after some requests: so many that
		// its share is seen, where figures are wanted.
		healthy := 60
		if w.Load > 1 {
			healthy = 9 * w.rate / 4 // seconds; of four pods each has a quarter
		}
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", harness.Flags(fmt.Sprintf("--selfcheck-fail-after=%d", healthy)),
			w.Test("selfcheck", v1alpha1.EveryStep, 60, "errors", "--path=/selfcheck", "--requests=400", "--interval=50ms")))

		w.untilWeight(ctx, "2.0.0", 50)
		verdict := w.untilVerdict(ctx, "2.0.0", v1alpha1.EventFailed)
		Expect(verdict.Spec.Message).To(And(ContainSubstring("selfcheck"), ContainSubstring("50 %"), ContainSubstring("answered 503")))
		Expect(harness.Weights(verdict)).To(Equal(map[string]int32{harness.ReleaseName("1.0.0"): 100}), "the verdict moves the weights itself")

		w.untilGone(ctx, "2.0.0")
		gone := time.Now()
		Expect(w.moves(start)).To(Equal([]string{"1.0.0:50 2.0.0:50", "1.0.0:100"}))
		retired := w.recordsOf(ctx, "2.0.0", v1alpha1.EventRetired)
		Expect(retired).To(HaveLen(1))
		var zero time.Time
		for _, r := range w.records(ctx) {
			if r.Spec.Sequence > verdict.Spec.Sequence && r.Spec.Event == v1alpha1.EventWeightVerified && zero.IsZero() {
				zero = r.Spec.Time.Time
			}
		}
		Expect(zero.IsZero()).To(BeFalse(), "zero was never verified")
		Expect(retired[0].Spec.Time.Sub(zero)).To(BeNumerically(">=", drain), "drained")
		Expect(gone).To(BeTemporally(">", retired[0].Spec.Time.Time), "scaled down only then")

		Consistently(ctx, func() int { return len(w.recordsOf(ctx, "2.0.0", v1alpha1.EventAttemptOpened)) }).
			WithTimeout(6 * time.Second).WithPolling(time.Second).Should(Equal(1))
		w.expectOnly("1.0.0", zero.Add(settleTime))
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
	})
