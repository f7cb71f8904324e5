package rollout

import (
	"fmt"
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
)

// verifyWeights records that every router was seen to carry the weights, or that a
// route object left of a former spec has let go of a release. Holds, bakes and
// drains count from this record.
func (v view) verifyWeights() *Entry {
	if !v.unverified() && !v.letGo() {
		return nil
	}
	if _, _, ok := v.carried(); !ok {
		return nil
	}
	message := "every route carries the weights of the record that set them"
	var e *Entry
	switch {
	case v.candidate != nil && v.weight() > 0:
		e = v.about(v.candidate, v1alpha1.EventWeightVerified, "RoutesConfirmed", fmt.Sprintf("%d %%: %s", v.weight(), message))
	case v.baselineRef() != nil:
		e = v.aboutRef(*v.baselineRef(), v1alpha1.EventWeightVerified, "RoutesConfirmed", message)
	default:
		e = v.note(v1alpha1.EventWeightVerified, "RoutesConfirmed", message)
	}
	now := v.now()
	for i := range e.State.Routes {
		if e.State.Routes[i].VerifiedTime == nil {
			e.State.Routes[i].VerifiedTime = &now
		}
	}
	v.markZero(&e.State)
	return e
}

// withdraw takes weight from releases that are neither baseline nor candidate: a
// verdict fell while the baseline could not serve. It can now.
func (v view) withdraw() *Entry {
	strays := v.strays()
	to := v.baselineRef()
	if len(strays) == 0 || to == nil || !v.canServe(v.baseline) {
		return nil
	}
	e := v.aboutRef(*to, v1alpha1.EventWeightSet, "Withdrawn", fmt.Sprintf("all weight goes back to %s, which has ready endpoints again", to.Name))
	v.moveAll(&e.State, *to)
	return e
}

// strays are releases with weight that are neither baseline nor candidate.
func (v view) strays() []v1alpha1.ReleaseRef {
	var strays []v1alpha1.ReleaseRef
	for _, live := range v.state.Live {
		baseline := v.baselineRef()
		isBaseline := baseline != nil && baseline.UID == live.UID
		isCandidate := v.state.Candidate != nil && v.state.Candidate.UID == live.UID
		if !isBaseline && !isCandidate && weightIn(v.state.Routes, live.Name) > 0 {
			strays = append(strays, live.ReleaseRef)
		}
	}
	return strays
}

// raiseWeight takes the next step, once every gate holds. Without routes it is the
// record alone that gives the candidate everything.
func (v view) raiseWeight() *Entry {
	if v.candidate == nil || v.blocked() != nil {
		return nil
	}
	next := v.nextStep()
	if next.promotion {
		return nil
	}
	e := v.about(v.candidate, v1alpha1.EventWeightSet, "GatesHold", fmt.Sprintf("from %d %% to %d %%", v.weight(), next.weight))
	v.setRoutes(&e.State, v.shares(v.candidate.ref(), next.weight))
	if len(e.State.Routes) == 0 {
		activated := v.now()
		e.State.Candidate.ActivatedTime = &activated
	}
	// That the baseline is dead must be more than a cache that lags behind.
	e.Confirm = v.state.Stable != nil && !v.canServe(v.baseline)
	return e
}

// promote makes the candidate stable: it has all the weight, verified, its tests
// passed and the bake is over.
func (v view) promote() *Entry {
	if v.candidate == nil || v.blocked() != nil || !v.nextStep().promotion {
		return nil
	}
	e := v.about(v.candidate, v1alpha1.EventPromoted, "GatesHold", fmt.Sprintf("%s is stable", v.candidate.Name))
	e.State.Candidate = nil
	v.settleOn(&e.State, v.candidate.ref())
	return e
}

// settleOn makes a release stable. On a track without routes nothing else tells
// who serves.
func (v view) settleOn(state *v1alpha1.TrackState, ref v1alpha1.ReleaseRef) {
	state.Stable = &ref
	if len(state.Routes) > 0 {
		return
	}
	for i := range state.Live {
		if state.Live[i].UID == ref.UID {
			state.Live[i].ZeroTime = nil
		}
	}
	v.markZero(state)
}

// takeRoutes gives stable a route that was added to the track, as soon as it can
// serve it, and forgets one that was removed, while the track is settled.
func (v view) takeRoutes() *Entry {
	if v.state.Candidate != nil || v.state.Stable == nil || v.baseline == nil {
		return nil
	}
	v.routes = slices.DeleteFunc(slices.Clone(v.Track.routes()), func(route v1alpha1.Route) bool {
		return v.routeState(route.Name) == nil && (!v.baseline.hasPort(route) || !v.baseline.hasEndpoints(route.ComponentName))
	})
	if !v.routesChanged() || !v.canServe(v.baseline) {
		return nil
	}
	e := v.aboutRef(*v.state.Stable, v1alpha1.EventWeightSet, "RoutesChanged", "the routes of the track have changed")
	v.moveAll(&e.State, *v.state.Stable)
	return e
}

func (v view) routesChanged() bool {
	if len(v.routes) != len(v.state.Routes) {
		return true
	}
	for _, route := range v.routes {
		if v.routeState(route.Name) == nil {
			return true
		}
	}
	return false
}

// markZero notes since when the releases without weight are seen to have none, on
// any route object.
func (v view) markZero(state *v1alpha1.TrackState) {
	now := v.now()
	for i := range state.Live {
		if v.isFree(state, state.Live[i]) {
			state.Live[i].ZeroTime = now.DeepCopy()
		}
	}
}

// letGo says whether markZero has something to note although all weights are
// verified.
func (v view) letGo() bool {
	return slices.ContainsFunc(v.state.Live, func(live v1alpha1.LiveRelease) bool { return v.isFree(v.state, live) })
}

// isFree says whether a live release has no weight and serves nothing, and that is
// not noted yet.
func (v view) isFree(state *v1alpha1.TrackState, live v1alpha1.LiveRelease) bool {
	serves := len(state.Routes) == 0 && state.Stable != nil && state.Stable.UID == live.UID
	return live.ZeroTime == nil && !serves && weightIn(state.Routes, live.Name) == 0 && !v.pointedAt(live.Name)
}

// pointedAt says whether a route object, be it one that the track no longer names,
// gives a release weight.
func (v view) pointedAt(name string) bool {
	return slices.ContainsFunc(v.Routes, func(route Route) bool { return share(route.Weights, name) > 0 })
}
