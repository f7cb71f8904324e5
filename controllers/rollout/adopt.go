package rollout

import (
	"fmt"
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
)

// adopt takes for stable what has all the weight of every route, where the records
// of the track are lost. Whatever else has pods is live, until it is seen to have no
// weight and is drained. What was published before is not tried by itself: nobody
// knows any more how it fared.
func (v view) adopt() *Entry {
	if v.Log.Head != nil {
		return nil
	}
	r, why := v.adoptable()
	if why != "" {
		return nil
	}
	e := v.about(r, v1alpha1.EventAdopted, "RecordsLost", fmt.Sprintf("%s has all the weight of every route, and the records of the track are lost: it is stable", r.Name))
	ref := r.ref()
	e.State.Stable = &ref
	for i := range v.Releases {
		if other := &v.Releases[i]; other.UID == r.UID || other.hasChildren() {
			e.State.Live = append(e.State.Live, v1alpha1.LiveRelease{ReleaseRef: other.ref(), Sequence: v.next()})
		}
	}
	v.routes = slices.DeleteFunc(slices.Clone(v.Track.routes()), func(route v1alpha1.Route) bool {
		seen := v.observedRoute(route.Name)
		return seen == nil || seen.Presence != Ours
	})
	v.moveAll(&e.State, ref)
	if t := v.Track.Template; t != nil {
		// Whether it had a release, and how that fared, is not known either.
		e.State.Published = &v1alpha1.PublishedRelease{Name: t.ReleaseName, Version: t.Version}
	}
	e.Confirm, e.LastStamp = true, v.lastStamp()
	return e
}

// adoptable is the release that serves beyond doubt; else why there is none.
func (v view) adoptable() (r *Release, why string) {
	name := ""
	for _, route := range v.Routes {
		if route.Presence != Ours {
			continue
		}
		shares := positive(route.Weights)
		if len(shares) != 1 || name != "" && name != shares[0].ReleaseName {
			return nil, "route " + route.Name + " does not send everything to one release, and to the same as the others"
		}
		name = shares[0].ReleaseName
	}
	if name == "" || !slices.ContainsFunc(v.Track.routes(), func(route v1alpha1.Route) bool {
		seen := v.observedRoute(route.Name)
		return seen != nil && seen.Presence == Ours
	}) {
		return nil, "no route of the track tells which release serves"
	}
	switch r = v.release(name); {
	case r == nil || r.Deleting:
		return nil, "the release object of " + name + ", which serves, is gone"
	case r.Sealed == nil || !r.whole():
		return nil, name + ", which serves, lacks its seal, or what it owns"
	}
	return r, ""
}

// forgotten says whether a release was there when the records were lost, and none
// tells of it since: neither how it fared, nor that somebody had it tried.
func (v view) forgotten(r *Release) bool {
	_, decided := v.Log.Verdicts[r.Spec.Version]
	return !decided && v.Log.Attempts[r.Spec.Version] == 0 && !v.Log.LostTime.IsZero() && !r.CreationTime.After(v.Log.LostTime)
}
