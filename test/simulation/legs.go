package simulation

import (
	"encoding/json"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/test/world"
)

// legsName is the TraefikService that tracks of the world name.
const legsName = "shop-legs"

// legged is Traefik. It takes over what a TraefikService says within edgeSettles, as
// nothing in it says: for longer it is never away in these worlds.
type legged struct {
	// has is what it goes by; next what it takes over when due, zero: nothing.
	has, next []v1alpha1.ReleaseWeight
	due       time.Time
}

// tellLegs: the TraefikService was changed.
func (w *World) tellLegs() {
	w.playLegs()
	w.legs.next = nil
	if object := on[unstructured.Unstructured](&w.store, traefikServices, legsName); object != nil {
		w.legs.next = legsOf(object)
	}
	if w.legs.due.IsZero() {
		w.legs.due = w.Now.Add(w.routerDelay)
	}
}

// playLegs lets Traefik take over what is due.
func (w *World) playLegs() {
	l := &w.legs
	if l.due.IsZero() || w.Now.Before(l.due) {
		return
	}
	if world.Shares(l.next) != world.Shares(l.has) {
		w.tell("~ wire %s: %s", legsName, world.Shares(l.next))
	}
	l.has, l.due = l.next, time.Time{}
}

// legsOf a TraefikService, in percent of all requests.
func legsOf(object *unstructured.Unstructured) []v1alpha1.ReleaseWeight {
	list, _, err := unstructured.NestedSlice(object.Object, "spec", "weighted", "services")
	must(err)
	var legs []v1alpha1.ReleaseWeight
	for _, item := range list {
		leg := item.(map[string]any)
		legs = append(legs, v1alpha1.ReleaseWeight{ReleaseName: releaseOf(leg["name"].(string)), WeightPercent: int32(leg["weight"].(int64))})
	}
	return legs
}

// splitLegs are the releases that a TraefikService is asked to lead to.
func (w *World) splitLegs() []v1alpha1.ReleaseWeight {
	object := on[unstructured.Unstructured](&w.store, traefikServices, legsName)
	if object == nil {
		return nil
	}
	return slices.DeleteFunc(askedOf(object), func(s v1alpha1.ReleaseWeight) bool { return s.WeightPercent == 0 })
}

// askedOf a TraefikService: what it says that a record has set, zeros included.
func askedOf(object *unstructured.Unstructured) []v1alpha1.ReleaseWeight {
	var asked []v1alpha1.ReleaseWeight
	must(json.Unmarshal([]byte(object.GetAnnotations()[v1alpha1.AnnotationWeights]), &asked))
	return asked
}

// checkLegs: a TraefikService says what a record has set; of that, whoever had ready
// endpoints when the writer looked has its share or more, and the others have nothing, as
// long as there is anybody; and weight is raised only onto what has some.
func (w *World) checkLegs(p *process, write written) {
	if write.verb == "delete" {
		w.violate("RouteKept", "%s", write)
		return
	}
	object := write.after.(*unstructured.Unstructured)
	asked, legs := askedOf(object), legsOf(object)
	route := object.GetLabels()[v1alpha1.LabelRoute]
	if sum(asked) != 100 || sum(legs) != 100 || !w.memory.weights[route][world.Shares(asked)] {
		w.violate("RecordFirst", "%s: %s of %s, and no record has set these weights", write, world.Shares(legs), world.Shares(asked))
	}
	component := componentOf(p.seen.track, route)
	if component == "" {
		return
	}
	looked := func(release string) int { return p.seen.looked[resources.ChildName(release, component)] }
	anybody := 0
	for _, s := range asked {
		if s.WeightPercent == 0 {
			continue
		}
		anybody += looked(s.ReleaseName)
		if looked(s.ReleaseName) > 0 && shareOf(legs, s.ReleaseName) < s.WeightPercent {
			w.violate("Legs", "%s: %s has endpoints, and less than the %d that it was given", write, s.ReleaseName, s.WeightPercent)
		}
	}
	var before []v1alpha1.ReleaseWeight
	if write.before != nil {
		before = legsOf(write.before.(*unstructured.Unstructured))
	}
	for _, s := range legs {
		ready := looked(s.ReleaseName)
		switch {
		case shareOf(asked, s.ReleaseName) == 0:
			w.violate("Legs", "%s: no record gives %s anything", write, s.ReleaseName)
		case ready == 0 && anybody > 0:
			w.violate("Legs", "%s: %s has no endpoints, and others have", write, s.ReleaseName)
		case s.WeightPercent > shareOf(before, s.ReleaseName) && ready == 0 && p.seen.endpoints(resources.ChildName(s.ReleaseName, component)) == 0:
			w.violate("EndpointsReady", "%s: %s is raised to %d without ready endpoints", write, s.ReleaseName, s.WeightPercent)
		}
	}
}

// checkIdleLegs: whenever an operator that has heard of everything has nothing to do, a
// TraefikService leads to all those that have ready endpoints of those whom the newest record
// gives weight, and to nobody else, as long as there is anybody.
func (w *World) checkIdleLegs(p *process) {
	object := on[unstructured.Unstructured](&w.store, traefikServices, legsName)
	if object == nil || p.failed != nil || w.track() == nil {
		return
	}
	legs, asked := legsOf(object), askedOf(object)
	for _, route := range w.head().Routes {
		if route.Name != object.GetLabels()[v1alpha1.LabelRoute] || world.Shares(asked) != world.Shares(route.Weights) || !w.byLegs(route.Name) {
			continue
		}
		var dead, alive []string
		for _, s := range route.Weights {
			service := resources.ChildName(s.ReleaseName, componentOf(w.track(), route.Name))
			switch ready := readyEndpoints(w.shelves[endpointSlices], service) > 0; {
			case ready && s.WeightPercent > 0:
				alive = append(alive, s.ReleaseName)
			case shareOf(legs, s.ReleaseName) > 0:
				dead = append(dead, s.ReleaseName)
			}
		}
		for _, release := range alive {
			if shareOf(legs, release) == 0 || len(dead) > 0 {
				w.violate("Legs", "%s has %s of %s; %v have ready endpoints, %v have none", legsName, world.Shares(legs), world.Shares(asked), alive, dead)
				return
			}
		}
	}
}

// byLegs says whether the track asks for the TraefikService as a route of this name.
func (w *World) byLegs(route string) bool {
	return slices.ContainsFunc(routesOf(w.track()), func(r v1alpha1.Route) bool { return r.Name == route && r.Type == v1alpha1.RouteTraefik })
}

// checkCarriedLegs: where everybody can take it, the legs are what the newest record says.
func (w *World) checkCarriedLegs(state v1alpha1.RouteState) {
	object := on[unstructured.Unstructured](&w.store, traefikServices, legsName)
	if object != nil && world.Shares(legsOf(object)) != world.Shares(state.Weights) {
		w.violate("Carried", "%s has %s, and the newest record says %s", legsName, world.Shares(legsOf(object)), world.Shares(state.Weights))
	}
}

// legsResolved: every TraefikService leads to all that it should, and to Services that are
// there.
func (w *World) legsResolved() bool {
	for _, object := range each[unstructured.Unstructured](&w.store, traefikServices) {
		legs := legsOf(object)
		for _, s := range askedOf(object) {
			if s.WeightPercent > 0 && shareOf(legs, s.ReleaseName) == 0 {
				return false
			}
		}
		for _, leg := range legs {
			if on[corev1.Service](&w.store, services, resources.ChildName(leg.ReleaseName, "web")) == nil {
				return false
			}
		}
	}
	return true
}
