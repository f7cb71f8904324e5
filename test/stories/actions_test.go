package stories

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

// untilAnswered waits for the outcome of an action.
func (w *world) untilAnswered(ctx context.Context, action *v1alpha1.ReleaseAction, want v1alpha1.ActionOutcome) string {
	GinkgoHelper()
	Eventually(ctx, func() (v1alpha1.ActionOutcome, error) {
		err := w.Client.Get(ctx, client.ObjectKeyFromObject(action), action)
		return action.Status.Outcome, err
	}).ShouldNot(BeEmpty())
	Expect(action.Status.Outcome).To(Equal(want), action.Status.Message)
	return action.Status.Message
}

var _ = story("Abort ends the attempt at once; Retry opens another, which passes every gate again", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 60))), w.release("1.0.0"))
	w.create(ctx, w.release("2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.untilWeight(ctx, "2.0.0", 20)

	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionAbort, "2.0.0", attempt(2)), v1alpha1.ActionRefused)
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionAbort, "2.0.0", attempt(1)), v1alpha1.ActionDone)
	verdict := w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventAborted)
	Expect(verdict.Spec.Actor).To(Equal("jane"))
	w.untilServed(ctx, "1.0.0:100")
	w.untilTrack(ctx, v1alpha1.ConditionReady, HavePrefix("Ready=False Stalled"))

	By("Retry")
	track, err := w.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	w.patch(ctx, track, `{"spec":{"rollout":{"steps":[{"weightPercent":50}]}}}`)
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionRetry, "2.0.0"), v1alpha1.ActionDone)
	w.untilVerdict(ctx, "2.0.0", 2, v1alpha1.EventPromoted)
	w.untilSettled(ctx, "2.0.0")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "1.0.0:80 2.0.0:20", "1.0.0:100", "1.0.0:50 2.0.0:50", "2.0.0:100"}))
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventTestFinished)).To(HaveLen(2), "a new attempt runs its tests anew")
})

var _ = story("Rollback to a warm release is one record and one write: the same pods, no test", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	before := w.pods(ctx, "1.0.0")
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
	records := w.records(ctx)
	w.PlayTests(w.namespace, func(*batchv1.Job) cluster.Test { return cluster.Test{Fails: true} })

	action := w.act(ctx, v1alpha1.ActionRollback, "1.0.0")
	w.untilAnswered(ctx, action, v1alpha1.ActionDone)
	w.untilServed(ctx, "1.0.0:100")
	Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
	w.untilTrack(ctx, v1alpha1.ConditionReady, And(HavePrefix("Ready=False Stalled"), ContainSubstring("RolledBack")))
	after := w.records(ctx)[len(records):]
	Expect(after[0].Spec.Event).To(Equal(v1alpha1.EventRolledBack))
	Expect(after[0].Spec.ActionName).To(Equal(action.Name))
	Expect(after[0].Spec.State.Stable.Name).To(Equal("shop-1-0-0"))
	Expect(harness.Weights(after[0])).To(Equal(map[string]int32{"shop-1-0-0": 100}))
	w.untilRelease(ctx, "2.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=False RolledBack"))

	By("2.0.0 is not tried again, and cannot be rolled back to")
	message := w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionRollback, "2.0.0"), v1alpha1.ActionRefused)
	Expect(message).To(ContainSubstring("RolledBack"))
	Consistently(ctx, func() string { return w.weights(ctx) }).WithTimeout(time.Second).Should(Equal("1.0.0:100"))
})

var _ = story("Rollback to a retired release brings its pods up first", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(warm(0)), w.release("1.0.0"))
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
	w.untilGone(ctx, "1.0.0")

	w.PlayPods(w.namespace, podsOf("1.0.0", cluster.Pods{Unready: true}))
	action := w.act(ctx, v1alpha1.ActionRollback, "1.0.0")
	w.untilRecord(ctx, "1.0.0", v1alpha1.EventRecalled)
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=False Recalling"))
	Eventually(ctx, func() []string { return w.pods(ctx, "1.0.0") }).Should(HaveLen(2))
	Expect(w.weights(ctx)).To(Equal("2.0.0:100"), "there is no ready endpoint yet")

	w.PlayPods(w.namespace, podsOf("1.0.0", cluster.Pods{}))
	w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventRolledBack)
	w.untilServed(ctx, "1.0.0:100")
	w.untilAnswered(ctx, action, v1alpha1.ActionDone)
	w.untilGone(ctx, "2.0.0")
})

var _ = story("Rollback to what was never promoted, or does not exist, is refused and changes nothing", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	w.PlayTests(w.namespace, of("2.0.0", cluster.Test{Fails: true}))
	w.create(ctx, w.release("2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventFailed)
	Expect(w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionRollback, "2.0.0"), v1alpha1.ActionRefused)).To(ContainSubstring("never promoted"))
	Expect(w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionRollback, "9.9.9"), v1alpha1.ActionRefused)).To(ContainSubstring("no release shop-9-9-9"))
	Expect(w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionRollback, "1.0.0"), v1alpha1.ActionRefused)).To(ContainSubstring("stable already"))
	Expect(w.moves()).To(Equal([]string{"1.0.0:100"}))
})

var _ = story("a step that asks for an approval is entered after it, and not after another", func(ctx context.Context, w *world) {
	track := w.track()
	w.goLive(ctx, track, w.release("1.0.0"))
	w.patch(ctx, track, `{"spec":{"rollout":{"steps":[{"weightPercent":20},{"weightPercent":50,"approval":"Required"}]}}}`)
	w.create(ctx, w.release("2.0.0"))
	w.untilWeight(ctx, "2.0.0", 20)
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True ApprovalRequired"), ContainSubstring("50")))

	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionApprove, "2.0.0", attempt(1), atWeight(100)), v1alpha1.ActionRefused)
	w.restartOperator()
	Consistently(ctx, func() string { return w.weights(ctx) }).WithTimeout(time.Second).Should(Equal("1.0.0:80 2.0.0:20"))

	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionApprove, "2.0.0", attempt(1), atWeight(50)), v1alpha1.ActionDone)
	w.untilSettled(ctx, "2.0.0")
	approved := w.recordsOf(ctx, "2.0.0", v1alpha1.EventApproved)
	Expect(approved).To(HaveLen(1))
	Expect(approved[0].Spec.Actor).To(Equal("jane"))
})
