package gatewayapi

import (
	"slices"
	"testing"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

func TestOverlap(t *testing.T) {
	parent := func(name, section string) gatewayv1.ParentReference {
		ref := gatewayv1.ParentReference{Name: gatewayv1.ObjectName(name), Namespace: ptr.To[gatewayv1.Namespace]("infra")}
		if section != "" {
			ref.SectionName = ptr.To(gatewayv1.SectionName(section))
		}
		return ref
	}
	path := func(kind gatewayv1.PathMatchType, value string) []v1alpha1.GatewayAPIRule {
		return []v1alpha1.GatewayAPIRule{{Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &kind, Value: &value}}}}}
	}
	header := func(names ...string) []v1alpha1.GatewayAPIRule {
		match := gatewayv1.HTTPRouteMatch{}
		for _, name := range names {
			match.Headers = append(match.Headers, gatewayv1.HTTPHeaderMatch{Name: gatewayv1.HTTPHeaderName(name), Value: "1"})
		}
		return []v1alpha1.GatewayAPIRule{{Matches: []gatewayv1.HTTPRouteMatch{match}}}
	}
	hosts := func(names ...gatewayv1.Hostname) v1alpha1.GatewayAPIRoute {
		return v1alpha1.GatewayAPIRoute{Hostnames: names}
	}
	call := func(service string, headers ...string) v1alpha1.GatewayAPIRoute {
		match := gatewayv1.GRPCRouteMatch{}
		if service != "" {
			match.Method = &gatewayv1.GRPCMethodMatch{Service: &service}
		}
		for _, name := range headers {
			match.Headers = append(match.Headers, gatewayv1.GRPCHeaderMatch{Name: gatewayv1.GRPCHeaderName(name), Value: "1"})
		}
		return v1alpha1.GatewayAPIRoute{Kind: KindGRPCRoute, GRPCRules: []v1alpha1.GatewayAPIGRPCRule{{Matches: []gatewayv1.GRPCRouteMatch{match}}}}
	}
	type route = v1alpha1.GatewayAPIRoute

	cases := []struct {
		name string
		a, b route
		want bool
	}{
		{"the same", route{}, route{}, true},
		{"a host among others, in other letters", hosts("a.example.com", "b.example.com"), hosts("B.example.com"), true},
		{"other hosts", hosts("a.example.com"), hosts("b.example.com"), false},
		{"a host of a wildcard goes first", hosts("*.example.com"), hosts("b.example.com"), false},
		{"a host goes before none", hosts("a.example.com"), route{}, false},
		{"other parents", route{ParentRefs: []gatewayv1.ParentReference{parent("x", "")}}, route{ParentRefs: []gatewayv1.ParentReference{parent("y", "")}}, false},
		{"one section of all", route{ParentRefs: []gatewayv1.ParentReference{parent("x", "web")}}, route{ParentRefs: []gatewayv1.ParentReference{parent("x", "")}}, true},
		{"other sections", route{ParentRefs: []gatewayv1.ParentReference{parent("x", "web")}}, route{ParentRefs: []gatewayv1.ParentReference{parent("x", "tls")}}, false},
		{"no rule is every path", route{}, route{Rules: path(gatewayv1.PathMatchPathPrefix, "/")}, true},
		{"other paths", route{Rules: path(gatewayv1.PathMatchPathPrefix, "/a")}, route{Rules: path(gatewayv1.PathMatchPathPrefix, "/b")}, false},
		{"a slash at the end", route{Rules: path(gatewayv1.PathMatchPathPrefix, "/a")}, route{Rules: path(gatewayv1.PathMatchPathPrefix, "/a/")}, true},
		{"exact is not prefix", route{Rules: path(gatewayv1.PathMatchPathPrefix, "/a")}, route{Rules: path(gatewayv1.PathMatchExact, "/a")}, false},
		{"headers in another order", route{Rules: header("X-A", "X-B")}, route{Rules: header("x-b", "x-a")}, true},
		{"more headers go first", route{Rules: header("X-A", "X-B")}, route{Rules: header("X-A")}, false},
		{"no rule is every call", route{Kind: KindGRPCRoute}, call(""), true},
		{"the same service", call("shop.Cart"), call("shop.Cart"), true},
		{"another service", call("shop.Cart"), call("shop.Stock"), false},
		{"a service goes before all calls", call("shop.Cart"), call(""), false},
		{"headers of calls in another order", call("", "X-A", "X-B"), call("", "x-b", "x-a"), true},
		{"two kinds cannot share a hostname", call("shop.Cart"), route{Rules: path(gatewayv1.PathMatchExact, "/a")}, true},
		{"two kinds with hostnames of their own", route{Kind: KindGRPCRoute, Hostnames: []gatewayv1.Hostname{"a.example.com"}}, hosts("b.example.com"), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, b := claim(public(c.a)), claim(public(c.b))
			if got := overlap("shop", a, "other", b); got != c.want {
				t.Errorf("overlap %v, want %v", got, c.want)
			}
			if got := overlap("other", b, "shop", a); got != c.want {
				t.Errorf("overlap the other way %v, want %v", got, c.want)
			}
			// What overlaps must be found by index.
			shared := slices.ContainsFunc(claims("shop", a), func(key string) bool { return slices.Contains(claims("other", b), key) })
			if c.want && !shared {
				t.Errorf("no claim in common: %v, %v", claims("shop", a), claims("other", b))
			}
		})
	}
}

func TestParentWithoutNamespaceIsOfTheRoute(t *testing.T) {
	spec := gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "local"}}}
	if shareParent("a", spec, "b", spec) {
		t.Error("Gateways of two namespaces are taken for one")
	}
	if !shareParent("a", spec, "a", spec) {
		t.Error("one Gateway is taken for two")
	}
}
