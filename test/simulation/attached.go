package simulation

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

const (
	// frontName is the users' own HTTPRoute.
	frontName = "front"
	// standsFor is the Service in it that stands for the releases.
	standsFor = "shop-internal"
)

// front is the users' route as they write it: what it leads to is half the shop's.
func front() *gatewayv1.HTTPRoute {
	backend := func(name string) gatewayv1.HTTPBackendRef {
		return gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(name), Port: ptr.To[gatewayv1.PortNumber](80)}, Weight: ptr.To[int32](1),
		}}
	}
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Name: frontName, Annotations: map[string]string{"example.com/team": "shop"}},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "gateway"}, {Name: "mesh"}}},
			Hostnames:       []gatewayv1.Hostname{"own.example.com"},
			Rules:           []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{backend(standsFor)}}, {}},
		},
	}
}

// attachment is a route of a track that attaches to front.
func (w *World) attachment() v1alpha1.Route {
	w.ownFront()
	return v1alpha1.Route{
		Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI,
		GatewayAPI: &v1alpha1.GatewayAPIRoute{Kind: "HTTPRoute", AttachTo: &v1alpha1.GatewayAPIAttachment{RouteName: frontName, ServiceName: standsFor, ServicePort: 80}},
	}
}

// ownFront: users make their route.
func (w *World) ownFront() {
	if w.shelves[httpRoutes].get(frontName) == nil {
		w.tell("> HTTPRoute %s", frontName)
		w.mustCreate(front())
	}
}

// applyFront: users apply their route anew, or make it where it is gone.
func (w *World) applyFront() {
	there := on[gatewayv1.HTTPRoute](&w.store, httpRoutes, frontName)
	if there == nil {
		w.ownFront()
		return
	}
	w.tell("> HTTPRoute %s is applied anew", frontName)
	applied := there.DeepCopy()
	applied.Spec = front().Spec
	w.noteTraffic()
	w.mustUpdate(applied)
}

// attachedAs is the route of the track that leads the releases in an object of users; ""
// for none.
func attachedAs(object metav1.Object) string { return object.GetLabels()[v1alpha1.LabelAttached] }

// givenBack: the operator takes its marks off what is the users' own.
func givenBack(write written) bool {
	return write.kind == httpRoutes && write.before != nil && write.after != nil && attachedAs(write.before) != "" && attachedAs(write.after) == ""
}

// checkFront: whatever the operator writes of front, all but the backends of the first rule
// is what users have written; and what is given back, all of it.
func (w *World) checkFront(write written) {
	route, ok := write.after.(*gatewayv1.HTTPRoute)
	if !ok || route.Name != frontName {
		return
	}
	kept := route.Spec.DeepCopy()
	if !givenBack(write) {
		kept.Rules[0].BackendRefs = front().Spec.Rules[0].BackendRefs
	}
	if !equality.Semantic.DeepEqual(*kept, front().Spec) || len(route.OwnerReferences) > 0 || route.Annotations["example.com/team"] != "shop" {
		w.violate("Users", "%s: it has become %+v", write, route.Spec)
	}
}

// checkRestFront: at rest front has releases if a route of the track attaches to it, and is
// else as users wrote it.
func (w *World) checkRestFront() {
	route := on[gatewayv1.HTTPRoute](&w.store, httpRoutes, frontName)
	if route == nil || w.track() == nil {
		return
	}
	attaches := slices.ContainsFunc(routesOf(w.track()), func(r v1alpha1.Route) bool { return r.GatewayAPI != nil && r.GatewayAPI.AttachTo != nil })
	if !attaches && (attachedAs(route) != "" || !equality.Semantic.DeepEqual(route.Spec, front().Spec)) {
		w.violate("Users", "at rest no track names %s, and it is %+v", frontName, route.Spec)
	}
}
