package gatewayapi

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic"
)

// indexClaim finds HTTPRoutes by what they claim: a parent and a hostname.
const indexClaim = "strata.claim"

// byClaim gives the index keys of an HTTPRoute.
func byClaim(object client.Object) []string {
	route, ok := object.(*gatewayv1.HTTPRoute)
	if !ok {
		return nil
	}
	return claims(route.Namespace, route.Spec)
}

// claims are the pairs of parent and hostname of a route. A route without
// hostnames claims the empty one: all that no other route names.
func claims(namespace string, spec gatewayv1.HTTPRouteSpec) []string {
	hostnames := spec.Hostnames
	if len(hostnames) == 0 {
		hostnames = []gatewayv1.Hostname{""}
	}
	keys := make([]string, 0, len(spec.ParentRefs)*len(hostnames))
	for _, ref := range spec.ParentRefs {
		for _, hostname := range hostnames {
			keys = append(keys, parentKey(namespace, ref)+"|"+strings.ToLower(string(hostname)))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// rival finds the HTTPRoute of another track that has the claim which the wanted
// object makes: an equal hostname and an equal match on a parent that both name.
// A more specific hostname or match is no conflict: the Gateway API puts it
// first. Between two objects that both exist and both make the claim the older
// one has it; one that does not make it yet, never. nil when the claim is free.
//
// Only routes of tracks are known here, and so only they are compared. The cost
// is one look-up by index for each parent and hostname.
func (p *Provider) rival(ctx context.Context, t traffic.Track, wanted gatewayv1.HTTPRouteSpec, live *gatewayv1.HTTPRoute) (*gatewayv1.HTTPRoute, error) {
	for _, claim := range claims(t.Namespace, wanted) {
		var found gatewayv1.HTTPRouteList
		err := p.client.List(ctx, &found, client.MatchingFields{indexClaim: claim}, client.UnsafeDisableDeepCopy)
		if err != nil {
			return nil, fmt.Errorf("list HTTPRoutes that claim %s: %w", claim, err)
		}
		for i := range found.Items {
			other := &found.Items[i]
			if other.Namespace == t.Namespace && other.Labels[v1alpha1.LabelTrack] == t.Name {
				continue
			}
			if !overlap(t.Namespace, wanted, other.Namespace, other.Spec) {
				continue
			}
			if live == nil || !overlap(t.Namespace, live.Spec, other.Namespace, other.Spec) || older(other, live) {
				p.waiting.add(claim, t)
				return other, nil
			}
		}
	}
	return nil, nil
}

func older(a, b *gatewayv1.HTTPRoute) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Namespace+"/"+a.Name < b.Namespace+"/"+b.Name
}

// overlap says whether some request would be for both routes, with nothing to
// tell which comes first.
func overlap(nsA string, a gatewayv1.HTTPRouteSpec, nsB string, b gatewayv1.HTTPRouteSpec) bool {
	return shareParent(nsA, a, nsB, b) && shareHostname(a, b) && shareMatch(a, b)
}

func shareParent(nsA string, a gatewayv1.HTTPRouteSpec, nsB string, b gatewayv1.HTTPRouteSpec) bool {
	for _, x := range a.ParentRefs {
		for _, y := range b.ParentRefs {
			if parentKey(nsA, x) == parentKey(nsB, y) && meet(x.SectionName, y.SectionName) && meet(x.Port, y.Port) {
				return true
			}
		}
	}
	return false
}

// meet: a reference without a section or port means all of them.
func meet[T comparable](a, b *T) bool {
	return a == nil || b == nil || *a == *b
}

func shareHostname(a, b gatewayv1.HTTPRouteSpec) bool {
	if len(a.Hostnames) == 0 || len(b.Hostnames) == 0 {
		return len(a.Hostnames) == len(b.Hostnames)
	}
	return slices.ContainsFunc(a.Hostnames, func(x gatewayv1.Hostname) bool {
		return slices.ContainsFunc(b.Hostnames, func(y gatewayv1.Hostname) bool {
			return strings.EqualFold(string(x), string(y))
		})
	})
}

func shareMatch(a, b gatewayv1.HTTPRouteSpec) bool {
	taken := map[string]bool{}
	for _, match := range matchesOf(a) {
		taken[match] = true
	}
	return slices.ContainsFunc(matchesOf(b), func(match string) bool { return taken[match] })
}

// matchesOf are the matches of all rules in one form: defaults filled in, headers
// and parameters sorted, no slash at the end of a prefix.
func matchesOf(spec gatewayv1.HTTPRouteSpec) []string {
	var all []string
	for _, rule := range withDefaults(spec).Rules {
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
