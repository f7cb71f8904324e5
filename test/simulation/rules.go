package simulation

import (
	"reflect"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// written is a write of an operator that the API server has carried out.
type written struct {
	verb          string
	kind          kind
	before, after client.Object
}

func (w written) object() client.Object { return change{w.before, w.after}.object() }

// memory is what the rules have to know of the past.
type memory struct {
	// trafficked is, by release, the last moment at which it may have got a request.
	trafficked map[string]time.Time
	// weights that any record has set, by route.
	weights map[string]map[string]bool
	// contents of each version, as records tell.
	contents map[string]string
	// stable were the releases that became so, in order.
	stable []v1alpha1.ReleaseRef
	// verdicts is, by version, the newest.
	verdicts map[string]v1alpha1.RecordEvent
	// skipped are the holds that a human has ended.
	skipped map[skip]bool
	// carriedOut are the actions that have their end.
	carriedOut map[string]bool
	// toGo are the numbers of the records that prunedBy, a record, lets go.
	toGo     []int64
	prunedBy types.UID
	// last write.
	last written
}

// skip is the hold of a step in an attempt.
type skip struct {
	release types.UID
	attempt int32
	weight  int32
}

func newMemory() memory {
	return memory{
		trafficked: map[string]time.Time{}, weights: map[string]map[string]bool{}, contents: map[string]string{},
		verdicts: map[string]v1alpha1.RecordEvent{}, skipped: map[skip]bool{}, carriedOut: map[string]bool{},
	}
}

// wereStable are the names of those that were stable, but for the one that is.
func (m *memory) wereStable(now *v1alpha1.ReleaseRef) []string {
	var names []string
	for _, ref := range m.stable {
		if (now == nil || ref.UID != now.UID) && !slices.Contains(names, ref.Name) {
			names = append(names, ref.Name)
		}
	}
	return names
}

// proven says whether a release became stable once, and nothing spoke against it since.
func (m *memory) proven(ref v1alpha1.ReleaseRef) bool {
	return !m.verdicts[ref.Version].IsNegative() && slices.ContainsFunc(m.stable, func(s v1alpha1.ReleaseRef) bool { return s.UID == ref.UID })
}

// check holds the rules to a write.
func (w *World) check(p *process, write written) {
	w.memory.last = write
	if write.verb == "status" {
		w.checkStatus(p, write)
		return
	}
	switch write.kind {
	case records:
		if write.verb == "delete" {
			w.checkPruned(write)
			return
		}
		w.checkRecord(p, write)
	case releases:
		w.checkRelease(p, write)
	case httpRoutes:
		w.checkFront(write)
		w.checkSessions(write)
		if !givenBack(write) {
			w.checkRoute(p, write)
		}
	case ingresses:
		if write.object().GetName() == albName {
			w.checkALB(p, write)
		} else {
			w.checkIngress(p, write)
		}
	case traefikServices:
		w.checkLegs(p, write)
	case services:
		if _, _, isRoute := carried(write.object()); isRoute {
			w.checkRoute(p, write)
		} else if write.verb == "delete" {
			w.checkBreak(p, write)
		}
	case deployments:
		w.checkDeployment(p, write)
	case autoscalers:
		w.checkAutoscaler(p, write)
	case actions:
		w.checkCollected(write)
	case tracks, elsewhere:
		w.violate("Frozen", "%s: what users wrote is not the operator's to write", write)
	case budgets, revisions, configMaps, secrets:
		w.checkFrozen(write)
		w.checkAsked(p, write)
	}
	w.checkOwned(write)
	w.checkRepair(p, write)
	w.checkStamp(write)
}

// checkCollected: an action is deleted, and not before it has its end, or its time is
// over without one: the records that would tell are gone.
func (w *World) checkCollected(write written) {
	if write.verb != "delete" {
		w.violate("Frozen", "%s: what users wrote is not the operator's to write", write)
		return
	}
	action := write.before
	if unknown := !action.GetCreationTimestamp().After(w.logged().ActionsSince); !w.memory.carriedOut[action.GetName()] && !unknown {
		w.violate("Collected", "%s has no answer", action.GetName())
	}
	if age := w.Now.Sub(action.GetCreationTimestamp().Time); age < keptActions-w.skew() {
		w.violate("Collected", "%s goes %s after it was created", action.GetName(), age)
	}
}

// checkFrozen: what is sealed is never changed, but that it gets its owner back; and of
// it the PodDisruptionBudgets alone are deleted.
func (w *World) checkFrozen(write written) {
	switch {
	case write.verb == "create":
	case write.verb == "delete" && write.kind == budgets:
	case write.kind == budgets && write.after != nil && contentOf(write.before) != contentOf(write.after): // checkRepair
	case takenOver(write) && (write.kind == budgets || write.kind == revisions):
	default:
		w.violate("Frozen", "%s: what is sealed is never changed", write)
	}
}

// checkStamp: a write is justified by a record that is there, and never undoes what
// a newer one justified.
func (w *World) checkStamp(write written) {
	if write.after == nil || write.kind == records || write.kind == budgets || write.kind == pods || write.kind == releases || write.kind == revisions || write.kind == configMaps || write.kind == secrets {
		return
	}
	stamp, head := resources.StampOf(write.after), w.newest().Sequence
	switch {
	case givenBack(write):
	case stamp == 0 || stamp > head:
		w.violate("RecordFirst", "%s: no record justifies it: it is stamped %d, and the newest record is %d", write, stamp, head)
	case write.before != nil && resources.StampOf(write.before) > stamp:
		w.violate("RecordFirst", "%s: record %d had been carried out already", write, resources.StampOf(write.before))
	}
}

// checkBreak: nothing that has weight, might have it, or had it less than
// drainSeconds ago, is scaled down or deleted.
func (w *World) checkBreak(p *process, write written) {
	release := write.object().GetLabels()[v1alpha1.LabelRelease]
	last, ok := w.memory.trafficked[release]
	if !ok {
		return
	}
	if since := w.Now.Sub(last); since < drainOf(p.seen.track)-w.skew() {
		w.violate("Drained", "%s: %s may have got requests %s ago", write, release, since)
	}
}

func drainOf(track *v1alpha1.ReleaseTrack) time.Duration {
	if track == nil || track.Spec.Traffic == nil || track.Spec.Traffic.DrainSeconds == nil {
		return rollout.DefaultDrain
	}
	drain := *track.Spec.Traffic.DrainSeconds
	for _, route := range track.Spec.Traffic.Routes {
		if route.Ingress != nil && route.Ingress.DeregistrationDelaySeconds != nil {
			drain = max(drain, *route.Ingress.DeregistrationDelaySeconds)
		}
	}
	return time.Duration(drain) * time.Second
}

// checkRoute: a route object carries what a record has set, and weight is raised only
// onto releases that have ready endpoints, as the writer saw them.
func (w *World) checkRoute(p *process, write written) {
	if write.verb == "delete" {
		w.violate("RouteKept", "%s", write)
		return
	}
	route, weights, _ := carried(write.after)
	if _, isService := write.after.(*corev1.Service); isService {
		w.checkChosen(p, write, route, weights[0].ReleaseName)
	} else if sum(weights) != 100 || !w.memory.weights[route][world.Shares(weights)] {
		w.violate("RecordFirst", "%s: no record has set these weights", write)
	}
	var before []v1alpha1.ReleaseWeight
	if write.before != nil {
		_, before, _ = carried(write.before)
	}
	for _, s := range weights {
		if s.WeightPercent <= shareOf(before, s.ReleaseName) {
			continue
		}
		component := componentOf(p.seen.track, route)
		if component != "" && p.seen.endpoints(resources.ChildName(s.ReleaseName, component)) == 0 {
			w.violate("EndpointsReady", "%s: %s is raised to %d without ready endpoints", write, s.ReleaseName, s.WeightPercent)
		}
	}
}

// checkChosen: a stable Service selects a release to which some record gave all of
// the route, or the most.
func (w *World) checkChosen(_ *process, write written, route, release string) {
	for weights := range w.memory.weights[route] {
		if weights == release+" 100" {
			return
		}
	}
	w.violate("RecordFirst", "%s: no record has given it to %s", write, release)
}

func componentOf(track *v1alpha1.ReleaseTrack, route string) string {
	for _, r := range routesOf(track) {
		if r.Name == route {
			return r.ComponentName
		}
	}
	return ""
}

// endpoints counts the ready ones of a Service that were seen.
func (s *seen) endpoints(service string) int { return readyEndpoints(s.lists[endpointSlices], service) }

func readyEndpoints(all shelf, service string) int {
	ready := map[types.UID]bool{}
	for _, object := range all {
		slice := object.(*discoveryv1.EndpointSlice)
		if slice.Labels[discoveryv1.LabelServiceName] != service {
			continue
		}
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready != nil && *e.Conditions.Ready {
				ready[e.TargetRef.UID] = true
			}
		}
	}
	return len(ready)
}

func sum(weights []v1alpha1.ReleaseWeight) int32 {
	var total int32
	for _, s := range weights {
		total += s.WeightPercent
	}
	return total
}

func shareOf(weights []v1alpha1.ReleaseWeight, release string) int32 {
	for _, s := range weights {
		if s.ReleaseName == release {
			return s.WeightPercent
		}
	}
	return 0
}

// checkRest holds what must be true of a world in which nothing is left to do.
func (w *World) checkRest() {
	state, track := w.head(), w.track()
	if c := state.Candidate; c != nil && !w.othersAwaited() && !w.obstructed() {
		w.violate("Settles", "%s has an open attempt without end: %+v", c.Name, track.Status.BlockedBy)
	}
	for _, spec := range routesOf(track) {
		for _, route := range state.Routes {
			if route.Name == spec.Name {
				w.checkCarried(spec, route)
			}
		}
	}
	w.checkRestSizes()
	w.checkRestOwned()
	w.checkRestSealed()
	w.checkRestMarks()
	w.checkRestStatus()
	w.checkRestTemplate()
	w.checkRestFront()
}

// checkCarried: a route carries what the newest record says, unless what is to take its
// weight cannot.
func (w *World) checkCarried(spec v1alpha1.Route, state v1alpha1.RouteState) {
	if !w.canTake(w.head()) {
		return
	}
	switch spec.Type {
	case v1alpha1.RouteGatewayAPI:
		name := resources.RouteName(TrackName, spec.Name)
		if spec.GatewayAPI.AttachTo != nil {
			name = spec.GatewayAPI.AttachTo.RouteName
		}
		object := on[gatewayv1.HTTPRoute](&w.store, httpRoutes, name)
		if object != nil && world.Shares(weightsOf(object)) != world.Shares(state.Weights) {
			w.violate("Carried", "route %s has %s, and the newest record says %s", spec.Name, world.Shares(weightsOf(object)), world.Shares(state.Weights))
		}
		if object != nil && spec.GatewayAPI.AttachTo == nil {
			w.checkPreview(spec, object)
			w.checkRestSessions(spec, object)
		}
	case v1alpha1.RouteIngress:
		if spec.Ingress.Dialect == v1alpha1.DialectALB {
			w.checkRestALB(state)
		} else {
			w.checkEdge(state)
		}
	case v1alpha1.RouteTraefik:
		w.checkCarriedLegs(state)
	case v1alpha1.RouteService:
		object := on[corev1.Service](&w.store, services, spec.Service.Name)
		if object != nil && world.Shares(state.Weights) != object.Spec.Selector[v1alpha1.LabelRelease]+" 100" {
			w.violate("Carried", "route %s selects %s, and the newest record says %s", spec.Name, object.Spec.Selector[v1alpha1.LabelRelease], world.Shares(state.Weights))
		}
	}
}

// checkPreview: the rules after the first one lead to the open attempt's release alone,
// where the track asks for that, and to nobody else.
func (w *World) checkPreview(spec v1alpha1.Route, object *gatewayv1.HTTPRoute) {
	candidate, shown := w.head().Candidate, ""
	if spec.Preview != nil && candidate != nil && slices.ContainsFunc(weightsOf(object), func(s v1alpha1.ReleaseWeight) bool { return s.ReleaseName == candidate.Name }) {
		shown = candidate.Name
	}
	var leadsTo string
	for _, rule := range object.Spec.Rules[1:] {
		leadsTo += releaseOf(string(rule.BackendRefs[0].Name))
	}
	if leadsTo != shown {
		w.violate("Previewed", "the preview of route %s leads to %q, and should to %q", spec.Name, leadsTo, shown)
	}
}

// canTake says whether what the newest record gives weight is there to take it: its
// object, and a ready endpoint behind every route.
func (w *World) canTake(state v1alpha1.TrackState) bool {
	for _, route := range state.Routes {
		component := componentOf(w.track(), route.Name)
		for _, share := range route.Weights {
			if component == "" || share.WeightPercent == 0 {
				continue
			}
			service := resources.ChildName(share.ReleaseName, component)
			if w.shelves[releases].get(share.ReleaseName) == nil || w.shelves[services].get(service) == nil || readyEndpoints(w.shelves[endpointSlices], service) == 0 {
				return false
			}
		}
	}
	return true
}

// checkShared: what caches share is changed by nobody who reads it.
func (w *World) checkShared() {
	for k := range kinds {
		for _, c := range w.history[k] {
			if c.after != nil && w.copies[c.after] != nil && !reflect.DeepEqual(c.after, w.copies[c.after]) {
				w.violate("Shared", "%s %s was changed in the cache:\n%s", k, c.after.GetName(), cmp.Diff(w.copies[c.after], c.after))
				return
			}
		}
	}
}
