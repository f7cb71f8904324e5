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

var _ = story("a release goes through steps of 20 and 50, and its share on the wire is what was asked for",
	early, Label("traffic", "going-live", "scenario-2"), func(ctx context.Context, w *world) {
		w.goLive(ctx, 60,
			w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 12), harness.Step(50, 12))),
			w.NewRelease(w.namespace, "1.0.0"))
		before := w.pods(ctx, "1.0.0")
		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60, "smoke")))

		for _, percent := range []int32{20, 50} {
			w.untilWeight(ctx, "2.0.0", percent)
			w.expectShare(ctx, "2.0.0", float64(percent))
			Expect(w.pods(ctx, "1.0.0")).To(Equal(before), "the pods of 1.0.0 at %d %%", percent)
		}
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.expectShare(ctx, "2.0.0", 100)

		Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{20, 50, 100}))
		Expect(w.moves(start)).To(Equal([]string{"1.0.0:80 2.0.0:20", "1.0.0:50 2.0.0:50", "2.0.0:100"}))
		w.untilSettled(ctx, "2.0.0")
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before), "the pods of 1.0.0, which stays warm")
	})
