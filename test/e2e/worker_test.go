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

// leaving is what a worker may take to be told, and to stop.
const leaving = 10 * time.Second

// takenBy are the times at which workers of a version took items.
func (w *world) takenBy(ctx context.Context, version string) []time.Time {
	GinkgoHelper()
	all, err := w.Taken(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	var times []time.Time
	for _, taken := range all {
		if taken.Version == version {
			times = append(times, taken.Time)
		}
	}
	return times
}

func (w *world) untilWorks(ctx context.Context, version string, since time.Time) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		times := w.takenBy(ctx, version)
		g.Expect(times).NotTo(BeEmpty(), "%s takes no items", version)
		g.Expect(times[len(times)-1]).To(BeTemporally(">", since), "%s takes no items any more", version)
	}).WithTimeout(patience).Should(Succeed())
}

// expectIdle: a version took no item after a moment, and takes none now.
func (w *world) expectIdle(ctx context.Context, version string, since time.Time) {
	GinkgoHelper()
	if wait := time.Until(since.Add(3 * time.Second)); wait > 0 {
		time.Sleep(wait)
	}
	times := w.takenBy(ctx, version)
	Expect(times).NotTo(BeEmpty())
	Expect(times[len(times)-1]).To(BeTemporally("<", since), "%s takes items", version)
}

var _ = story("workers take no queue item before their release is at 100, and none while it is warm",
	early, Label("going-live", "scenario-30"), func(ctx context.Context, w *world) {
		w.create(ctx, w.Queue(w.namespace)...)
		track := w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 5)))
		w.goLive(ctx, 60, track, w.NewRelease(w.namespace, "1.0.0", w.Worker("worker", 2)))
		w.untilWorks(ctx, "1.0.0", time.Time{})

		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", w.Worker("worker", 2)))
		at20 := w.untilWeight(ctx, "2.0.0", 20)
		w.untilWorks(ctx, "1.0.0", at20.Spec.Time.Time)
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		at100 := w.recordsOf(ctx, "2.0.0", v1alpha1.EventWeightVerified)
		full := at100[len(at100)-1].Spec.Time.Time
		w.untilWorks(ctx, "2.0.0", full)
		Expect(w.takenBy(ctx, "2.0.0")[0]).To(BeTemporally(">", full), "2.0.0 took an item before it was at 100")
		w.untilSettled(ctx, "2.0.0")
		w.expectIdle(ctx, "1.0.0", full.Add(leaving))

		By("a rollback wakes the workers of 1.0.0, and stops those of 2.0.0")
		w.allow(ctx, "ann", "rollback")
		intent := time.Now()
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))).To(Succeed())
		back := w.untilRecord(ctx, "2.0.0", v1alpha1.EventRolledBack).Spec.Time.Time
		w.untilWorks(ctx, "1.0.0", back)
		w.expectIdle(ctx, "2.0.0", back.Add(leaving))
		Expect(w.moves(intent)).To(Equal([]string{"1.0.0:100"}))
	})
