package stories

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/oci"
)

// store is a registry of a story, with a key that signs.
type store struct {
	*oci.Server
	key *ecdsa.PrivateKey
}

func openStore() *store {
	GinkgoHelper()
	t := GinkgoT()
	return &store{oci.ServePlain(t, oci.Registry()), oci.NewKey(t)}
}

// image pushes an image, and signs it unless it is to be without.
func (s *store) image(signed bool) string {
	GinkgoHelper()
	image := s.Push(s.Repository("shop/web").Tag("1"), oci.Image(GinkgoT(), "linux", "amd64"))
	if signed {
		s.Sign(image, s.key)
	}
	return image.Name()
}

// demand makes the policy of the story: images are signed by the key of the store.
func (w *world) demand(ctx context.Context, s *store) *v1alpha1.ReleasePolicy {
	GinkgoHelper()
	hosts := []v1alpha1.RegistryHost{v1alpha1.RegistryHost(s.Host)}
	policy := &v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}, Spec: v1alpha1.ReleasePolicySpec{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
		RegistryAccess:    &v1alpha1.RegistryAccessPolicy{PlainHTTPHosts: hosts, PrivateHosts: hosts},
		Signatures: &v1alpha1.SignaturePolicy{Enforcement: v1alpha1.PolicyDeny, Authorities: []v1alpha1.SignatureAuthority{{
			Name: "team", Type: v1alpha1.SignatureKey,
			Key: &v1alpha1.KeyAuthority{PublicKey: oci.PublicPEM(GinkgoT(), s.key)},
		}}},
	}}
	w.create(ctx, policy)
	DeferCleanup(func(ctx SpecContext) { Expect(w.Client.Delete(ctx, policy)).To(Succeed()) })
	return policy
}

func running(image string) harness.ReleaseOption {
	return harness.Container(func(c *corev1.Container) { c.Image = image })
}

// untilWaiting waits until a release says why it is not sealed.
func (w *world) untilWaiting(ctx context.Context, version, reason, words string) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		release, err := w.Release(ctx, w.namespace, version)
		g.Expect(err).NotTo(HaveOccurred())
		sealed := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionSealed)
		g.Expect(sealed).NotTo(BeNil())
		g.Expect(sealed.Status).To(Equal(metav1.ConditionFalse))
		g.Expect(sealed.Reason).To(Equal(reason), sealed.Message)
		g.Expect(sealed.Message).To(ContainSubstring(words))
	}).Should(Succeed())
}

var _ = story("the evidence of a signature is in the seal and in the log, and an image without one goes nowhere", func(ctx context.Context, w *world) {
	s := openStore()
	w.demand(ctx, s)
	signed := s.image(true)
	w.goLive(ctx, w.track(), w.release("1.0.0", running(signed)))

	seal := resources.Seal{}
	Expect(json.Unmarshal([]byte(w.seal(ctx, "1.0.0")), &seal)).To(Succeed())
	Expect(seal.Images).To(HaveLen(1))
	Expect(seal.Images[0].Signatures).To(HaveLen(1))
	evidence := seal.Images[0].Signatures[0]
	Expect(evidence.Authority).To(Equal("team"))
	Expect(signed).To(HaveSuffix(evidence.Digest))
	Expect(evidence.KeyDigest).To(HavePrefix("sha256:"))
	records := w.records(ctx)
	promoted := records[len(records)-1]
	for i := range records {
		if records[i].Spec.Event == v1alpha1.EventPromoted {
			promoted = records[i]
		}
	}
	Expect(promoted.Spec.Release.Images[0].Signatures).To(Equal(seal.Images[0].Signatures))

	w.create(ctx, w.release("2.0.0", running(s.image(false))))
	w.untilWaiting(ctx, "2.0.0", "SignatureMissing", "ReleasePolicy "+w.namespace+" demands signatures")
	w.create(ctx, w.release("3.0.0", running(s.Host+"/shop/web@sha256:"+strings.Repeat("a", 64))))
	w.untilWaiting(ctx, "3.0.0", "ImageNotFound", "push it there")
	w.untilServed(ctx, "1.0.0:100")
})

var _ = story("a registry that is down keeps a new release waiting, and nobody from going back", func(ctx context.Context, w *world) {
	s := openStore()
	w.demand(ctx, s)
	w.goLive(ctx, w.track(), w.release("1.0.0", running(s.image(true))))
	w.create(ctx, w.release("2.0.0", running(s.image(true))))
	w.untilSettled(ctx, "2.0.0")
	third := s.image(true)
	s.Close()
	w.create(ctx, w.release("3.0.0", running(third)))
	w.untilWaiting(ctx, "3.0.0", "RegistryUnreachable", s.Host)
	w.act(ctx, v1alpha1.ActionRollback, "1.0.0")
	w.untilServed(ctx, "1.0.0:100")
})

var _ = story("a track says what policies ask for, and a release that serves for too long is Stale", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	policy := &v1alpha1.ReleasePolicy{}
	policy.Name = w.namespace
	policy.Spec.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"policies-of": w.namespace}}
	age := int64(3600)
	policy.Spec.MaxAgeSeconds = &age
	policy.Spec.ExternalState = &v1alpha1.ExternalStatePolicy{HostPath: v1alpha1.PolicyDeny}
	w.create(ctx, policy)
	DeferCleanup(func(ctx SpecContext) { Expect(w.Client.Delete(ctx, policy)).To(Succeed()) })
	namespace := &corev1.Namespace{}
	namespace.Name = w.namespace
	w.patch(ctx, namespace, `{"metadata":{"labels":{"policies-of":"`+w.namespace+`"}}}`)

	track := &v1alpha1.ReleaseTrack{}
	Eventually(func(g Gomega) {
		w.get(ctx, track, harness.TrackName)
		g.Expect(track.Status.Policy).To(Equal(&v1alpha1.EffectivePolicy{PolicyNames: []string{w.namespace}, MaxAgeSeconds: age,
			Rules: []v1alpha1.EffectiveRule{{Field: "externalState.hostPath", Mode: v1alpha1.PolicyDeny, PolicyName: w.namespace}}}))
		release, err := w.Release(ctx, w.namespace, "1.0.0")
		g.Expect(err).NotTo(HaveOccurred())
		stale := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionStale)
		g.Expect(stale).NotTo(BeNil())
		g.Expect(stale.Reason).To(Equal("Fresh"))
	}).Should(Succeed())

	w.patch(ctx, namespace, `{"metadata":{"labels":{"policies-of":null}}}`)
	Eventually(func(g Gomega) {
		w.get(ctx, track, harness.TrackName)
		g.Expect(track.Status.Policy).To(BeNil())
		release, err := w.Release(ctx, w.namespace, "1.0.0")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionStale)).To(BeNil())
	}).Should(Succeed())
})
