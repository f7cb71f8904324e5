package stories

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
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

// unfit is an action that does not apply, and why.
type unfit struct {
	action  v1alpha1.ActionType
	version string
	options []func(*v1alpha1.ReleaseActionSpec)
	reason  string
	message string
}

// expectRefused asks for what does not apply, and reads why in the action and in the log.
func (w *world) expectRefused(ctx context.Context, list ...unfit) {
	GinkgoHelper()
	before := w.weights(ctx)
	for _, u := range list {
		By(string(u.action) + " " + u.version + ": " + u.reason)
		action := w.act(ctx, u.action, u.version, u.options...)
		Expect(w.untilAnswered(ctx, action, v1alpha1.ActionRefused)).To(Equal("Refused: " + u.message))
		record := &v1alpha1.ReleaseRecord{}
		w.get(ctx, record, resources.RecordName(harness.TrackName, action.Status.RecordSequence))
		Expect(record.Spec.Event).To(Equal(v1alpha1.EventRefused))
		Expect([]string{record.Spec.Reason, record.Spec.Message, record.Spec.Actor, record.Spec.ActionName}).To(
			Equal([]string{u.reason, u.message, "jane", action.Name}))
	}
	Expect(w.weights(ctx)).To(Equal(before))
}

var _ = story("an action that does not apply is refused with the reason, and changes nothing", func(ctx context.Context, w *world) {
	with := func(options ...func(*v1alpha1.ReleaseActionSpec)) []func(*v1alpha1.ReleaseActionSpec) { return options }
	first, second := attempt(1), attempt(2)
	track := w.track(warm(0))
	w.goLive(ctx, track, w.release("1.0.0"))

	By("nothing is under way")
	w.expectRefused(ctx,
		unfit{v1alpha1.ActionApprove, "1.0.0", with(first, atWeight(50)), "NothingUnderWay", "no attempt is open"},
		unfit{v1alpha1.ActionSkipHold, "1.0.0", with(first, atWeight(50)), "NothingUnderWay", "no attempt is open"},
		unfit{v1alpha1.ActionAbort, "1.0.0", with(first), "NothingUnderWay", "no attempt is open"},
		unfit{v1alpha1.ActionRetry, "1.0.0", nil, "IsStable", "shop-1-0-0 is stable already"},
		unfit{v1alpha1.ActionRollback, "1.0.0", nil, "IsStable", "shop-1-0-0 is stable already"},
		unfit{v1alpha1.ActionRetry, "9.9.9", nil, "ReleaseGone", "there is no release shop-9-9-9"},
		unfit{v1alpha1.ActionRollback, "9.9.9", nil, "ReleaseGone", "there is no release shop-9-9-9"},
		unfit{v1alpha1.ActionBreakGlass, "9.9.9", nil, "ReleaseGone", "there is no release shop-9-9-9"})

	By("2.0.0 waits at 20 % for an approval")
	w.patch(ctx, track, `{"spec":{"rollout":{"steps":[{"weightPercent":20,"approval":"Required"},{"weightPercent":50,"approval":"Required"},{"weightPercent":80}]}}}`)
	w.create(ctx, w.release("2.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True ApprovalRequired"), ContainSubstring("20")))
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionApprove, "2.0.0", first, atWeight(20)), v1alpha1.ActionDone)
	w.untilWeight(ctx, "2.0.0", 20)
	open, noStep := "the open attempt is number 1 of shop-2-0-0", "no step ahead of shop-2-0-0 that asks for an approval has that weight"
	w.expectRefused(ctx,
		unfit{v1alpha1.ActionApprove, "1.0.0", with(first, atWeight(50)), "OtherAttempt", open},
		unfit{v1alpha1.ActionApprove, "2.0.0", with(second, atWeight(50)), "OtherAttempt", open},
		unfit{v1alpha1.ActionApprove, "2.0.0", with(first, atWeight(20)), "OtherStep", noStep},
		unfit{v1alpha1.ActionApprove, "2.0.0", with(first, atWeight(80)), "OtherStep", noStep},
		unfit{v1alpha1.ActionSkipHold, "1.0.0", with(first, atWeight(20)), "OtherAttempt", open},
		unfit{v1alpha1.ActionSkipHold, "2.0.0", with(second, atWeight(20)), "OtherAttempt", open},
		unfit{v1alpha1.ActionSkipHold, "2.0.0", with(first, atWeight(50)), "OtherStep", "shop-2-0-0 is at 20 %"},
		unfit{v1alpha1.ActionSkipHold, "2.0.0", with(first, atWeight(20)), "NotHeld", "no hold keeps shop-2-0-0 at 20 %; gates, tests, approvals and the bake are not skipped"},
		unfit{v1alpha1.ActionAbort, "1.0.0", with(first), "OtherAttempt", open},
		unfit{v1alpha1.ActionAbort, "2.0.0", with(second), "OtherAttempt", open},
		unfit{v1alpha1.ActionRetry, "2.0.0", nil, "AttemptOpen", "the attempt of shop-2-0-0 is open; Abort ends it"},
		unfit{v1alpha1.ActionRollback, "2.0.0", nil, "IsCandidate", "shop-2-0-0 is the candidate; Abort ends its attempt"})

	By("the step is approved already: the track is paused")
	w.setRollout(ctx, `"advancePolicy":"Paused"`)
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionApprove, "2.0.0", first, atWeight(50)), v1alpha1.ActionDone)
	w.expectRefused(ctx, unfit{v1alpha1.ActionApprove, "2.0.0", with(first, atWeight(50)), "ApprovedAlready", "the step to 50 % has the approvals that it needs"})

	By("2.0.0 was aborted, and has no pods any more")
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionAbort, "2.0.0", first), v1alpha1.ActionDone)
	w.untilGone(ctx, "2.0.0")
	w.expectRefused(ctx,
		unfit{v1alpha1.ActionRollback, "2.0.0", nil, "NeverPromoted", "shop-2-0-0 was never promoted on this track: there is nothing to trust; publish or pin it to have it tested"},
		unfit{v1alpha1.ActionBreakGlass, "2.0.0", nil, "NoPods", "shop-2-0-0 has no pods that could be entered"},
		unfit{v1alpha1.ActionRetry, "1.0.0", nil, "IsStable", "shop-1-0-0 is stable already"})
	w.untilServed(ctx, "1.0.0:100")
})

var _ = story("an approval that is older than policies let it be counts no more, and is given again", func(ctx context.Context, w *world) {
	policy := &v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}, Spec: v1alpha1.ReleasePolicySpec{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
		Approvals:         &v1alpha1.ApprovalsPolicy{Count: 1, ValidSeconds: 600},
	}}
	w.create(ctx, policy)
	DeferCleanup(func(ctx SpecContext) { Expect(w.Client.Delete(ctx, policy)).To(Succeed()) })
	track := w.track()
	w.goLive(ctx, track, w.release("1.0.0"))
	w.patch(ctx, track, `{"spec":{"rollout":{"steps":[{"weightPercent":20},{"weightPercent":50,"approval":"Required"}],"advancePolicy":"Paused"}}}`)
	w.create(ctx, w.release("2.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, HavePrefix("RolloutBlocked=True Paused"))
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionApprove, "2.0.0", attempt(1), atWeight(50)), v1alpha1.ActionDone)

	By("ten minutes later the step could be entered")
	w.stopOperators()
	w.setRollout(ctx, `"advancePolicy":"Automatic"`)
	late, err := w.StartAhead(w.namespace, 10*time.Minute)
	Expect(err).NotTo(HaveOccurred())
	w.operators = append(w.operators, late)
	w.untilWeight(ctx, "2.0.0", 20)
	lapse := w.recordsOf(ctx, "2.0.0", v1alpha1.EventApproved)[0].Spec.State.Approvals[0].Time.Add(10 * time.Minute)
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True ApprovalRequired"),
		ContainSubstring("the step to 50 % waits for a ReleaseAction Approve with releaseName shop-2-0-0, attempt 1, weightPercent 50; the approval of jane lapsed at "+lapse.UTC().Format(time.RFC3339))))
	w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionApprove, "2.0.0", attempt(1), atWeight(50)), v1alpha1.ActionDone)
	w.untilSettled(ctx, "2.0.0")
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventApproved)).To(HaveLen(2))
})

var _ = story("an action that has its outcome is deleted after its time, its record stays, and its name is never done twice", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(func(t *v1alpha1.ReleaseTrack) {
		seconds := int32(3600)
		t.Spec.Retention.ActionSeconds = &seconds
	}), w.release("1.0.0"))
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
	named := func(name string, labels map[string]string) *v1alpha1.ReleaseAction {
		action := harness.NewAction(w.namespace, name, "jane", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0"))
		action.Labels = labels
		w.create(ctx, action)
		return action
	}
	done := named("back", nil)
	w.untilAnswered(ctx, done, v1alpha1.ActionDone)
	refused := named("further-back", nil)
	w.untilAnswered(ctx, refused, v1alpha1.ActionRefused)
	fromGit := named("back-by-git", map[string]string{"kustomize.toolkit.fluxcd.io/name": "shop"})
	w.untilAnswered(ctx, fromGit, v1alpha1.ActionRefused)
	glass := w.act(ctx, v1alpha1.ActionBreakGlass, "1.0.0", lasting(86400))
	w.untilOpen(ctx, glass)

	By("an hour later")
	w.stopOperators()
	records := len(w.records(ctx))
	late, err := w.StartAhead(w.namespace, time.Hour)
	Expect(err).NotTo(HaveOccurred())
	w.operators = append(w.operators, late)
	names := func() []string {
		list := &v1alpha1.ReleaseActionList{}
		Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
		var names []string
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		return names
	}
	Eventually(ctx, names).Should(ConsistOf(fromGit.Name, glass.Name))
	Consistently(ctx, names).WithTimeout(time.Second).Should(ConsistOf(fromGit.Name, glass.Name))

	By("somebody asks by the same name, by a clock that is right")
	Expect(late.Stop()).To(Succeed())
	w.operators = nil
	w.startOperator()
	again := named("back", nil)
	Expect(w.untilAnswered(ctx, again, v1alpha1.ActionRefused)).To(MatchRegexp(
		`^another action had this name, and record \d+ is its answer: create the action under a name of its own$`))
	Expect(w.records(ctx)).To(HaveLen(records))
	w.untilServed(ctx, "1.0.0:100")
})
