package stories

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

var _ = story("the first release of a track: nothing is routed before its tests have passed, then everything", func(ctx context.Context, w *world) {
	w.PlayTests(w.namespace, func(*batchv1.Job) cluster.Test { return cluster.Test{Hangs: true} })
	w.create(ctx, w.track(harness.Steps(harness.Step(20, 1))), w.release("1.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.untilTrack(ctx, v1alpha1.ConditionReady, HavePrefix("Ready=False Testing"))
	err := w.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: "shop-public"}, &gatewayv1.HTTPRoute{})
	Expect(apierrors.IsNotFound(err)).To(BeTrue(), "there is a route already: %v", err)

	By("the test passes")
	w.PlayTests(w.namespace, func(*batchv1.Job) cluster.Test { return cluster.Test{} })
	w.untilSettled(ctx, "1.0.0")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100"}), "a first release has nothing to go back to, and takes no steps")
	Expect(events(w.records(ctx))).To(Equal([]v1alpha1.RecordEvent{
		v1alpha1.EventAttemptOpened, v1alpha1.EventTestStarted, v1alpha1.EventTestFinished,
		v1alpha1.EventWeightSet, v1alpha1.EventWeightVerified, v1alpha1.EventPromoted,
	}))

	By("all conditions are there and true")
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=True Stable"))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionSealed, HavePrefix("Sealed=True"))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionAvailable, HavePrefix("Available=True"))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionTestsPassed, HavePrefix("TestsPassed=True"))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionServing, HavePrefix("Serving=True"))
	w.untilTrack(ctx, v1alpha1.ConditionAvailable, HavePrefix("Available=True"))
	w.untilTrack(ctx, v1alpha1.ConditionTrafficShifted, HavePrefix("TrafficShifted=True"))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, HavePrefix("RolloutBlocked=False"))
	Eventually(ctx, func(g Gomega) {
		release, err := w.Release(ctx, w.namespace, "1.0.0")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(release.Status.WeightPercent).To(BeEquivalentTo(100))
		g.Expect(release.Status.ReadyComponents).To(Equal("1/1"))
		g.Expect(release.Status.LastVerdict).To(Equal(v1alpha1.EventPromoted))
	}).Should(Succeed())
})
