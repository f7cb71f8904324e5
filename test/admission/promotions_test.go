package admission

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/oci"
)

var _ = Describe("A release that comes from another cluster", func() {
	It("brings promotions of its own content alone, and is warned where its track asks for one that it lacks", func() {
		namespace := newNamespace()
		track := newTrack(namespace, "shop")
		track.Spec.Requires = []v1alpha1.RequiredTrack{
			{Namespace: "staging", TrackName: "shop"},
			{Namespace: namespace, TrackName: "shop", PublicKey: oci.PublicPEM(GinkgoT(), oci.NewKey(GinkgoT()))},
		}
		Expect(admin.Create(ctx, track)).To(Succeed())
		broken := newTrack(namespace, "broken")
		broken.Spec.Requires = []v1alpha1.RequiredTrack{{Namespace: "staging", TrackName: "shop", PublicKey: "-----BEGIN PUBLIC KEY-----"}}
		Expect(admin.Create(ctx, broken)).To(MatchError(ContainSubstring("spec.requires[0].publicKey: Invalid value")))

		release := newRelease(namespace, "shop-1", "shop", "1")
		Eventually(func(g Gomega) {
			listening, warnings := rest.CopyConfig(config), &heard{}
			listening.WarningHandler = warnings
			listener, err := client.New(listening, client.Options{Scheme: scheme})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(listener.Create(ctx, release.DeepCopy(), client.DryRunAll)).To(Succeed())
			g.Expect(warnings.texts).To(ConsistOf(ContainSubstring("track shop requires a promotion on " + namespace + "/shop, and none is proven")))
		}).Should(Succeed())
		release.Spec.Promotions = []v1alpha1.SignedPromotion{{
			Namespace: namespace, TrackName: "shop", ContentDigest: "sha256:" + strings.Repeat("0", 64),
			Sequence: 1, Digest: "sha256:" + strings.Repeat("1", 64), Time: metav1.Now(), Signature: "AAAA",
		}}
		Expect(admin.Create(ctx, release, client.DryRunAll)).To(MatchError(SatisfyAll(
			ContainSubstring("spec.promotions[0].contentDigest: Invalid value"), ContainSubstring("the content of this release is sha256:"))))
	})
})
