package providers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

func httpRoute(hostname string, rules ...v1alpha1.GatewayAPIRule) v1alpha1.Route {
	return v1alpha1.Route{
		Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI,
		GatewayAPI: &v1alpha1.GatewayAPIRoute{
			Kind:       "HTTPRoute",
			ParentRefs: []gatewayv1.ParentReference{{Name: "public"}},
			Hostnames:  []gatewayv1.Hostname{gatewayv1.Hostname(hostname)},
			Rules:      rules,
		},
	}
}

// everyField uses each field of a rule for which the API server has defaults.
func everyField() []v1alpha1.GatewayAPIRule {
	return []v1alpha1.GatewayAPIRule{{}, {
		Matches: []gatewayv1.HTTPRouteMatch{
			{Path: &gatewayv1.HTTPPathMatch{Value: ptr.To("/a")}},
			{Path: &gatewayv1.HTTPPathMatch{Type: ptr.To(gatewayv1.PathMatchPathPrefix)}},
			{
				Headers:     []gatewayv1.HTTPHeaderMatch{{Name: "X-A", Value: "1"}},
				QueryParams: []gatewayv1.HTTPQueryParamMatch{{Name: "q", Value: "1"}},
				Method:      ptr.To(gatewayv1.HTTPMethodGet),
			},
		},
		Filters: []gatewayv1.HTTPRouteFilter{
			{Type: gatewayv1.HTTPRouteFilterRequestMirror, RequestMirror: &gatewayv1.HTTPRequestMirrorFilter{
				BackendRef: gatewayv1.BackendObjectReference{Name: "mirror", Port: ptr.To[gatewayv1.PortNumber](80)},
				Fraction:   &gatewayv1.Fraction{Numerator: 1},
			}},
			{Type: gatewayv1.HTTPRouteFilterCORS, CORS: &gatewayv1.HTTPCORSFilter{AllowOrigins: []gatewayv1.CORSOrigin{"https://a.example.com"}}},
			{Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: &gatewayv1.HTTPURLRewriteFilter{Hostname: ptr.To[gatewayv1.PreciseHostname]("b.example.com")}},
			{Type: gatewayv1.HTTPRouteFilterResponseHeaderModifier, ResponseHeaderModifier: &gatewayv1.HTTPHeaderFilter{Add: []gatewayv1.HTTPHeader{{Name: "X-B", Value: "1"}}}},
		},
		Timeouts: &gatewayv1.HTTPRouteTimeouts{Request: ptr.To[gatewayv1.Duration]("10s"), BackendRequest: ptr.To[gatewayv1.Duration]("5s")},
	}, {
		Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: ptr.To("/old")}}},
		Filters: []gatewayv1.HTTPRouteFilter{{
			Type:            gatewayv1.HTTPRouteFilterRequestRedirect,
			RequestRedirect: &gatewayv1.HTTPRequestRedirectFilter{Scheme: ptr.To("https")},
		}},
	}}
}

var _ = Describe("A route of type GatewayAPI", func() {
	var (
		w *world
		t traffic.Track
	)
	BeforeEach(func(ctx context.Context) {
		w = suite
		t = track(w.namespace(ctx), "shop")
	})
	stored := func(ctx context.Context) *gatewayv1.HTTPRoute {
		GinkgoHelper()
		object := &gatewayv1.HTTPRoute{}
		Expect(w.direct.Get(ctx, types.NamespacedName{Namespace: t.Namespace, Name: "shop-public"}, object)).To(Succeed())
		return object
	}
	// report writes what a gateway would, for the generation that the object has.
	report := func(ctx context.Context, accepted, resolved metav1.ConditionStatus) {
		GinkgoHelper()
		object := stored(ctx)
		condition := func(kind string, status metav1.ConditionStatus) metav1.Condition {
			return metav1.Condition{Type: kind, Status: status, Reason: "Because", Message: "in its own words",
				ObservedGeneration: object.Generation, LastTransitionTime: metav1.Now()}
		}
		object.Status.Parents = []gatewayv1.RouteParentStatus{{
			ControllerName: "example.com/gateway", ParentRef: object.Spec.ParentRefs[0],
			Conditions: []metav1.Condition{condition("Accepted", accepted), condition("ResolvedRefs", resolved)},
		}}
		Expect(w.direct.Status().Update(ctx, object)).To(Succeed())
	}

	It("is created once, as the track asks for it, and written again only when something differs", func(ctx context.Context) {
		route := httpRoute("once.example.com")
		Expect(w.observe(ctx, t, route)[0].Route).To(And(
			HaveField("Presence", rollout.Missing), HaveField("Reason", traffic.ReasonMissing)))

		Expect(w.write(ctx, t, route, 3, shares("shop-1", 100))).To(Succeed())
		object := stored(ctx)
		Expect(object.Labels).To(Equal(map[string]string{v1alpha1.LabelTrack: "shop", v1alpha1.LabelRoute: "public"}))
		Expect(object.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationSequence, "3"))
		Expect(object.OwnerReferences).To(BeEmpty())
		Expect(object.ManagedFields[0].Manager).To(Equal(traffic.FieldManager))
		Expect(object.Spec.Rules).To(HaveLen(1))
		Expect(object.Spec.Rules[0].BackendRefs).To(HaveLen(1))
		Expect(object.Spec.Rules[0].BackendRefs[0].Name).To(BeEquivalentTo("shop-1-web"))

		Expect(w.write(ctx, t, route, 3, shares("shop-1", 100))).To(Succeed())
		Expect(stored(ctx).ResourceVersion).To(Equal(object.ResourceVersion), "nothing differs, and yet it was written")

		Expect(w.write(ctx, t, route, 4, shares("shop-1", 100))).To(Succeed())
		stamped := stored(ctx)
		Expect(stamped.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationSequence, "4"))
		Expect(stamped.Generation).To(Equal(object.Generation), "a stamp alone must not ask the gateway to report again")

		Expect(w.write(ctx, t, route, 5, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
		Expect(stored(ctx).Generation).To(Equal(object.Generation + 1))
		seen := w.fresh(ctx, t, route)[0].Route
		Expect(seen.Weights).To(Equal(shares("shop-1", 80, "shop-2", 20)))
		Expect(seen.Current).To(BeTrue())
		Expect(seen.Sequence).To(Equal(int64(5)))
	})

	It("counts what the API server fills in as equal, for every field of a rule", func(ctx context.Context) {
		route := httpRoute("defaults.example.com", everyField()...)
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100, "shop-2", 0))).To(Succeed())
		before := stored(ctx)
		Expect(w.fresh(ctx, t, route)[0].Route.Current).To(BeTrue())
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100, "shop-2", 0))).To(Succeed())
		Expect(stored(ctx).ResourceVersion).To(Equal(before.ResourceVersion))
		Expect(before.Spec.Rules[2].BackendRefs).To(BeEmpty(), "a rule that redirects has no backends")
	})

	It("is not written over a change that was not observed", func(ctx context.Context) {
		route := httpRoute("stale.example.com")
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		seen := w.fresh(ctx, t, route)
		other := stored(ctx)
		other.Annotations["example.com/note"] = "mine"
		Expect(w.direct.Update(ctx, other)).To(Succeed())

		late := rollout.WriteRoute{Route: "public", Weights: shares("shop-2", 100), Sequence: 2}
		_, err := w.registry.Apply(ctx, t, []v1alpha1.Route{route}, seen, late)
		Expect(err).To(MatchError(traffic.IsStale, "IsStale"))
		Expect(stored(ctx).ResourceVersion).To(Equal(other.ResourceVersion))

		Expect(w.write(ctx, t, route, 2, shares("shop-2", 100))).To(Succeed())
		Expect(stored(ctx).Annotations).To(HaveKeyWithValue("example.com/note", "mine"))

		By("nor for an older record than the last")
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(MatchError(traffic.IsStale, "IsStale"))

		By("nor created where somebody was faster")
		_, err = w.registry.Apply(ctx, t, []v1alpha1.Route{route}, []traffic.Observed{{}}, late)
		Expect(err).To(MatchError(traffic.IsStale, "IsStale"))
	})

	It("repairs what somebody edits in the object", func(ctx context.Context) {
		route := httpRoute("edited.example.com")
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		edited := stored(ctx)
		edited.Spec.Hostnames = append(edited.Spec.Hostnames, "more.example.com")
		edited.Spec.Rules[0].BackendRefs[0].Name = "legacy"
		Expect(w.direct.Update(ctx, edited)).To(Succeed())

		seen := w.fresh(ctx, t, route)[0].Route
		Expect(seen.Current).To(BeFalse())
		Expect(seen.Weights).To(BeEmpty())
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		Expect(stored(ctx).Spec.Hostnames).To(HaveLen(1))
		Expect(w.fresh(ctx, t, route)[0].Route.Current).To(BeTrue())
	})

	It("leaves an object of the same name that is somebody else's as it is", func(ctx context.Context) {
		route := httpRoute("foreign.example.com")
		theirs := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "shop-public"}}
		Expect(w.direct.Create(ctx, theirs)).To(Succeed())
		seen := w.observe(ctx, t, route)
		Expect(seen[0].Route).To(And(
			HaveField("Presence", rollout.Foreign), HaveField("Reason", traffic.ReasonNameTaken),
			HaveField("Message", ContainSubstring(t.Namespace+"/shop-public"))))
		_, err := w.registry.Apply(ctx, t, []v1alpha1.Route{route}, seen, rollout.WriteRoute{Route: "public", Weights: shares("shop-1", 100), Sequence: 1})
		Expect(err).To(MatchError(traffic.ErrForeign))
		Expect(stored(ctx).ResourceVersion).To(Equal(theirs.ResourceVersion))
	})

	It("is verified by what its parents report on the present generation, and by nothing older", func(ctx context.Context) {
		route := httpRoute("verified.example.com")
		Expect(w.direct.Create(ctx, &gatewayv1.Gateway{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "public"},
			Spec: gatewayv1.GatewaySpec{GatewayClassName: "example", Listeners: []gatewayv1.Listener{
				{Name: "web", Port: 80, Protocol: gatewayv1.HTTPProtocolType}}},
		})).To(Succeed())
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		Expect(w.fresh(ctx, t, route)[0].Route).To(And(
			HaveField("Verified", false), HaveField("Reason", traffic.ReasonNotReported)))

		asked := w.askedFor(t)
		report(ctx, metav1.ConditionTrue, metav1.ConditionTrue)
		Eventually(func() int { return w.askedFor(t) }).Should(BeNumerically(">", asked), "a report must ask for the track")
		Expect(w.fresh(ctx, t, route)[0].Route).To(And(
			HaveField("Verified", true), HaveField("Reason", "")))

		Expect(w.write(ctx, t, route, 2, shares("shop-1", 50, "shop-2", 50))).To(Succeed())
		Expect(w.fresh(ctx, t, route)[0].Route).To(And(
			HaveField("Verified", false), HaveField("Reason", traffic.ReasonNotReported)))
		report(ctx, metav1.ConditionTrue, metav1.ConditionFalse)
		Expect(w.fresh(ctx, t, route)[0].Route).To(And(
			HaveField("Verified", false), HaveField("Reason", traffic.ReasonNotResolved),
			HaveField("Message", ContainSubstring("in its own words"))))
	})

	It("says that its parent is not there", func(ctx context.Context) {
		route := httpRoute("parentless.example.com")
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		Expect(w.fresh(ctx, t, route)[0].Route).To(And(
			HaveField("Reason", traffic.ReasonParentMissing),
			HaveField("Message", "Gateway "+t.Namespace+"/public does not exist")))
	})

	It("is still observed when the track names it no more", func(ctx context.Context) {
		route := httpRoute("former.example.com")
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		w.fresh(ctx, t, route)
		Expect(w.observe(ctx, t, route)).To(HaveLen(1))
		left := w.observe(ctx, t)
		Expect(left).To(HaveLen(1))
		Expect(left[0].Route).To(And(HaveField("Orphaned", true), HaveField("Weights", shares("shop-1", 100))))

		renamed := route
		renamed.Name = "shopfront"
		seen := w.observe(ctx, t, renamed)
		Expect(seen).To(HaveLen(2))
		Expect(seen[0].Route).To(And(HaveField("Name", "shopfront"), HaveField("Orphaned", false)))
		Expect(seen[1].Route).To(And(HaveField("Name", "public"), HaveField("Orphaned", true)))
	})

	Context("that claims what another track serves", func() {
		gateway := []gatewayv1.ParentReference{{Name: "shared", Namespace: ptr.To[gatewayv1.Namespace]("infra")}}
		shared := func(hostname string) v1alpha1.Route {
			route := httpRoute(hostname)
			route.GatewayAPI.ParentRefs = gateway
			return route
		}
		var rival traffic.Track
		BeforeEach(func(ctx context.Context) { rival = track(w.namespace(ctx), "rival") })

		It("is not created, and says whose it is; once it is free the track is asked for", func(ctx context.Context) {
			Expect(w.write(ctx, rival, shared("taken.example.com"), 1, shares("rival-1", 100))).To(Succeed())
			w.fresh(ctx, rival, shared("taken.example.com"))

			seen := w.observe(ctx, t, shared("taken.example.com"))
			Expect(seen[0].Route).To(And(
				HaveField("Presence", rollout.Foreign), HaveField("Reason", traffic.ReasonConflict),
				HaveField("Message", ContainSubstring("HTTPRoute "+rival.Namespace+"/rival-public of track rival"))))
			_, err := w.registry.Apply(ctx, t, []v1alpha1.Route{shared("taken.example.com")}, seen,
				rollout.WriteRoute{Route: "public", Weights: shares("shop-1", 100), Sequence: 1})
			Expect(err).To(MatchError(traffic.ErrForeign))
			Expect(w.observe(ctx, rival, shared("taken.example.com"))[0].Route.Reason).NotTo(Equal(traffic.ReasonConflict), "who was there first is not bothered")

			asked := w.askedFor(t)
			Expect(w.direct.Delete(ctx, &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: rival.Namespace, Name: "rival-public"}})).To(Succeed())
			Eventually(func() int { return w.askedFor(t) }).Should(BeNumerically(">", asked))
			Eventually(func() string { return w.observe(ctx, t, shared("taken.example.com"))[0].Route.Reason }).Should(Equal(traffic.ReasonMissing))
		})

		It("keeps what it has when it is edited into the conflict, and its weights still move", func(ctx context.Context) {
			Expect(w.write(ctx, t, shared("mine.example.com"), 1, shares("shop-1", 100))).To(Succeed())
			Expect(w.write(ctx, rival, shared("theirs.example.com"), 1, shares("rival-1", 100))).To(Succeed())
			w.fresh(ctx, rival, shared("theirs.example.com"))
			report(ctx, metav1.ConditionTrue, metav1.ConditionTrue)
			before := stored(ctx)

			edited := shared("theirs.example.com")
			Expect(w.fresh(ctx, t, edited)[0].Route).To(And(
				HaveField("Reason", traffic.ReasonConflict), HaveField("Current", true), HaveField("Verified", true)))
			Expect(w.write(ctx, t, edited, 1, shares("shop-1", 100))).To(Succeed())
			Expect(stored(ctx).ResourceVersion).To(Equal(before.ResourceVersion))

			Expect(w.write(ctx, t, edited, 2, shares("shop-2", 100))).To(Succeed())
			Expect(stored(ctx).Spec.Hostnames).To(ConsistOf(gatewayv1.Hostname("mine.example.com")))
			Expect(w.fresh(ctx, t, edited)[0].Route.Weights).To(Equal(shares("shop-2", 100)))
		})

		It("is not verified when both were created at the same moment and it is the younger", func(ctx context.Context) {
			spec := func(hostname string) gatewayv1.HTTPRouteSpec {
				return gatewayv1.HTTPRouteSpec{CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: gateway}, Hostnames: []gatewayv1.Hostname{gatewayv1.Hostname(hostname)}}
			}
			for _, of := range []traffic.Track{t, rival} {
				object := &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: of.Namespace, Name: of.Name + "-public",
					Labels: traffic.Labels(of, "public")}, Spec: spec("raced.example.com")}
				Expect(w.direct.Create(ctx, object)).To(Succeed())
			}
			Eventually(func(g Gomega) {
				mine := w.observe(ctx, t, shared("raced.example.com"))[0].Route
				theirs := w.observe(ctx, rival, shared("raced.example.com"))[0].Route
				g.Expect([]bool{mine.Reason == traffic.ReasonConflict, theirs.Reason == traffic.ReasonConflict}).To(ConsistOf(true, false))
			}).Should(Succeed())
		})
	})
})

var _ = Describe("A cluster without the Gateway API", func() {
	It("is no trouble for the manager, and the tracks that wait for it are asked for when it comes", func(ctx context.Context) {
		w := startWorld(nil)
		t := track(w.namespace(ctx), "shop")
		route := httpRoute("late.example.com")
		Expect(w.observe(ctx, t, route)[0].Route).To(And(
			HaveField("Presence", rollout.Missing), HaveField("Reason", traffic.ReasonGatewayAPIMissing),
			HaveField("Message", ContainSubstring("install the Gateway API"))))
		seen := w.observe(ctx, t, route)
		_, err := w.registry.Apply(ctx, t, []v1alpha1.Route{route}, seen, rollout.WriteRoute{Route: "public", Weights: shares("shop-1", 100), Sequence: 1})
		Expect(err).To(MatchError(ContainSubstring("install the Gateway API")))

		_, err = envtest.InstallCRDs(w.config, envtest.CRDInstallOptions{Paths: gatewayCRDs("standard")})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() int { return w.askedFor(t) }).Should(BeNumerically(">", 0))
		Expect(w.observe(ctx, t, route)[0].Route.Reason).To(Equal(traffic.ReasonMissing))
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		Expect(w.fresh(ctx, t, route)[0].Object).NotTo(BeNil())

		By("and when it goes again, with all routes, that is said too")
		Expect(envtest.UninstallCRDs(w.config, envtest.CRDInstallOptions{Paths: gatewayCRDs("standard")})).To(Succeed())
		Eventually(func() string {
			seen, err := w.registry.Observe(ctx, t, []v1alpha1.Route{route})
			if err != nil {
				return err.Error()
			}
			return seen[0].Route.Reason
		}).Should(Equal(traffic.ReasonGatewayAPIMissing))
	})
})
