package stories

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// The writes after which the operator is cut off, and how many stories are told at
// once.
const (
	lastCrash = 24
	together  = 12
)

var _ = It("the operator is cut off at any write of a rollout, without hearing what came of it: the next one brings the same end", SpecTimeout(3*time.Minute), func(ctx SpecContext) {
	var crashed atomic.Int32
	for first := 1; first <= lastCrash; first += together {
		var group sync.WaitGroup
		for k := first; k < first+together; k++ {
			w := open(ctx)
			group.Go(func() {
				defer GinkgoRecover()
				if w.surviveCrash(ctx, int64(k)) {
					crashed.Add(1)
				}
			})
		}
		group.Wait()
	}
	AddReportEntry("crashes", ReportEntryVisibilityAlways, fmt.Sprint(crashed.Load()))
	Expect(crashed.Load()).To(BeNumerically(">=", 15), "a rollout has as many writes")
})

// surviveCrash rolls out two releases, the second by one step and with a test, by
// an operator that is cut off at its k-th write, and by another after it. It says whether it came to that.
func (w *world) surviveCrash(ctx context.Context, k int64) bool {
	w.startOperator()
	w.goLive(ctx, w.track(warm(0), harness.Steps(harness.Step(50, 0))), w.release("1.0.0"))
	w.stopOperators()
	first, err := w.StartCrashing(w.namespace, k)
	Expect(err).NotTo(HaveOccurred())
	w.operators = append(w.operators, first)
	w.create(ctx, w.release("2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	Eventually(ctx, func() bool {
		return first.Crashed() || len(w.recordsOf(ctx, "2.0.0", v1alpha1.EventPromoted)) > 0
	}).Should(BeTrue())

	w.restartOperator()
	w.untilSettled(ctx, "2.0.0")
	w.untilGone(ctx, "1.0.0")
	at := fmt.Sprintf("cut off at write %d", k)
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "1.0.0:50 2.0.0:50", "2.0.0:100"}), at)
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventAttemptOpened)).To(HaveLen(1), at)
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventTestStarted)).To(HaveLen(1), at)
	w.expectIntact(ctx)
	return first.Crashed()
}
