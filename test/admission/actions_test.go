package admission

import (
	"fmt"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

var _ = Describe("An action", func() {
	var namespace string
	BeforeEach(func() {
		namespace = newNamespace()
		Expect(admin.Create(ctx, newTrack(namespace, "shop"))).To(Succeed())
		Expect(admin.Create(ctx, newRelease(namespace, "shop-1", "shop", "1"))).To(Succeed())
	})
	action := func(kind v1alpha1.ActionType, requester string) *v1alpha1.ReleaseAction {
		one, half := int32(1), int32(50)
		a := &v1alpha1.ReleaseAction{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, GenerateName: "act-"},
			Spec:       v1alpha1.ReleaseActionSpec{TrackName: "shop", ReleaseName: "shop-1", Action: kind, Requester: requester, Reason: "because"},
		}
		switch kind {
		case v1alpha1.ActionApprove, v1alpha1.ActionSkipHold:
			a.Spec.Attempt, a.Spec.WeightPercent = &one, &half
		case v1alpha1.ActionAbort:
			a.Spec.Attempt = &one
		}
		return a
	}

	It("is its requester's own, with its own verb on the track, and no other", func() {
		anybodyMayBreakGlass(namespace)
		for kind, verb := range verbOf {
			// The others first: once the holder's role is known, theirs is.
			others := newActor(namespace, "others-"+verb, without(verb)...)
			holder := newActor(namespace, "holder-"+verb, verb)
			mayNot := fmt.Sprintf("user 'others-%[1]s' needs the verb '%[1]s' on releasetracks.strata.dev/shop in namespace '%[2]s'", verb, namespace)
			Eventually(func() error { return holder.Create(ctx, action(kind, "holder-"+verb), client.DryRunAll) }).Should(Succeed(), kind)
			for _, refused := range []struct {
				by        client.Client
				requester string
				says      []string
			}{
				{others, "others-" + verb, []string{mayNot, "STRATA-009"}},
				{others, "holder-" + verb, []string{"spec.requester is 'holder-" + verb + "', and must be the user who creates the action: 'others-" + verb + "'", "STRATA-008"}},
				{holder, "ann", []string{"spec.requester is 'ann', and must be the user who creates the action: 'holder-" + verb + "'", "STRATA-008"}},
			} {
				err := refused.by.Create(ctx, action(kind, refused.requester))
				Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%s by %s: %v", kind, refused.requester, err)
				for _, says := range refused.says {
					Expect(err).To(MatchError(ContainSubstring(says)), string(kind))
				}
			}
			Expect(holder.Create(ctx, action(kind, "holder-"+verb))).To(Succeed(), string(kind))
		}
	})

	It("is let through by the roles that come with Strata as they say", func() {
		anybodyMayBreakGlass(namespace)
		for role, allowed := range map[string][]v1alpha1.ActionType{
			"strata-viewer": nil, "strata-auditor": nil, "strata-editor": {},
			"strata-releaser": {v1alpha1.ActionAbort, v1alpha1.ActionRetry},
			"strata-approver": {v1alpha1.ActionApprove},
			"strata-on-call":  {v1alpha1.ActionAbort, v1alpha1.ActionRetry, v1alpha1.ActionRollback, v1alpha1.ActionSkipHold, v1alpha1.ActionBreakGlass},
		} {
			holder := bound(namespace, role)
			for kind, verb := range verbOf {
				try := func() error { return holder.Create(ctx, action(kind, role), client.DryRunAll) }
				switch {
				case allowed == nil:
					Expect(try()).To(MatchError(ContainSubstring(`cannot create resource "releaseactions"`)), "%s by %s", kind, role)
				case slices.Contains(allowed, kind):
					Eventually(try).Should(Succeed(), "%s by %s", kind, role)
				default:
					Eventually(try).Should(MatchError(ContainSubstring("user '"+role+"' needs the verb '"+verb+"' on releasetracks.strata.dev/shop")), "%s by %s", kind, role)
				}
			}
			Expect(holder.Create(ctx, newRecord(namespace, "shop", 1), client.DryRunAll)).To(MatchError(ContainSubstring(`cannot create resource "releaserecords"`)))
			Expect(holder.List(ctx, &corev1.SecretList{}, client.InNamespace(namespace))).To(MatchError(ContainSubstring(`cannot list resource "secrets"`)))
		}
	})

	It("needs the same verb where the policies have been taken away", Serial, func() {
		withoutPolicies(func() {
			Expect(newUser(namespace, "jo", "create").Create(ctx, action(v1alpha1.ActionRollback, "jo"))).
				To(MatchError(ContainSubstring(`user "jo" needs the verb "rollback"`)))
		})
	})

	It("is about a track and a release that exist, and is never edited", func() {
		unknown := action(v1alpha1.ActionRollback, "admin")
		who := newUser(namespace, "admin", "create", "rollback", "patch", "update")
		unknown.Spec.TrackName = "basket"
		Expect(who.Create(ctx, unknown.DeepCopy())).To(MatchError(ContainSubstring(`spec.trackName: Not found: "basket"`)))
		unknown.Spec.TrackName, unknown.Spec.ReleaseName = "shop", "shop-7"
		Expect(who.Create(ctx, unknown)).To(MatchError(ContainSubstring(`spec.releaseName: Not found: "shop-7"`)))

		good := action(v1alpha1.ActionRollback, "admin")
		Expect(who.Create(ctx, good)).To(Succeed())
		Expect(who.Patch(ctx, good, mergePatch(`{"spec":{"reason":"other"}}`))).To(MatchError(ContainSubstring("immutable")))
	})
})

// verbOf the track an action needs.
var verbOf = map[v1alpha1.ActionType]string{
	v1alpha1.ActionApprove: "approve", v1alpha1.ActionAbort: "abort", v1alpha1.ActionRetry: "retry",
	v1alpha1.ActionRollback: "rollback", v1alpha1.ActionSkipHold: "skip", v1alpha1.ActionBreakGlass: "breakglass",
}

// without are all verbs of actions but one.
func without(verb string) []string {
	var others []string
	for _, other := range verbOf {
		if other != verb {
			others = append(others, other)
		}
	}
	return others
}

// newActor makes a user who may create actions in a namespace, and has some verbs on the
// track shop.
func newActor(namespace, name string, verbs ...string) client.Client {
	GinkgoHelper()
	Expect(admin.Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"strata.dev"}, Resources: []string{"releaseactions"}, Verbs: []string{"create"}},
			{APIGroups: []string{"strata.dev"}, Resources: []string{"releasetracks"}, ResourceNames: []string{"shop"}, Verbs: verbs},
		},
	})).To(Succeed())
	return bind(namespace, name, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name})
}

// bound is a user who has a ClusterRole in a namespace, and its name.
func bound(namespace, role string) client.Client {
	GinkgoHelper()
	return bind(namespace, role, rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role})
}

func bind(namespace, user string, role rbacv1.RoleRef) client.Client {
	GinkgoHelper()
	Expect(admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: user},
		RoleRef:    role,
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	})).To(Succeed())
	return as(rest.ImpersonationConfig{UserName: user, Groups: []string{"system:authenticated"}})
}

// anybodyMayBreakGlass as far as policies go.
func anybodyMayBreakGlass(namespace string) {
	GinkgoHelper()
	policy := &v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: namespace}, Spec: v1alpha1.ReleasePolicySpec{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: namespace}},
		BreakGlass:        &v1alpha1.BreakGlassPolicy{Groups: []string{"system:authenticated"}, Ticket: v1alpha1.TicketNotRequired},
	}}
	Expect(admin.Create(ctx, policy)).To(Succeed())
	DeferCleanup(func() { Expect(admin.Delete(ctx, policy)).To(Succeed()) })
}
