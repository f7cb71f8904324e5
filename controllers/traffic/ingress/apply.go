package ingress

import (
	"context"
	"fmt"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// change is a write of one Ingress: live is nil where it is created, leg where it is
// deleted.
type change struct {
	name string
	live *networkingv1.Ingress
	leg  *leg
}

// Apply implements traffic.Provider. Weights come first, then what was changed by
// somebody else, then the stamps that are behind.
func (p *Provider) Apply(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, seen traffic.Observed) (client.Object, error) {
	if seen.Route.Presence == rollout.Foreign {
		return nil, fmt.Errorf("%s: %w", seen.Route.Message, traffic.ErrForeign)
	}
	if seen.Route.Reason == traffic.ReasonUnsupported {
		return nil, fmt.Errorf("write route object: %s", seen.Route.Message)
	}
	var both pair
	both.primary, _ = seen.Object.(*networkingv1.Ingress)
	if byAction(route) {
		return p.applyALB(ctx, t, route, write, both.primary)
	}
	both.canary, _ = seen.Beside.(*networkingv1.Ingress)
	if err := p.complete(ctx, &both, types.NamespacedName{Namespace: t.Namespace, Name: route.Ingress.Name}, route.PortName, settleOf(route)); err != nil {
		return nil, err
	}
	for _, live := range both.there() {
		if err := traffic.CheckStamp(resources.StampOf(live), write.Sequence); err != nil {
			return nil, fmt.Errorf("write Ingress %s/%s: %w", live.Namespace, live.Name, err)
		}
	}
	asked := route
	if both.primary != nil {
		var err error
		if asked, _, err = p.asked(ctx, t, route, both.primary); err != nil {
			return nil, err
		}
	}
	due, lacking := p.due(t, asked, both, write)
	switch {
	case lacking != "":
		return nil, fmt.Errorf("render Ingress %s/%s: release %s has no port %s of component %s", t.Namespace, route.Ingress.Name, lacking, route.PortName, route.ComponentName)
	case due == nil:
		return nil, nil
	case due.live == nil:
		return nil, p.create(ctx, t, route, write, *due)
	case due.leg == nil:
		return due.live, p.delete(ctx, due.live)
	}
	return due.live, p.update(ctx, t, route, write, *due)
}

// there are those of the two that exist.
func (both pair) there() []*networkingv1.Ingress {
	var there []*networkingv1.Ingress
	for _, live := range []*networkingv1.Ingress{both.primary, both.canary} {
		if live != nil {
			there = append(there, live)
		}
	}
	return there
}

// due is the next write; nil where there is none, or it has to wait. lacking names a
// release without the port; then there is none either.
func (p *Provider) due(t traffic.Track, route v1alpha1.Route, both pair, write rollout.WriteRoute) (due *change, lacking string) {
	do := both.next(write.Weights)
	canary := change{name: canaryName(route.Ingress.Name), live: both.canary}
	switch do.verb {
	case deleteCanary:
		return &canary, ""
	case setPrimary:
		return made(change{name: route.Ingress.Name, live: both.primary}, do.release)(renderPrimary(t, route, do.release, both.primary))
	case setCanary:
		return made(canary, do.release)(renderCanary(t, route, do.release, do.weight, both.canary))
	case nothing:
	}
	if due, lacking = p.repair(t, route, both); due != nil || lacking != "" {
		return due, lacking
	}
	for _, live := range both.there() {
		if resources.StampOf(live) < write.Sequence || !traffic.Goes(live, t) {
			return &change{name: live.Name, live: live, leg: &leg{spec: live.Spec, annotations: live.Annotations}}, ""
		}
	}
	return nil, ""
}

func made(c change, release string) func(leg, bool) (*change, string) {
	return func(rendered leg, ok bool) (*change, string) {
		if !ok {
			return nil, release
		}
		c.leg = &rendered
		return &c, ""
	}
}

// repair is the write that makes an Ingress again what it should be, where it leads; nil
// where both are. One that leads to no single release is next's business.
func (p *Provider) repair(t traffic.Track, route v1alpha1.Route, both pair) (due *change, lacking string) {
	if both.legs.primary != unknown {
		rendered, ok := renderPrimary(t, route, both.legs.primary, both.primary)
		if !ok {
			return nil, both.legs.primary
		}
		if !rendered.same(both.primary) {
			return &change{name: both.primary.Name, live: both.primary, leg: &rendered}, ""
		}
	}
	if both.canary != nil && both.legs.canary != unknown {
		rendered, ok := renderCanary(t, route, both.legs.canary, both.weight, both.canary)
		if !ok {
			return nil, both.legs.canary
		}
		if !rendered.same(both.canary) {
			return &change{name: both.canary.Name, live: both.canary, leg: &rendered}, ""
		}
	}
	return nil, ""
}

func (p *Provider) create(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, due change) error {
	object := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: due.name}}
	p.setAbsent(client.ObjectKeyFromObject(object), false) // Whoever has the name is seen by the next look.
	due.leg.write(object)
	traffic.Mark(object, t, route.Name, write.Sequence)
	if err := p.client.Create(ctx, object, client.FieldOwner(traffic.FieldManager)); err != nil {
		return fmt.Errorf("create Ingress %s/%s: %w", t.Namespace, due.name, err)
	}
	return nil
}

// update writes under the resourceVersion that was observed.
func (p *Provider) update(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, due change) error {
	object := due.live.DeepCopy()
	due.leg.write(object)
	traffic.Mark(object, t, route.Name, write.Sequence)
	if err := p.client.Update(ctx, object, client.FieldOwner(traffic.FieldManager)); err != nil {
		return fmt.Errorf("update Ingress %s/%s: %w", object.Namespace, object.Name, err)
	}
	return nil
}

func (p *Provider) delete(ctx context.Context, live *networkingv1.Ingress) error {
	if err := p.client.Delete(ctx, live, client.Preconditions{UID: &live.UID, ResourceVersion: &live.ResourceVersion}); err != nil {
		return fmt.Errorf("delete Ingress %s/%s: %w", live.Namespace, live.Name, err)
	}
	return nil
}

// Leftovers implements traffic.Provider.
func (p *Provider) Leftovers(ctx context.Context, t traffic.Track, routes []v1alpha1.Route) ([]traffic.Observed, error) {
	var found networkingv1.IngressList
	err := p.client.List(ctx, &found, traffic.Indexed(t.Namespace, traffic.IndexTrack, t.Name))
	if err != nil {
		return nil, fmt.Errorf("list Ingresses: %w", err)
	}
	var left []traffic.Observed
	pairs, order := map[string]*pair{}, []string{}
	for i := range found.Items {
		live := &found.Items[i]
		isCanary := live.Annotations[nginxCanary] == "true"
		name := live.Name
		if isCanary {
			name = strings.TrimSuffix(name, canaryName(""))
		}
		if inSpec(routes, live.Labels[v1alpha1.LabelRoute], name) {
			continue
		}
		if isALB(live) {
			facts, err := p.factsOfAction(ctx, live.Labels[v1alpha1.LabelRoute], live, DefaultSettleALB)
			if err != nil {
				return nil, err
			}
			facts.Orphaned, facts.SettleTime, facts.ListedTime = true, time.Time{}, time.Time{}
			left = append(left, traffic.Observed{Route: facts, Object: live})
			continue
		}
		if pairs[name] == nil {
			pairs[name], order = &pair{}, append(order, name)
		}
		if isCanary {
			pairs[name].canary = live
		} else {
			pairs[name].primary = live
		}
	}
	for _, name := range order {
		facts, err := p.leftover(ctx, *pairs[name], types.NamespacedName{Namespace: t.Namespace, Name: name})
		if err != nil {
			return nil, err
		}
		left = append(left, observed(facts, *pairs[name]))
	}
	return left, nil
}

// leftover are the facts about the Ingresses of a route that is gone. Nobody writes them
// any more.
func (p *Provider) leftover(ctx context.Context, both pair, key types.NamespacedName) (rollout.Route, error) {
	if err := p.complete(ctx, &both, key, "", DefaultSettle); err != nil {
		return rollout.Route{}, err
	}
	if both.primary == nil {
		return rollout.Route{
			Name: both.canary.Labels[v1alpha1.LabelRoute], Type: v1alpha1.RouteIngress, Presence: rollout.Ours, Weights: both.weights(),
			Sequence: resources.StampOf(both.canary), Orphaned: true, Reason: traffic.ReasonMissing, Message: fmt.Sprintf("Ingress %s is gone", key),
		}, nil
	}
	facts, err := p.factsOf(ctx, both, v1alpha1.Route{Name: both.primary.Labels[v1alpha1.LabelRoute]})
	facts.Orphaned, facts.SettleTime = true, time.Time{}
	return facts, err
}

func inSpec(routes []v1alpha1.Route, route, primary string) bool {
	for _, r := range routes {
		if r.Type == v1alpha1.RouteIngress && r.Name == route && r.Ingress != nil && r.Ingress.Name == primary {
			return true
		}
	}
	return false
}
