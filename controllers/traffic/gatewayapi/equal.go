package gatewayapi

import (
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// same says whether two specs ask the router for the same. What the API server
// fills in counts as equal to what was left out.
func same(a, b gatewayv1.HTTPRouteSpec) bool {
	return equality.Semantic.DeepEqual(withDefaults(a), withDefaults(b))
}

// withDefaults is the spec as the API server stores it: the defaults of the CRD,
// for the fields that a track can set.
func withDefaults(spec gatewayv1.HTTPRouteSpec) gatewayv1.HTTPRouteSpec {
	spec = *spec.DeepCopy()
	for i := range spec.ParentRefs {
		setDefault(&spec.ParentRefs[i].Group, gatewayv1.GroupName)
		setDefault(&spec.ParentRefs[i].Kind, "Gateway")
	}
	for i := range spec.Rules {
		rule := &spec.Rules[i]
		rule.Matches = matchesWithDefaults(rule.Matches)
		for j := range rule.Filters {
			filterDefaults(&rule.Filters[j])
		}
		for j := range rule.BackendRefs {
			backendDefaults(&rule.BackendRefs[j].BackendObjectReference)
			setDefault(&rule.BackendRefs[j].Weight, 1)
		}
	}
	return spec
}

// matchesWithDefaults fills in matches in place; none at all is one that matches
// every path.
func matchesWithDefaults(matches []gatewayv1.HTTPRouteMatch) []gatewayv1.HTTPRouteMatch {
	if len(matches) == 0 {
		matches = []gatewayv1.HTTPRouteMatch{{}}
	}
	for i := range matches {
		match := &matches[i]
		if match.Path == nil {
			match.Path = &gatewayv1.HTTPPathMatch{}
		}
		setDefault(&match.Path.Type, gatewayv1.PathMatchPathPrefix)
		setDefault(&match.Path.Value, "/")
		for j := range match.Headers {
			setDefault(&match.Headers[j].Type, gatewayv1.HeaderMatchExact)
		}
		for j := range match.QueryParams {
			setDefault(&match.QueryParams[j].Type, gatewayv1.QueryParamMatchExact)
		}
	}
	return matches
}

func filterDefaults(filter *gatewayv1.HTTPRouteFilter) {
	if mirror := filter.RequestMirror; mirror != nil {
		backendDefaults(&mirror.BackendRef)
		if mirror.Fraction != nil {
			setDefault(&mirror.Fraction.Denominator, 100)
		}
	}
	if redirect := filter.RequestRedirect; redirect != nil {
		setDefault(&redirect.StatusCode, 302)
	}
	if filter.CORS != nil && filter.CORS.MaxAge == 0 {
		filter.CORS.MaxAge = 5
	}
	if filter.ExternalAuth != nil {
		backendDefaults(&filter.ExternalAuth.BackendRef)
	}
}

func backendDefaults(ref *gatewayv1.BackendObjectReference) {
	setDefault(&ref.Group, "")
	setDefault(&ref.Kind, "Service")
}

func setDefault[T any](field **T, value T) {
	if *field == nil {
		*field = ptr.To(value)
	}
}
