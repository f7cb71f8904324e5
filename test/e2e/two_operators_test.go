//go:build e2e

package e2e

import (
	"context"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// breaksAll is the label of stories that break what all others stand on: they are told where
// they are asked for.
const breaksAll = "fault"

// onlyOnLocal leaves out a story that breaks something of the local cluster.
func onlyOnLocal() {
	GinkgoHelper()
	if harness.LocalCluster() == "" {
		Skip("this is not the local cluster")
	}
}

// It needs two operators.
var _ = alone("a leader that sleeps past its Lease wakes up beside the next one: two move the track for a moment, and it ends as by one alone",
	Label("traffic", "living-with-it", breaksAll, "scenario-24"), func(ctx context.Context, w *world) {
		w.goLiveUnasked(ctx, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 15), harness.Step(50, 3))), w.tested("1.0.0"))
		w.create(ctx, w.tested("2.0.0"))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
	}, func(ctx context.Context, w *world) {
		onlyOnLocal()
		w.startLoad(ctx, 60)
		DeferCleanup(func(ctx SpecContext) { w.scaleOperator(ctx, 1) })
		w.scaleOperator(ctx, 2)
		before, start := w.pods(ctx, "2.0.0"), time.Now()
		w.create(ctx, w.tested("3.0.0"))
		w.untilWeight(ctx, "3.0.0", 20)
		w.expectShare(ctx, "3.0.0", 20)
		Expect(w.weightsSet(ctx, "3.0.0")).To(Equal([]int32{20}), "the hold was too short for this machine")

		By("the leader sleeps until another one leads, and the hold is over meanwhile")
		first, err := w.Leader(ctx)
		Expect(err).NotTo(HaveOccurred())
		thaw, err := w.FreezeOperator(ctx, first)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(thaw)
		Eventually(ctx, func() (string, error) { return w.Leader(ctx) }).WithTimeout(patience).WithPolling(20 * time.Millisecond).ShouldNot(Equal(first))
		beside := time.Now()
		Expect(thaw()).To(Succeed())
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "3.0.0")

		By("both have acted, by the same decisions as one alone")
		w.expectBothWrote(ctx, first, beside)
		byOne := strings.NewReplacer("2-0-0", "new", "2.0.0", "new", "1.0.0", "old").Replace(w.lines(ctx, "2.0.0"))
		Expect(strings.NewReplacer("3-0-0", "new", "3.0.0", "new", "2.0.0", "old").Replace(w.lines(ctx, "3.0.0"))).To(Equal(byOne))
		Expect(w.moves(start)).To(Equal([]string{"2.0.0:80 3.0.0:20", "2.0.0:50 3.0.0:50", "3.0.0:100"}))
		Expect(w.pods(ctx, "2.0.0")).To(Equal(before), "the pods of 2.0.0, which stays warm")
	})

// tested is a release with a test of each step: its Jobs are what two operators could start
// twice.
func (w *world) tested(version string) *v1alpha1.ImmutableRelease {
	return w.NewRelease(w.namespace, version, w.Test("basket", v1alpha1.EveryStep, 60, "pass"))
}

// expectBothWrote: since then the pod that led before has written about the story's track,
// or tried to, and so has another one.
func (w *world) expectBothWrote(ctx context.Context, first string, since time.Time) {
	GinkgoHelper()
	user, err := w.OperatorUser(ctx)
	Expect(err).NotTo(HaveOccurred())
	writes, err := w.Writes(user, w.namespace, since)
	Expect(err).NotTo(HaveOccurred())
	wrote, late := map[bool]int{}, 0
	for _, write := range writes {
		wrote[write.Pod == first]++
		if write.Code == http.StatusConflict {
			late++
		}
	}
	w.note("%d writes by the one that slept, %d by the next leader, %d of them refused because the other one was first", wrote[true], wrote[false], late)
	Expect(wrote).To(And(HaveKey(true), HaveKey(false)), "of the two operators only one has acted")
}
