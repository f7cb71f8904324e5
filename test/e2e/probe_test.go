//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// probed lets the operator ask for /asked through the gateway.
func (w *world) probed(t *v1alpha1.ReleaseTrack) {
	t.Spec.Traffic.Routes[0].Probe = &v1alpha1.RouteProbe{
		URL: w.GatewayURL + "/asked", Hostname: harness.Host(w.namespace), MarkerHeader: "X-Release", Requests: ptr.To[int32](400),
	}
}

// thief is somebody's own route: what asks for /asked goes to a version, whatever the weights.
func (w *world) thief(version string) *gatewayv1.HTTPRoute {
	public := w.PublicRoute(harness.Host(w.namespace)).GatewayAPI
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "by-hand"},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: public.ParentRefs}, Hostnames: public.Hostnames,
			Rules: []gatewayv1.HTTPRouteRule{{
				Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: ptr.To(gatewayv1.PathMatchExact), Value: ptr.To("/asked")}}},
				BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
					Name: gatewayv1.ObjectName(harness.ReleaseName(version) + "-web"), Port: ptr.To[gatewayv1.PortNumber](80),
				}}}},
			}},
		},
	}
}

// untilShareDoubted waits until the track says what a probe has shown.
func (w *world) untilShareDoubted(ctx context.Context, says string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		track, err := w.Track(ctx, w.namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionRolloutBlocked)).
			To(And(HavePrefix("RolloutBlocked=True ShareNotObserved"), ContainSubstring(says)))
		g.Expect(track.Status.BlockedBy.Gate).To(Equal("RouteVerified"))
	}).WithTimeout(patience).Should(Succeed())
}

var _ = story("a probe through the gateway shows 20, 50 and 100 percent before the next step is taken",
	early, Label("traffic", "probe"), func(ctx context.Context, w *world) {
		w.goLive(ctx, 60, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 0), harness.Step(50, 0)), w.probed), w.NewRelease(w.namespace, "1.0.0"))
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.expectShare(ctx, "2.0.0", 100)
		Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{20, 50, 100}))
		// Nothing else holds a weight: after each the gateway is left alone for two seconds, and asked.
		verified := w.recordsOf(ctx, "2.0.0", v1alpha1.EventWeightVerified)
		next := append(w.recordsOf(ctx, "2.0.0", v1alpha1.EventWeightSet)[1:], w.recordsOf(ctx, "2.0.0", v1alpha1.EventPromoted)...)
		Expect(verified).To(HaveLen(3))
		for i := range verified {
			took := next[i].Spec.Time.Sub(verified[i].Spec.Time.Time)
			w.note("400 requests of the probe at %d %%: %s after the weight was confirmed", []int{20, 50, 100}[i], took.Round(time.Millisecond))
			Expect(took).To(BeNumerically(">", 2*time.Second))
		}
	})

var _ = story("a route by hand that takes what a probe asks for keeps the next step back, and the baseline serves on",
	early, Label("traffic", "probe"), func(ctx context.Context, w *world) {
		track := w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 0)), w.probed)
		w.goLive(ctx, 60, track, w.NewRelease(w.namespace, "1.0.0"))
		w.create(ctx, w.thief("1.0.0"), w.NewRelease(w.namespace, "2.0.0"))
		w.untilWeight(ctx, "2.0.0", 20)
		w.untilShareDoubted(ctx, "shop-2-0-0 answered 0 of 400 requests, and 80 are asked for")
		w.expectShare(ctx, "2.0.0", 20)
		Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{20}))

		By("it goes, and the rollout goes on")
		Expect(w.Client.Delete(ctx, w.thief("1.0.0"))).To(Succeed())
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")

		By("it comes back, and stays until the deadline")
		w.patch(ctx, track, `{"spec":{"rollout":{"progressDeadlineSeconds":40}}}`)
		w.create(ctx, w.thief("2.0.0"), w.NewRelease(w.namespace, "3.0.0"))
		failed := w.untilVerdict(ctx, "3.0.0", v1alpha1.EventFailed)
		Expect(failed.Spec.Reason).To(Equal("ShareNotObserved"))
		Expect(failed.Spec.Message).To(ContainSubstring("20 % not shown by a probe within 40s: route public: shop-3-0-0 answered 0 of 400 requests"))
		w.untilGone(ctx, "3.0.0")
		w.expectOnly("2.0.0", time.Now())
	})
