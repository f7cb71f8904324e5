//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
)

var _ = story("without steps a release moves once, from 0 to 100",
	Label("traffic", "going-live", "scenario-3"), func(ctx context.Context, w *world) {
		w.goLive(ctx, 60, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		before := w.pods(ctx, "1.0.0")
		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))

		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		verified := time.Now()
		w.untilSettled(ctx, "2.0.0")
		time.Sleep(2 * time.Second)

		Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{100}))
		Expect(w.moves(start)).To(Equal([]string{"2.0.0:100"}))
		w.expectOnly("2.0.0", verified.Add(settleTime))
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before), "the pods of 1.0.0, which stays warm")
	})
