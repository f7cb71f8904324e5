package providers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// callRoute asks for a GRPCRoute that uses each field for which the API server has
// defaults.
func callRoute(hostname string) v1alpha1.Route {
	route := httpRoute(hostname)
	route.GatewayAPI.Kind = "GRPCRoute"
	route.GatewayAPI.GRPCRules = []v1alpha1.GatewayAPIGRPCRule{{}, {
		Matches: []gatewayv1.GRPCRouteMatch{
			{Method: &gatewayv1.GRPCMethodMatch{Service: ptr.To("shop.Cart")}},
			{Headers: []gatewayv1.GRPCHeaderMatch{{Name: "x-a", Value: "1"}}},
		},
		Filters: []gatewayv1.GRPCRouteFilter{
			{Type: gatewayv1.GRPCRouteFilterRequestMirror, RequestMirror: &gatewayv1.HTTPRequestMirrorFilter{
				BackendRef: gatewayv1.BackendObjectReference{Name: "mirror", Port: ptr.To[gatewayv1.PortNumber](80)},
				Fraction:   &gatewayv1.Fraction{Numerator: 1},
			}},
			{Type: gatewayv1.GRPCRouteFilterResponseHeaderModifier, ResponseHeaderModifier: &gatewayv1.HTTPHeaderFilter{Add: []gatewayv1.HTTPHeader{{Name: "X-B", Value: "1"}}}},
		},
	}}
	return route
}

var _ = Describe("A route of type GatewayAPI and kind GRPCRoute", func() {
	var (
		w *world
		t traffic.Track
	)
	BeforeEach(func(ctx context.Context) {
		w = suite
		t = track(w.namespace(ctx), "shop")
	})
	stored := func(ctx context.Context) *gatewayv1.GRPCRoute {
		GinkgoHelper()
		object := &gatewayv1.GRPCRoute{}
		Expect(w.direct.Get(ctx, types.NamespacedName{Namespace: t.Namespace, Name: "shop-public"}, object)).To(Succeed())
		return object
	}

	It("is written as the track asks for it, and again only when something differs", func(ctx context.Context) {
		route := callRoute("calls.example.com")
		Expect(w.write(ctx, t, route, 3, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
		object := stored(ctx)
		Expect(object.Labels).To(Equal(map[string]string{v1alpha1.LabelTrack: "shop", v1alpha1.LabelRoute: "public"}))
		Expect(object.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationSequence, "3"))
		for _, rule := range object.Spec.Rules {
			Expect(rule.BackendRefs).To(HaveLen(2))
		}
		Expect(w.fresh(ctx, t, route)[0].Route).To(And(HaveField("Current", true), HaveField("Weights", shares("shop-1", 80, "shop-2", 20))))
		Expect(w.write(ctx, t, route, 3, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
		Expect(stored(ctx).ResourceVersion).To(Equal(object.ResourceVersion), "nothing differs, and yet it was written")

		By("and an edit is repaired")
		object.Spec.Rules[0].BackendRefs[0].Weight = ptr.To[int32](0)
		Expect(w.direct.Update(ctx, object)).To(Succeed())
		Expect(w.fresh(ctx, t, route)[0].Route.Current).To(BeFalse())
		Expect(w.write(ctx, t, route, 3, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
		Expect(w.fresh(ctx, t, route)[0].Route.Current).To(BeTrue())
	})

	It("is verified by what its parents report", func(ctx context.Context) {
		route := callRoute("reported.example.com")
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		Expect(w.fresh(ctx, t, route)[0].Route.Verified).To(BeFalse())
		asked, object := w.askedFor(t), stored(ctx)
		holds := func(kind string) metav1.Condition {
			return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: "Because", ObservedGeneration: object.Generation, LastTransitionTime: metav1.Now()}
		}
		object.Status.Parents = []gatewayv1.RouteParentStatus{{
			ControllerName: "example.com/gateway", ParentRef: object.Spec.ParentRefs[0],
			Conditions: []metav1.Condition{holds("Accepted"), holds("ResolvedRefs")},
		}}
		Expect(w.direct.Status().Update(ctx, object)).To(Succeed())
		Eventually(func() int { return w.askedFor(t) }).Should(BeNumerically(">", asked), "a report must ask for the track")
		Expect(w.fresh(ctx, t, route)[0].Route).To(And(HaveField("Verified", true), HaveField("Reason", "")))
	})

	It("cannot share a hostname with the HTTPRoute of another track", func(ctx context.Context) {
		gateway := []gatewayv1.ParentReference{{Name: "shared", Namespace: ptr.To[gatewayv1.Namespace]("infra")}}
		theirs, ours := httpRoute("two-kinds.example.com"), callRoute("two-kinds.example.com")
		theirs.GatewayAPI.ParentRefs, ours.GatewayAPI.ParentRefs = gateway, gateway
		rival := track(w.namespace(ctx), "rival")
		Expect(w.write(ctx, rival, theirs, 1, shares("rival-1", 100))).To(Succeed())
		w.fresh(ctx, rival, theirs)
		Expect(w.observe(ctx, t, ours)[0].Route).To(And(
			HaveField("Presence", rollout.Foreign), HaveField("Reason", traffic.ReasonConflict),
			HaveField("Message", ContainSubstring("HTTPRoute "+rival.Namespace+"/rival-public of track rival"))))
	})

	It("leaves the object of the kind that it had before observed", func(ctx context.Context) {
		before, after := httpRoute("changed.example.com"), callRoute("changed.example.com")
		Expect(w.write(ctx, t, before, 1, shares("shop-1", 100))).To(Succeed())
		w.fresh(ctx, t, before)
		Expect(w.write(ctx, t, after, 2, shares("shop-1", 100))).To(Succeed())
		w.fresh(ctx, t, after)
		seen := w.observe(ctx, t, after)
		Expect(seen).To(HaveLen(2))
		Expect(seen[0].Object).To(BeAssignableToTypeOf(&gatewayv1.GRPCRoute{}))
		Expect(seen[0].Route.Orphaned).To(BeFalse())
		Expect(seen[1].Object).To(BeAssignableToTypeOf(&gatewayv1.HTTPRoute{}))
		Expect(seen[1].Route.Orphaned).To(BeTrue())
	})
})
