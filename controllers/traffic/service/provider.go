// Package service is the traffic provider of routes of type Service: one stable
// Service, under a name that other applications call, whose selector picks the
// pods of one release. It is all or nothing: the planner moves it when the other
// routes of the track reach 100.
//
//	Service <service.name>
//	  selector     strata.dev/release: R, strata.dev/component: C
//	  ports        the port of the route's name, as release R has it
//	  annotation   strata.dev/sequence: the record that chose R
//
// Why moving the selector loses no request. The pods of R are ready endpoints of
// R's own Service before the record is written. The EndpointSlice controller then
// puts them into the slices of the stable Service, creating and filling slices
// before it deletes any, and each slice is one write: at no time are there none.
// The pods of the release before stay, and run, until drainSeconds after the move
// was verified, so a node that learns of it late still sends to pods that answer;
// and connections that are open stay where they are.
//
// What proves the move: the ready endpoints of the stable Service, at its port,
// are exactly the ready pods of R's own Service. It does not prove that every node
// has it: no node reports that. Drains cover the difference, so drainSeconds: 0
// with a Service route is a risk. A client that keeps a connection open stays on
// the release before until it closes it, or the drain is over.
package service

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// Provider reads and writes stable Services.
type Provider struct {
	// client reads from the cache, which holds what carries the operator's labels.
	client client.Client
	// live reads from the API server.
	live client.Reader
}

// New makes the provider. It reads by the indexes of traffic.SetupIndexes.
func New(client client.Client, live client.Reader) *Provider {
	return &Provider{client: client, live: live}
}

var _ traffic.Provider = &Provider{}

// Sources implements traffic.Provider: there is nothing to watch beyond Services
// and EndpointSlices.
func (p *Provider) Sources(cache.Cache) []source.Source { return nil }

// Observe implements traffic.Provider.
func (p *Provider) Observe(ctx context.Context, t traffic.Track, route v1alpha1.Route) (traffic.Observed, error) {
	facts := rollout.Route{Name: route.Name, Type: route.Type, AllOrNothing: true}
	if route.Service == nil {
		facts.Reason, facts.Message = traffic.ReasonUnsupported, "the route names no Service"
		return traffic.Observed{Route: facts}, nil
	}
	key := types.NamespacedName{Namespace: t.Namespace, Name: route.Service.Name}
	live := &corev1.Service{}
	found, err := traffic.Find(ctx, p.client, p.live, key, live)
	switch {
	case err != nil:
		return traffic.Observed{}, fmt.Errorf("get Service %s: %w", key, err)
	case !found:
		facts.Reason, facts.Message = traffic.ReasonMissing, fmt.Sprintf("Service %s does not exist yet", key)
		return traffic.Observed{Route: facts}, nil
	case !traffic.Owned(live, t, route.Name):
		facts.Presence, facts.Reason = rollout.Foreign, traffic.ReasonNameTaken
		facts.Message = fmt.Sprintf("Service %s is not of this route: it is left as it is; delete or rename it, or name another in the route", key)
		return traffic.Observed{Route: facts}, nil
	}
	facts, err = p.factsOf(ctx, live)
	if err != nil {
		return traffic.Observed{}, err
	}
	facts.Current = current(t, route, live) && traffic.Goes(live, t)
	return traffic.Observed{Route: facts, Object: live}, nil
}

// current says whether the Service is what the route asks for, whichever release
// it selects.
func current(t traffic.Track, route v1alpha1.Route, live *corev1.Service) bool {
	release := live.Spec.Selector[v1alpha1.LabelRelease]
	wanted, err := render(t, route, release, live)
	return err == nil && same(wanted, live.Spec)
}

// factsOf is what a Service says by itself, whatever the track asks for.
func (p *Provider) factsOf(ctx context.Context, live *corev1.Service) (rollout.Route, error) {
	release, component := live.Spec.Selector[v1alpha1.LabelRelease], live.Spec.Selector[v1alpha1.LabelComponent]
	facts := rollout.Route{
		Name:         live.Labels[v1alpha1.LabelRoute],
		Type:         v1alpha1.RouteService,
		Presence:     rollout.Ours,
		Sequence:     resources.StampOf(live),
		AllOrNothing: true,
	}
	if !maps.Equal(live.Spec.Selector, resources.Selector(release, component)) {
		facts.Reason, facts.Message = traffic.ReasonSelectorChanged, fmt.Sprintf("the selector of Service %s/%s was changed by somebody else, and is put back", live.Namespace, live.Name)
		return facts, nil
	}
	facts.Weights = []v1alpha1.ReleaseWeight{{ReleaseName: release, WeightPercent: 100}}
	reason, message, err := p.doubt(ctx, live, resources.ChildName(release, component))
	facts.Reason, facts.Message, facts.Verified = reason, message, reason == ""
	return facts, err
}

// doubt says why the endpoints do not prove the selector; "" when they do. A
// release without ready pods proves it too: no request goes elsewhere any more.
// That it can serve is asked before it is given weight, not here.
func (p *Provider) doubt(ctx context.Context, live *corev1.Service, releaseService string) (reason, message string, err error) {
	portName := ""
	if len(live.Spec.Ports) > 0 {
		portName = live.Spec.Ports[0].Name
	}
	carried, err := traffic.ReadyPods(ctx, p.client, live.Namespace, live.Name, portName)
	if err != nil {
		return "", "", err
	}
	ready, err := traffic.ReadyPods(ctx, p.client, live.Namespace, releaseService, "")
	if err != nil {
		return "", "", err
	}
	if !maps.Equal(carried, ready) {
		return traffic.ReasonEndpointsBehind, fmt.Sprintf("Service %s has %d ready endpoints at port %s, Service %s has %d: they are not the same yet",
			live.Name, len(carried), portName, releaseService, len(ready)), nil
	}
	return "", "", nil
}
