package stories

import (
	"context"
	"strings"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

// of says what comes of the tests of one version; all others pass.
func of(version string, play cluster.Test) func(*batchv1.Job) cluster.Test {
	return func(job *batchv1.Job) cluster.Test {
		if job.Labels[v1alpha1.LabelRelease] == harness.ReleaseName(version) {
			return play
		}
		return cluster.Test{}
	}
}

// expectFailed: the version's only attempt failed, and release and track say why,
// to people and to kstatus; 1.0.0 serves on.
func (w *world) expectFailed(ctx context.Context, version, words string) {
	GinkgoHelper()
	verdict := w.untilVerdict(ctx, version, 1, v1alpha1.EventFailed)
	Expect(verdict.Spec.Message).To(ContainSubstring(words))
	w.untilRelease(ctx, version, v1alpha1.ConditionReady, And(HavePrefix("Ready=False Failed"), ContainSubstring(words)))
	w.untilRelease(ctx, version, v1alpha1.ConditionStalled, HavePrefix("Stalled=True"))
	w.untilTrack(ctx, v1alpha1.ConditionReady, And(HavePrefix("Ready=False Stalled"), ContainSubstring(words), ContainSubstring("Retry")))
	w.untilServed(ctx, "1.0.0:100")
	w.expectKstatus(ctx, "ReleaseTrack", "shop", status.FailedStatus)
	w.expectKstatus(ctx, "ImmutableRelease", harness.ReleaseName(version), status.FailedStatus)
	w.expectKstatus(ctx, "ImmutableRelease", "shop-1-0-0", status.CurrentStatus)

	By("it is not tried again")
	Consistently(ctx, func() int { return len(w.recordsOf(ctx, version, v1alpha1.EventAttemptOpened)) }).
		WithTimeout(700 * time.Millisecond).Should(Equal(1))
}

var _ = story("a test that fails before traffic keeps the weight at 0, in the test's own words", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	before := w.pods(ctx, "1.0.0")
	w.PlayTests(w.namespace, of("2.0.0", cluster.Test{Fails: true, Says: "checkout answers 500"}))
	w.create(ctx, w.release("2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.expectFailed(ctx, "2.0.0", "checkout answers 500")
	w.untilRelease(ctx, "2.0.0", v1alpha1.ConditionTestsPassed, And(HavePrefix("TestsPassed=False TestFailed"), ContainSubstring("checkout answers 500")))
	Expect(w.moves()).To(Equal([]string{"1.0.0:100"}))
	Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
	w.untilGone(ctx, "2.0.0")
	w.untilRelease(ctx, "2.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=False Failed"))
})

var _ = story("a test whose Job is deleted on the way has not passed", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	w.PlayTests(w.namespace, of("2.0.0", cluster.Test{Hangs: true}))
	w.create(ctx, w.release("2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.untilRecord(ctx, "2.0.0", v1alpha1.EventTestStarted)
	jobs, err := w.Jobs(ctx, w.namespace, "2.0.0")
	Expect(err).NotTo(HaveOccurred())
	Expect(jobs).To(HaveLen(1))
	Expect(w.Client.Delete(ctx, &jobs[0], client.PropagationPolicy("Background"))).To(Succeed())
	w.expectFailed(ctx, "2.0.0", "deleted before it finished")
})

var _ = story("a test whose pod cannot be created says so in the API server's words, and is run once it can", func(ctx context.Context, w *world) {
	w.create(ctx, w.track(), w.release("1.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60), func(r *v1alpha1.ImmutableRelease) {
		r.Spec.Tests[0].Template.Spec.Template.Spec.ServiceAccountName = "tester"
	}))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True TestRunning"),
		ContainSubstring("FailedCreate: pods are forbidden"), ContainSubstring(`serviceaccount "tester" not found`)))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False TestRunning"), ContainSubstring(`serviceaccount "tester" not found`)))
	w.create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "tester"}})
	w.untilSettled(ctx, "1.0.0")
})

var _ = story("a test that hangs has failed at its deadline", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	w.PlayTests(w.namespace, of("2.0.0", cluster.Test{Hangs: true}))
	w.create(ctx, w.release("2.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 2)))
	w.untilRelease(ctx, "2.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False TestRunning"), ContainSubstring("smoke")))
	w.expectFailed(ctx, "2.0.0", "2s")
})

var _ = story("a test of every step that fails at 50 brings everything back to the baseline in one write", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 0), harness.Step(50, 0))), w.release("1.0.0"))
	before := w.pods(ctx, "1.0.0")
	w.PlayTests(w.namespace, func(job *batchv1.Job) cluster.Test {
		return cluster.Test{Fails: strings.HasSuffix(job.Name, "-50"), Says: "too many errors"}
	})
	w.create(ctx, w.release("2.0.0", w.Test("errors", v1alpha1.EveryStep, 60)))
	w.expectFailed(ctx, "2.0.0", "at 50 % failed")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "1.0.0:80 2.0.0:20", "1.0.0:50 2.0.0:50", "1.0.0:100"}))
	Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventTestFinished)).To(HaveLen(2))
	w.untilGone(ctx, "2.0.0")
})
