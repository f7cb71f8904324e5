package rollout

import (
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
)

// carryOut lists what the newest record wants done and the world does not show
// yet, in safety order: what is about to serve is held, traffic goes to where it
// belongs, then making, then breaking.
func (v view) carryOut() []Action {
	var do []Action
	do = append(do, v.markHeld()...)
	do = append(do, v.writeRoutes()...)
	do = append(do, v.detachRoutes()...)
	do = append(do, v.seal()...)
	do = append(do, v.takeOver()...)
	do = append(do, v.makeSnapshots()...)
	do = append(do, v.createChildren()...)
	do = append(do, v.repair()...)
	do = append(do, v.markServices()...)
	sized := v.sizedComponents()
	do = append(do, v.boundAutoscalers(sized)...)
	do = append(do, v.scaleComponents(sized)...)
	do = append(do, v.writeAccess()...)
	if v.Log.Broken != "" {
		// What cannot be trusted may keep things up. It takes nothing away.
		return do
	}
	do = append(do, v.createJobs()...)
	do = append(do, v.replacePods()...)
	do = append(do, v.deleteJobs()...)
	do = append(do, v.deleteChildren()...)
	do = append(do, v.liftMarks()...)
	do = append(do, v.deleteReleases()...)
	do = append(do, v.deleteRecords()...)
	do = append(do, v.deleteActions()...)
	do = append(do, v.createRelease()...)
	return do
}

func (v view) head() int64 {
	if v.Log.Head == nil {
		return 0
	}
	return v.Log.Head.Sequence
}

// writeRoutes leaves alone what is somebody else's, and raises a weight only onto
// ready endpoints, and what its router knows: else that route waits and serves as it did,
// but gets to know the backends of live releases.
func (v view) writeRoutes() []Action {
	var do []Action
	for _, route := range v.routes {
		state, seen := v.routeState(route.Name), v.observedRoute(route.Name)
		if state == nil || len(state.Weights) == 0 || seen == nil || v.blocksWrite(*seen) {
			continue
		}
		want := v.backends(route, *state)
		if !v.raisesOntoReady(route, seen.Weights, want) || !v.raisesOntoListed(route, seen, want) {
			if len(positive(seen.Weights)) == 0 || allOrNothing(route) {
				continue // Missing, or applied anew by the user whose it is.
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

// detachRoutes gives back what is a user's as soon as no spec names it: where it leads is
// for its author to say from then on.
func (v view) detachRoutes() []Action {
	var do []Action
	for _, route := range v.Routes {
		if route.Orphaned && route.Attached != "" {
			do = append(do, DetachRoute{Route: route.Name, Object: route.Attached})
		}
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

// createChildren of every live release that is sealed, and is to have any.
func (v view) createChildren() []Action {
	var do []Action
	for _, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil || r.Deleting || r.Sealed == nil || !r.misses() {
			continue
		}
		if !v.wantsChildren(live, r) {
			continue
		}
		create := CreateChildren{Release: r.Name, Sequence: v.head()}
		if _, _, unlisted := v.unlisted(r); unlisted && live.ZeroTime != nil {
			create.WithoutPods = true
		}
		if create.WithoutPods && !r.missesServices() {
			continue
		}
		for _, c := range r.Components {
			create.Sizes = append(create.Sizes, v.size(live, r, c))
		}
		do = append(do, create)
	}
	return do
}

// wantsChildren: what serves, or might, gets back at once what it lost. A candidate
// gets pods only once nothing but time is in their way, and none that would not run what
// was sealed. What only drains gets none.
func (v view) wantsChildren(live v1alpha1.LiveRelease, r *Release) bool {
	switch {
	case live.ZeroTime == nil:
		return true
	case v.isCandidate(r):
		return (v.weight() > 0 || v.cleared() && r.distrust(false) == "") && v.migrated()
	}
	return !v.onlyDrains(live)
}

func (r *Release) misses() bool { return r.missesServices() || r.missesPods() }

// missesServices: a Service, or a PodDisruptionBudget, which come before pods.
func (r *Release) missesServices() bool {
	return slices.ContainsFunc(r.Components, func(c Component) bool {
		spec := r.specOf(c.Name)
		return c.Service == Missing && len(spec.Ports) > 0 || c.Disruption == Missing && spec.Disruption != nil
	})
}

// missesPods: a Deployment, or its autoscaler.
func (r *Release) missesPods() bool {
	return slices.ContainsFunc(r.Components, func(c Component) bool {
		return c.Deployment == Missing || c.Autoscaler == Missing && r.specOf(c.Name).Autoscaling != nil
	})
}

func (v view) cleared() bool {
	for _, check := range []func(view) (string, string, bool){gateRequiredTracksPromoted, gateTurnTaken, gateNamesFree, gateBackendsExist, gateNoForeignSelector} {
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
			if c.Service == Ours && c.ServiceSequence < live.Sequence && !v.repairs(live, c, "Service") {
				do = append(do, MarkService{Release: r.Name, Component: c.Name, Sequence: v.head()})
			}
		}
	}
	return do
}

// sizedComponent is a component of a live release, and what it is to be.
type sizedComponent struct {
	live    v1alpha1.LiveRelease
	release *Release
	Component
	want Size
}

// sizedComponents of the live releases. With a log that cannot be trusted nothing is
// made smaller.
func (v view) sizedComponents() []sizedComponent {
	var all []sizedComponent
	for _, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil || r.Deleting || r.Sealed == nil {
			continue
		}
		for _, c := range r.Components {
			want := v.size(live, r, c)
			if v.Log.Broken != "" {
				want.Replicas, want.Least, want.Most = max(want.Replicas, c.Replicas), max(want.Least, c.MinReplicas), max(want.Most, c.MaxReplicas)
			}
			all = append(all, sizedComponent{live, r, c, want})
		}
	}
	return all
}

// boundAutoscalers before the Deployments grow: else they would be made smaller again.
func (v view) boundAutoscalers(sized []sizedComponent) []Action {
	var do []Action
	for _, c := range sized {
		differs := c.MinReplicas != c.want.Least || c.MaxReplicas != c.want.Most
		if c.Autoscaler == Ours && !v.repairs(c.live, c.Component, autoscalerKind) && (differs || c.AutoscalerSequence < c.live.Sequence) {
			do = append(do, BoundAutoscaler{Release: c.release.Name, Component: c.Name, Least: c.want.Least, Most: c.want.Most, Sequence: v.head()})
		}
	}
	return do
}

// scaleComponents keeps live releases at their size, and marks Deployments likewise.
// What stops comes first: the workers of two releases do not run side by side.
func (v view) scaleComponents(sized []sizedComponent) []Action {
	var stop, do []Action
	for _, c := range sized {
		if c.Deployment != Ours || c.Replicas == c.want.Replicas && c.Sequence >= c.live.Sequence || v.repairs(c.live, c.Component, "Deployment") {
			continue
		}
		scale := ScaleComponent{Release: c.release.Name, Component: c.Name, Replicas: c.want.Replicas, Sequence: v.head()}
		if scale.Replicas == 0 {
			stop = append(stop, scale)
		} else {
			do = append(do, scale)
		}
	}
	return append(stop, do...)
}

func (v view) createJobs() []Action {
	if v.candidate == nil {
		return nil
	}
	var do []Action
	for _, t := range v.dueTests() {
		if v.result(t) == nil && v.job(t) == nil && (v.reaches("TestsPassed") || t.beforePods && v.reaches("BeforePodsPassed")) {
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
		if v.Log.Head == nil || v.isLive(r) || !r.hasChildren() || !v.clear(r.Name) || v.mayReturn(r) {
			continue
		}
		do = append(do, DeleteChildren{Release: r.Name, Sequence: v.head()})
	}
	return do
}

func (r *Release) hasChildren() bool {
	for _, c := range r.Components {
		if c.Deployment == Ours || c.Service == Ours || c.Autoscaler == Ours || c.Disruption == Ours {
			return true
		}
	}
	return false
}
