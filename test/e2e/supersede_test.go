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

func supersede(policy v1alpha1.SupersedePolicy) harness.TrackOption {
	return harness.Rollout(func(r *v1alpha1.RolloutSpec) { r.SupersedePolicy = policy })
}

// expectTwoAtMost: no record gives weight to more than two releases.
func (w *world) expectTwoAtMost(ctx context.Context) {
	GinkgoHelper()
	for _, r := range w.records(ctx) {
		serving := 0
		for _, weight := range harness.Weights(r) {
			if weight > 0 {
				serving++
			}
		}
		Expect(serving).To(BeNumerically("<=", 2), "record %d: %v", r.Spec.Sequence, harness.Weights(r))
	}
}

// expectOpenedAfter: the attempt of a version was opened after another had its verdict.
func (w *world) expectOpenedAfter(ctx context.Context, version string, verdict v1alpha1.ReleaseRecord) {
	GinkgoHelper()
	opened := w.recordsOf(ctx, version, v1alpha1.EventAttemptOpened)
	Expect(opened).To(HaveLen(1))
	Expect(opened[0].Spec.Sequence).To(BeNumerically(">", verdict.Spec.Sequence))
}

// untilWaiting: a version says which one it waits for.
func (w *world) untilWaiting(ctx context.Context, version, before string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		release, err := w.Release(ctx, w.namespace, version)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(harness.ConditionLine(release.Status.Conditions, v1alpha1.ConditionReady)).
			To(And(HavePrefix("Ready=False Waiting"), ContainSubstring("waits for"), ContainSubstring(" of "+harness.ReleaseName(before))))
	}).WithTimeout(patience).Should(Succeed())
}

var _ = story("a newer release that comes while one is at 20 % replaces it, and begins at the beginning",
	Label("traffic", "not-going-live", "scenario-13"), func(ctx context.Context, w *world) {
		w.goLive(ctx, 60, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 15))), w.NewRelease(w.namespace, "1.0.0"))
		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		w.untilWeight(ctx, "2.0.0", 20)
		w.create(ctx, w.NewRelease(w.namespace, "3.0.0"))

		verdict := w.untilVerdict(ctx, "2.0.0", v1alpha1.EventSuperseded)
		Expect(harness.Weights(verdict)).To(Equal(map[string]int32{harness.ReleaseName("1.0.0"): 100}), "the verdict takes the weight back itself")
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "3.0.0")
		Expect(w.moves(start)).To(Equal([]string{"1.0.0:80 2.0.0:20", "1.0.0:100", "1.0.0:80 3.0.0:20", "3.0.0:100"}))
		w.expectOpenedAfter(ctx, "3.0.0", verdict)
		w.expectTwoAtMost(ctx)
	})

var _ = story("a newer release that comes while one is at 20 % waits for it under Queue",
	Label("traffic", "not-going-live", "scenario-13"), func(ctx context.Context, w *world) {
		w.goLive(ctx, 60, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 12)), supersede(v1alpha1.SupersedeQueue)), w.NewRelease(w.namespace, "1.0.0"))
		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		w.untilWeight(ctx, "2.0.0", 20)
		w.create(ctx, w.NewRelease(w.namespace, "3.0.0"))
		w.untilWaiting(ctx, "3.0.0", "2.0.0")

		verdict := w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "3.0.0")
		Expect(w.moves(start)).To(Equal([]string{"1.0.0:80 2.0.0:20", "2.0.0:100", "2.0.0:80 3.0.0:20", "3.0.0:100"}))
		w.expectOpenedAfter(ctx, "3.0.0", verdict)
		w.expectTwoAtMost(ctx)
	})

var _ = story("a newer release that comes while one is at 100 % waits for the bake",
	early, Label("traffic", "not-going-live", "scenario-13"), func(ctx context.Context, w *world) {
		const bakes = 12 * time.Second
		w.goLive(ctx, 60, w.NewTrack(w.namespace, bake(int32(bakes/time.Second)), supersede(v1alpha1.SupersedeReplace)), w.NewRelease(w.namespace, "1.0.0"))
		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		verified := w.untilWeight(ctx, "2.0.0", 100)
		w.create(ctx, w.NewRelease(w.namespace, "3.0.0"))
		w.untilWaiting(ctx, "3.0.0", "2.0.0")

		verdict := w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		Expect(verdict.Spec.Time.Sub(verified.Spec.Time.Time)).To(BeNumerically(">=", bakes), "baked to the end")
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "3.0.0")
		Expect(w.moves(start)).To(Equal([]string{"2.0.0:100", "3.0.0:100"}))
		w.expectOpenedAfter(ctx, "3.0.0", verdict)
		w.expectTwoAtMost(ctx)
	})
