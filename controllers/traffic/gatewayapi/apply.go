package gatewayapi

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// Apply implements traffic.Provider.
func (p *Provider) Apply(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, observed traffic.Observed) error {
	if observed.Route.Presence == rollout.Foreign {
		return fmt.Errorf("%s: %w", observed.Route.Message, traffic.ErrForeign)
	}
	if route.GatewayAPI == nil || observed.Route.Reason == traffic.ReasonGatewayAPIMissing {
		return fmt.Errorf("write HTTPRoute: %s", observed.Route.Message)
	}
	live, exists := observed.Object.(*gatewayv1.HTTPRoute)
	if !exists {
		return p.create(ctx, t, route, write)
	}
	return p.update(ctx, t, route, write, live)
}

func (p *Provider) create(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute) error {
	spec, lacking := render(t, route, write.Weights, nil)
	if lacking != "" {
		return fmt.Errorf("render HTTPRoute: %s", noPort(lacking, route))
	}
	object := &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: resources.RouteName(t.Name, route.Name)},
		Spec:       spec,
	}
	traffic.Mark(object, t, route.Name, write.Sequence)
	if err := p.client.Create(ctx, object, client.FieldOwner(traffic.FieldManager)); err != nil {
		return fmt.Errorf("create HTTPRoute %s/%s: %w", object.Namespace, object.Name, err)
	}
	return nil
}

// update writes the object under the resourceVersion of live, or nothing where
// nothing differs. The spec is replaced whole: what somebody added goes.
func (p *Provider) update(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, live *gatewayv1.HTTPRoute) error {
	stamp := resources.StampOf(live)
	if err := traffic.CheckStamp(stamp, write.Sequence); err != nil {
		return fmt.Errorf("update HTTPRoute %s/%s: %w", live.Namespace, live.Name, err)
	}
	wanted, err := p.target(ctx, t, route, write.Weights, live)
	if err != nil {
		return err
	}
	if wanted.lacking != "" {
		return fmt.Errorf("render HTTPRoute %s/%s: %s", live.Namespace, live.Name, noPort(wanted.lacking, route))
	}
	unchanged := same(wanted.spec, live.Spec)
	if unchanged && stamp == write.Sequence && traffic.Goes(live, t) {
		return nil
	}
	object := live.DeepCopy()
	if !unchanged {
		object.Spec = wanted.spec
	}
	traffic.Mark(object, t, route.Name, write.Sequence)
	if err := p.client.Update(ctx, object, client.FieldOwner(traffic.FieldManager)); err != nil {
		return fmt.Errorf("update HTTPRoute %s/%s: %w", live.Namespace, live.Name, err)
	}
	return nil
}

// Leftovers implements traffic.Provider.
func (p *Provider) Leftovers(ctx context.Context, t traffic.Track, routes []v1alpha1.Route) ([]traffic.Observed, error) {
	if p.kind.missing() {
		return nil, nil
	}
	var found gatewayv1.HTTPRouteList
	err := p.client.List(ctx, &found, client.InNamespace(t.Namespace),
		client.MatchingFields{traffic.IndexTrack: t.Name}, client.UnsafeDisableDeepCopy)
	if kindMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list HTTPRoutes: %w", err)
	}
	var left []traffic.Observed
	for i := range found.Items {
		live := &found.Items[i]
		name := live.Labels[v1alpha1.LabelRoute]
		if inSpec(t, routes, live.Name, name) {
			continue
		}
		facts := p.factsOf(ctx, name, live)
		facts.Orphaned = true
		left = append(left, traffic.Observed{Route: facts, Object: live})
	}
	return left, nil
}

func inSpec(t traffic.Track, routes []v1alpha1.Route, object, name string) bool {
	for _, route := range routes {
		if route.Type == v1alpha1.RouteGatewayAPI && route.Name == name && resources.RouteName(t.Name, name) == object {
			return true
		}
	}
	return false
}
