package admission

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
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
})
