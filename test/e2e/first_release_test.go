//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/load"
)

var _ = story("the first release of a track gets nothing before its tests pass, then everything",
	Label("going-live", "scenario-1"), func(ctx context.Context, w *world) {
		// The gateway answers 404 for a hostname without a route; until the first
		// answer of the shop that is what must come.
		notRouted := func(r load.Result) bool { return r.Status == http.StatusNotFound && r.Version == "" }
		w.startLoad(ctx, 40)
		w.create(ctx, w.NewTrack(w.namespace))
		w.create(ctx, w.NewRelease(w.namespace, "1.0.0",
			w.Test("smoke", v1alpha1.BeforeTraffic, 60, "smoke", "--delay=4s")))

		w.untilVerdict(ctx, "1.0.0", v1alpha1.EventPromoted)
		w.untilAnswers(ctx, "1.0.0")
		time.Sleep(2 * time.Second)

		answered, ok := w.load.Results().First(func(r load.Result) bool { return r.Version == "1.0.0" })
		Expect(ok).To(BeTrue(), "no request was answered by 1.0.0")
		w.forgiven = func(r load.Result) bool { return notRouted(r) && r.Start.Before(answered.Start.Add(answered.Duration)) }

		passed := w.recordsOf(ctx, "1.0.0", v1alpha1.EventTestFinished)
		Expect(passed).To(HaveLen(1))
		Expect(passed[0].Spec.Release.Test.Outcome).To(Equal(v1alpha1.TestPassed))
		Expect(answered.Start.Add(answered.Duration)).To(BeTemporally(">", passed[0].Spec.Time.Time), "answered before the test had passed")
		Expect(w.weightsSet(ctx, "1.0.0")).To(Equal([]int32{100}))
		w.expectOnly("1.0.0", answered.Start.Add(settleTime))
		w.untilSettled(ctx, "1.0.0")
	})
