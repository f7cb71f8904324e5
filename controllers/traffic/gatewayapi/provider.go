// Package gatewayapi is the traffic provider of routes of type GatewayAPI: one
// HTTPRoute for each route of the track, owned whole by the operator.
//
//	HTTPRoute <track>-<route>
//	  parentRefs, hostnames, matches, filters, timeouts   as the track's spec says
//	  backendRefs of every rule                           Service R-C for each release listed
//	                                                      weight: as the newest record says
//	  annotation strata.dev/sequence                      that record
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

// KindHTTPRoute is the value of spec.traffic.routes[*].gatewayAPI.kind that this
// provider serves.
const KindHTTPRoute = "HTTPRoute"

// gatewayKind is a kind of the version of the Gateway API that is used here.
func gatewayKind(kind string) schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: gatewayv1.GroupVersion.Group, Version: gatewayv1.GroupVersion.Version, Kind: kind}
}

// Provider reads and writes HTTPRoutes.
type Provider struct {
	// client reads from the cache, which holds what carries the operator's labels.
	client client.Client
	// live reads from the API server.
	live client.Reader

	kind    kindState
	waiting waiting
}

// New makes the provider. Its Sources must be started for the indexes that
// Observe reads by.
func New(client client.Client, live client.Reader) *Provider {
	return &Provider{client: client, live: live}
}

var _ traffic.Provider = &Provider{}

// Observe implements traffic.Provider.
func (p *Provider) Observe(ctx context.Context, t traffic.Track, route v1alpha1.Route) (traffic.Observed, error) {
	facts := rollout.Route{Name: route.Name, Type: route.Type}
	if route.GatewayAPI == nil || route.GatewayAPI.Kind != KindHTTPRoute {
		facts.Reason = traffic.ReasonUnsupported
		facts.Message = "routes of type GatewayAPI need gatewayAPI.kind HTTPRoute; other kinds are not supported yet"
		return traffic.Observed{Route: facts}, nil
	}
	key := types.NamespacedName{Namespace: t.Namespace, Name: resources.RouteName(t.Name, route.Name)}
	live := &gatewayv1.HTTPRoute{}
	found, err := p.find(ctx, key, live)
	switch {
	case kindMissing(err):
		facts.Reason, facts.Message = traffic.ReasonGatewayAPIMissing,
			"the cluster does not serve HTTPRoute of gateway.networking.k8s.io/v1: install the Gateway API and a gateway that implements it"
		p.waiting.add(anyClaim, t)
		return traffic.Observed{Route: facts}, nil
	case err != nil:
		return traffic.Observed{}, fmt.Errorf("get HTTPRoute %s: %w", key, err)
	case !found:
		return p.observeMissing(ctx, t, route, facts)
	case !traffic.Owned(live, t, route.Name):
		facts.Presence, facts.Reason = rollout.Foreign, traffic.ReasonNameTaken
		facts.Message = fmt.Sprintf("HTTPRoute %s is not of this route: it is left as it is; delete or rename it, or rename the route", key)
		return traffic.Observed{Route: facts}, nil
	}
	return p.observeOurs(ctx, t, route, live)
}

// find reads an HTTPRoute. Where the kind is known to be missing it asks nobody.
func (p *Provider) find(ctx context.Context, key types.NamespacedName, into *gatewayv1.HTTPRoute) (bool, error) {
	if p.kind.missing() {
		return false, errKindMissing
	}
	return traffic.Find(ctx, p.client, p.live, key, into)
}

func (p *Provider) observeMissing(ctx context.Context, t traffic.Track, route v1alpha1.Route, facts rollout.Route) (traffic.Observed, error) {
	facts.Reason = traffic.ReasonMissing
	facts.Message = fmt.Sprintf("HTTPRoute %s/%s does not exist yet", t.Namespace, resources.RouteName(t.Name, route.Name))
	rival, err := p.rival(ctx, t, renderClaim(route), nil)
	if err != nil {
		return traffic.Observed{}, err
	}
	if rival != nil {
		// Somebody else's traffic: nothing is created, as with a name that is taken.
		facts.Presence, facts.Reason, facts.Message = rollout.Foreign, traffic.ReasonConflict, conflictMessage(rival)
	}
	return traffic.Observed{Route: facts}, nil
}

func (p *Provider) observeOurs(ctx context.Context, t traffic.Track, route v1alpha1.Route, live *gatewayv1.HTTPRoute) (traffic.Observed, error) {
	facts := p.factsOf(ctx, route.Name, live)
	wanted, err := p.target(ctx, t, route, facts.Weights, live)
	if err != nil {
		return traffic.Observed{}, err
	}
	facts.Current = wanted.lacking == "" && same(wanted.spec, live.Spec) && traffic.Goes(live, t)
	switch {
	case wanted.rival != nil:
		facts.Reason, facts.Message = traffic.ReasonConflict, conflictMessage(wanted.rival)
		// What the object claims itself may be another's by now. Then its weights
		// mean nothing.
		if overlap(t.Namespace, live.Spec, wanted.rival.Namespace, wanted.rival.Spec) {
			facts.Verified = false
		}
	case wanted.lacking != "":
		facts.Reason, facts.Message = traffic.ReasonNoPort, noPort(wanted.lacking, route)
	}
	return traffic.Observed{Route: facts, Object: live}, nil
}

// factsOf is what an object says by itself, whatever the track asks for.
func (p *Provider) factsOf(ctx context.Context, name string, live *gatewayv1.HTTPRoute) rollout.Route {
	facts := rollout.Route{
		Name:     name,
		Type:     v1alpha1.RouteGatewayAPI,
		Presence: rollout.Ours,
		Sequence: resources.StampOf(live),
		Weights:  weightsOf(live),
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
func (p *Provider) explain(ctx context.Context, route *gatewayv1.HTTPRoute, d *doubt) {
	if d.reason != traffic.ReasonNotReported || d.parent.Name == "" ||
		ptr.Deref(d.parent.Kind, "Gateway") != "Gateway" || ptr.Deref(d.parent.Group, gatewayv1.GroupName) != gatewayv1.GroupName {
		return
	}
	gateway := &metav1.PartialObjectMetadata{}
	gateway.SetGroupVersionKind(gatewayKind("Gateway"))
	err := p.live.Get(ctx, types.NamespacedName{
		Namespace: string(ptr.Deref(d.parent.Namespace, gatewayv1.Namespace(route.Namespace))),
		Name:      string(d.parent.Name),
	}, gateway)
	// Any other error leaves the doubt as it is: it is no worse than unknown.
	if apierrors.IsNotFound(err) || traffic.KindMissing(err) {
		d.reason, d.message = traffic.ReasonParentMissing, parentName(route, d.parent)+" does not exist"
	}
}

// target is what an object should be.
type target struct {
	spec gatewayv1.HTTPRouteSpec
	// lacking is a release without the port, so that spec is not whole; else "".
	lacking string
	// rival holds what the route claims; nil when the claim is free.
	rival *gatewayv1.HTTPRoute
}

// target is what an object that exists should be, with the given weights. While
// another track holds what the route claims, the object keeps the claim that it
// has, so that weights can still move.
func (p *Provider) target(ctx context.Context, t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, live *gatewayv1.HTTPRoute) (target, error) {
	rival, err := p.rival(ctx, t, renderClaim(route), live)
	if err != nil {
		return target{}, err
	}
	if rival == nil {
		spec, lacking := render(t, route, weights, live)
		return target{spec: spec, lacking: lacking}, nil
	}
	backends, lacking := renderBackends(t, route, weights, live)
	kept := *live.Spec.DeepCopy()
	setBackends(kept.Rules, backends)
	return target{spec: kept, lacking: lacking, rival: rival}, nil
}

func conflictMessage(rival *gatewayv1.HTTPRoute) string {
	return fmt.Sprintf("HTTPRoute %s/%s of track %s has the same parent, hostname and match, and keeps them: change one of the two tracks",
		rival.Namespace, rival.Name, rival.Labels[v1alpha1.LabelTrack])
}
