//go:build e2e

package e2e

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic/gatewayapi"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

var _ = story("gRPC calls shift by a GRPCRoute, to a candidate and back, and none is lost",
	early, Label("traffic", "grpc"), func(ctx context.Context, w *world) {
		w.calls = true
		w.create(ctx, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 12), harness.Step(50, 12)), func(t *v1alpha1.ReleaseTrack) {
			t.Spec.Traffic.Routes[0].GatewayAPI.Kind = gatewayapi.KindGRPCRoute
		}), w.NewRelease(w.namespace, "1.0.0", harness.H2C))
		w.untilVerdict(ctx, "1.0.0", v1alpha1.EventPromoted)
		w.untilAnyAnswer(ctx, "1.0.0")
		w.startLoad(ctx, 60)

		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", harness.H2C))
		for _, percent := range []int32{20, 50} {
			w.untilWeight(ctx, "2.0.0", percent)
			w.expectShare(ctx, "2.0.0", float64(percent))
		}
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.expectShare(ctx, "2.0.0", 100)
		Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{20, 50, 100}))

		w.allow(ctx, "ann", "rollback")
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))).To(Succeed())
		w.untilWeight(ctx, "1.0.0", 100)
		w.expectShare(ctx, "1.0.0", 100)
		Expect(len(w.load.Results())).To(BeNumerically(">=", 5000))
	})

// untilAnyAnswer waits until the load, whatever it asks, is answered by the version.
func (w *world) untilAnyAnswer(ctx context.Context, version string) {
	GinkgoHelper()
	probe := w.asking(ctx, load.Options{Rate: 5})
	defer probe.Stop()
	Eventually(ctx, func() bool {
		_, answered := probe.Results().First(func(r load.Result) bool { return !r.Failed() && r.Version == version })
		return answered
	}).WithTimeout(patience).Should(BeTrue(), "answers of %s", version)
}
