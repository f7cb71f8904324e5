package plugin

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/oci"
)

// keyPair are the files of a new key, and its public part.
func keyPair(name string) (private, public, publicPEM string) {
	GinkgoHelper()
	key := oci.NewKey(GinkgoT())
	der, err := x509.MarshalPKCS8PrivateKey(key)
	Expect(err).NotTo(HaveOccurred())
	publicPEM = oci.PublicPEM(GinkgoT(), key)
	return file(name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))), file(name+".pub", publicPEM), publicPEM
}

// file holds a text.
func file(name, text string) string {
	GinkgoHelper()
	path := filepath.Join(GinkgoT().TempDir(), name)
	Expect(os.WriteFile(path, []byte(text), 0o600)).To(Succeed())
	return path
}

// twoPromoted brings 1.0.0 live and then 2.0.0, and 1.0.0 stands by.
func (w *world) twoPromoted(ctx context.Context) {
	GinkgoHelper()
	w.create(ctx, w.track(), w.first())
	w.jane.does(ctx, "wait", "shop", "--timeout", "1m")
	w.create(ctx, suite.NewRelease(w.namespace, "2.0.0"))
	w.jane.does(ctx, "wait", "shop", "--release", "shop-2-0-0", "--timeout", "1m")
	w.untilServes(ctx, "shop-2-0-0")
}

func (w *world) untilServes(ctx context.Context, release string) {
	GinkgoHelper()
	Eventually(ctx, func() (string, error) {
		track, err := suite.Track(ctx, w.namespace)
		if err != nil {
			return "", err
		}
		return track.Status.StableReleaseName + " " + harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionReady), nil
	}).Should(HavePrefix(release + " Ready=True Settled"))
}

func (w *world) pods(ctx context.Context, versions ...string) (identities []string) {
	GinkgoHelper()
	for _, version := range versions {
		pods, err := suite.Pods(ctx, w.namespace, version)
		Expect(err).NotTo(HaveOccurred())
		identities = append(identities, harness.PodIdentities(pods)...)
	}
	return identities
}

var _ = It("signs what it exports, and says whether signature, key or content is at fault", SpecTimeout(time.Minute), func(ctx SpecContext) {
	w := open(ctx)
	w.operate()
	w.create(ctx, w.track(), w.first())
	w.jane.does(ctx, "wait", "--timeout", "50s")
	w.untilServes(ctx, "shop-1-0-0")
	private, public, _ := keyPair("shop")
	_, another, _ := keyPair("another")
	for _, format := range []string{"jsonl", "csv"} {
		log := file("shop."+format, "")
		text := w.carl.does(ctx, "audit", "export", "-o", format, "--sign-key", private, "--signature", log+".sig")
		Expect(os.WriteFile(log, []byte(text), 0o600)).To(Succeed())
		Expect(w.carl.does(ctx, "audit", "verify", "-f", log, "--key", public)).To(MatchRegexp("signed with key: sha256:[0-9a-f]{64}\n"))
		Expect(w.carl.fails(ctx, 1, "audit", "verify", "-f", log, "--key", another)).To(ContainSubstring("it was signed with another key"))
		edited := file("edited", strings.Replace(text, "shop-1-0-0", "shop-1-0-1", 1))
		Expect(w.carl.fails(ctx, 1, "audit", "verify", "-f", edited, "--key", public, "--signature", log+".sig")).To(ContainSubstring("its content is not what was signed"))
		Expect(w.carl.fails(ctx, 1, "audit", "verify", "-f", edited, "--key", public)).To(ContainSubstring("is not signed: there is no " + edited + ".sig"))
	}
	Expect(w.carl.fails(ctx, 3, "audit", "export", "--sign-key", private)).To(ContainSubstring("--sign-key and --signature go together"))
	Expect(w.carl.fails(ctx, 3, "audit", "verify", "--key", public)).To(ContainSubstring("name it with -f"))

	By("a part of it")
	part := w.carl.does(ctx, "audit", "export", "--since", "0s")
	Expect(part).To(MatchRegexp(`^\{"kind":"LogPart".*"afterSequence":\d+,"afterDigest":"sha256:`))
	Expect(w.carl.run(ctx, part, "audit", "verify", "-f", "-").out).To(MatchRegexp(`the part of the log of track shop is whole: 0 records after record \d+`))
	Expect(w.jane.run(ctx, part, "audit", "import", "-f", "-").err).To(ContainSubstring("is a part of the log of track shop"))
})

var _ = It("brings an exported log back, and the track goes on with it as if it had not been away", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
	w := open(ctx)
	w.operate()
	w.twoPromoted(ctx)
	private, public, _ := keyPair("shop")
	log := file("shop.jsonl", "")
	lines := w.jane.does(ctx, "audit", "export", "shop", "--sign-key", private, "--signature", log+".sig")
	Expect(os.WriteFile(log, []byte(lines), 0o600)).To(Succeed())
	pods, standby, records := w.pods(ctx, "1.0.0", "2.0.0"), w.pods(ctx, "1.0.0"), strings.Count(lines, "\n")
	Expect(standby).NotTo(BeEmpty())

	By("there is nothing to bring back, and nothing is put in the place of what is there")
	target := []string{"audit", "import", "shop", "-f", log, "--key", public}
	Expect(w.jane.does(ctx, target...)).To(ContainSubstring("0 of them brought back"))
	shorter := file("shorter.jsonl", lines[:strings.LastIndex(strings.TrimSpace(lines), "\n")+1])
	Expect(w.jane.fails(ctx, 1, "audit", "import", "-f", shorter)).To(MatchRegexp(`has other records: record \d+ there, with digest sha256:[0-9a-f]+, is not of this log`))

	By("track and records are lost")
	Expect(suite.Client.Delete(ctx, w.track())).To(Succeed())
	gone := func(from int) {
		all, err := suite.Records(ctx, w.namespace, "shop")
		Expect(err).NotTo(HaveOccurred())
		for i := range all {
			if all[i].Spec.Sequence < int64(from) {
				Expect(suite.Client.Delete(ctx, &all[i])).To(Succeed())
			}
		}
	}
	gone(1 << 20)
	Expect(w.carl.fails(ctx, 1, target...)).To(ContainSubstring("you may not restore releasetracks"))
	edited := file("edited.jsonl", strings.Replace(lines, `"actor":"system`, `"actor":"mister`, 1))
	Expect(w.jane.fails(ctx, 1, "audit", "import", "-f", edited)).To(MatchRegexp(`broken at record 1: it was edited`))
	Expect(w.jane.fails(ctx, 1, "audit", "import", "-f", edited, "--key", public, "--signature", log+".sig")).To(ContainSubstring("its content is not what was signed"))
	Expect(w.jane.fails(ctx, 3, "audit", "verify", "shop")).To(ContainSubstring("has no track"))

	By("it comes back, also when it is interrupted")
	Expect(w.jane.does(ctx, target...)).To(ContainSubstring("next: bring back what the releases own"))
	gone(4)
	Expect(w.jane.does(ctx, target...)).To(ContainSubstring(", 3 of them brought back"))

	By("the track goes on")
	w.create(ctx, w.track())
	w.untilServes(ctx, "shop-2-0-0")
	Expect(w.jane.does(ctx, "audit", "verify", "shop")).To(ContainSubstring("1 to %d\n", records))
	Expect(w.pods(ctx, "1.0.0", "2.0.0")).To(Equal(pods))
	Expect(w.jane.does(ctx, target...)).To(ContainSubstring("next: the operator goes on from there: kubectl strata status shop"))
	Expect(w.jane.does(ctx, "rollback", "shop", "--reason", "to what stood by")).To(HavePrefix("Rollback to shop-1-0-0 done"))
	Expect(w.pods(ctx, "1.0.0")).To(Equal(standby))
})

var _ = It("takes a release from staging to production, in one cluster and to another", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
	staging, production, elsewhere := open(ctx), open(ctx), open(ctx)
	staging.operate(production)
	elsewhere.operate()
	private, _, public := keyPair("staging")
	requiring := func(w *world, key string) {
		track := w.track()
		track.Spec.Requires = []v1alpha1.RequiredTrack{{Namespace: staging.namespace, TrackName: "shop", PublicKey: key}}
		w.create(ctx, track)
	}
	requiring(production, "")
	requiring(elsewhere, public)
	staging.create(ctx, staging.track(), staging.first())
	promote := func(to *world, more ...string) []string {
		return append([]string{"promote", "shop-1-0-0", "--to", to.namespace, "--replicas", "web=2"}, more...)
	}

	By("in production it waits for staging, and then goes by itself")
	staging.jane.does(ctx, promote(production, "--unpromoted")...)
	staging.jane.does(ctx, "wait", "--timeout", "50s")
	production.jane.does(ctx, "wait", "--timeout", "50s")

	By("elsewhere nobody sees staging: what was not signed there waits")
	across := promote(elsewhere, "--to-context", "elsewhere")
	staging.jane.does(ctx, across...)
	Eventually(ctx, func() string { return elsewhere.jane.does(ctx, "explain") }).Should(MatchRegexp(
		`RequiredTracksPromoted +Blocks +NotProvenThere +no promotion on track ` + staging.namespace + `/shop is proven`))
	Eventually(ctx, func() string { return elsewhere.jane.fails(ctx, 2, "wait", "--timeout", "300ms") }).Should(ContainSubstring("no promotion on track"))
	signed := append(across, "--sign-key", private)
	Expect(staging.jane.fails(ctx, 1, signed...)).To(ContainSubstring("is there already, without a promotion"))

	By("it goes with what was signed")
	blocked, err := suite.Release(ctx, elsewhere.namespace, "1.0.0")
	Expect(err).NotTo(HaveOccurred())
	Expect(suite.Client.Delete(ctx, blocked)).To(Succeed())
	staging.jane.does(ctx, signed...)
	Expect(staging.jane.does(ctx, signed...)).To(ContainSubstring("is there already"))
	elsewhere.jane.does(ctx, "retry", "--reason", "signed now")
	elsewhere.jane.does(ctx, "wait", "--timeout", "50s")

	By("one content everywhere, and the evidence in the log")
	var contents []string
	for _, w := range []*world{staging, production, elsewhere} {
		release, err := suite.Release(ctx, w.namespace, "1.0.0")
		Expect(err).NotTo(HaveOccurred())
		contents = append(contents, release.Status.ContentDigest)
	}
	Expect(contents[0]).To(HavePrefix("sha256:"))
	Expect(contents).To(HaveEach(contents[0]))
	var report struct {
		Attempts []struct {
			Attempt    int32
			Promotions []v1alpha1.RecordedPromotion
		}
	}
	Expect(json.Unmarshal([]byte(elsewhere.jane.does(ctx, "audit", "report", "-o", "json")), &report)).To(Succeed())
	evidence := report.Attempts[len(report.Attempts)-1].Promotions
	Expect(evidence).To(HaveLen(1))
	Expect(evidence[0].KeyDigest).To(HavePrefix("sha256:"))
	staging.jane.does(ctx, "audit", "verify", "--anchor", evidence[0].Digest)
	Expect(elsewhere.jane.does(ctx, "audit", "report")).To(ContainSubstring("promoted   before on track " + staging.namespace + "/shop, record"))
	Expect(production.jane.does(ctx, "audit", "report")).To(MatchRegexp(`promoted   before on track ` + staging.namespace + `/shop, record \d+\n`))

	By("what was rolled back is not signed")
	staging.create(ctx, suite.NewRelease(staging.namespace, "2.0.0"))
	staging.jane.does(ctx, "wait", "--release", "shop-2-0-0", "--timeout", "50s")
	staging.jane.does(ctx, "rollback", "--reason", "errors")
	Expect(staging.jane.fails(ctx, 1, "promote", "shop-2-0-0", "--to", elsewhere.namespace, "--unpromoted", "--sign-key", private, "--dry-run", "client")).To(
		ContainSubstring("version 2.0.0 ended as RolledBack since it was promoted"))
})
