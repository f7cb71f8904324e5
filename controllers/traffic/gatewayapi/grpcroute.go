package gatewayapi

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// grpcRoute is a GRPCRoute as the provider sees it.
type grpcRoute struct{ *gatewayv1.GRPCRoute }

var _ routeObject = grpcRoute{}

func claimGRPC(route v1alpha1.GatewayAPIRoute) routeObject {
	rules := make([]gatewayv1.GRPCRouteRule, 0, max(1, len(route.GRPCRules)))
	for _, rule := range route.GRPCRules {
		rules = append(rules, gatewayv1.GRPCRouteRule{Matches: rule.Matches, Filters: rule.Filters})
	}
	if len(rules) == 0 {
		rules = append(rules, gatewayv1.GRPCRouteRule{})
	}
	spec := gatewayv1.GRPCRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: route.ParentRefs}, Hostnames: route.Hostnames, Rules: rules,
	}
	return grpcRoute{&gatewayv1.GRPCRoute{Spec: *spec.DeepCopy()}}
}

func (r grpcRoute) kind() string                           { return KindGRPCRoute }
func (r grpcRoute) raw() client.Object                     { return r.GRPCRoute }
func (r grpcRoute) common() gatewayv1.CommonRouteSpec      { return r.Spec.CommonRouteSpec }
func (r grpcRoute) hostnames() []gatewayv1.Hostname        { return r.Spec.Hostnames }
func (r grpcRoute) reports() []gatewayv1.RouteParentStatus { return r.Status.Parents }

func (r grpcRoute) backends() []gatewayv1.BackendRef {
	var all []gatewayv1.BackendRef
	for _, rule := range r.lasting() {
		for _, backend := range rule.BackendRefs {
			all = append(all, backend.BackendRef)
		}
	}
	return all
}

func (r grpcRoute) leadingTo(backends []gatewayv1.BackendRef, _ string) routeObject {
	refs := make([]gatewayv1.GRPCBackendRef, 0, len(backends))
	for _, backend := range backends {
		refs = append(refs, gatewayv1.GRPCBackendRef{BackendRef: backend})
	}
	object := r.DeepCopy()
	object.Spec.Rules = grpcRoute{object}.lasting()
	markPreview(grpcRoute{object}, "")
	for i := range object.Spec.Rules {
		object.Spec.Rules[i].BackendRefs = refs
	}
	return grpcRoute{object}
}

// lasting are the rules but for those of a preview.
func (r grpcRoute) lasting() []gatewayv1.GRPCRouteRule {
	header := previewHeader(r)
	if header == "" {
		return r.Spec.Rules
	}
	return slices.DeleteFunc(slices.Clone(r.Spec.Rules), func(rule gatewayv1.GRPCRouteRule) bool {
		return len(rule.Matches) > 0 && !slices.ContainsFunc(rule.Matches, func(match gatewayv1.GRPCRouteMatch) bool {
			return !slices.ContainsFunc(match.Headers, func(h gatewayv1.GRPCHeaderMatch) bool { return strings.EqualFold(string(h.Name), header) })
		})
	})
}

func (r grpcRoute) previewing(p preview) routeObject {
	object := r.DeepCopy()
	var rules []gatewayv1.GRPCRouteRule
	for _, rule := range object.Spec.Rules {
		if len(rule.BackendRefs) == 0 {
			continue
		}
		selects := *rule.DeepCopy()
		if len(selects.Matches) == 0 {
			selects.Matches = []gatewayv1.GRPCRouteMatch{{}}
		}
		for i := range selects.Matches {
			match := &selects.Matches[i]
			match.Headers = append(match.Headers, gatewayv1.GRPCHeaderMatch{Name: gatewayv1.GRPCHeaderName(p.header), Value: p.value})
		}
		selects.BackendRefs = []gatewayv1.GRPCBackendRef{{BackendRef: p.backend}}
		rules = append(rules, selects)
	}
	object.Spec.Rules = append(object.Spec.Rules, rules...)
	markPreview(grpcRoute{object}, p.header)
	return grpcRoute{object}
}

func (r grpcRoute) withSpec(other routeObject) routeObject {
	object := r.DeepCopy()
	object.Spec = *other.raw().(*gatewayv1.GRPCRoute).Spec.DeepCopy()
	markPreview(grpcRoute{object}, previewHeader(other))
	return grpcRoute{object}
}

func (r grpcRoute) asksFor(other routeObject) bool {
	theirs, ok := other.raw().(*gatewayv1.GRPCRoute)
	return ok && previewHeader(r) == previewHeader(other) && (reflect.DeepEqual(r.Spec, theirs.Spec) || equality.Semantic.DeepEqual(grpcDefaults(r.Spec), grpcDefaults(theirs.Spec)))
}

// grpcDefaults is the spec as the API server stores it: the defaults of the CRD,
// for the fields that a track can set. A rule without matches has one that matches
// every call.
func grpcDefaults(spec gatewayv1.GRPCRouteSpec) gatewayv1.GRPCRouteSpec {
	spec = *spec.DeepCopy()
	parentDefaults(spec.ParentRefs)
	for i := range spec.Rules {
		rule := &spec.Rules[i]
		if len(rule.Matches) == 0 {
			rule.Matches = []gatewayv1.GRPCRouteMatch{{}}
		}
		for j := range rule.Matches {
			if method := rule.Matches[j].Method; method != nil {
				setDefault(&method.Type, gatewayv1.GRPCMethodMatchExact)
			}
			for k := range rule.Matches[j].Headers {
				setDefault(&rule.Matches[j].Headers[k].Type, gatewayv1.GRPCHeaderMatchExact)
			}
		}
		for j := range rule.Filters {
			mirrorDefaults(rule.Filters[j].RequestMirror)
		}
		for j := range rule.BackendRefs {
			backendDefaults(&rule.BackendRefs[j].BackendRef)
		}
	}
	return spec
}

// matches implements routeObject.
func (r grpcRoute) matches() []string {
	var all []string
	for _, rule := range grpcDefaults(r.Spec).Rules {
		for _, match := range rule.Matches {
			for i := range match.Headers {
				match.Headers[i].Name = gatewayv1.GRPCHeaderName(strings.ToLower(string(match.Headers[i].Name)))
			}
			slices.SortFunc(match.Headers, func(a, b gatewayv1.GRPCHeaderMatch) int {
				return strings.Compare(string(a.Name), string(b.Name))
			})
			// Plain strings and pointers to strings: this cannot fail.
			text, _ := json.Marshal(match)
			all = append(all, string(text))
		}
	}
	return all
}
