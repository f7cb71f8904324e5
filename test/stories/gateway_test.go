package stories

import (
	"context"
	"time"

	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

// gatewaySays the same of every route.
func (w *world) gatewaySays(play cluster.Route) {
	w.PlayGateway(w.namespace, func(*gatewayv1.HTTPRoute) cluster.Route { return play })
}

var _ = story("a Gateway that refuses the route is quoted on track and release, and nothing is promoted before it accepts", func(ctx context.Context, w *world) {
	w.gatewaySays(cluster.Route{Refusal: "NotAllowedByListeners", Message: "no listener for this namespace"})
	w.create(ctx, w.track(), w.release("1.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionTrafficShifted, And(HavePrefix("TrafficShifted=False RouteNotAccepted"),
		ContainSubstring("Gateway gateway/public"), ContainSubstring("NotAllowedByListeners"), ContainSubstring("no listener for this namespace")))
	w.untilTrack(ctx, v1alpha1.ConditionReady, HavePrefix("Ready=False Baking"))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False RouteNotAccepted"), ContainSubstring("no listener")))
	Expect(w.recordsOf(ctx, "1.0.0", v1alpha1.EventPromoted)).To(BeEmpty())
	w.gatewaySays(cluster.Route{})
	w.untilSettled(ctx, "1.0.0")
})

var _ = story("a Gateway that refuses the route with the candidate as a backend keeps it at 0 until the deadline, and the baseline serves", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 0))), w.release("1.0.0"))
	w.gatewaySays(cluster.Route{Refusal: "UnsupportedValue", Message: "two backends are one too many"})
	w.create(ctx, w.release("2.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True RouteNotAccepted"), ContainSubstring("one too many")))
	w.giveUpAfter(ctx, 1)
	verdict := w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventFailed)
	Expect(verdict.Spec.Message).To(ContainSubstring("one too many"))
	Expect(w.moves()).To(Equal([]string{"1.0.0:100"}))
	Expect(w.deployments(ctx, "1.0.0")).To(HaveLen(1))
	w.gatewaySays(cluster.Route{})
	w.untilServed(ctx, "1.0.0:100")
	w.untilGone(ctx, "2.0.0")
})

var _ = story("a parent Gateway that does not exist is said so, and waited for", func(ctx context.Context, w *world) {
	w.gatewaySays(cluster.Route{Silent: true})
	track := w.track()
	track.Spec.Traffic.Routes[0].GatewayAPI.ParentRefs[0].Name = "private"
	w.create(ctx, track, w.release("1.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionTrafficShifted, And(HavePrefix("TrafficShifted=False ParentMissing"), ContainSubstring("Gateway gateway/private does not exist")))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=False ParentMissing"))
	w.gatewaySays(cluster.Route{})
	w.untilSettled(ctx, "1.0.0")
})

var _ = story("what a Gateway does not report does not advance; past the deadline it is a failure", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 0), harness.Step(50, 0))), w.release("1.0.0"))
	w.PlayGateway(w.namespace, func(route *gatewayv1.HTTPRoute) cluster.Route {
		for _, backend := range route.Spec.Rules[0].BackendRefs {
			if *backend.Weight == 20 {
				return cluster.Route{Silent: true}
			}
		}
		return cluster.Route{}
	})
	w.create(ctx, w.release("2.0.0"))
	Eventually(ctx, func() string { return w.weights(ctx) }).Should(Equal("1.0.0:80 2.0.0:20"))
	w.untilTrack(ctx, v1alpha1.ConditionTrafficShifted, HavePrefix("TrafficShifted=False RouteNotReported"))
	Consistently(ctx, func() string { return w.weights(ctx) }).WithTimeout(time.Second).Should(Equal("1.0.0:80 2.0.0:20"))
	w.giveUpAfter(ctx, 1)
	w.expectFailed(ctx, "2.0.0", "not confirmed within 1s")
})

var _ = story("the hostname of a preview comes with the candidate, and goes with its attempt", func(ctx context.Context, w *world) {
	track := w.track(harness.Steps(harness.Step(20, 600)))
	track.Spec.Traffic.Routes[0].Preview = &v1alpha1.RoutePreview{Hostname: "next.example.test"}
	w.goLive(ctx, track, w.release("1.0.0"))
	shown := &gatewayv1.HTTPRoute{}
	name := client.ObjectKey{Namespace: w.namespace, Name: harness.TrackName + "-public-preview"}
	Expect(apierrors.IsNotFound(w.Client.Get(ctx, name, shown))).To(BeTrue(), "without a candidate")

	w.create(ctx, w.release("2.0.0"))
	Eventually(ctx, func() string { return w.weights(ctx) }).Should(Equal("1.0.0:80 2.0.0:20"))
	Expect(w.Client.Get(ctx, name, shown)).To(Succeed())
	Expect(shown.Spec.Hostnames).To(ConsistOf(gatewayv1.Hostname("next.example.test")))
	Expect(shown.Spec.Rules[0].BackendRefs).To(HaveLen(1))
	Expect(shown.Spec.Rules[0].BackendRefs[0].Name).To(BeEquivalentTo("shop-2-0-0-web"))

	w.act(ctx, v1alpha1.ActionAbort, "2.0.0", attempt(1))
	w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventAborted)
	Eventually(ctx, func() bool { return apierrors.IsNotFound(w.Client.Get(ctx, name, shown)) }).Should(BeTrue())
	w.untilServed(ctx, "1.0.0:100")
})

var _ = story("a cookie that the cluster's HTTPRoutes cannot keep is said so, and keeps the candidate at 0", func(ctx context.Context, w *world) {
	track := w.track(harness.Steps(harness.Step(20, 0)))
	w.goLive(ctx, track, w.release("1.0.0"))
	before := track.DeepCopy()
	track.Spec.Traffic.Routes[0].GatewayAPI.StickyCookieName = "shop"
	Expect(w.Client.Patch(ctx, track, client.MergeFrom(before))).To(Succeed())
	dropped := ContainSubstring(`spec.traffic.routes[public].gatewayAPI.stickyCookieName: "shop": HTTPRoutes of this cluster have no rules[].sessionPersistence`)
	w.untilTrack(ctx, v1alpha1.ConditionStalled, And(HavePrefix("Stalled=True SessionPersistenceMissing"), dropped))

	w.create(ctx, w.release("2.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True SessionPersistenceMissing"), dropped))
	Consistently(ctx, func() string { return w.weights(ctx) }).WithTimeout(time.Second).Should(Equal("1.0.0:100"))
})
