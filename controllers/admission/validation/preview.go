package validation

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// What the Gateway API allows of a route object: rules, matches of all of them, and
// headers of a match.
const (
	maxRules   = 16
	maxMatches = 127
	maxHeaders = 16
)

// previewed is what a preview makes of a rule: the same again, with the header.
type previewed struct {
	// leads to the releases: a rule that redirects does not come a second time.
	leads bool
	// headers are the names that each match asks for.
	headers [][]string
}

// headerOf a preview is the one that its rules ask for; "" where it has none.
func headerOf(preview *v1alpha1.RoutePreview) string {
	if preview.CookieName != "" {
		return "Cookie"
	}
	return preview.HeaderName
}

// validateHosts: the route object of a preview has a name and a hostname of its own.
func validateHosts(routes []v1alpha1.Route, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range routes {
		if routes[i].Preview == nil || routes[i].Preview.Hostname == "" {
			continue
		}
		at := path.Index(i).Child("preview", "hostname")
		hostname := routes[i].Preview.Hostname
		for j := range routes {
			other := &routes[j]
			if other.Name == routes[i].Name+"-preview" && other.GatewayAPI != nil {
				errs = append(errs, field.Invalid(path.Index(j).Child("name"), other.Name, fmt.Sprintf("is what the route object of the preview of %s is called: take another name", routes[i].Name)))
			}
			if j != i && other.Preview != nil && other.Preview.Hostname == hostname || other.GatewayAPI != nil && slices.Contains(other.GatewayAPI.Hostnames, gatewayv1.Hostname(hostname)) {
				errs = append(errs, field.Invalid(at, hostname, fmt.Sprintf("is a hostname of route %s already, and would not tell the candidate apart: take one of its own", other.Name)))
			}
		}
	}
	return errs
}

// validatePreview: with a preview, each rule that leads to the releases comes a second
// time, with one header more.
func validatePreview(header string, route *v1alpha1.GatewayAPIRoute, path *field.Path) field.ErrorList {
	rules, at := previewedRules(route, path)
	var errs field.ErrorList
	objects, matches := 0, 0
	for i, rule := range rules {
		times := 1
		if rule.leads {
			times = 2
		}
		objects, matches = objects+times, matches+times*max(1, len(rule.headers))
		for j, names := range rule.headers {
			at := at.Index(i).Child("matches").Index(j).Child("headers")
			if k := slices.IndexFunc(names, func(name string) bool { return strings.EqualFold(name, header) }); k >= 0 {
				errs = append(errs, field.Invalid(at.Index(k).Child("name"), names[k], "is the header of the preview, and tells no other requests apart: name another one in preview.headerName"))
			}
			if rule.leads && len(names) >= maxHeaders {
				errs = append(errs, field.Invalid(at, len(names), fmt.Sprintf("leave room for the header of the preview: a match has at most %d", maxHeaders)))
			}
		}
	}
	if objects > maxRules {
		errs = append(errs, field.Invalid(at, len(rules), fmt.Sprintf("with a preview, rules that lead to the releases count twice, and that makes %d: a route object has at most %d", objects, maxRules)))
	}
	if matches > maxMatches {
		errs = append(errs, field.Invalid(at, len(rules), fmt.Sprintf("with a preview, matches of rules that lead to the releases count twice, and that makes %d: a route object has at most %d", matches, maxMatches)))
	}
	return errs
}

func previewedRules(route *v1alpha1.GatewayAPIRoute, path *field.Path) (rules []previewed, at *field.Path) {
	for _, rule := range route.Rules {
		p := previewed{leads: leads(rule)}
		for _, match := range rule.Matches {
			p.headers = append(p.headers, headerNames(match.Headers, func(h gatewayv1.HTTPHeaderMatch) string { return string(h.Name) }))
		}
		rules = append(rules, p)
	}
	if len(route.GRPCRules) == 0 {
		return rules, path.Child("rules")
	}
	for _, rule := range route.GRPCRules {
		p := previewed{leads: true}
		for _, match := range rule.Matches {
			p.headers = append(p.headers, headerNames(match.Headers, func(h gatewayv1.GRPCHeaderMatch) string { return string(h.Name) }))
		}
		rules = append(rules, p)
	}
	return rules, path.Child("grpcRules")
}

// leads says whether a rule leads to the releases.
func leads(rule v1alpha1.GatewayAPIRule) bool {
	return !slices.ContainsFunc(rule.Filters, func(f gatewayv1.HTTPRouteFilter) bool {
		return f.Type == gatewayv1.HTTPRouteFilterRequestRedirect
	})
}

// validateSessions: the Gateway API keeps the sessions of each rule apart, and so would a
// client have a release for each.
func validateSessions(route *v1alpha1.GatewayAPIRoute, path *field.Path) field.ErrorList {
	rules := 0
	for _, rule := range route.Rules {
		if leads(rule) {
			rules++
		}
	}
	if route.StickyCookieName == "" || rules < 2 {
		return nil
	}
	return field.ErrorList{field.Invalid(path.Child("stickyCookieName"), route.StickyCookieName, fmt.Sprintf(
		"%d rules lead to the releases, and a session is one of a rule: a client could meet another release by each; put their matches into one rule, or leave the cookie out", rules))}
}

func headerNames[T any](headers []T, name func(T) string) []string {
	names := make([]string, 0, len(headers))
	for _, header := range headers {
		names = append(names, name(header))
	}
	return names
}
