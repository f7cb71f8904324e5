package simulation

import (
	"slices"
	"strconv"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/test/world"
)

// The Ingress that tracks of the world name, and what tells a canary.
const (
	edgeName      = "shop-edge"
	edgeCanary    = edgeName + "-canary"
	edgeSettles   = 5 * time.Second
	canaryWeight  = "nginx.ingress.kubernetes.io/canary-weight"
	canaryEnabled = "nginx.ingress.kubernetes.io/canary"
)

// edge is ingress-nginx. It takes over what it was told within edgeSettles, as nothing in
// an Ingress says: for longer it is never away in these worlds.
type edge struct {
	// has is what it goes by; next what it takes over when due, zero: nothing.
	has, next told
	due       time.Time
	// lists are the releases that it knew endpoints of when it took has over.
	lists []string
}

// told is what the two Ingresses say.
type told struct {
	primary, canary string
	weight          int32
	// younger: the canary is younger than the primary, and so is not taken for one.
	younger bool
}

// toldNow reads the two Ingresses.
func (w *World) toldNow() told {
	var t told
	primary, canary := on[networkingv1.Ingress](&w.store, ingresses, edgeName), on[networkingv1.Ingress](&w.store, ingresses, edgeCanary)
	if primary != nil {
		t.primary = ledTo(primary)
	}
	if canary != nil {
		t.canary, t.weight = ledTo(canary), weightAt(canary)
		t.younger = primary != nil && primary.CreationTimestamp.Before(&canary.CreationTimestamp)
	}
	return t
}

func ledTo(o *networkingv1.Ingress) string {
	return releaseOf(o.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name)
}

func weightAt(o *networkingv1.Ingress) int32 {
	if o.Annotations[canaryEnabled] == "" {
		return 100
	}
	weight, err := strconv.Atoi(o.Annotations[canaryWeight])
	must(err)
	return int32(weight)
}

// misled: what both lead to answers 404.
func (t told) misled() bool { return t.primary != "" && t.canary == t.primary && !t.younger }

// shares of the requests, where all that is led to has endpoints.
func (t told) shares() []v1alpha1.ReleaseWeight {
	switch {
	case t.primary == "":
		return nil
	case t.canary == "" || t.canary == t.primary:
		return []v1alpha1.ReleaseWeight{{ReleaseName: t.primary, WeightPercent: 100}}
	}
	return []v1alpha1.ReleaseWeight{{ReleaseName: t.primary, WeightPercent: 100 - t.weight}, {ReleaseName: t.canary, WeightPercent: t.weight}}
}

// tellEdge: an Ingress was changed.
func (w *World) tellEdge() {
	w.playEdge()
	w.edge.next = w.toldNow()
	if w.edge.due.IsZero() {
		w.edge.due = w.Now.Add(w.routerDelay)
	}
}

// playEdge lets ingress-nginx take over what is due.
func (w *World) playEdge() {
	e := &w.edge
	if e.due.IsZero() || w.Now.Before(e.due) {
		return
	}
	if e.next != e.has {
		w.tell("~ wire %s: %s", edgeName, world.Backends(e.next.shares()))
	}
	e.has, e.due = e.next, time.Time{}
	e.lists = []string{e.has.primary, e.has.canary}
}

// publishes the address of an Ingress.
func (w *World) playIngress(name string) {
	live := on[networkingv1.Ingress](&w.store, ingresses, name)
	if live == nil || len(live.Status.LoadBalancer.Ingress) > 0 {
		return
	}
	taken := live.DeepCopy()
	taken.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{IP: "192.0.2.1"}}
	w.mustUpdateStatus(taken)
}

// checkIngress: the two Ingresses carry what a record has set, after each write; weight is
// raised only onto what has ready endpoints, as the writer saw them; and no request meets
// what ingress-nginx has no endpoints of, or takes for a canary's.
func (w *World) checkIngress(p *process, write written) {
	name, route := write.object().GetName(), write.object().GetLabels()[v1alpha1.LabelRoute]
	if write.verb == "delete" && name == edgeName {
		w.violate("RouteKept", "%s", write)
		return
	}
	now := w.toldNow()
	before := w.toldBefore(write, now)
	weights := now.shares()
	w.checkEdgeShares(write, route, before, now)
	component := componentOf(p.seen.track, route)
	alive := func(release string) bool {
		return p.seen.endpoints(resources.ChildName(release, component)) > 0
	}
	for _, s := range weights {
		if s.WeightPercent > shareOf(before.shares(), s.ReleaseName) && component != "" && before.primary != "" && before.younger == now.younger && !alive(s.ReleaseName) {
			w.violate("EndpointsReady", "%s: %s is raised to %d without ready endpoints", write, s.ReleaseName, s.WeightPercent)
		}
	}
	w.checkCanary(write, before, now)
	w.playEdge()
	if moved := before.primary != "" && before.primary != now.primary; moved && component != "" && alive(before.primary) && !slices.Contains(w.edge.lists, now.primary) {
		w.violate("Answered", "%s: ingress-nginx knows no endpoints of %s yet, and %s has some", write, now.primary, before.primary)
	}
}

// checkEdgeShares: after a write requests go by what a record has set. One of the two
// Ingresses alone is a step on the way: a primary that was missing leads to the baseline, the
// canary of one that somebody has deleted, which serves nobody, goes before it, and a new
// canary moves nobody.
func (w *World) checkEdgeShares(write written, route string, before, now told) {
	weights := now.shares()
	switch {
	case now.primary == "":
	case write.verb == "create" && before.primary == "" && now.canary == "":
		for _, r := range w.head().Routes {
			if r.Name == route && len(r.Weights) > 0 && r.Weights[0].ReleaseName != now.primary {
				w.violate("RecordFirst", "%s: it gets everything, and the newest record says %s, the baseline first", write, world.Backends(r.Weights))
			}
		}
	case write.verb == "create" && before.canary == "" && now.primary != "" && world.Shares(before.shares()) == world.Shares(weights):
	case sum(weights) != 100 || !w.memory.weights[route][world.Shares(weights)]:
		w.violate("RecordFirst", "%s: %s, and no record has set these weights", write, world.Backends(weights))
	}
}

// checkCanary: it is created without weight, and no write makes it come first where both
// lead to one release. A restore may have: that is put right once what is made is younger.
func (w *World) checkCanary(write written, before, now told) {
	if write.verb == "create" && write.object().GetName() == edgeCanary && now.weight > 0 {
		w.violate("Canary", "%s: it has weight from the first", write)
	}
	if now.misled() && !before.misled() {
		w.violate("Canary", "%s: both lead to %s, and the canary comes first", write, now.primary)
	}
}

// toldBefore is what the two Ingresses said before a write.
func (w *World) toldBefore(write written, now told) told {
	before := now
	was, _ := write.before.(*networkingv1.Ingress)
	switch {
	case write.object().GetName() == edgeName && was == nil:
		before.primary = ""
	case write.object().GetName() == edgeName:
		before.primary = ledTo(was)
	case was == nil:
		before.canary, before.weight = "", 0
	default:
		before.canary, before.weight = ledTo(was), weightAt(was)
		before.younger = now.younger || write.verb == "delete"
	}
	return before
}

// checkEdge: at rest the primary leads to what has everything.
func (w *World) checkEdge(state v1alpha1.RouteState) {
	t := w.toldNow()
	if t.primary != "" && (world.Shares(t.shares()) != world.Shares(state.Weights) || shareOf(state.Weights, t.primary) == 0) {
		w.violate("Carried", "the Ingresses say %s, primary %s, and the newest record says %s", world.Backends(t.shares()), t.primary, world.Shares(state.Weights))
	}
}

// edgeResolved: the Services that Ingresses lead to are there.
func (w *World) edgeResolved() bool {
	for _, o := range each[networkingv1.Ingress](&w.store, ingresses) {
		if byALB(o) {
			if !w.targetsThere(actionOf(o)) {
				return false
			}
			continue
		}
		if w.shelves[services].get(o.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name) == nil {
			return false
		}
	}
	return true
}
