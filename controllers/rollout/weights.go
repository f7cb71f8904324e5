package rollout

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// shares gives the candidate w percent of every route in force and the rest to
// the fallback. A route that cannot carry a part (its router cannot, or the
// fallback has no such port) moves at once, at 100.
func (v view) shares(to v1alpha1.ReleaseRef, w int32) []v1alpha1.RouteState {
	var routes []v1alpha1.RouteState
	for _, route := range v.routes {
		routes = append(routes, v1alpha1.RouteState{
			Name:        route.Name,
			Weights:     v.share(route, to, w),
			SetSequence: v.next(),
			SetTime:     v.now(),
		})
	}
	return routes
}

func (v view) share(route v1alpha1.Route, to v1alpha1.ReleaseRef, w int32) []v1alpha1.ReleaseWeight {
	if w == 100 {
		return []v1alpha1.ReleaseWeight{{ReleaseName: to.Name, WeightPercent: 100}}
	}
	from := v.baselineRef()
	if from == nil || v.baseline == nil || !v.baseline.hasPort(route) {
		return nil
	}
	if w == 0 || allOrNothing(route) {
		return []v1alpha1.ReleaseWeight{{ReleaseName: from.Name, WeightPercent: 100}}
	}
	return []v1alpha1.ReleaseWeight{
		{ReleaseName: from.Name, WeightPercent: 100 - w},
		{ReleaseName: to.Name, WeightPercent: w},
	}
}

// allOrNothing routers cannot carry a partial weight.
func allOrNothing(route v1alpha1.Route) bool { return route.Type == v1alpha1.RouteService }

// divisible says whether any route in force can carry a part: only then are
// there steps.
func (v view) divisible() bool {
	return slices.ContainsFunc(v.routes, func(r v1alpha1.Route) bool { return !allOrNothing(r) })
}

// moveAll makes a state in which one release has all the weight.
func (v view) moveAll(state *v1alpha1.TrackState, to v1alpha1.ReleaseRef) {
	v.setRoutes(state, v.shares(to, 100))
}

// setRoutes puts weights into a state. Whatever may have weight from now on, or
// had it until now, on any route object, is not verified to have none.
func (v view) setRoutes(state *v1alpha1.TrackState, routes []v1alpha1.RouteState) {
	before := state.Routes
	state.Routes = routes
	for i := range state.Live {
		live := &state.Live[i]
		if weightIn(routes, live.Name) > 0 || weightIn(before, live.Name) > 0 || v.pointedAt(live.Name) {
			live.ZeroTime = nil
		}
	}
	if len(routes) == 0 {
		// No router will ever confirm it: nothing is asked of any.
		v.markZero(state)
	}
}

// unverified says whether weights were set that no router was seen to carry yet.
func (v view) unverified() bool {
	return slices.ContainsFunc(v.state.Routes, func(r v1alpha1.RouteState) bool { return r.VerifiedTime == nil })
}

// setTime is when weights were last set, verifiedTime when the last router was
// seen to carry them; zero until then. What no router has to carry is verified as it
// is set.
func (v view) setTime() time.Time {
	var last time.Time
	for _, r := range v.state.Routes {
		last = later(last, r.SetTime.Time)
	}
	return last
}

func (v view) verifiedTime() time.Time {
	if c := v.state.Candidate; len(v.state.Routes) == 0 && c != nil && c.ActivatedTime != nil {
		return c.ActivatedTime.Time
	}
	var last time.Time
	for _, r := range v.state.Routes {
		if r.VerifiedTime == nil {
			return time.Time{}
		}
		last = later(last, r.VerifiedTime.Time)
	}
	return last
}

// carried says whether the routers carry what the newest record says, for every
// route in force; else why not. Unknown is not carried.
func (v view) carried() (reason, message string, ok bool) {
	for _, route := range v.routes {
		state := v.routeState(route.Name)
		if state == nil || len(state.Weights) == 0 {
			continue
		}
		if reason, message, ok := v.carries(route, *state); !ok {
			return reason, message, false
		}
	}
	return "", "", true
}

func (v view) carries(route v1alpha1.Route, state v1alpha1.RouteState) (reason, message string, ok bool) {
	seen := v.observedRoute(route.Name)
	switch {
	case seen == nil || seen.Presence == Missing:
		return routeReason(seen, "RouteMissing", "route "+route.Name+" is not there yet")
	case seen.Presence == Foreign:
		return routeReason(seen, "RouteConflict", "the object for route "+route.Name+" belongs to somebody else")
	case seen.Sequence < state.SetSequence || !sameShares(seen.Weights, state.Weights):
		return "RouteNotWritten", "route " + route.Name + " does not carry yet what the newest record says", false
	case !seen.Current:
		return routeReason(seen, "RouteNotWritten", "route "+route.Name+" is not yet what the track asks for")
	case !seen.Verified:
		return routeReason(seen, "RouteNotVerified", "the router has not confirmed route "+route.Name)
	case v.settles(*seen) && !v.confirmedBefore(*seen):
		return "RouteSettling", fmt.Sprintf("route %s is written; its router confirms nothing, and is taken to carry it at %s", route.Name, seen.SettleTime.UTC().Format(time.RFC3339)), false
	}
	return "", "", true
}

// settles says whether a router that confirms nothing is still given time to take over
// what was written.
func (v view) settles(seen Route) bool { return seen.SettleTime.After(v.Now) }

// heldBack says whether weights are not carried for no other reason than that they
// would go to a baseline that is dead: the routers confirm what they carry instead,
// or that they cannot find the baseline's Service any more. A candidate without weight
// need not wait for that, nor one whose weight was confirmed before.
func (v view) heldBack() bool {
	if v.baseline != nil && v.canServe(v.baseline) {
		return false
	}
	for _, route := range v.routes {
		seen := v.observedRoute(route.Name)
		lost := seen != nil && seen.Presence == Missing && (seen.Reason == "" || seen.Reason == "RouteMissing")
		if !lost && (seen == nil || seen.Presence != Ours || !seen.Current || !seen.Verified && seen.Reason != "RouteNotResolved") {
			return false
		}
		if v.weight() > 0 && !v.confirmedBefore(*seen) {
			return false
		}
	}
	return true
}

// confirmedBefore: the weights of the newest record were carried once, and nobody has
// told the router otherwise since.
func (v view) confirmedBefore(seen Route) bool {
	state := v.routeState(seen.Name)
	if state == nil || state.VerifiedTime == nil {
		return false
	}
	return seen.Presence == Missing || seen.Sequence >= state.SetSequence && sameShares(seen.Weights, state.Weights)
}

// routeReason prefers the router's own words.
func routeReason(seen *Route, reason, message string) (string, string, bool) {
	if seen != nil && seen.Reason != "" {
		return seen.Reason, seen.Message, false
	}
	return reason, message, false
}

// sameShares compares weights, zeros and order aside.
func sameShares(a, b []v1alpha1.ReleaseWeight) bool {
	return slices.Equal(positive(a), positive(b))
}

func positive(weights []v1alpha1.ReleaseWeight) []v1alpha1.ReleaseWeight {
	var some []v1alpha1.ReleaseWeight
	for _, w := range weights {
		if w.WeightPercent > 0 {
			some = append(some, w)
		}
	}
	slices.SortFunc(some, func(a, b v1alpha1.ReleaseWeight) int {
		if a.ReleaseName < b.ReleaseName {
			return -1
		}
		return 1
	})
	return some
}

// MaxLegs is how many releases a user's own route may list: its author has backends beside
// them, and may name the releases more than once.
const MaxLegs = 4

// maxBackends is what a router may list for a route: 16 a rule of an HTTPRoute, five target
// groups an action of an Application Load Balancer, two an Ingress and its canary.
func maxBackends(route v1alpha1.Route) int {
	switch {
	case listsFirst(route):
		return 5
	case route.Type == v1alpha1.RouteIngress:
		return 2
	case route.GatewayAPI != nil && route.GatewayAPI.AttachTo != nil:
		return MaxLegs
	}
	return 16
}

// backends are what a route object should list: the recorded weights, and with
// weight 0 every other live release that could take them, so that its backend is
// accepted before it gets weight, and a rollback is one write of weights. Where
// there are more than a router takes, those that only drain go first. Of a share, the
// baseline is listed first, as it is recorded.
func (v view) backends(route v1alpha1.Route, state v1alpha1.RouteState) []v1alpha1.ReleaseWeight {
	var list, drained []v1alpha1.ReleaseWeight
	for _, live := range v.state.Live {
		share := weightIn([]v1alpha1.RouteState{state}, live.Name)
		r := v.object(live.ReleaseRef)
		if share == 0 && (r == nil || !r.hasPort(route) || !r.hasService(route.ComponentName) || v.leadsAstray(route, state, live)) {
			continue
		}
		entry := v1alpha1.ReleaseWeight{ReleaseName: live.Name, WeightPercent: share}
		if share == 0 && v.onlyDrains(live) {
			drained = append(drained, entry)
			continue
		}
		list = append(list, entry)
	}
	if len(state.Weights) > 1 {
		place := func(w v1alpha1.ReleaseWeight) int {
			if i := slices.IndexFunc(state.Weights, func(o v1alpha1.ReleaseWeight) bool { return o.ReleaseName == w.ReleaseName }); i >= 0 {
				return i
			}
			return len(state.Weights)
		}
		slices.SortStableFunc(list, func(a, b v1alpha1.ReleaseWeight) int { return cmp.Compare(place(a), place(b)) })
	}
	room := maxBackends(route) - len(list)
	if room < 0 {
		slices.SortStableFunc(list, func(a, b v1alpha1.ReleaseWeight) int { return cmp.Compare(v.listRank(b), v.listRank(a)) })
		return list[:maxBackends(route)]
	}
	return append(list, drained[max(len(drained)-room, 0):]...)
}

// listRank orders what a router has no room for: who has weight comes first, then who is
// about to get some, then who was promoted last.
func (v view) listRank(w v1alpha1.ReleaseWeight) int64 {
	ref := v.liveRef(w.ReleaseName)
	switch p, _ := v.promotion(*ref); {
	case w.WeightPercent > 0:
		return math.MaxInt64
	case v.state.Candidate != nil && v.state.Candidate.UID == ref.UID, v.recalled(*ref):
		return math.MaxInt64 - 1
	default:
		return p.Sequence
	}
}

func (v view) recalled(ref v1alpha1.ReleaseRef) bool {
	return slices.ContainsFunc(v.state.Live, func(l v1alpha1.LiveRelease) bool { return l.UID == ref.UID && l.Recall != nil })
}

// onlyDrains says whether a live release is on its way out: nothing is about to
// give it weight.
func (v view) onlyDrains(live v1alpha1.LiveRelease) bool {
	isCandidate := v.state.Candidate != nil && v.state.Candidate.UID == live.UID
	isStable := v.state.Stable != nil && v.state.Stable.UID == live.UID
	return !isCandidate && !isStable && live.Recall == nil && !v.keptWarm(live)
}

func (r *Release) hasService(component string) bool {
	c := r.component(component)
	return c != nil && c.Service == Ours
}
