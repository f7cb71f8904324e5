//go:build e2e

package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

var _ = story("a migration runs before the release has any pod, and one that fails leaves it without",
	Label("going-live", "before-pods"), func(ctx context.Context, w *world) {
		w.goLive(ctx, 40, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", w.Test("migrate", v1alpha1.BeforePods, 60, "pass", "--delay=4s")))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		finished := w.recordsOf(ctx, "2.0.0", v1alpha1.EventTestFinished)
		Expect(finished).To(HaveLen(1))
		deployment := &appsv1.Deployment{}
		Expect(w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: harness.ReleaseName("2.0.0") + "-web"}, deployment)).To(Succeed())
		// The API server knows whole seconds.
		Expect(deployment.CreationTimestamp.Unix()).To(BeNumerically(">=", finished[0].Spec.Time.Unix()))

		w.create(ctx, w.NewRelease(w.namespace, "3.0.0", w.Test("migrate", v1alpha1.BeforePods, 60, "fail", "--message=relation orders is locked")))
		verdict := w.untilVerdict(ctx, "3.0.0", v1alpha1.EventFailed)
		Expect(verdict.Spec.Message).To(ContainSubstring("relation orders is locked"))
		w.untilRecord(ctx, "3.0.0", v1alpha1.EventRetired)
		Expect(w.pods(ctx, "3.0.0")).To(BeEmpty())
		Expect(client.IgnoreNotFound(w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: harness.ReleaseName("3.0.0") + "-web"}, deployment))).To(Succeed())
		w.untilAnswers(ctx, "2.0.0")
	})
