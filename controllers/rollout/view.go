package rollout

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// view is an Observation with what every rule asks of it already looked up. It
// is made once for each Compute and never changed.
type view struct {
	*Observation
	// state is what the newest record says; empty before the first.
	state *v1alpha1.TrackState
	// candidate is the object of the open attempt; nil when none is open, or the
	// object is gone, or another object has its name.
	candidate *Release
	// baseline is the object of baselineRef, nil likewise.
	baseline *Release
	// shared are the versions that more than one release has.
	shared map[string]bool
	// routes are the routes in force: those of the track's spec that the newest
	// record has weights for. Others join while the track is settled. Where there
	// are none, all are in force for a candidate.
	routes []v1alpha1.Route
	// first keeps what firstGate has found: a dozen rules ask for it.
	first *firstGate
}

func look(o Observation) view {
	v := view{Observation: &o, state: &v1alpha1.TrackState{}, first: &firstGate{}}
	if unsound := func(r Release) bool { return !r.sound() }; slices.ContainsFunc(o.Releases, unsound) {
		v.Releases = slices.DeleteFunc(slices.Clone(o.Releases), unsound)
	}
	v.shared = sharedVersions(v.Releases)
	if o.Log.Head != nil {
		v.state = &o.Log.Head.State
	}
	if c := v.state.Candidate; c != nil {
		v.candidate = v.object(c.ReleaseRef)
	}
	if b := v.baselineRef(); b != nil {
		v.baseline = v.object(*b)
	}
	v.routes = v.routesInForce()
	return v
}

// sound says whether a release was observed with a spec, and with no component that
// the spec does not have: without, no rule could speak of it.
func (r *Release) sound() bool {
	return r.Spec != nil && !slices.ContainsFunc(r.Components, func(c Component) bool { return r.specOf(c.Name) == nil })
}

// now is the time at which what was observed is noted, in the precision of records.
func (v view) now() metav1.MicroTime { return metav1.NewMicroTime(later(v.Now, v.ReadTime)) }

// next is the sequence number of the record that would be appended. A log that was
// lost goes on after the newest stamp.
func (v view) next() int64 {
	if v.Log.Head == nil {
		return v.lastStamp() + 1
	}
	return v.Log.Head.Sequence + 1
}

func (v view) release(name string) *Release {
	for i := range v.Releases {
		if v.Releases[i].Name == name {
			return &v.Releases[i]
		}
	}
	return nil
}

// object is the release object that a record speaks of: same name, same UID.
func (v view) object(ref v1alpha1.ReleaseRef) *Release {
	r := v.release(ref.Name)
	if r == nil || r.UID != ref.UID {
		return nil
	}
	return r
}

// baselineRef is what traffic goes back to: stable; before any promotion, the
// release at 100.
func (v view) baselineRef() *v1alpha1.ReleaseRef {
	if v.state.Stable != nil {
		return v.state.Stable
	}
	for _, route := range v.state.Routes {
		for _, w := range route.Weights {
			if w.WeightPercent == 100 {
				return v.liveRef(w.ReleaseName)
			}
		}
	}
	return nil
}

func (v view) liveRef(name string) *v1alpha1.ReleaseRef {
	for i := range v.state.Live {
		if v.state.Live[i].Name == name {
			return &v.state.Live[i].ReleaseRef
		}
	}
	return nil
}

// marked says whether a release is live, and its children carry the stamp of the
// record that made it so: a late writer that would still delete them cannot. One
// that has weight was marked before it got any.
func (v view) marked(r *Release) bool {
	for _, live := range v.state.Live {
		if live.UID != r.UID {
			continue
		}
		return live.ZeroTime == nil || !slices.ContainsFunc(r.Components, func(c Component) bool {
			return c.Deployment == Ours && c.Sequence < live.Sequence || c.Service == Ours && c.ServiceSequence < live.Sequence
		})
	}
	return false
}

func (v view) isStable(r *Release) bool {
	return v.state.Stable != nil && v.state.Stable.Name == r.Name && v.state.Stable.UID == r.UID
}

func (v view) isCandidate(r *Release) bool {
	c := v.state.Candidate
	return c != nil && c.Name == r.Name && c.UID == r.UID
}

// fallback is where a candidate's weight goes when it fails: the baseline, unless
// that is the candidate itself (at 100 before any promotion) or nothing.
func (v view) fallback() *v1alpha1.ReleaseRef {
	b := v.baselineRef()
	if b == nil || (v.state.Candidate != nil && b.UID == v.state.Candidate.UID) {
		return nil
	}
	return b
}

// weight is the candidate's share: the largest that a route gives it. Without routes
// it has all or nothing.
func (v view) weight() int32 {
	switch c := v.state.Candidate; {
	case c == nil:
		return 0
	case len(v.state.Routes) == 0 && c.ActivatedTime != nil:
		return 100
	}
	return weightIn(v.state.Routes, v.state.Candidate.Name)
}

// weightIn is the largest share that a route gives a release.
func weightIn(routes []v1alpha1.RouteState, name string) int32 {
	var largest int32
	for _, route := range routes {
		for _, w := range route.Weights {
			if w.ReleaseName == name {
				largest = max(largest, w.WeightPercent)
			}
		}
	}
	return largest
}

func (v view) observedRoute(name string) *Route {
	for i := range v.Routes {
		if v.Routes[i].Name == name && !v.Routes[i].Orphaned {
			return &v.Routes[i]
		}
	}
	return nil
}

func (v view) routesInForce() []v1alpha1.Route {
	if v.Track == nil {
		return nil
	}
	var begun []v1alpha1.Route
	for _, route := range v.Track.routes() {
		if v.routeState(route.Name) != nil {
			begun = append(begun, route)
		}
	}
	if len(begun) == 0 && v.state.Candidate != nil {
		return v.Track.routes()
	}
	return begun
}

func (v view) routeState(name string) *v1alpha1.RouteState {
	for i := range v.state.Routes {
		if v.state.Routes[i].Name == name {
			return &v.state.Routes[i]
		}
	}
	return nil
}

func (r *Release) component(name string) *Component {
	for i := range r.Components {
		if r.Components[i].Name == name {
			return &r.Components[i]
		}
	}
	return nil
}

func (r *Release) specOf(component string) *v1alpha1.Component {
	for i := range r.Spec.Components {
		if r.Spec.Components[i].Name == component {
			return &r.Spec.Components[i]
		}
	}
	return nil
}

// hasPort says whether the release can be the backend of a route. What runs at full
// weight alone cannot: it would have to be ready before.
func (r *Release) hasPort(route v1alpha1.Route) bool {
	c := r.specOf(route.ComponentName)
	return c != nil && !atFullWeight(c) && slices.ContainsFunc(c.Ports, func(p v1alpha1.ComponentPort) bool { return p.Name == route.PortName })
}

// canServe says whether a live release has a ready endpoint for every route in
// force. Without routes, what runs of it must be available.
func (v view) canServe(r *Release) bool {
	if r == nil || !v.marked(r) {
		return false
	}
	if len(v.routes) == 0 {
		return v.available(r)
	}
	for _, route := range v.routes {
		if !r.hasPort(route) || !r.hasEndpoints(route.ComponentName) {
			return false
		}
	}
	return true
}

func (r *Release) hasEndpoints(component string) bool {
	c := r.component(component)
	return c != nil && c.Service == Ours && c.ReadyEndpoints > 0
}

// available says whether every Deployment of a release is there, and what should run
// of it is up.
func (v view) available(r *Release) bool {
	return len(r.Components) > 0 && !slices.ContainsFunc(r.Components, func(c Component) bool { return c.Deployment != Ours || !v.up(r, c) })
}

// availabilityChange is when a Deployment of the release last became available,
// or stopped being so.
func (r *Release) availabilityChange() time.Time {
	var last time.Time
	for _, c := range r.Components {
		last = later(last, c.AvailableChange)
	}
	return last
}

// ref names the release in records.
func (r *Release) ref() v1alpha1.ReleaseRef {
	return v1alpha1.ReleaseRef{Name: r.Name, UID: r.UID, Version: r.Spec.Version}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
