package gatewayapi

import (
	"fmt"
	"slices"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/traffic"
)

// render makes the spec of the HTTPRoute that a route of the track asks for. All
// rules go to the same backends; a rule that redirects has none. lacking names the
// first release that has no such port; "" when all have.
func render(t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, live *gatewayv1.HTTPRoute) (spec gatewayv1.HTTPRouteSpec, lacking string) {
	backends, lacking := renderBackends(t, route, weights, live)
	spec = renderClaim(route)
	setBackends(spec.Rules, backends)
	return spec, lacking
}

// renderClaim makes the spec but for the backends: what the route claims of its
// parents.
func renderClaim(route v1alpha1.Route) gatewayv1.HTTPRouteSpec {
	rules := make([]gatewayv1.HTTPRouteRule, 0, max(1, len(route.GatewayAPI.Rules)))
	for _, rule := range route.GatewayAPI.Rules {
		rules = append(rules, gatewayv1.HTTPRouteRule{Matches: rule.Matches, Filters: rule.Filters, Timeouts: rule.Timeouts})
	}
	if len(rules) == 0 {
		rules = append(rules, gatewayv1.HTTPRouteRule{})
	}
	spec := gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: route.GatewayAPI.ParentRefs},
		Hostnames:       route.GatewayAPI.Hostnames,
		Rules:           rules,
	}
	return *spec.DeepCopy()
}

// renderBackends lists the releases in the order of the weights. One with weight
// 0 stays a backend: the router knows it before it gets weight, and after. Ports
// of releases that are gone are taken from live, which may be nil.
func renderBackends(t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, live *gatewayv1.HTTPRoute) (backends []gatewayv1.HTTPBackendRef, lacking string) {
	for _, weight := range weights {
		service := gatewayv1.ObjectName(resources.ChildName(weight.ReleaseName, route.ComponentName))
		port, ok := backendPort(t, route, weight.ReleaseName, service, live)
		if !ok {
			return nil, weight.ReleaseName
		}
		backends = append(backends, gatewayv1.HTTPBackendRef{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{Name: service, Port: ptr.To(port)},
			Weight:                 ptr.To(weight.WeightPercent),
		}})
	}
	return backends, ""
}

func noPort(release string, route v1alpha1.Route) string {
	return fmt.Sprintf("release %s has no port %s of component %s", release, route.PortName, route.ComponentName)
}

func backendPort(t traffic.Track, route v1alpha1.Route, release string, service gatewayv1.ObjectName, live *gatewayv1.HTTPRoute) (gatewayv1.PortNumber, bool) {
	if port, ok := t.Port(release, route.ComponentName, route.PortName); ok {
		return port.Port, true
	}
	if live == nil {
		return 0, false
	}
	for _, rule := range live.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			if backend.Name == service && backend.Port != nil {
				return *backend.Port, true
			}
		}
	}
	return 0, false
}

func setBackends(rules []gatewayv1.HTTPRouteRule, backends []gatewayv1.HTTPBackendRef) {
	for i := range rules {
		rules[i].BackendRefs = nil
		if !redirects(rules[i]) {
			rules[i].BackendRefs = backends
		}
	}
}

// redirects: such a rule must not have backends, says the Gateway API.
func redirects(rule gatewayv1.HTTPRouteRule) bool {
	return slices.ContainsFunc(rule.Filters, func(f gatewayv1.HTTPRouteFilter) bool {
		return f.Type == gatewayv1.HTTPRouteFilterRequestRedirect
	})
}

// weightsOf reads the weights of a route object, zeros included, in the order of
// its backends. Rules that disagree, because somebody edited one, give each
// release the most that any rule gives it: whatever might get requests is listed.
// A backend that is no release's Service of this namespace is left out; the
// object then differs from what is asked for.
func weightsOf(live *gatewayv1.HTTPRoute) []v1alpha1.ReleaseWeight {
	var weights []v1alpha1.ReleaseWeight
	for _, rule := range live.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			release, _, ok := resources.SplitChildName(string(backend.Name))
			if !ok || !isService(live.Namespace, backend.BackendObjectReference) {
				continue
			}
			weights = raise(weights, release, ptr.Deref(backend.Weight, 1))
		}
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
