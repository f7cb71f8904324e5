package gatewayapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// httpRoute is an HTTPRoute as the provider sees it.
type httpRoute struct{ *gatewayv1.HTTPRoute }

var _ routeObject = httpRoute{}

func claimHTTP(route v1alpha1.GatewayAPIRoute) routeObject {
	rules := make([]gatewayv1.HTTPRouteRule, 0, max(1, len(route.Rules)))
	for _, rule := range route.Rules {
		rules = append(rules, gatewayv1.HTTPRouteRule{Matches: rule.Matches, Filters: rule.Filters, Timeouts: rule.Timeouts})
	}
	if len(rules) == 0 {
		rules = append(rules, gatewayv1.HTTPRouteRule{})
	}
	spec := gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: route.ParentRefs}, Hostnames: route.Hostnames, Rules: rules,
	}
	return httpRoute{&gatewayv1.HTTPRoute{Spec: *spec.DeepCopy()}}
}

func (r httpRoute) kind() string                           { return KindHTTPRoute }
func (r httpRoute) raw() client.Object                     { return r.HTTPRoute }
func (r httpRoute) common() gatewayv1.CommonRouteSpec      { return r.Spec.CommonRouteSpec }
func (r httpRoute) hostnames() []gatewayv1.Hostname        { return r.Spec.Hostnames }
func (r httpRoute) reports() []gatewayv1.RouteParentStatus { return r.Status.Parents }

func (r httpRoute) backends() []gatewayv1.BackendRef {
	var all []gatewayv1.BackendRef
	for _, rule := range r.lasting() {
		for _, backend := range rule.BackendRefs {
			all = append(all, backend.BackendRef)
		}
	}
	return all
}

func (r httpRoute) leadingTo(backends []gatewayv1.BackendRef, cookie string) routeObject {
	refs := make([]gatewayv1.HTTPBackendRef, 0, len(backends))
	for _, backend := range backends {
		refs = append(refs, gatewayv1.HTTPBackendRef{BackendRef: backend})
	}
	object := r.DeepCopy()
	object.Spec.Rules = httpRoute{object}.lasting()
	markPreview(httpRoute{object}, "")
	for i := range object.Spec.Rules {
		rule := &object.Spec.Rules[i]
		rule.BackendRefs, rule.SessionPersistence = nil, nil
		if redirects(*rule) {
			continue
		}
		rule.BackendRefs = refs
		if cookie != "" {
			rule.SessionPersistence = &gatewayv1.SessionPersistence{SessionName: ptr.To(cookie)}
		}
	}
	return httpRoute{object}
}

// redirects: such a rule must not have backends, says the Gateway API.
func redirects(rule gatewayv1.HTTPRouteRule) bool {
	return slices.ContainsFunc(rule.Filters, func(f gatewayv1.HTTPRouteFilter) bool {
		return f.Type == gatewayv1.HTTPRouteFilterRequestRedirect
	})
}

// lasting are the rules but for those of a preview.
func (r httpRoute) lasting() []gatewayv1.HTTPRouteRule {
	header := previewHeader(r)
	if header == "" {
		return r.Spec.Rules
	}
	return slices.DeleteFunc(slices.Clone(r.Spec.Rules), func(rule gatewayv1.HTTPRouteRule) bool {
		return len(rule.Matches) > 0 && !slices.ContainsFunc(rule.Matches, func(match gatewayv1.HTTPRouteMatch) bool {
			return !slices.ContainsFunc(match.Headers, func(h gatewayv1.HTTPHeaderMatch) bool { return strings.EqualFold(string(h.Name), header) })
		})
	})
}

func (r httpRoute) previewing(p preview) routeObject {
	object := r.DeepCopy()
	var rules []gatewayv1.HTTPRouteRule
	for _, rule := range object.Spec.Rules {
		if len(rule.BackendRefs) == 0 {
			continue
		}
		selects := *rule.DeepCopy()
		selects.SessionPersistence = nil
		if len(selects.Matches) == 0 {
			selects.Matches = []gatewayv1.HTTPRouteMatch{{}}
		}
		for i := range selects.Matches {
			match := &selects.Matches[i]
			header := gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(p.header), Value: p.value}
			if p.expression {
				header.Type = ptr.To(gatewayv1.HeaderMatchRegularExpression)
			}
			match.Headers = append(match.Headers, header)
		}
		selects.BackendRefs = []gatewayv1.HTTPBackendRef{{BackendRef: p.backend}}
		rules = append(rules, selects)
	}
	object.Spec.Rules = append(object.Spec.Rules, rules...)
	markPreview(httpRoute{object}, p.header)
	return httpRoute{object}
}

func (r httpRoute) withSpec(other routeObject) routeObject {
	object := r.DeepCopy()
	object.Spec = *other.raw().(*gatewayv1.HTTPRoute).Spec.DeepCopy()
	markPreview(httpRoute{object}, previewHeader(other))
	return httpRoute{object}
}

func (r httpRoute) asksFor(other routeObject) bool {
	theirs, ok := other.raw().(*gatewayv1.HTTPRoute)
	return ok && previewHeader(r) == previewHeader(other) && (reflect.DeepEqual(r.Spec, theirs.Spec) || equality.Semantic.DeepEqual(httpDefaults(r.Spec), httpDefaults(theirs.Spec)))
}

// httpDefaults is the spec as the API server stores it: the defaults of the CRD,
// for the fields that a track can set.
func httpDefaults(spec gatewayv1.HTTPRouteSpec) gatewayv1.HTTPRouteSpec {
	spec = *spec.DeepCopy()
	parentDefaults(spec.ParentRefs)
	for i := range spec.Rules {
		rule := &spec.Rules[i]
		rule.Matches = matchesWithDefaults(rule.Matches)
		if rule.SessionPersistence != nil {
			setDefault(&rule.SessionPersistence.Type, gatewayv1.CookieBasedSessionPersistence)
		}
		for j := range rule.Filters {
			filterDefaults(&rule.Filters[j])
		}
		for j := range rule.BackendRefs {
			backendDefaults(&rule.BackendRefs[j].BackendRef)
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
	mirrorDefaults(filter.RequestMirror)
	if redirect := filter.RequestRedirect; redirect != nil {
		setDefault(&redirect.StatusCode, 302)
	}
	if filter.CORS != nil && filter.CORS.MaxAge == 0 {
		filter.CORS.MaxAge = 5
	}
	if filter.ExternalAuth != nil {
		referenceDefaults(&filter.ExternalAuth.BackendRef)
	}
}

// matches implements routeObject; a prefix has no slash at its end.
func (r httpRoute) matches() []string {
	var all []string
	for _, rule := range httpDefaults(r.Spec).Rules {
		for _, match := range rule.Matches {
			if *match.Path.Type == gatewayv1.PathMatchPathPrefix && *match.Path.Value != "/" {
				match.Path.Value = ptr.To(strings.TrimSuffix(*match.Path.Value, "/"))
			}
			for i := range match.Headers {
				match.Headers[i].Name = gatewayv1.HTTPHeaderName(strings.ToLower(string(match.Headers[i].Name)))
			}
			slices.SortFunc(match.Headers, func(a, b gatewayv1.HTTPHeaderMatch) int {
				return strings.Compare(string(a.Name), string(b.Name))
			})
			slices.SortFunc(match.QueryParams, func(a, b gatewayv1.HTTPQueryParamMatch) int {
				return strings.Compare(string(a.Name), string(b.Name))
			})
			// Plain strings and pointers to strings: this cannot fail.
			text, _ := json.Marshal(match)
			all = append(all, string(text))
		}
	}
	return all
}
