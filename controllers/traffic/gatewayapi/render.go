package gatewayapi

import (
	"fmt"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/traffic"
)

// render makes the object that a route of the track asks for, but for its name. All
// rules go to the same backends, and bind clients by the cookie, if there is one; but for a
// preview of the candidate, and a rule that redirects. lacking names the
// first release that has no such port; "" when all have.
func render(t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, cookie string, live routeObject) (wanted routeObject, lacking string) {
	backends, lacking := renderBackends(t, route, weights, live)
	wanted = claim(route).leadingTo(backends, cookie)
	if p := previewOf(t, route, weights, backends); p != nil {
		wanted = wanted.previewing(*p)
	}
	return wanted, lacking
}

// claim is what a route claims of its parents: the object that it asks for, without
// name and backends. The route's kind is known.
func claim(route v1alpha1.Route) routeObject {
	return kindOf(route).claim(*route.GatewayAPI)
}

// renderBackends lists the releases in the order of the weights. One with weight
// 0 stays a backend: the router knows it before it gets weight, and after. Ports
// of releases that are gone are taken from live, which may be nil.
func renderBackends(t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, live routeObject) (backends []gatewayv1.BackendRef, lacking string) {
	for _, weight := range weights {
		service := gatewayv1.ObjectName(resources.ChildName(weight.ReleaseName, route.ComponentName))
		port, ok := backendPort(t, route, weight.ReleaseName, service, live)
		if !ok {
			return nil, weight.ReleaseName
		}
		backends = append(backends, gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{Name: service, Port: ptr.To(port)},
			Weight:                 ptr.To(weight.WeightPercent),
		})
	}
	return backends, ""
}

func noPort(release string, route v1alpha1.Route) string {
	return fmt.Sprintf("release %s has no port %s of component %s", release, route.PortName, route.ComponentName)
}

func backendPort(t traffic.Track, route v1alpha1.Route, release string, service gatewayv1.ObjectName, live routeObject) (gatewayv1.PortNumber, bool) {
	if port, ok := t.Port(release, route.ComponentName, route.PortName); ok {
		return port.Port, true
	}
	if live == nil {
		return 0, false
	}
	for _, backend := range live.backends() {
		if backend.Name == service && backend.Port != nil {
			return *backend.Port, true
		}
	}
	return 0, false
}

// weightsOf reads the weights of a route object, zeros included, in the order of
// its backends. Rules that disagree, because somebody edited one, give each
// release the most that any rule gives it: whatever might get requests is listed.
// A backend that is no release's Service of this namespace is left out; the
// object then differs from what is asked for.
func weightsOf(live routeObject) []v1alpha1.ReleaseWeight {
	var weights []v1alpha1.ReleaseWeight
	for _, backend := range live.backends() {
		release, _, ok := resources.SplitChildName(string(backend.Name))
		if !ok || !isService(live.GetNamespace(), backend.BackendObjectReference) {
			continue
		}
		weights = raise(weights, release, ptr.Deref(backend.Weight, 1))
	}
	return weights
}

func isService(namespace string, ref gatewayv1.BackendObjectReference) bool {
	return ptr.Deref(ref.Group, "") == "" && ptr.Deref(ref.Kind, "Service") == "Service" &&
		ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace)) == gatewayv1.Namespace(namespace)
}

func raise(weights []v1alpha1.ReleaseWeight, release string, percent int32) []v1alpha1.ReleaseWeight {
	for i := range weights {
		if weights[i].ReleaseName == release {
			weights[i].WeightPercent = max(weights[i].WeightPercent, percent)
			return weights
		}
	}
	return append(weights, v1alpha1.ReleaseWeight{ReleaseName: release, WeightPercent: percent})
}
