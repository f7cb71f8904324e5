package admission

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
