package rollout

import (
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// atFullWeight says whether a component runs only while its release has everything:
// a worker would take queue items as soon as it is up.
func atFullWeight(c *v1alpha1.Component) bool {
	if c.Activation == "" {
		return len(c.Ports) == 0
	}
	return c.Activation == v1alpha1.ActivationAtFullWeight
}

// active is the release whose components with activation AtFullWeight run: one at a
// time. The candidate's start once it is confirmed at 100; the record that takes its
// weight away stops them, and starts those of the baseline again.
func (v view) active() *v1alpha1.ReleaseRef {
	c := v.state.Candidate
	switch {
	case c == nil || v.weight() < 100:
		return v.baselineRef()
	case v.unverified():
		return v.fallback()
	}
	return &c.ReleaseRef
}

// runs says whether a component of a live release should have pods now.
func (v view) runs(r *Release, component string) bool {
	if !atFullWeight(r.specOf(component)) {
		return true
	}
	active := v.active()
	return active != nil && active.UID == r.UID
}

// up says whether a component that should run does. A Deployment that grows is not
// "available" until most of its new pods are: that is nobody's failure while those
// that the author asked for are there.
func (v view) up(r *Release, c Component) bool {
	return !v.runs(r, c.Name) || c.Available || c.Deployment == Ours && c.AvailableReplicas >= v.enough(r, c.Name)
}

// works says whether workers of a release run that should not: they stop first, as
// its children may have to stay for as long as a route lists them.
func (v view) works(live v1alpha1.LiveRelease) bool {
	r := v.object(live.ReleaseRef)
	if r == nil || r.Deleting || r.Sealed == nil {
		return false
	}
	return slices.ContainsFunc(r.Components, func(c Component) bool {
		return c.Deployment == Ours && c.Replicas > 0 && !v.runs(r, c.Name) && len(r.specOf(c.Name).Ports) == 0
	})
}

// stopTime is from when a component that does not run any more may stop: at once
// where nothing can call it, else when its release is drained; false: not yet known.
func (v view) stopTime(live v1alpha1.LiveRelease, spec *v1alpha1.Component) (time.Time, bool) {
	if len(spec.Ports) == 0 {
		return time.Time{}, true
	}
	if live.ZeroTime == nil {
		return time.Time{}, false
	}
	return live.ZeroTime.Add(v.Track.drain()), true
}
