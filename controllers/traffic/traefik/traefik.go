// Package traefik is the traffic provider of routes of type Traefik: one weighted
// TraefikService for each route of the track, owned whole by the operator. What leads to it
// is the users' own: an IngressRoute, with its rules, middlewares and certificates.
//
//	TraefikService <name>
//	  weighted.services   Service R-C of each release that has weight and ready endpoints
//	  weighted.sticky     the cookie, where the track asks for one
//
// Why a leg stands only while it can serve (package legs): Traefik makes nothing at all of a
// TraefikService one of whose Services has no endpoints, and answers 404 to all that leads to
// it; with allowEmptyServices it answers 503 for the share of that Service.
package traefik

import (
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/legs"
)

// DefaultSettle is settleSeconds of a route that does not say. Traefik takes a change over
// within providersThrottleDuration, 2 s unless it is set.
const DefaultSettle = 5 * time.Second

// Router is how Traefik is told.
var Router = legs.Router{
	Type:    v1alpha1.RouteTraefik,
	Kind:    schema.GroupVersionKind{Group: "traefik.io", Version: "v1alpha1", Kind: "TraefikService"},
	Missing: traffic.ReasonTraefikMissing,
	Install: "install Traefik 3 with its CRDs",
	Asked: func(route v1alpha1.Route) (string, time.Duration, bool) {
		if route.Traefik == nil {
			return "", 0, false
		}
		return route.Traefik.Name, legs.Settle(route.Traefik.SettleSeconds, DefaultSettle), true
	},
	Render: render,
	Read:   read,
}

// New makes the provider; see legs.New.
func New(cached client.Reader, c client.Client, live client.Reader, now func() time.Time) *legs.Provider {
	return legs.New(Router, cached, c, live, now)
}

// scheme is how Traefik speaks to a port of this appProtocol; "" leaves it to Traefik, which
// takes http, and https for port 443 and ports that are called so.
func scheme(appProtocol string) string {
	switch appProtocol {
	case "kubernetes.io/h2c", "h2c", "grpc":
		return "h2c"
	case "https":
		return "https"
	}
	return ""
}

func render(route v1alpha1.Route, all []legs.Leg, _ *legs.Leg) map[string]any {
	var services []any
	for _, leg := range all {
		service := map[string]any{"kind": "Service", "name": leg.Service, "port": leg.Port, "weight": leg.Weight}
		if s := scheme(leg.AppProtocol); s != "" {
			service["scheme"] = s
		}
		services = append(services, service)
	}
	weighted := map[string]any{"services": services}
	if name := route.Traefik.StickyCookieName; name != "" {
		weighted["sticky"] = map[string]any{"cookie": map[string]any{"name": name, "httpOnly": true, "sameSite": "lax"}}
	}
	return map[string]any{"weighted": weighted}
}

// read finds the legs; ok is false where a TraefikService leads elsewhere too.
func read(spec map[string]any) (all []legs.Leg, ok bool) {
	weighted, _ := spec["weighted"].(map[string]any)
	services, isList := weighted["services"].([]any)
	ok = isList && len(spec) == 1
	for _, item := range services {
		service, _ := item.(map[string]any)
		name, _ := service["name"].(string)
		release, _, isRelease := resources.SplitChildName(name)
		weight, weighs := service["weight"].(int64)
		port, hasPort := service["port"].(int64)
		_, elsewhere := service["namespace"]
		if !isRelease || elsewhere || service["kind"] != "Service" && service["kind"] != nil {
			ok = false
			continue
		}
		leg := legs.Leg{Release: release, Service: name, Port: port, Weight: weight}
		if !weighs {
			leg.Weight = 1 // as Traefik takes it
		}
		switch s, _ := service["scheme"].(string); s {
		case "h2c":
			leg.AppProtocol = "kubernetes.io/h2c"
		default:
			leg.AppProtocol = s
		}
		ok = ok && weighs && hasPort
		all = append(all, leg)
	}
	return all, ok
}
