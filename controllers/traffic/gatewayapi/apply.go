package gatewayapi

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// Apply implements traffic.Provider.
func (p *Provider) Apply(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, observed traffic.Observed) (client.Object, error) {
	if observed.Route.Presence == rollout.Foreign {
		return nil, fmt.Errorf("%s: %w", observed.Route.Message, traffic.ErrForeign)
	}
	k := kindOf(route)
	if k == nil || observed.Route.Reason == traffic.ReasonGatewayAPIMissing {
		return nil, fmt.Errorf("write route object: %s", observed.Route.Message)
	}
	if attachedTo(route) != nil {
		if observed.Object == nil {
			return nil, fmt.Errorf("write route object: %s", observed.Route.Message)
		}
		return p.lead(ctx, t, route, write, view(observed.Object))
	}
	if observed.Object == nil {
		return nil, p.create(ctx, t, route, write)
	}
	written, err := p.update(ctx, t, route, write, view(observed.Object))
	if written != nil || err != nil {
		return written, err
	}
	return p.writeHost(ctx, t, route, write, observed)
}

func (p *Provider) create(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute) error {
	cookie, err := p.cookieFor(ctx, t, route, write.Weights, nil)
	if err != nil {
		return err
	}
	wanted, lacking := render(t, route, write.Weights, cookie, nil)
	if lacking != "" {
		return fmt.Errorf("render %s: %s", wanted.kind(), noPort(lacking, route))
	}
	wanted.SetNamespace(t.Namespace)
	wanted.SetName(resources.RouteName(t.Name, route.Name))
	traffic.Mark(wanted, t, route.Name, write.Sequence)
	if err := p.client.Create(ctx, wanted.raw(), client.FieldOwner(traffic.FieldManager)); err != nil {
		return fmt.Errorf("create %s %s/%s: %w", wanted.kind(), t.Namespace, wanted.GetName(), err)
	}
	return nil
}

// update writes the object under the resourceVersion of live, or nothing where
// nothing differs. The spec is replaced whole: what somebody added goes.
func (p *Provider) update(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, live routeObject) (client.Object, error) {
	name := fmt.Sprintf("%s %s/%s", live.kind(), live.GetNamespace(), live.GetName())
	stamp := resources.StampOf(live)
	if err := traffic.CheckStamp(stamp, write.Sequence); err != nil {
		return nil, fmt.Errorf("update %s: %w", name, err)
	}
	cookie, err := p.cookieFor(ctx, t, route, write.Weights, live)
	if err != nil {
		return nil, err
	}
	wanted, err := p.target(ctx, t, route, write.Weights, cookie, live)
	if err != nil {
		return nil, err
	}
	if wanted.lacking != "" {
		return nil, fmt.Errorf("render %s: %s", name, noPort(wanted.lacking, route))
	}
	// A spec that asks for the same stays as it is, to the byte.
	object := live.withSpec(live)
	if !wanted.object.asksFor(live) {
		object = live.withSpec(wanted.object)
	} else if stamp == write.Sequence && traffic.Goes(live, t) {
		return nil, nil
	}
	traffic.Mark(object, t, route.Name, write.Sequence)
	if err := p.client.Update(ctx, object.raw(), client.FieldOwner(traffic.FieldManager)); err != nil {
		return nil, fmt.Errorf("update %s: %w", name, err)
	}
	return live.raw(), nil
}

// Leftovers implements traffic.Provider.
func (p *Provider) Leftovers(ctx context.Context, t traffic.Track, routes []v1alpha1.Route) ([]traffic.Observed, error) {
	found, err := p.list(ctx, traffic.Indexed(t.Namespace, traffic.IndexTrack, t.Name))
	if err != nil {
		return nil, err
	}
	var left []traffic.Observed
	for _, live := range found {
		name := live.GetLabels()[v1alpha1.LabelRoute] + live.GetLabels()[v1alpha1.LabelAttached]
		if inSpec(t, routes, live, name) {
			continue
		}
		facts := p.factsOf(ctx, name, live)
		facts.Orphaned = true
		left = append(left, traffic.Observed{Route: facts, Object: live.raw()})
	}
	return left, nil
}

func inSpec(t traffic.Track, routes []v1alpha1.Route, live routeObject, name string) bool {
	for _, route := range routes {
		if to := attachedTo(route); to != nil || isAttached(live) {
			if to != nil && route.GatewayAPI.Kind == live.kind() && to.RouteName == live.GetName() && attachedBy(live, t, route.Name) {
				return true
			}
			continue
		}
		made := resources.RouteName(t.Name, name)
		if previewHeader(live) == hostMark {
			made = previewName(t, route)
		}
		if route.Type == v1alpha1.RouteGatewayAPI && route.Name == name && made == live.GetName() &&
			route.GatewayAPI != nil && route.GatewayAPI.Kind == live.kind() {
			return true
		}
	}
	return false
}
