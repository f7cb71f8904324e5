package stories

import (
	"context"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

func (w *world) setRollout(ctx context.Context, change string) {
	GinkgoHelper()
	track, err := w.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	w.patch(ctx, track, `{"spec":{"rollout":{`+change+`}}}`)
}

var _ = story("a test before the pods keeps a release without any until it has passed, and for good when it fails", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0", w.Test("migrate", v1alpha1.BeforePods, 60)))
	w.PlayTests(w.namespace, of("2.0.0", cluster.Test{Fails: true, Says: "relation orders is locked"}))
	w.create(ctx, w.release("2.0.0", w.Test("migrate", v1alpha1.BeforePods, 60)))
	w.expectFailed(ctx, "2.0.0", "relation orders is locked")
	Expect(w.pods(ctx, "2.0.0")).To(BeEmpty())
	jobs, err := w.Jobs(ctx, w.namespace, "2.0.0")
	Expect(err).NotTo(HaveOccurred())
	for _, job := range jobs {
		env := map[string]string{}
		for _, v := range job.Spec.Template.Spec.Containers[0].Env {
			env[v.Name] = v.Value
		}
		Expect(env).To(And(HaveKeyWithValue("STRATA_VERSION", "2.0.0"), HaveKey("STRATA_HOST_WEB")))
	}
})

var _ = story("a test after 100 percent that fails takes all traffic back, and nothing was promoted", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	w.PlayTests(w.namespace, of("2.0.0", cluster.Test{Fails: true, Says: "no order came in"}))
	w.create(ctx, w.release("2.0.0", w.Test("orders", v1alpha1.AfterPromotion, 60)))
	w.expectFailed(ctx, "2.0.0", "no order came in")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "2.0.0:100", "1.0.0:100"}))
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventPromoted)).To(BeEmpty())
})

var _ = story("a failure that is held keeps its weight and stalls, until somebody decides", func(ctx context.Context, w *world) {
	hold := harness.Rollout(func(r *v1alpha1.RolloutSpec) { r.FailurePolicy = v1alpha1.FailureHold })
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 0), harness.Step(50, 0)), hold), w.release("1.0.0"))
	w.PlayTests(w.namespace, func(*batchv1.Job) cluster.Test { return cluster.Test{Fails: true, Says: "answered 500"} })
	w.create(ctx, w.release("2.0.0", w.Test("probe", v1alpha1.EveryStep, 60)))

	said := And(ContainSubstring("held at 20 %"), ContainSubstring("answered 500"), ContainSubstring("Abort"))
	w.untilTrack(ctx, v1alpha1.ConditionStalled, And(HavePrefix("Stalled=True TestFailed"), said))
	w.untilRelease(ctx, "2.0.0", v1alpha1.ConditionStalled, And(HavePrefix("Stalled=True TestFailed"), said))
	w.expectKstatus(ctx, "ReleaseTrack", "shop", status.FailedStatus)
	w.expectKstatus(ctx, "ImmutableRelease", "shop-2-0-0", status.FailedStatus)
	Consistently(ctx, func() string { return w.weights(ctx) }).WithTimeout(time.Second).Should(Equal("1.0.0:80 2.0.0:20"))

	w.setRollout(ctx, `"failurePolicy":"Rollback"`)
	w.expectFailed(ctx, "2.0.0", "answered 500")
})

var _ = story("a paused track raises no weight, and goes on when it is not paused any more", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 0))), w.release("1.0.0"))
	w.setRollout(ctx, `"advancePolicy":"Paused"`)
	w.create(ctx, w.release("2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True Paused"), ContainSubstring("the step to 20 %")))
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventTestFinished)).To(HaveLen(1))
	Expect(w.moves()).To(Equal([]string{"1.0.0:100"}))
	w.setRollout(ctx, `"advancePolicy":"Automatic"`)
	w.untilSettled(ctx, "2.0.0")
})

var _ = story("SkipHold ends the hold of the step that it names, and nothing else", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 3600), harness.Step(50, 3600))), w.release("1.0.0"))
	w.create(ctx, w.release("2.0.0"))
	w.untilWeight(ctx, "2.0.0", 20)
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionSkipHold, "2.0.0", attempt(1), atWeight(50)), v1alpha1.ActionRefused)
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionSkipHold, "2.0.0", attempt(1), atWeight(20)), v1alpha1.ActionDone)
	w.untilWeight(ctx, "2.0.0", 50)
	skipped := w.recordsOf(ctx, "2.0.0", v1alpha1.EventHoldSkipped)
	Expect(skipped).To(HaveLen(1))
	Expect(skipped[0].Spec.Actor).To(Equal("jane"))
	Expect(skipped[0].Spec.State.SkippedHolds).To(HaveLen(1))
	Consistently(ctx, func() string { return w.weights(ctx) }).WithTimeout(time.Second).Should(Equal("1.0.0:50 2.0.0:50"))
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionSkipHold, "2.0.0", attempt(1), atWeight(50)), v1alpha1.ActionDone)
	w.untilSettled(ctx, "2.0.0")
})

var _ = story("a newer release waits in the queue, and says for which", func(ctx context.Context, w *world) {
	queue := harness.Rollout(func(r *v1alpha1.RolloutSpec) { r.SupersedePolicy = v1alpha1.SupersedeQueue })
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 3600)), queue), w.release("1.0.0"))
	w.create(ctx, w.release("2.0.0"))
	w.untilWeight(ctx, "2.0.0", 20)
	w.create(ctx, w.release("3.0.0"))
	w.untilRelease(ctx, "3.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False Waiting"), ContainSubstring("waits for attempt 1 of shop-2-0-0, which is at 20 % and finishes first")))
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionSkipHold, "2.0.0", attempt(1), atWeight(20)), v1alpha1.ActionDone)
	w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventPromoted)
	w.untilWeight(ctx, "3.0.0", 20)
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "1.0.0:80 2.0.0:20", "2.0.0:100", "2.0.0:80 3.0.0:20"}))
})
