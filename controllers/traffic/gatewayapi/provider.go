// Package gatewayapi is the traffic provider of routes of type GatewayAPI: one
// HTTPRoute or GRPCRoute for each route of the track, owned whole by the operator, or a
// user's of which it leads some backends: see attached.go.
//
//	HTTPRoute <track>-<route>, or GRPCRoute
//	  parentRefs, hostnames, matches, filters, timeouts   as the track's spec says
//	  backendRefs of every rule                           Service R-C for each release listed
//	                                                      weight: as the newest record says
//	sessionPersistence of the rule                      while clients are bound: see sessions.go
//	rules after them, for a preview                       the same requests with the header: the candidate
//	  annotation strata.dev/sequence                      that record
//	HTTPRoute <track>-<route>-preview, or GRPCRoute       the same under a hostname of its own, for the candidate
//
// A write is proven by the status that the gateways write on the route: every
// parent that the spec names must report Accepted and ResolvedRefs, both for the
// present generation. What that proves is that the controller of the gateway has
// read the weights and can serve them; its proxies follow, most within a second.
// The holds, bakes and drains of a track start after it, and cover that.
package gatewayapi

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// gatewayKind is a kind of the version of the Gateway API that is used here.
func gatewayKind(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: gatewayv1.GroupVersion.Group, Version: gatewayv1.GroupVersion.Version, Kind: kind}
}

// Provider reads and writes HTTPRoutes and GRPCRoutes.
type Provider struct {
	// client reads from the cache, which holds what carries the operator's labels.
	client client.Client
	// live reads from the API server.
	live client.Reader

	now func() time.Time

	absent   traffic.Absent
	waiting  traffic.Waiting
	sessions sessions
}

// New makes the provider; now is the clock. Its Sources must be started for the indexes
// that Observe reads by.
func New(client client.Client, live client.Reader, now func() time.Time) *Provider {
	return &Provider{client: client, live: live, now: now}
}

var _ traffic.Provider = &Provider{}

// Observe implements traffic.Provider.
func (p *Provider) Observe(ctx context.Context, t traffic.Track, route v1alpha1.Route) (traffic.Observed, error) {
	facts := rollout.Route{Name: route.Name, Type: route.Type}
	k := kindOf(route)
	if k == nil {
		facts.Reason = traffic.ReasonUnsupported
		facts.Message = "routes of type GatewayAPI need gatewayAPI.kind HTTPRoute or GRPCRoute: this operator knows no other"
		return traffic.Observed{Route: facts}, nil
	}
	key, live := types.NamespacedName{Namespace: t.Namespace, Name: resources.RouteName(t.Name, route.Name)}, k.object()
	to := attachedTo(route)
	if to != nil {
		key.Name = to.RouteName
	}
	found, err := p.absent.Find(ctx, k.name, p.client, p.live, key, live)
	switch {
	case traffic.KindMissing(err):
		facts.Reason, facts.Message = traffic.ReasonGatewayAPIMissing,
			fmt.Sprintf("the cluster does not serve %s of gateway.networking.k8s.io/v1: install the Gateway API and a gateway that implements it", k.name)
		p.waiting.Add(k.name, t)
		return traffic.Observed{Route: facts}, nil
	case err != nil:
		return traffic.Observed{}, fmt.Errorf("get %s %s: %w", k.name, key, err)
	case !found && to != nil:
		facts.Unwatched, facts.Reason = true, traffic.ReasonAttachedMissing
		facts.Message = fmt.Sprintf("%s %s, which attachTo names, does not exist: create it, or name another", k.name, key)
		return traffic.Observed{Route: facts}, nil
	case !found:
		return p.observeMissing(ctx, t, route, facts)
	case to != nil:
		return p.observeAttached(ctx, t, route, view(live))
	case !traffic.Owned(live, t, route.Name):
		facts.Presence, facts.Reason = rollout.Foreign, traffic.ReasonNameTaken
		facts.Message = fmt.Sprintf("%s %s is not of this route: it is left as it is; delete or rename it, or rename the route", k.name, key)
		return traffic.Observed{Route: facts}, nil
	}
	seen, err := p.observeOurs(ctx, t, route, view(live))
	if err == nil {
		err = p.observeHost(ctx, t, route, &seen)
	}
	return seen, err
}

// list finds route objects of all kinds, by an index of them. It shares them with
// the cache.
func (p *Provider) list(ctx context.Context, indexed client.ListOption) ([]routeObject, error) {
	var all []routeObject
	for _, k := range kinds {
		if p.absent.Has(k.name) {
			continue
		}
		found := k.list()
		err := p.client.List(ctx, found, indexed)
		if traffic.KindMissing(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list %ss: %w", k.name, err)
		}
		all = append(all, views(found)...)
	}
	return all, nil
}

func (p *Provider) observeMissing(ctx context.Context, t traffic.Track, route v1alpha1.Route, facts rollout.Route) (traffic.Observed, error) {
	facts.Reason = traffic.ReasonMissing
	facts.Message = fmt.Sprintf("%s %s/%s does not exist yet", route.GatewayAPI.Kind, t.Namespace, resources.RouteName(t.Name, route.Name))
	rival, err := p.rival(ctx, t, claim(route), nil)
	if err != nil {
		return traffic.Observed{}, err
	}
	if rival != nil {
		// Somebody else's traffic: nothing is created, as with a name that is taken.
		facts.Presence, facts.Reason, facts.Message = rollout.Foreign, traffic.ReasonConflict, conflictMessage(rival)
	}
	facts.Unkept = p.unkept(ctx, t, route, nil, nil)
	facts.Unwatched = facts.Unkept != ""
	return traffic.Observed{Route: facts}, nil
}

func (p *Provider) observeOurs(ctx context.Context, t traffic.Track, route v1alpha1.Route, live routeObject) (traffic.Observed, error) {
	live, err := p.bound(ctx, route, live)
	if err != nil {
		return traffic.Observed{}, err
	}
	facts := p.factsOf(ctx, route.Name, live)
	cookie := cookieOf(route, facts.Weights)
	if facts.Unkept = p.unkept(ctx, t, route, facts.Weights, live); facts.Unkept != "" {
		facts.Unwatched, cookie = true, ""
	}
	wanted, err := p.target(ctx, t, route, facts.Weights, cookie, live)
	if err != nil {
		return traffic.Observed{}, err
	}
	facts.Current = wanted.lacking == "" && wanted.object.asksFor(live) && traffic.Goes(live, t)
	switch {
	case wanted.rival != nil:
		facts.Reason, facts.Message = traffic.ReasonConflict, conflictMessage(wanted.rival)
		// What the object claims itself may be another's by now. Then its weights
		// mean nothing.
		if overlap(t.Namespace, live, wanted.rival.GetNamespace(), wanted.rival) {
			facts.Verified = false
		}
	case wanted.lacking != "":
		facts.Reason, facts.Message = traffic.ReasonNoPort, noPort(wanted.lacking, route)
	}
	return traffic.Observed{Route: facts, Object: live.raw()}, nil
}

// factsOf is what an object says by itself, whatever the track asks for.
func (p *Provider) factsOf(ctx context.Context, name string, live routeObject) rollout.Route {
	facts := rollout.Route{
		Name:     name,
		Type:     v1alpha1.RouteGatewayAPI,
		Presence: rollout.Ours,
		Sequence: resources.StampOf(live),
		Weights:  weightsOf(live),
	}
	if isAttached(live) {
		facts.Weights, facts.Attached = legsOf(live), live.kind()+" "+live.GetName()
	}
	if d := verify(live); d != nil {
		p.explain(ctx, live, d)
		facts.Reason, facts.Message = d.reason, d.message
	} else {
		facts.Verified = true
	}
	return facts
}

// explain says of a parent that does not report whether it is there at all.
func (p *Provider) explain(ctx context.Context, route routeObject, d *doubt) {
	if d.reason != traffic.ReasonNotReported || d.parent.Name == "" ||
		ptr.Deref(d.parent.Kind, "Gateway") != "Gateway" || ptr.Deref(d.parent.Group, gatewayv1.GroupName) != gatewayv1.GroupName {
		return
	}
	gateway := &metav1.PartialObjectMetadata{}
	gateway.SetGroupVersionKind(gatewayKind("Gateway"))
	err := p.live.Get(ctx, types.NamespacedName{
		Namespace: string(ptr.Deref(d.parent.Namespace, gatewayv1.Namespace(route.GetNamespace()))),
		Name:      string(d.parent.Name),
	}, gateway)
	// Any other error leaves the doubt as it is: it is no worse than unknown.
	if apierrors.IsNotFound(err) || traffic.KindMissing(err) {
		d.reason, d.message = traffic.ReasonParentMissing, parentName(route, d.parent)+" does not exist"
	}
}

// target is what an object should be.
type target struct {
	object routeObject
	// lacking is a release without the port, so that object is not whole; else "".
	lacking string
	// rival holds what the route claims; nil when the claim is free.
	rival routeObject
}

// target is what an object that exists should be, with the given weights, and the cookie
// by which clients are to be bound. While
// another track holds what the route claims, the object keeps the claim that it
// has, so that weights can still move.
func (p *Provider) target(ctx context.Context, t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, cookie string, live routeObject) (target, error) {
	rival, err := p.rival(ctx, t, claim(route), live)
	if err != nil {
		return target{}, err
	}
	if rival == nil {
		wanted, lacking := render(t, route, weights, cookie, live)
		return target{object: wanted, lacking: lacking}, nil
	}
	backends, lacking := renderBackends(t, route, weights, live)
	return target{object: live.leadingTo(backends, cookie), lacking: lacking, rival: rival}, nil
}

func conflictMessage(rival routeObject) string {
	return fmt.Sprintf("%s %s/%s of track %s has the same parent, hostname and match, and keeps them: change one of the two tracks",
		rival.kind(), rival.GetNamespace(), rival.GetName(), rival.GetLabels()[v1alpha1.LabelTrack])
}
