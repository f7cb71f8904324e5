package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// retire ends the life of a release whose weights are verified at 0, whose drain
// is over, whose workers were told to stop, and which retention does not keep warm. Its
// backend leaves the routes, then its pods go.
func (v view) retire() *Entry {
	for _, live := range v.state.Live {
		end, ok := v.retireTime(live)
		if !ok || v.Now.Before(end) || v.works(live) {
			continue
		}
		e := v.aboutRef(live.ReleaseRef, v1alpha1.EventRetired, "Drained", fmt.Sprintf("%s has no traffic and is not kept warm", live.Name))
		e.State.Live = slices.DeleteFunc(e.State.Live, func(l v1alpha1.LiveRelease) bool { return l.UID == live.UID })
		// Stamped on every route: none is clear of the backend below this record.
		for i := range e.State.Routes {
			e.State.Routes[i].SetSequence = v.next()
		}
		return e
	}
	return nil
}

// retireTime is when a live release may be retired; false while something holds
// it: it is stable or candidate, is being recalled, has or might have weight, or
// a route object, be it one that the track no longer names, still points at it.
func (v view) retireTime(live v1alpha1.LiveRelease) (time.Time, bool) {
	isStable := v.state.Stable != nil && v.state.Stable.UID == live.UID
	isCandidate := v.state.Candidate != nil && v.state.Candidate.UID == live.UID
	if isStable || isCandidate || live.Recall != nil || live.ZeroTime == nil || weightIn(v.state.Routes, live.Name) > 0 {
		return time.Time{}, false
	}
	if v.pointedAt(live.Name) {
		return time.Time{}, false
	}
	end := live.ZeroTime.Add(v.Track.drain())
	if v.keptWarm(live) {
		end = later(end, live.ZeroTime.Add(v.Track.warm()))
	}
	return end, true
}

// keptWarm: the releases that were stable last, as many as retention says. What
// has a verdict against it, or could not be gone back to, is not kept.
func (v view) keptWarm(live v1alpha1.LiveRelease) bool {
	own, ok := v.promotion(live.ReleaseRef)
	if r := v.object(live.ReleaseRef); !ok || r != nil && r.distrust(v.canServe(r)) != "" {
		return false
	}
	ahead := 0
	for _, other := range v.state.Live {
		isStable := v.state.Stable != nil && v.state.Stable.UID == other.UID
		p, ok := v.promotion(other.ReleaseRef)
		if other.UID != live.UID && !isStable && ok && p.Sequence > own.Sequence {
			ahead++
		}
	}
	return ahead < v.Track.warmReleases()
}

func (v view) promotion(ref v1alpha1.ReleaseRef) (Promotion, bool) {
	p, ok := v.Log.Promotions[ref.Version]
	return p, ok && p.UID == ref.UID && !v.Log.Verdicts[ref.Version].Event.IsNegative()
}

// clear says whether no router can still send requests to a release that is not
// live: every route of the track is confirmed at or above the newest stamp, and
// does not list it.
func (v view) clear(name string) bool {
	for _, route := range v.routes {
		if v.observedRoute(route.Name) == nil {
			return false
		}
	}
	for _, route := range v.Routes {
		if listed(route.Weights, name) {
			return false
		}
		// One left of a former spec may have the name of one in force; it is never
		// written, and so never stamped.
		state := v.routeState(route.Name)
		if route.Orphaned || state == nil || len(state.Weights) == 0 {
			continue
		}
		if route.Presence == Ours && (route.Sequence < state.SetSequence || !route.Verified || v.settles(route)) {
			return false
		}
	}
	return true
}
