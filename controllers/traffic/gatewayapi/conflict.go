package gatewayapi

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic"
)

// indexClaim finds route objects by what they claim: a parent and a hostname.
const indexClaim = "strata.claim"

// byClaim gives the index keys of a route object.
func byClaim(object client.Object) []string {
	route := view(object)
	if route == nil {
		return nil
	}
	return claims(route.GetNamespace(), route)
}

// claims are the pairs of parent and hostname of a route. A route without
// hostnames claims the empty one: all that no other route names.
func claims(namespace string, route routeObject) []string {
	hostnames, parents := route.hostnames(), route.common().ParentRefs
	if len(hostnames) == 0 {
		hostnames = []gatewayv1.Hostname{""}
	}
	keys := make([]string, 0, len(parents)*len(hostnames))
	for _, ref := range parents {
		for _, hostname := range hostnames {
			keys = append(keys, parentKey(namespace, ref)+"|"+strings.ToLower(string(hostname)))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// rival finds the route object of another track that has the claim which the wanted
// object makes: an equal hostname and an equal match on a parent that both name.
// A more specific hostname or match is no conflict: the Gateway API puts it
// first. Routes of two kinds cannot share a hostname at all. Between two objects that both exist and both make the claim the older
// one has it; one that does not make it yet, never. nil when the claim is free.
//
// Only routes of tracks are known here, and so only they are compared. The cost
// is one look-up by index for each parent and hostname.
func (p *Provider) rival(ctx context.Context, t traffic.Track, wanted, live routeObject) (routeObject, error) {
	for _, claim := range claims(t.Namespace, wanted) {
		others, err := p.list(ctx, traffic.Indexed("", indexClaim, claim))
		if err != nil {
			return nil, fmt.Errorf("find what claims %s: %w", claim, err)
		}
		for _, other := range others {
			if other.GetNamespace() == t.Namespace && other.GetLabels()[v1alpha1.LabelTrack] == t.Name {
				continue
			}
			if !overlap(t.Namespace, wanted, other.GetNamespace(), other) {
				continue
			}
			if live == nil || !overlap(t.Namespace, live, other.GetNamespace(), other) || older(other, live) {
				p.waiting.Add(claim, t)
				return other, nil
			}
		}
	}
	return nil, nil
}

func older(a, b routeObject) bool {
	madeA, madeB := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	if !madeA.Equal(&madeB) {
		return madeA.Before(&madeB)
	}
	nameA, nameB := a.GetNamespace()+"/"+a.GetName(), b.GetNamespace()+"/"+b.GetName()
	return nameA < nameB || nameA == nameB && a.kind() < b.kind()
}

// overlap says whether some request would be for both routes, with nothing to
// tell which comes first.
func overlap(nsA string, a routeObject, nsB string, b routeObject) bool {
	return shareParent(nsA, a.common(), nsB, b.common()) && shareHostname(a.hostnames(), b.hostnames()) &&
		(a.kind() != b.kind() || shareMatch(a, b))
}

func shareParent(nsA string, a gatewayv1.CommonRouteSpec, nsB string, b gatewayv1.CommonRouteSpec) bool {
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

func shareHostname(a, b []gatewayv1.Hostname) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	return slices.ContainsFunc(a, func(x gatewayv1.Hostname) bool {
		return slices.ContainsFunc(b, func(y gatewayv1.Hostname) bool {
			return strings.EqualFold(string(x), string(y))
		})
	})
}

func shareMatch(a, b routeObject) bool {
	taken := map[string]bool{}
	for _, match := range a.matches() {
		taken[match] = true
	}
	return slices.ContainsFunc(b.matches(), func(match string) bool { return taken[match] })
}
