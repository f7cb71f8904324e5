//go:build e2e

package e2e

import (
	"context"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// neverReady tells the story of a release that does not come up: Failed at the
// deadline, with the pod's own words in the message.
func neverReady(ctx context.Context, w *world, broken harness.ReleaseOption, words ...string) {
	GinkgoHelper()
	const deadline = 12 * time.Second
	track := w.NewTrack(w.namespace)
	w.goLive(ctx, 30, track, w.NewRelease(w.namespace, "1.0.0"))
	before := w.pods(ctx, "1.0.0")
	w.patch(ctx, track, `{"spec":{"rollout":{"progressDeadlineSeconds":12}}}`)
	start := time.Now()
	w.create(ctx, w.NewRelease(w.namespace, "2.0.0", broken))

	verdict := w.untilVerdict(ctx, "2.0.0", v1alpha1.EventFailed)
	for _, word := range words {
		Expect(verdict.Spec.Message).To(ContainSubstring(word))
	}
	opened := w.recordsOf(ctx, "2.0.0", v1alpha1.EventAttemptOpened)[0]
	end := opened.Spec.Time.Add(deadline)
	Expect(verdict.Spec.Time.Time).To(BeTemporally(">=", end))
	// Other stories restart the operator: who comes after it can only be late.
	since, err := w.LeaderSince(ctx)
	Expect(err).NotTo(HaveOccurred())
	if since.Before(verdict.Spec.Time.Time) && since.After(end) {
		end = since
	}
	Expect(verdict.Spec.Time.Time).To(BeTemporally("<", end.Add(15*time.Second)))
	Eventually(ctx, func(g Gomega) {
		release, err := w.Release(ctx, w.namespace, "2.0.0")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(harness.ConditionLine(release.Status.Conditions, v1alpha1.ConditionReady)).To(ContainSubstring(words[0]))
		g.Expect(release.Status.LastVerdict).To(Equal(v1alpha1.EventFailed))
	}).WithTimeout(patience).Should(Succeed())
	w.untilGone(ctx, "2.0.0")
	w.expectNoWeight(ctx, "2.0.0", "1.0.0", start)
	Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
}

var scenario10 = Label("not-going-live", "scenario-10")

var _ = story("a release whose image is not there fails and says so", scenario10, func(ctx context.Context, w *world) {
	repository, _, _ := strings.Cut(w.AppImage, "@")
	nowhere := repository + "@sha256:" + strings.Repeat("0", 64)
	neverReady(ctx, w, harness.Container(func(c *corev1.Container) { c.Image = nowhere }), "ErrImagePull", nowhere)
})

var _ = story("a release that crashes fails with exit code and last words", scenario10, func(ctx context.Context, w *world) {
	crash := harness.Container(func(c *corev1.Container) {
		c.Args = append(c.Args, "--crash=no database")
		c.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	})
	neverReady(ctx, w, crash, "exited with 3", "no database")
})

var _ = story("a release that cannot be scheduled fails and says why", scenario10, func(ctx context.Context, w *world) {
	nowhere := harness.Pod(func(p *corev1.PodSpec) { p.NodeSelector = map[string]string{"disk": "marble"} })
	neverReady(ctx, w, nowhere, "Unschedulable", "node(s)")
})

var _ = story("a release whose probe never passes fails and says so", scenario10, func(ctx context.Context, w *world) {
	neverReady(ctx, w, harness.Flags("--never-ready"), "0 of 2 pods available")
})
