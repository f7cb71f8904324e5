//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

func bake(seconds int32) harness.TrackOption {
	return harness.Rollout(func(r *v1alpha1.RolloutSpec) { r.BakeSeconds = ptr.To(seconds) })
}

var _ = story("a release whose test fails in the bake is taken back by itself, and was never promoted",
	Label("not-going-live", "scenario-12"), func(ctx context.Context, w *world) {
		w.goLive(ctx, 60, w.NewTrack(w.namespace, bake(20)), w.NewRelease(w.namespace, "1.0.0"))
		before := w.pods(ctx, "1.0.0")
		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0",
			w.Test("orders", v1alpha1.AfterPromotion, 60, "fail", "--delay=3s", "--message=no order came in")))

		w.untilWeight(ctx, "2.0.0", 100)
		verdict := w.untilVerdict(ctx, "2.0.0", v1alpha1.EventFailed)
		Expect(verdict.Spec.Message).To(And(ContainSubstring("orders"), ContainSubstring("no order came in")))
		Expect(verdict.Spec.Actor).To(HavePrefix("system:serviceaccount:"), "nobody asked for it")
		Expect(harness.Weights(verdict)).To(Equal(map[string]int32{harness.ReleaseName("1.0.0"): 100}), "the verdict moves the weights itself")
		started := w.recordsOf(ctx, "2.0.0", v1alpha1.EventTestStarted)
		Expect(started).To(HaveLen(1))
		verified := w.recordsOf(ctx, "2.0.0", v1alpha1.EventWeightVerified)
		Expect(verified).NotTo(BeEmpty())
		Expect(started[0].Spec.Sequence).To(BeNumerically(">", verified[0].Spec.Sequence), "the test ran at 100, confirmed")
		Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventPromoted)).To(BeEmpty())

		w.untilGone(ctx, "2.0.0")
		Expect(w.moves(start)).To(Equal([]string{"2.0.0:100", "1.0.0:100"}))
		w.expectOnly("1.0.0", verdict.Spec.Time.Add(2*settleTime))
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
	})
