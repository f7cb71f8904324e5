package rollout

import (
	"fmt"

	"github.com/strata-release/strata/api/v1alpha1"
)

// stalled is what time alone will not mend: the log, a candidate that has failed and
// is held, or in whose way others are, or what serves now, or a template that cannot be
// published, or that the pin, with nothing pinned the newest release, cannot be served, or
// what the cluster would drop of a route.
func (v view) stalled() *v1alpha1.BlockedBy {
	switch {
	case v.Log.Head == nil && v.stale():
		return &v1alpha1.BlockedBy{Gate: "Log", Reason: "LogMissing", Message: v.lostLog()}
	case v.Log.Broken != "":
		return &v1alpha1.BlockedBy{Gate: "Log", Reason: "LogBroken", Message: v.Log.Broken + ": what serves is kept up, and nothing is decided until the ReleaseRecords are restored as they were"}
	case v.candidate != nil:
		return v.stuck()
	}
	for _, check := range []func(view) *v1alpha1.BlockedBy{keptWeight, differentStable, goneStable, downStable, leftChanged, notPublished, notDesired, notServed, unkept} {
		if stalled := check(v); stalled != nil {
			return stalled
		}
	}
	return nil
}

// stuck is why a candidate with weight waits for people, where no step asks for them.
func (v view) stuck() *v1alpha1.BlockedBy {
	if held := v.held(); held != nil {
		return held
	}
	if left := leftChanged(v); left != nil && v.weight() > 0 {
		return left
	}
	return v.obstructed()
}

// obstructed: somebody changed a route, or made an object that is in the way, while
// the candidate had weight. It is no failure of the candidate, whose pods serve, and has
// no deadline.
func (v view) obstructed() *v1alpha1.BlockedBy {
	if v.candidate == nil || v.weight() == 0 || v.candidate.Sealed == nil {
		return nil
	}
	first := v.firstGate()
	if first != nil && (first.Gate == "RoutesFree" || first.Gate == "BackendsExist") {
		return first
	}
	return nil
}

// lostLog says why nothing can be adopted.
func (v view) lostLog() string {
	_, why := v.adoptable()
	if why == "" {
		why = "they are looked for"
	}
	return "objects of this track were written for records that are lost, and " + why +
		": restore its records, the newest first (docs/restore.md); until then nothing is decided"
}

// keptWeight: a verdict fell, and there is nothing that could take the weight.
func keptWeight(v view) *v1alpha1.BlockedBy {
	strays, to := v.strays(), v.baselineRef()
	if len(strays) == 0 || to == nil {
		return nil
	}
	return &v1alpha1.BlockedBy{
		Gate: "EndpointsReady", Reason: "BaselineDown",
		Message: fmt.Sprintf("%s keeps its weight until %s has ready endpoints for every route: mend %s, or publish a release that works",
			strays[0].Name, to.Name, to.Name),
	}
}

// goneStable: what should serve has lost its object, and with it its pods.
func goneStable(v view) *v1alpha1.BlockedBy {
	ref := v.baselineRef()
	if ref == nil || v.object(*ref) != nil {
		return nil
	}
	name := ref.Name
	return &v1alpha1.BlockedBy{
		Gate: "Desired", Reason: "StableReleaseGone",
		Message: fmt.Sprintf("the release object of %s, which serves, was deleted: publish a new release; or create %s again as it was, and try it again by a ReleaseAction Retry, or pin it", name, name),
	}
}

// downStable: a route that was lost or changed is not put right, as it would lead to
// pods that do not serve.
func downStable(v view) *v1alpha1.BlockedBy {
	ref := v.baselineRef()
	if ref == nil || v.canServe(v.baseline) {
		return nil
	}
	reason, message, ok := v.carried()
	if ok || reason != "RouteMissing" && reason != "RouteNotWritten" {
		return nil
	}
	name := ref.Name
	return &v1alpha1.BlockedBy{
		Gate: "EndpointsReady", Reason: "BaselineDown",
		Message: fmt.Sprintf("%s, and that waits until %s has ready endpoints: mend %s, or publish a release that works", message, name, name),
	}
}

// notDesired: what users want has a verdict, or does not exist, or has the version
// of another.
func notDesired(v view) *v1alpha1.BlockedBy {
	pin := v.Track.Spec.ReleaseName
	wanted := v.latest()
	if pin != "" {
		if wanted = v.pinned(); wanted == nil {
			return &v1alpha1.BlockedBy{Gate: "Desired", Reason: "PinnedReleaseMissing", Message: "the pinned release " + pin + " does not exist: create it, or change spec.releaseName"}
		}
	}
	if wanted == nil {
		return nil
	}
	if other := v.claimant(wanted); other != nil {
		return &v1alpha1.BlockedBy{
			Gate: "Desired", Reason: "VersionReused",
			Message: fmt.Sprintf("%s has version %s, which is that of %s: publish it under a version of its own", wanted.Name, wanted.Spec.Version, other.Name),
		}
	}
	if pin == "" {
		wanted = v.newest()
	}
	if wanted == nil || !v.verdict(wanted).IsNegative() {
		return nil
	}
	verdict := v.Log.Verdicts[wanted.Spec.Version]
	return &v1alpha1.BlockedBy{
		Gate: "Desired", Reason: string(verdict.Event),
		Message: fmt.Sprintf("%s (attempt %d) ended as %s: %s; %s", wanted.Name, verdict.Attempt, verdict.Event, verdict.Message, v.wayOut(wanted)),
	}
}

// wayOut is what can be done about a wanted release that has its verdict.
func (v view) wayOut(wanted *Release) string {
	retry := "ask for a ReleaseAction Retry of " + wanted.Name
	stable := v.stable()
	switch {
	case stable == nil:
		return "publish a new release, or " + retry
	case v.Track.Spec.ReleaseName != "":
		return fmt.Sprintf("%s serves instead of what is pinned: set spec.releaseName to %s or to a new release, or %s", stable.Name, stable.Name, retry)
	}
	return fmt.Sprintf("%s serves: publish a new release, set spec.releaseName to %s to stay with it, or %s", stable.Name, stable.Name, retry)
}

// notServed: a route was added that stable has no backend for.
func notServed(v view) *v1alpha1.BlockedBy {
	if v.baseline == nil || v.state.Stable == nil {
		return nil
	}
	for _, route := range v.Track.routes() {
		if v.routeState(route.Name) == nil && !v.baseline.hasPort(route) {
			return &v1alpha1.BlockedBy{
				Gate: "BackendsExist", Reason: "BackendMissing",
				Message: v.baseline.noBackend(route),
			}
		}
	}
	return nil
}
