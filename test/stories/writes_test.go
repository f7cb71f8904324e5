package stories

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

// What a blue/green rollout of one component may write.
const (
	objectBudget = 16
	testBudget   = 4
	statusBudget = 8
	// readBudget is for what is read past the cache on the way, whatever else the namespace has.
	readBudget = 36
)

// writesSince are the operator's successful writes in the namespace, from the API
// server's audit log: of objects, and of statuses.
func (w *world) writesSince(since time.Time) (objects, statuses []harness.Write) {
	GinkgoHelper()
	all, err := w.Writes(cluster.OperatorUser, w.namespace, since)
	Expect(err).NotTo(HaveOccurred())
	for _, write := range all {
		switch {
		case write.Code >= 300:
		case write.Subresource == "status":
			statuses = append(statuses, write)
		default:
			objects = append(objects, write)
		}
	}
	return objects, statuses
}

// untilQuiet waits until nothing is written any more: what may wait to be written
// with others waits for 10 s at the most.
func (w *world) untilQuiet() {
	GinkgoHelper()
	Eventually(func() time.Duration {
		objects, statuses := w.writesSince(time.Time{})
		last := time.Time{}
		for _, write := range slices.Concat(objects, statuses) {
			if write.Time.After(last) {
				last = write.Time
			}
		}
		return time.Since(last)
	}).WithPolling(200 * time.Millisecond).Should(BeNumerically(">", 11*time.Second))
}

// hurried is how many statuses came first of their object, or less than 10 s after the one
// before. The others tell how a rollout gets on that takes its time, as on a machine that
// does much else beside: one of each object in 10 s, at most.
func hurried(statuses []harness.Write) int {
	n, last := 0, map[string]time.Time{}
	for _, write := range statuses {
		object := write.Resource + "/" + write.Name
		if write.Time.Sub(last[object]) < 10*time.Second || last[object].IsZero() {
			n++
		}
		last[object] = write.Time
	}
	return n
}

func lines(writes []harness.Write) string {
	var b strings.Builder
	for _, write := range writes {
		fmt.Fprintln(&b, " ", write)
	}
	return b.String()
}

// counted are two worlds in which 3.0.0 has been rolled out since start, 1.0.0 being
// retired in it. The first process, whose the serial stories are, does that first of all,
// so that they are at rest when they are looked at: what may wait to be written with
// others waits for 10 s at the most.
var counted struct {
	plain, tested *world
	start         time.Time
}

func briefDrain(t *v1alpha1.ReleaseTrack) { *t.Spec.Traffic.DrainSeconds = 1 }

func rollOutCounted(ctx context.Context) {
	plain, tested := open(ctx), open(ctx)
	counted.plain, counted.tested = plain, tested
	worlds := []*world{plain, tested}
	for _, w := range worlds {
		w.startOperator()
		w.goLive(ctx, w.track(warm(1), briefDrain), w.release("1.0.0"))
		w.create(ctx, w.release("2.0.0"))
		w.untilSettled(ctx, "2.0.0")
	}
	time.Sleep(time.Second)
	counted.start = time.Now()
	plain.create(ctx, plain.release("3.0.0"))
	tested.create(ctx, tested.release("3.0.0", tested.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	for _, w := range worlds {
		w.untilSettled(ctx, "3.0.0")
		w.untilGone(ctx, "1.0.0")
	}
}

var _ = Describe("writes at the API server", Serial, Ordered, func() {
	BeforeAll(func() {
		counted.plain.untilQuiet()
		counted.tested.untilQuiet()
	})

	expectWrites := func(w *world, budget int) {
		GinkgoHelper()
		objects, statuses := w.writesSince(counted.start)
		AddReportEntry("writes", ReportEntryVisibilityAlways, fmt.Sprintf("%d of objects, %d of status", len(objects), len(statuses)))
		Expect(objects).NotTo(BeEmpty(), "the audit log tells nothing")
		Expect(len(objects)).To(BeNumerically("<=", budget), lines(objects))
		Expect(hurried(statuses)).To(BeNumerically("<=", statusBudget), lines(statuses))
		requests, err := w.Requests(cluster.OperatorUser, w.namespace, counted.start)
		Expect(err).NotTo(HaveOccurred())
		maps.DeleteFunc(requests, func(what string, _ int) bool {
			return !strings.HasPrefix(what, "get ") && !strings.HasPrefix(what, "list ")
		})
		reads := 0
		for _, n := range requests {
			reads += n
		}
		AddReportEntry("reads", ReportEntryVisibilityAlways, fmt.Sprintf("%d: %v", reads, requests))
		Expect(reads).To(And(BeNumerically(">", 0), BeNumerically("<=", readBudget)), "%v", requests)
	}

	It("are few for a blue/green rollout of one component, in which an older release is retired", func(ctx SpecContext) {
		expectWrites(counted.plain, objectBudget)
		counted.plain.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=True Retired"))
		counted.plain.untilRelease(ctx, "2.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=True Standby"))
	})

	It("are four more with a test", func() {
		expectWrites(counted.tested, objectBudget+testBudget)
	})

	It("are none while a track is settled: not after a restart, and not when its manifests are applied again", SpecTimeout(time.Minute), func(ctx SpecContext) {
		start := time.Now()
		plain, tested := counted.plain, counted.tested
		plain.restartOperator()
		versions := map[string]string{}
		for range 3 {
			tested.applyAgain(ctx, versions, tested.track(warm(1), briefDrain), tested.release("1.0.0"), tested.release("2.0.0"), tested.release("3.0.0", tested.Test("smoke", v1alpha1.BeforeTraffic, 60)))
		}
		time.Sleep(20*time.Second - time.Since(start))
		for _, w := range []*world{plain, tested} {
			objects, statuses := w.writesSince(start)
			Expect(slices.Concat(objects, statuses)).To(BeEmpty(), lines(objects)+lines(statuses))
			w.expectIntact(ctx)
		}
	})
})

// applyAgain applies manifests on the server's side, and expects that the first
// time alone, which takes note of the manager, makes another object of them.
func (w *world) applyAgain(ctx context.Context, versions map[string]string, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		manifest := manifestOf(object)
		Expect(w.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(manifest), client.FieldOwner("gitops"), client.ForceOwnership)).To(Succeed())
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(manifest.GroupVersionKind())
		w.get(ctx, live, object.GetName())
		if was, ok := versions[object.GetName()]; ok {
			Expect(live.GetResourceVersion()).To(Equal(was), "%s changed", object.GetName())
		}
		Expect(live.GetGeneration()).To(BeEquivalentTo(1))
		versions[object.GetName()] = live.GetResourceVersion()
	}
}
