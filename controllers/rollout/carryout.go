package rollout

import (
	"github.com/strata-release/strata/api/v1alpha1"
)

// carryOut lists what the newest record wants done and the world does not show
// yet, in safety order: what is about to serve is held, traffic goes to where it
// belongs, then making, then breaking.
func (v view) carryOut() []Action {
	var do []Action
	do = append(do, v.markHeld()...)
	do = append(do, v.writeRoutes()...)
	do = append(do, v.seal()...)
	do = append(do, v.createChildren()...)
	do = append(do, v.markServices()...)
	do = append(do, v.scaleComponents()...)
	if v.Log.Broken != "" {
		// What cannot be trusted may keep things up. It takes nothing away.
		return do
	}
	do = append(do, v.createJobs()...)
	do = append(do, v.deleteJobs()...)
	do = append(do, v.deleteChildren()...)
	do = append(do, v.liftMarks()...)
	do = append(do, v.deleteReleases()...)
	do = append(do, v.deleteRecords()...)
	return do
}

func (v view) head() int64 {
	if v.Log.Head == nil {
		return 0
	}
	return v.Log.Head.Sequence
}

// writeRoutes leaves alone what is somebody else's, and raises a weight only onto
// ready endpoints: else that route waits and serves as it did, but gets to know the
// backends of live releases.
func (v view) writeRoutes() []Action {
	var do []Action
	for _, route := range v.routes {
		state, seen := v.routeState(route.Name), v.observedRoute(route.Name)
		if state == nil || len(state.Weights) == 0 || seen == nil || v.blocksWrite(*seen) {
			continue
		}
		want := v.backends(route, *state)
		if !v.raisesOntoReady(route, seen.Weights, want) {
			if seen.Presence == Missing || allOrNothing(route) {
				continue
			}
			want = v.backends(route, v1alpha1.RouteState{Weights: seen.Weights})
			if !sameShares(seen.Weights, want) {
				continue
			}
		}
		if seen.Presence == Ours && seen.Current && seen.Sequence >= state.SetSequence && v.sameBackends(route, seen.Weights, want) {
			continue
		}
		do = append(do, WriteRoute{Route: route.Name, Weights: want, Sequence: v.head()})
	}
	return do
}

func (v view) blocksWrite(seen Route) bool {
	return seen.Presence == Foreign || seen.Presence == Missing && seen.Reason != "" && seen.Reason != "RouteMissing"
}

// sameBackends compares shares, and for routers that list backends the zeros too.
func (v view) sameBackends(route v1alpha1.Route, seen, want []v1alpha1.ReleaseWeight) bool {
	if !sameShares(seen, want) {
		return false
	}
	if allOrNothing(route) {
		return true
	}
	if len(seen) != len(want) {
		return false
	}
	for _, w := range want {
		if !listed(seen, w.ReleaseName) {
			return false
		}
	}
	return true
}

func (v view) raisesOntoReady(route v1alpha1.Route, seen, want []v1alpha1.ReleaseWeight) bool {
	for _, w := range want {
		if w.WeightPercent <= share(seen, w.ReleaseName) {
			continue
		}
		r := v.liveObject(w.ReleaseName)
		if r == nil || !v.marked(r) || !r.hasEndpoints(route.ComponentName) {
			return false
		}
	}
	return true
}

func share(weights []v1alpha1.ReleaseWeight, name string) int32 {
	for _, w := range weights {
		if w.ReleaseName == name {
			return w.WeightPercent
		}
	}
	return 0
}

func (v view) liveObject(name string) *Release {
	ref := v.liveRef(name)
	if ref == nil {
		return nil
	}
	return v.object(*ref)
}

func (v view) seal() []Action {
	if v.candidate == nil || v.candidate.Sealed != nil || v.candidate.Obstacle != nil {
		return nil
	}
	return []Action{SealRelease{Release: v.candidate.Name}}
}

// createChildren of every live release that is sealed. A candidate without weight
// gets pods only once nothing but time is in their way.
func (v view) createChildren() []Action {
	var do []Action
	for _, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil || r.Deleting || r.Sealed == nil || !r.misses() {
			continue
		}
		if v.isCandidate(r) && v.weight() == 0 && !v.cleared() {
			continue
		}
		do = append(do, CreateChildren{Release: r.Name, Sequence: v.head()})
	}
	return do
}

func (r *Release) misses() bool {
	for _, c := range r.Components {
		if c.Deployment == Missing || c.Service == Missing && len(r.specOf(c.Name).Ports) > 0 {
			return true
		}
	}
	return false
}

func (v view) cleared() bool {
	for _, check := range []func(view) (string, string, bool){gateNamesFree, gateBackendsExist, gateNoForeignSelector} {
		if _, _, blocked := check(v); blocked {
			return false
		}
	}
	return true
}

// markServices of releases that became live again with a record that a late writer
// cannot have seen.
func (v view) markServices() []Action {
	var do []Action
	for _, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil || r.Deleting || r.Sealed == nil {
			continue
		}
		for _, c := range r.Components {
			if c.Service == Ours && c.ServiceSequence < live.Sequence {
				do = append(do, MarkService{Release: r.Name, Component: c.Name, Sequence: v.head()})
			}
		}
	}
	return do
}

// scaleComponents keeps live releases at their size, and marks Deployments likewise.
func (v view) scaleComponents() []Action {
	var do []Action
	for _, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil || r.Deleting || r.Sealed == nil {
			continue
		}
		for _, c := range r.Components {
			want := r.Size(c.Name)
			if c.Deployment == Ours && (c.Replicas != want || c.Sequence < live.Sequence) {
				do = append(do, ScaleComponent{Release: r.Name, Component: c.Name, Replicas: want, Sequence: v.head()})
			}
		}
	}
	return do
}

func (v view) createJobs() []Action {
	if v.candidate == nil || !v.beforeTests() {
		return nil
	}
	var do []Action
	for _, t := range v.dueTests() {
		if v.result(t) == nil && v.job(t) == nil {
			do = append(do, CreateJob{
				Release: v.candidate.Name, Test: t.name, Attempt: v.state.Candidate.Attempt,
				WeightPercent: t.weight, Sequence: v.head(),
			})
		}
	}
	return do
}

// deleteJobs of closed attempts. Those of a release that failed stay to be looked
// at until it is retired.
func (v view) deleteJobs() []Action {
	var do []Action
	for i := range v.Releases {
		r := &v.Releases[i]
		var names []string
		for _, j := range r.Jobs {
			if j.Presence == Ours && !v.keepsJob(r, j) {
				names = append(names, j.Name)
			}
		}
		if len(names) > 0 {
			do = append(do, DeleteJobs{Release: r.Name, Names: names})
		}
	}
	return do
}

func (v view) keepsJob(r *Release, j Job) bool {
	if v.isCandidate(r) {
		return j.Attempt >= v.state.Candidate.Attempt
	}
	return v.verdict(r).IsNegative() && v.isLive(r)
}

func (v view) isLive(r *Release) bool {
	ref := v.liveRef(r.Name)
	return ref != nil && ref.UID == r.UID
}

// deleteChildren of releases that are not live, once no router can still send
// them anything.
func (v view) deleteChildren() []Action {
	var do []Action
	for i := range v.Releases {
		r := &v.Releases[i]
		if v.Log.Head == nil || v.isLive(r) || !r.hasChildren() || !v.clear(r.Name) {
			continue
		}
		do = append(do, DeleteChildren{Release: r.Name, Sequence: v.head()})
	}
	return do
}

func (r *Release) hasChildren() bool {
	for _, c := range r.Components {
		if c.Deployment == Ours || c.Service == Ours {
			return true
		}
	}
	return false
}
