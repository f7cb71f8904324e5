package admission

import (
	"bytes"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/cmd/kubectl-strata/plugin"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

var _ = Describe("A log that was lost", func() {
	It("comes back from its newest record on, as it was, and nothing is added to it", func() {
		namespace := newNamespace()
		var records []*v1alpha1.ReleaseRecord
		var head *v1alpha1.ReleaseRecordSpec
		for range 4 {
			spec := ledger.Chain("shop", head, rollout.Entry{Event: v1alpha1.EventRefused, Reason: "Test", Actor: "strata"}, time.Now())
			head, records = &spec, append(records, ledger.Record(namespace, spec))
		}
		Expect(admin.Create(ctx, records[2].DeepCopy())).To(Succeed())
		Expect(admin.Create(ctx, records[3].DeepCopy())).To(MatchError(ContainSubstring("from its newest record on")))
		edited := records[1].DeepCopy()
		edited.Spec.Reason = "Other"
		Expect(admin.Create(ctx, edited)).To(MatchError(ContainSubstring("it was edited")))
		Expect(admin.Create(ctx, records[1].DeepCopy())).To(Succeed())
		Expect(admin.Create(ctx, records[0].DeepCopy())).To(Succeed())
		Expect(operator.Create(ctx, records[3].DeepCopy())).To(Succeed())
	})

	It("is imported by the plugin, as what the verb restore allows and no more", func() {
		namespace := newNamespace()
		var lines bytes.Buffer
		var head *v1alpha1.ReleaseRecordSpec
		for range 3 {
			spec := ledger.Chain("shop", head, rollout.Entry{Event: v1alpha1.EventRefused, Reason: "Test", Actor: "strata"}, time.Now())
			record := ledger.Record(namespace, spec)
			record.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ReleaseRecord"))
			head = &spec
			Expect(json.NewEncoder(&lines).Encode(record)).To(Succeed())
		}
		importBy := func(user string) (code int, said string) {
			var out bytes.Buffer
			code = plugin.Run(ctx, []string{"audit", "import", "-f", "-", "-n", namespace, "--kubeconfig", kubeconfig, "--as", user, "--cache-dir", GinkgoT().TempDir()},
				plugin.Options{Streams: genericiooptions.IOStreams{In: bytes.NewReader(lines.Bytes()), Out: &out, ErrOut: &out}, Version: "test"})
			return code, out.String()
		}
		newUser(namespace, "jo", "create", "get", "list")
		newUser(namespace, "ann", "create", "get", "list", "restore")
		code, said := importBy("jo")
		Expect(said).To(ContainSubstring("you may not restore releasetracks"))
		Expect(code).To(Equal(1))
		code, said = importBy("ann")
		Expect(said).To(ContainSubstring("the log of track " + namespace + "/shop is whole: 3 records"))
		Expect(code).To(BeZero())
	})
})
