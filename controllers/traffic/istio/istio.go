// Package istio is the traffic provider of routes of type Istio: one VirtualService for each
// route of the track, owned whole by the operator.
//
//	VirtualService <name>
//	  hosts, gateways   as the track's spec says; without hosts it is a delegate, to which a
//	                    VirtualService of the users' leads by its own rules
//	  http              one route, to Service R-C of each release that has weight and ready
//	                    endpoints; its weights sum to 100. Before it, for a preview, one
//	                    for requests with a header or a cookie, to the candidate
//
// Why a leg stands only while it can serve (package legs): a proxy answers 503 for the share
// of a Service without endpoints.
package istio

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/legs"
)

// DefaultSettle is settleSeconds of a route that does not say. istiod gathers changes for up
// to 10 s, and then tells its proxies.
const DefaultSettle = 15 * time.Second

// Router is how Istio is told.
var Router = legs.Router{
	Type:    v1alpha1.RouteIstio,
	Kind:    schema.GroupVersionKind{Group: "networking.istio.io", Version: "v1", Kind: "VirtualService"},
	Missing: traffic.ReasonIstioMissing,
	Install: "install Istio 1.22 or later with its CRDs",
	Asked: func(route v1alpha1.Route) (string, time.Duration, bool) {
		if route.Istio == nil {
			return "", 0, false
		}
		return route.Istio.Name, legs.Settle(route.Istio.SettleSeconds, DefaultSettle), true
	},
	Render: render,
	Read:   read,
}

// New makes the provider; see legs.New.
func New(cached client.Reader, c client.Client, live client.Reader, now func() time.Time) *legs.Provider {
	return legs.New(Router, cached, c, live, now)
}

func render(route v1alpha1.Route, all []legs.Leg, preview *legs.Leg) map[string]any {
	var rules []any
	if preview != nil {
		// The first rule that matches counts.
		rules = append(rules, map[string]any{"match": []any{map[string]any{"headers": selects(*route.Preview, preview.Release)}}, "route": []any{destination(*preview)}})
	}
	var destinations []any
	for _, leg := range all {
		destinations = append(destinations, destination(leg))
	}
	spec := map[string]any{"http": append(rules, map[string]any{"route": destinations})}
	for field, names := range map[string][]string{"hosts": route.Istio.Hosts, "gateways": route.Istio.Gateways} {
		var list []any
		for _, name := range names {
			list = append(list, name)
		}
		if len(list) > 0 {
			spec[field] = list
		}
	}
	return spec
}

func destination(leg legs.Leg) map[string]any {
	return map[string]any{"destination": map[string]any{"host": leg.Service, "port": map[string]any{"number": leg.Port}}, "weight": leg.Weight}
}

// selects are the headers of requests for the preview of a candidate.
func selects(preview v1alpha1.RoutePreview, candidate string) map[string]any {
	if preview.CookieName != "" {
		return map[string]any{"cookie": map[string]any{"regex": fmt.Sprintf(`^(.*; *)?%s=%s *(;.*)?$`, preview.CookieName, candidate)}}
	}
	return map[string]any{strings.ToLower(preview.HeaderName): map[string]any{"exact": cmp.Or(preview.HeaderValue, candidate)}}
}

// isPreview says whether a rule is that of a preview: it leads requests with one header to
// one release. No weights are read from it.
func isPreview(rule map[string]any) bool {
	matches, _ := rule["match"].([]any)
	destinations, _ := rule["route"].([]any)
	if len(rule) != 2 || len(matches) != 1 || len(destinations) != 1 {
		return false
	}
	match, _ := matches[0].(map[string]any)
	headers, _ := match["headers"].(map[string]any)
	return len(match) == 1 && len(headers) == 1
}

// read finds the legs; ok is false where a VirtualService leads elsewhere too.
func read(spec map[string]any) (all []legs.Leg, ok bool) {
	rules, _ := spec["http"].([]any)
	ok = spec["tls"] == nil && spec["tcp"] == nil
	for _, item := range rules {
		rule, _ := item.(map[string]any)
		if isPreview(rule) {
			continue
		}
		destinations, isList := rule["route"].([]any)
		ok = ok && isList && len(rule) == 1
		for _, item := range destinations {
			destination, _ := item.(map[string]any)
			to, _ := destination["destination"].(map[string]any)
			host, _ := to["host"].(string)
			release, _, isRelease := resources.SplitChildName(host)
			if !isRelease {
				ok = false
				continue
			}
			port, _ := to["port"].(map[string]any)
			number, hasPort := port["number"].(int64)
			weight, weighs := destination["weight"].(int64)
			if !weighs && len(destinations) == 1 {
				weight = 100 // as Istio takes it
			}
			ok = ok && weighs && hasPort
			all = append(all, legs.Leg{Release: release, Service: host, Port: number, Weight: weight})
		}
	}
	return all, ok
}
