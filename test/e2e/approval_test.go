//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

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
	w.untilMay(ctx, user, "create", "releaseactions")
}

// untilMay waits until the API server has heard that a user may do something in the
// story's namespace: it reads roles and bindings from a cache.
func (w *world) untilMay(ctx context.Context, user, verb, resource string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user, Groups: []string{"system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: w.namespace, Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource,
			},
		}}
		g.Expect(w.Client.Create(ctx, review)).To(Succeed())
		g.Expect(review.Status.Allowed).To(BeTrue(), "%s may %s %s", user, verb, resource)
	}).WithTimeout(patience).WithPolling(20 * time.Millisecond).Should(Succeed())
}

// bind gives a user a ClusterRole that comes with Strata, in the story's namespace.
func (w *world) bind(ctx context.Context, user, role string) {
	GinkgoHelper()
	w.create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})
}

// as creates an action as its requester.
func (w *world) as(ctx context.Context, user string, action *v1alpha1.ReleaseAction, options ...client.CreateOption) error {
	GinkgoHelper()
	c, err := w.As(user, nil, "system:authenticated")
	Expect(err).NotTo(HaveOccurred())
	return despiteRestart(ctx, func() error { return c.Create(ctx, action, options...) })
}

// expectRoles: of users with the roles that come with Strata each may ask for what its role
// says, in its own name, and is told what it lacks for the rest. Nothing of it is done.
func (w *world) expectRoles(ctx context.Context) {
	GinkgoHelper()
	verbs := map[v1alpha1.ActionType]string{
		v1alpha1.ActionApprove: "approve", v1alpha1.ActionAbort: "abort", v1alpha1.ActionRetry: "retry",
		v1alpha1.ActionRollback: "rollback", v1alpha1.ActionSkipHold: "skip", v1alpha1.ActionBreakGlass: "breakglass",
	}
	const may, noPolicy = "", "no ReleasePolicy of the namespace has spec.breakGlass: nobody may"
	for role, lets := range map[string]map[v1alpha1.ActionType]string{
		"strata-viewer": nil, "strata-auditor": nil, "strata-editor": {},
		"strata-releaser": {v1alpha1.ActionAbort: may, v1alpha1.ActionRetry: may},
		"strata-approver": {v1alpha1.ActionApprove: may},
		"strata-on-call": {v1alpha1.ActionAbort: may, v1alpha1.ActionRetry: may, v1alpha1.ActionRollback: may,
			v1alpha1.ActionSkipHold: may, v1alpha1.ActionBreakGlass: noPolicy},
	} {
		w.bind(ctx, "a-"+role, role)
		for kind, verb := range verbs {
			action := harness.NewAction(w.namespace, "probe", "a-"+role, kind, harness.ReleaseName("2.0.0"))
			switch kind {
			case v1alpha1.ActionApprove, v1alpha1.ActionSkipHold:
				action.Spec.Attempt, action.Spec.WeightPercent = ptr.To[int32](1), ptr.To[int32](50)
			case v1alpha1.ActionAbort:
				action.Spec.Attempt = ptr.To[int32](1)
			}
			says, let := lets[kind]
			switch {
			case lets == nil:
				says = `cannot create resource "releaseactions"`
			case !let:
				says = "user 'a-" + role + "' needs the verb '" + verb + "' on releasetracks.strata.dev/" + harness.TrackName
			}
			// The authorizer learns of a binding from a watch.
			Eventually(ctx, func(g Gomega) {
				err := w.as(ctx, "a-"+role, action.DeepCopy(), client.DryRunAll)
				if says == may {
					g.Expect(err).NotTo(HaveOccurred())
				} else {
					g.Expect(err).To(MatchError(ContainSubstring(says)))
				}
			}).WithTimeout(10*time.Second).WithPolling(100*time.Millisecond).Should(Succeed(), "%s by %s", kind, role)
		}
	}
}

var _ = story("a step that needs an approval waits for one who may give it, through a restart of the operator",
	Label("going-live", "scenario-4"), func(ctx context.Context, w *world) {
		track := w.NewTrack(w.namespace)
		w.goLive(ctx, 40, track, w.NewRelease(w.namespace, "1.0.0"))
		// Only now: a first release would need the approval as well.
		w.patch(ctx, track, `{"spec":{"rollout":{"steps":[
			{"weightPercent":20,"holdSeconds":2},{"weightPercent":50,"holdSeconds":2,"approval":"Required"}]}}}`)
		w.bind(ctx, "ann", "strata-approver")
		w.bind(ctx, "bob", "strata-on-call")
		for _, user := range []string{"ann", "bob"} {
			w.untilMay(ctx, user, "create", "releaseactions")
		}
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
		w.expectRoles(ctx)
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
		w.expectShown(ctx, "status", "status", harness.TrackName)
		w.expectShown(ctx, "explain", "explain", harness.TrackName)
		w.expectShown(ctx, "diff", "diff", harness.ReleaseName("1.0.0"), harness.ReleaseName("2.0.0"))

		By("ann approves")
		Expect(w.as(ctx, "ann", approve("by-ann", "ann"))).To(Succeed())
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{20, 50, 100}))
		approvals := w.recordsOf(ctx, "2.0.0", v1alpha1.EventApproved)
		Expect(approvals).To(HaveLen(1))
		Expect(approvals[0].Spec.Actor).To(Equal("ann"))
		Expect(approvals[0].Spec.ActionName).To(Equal("by-ann"))
		w.untilSettled(ctx, "2.0.0")
		w.expectShown(ctx, "releases", "releases", harness.TrackName)
		w.expectShown(ctx, "history", "history", harness.TrackName)
		w.expectShown(ctx, "report", "audit", "report", harness.TrackName)
	})
