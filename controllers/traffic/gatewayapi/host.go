package gatewayapi

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// hostOf a preview is the route object that it has by a hostname of its own: all that the
// route has, under that name, for the candidate. nil where it asks for none, or lists no
// candidate yet.
func hostOf(t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, live routeObject) routeObject {
	if route.Preview == nil || route.Preview.Hostname == "" {
		return nil
	}
	backends, _ := renderBackends(t, route, weights, live)
	backend := candidateOf(t, weights, backends)
	if backend == nil {
		return nil
	}
	hosted := *route.GatewayAPI
	hosted.Hostnames = []gatewayv1.Hostname{gatewayv1.Hostname(route.Preview.Hostname)}
	route.GatewayAPI = &hosted
	host := claim(route).leadingTo([]gatewayv1.BackendRef{*backend}, "")
	markPreview(host, hostMark)
	return host
}

// observeHost adds to what was observed of a route the object of its preview: it is to be
// as the route asks, and to be gone where it asks for none.
func (p *Provider) observeHost(ctx context.Context, t traffic.Track, route v1alpha1.Route, seen *traffic.Observed) error {
	wanted := hostOf(t, route, seen.Route.Weights, view(seen.Object))
	key := types.NamespacedName{Namespace: t.Namespace, Name: previewName(t, route)}
	object := kindOf(route).object()
	live := p.live
	if wanted == nil {
		live = p.client // Somebody else's of that name is nobody's concern.
	}
	found, err := traffic.Find(ctx, p.client, live, key, object)
	if err != nil {
		return fmt.Errorf("get %s %s: %w", kindOf(route).name, key, err)
	}
	ours := found && traffic.Owned(object, t, route.Name) && previewHeader(view(object)) == hostMark
	if ours {
		seen.Beside = object
		seen.Route.Newest = max(seen.Route.Sequence, resources.StampOf(object))
	}
	switch {
	case wanted == nil && !ours:
		return nil
	case wanted != nil && found && !ours:
		seen.Route.Current, seen.Route.Reason = false, traffic.ReasonNameTaken
		seen.Route.Message = fmt.Sprintf("%s %s is not of the preview of this route: it is left as it is; delete or rename it, or rename the route", kindOf(route).name, key)
		return nil
	case wanted != nil:
		var there routeObject
		if ours {
			there = view(object)
		}
		rival, err := p.rival(ctx, t, wanted, there)
		if err != nil {
			return err
		}
		if rival != nil {
			seen.Route.Current, seen.Route.Reason, seen.Route.Message = false, traffic.ReasonConflict, "the preview: "+conflictMessage(rival)
			return nil
		}
	}
	if wanted == nil || !ours || !wanted.asksFor(view(object)) || !traffic.Goes(object, t) {
		seen.Route.Current = false
		if seen.Route.Reason == "" {
			seen.Route.Reason, seen.Route.Message = traffic.ReasonChanged, fmt.Sprintf("%s %s, the preview, is not what the track asks for, and is put right", kindOf(route).name, key)
		}
	}
	return nil
}

// writeHost makes the object of a preview what the route asks for, by one write at most.
func (p *Provider) writeHost(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, observed traffic.Observed) (client.Object, error) {
	wanted := hostOf(t, route, write.Weights, view(observed.Object))
	name := fmt.Sprintf("%s %s/%s", kindOf(route).name, t.Namespace, previewName(t, route))
	live := observed.Beside
	if live != nil {
		if err := traffic.CheckStamp(resources.StampOf(live), write.Sequence); err != nil {
			return nil, fmt.Errorf("update %s: %w", name, err)
		}
	}
	switch {
	case wanted == nil && live == nil:
		return nil, nil
	case wanted == nil:
		uid, version := live.GetUID(), live.GetResourceVersion()
		if err := p.client.Delete(ctx, live, client.Preconditions{UID: &uid, ResourceVersion: &version}); err != nil {
			return nil, fmt.Errorf("delete %s: %w", name, err)
		}
		return live, nil
	case observed.Route.Reason == traffic.ReasonNameTaken || observed.Route.Reason == traffic.ReasonConflict:
		return nil, nil
	case live == nil:
		wanted.SetNamespace(t.Namespace)
		wanted.SetName(previewName(t, route))
		traffic.Mark(wanted, t, route.Name, write.Sequence)
		if err := p.client.Create(ctx, wanted.raw(), client.FieldOwner(traffic.FieldManager)); err != nil {
			return nil, fmt.Errorf("create %s: %w", name, err)
		}
		return nil, nil
	case wanted.asksFor(view(live)) && traffic.Goes(live, t):
		return nil, nil
	}
	object := view(live).withSpec(wanted)
	traffic.Mark(object, t, route.Name, write.Sequence)
	if err := p.client.Update(ctx, object.raw(), client.FieldOwner(traffic.FieldManager)); err != nil {
		return nil, fmt.Errorf("update %s: %w", name, err)
	}
	return live, nil
}

// hostMark stands in the annotation, where another object has the header, of one that is
// a preview whole; it is no name of a header.
const hostMark = "@hostname"

func previewName(t traffic.Track, route v1alpha1.Route) string {
	return resources.RouteName(t.Name, route.Name) + "-preview"
}
