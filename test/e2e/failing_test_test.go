//go:build e2e

package e2e

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// expectNoWeight: a version never had weight, on the wire or by any record, and
// the version before it is where it was.
func (w *world) expectNoWeight(ctx context.Context, version, baseline string, since time.Time) {
	GinkgoHelper()
	Expect(w.weightsSet(ctx, version)).To(BeEmpty(), "weights of %s", version)
	Expect(w.moves(since)).To(BeEmpty(), "moves of the route")
	w.expectOnly(baseline, since)
}

var _ = story("a release whose test fails gets no traffic, says what the test said, and is not tried again unasked",
	Label("not-going-live", "scenario-8"), func(ctx context.Context, w *world) {
		w.goLive(ctx, 40, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		before := w.pods(ctx, "1.0.0")
		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0",
			w.Test("basket", v1alpha1.BeforeTraffic, 60, "fail", "--message=the basket is empty")))

		verdict := w.untilVerdict(ctx, "2.0.0", v1alpha1.EventFailed)
		Expect(verdict.Spec.Message).To(ContainSubstring("check 3: the basket is empty"))
		Eventually(ctx, func(g Gomega) {
			release, err := w.Release(ctx, w.namespace, "2.0.0")
			g.Expect(err).NotTo(HaveOccurred())
			passed := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionTestsPassed)
			g.Expect(passed).NotTo(BeNil())
			g.Expect(string(passed.Status)).To(Equal("False"))
			g.Expect(passed.Message).To(ContainSubstring("check 3: the basket is empty"))
			track, err := w.Track(ctx, w.namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionReady)).To(ContainSubstring("the basket is empty"))
		}).WithTimeout(patience).Should(Succeed())

		By("nobody asks: nothing is tried again")
		w.untilGone(ctx, "2.0.0")
		Consistently(ctx, func() int { return len(w.recordsOf(ctx, "2.0.0", v1alpha1.EventAttemptOpened)) }).
			WithTimeout(6 * time.Second).WithPolling(time.Second).Should(Equal(1))
		w.expectNoWeight(ctx, "2.0.0", "1.0.0", start)
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before))

		By("somebody asks: it is tested once more, from the start")
		w.allow(ctx, "ann", "retry")
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "again", "ann", v1alpha1.ActionRetry, harness.ReleaseName("2.0.0")))).To(Succeed())
		Eventually(ctx, func() int { return len(w.recordsOf(ctx, "2.0.0", v1alpha1.EventFailed)) }).WithTimeout(patience).Should(Equal(2))
		var jobs []string
		for _, r := range w.recordsOf(ctx, "2.0.0", v1alpha1.EventTestStarted) {
			jobs = append(jobs, string(r.Spec.Release.Test.JobUID))
		}
		Expect(jobs).To(HaveLen(2))
		Expect(strings.EqualFold(jobs[0], jobs[1])).To(BeFalse(), "both attempts ran the same Job")
		w.expectNoWeight(ctx, "2.0.0", "1.0.0", start)
	})
