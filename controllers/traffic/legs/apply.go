package legs

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// want is what an object should be, in all that the operator decides.
type want struct {
	spec  map[string]any
	asked string
}

// same says whether an object is so.
func same(wanted want, live *unstructured.Unstructured) bool {
	return live.GetAnnotations()[v1alpha1.AnnotationWeights] == wanted.asked && equality.Semantic.DeepEqual(live.Object["spec"], any(wanted.spec))
}

func (w want) write(object *unstructured.Unstructured) {
	object.Object["spec"] = w.spec
	annotations := object.GetAnnotations()
	annotations[v1alpha1.AnnotationWeights] = w.asked
	object.SetAnnotations(annotations)
}

// wanted is what the object of a route should be, by the endpoints that are ready now.
// lacking names a release with a leg and without the port; then there is nothing to want.
func (p *Provider) wanted(ctx context.Context, t traffic.Track, route v1alpha1.Route, asked []v1alpha1.ReleaseWeight, now carried) (wanted want, lacking string, err error) {
	ready := map[string]bool{}
	for _, w := range asked {
		previewed := route.Preview != nil && w.ReleaseName == t.Candidate
		if w.WeightPercent == 0 && !previewed {
			continue
		}
		pods, err := traffic.ReadyPods(ctx, p.cached, t.Namespace, resources.ChildName(w.ReleaseName, route.ComponentName), route.PortName)
		if err != nil {
			return want{}, "", err
		}
		ready[w.ReleaseName] = len(pods) > 0
	}
	var legs []Leg
	for _, w := range standing(asked, weightsOf(now.legs), func(release string) bool { return ready[release] }) {
		leg, ok := legOf(t, route, w, now.legs)
		if !ok {
			return want{}, w.ReleaseName, nil
		}
		legs = append(legs, leg)
	}
	if wanted.asked, err = note(asked); err != nil {
		return want{}, "", fmt.Errorf("note what record says of route %s: %w", route.Name, err)
	}
	var preview *Leg
	if route.Preview != nil && ready[t.Candidate] {
		leg, ok := legOf(t, route, v1alpha1.ReleaseWeight{ReleaseName: t.Candidate, WeightPercent: 100}, now.legs)
		if !ok {
			return want{}, t.Candidate, nil
		}
		preview = &leg
	}
	wanted.spec = p.router.Render(route, legs, preview)
	return wanted, "", nil
}

// legOf makes the leg of a release. The port of one that is gone is the one that the object
// has for it.
func legOf(t traffic.Track, route v1alpha1.Route, w v1alpha1.ReleaseWeight, now []Leg) (Leg, bool) {
	leg := Leg{Release: w.ReleaseName, Service: resources.ChildName(w.ReleaseName, route.ComponentName), Weight: int64(w.WeightPercent)}
	if port, ok := t.Port(w.ReleaseName, route.ComponentName, route.PortName); ok {
		leg.Port, leg.AppProtocol = int64(port.Port), port.AppProtocol
		return leg, true
	}
	i := slices.IndexFunc(now, func(l Leg) bool { return l.Service == leg.Service })
	if i < 0 {
		return Leg{}, false
	}
	leg.Port, leg.AppProtocol = now[i].Port, now[i].AppProtocol
	return leg, true
}

// Apply implements traffic.Provider.
func (p *Provider) Apply(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, observed traffic.Observed) (client.Object, error) {
	name, _, ok := p.router.Asked(route)
	switch {
	case observed.Route.Presence == rollout.Foreign:
		return nil, fmt.Errorf("%s: %w", observed.Route.Message, traffic.ErrForeign)
	case !ok || observed.Route.Reason == p.router.Missing:
		return nil, fmt.Errorf("write route object: %s", observed.Route.Message)
	}
	what := fmt.Sprintf("%s %s/%s", p.router.Kind.Kind, t.Namespace, name)
	live, _ := observed.Object.(*unstructured.Unstructured)
	var now carried
	if live != nil {
		if err := traffic.CheckStamp(resources.StampOf(live), write.Sequence); err != nil {
			return nil, fmt.Errorf("update %s: %w", what, err)
		}
		now = p.read(live)
	}
	wanted, lacking, err := p.wanted(ctx, t, route, write.Weights, now)
	switch {
	case err != nil:
		return nil, err
	case lacking != "":
		return nil, fmt.Errorf("render %s: %s", what, noPort(lacking, route))
	case live == nil:
		return nil, p.create(ctx, t, route, write, name, wanted)
	case same(wanted, live) && resources.StampOf(live) == write.Sequence && traffic.Goes(live, t):
		return nil, nil
	}
	// The spec is replaced whole: what somebody added goes.
	object := live.DeepCopy()
	traffic.Mark(object, t, route.Name, write.Sequence)
	wanted.write(object)
	if err := p.client.Update(ctx, object, client.FieldOwner(traffic.FieldManager)); err != nil {
		return nil, fmt.Errorf("update %s: %w", what, err)
	}
	return live, nil
}

func (p *Provider) create(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, name string, wanted want) error {
	object := p.object()
	object.SetNamespace(t.Namespace)
	object.SetName(name)
	traffic.Mark(object, t, route.Name, write.Sequence)
	wanted.write(object)
	if err := p.client.Create(ctx, object, client.FieldOwner(traffic.FieldManager)); err != nil {
		return fmt.Errorf("create %s %s/%s: %w", p.router.Kind.Kind, t.Namespace, name, err)
	}
	return nil
}

// Leftovers implements traffic.Provider.
func (p *Provider) Leftovers(ctx context.Context, t traffic.Track, routes []v1alpha1.Route) ([]traffic.Observed, error) {
	if p.absent.Has(p.router.Kind.Kind) {
		return nil, nil
	}
	found := &unstructured.UnstructuredList{}
	found.SetGroupVersionKind(p.router.Kind.GroupVersion().WithKind(p.router.Kind.Kind + "List"))
	err := p.cached.List(ctx, found, traffic.Indexed(t.Namespace, traffic.IndexTrack, t.Name))
	if traffic.KindMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", p.router.Kind.Kind, err)
	}
	var left []traffic.Observed
	for i := range found.Items {
		live := &found.Items[i]
		if p.inSpec(routes, live) {
			continue
		}
		facts, err := p.factsOf(ctx, live, p.read(live))
		if err != nil {
			return nil, err
		}
		facts.Orphaned = true
		left = append(left, traffic.Observed{Route: facts, Object: live})
	}
	return left, nil
}

func (p *Provider) inSpec(routes []v1alpha1.Route, live client.Object) bool {
	return slices.ContainsFunc(routes, func(r v1alpha1.Route) bool {
		name, _, ok := p.router.Asked(r)
		return ok && r.Name == live.GetLabels()[v1alpha1.LabelRoute] && name == live.GetName()
	})
}
