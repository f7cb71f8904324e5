//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// shop makes a release of web, which asks its sibling api for every customer, and a
// worker, which is ready while that api answers it. The application answers 502 where
// it meets another version than its own, so that every answered request met one.
func (w *world) shop(version string, options ...harness.ReleaseOption) *v1alpha1.ImmutableRelease {
	release := w.NewRelease(w.namespace, version, append([]harness.ReleaseOption{w.Component("api", 2), w.Component("worker", 1)}, options...)...)
	worker := &release.Spec.Components[2]
	worker.Ports, worker.Activation = nil, v1alpha1.ActivationImmediate
	worker.Template.Spec.Containers[0].ReadinessProbe.HTTPGet.Path = "/?call=api"
	return release
}

// expectRoutes: the newest record gives a version all of both routes.
func (w *world) expectRoutes(ctx context.Context, version string) {
	GinkgoHelper()
	records := w.records(ctx)
	routes := records[len(records)-1].Spec.State.Routes
	Expect(routes).To(HaveLen(2))
	for _, route := range routes {
		Expect(route.Weights).To(Equal([]v1alpha1.ReleaseWeight{{ReleaseName: harness.ReleaseName(version), WeightPercent: 100}}), "route %s", route.Name)
	}
}

var _ = story("a release of three components goes all the way or back as one, and no request meets two versions",
	early, Label("traffic", "going-live", "scenario-6"), func(ctx context.Context, w *world) {
		w.path = "/?call=api"
		track := w.NewTrack(w.namespace, harness.Steps(harness.Step(50, 5)), func(t *v1alpha1.ReleaseTrack) {
			t.Spec.Traffic.Routes = append(t.Spec.Traffic.Routes, v1alpha1.Route{
				Name: "internal", ComponentName: "api", PortName: "http", Type: v1alpha1.RouteService,
				Service: &v1alpha1.ServiceRoute{Name: "shop-api"},
			})
		})
		w.goLive(ctx, 40, track, w.shop("1.0.0"))
		w.expectBoth(ctx, "1.0.0")

		By("2.0.0 fails at 50 %: everything is at 0 again")
		start := time.Now()
		w.create(ctx, w.shop("2.0.0", harness.Flags("--selfcheck-fail-after=60"),
			w.Test("selfcheck", v1alpha1.EveryStep, 60, "errors", "--path=/selfcheck", "--requests=400", "--interval=50ms")))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventFailed)
		w.expectRoutes(ctx, "1.0.0")
		w.untilGone(ctx, "2.0.0")
		w.expectBoth(ctx, "1.0.0")
		moves := w.moves(start)
		Expect(moves).NotTo(BeEmpty(), "2.0.0 never had weight")
		Expect(moves[len(moves)-1]).To(Equal("1.0.0:100"))

		By("3.0.0 is well: everything is at 100")
		w.create(ctx, w.shop("3.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60, "smoke", "--component=api")))
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventPromoted)
		w.expectRoutes(ctx, "3.0.0")
		Expect(w.weightsSet(ctx, "3.0.0")).To(Equal([]int32{50, 100}))
		w.untilSettled(ctx, "3.0.0")
		time.Sleep(settleTime)
		w.expectBoth(ctx, "3.0.0")
	})

// expectBoth: a version answers, and so does the api behind it.
func (w *world) expectBoth(ctx context.Context, version string) {
	GinkgoHelper()
	if w.calls { // Each call asks api, too, and none may fail.
		w.expectOnly(version, time.Now())
		return
	}
	got, err := w.ask(ctx, w.path)
	Expect(err).NotTo(HaveOccurred())
	Expect(got.Version).To(Equal(version))
	Expect(got.Calls).To(HaveKey("api"))
	Expect(got.Calls["api"].Version).To(Equal(version))
}
