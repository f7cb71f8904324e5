//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// allow lets a user publish actions in the story's namespace, and use these verbs
// on its track.
func (w *world) allow(ctx context.Context, user string, verbs ...string) {
	GinkgoHelper()
	meta := metav1.ObjectMeta{Namespace: w.namespace, Name: user}
	rules := []rbacv1.PolicyRule{{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"releaseactions"}, Verbs: []string{"create", "get"},
	}}
	if len(verbs) > 0 {
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"releasetracks"},
			ResourceNames: []string{harness.TrackName}, Verbs: verbs,
		})
	}
	w.create(ctx,
		&rbacv1.Role{ObjectMeta: meta, Rules: rules},
		&rbacv1.RoleBinding{
			ObjectMeta: meta,
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: user},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		})
}

// as creates an action as its requester.
func (w *world) as(ctx context.Context, user string, action *v1alpha1.ReleaseAction) error {
	GinkgoHelper()
	c, err := w.As(user, nil, "system:authenticated")
	Expect(err).NotTo(HaveOccurred())
	return despiteRestart(ctx, func() error { return c.Create(ctx, action) })
}

var _ = story("a step that needs an approval waits for one who may give it, through a restart of the operator",
	Label("going-live", "scenario-4"), func(ctx context.Context, w *world) {
		track := w.NewTrack(w.namespace)
		w.goLive(ctx, 60, track, w.NewRelease(w.namespace, "1.0.0"))
		// Only now: a first release would need the approval as well.
		w.patch(ctx, track, `{"spec":{"rollout":{"steps":[
			{"weightPercent":20,"holdSeconds":2},{"weightPercent":50,"holdSeconds":2,"approval":"Required"}]}}}`)
		w.allow(ctx, "ann", "approve")
		w.allow(ctx, "bob", "abort", "retry", "rollback")
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))

		w.untilWeight(ctx, "2.0.0", 20)
		untilBlocked := func() {
			GinkgoHelper()
			Eventually(ctx, func(g Gomega) {
				track, err := w.Track(ctx, w.namespace)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(track.Status.BlockedBy).NotTo(BeNil())
				g.Expect(track.Status.BlockedBy.Gate).To(Equal("Approved"))
			}).WithTimeout(patience).Should(Succeed())
		}
		untilBlocked()
		Expect(w.RestartOperator(ctx)).To(Succeed())

		approve := func(name, user string) *v1alpha1.ReleaseAction {
			action := harness.NewAction(w.namespace, name, user, v1alpha1.ActionApprove, harness.ReleaseName("2.0.0"))
			action.Spec.Attempt, action.Spec.WeightPercent = ptr.To[int32](1), ptr.To[int32](50)
			return action
		}
		By("bob, who may abort but not approve, tries")
		err := w.as(ctx, "bob", approve("by-bob", "bob"))
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "approval without the verb: %v", err)
		Expect(err.Error()).To(ContainSubstring("approve"))
		By("bob tries in the name of ann")
		err = w.as(ctx, "bob", approve("as-ann", "ann"))
		Expect(err).To(HaveOccurred())
		Expect(err.Error()).To(ContainSubstring("requester"))

		Consistently(ctx, func() []int32 { return w.weightsSet(ctx, "2.0.0") }).
			WithTimeout(8 * time.Second).WithPolling(time.Second).Should(Equal([]int32{20}))
		untilBlocked()

		By("ann approves")
		Expect(w.as(ctx, "ann", approve("by-ann", "ann"))).To(Succeed())
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{20, 50, 100}))
		approvals := w.recordsOf(ctx, "2.0.0", v1alpha1.EventApproved)
		Expect(approvals).To(HaveLen(1))
		Expect(approvals[0].Spec.Actor).To(Equal("ann"))
		Expect(approvals[0].Spec.ActionName).To(Equal("by-ann"))
		w.untilSettled(ctx, "2.0.0")
	})
