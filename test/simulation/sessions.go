package simulation

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Sessions, which bind clients to what they met, are a field of HTTPRoutes that the API server
// of some worlds does not know, for a while: it drops it without a word.

// asksForSessions says whether a route of the track wants its clients bound.
func (w *World) asksForSessions() bool {
	return slices.ContainsFunc(routesOf(w.track()), func(r v1alpha1.Route) bool { return r.GatewayAPI != nil && r.GatewayAPI.StickyCookieName != "" })
}

// changeCRDs: those of the other channel are installed.
func (w *World) changeCRDs() {
	w.noSessions = !w.noSessions
	w.tell("> HTTPRoutes without sessions: %t", w.noSessions)
	for _, route := range each[gatewayv1.HTTPRoute](&w.store, httpRoutes) {
		changed := route.DeepCopy()
		if w.dropSessions(changed); !equality.Semantic.DeepEqual(changed, route) {
			w.mustUpdate(changed)
		}
	}
}

// dropSessions takes from an object what the API server does not know.
func (w *World) dropSessions(object client.Object) {
	route, ok := object.(*gatewayv1.HTTPRoute)
	if !ok || !w.noSessions {
		return
	}
	for i := range route.Spec.Rules {
		route.Spec.Rules[i].SessionPersistence = nil
	}
}

// tryRoute answers a dry run with what would be stored.
func (w *World) tryRoute(asked *unstructured.Unstructured) error {
	if w.noSessions {
		must(unstructured.SetNestedSlice(asked.Object, []any{map[string]any{}}, "spec", "rules"))
	}
	return w.create(&gatewayv1.HTTPRoute{}, true)
}

// checkSessions: a route has sessions only while all that it lists have weight, and there are
// several, and none for a preview; and no write changes nothing, as one of a field that is
// dropped does.
func (w *World) checkSessions(write written) {
	route, ok := write.after.(*gatewayv1.HTTPRoute)
	if !ok || attachedAs(route) != "" {
		return
	}
	for i, rule := range route.Spec.Rules {
		if rule.SessionPersistence == nil {
			continue
		}
		for _, s := range weightsOf(route) {
			if i > 0 || s.WeightPercent == 0 || s.WeightPercent == 100 {
				w.violate("Sticky", "%s: cookies may lead to %s", write, s.ReleaseName)
			}
		}
	}
	before, ok := write.before.(*gatewayv1.HTTPRoute)
	if ok && equality.Semantic.DeepEqual(before.Spec, route.Spec) && equality.Semantic.DeepEqual(before.Annotations, route.Annotations) &&
		equality.Semantic.DeepEqual(before.Labels, route.Labels) && equality.Semantic.DeepEqual(before.OwnerReferences, route.OwnerReferences) {
		w.violate("Sticky", "%s changes nothing", write)
	}
}

// checkRestSessions: at rest the clients of a route are bound where they are to be.
func (w *World) checkRestSessions(spec v1alpha1.Route, object *gatewayv1.HTTPRoute) {
	weights := weightsOf(object)
	binds := spec.GatewayAPI.StickyCookieName != "" && len(weights) > 1 &&
		!slices.ContainsFunc(weights, func(s v1alpha1.ReleaseWeight) bool { return s.WeightPercent == 0 })
	if bound := object.Spec.Rules[0].SessionPersistence != nil; bound != binds {
		w.violate("Sticky", "at rest route %s binds clients: %t, and should: %t", spec.Name, bound, binds)
	}
}
