package admission

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// The schema is asked before any policy, and refuses with a 422.
var _ = Describe("What never changes of our own kinds", Ordered, Serial, func() {
	type change struct {
		object             client.Object
		patch              string
		rule, way, instead string
		// differs is what the webhook says beside.
		differs string
	}
	var changes []change
	BeforeAll(func() {
		namespace := newNamespace()
		track, release, record := newTrack(namespace, "shop"), newRelease(namespace, "shop-1-4-2", "shop", "1.4.2"), newRecord(namespace, "shop", 1)
		track.Spec.ReleaseTemplate = &release.DeepCopy().Spec.ReleaseTemplate
		track.Spec.ReleaseTemplate.Version = "2.0.0"
		Expect(admin.Create(ctx, track)).To(Succeed())
		Expect(admin.Create(ctx, release)).To(Succeed())
		Expect(operator.Create(ctx, record)).To(Succeed())
		action := &v1alpha1.ReleaseAction{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "retry-1"},
			Spec:       v1alpha1.ReleaseActionSpec{TrackName: "shop", ReleaseName: release.Name, Action: v1alpha1.ActionRetry, Requester: "ann", Reason: "because"},
		}
		ann := newActor(namespace, "ann", "retry")
		Eventually(func() error { return ann.Create(ctx, action) }).Should(Succeed())
		changes = []change{
			{release, `[{"op":"replace","path":"/spec/version","value":"1.4.3"}]`, "STRATA-002", "(UPDATE immutablereleases)", "publish a new ImmutableRelease", `spec.version: "1.4.2" -> "1.4.3"`},
			{action, `[{"op":"replace","path":"/spec/reason","value":"other"}]`, "STRATA-002", "(UPDATE releaseactions)", "create another ReleaseAction", `spec.reason: "because" -> "other"`},
			{record, `[{"op":"replace","path":"/spec/reason","value":"Forged"}]`, "STRATA-006", "(UPDATE releaserecords)", "create a ReleaseAction", `"Forged"`},
			{track, `[{"op":"replace","path":"/spec/releaseTemplate/components/0/replicas","value":7}]`, "STRATA-047", "(UPDATE releasetracks)", "raise ", "spec.releaseTemplate.components[web].replicas: "},
		}
	})
	each := func(is func(error) bool, also func(change) string) {
		GinkgoHelper()
		for _, c := range changes {
			err := admin.Patch(ctx, c.object.DeepCopyObject().(client.Object), client.RawPatch("application/json-patch+json", []byte(c.patch)))
			Expect(is(err)).To(BeTrue(), "%T: %v", c.object, err)
			Expect(err).To(MatchError(And(ContainSubstring(c.rule+": "), ContainSubstring(c.object.GetName()), ContainSubstring(c.way), ContainSubstring(c.instead), ContainSubstring(also(c)))))
		}
	}

	It("is refused with a 403 that says the rule, the object, the route, what to do instead, and the difference", func() {
		each(apierrors.IsForbidden, func(c change) string { return c.differs })
	})

	It("is refused with a 422 that says the same without the difference, while the webhook is away", func() {
		endWebhook()
		DeferCleanup(func() { startWebhook(); waitUntilGuarded() })
		each(apierrors.IsInvalid, func(change) string { return "" })
	})
})

// The API server's own validation is asked before any policy too, and refuses with a 422.
var _ = Describe("What of a release the API server would call invalid", Serial, func() {
	var deployment *appsv1.Deployment
	var copied []client.Object
	BeforeEach(func() {
		namespace := newNamespace()
		deployment = versioned(namespace, "shop-1", "web")
		child := metav1.ObjectMeta{Namespace: namespace, Name: "shop-1-keys", Labels: deployment.Labels, OwnerReferences: ownedBy("shop-1")}
		copied = []client.Object{
			&corev1.Secret{ObjectMeta: child, Immutable: ptr.To(true), StringData: map[string]string{"word": "one-canary-8d1f", "gone": "gone-canary-8d1f"}},
			&corev1.ConfigMap{ObjectMeta: child, Immutable: ptr.To(true), Data: map[string]string{"word": "one-canary-8d1f", "gone": "gone-canary-8d1f"}},
		}
		for _, object := range append(copied, deployment) {
			Expect(operator.Create(ctx, object)).To(Succeed())
		}
	})
	// Values are as a Secret has them, in base64.
	const canaries = `{"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"two-canary-8d1f"}},"data":{"word":"dHdvLWNhbmFyeS04ZDFm","gone":null,"new":"bmV3LWNhbmFyeS04ZDFm"}}`

	It("is told with the names of keys, and none of the values", func() {
		for _, object := range copied {
			err := admin.Patch(ctx, object, mergePatch(canaries))
			Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
			Expect(err).To(MatchError(And(ContainSubstring("STRATA-026"), ContainSubstring("release shop-1"), ContainSubstring("data.word"), ContainSubstring("data.gone"), ContainSubstring("data.new"))))
			status := err.(apierrors.APIStatus).Status()
			Expect(string(toJSON(status))).NotTo(Or(ContainSubstring("canary"), ContainSubstring("Y2FuYXJ5"), ContainSubstring("LWNhbmFyeS"), ContainSubstring("dHdv")))
		}
	})

	It("is told to nobody whom the rule lets pass: the operator, and controllers of Kubernetes", func() {
		for _, object := range copied {
			nameAlone := operatorUser()
			nameAlone.Extra, nameAlone.Groups = nil, append(nameAlone.Groups, "system:masters")
			Expect(as(nameAlone).Patch(ctx, object, mergePatch(canaries))).To(MatchError(ContainSubstring("STRATA-026")), "a token that is bound to no pod")
			user := operatorUser()
			user.Groups = append(user.Groups, "system:masters")
			for _, exempt := range []client.Client{as(user), withAllRights("generic-garbage-collector")} {
				err := exempt.Patch(ctx, object, mergePatch(canaries))
				Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
			}
		}
	})

	It("is somebody's own once nothing owns it any more, or never did", func() {
		for _, object := range copied {
			Expect(withAllRights("generic-garbage-collector").Patch(ctx, object, mergePatch(`{"metadata":{"ownerReferences":null}}`))).To(Succeed())
			err := admin.Patch(ctx, object, mergePatch(canaries))
			Expect(apierrors.IsInvalid(err)).To(BeTrue(), "%v", err)
		}
	})

	It("is not deleted by kubectl apply --force or replace --force, the webhook being there or not", func() {
		changed := deployment.DeepCopy()
		changed.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("Deployment"))
		changed.SetResourceVersion("")
		changed.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "mine"}}
		changed.Spec.Template.Labels = changed.Spec.Selector.MatchLabels
		file := writeFile("forced.json", toJSON(changed))
		force := func(verb, rule string) {
			output, err := kubectl(nil, verb, "--force", "-f", file)
			Expect(err).To(HaveOccurred(), output)
			Expect(output).To(And(ContainSubstring(rule+": "), ContainSubstring("release shop-1")))
			after := &appsv1.Deployment{}
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(deployment), after)).To(Succeed())
			Expect([]string{string(after.UID), after.ResourceVersion}).To(Equal([]string{string(deployment.UID), deployment.ResourceVersion}))
		}
		force("apply", "STRATA-010")
		force("replace", "STRATA-028")
		endWebhook()
		DeferCleanup(func() { startWebhook(); waitUntilGuarded() })
		force("apply", "STRATA-028") // It is invalid now, and so is to be deleted first.
		force("replace", "STRATA-028")
	})
})
