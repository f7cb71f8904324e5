package gatewayapi

import (
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Values of spec.traffic.routes[*].gatewayAPI.kind that this provider serves.
const (
	KindHTTPRoute = "HTTPRoute"
	KindGRPCRoute = "GRPCRoute"
)

// kind is a kind of route object.
type kind struct {
	name   string
	object func() client.Object
	list   func() client.ObjectList
	// claim makes what a route claims of its parents: the object without its name
	// and its backends.
	claim func(v1alpha1.GatewayAPIRoute) routeObject
}

// kinds are all kinds, in a fixed order.
var kinds = []*kind{
	{
		name:   KindHTTPRoute,
		object: func() client.Object { return &gatewayv1.HTTPRoute{} },
		list:   func() client.ObjectList { return &gatewayv1.HTTPRouteList{} },
		claim:  claimHTTP,
	},
	{
		name:   KindGRPCRoute,
		object: func() client.Object { return &gatewayv1.GRPCRoute{} },
		list:   func() client.ObjectList { return &gatewayv1.GRPCRouteList{} },
		claim:  claimGRPC,
	},
}

// kindOf is the kind that a route of a track asks for; nil for one that this
// operator does not know.
func kindOf(route v1alpha1.Route) *kind {
	if route.GatewayAPI == nil {
		return nil
	}
	for _, k := range kinds {
		if k.name == route.GatewayAPI.Kind {
			return k
		}
	}
	return nil
}

// routeObject is a route object of any kind, as the provider sees it: what is the
// same in all kinds is read here, so that no rule is written twice.
type routeObject interface {
	client.Object
	// kind is HTTPRoute or GRPCRoute.
	kind() string
	// raw is the object that the API server knows. It may be shared with the cache.
	raw() client.Object

	common() gatewayv1.CommonRouteSpec
	hostnames() []gatewayv1.Hostname
	reports() []gatewayv1.RouteParentStatus
	// matches are those of all rules, each in one form: defaults filled in, what has
	// no order sorted. Two that are equal select the same requests.
	matches() []string
	// backends are those of every rule in turn, but for a preview.
	backends() []gatewayv1.BackendRef
	// cookie by which clients are bound to what they met; "" where they are free.
	cookie() string

	// asksFor says whether the spec asks the router for the same as the other one, of
	// the same kind. What the API server fills in counts as equal to what was left out.
	asksFor(other routeObject) bool
	// leadingTo is a copy without a preview, each rule of which leads to the backends, and
	// binds clients by the cookie, if there is one; a rule that redirects does neither.
	leadingTo(backends []gatewayv1.BackendRef, cookie string) routeObject
	// previewing is a copy with one rule more for each that leads somewhere: it selects
	// the same requests, where they have the header, for the candidate. Who asks for a
	// header more comes first, wherever it stands; the rules that were there keep their
	// places, by which gateways know them.
	previewing(p preview) routeObject
	// withSpec is a copy that has spec and preview of the other one, of the same kind.
	withSpec(other routeObject) routeObject
}

// view sees a route object; nil where it is of no kind of this package.
func view(object client.Object) routeObject {
	switch object := object.(type) {
	case *gatewayv1.HTTPRoute:
		return httpRoute{object}
	case *gatewayv1.GRPCRoute:
		return grpcRoute{object}
	}
	return nil
}

// views sees the route objects of a list; none where it is of no kind of this package.
func views(list client.ObjectList) (all []routeObject) {
	switch list := list.(type) {
	case *gatewayv1.HTTPRouteList:
		for i := range list.Items {
			all = append(all, httpRoute{&list.Items[i]})
		}
	case *gatewayv1.GRPCRouteList:
		for i := range list.Items {
			all = append(all, grpcRoute{&list.Items[i]})
		}
	}
	return all
}
