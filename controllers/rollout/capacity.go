package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// How large a component of a live release is. Four sizes, each built on the last:
//
//	enough  what the author asked for: with fewer pods it is not well
//	own     enough, unless the track overrides it
//	full    own, and where an autoscaler may choose, no fewer than the baseline had
//	        since the attempt began: what it needs to take all traffic
//	least   what it needs now: full; under Proportional the part of it that the
//	        candidate's weight needs; nothing while it does not run
//
// A fixed size is its author's word and stays what it is, also beside a larger
// baseline: a candidate that is too small shows it while a failure still rolls back
// by itself. So does one whose maxReplicas are fewer. An autoscaled Deployment is
// its autoscaler's from least upwards. The operator raises it and never lowers it, but
// to nothing: an autoscaler leaves a Deployment of no replicas alone. So is every
// Deployment where a policy names somebody who scales.

// own is the size that users ask of a component, with an autoscaler the smallest.
func (v view) own(c *v1alpha1.Component) int32 {
	override := v.Track.override(c.Name)
	switch {
	case c.Autoscaling != nil:
		return max(c.Autoscaling.MinReplicas, override)
	case override > 0:
		return override
	}
	return c.Replicas
}

// most is the largest size that users allow.
func (v view) most(c *v1alpha1.Component) int32 {
	if c.Autoscaling == nil {
		return v.own(c)
	}
	return max(c.Autoscaling.MaxReplicas, v.Track.override(c.Name))
}

func (v view) enough(r *Release, component string) int32 {
	c := r.specOf(component)
	size := v.own(c)
	if c.Autoscaling == nil {
		size = min(size, c.Replicas)
	} else {
		size = min(size, c.Autoscaling.MinReplicas)
	}
	if !v.proportional(r) {
		return size
	}
	if weight := v.weight(); weight > 0 {
		return portion(size, weight)
	}
	return portion(size, v.nextStep().weight)
}

func (v view) full(r *Release, c *v1alpha1.Component) int32 {
	size := v.own(c)
	if live := v.live(r); live != nil && c.Autoscaling != nil {
		size = max(size, v.heldSize(*live, c.Name))
	}
	return min(size, v.most(c))
}

func (v view) least(r *Release, component string) int32 {
	c := r.specOf(component)
	switch {
	case !v.runs(r, component):
		return 0
	case v.proportional(r):
		return portion(v.full(r, c), v.sizedFor())
	}
	return v.full(r, c)
}

// proportional: the candidate is sized for each step.
func (v view) proportional(r *Release) bool {
	return v.Track.rollout().Capacity == v1alpha1.CapacityProportional && v.candidate != nil && v.candidate.UID == r.UID
}

// portion is the part of a size that a weight needs.
func portion(size, weight int32) int32 { return max(1, (size*weight+99)/100) }

// sizedFor is the weight that the candidate must be large enough for: its own, and
// that of the next step once only its size keeps it from there.
func (v view) sizedFor() int32 {
	weight, next := v.weight(), v.nextStep()
	if weight == 0 || next.promotion {
		return next.weight
	}
	for _, check := range []func(view) (string, string, bool){gateTestsPassed, gateHoldOver, gateApproved} {
		if _, _, blocked := check(v); blocked && !v.grown(next.weight) {
			return weight
		}
	}
	return next.weight
}

// grown says whether the minimum of an autoscaler was raised for the next step. What
// grew stays, though growing may begin a hold anew: a minimum that then went down again
// would go up and down for ever.
func (v view) grown(next int32) bool {
	return slices.ContainsFunc(v.candidate.Components, func(c Component) bool {
		full := v.full(v.candidate, v.candidate.specOf(c.Name))
		size := portion(full, next)
		return c.Autoscaler == Ours && size > portion(full, v.weight()) && c.MinReplicas >= size
	})
}

// size is what the world is to show of a component.
func (v view) size(live v1alpha1.LiveRelease, r *Release, c Component) Size {
	spec := r.specOf(c.Name)
	want := Size{Component: c.Name, Replicas: v.replicas(live, r, c)}
	if spec.Autoscaling != nil {
		want.Least, want.Most = v.least(r, c.Name), v.most(spec)
		if want.Least == 0 {
			want.Least = v.full(r, spec)
		}
		if v.leaves(live) && c.Autoscaler == Ours {
			want.Least, want.Most = c.MinReplicas, c.MaxReplicas
		}
	}
	return want
}

func (v view) replicas(live v1alpha1.LiveRelease, r *Release, c Component) int32 {
	spec, least := r.specOf(c.Name), v.least(r, c.Name)
	full := v.full(r, spec)
	switch {
	case least == 0:
		if end, ok := v.stopTime(live, spec); !ok || v.Now.Before(end) {
			return c.Replicas
		}
		return 0
	case c.Replicas > 0 && v.leaves(live):
		return c.Replicas
	case (spec.Autoscaling != nil || v.Track.Scaled) && c.Replicas > 0:
		return max(c.Replicas, least)
	case spec.Autoscaling != nil && !v.proportional(r):
		return min(max(spec.Replicas, least), v.most(spec))
	case v.proportional(r):
		return min(max(c.Replicas, least), full)
	}
	return full
}

// leaves: the release only drains, without weight. Nothing is asked of its size.
func (v view) leaves(live v1alpha1.LiveRelease) bool {
	return v.onlyDrains(live) && weightIn(v.state.Routes, live.Name) == 0
}

// heldSize is the size that a live release must not fall below, whatever its
// autoscaler thinks of a release without traffic; 0 for none. The records remember
// it; between two of them the baseline's own autoscaler does, as it is held there.
func (v view) heldSize(live v1alpha1.LiveRelease, component string) int32 {
	var recorded int32
	for _, size := range live.Sizes {
		if size.ComponentName == component {
			recorded = size.Replicas
		}
	}
	c := v.state.Candidate
	switch {
	case live.Recall != nil:
		return max(recorded, v.servingSize(component))
	case v.contested() && (v.isBaseline(live) || c.UID == live.UID):
		return max(recorded, sizeOf(v.baseline, component))
	case v.isBaseline(live) && v.measured(live):
		return 0
	}
	return recorded
}

// contested: there is a candidate beside the baseline, and weight may move between
// them.
func (v view) contested() bool { return v.state.Candidate != nil && v.fallback() != nil }

func (v view) isBaseline(live v1alpha1.LiveRelease) bool {
	baseline := v.baselineRef()
	return baseline != nil && baseline.UID == live.UID
}

// measured: the release has had its traffic for so long that its autoscaler may be
// believed.
func (v view) measured(live v1alpha1.LiveRelease) bool {
	return !v.unverified() && !v.Now.Before(v.measureTime(live))
}

func (v view) measureTime(live v1alpha1.LiveRelease) time.Time {
	since := v.verifiedTime()
	if p, ok := v.promotion(live.ReleaseRef); ok {
		since = later(since, p.Time)
	}
	return since.Add(autoscalerMemory)
}

// servingSize is the size that a component has where the traffic is.
func (v view) servingSize(component string) int32 {
	size := sizeOf(v.baseline, component)
	if v.weight() > 0 {
		size = max(size, sizeOf(v.candidate, component))
	}
	return size
}

func sizeOf(r *Release, component string) int32 {
	if r == nil {
		return 0
	}
	if c := r.component(component); c != nil && c.Deployment == Ours {
		return c.Replicas
	}
	return 0
}

// noteSizes writes the sizes that are held into a record that is appended anyway.
func (v view) noteSizes(state *v1alpha1.TrackState) {
	for i := range state.Live {
		r := v.object(state.Live[i].ReleaseRef)
		if r == nil {
			continue
		}
		was := v.live(r)
		if was == nil {
			continue
		}
		var sizes []v1alpha1.ComponentSize
		for _, c := range r.Spec.Components {
			if size := v.heldSize(*was, c.Name); c.Autoscaling != nil && size > 0 {
				sizes = append(sizes, v1alpha1.ComponentSize{ComponentName: c.Name, Replicas: size})
			}
		}
		state.Live[i].Sizes = sizes
	}
}

// live is what the newest record says of a release that is live; nil of others.
func (v view) live(r *Release) *v1alpha1.LiveRelease {
	i := slices.IndexFunc(v.state.Live, func(live v1alpha1.LiveRelease) bool { return live.UID == r.UID })
	if i < 0 {
		return nil
	}
	return &v.state.Live[i]
}

// gateCapacityReady: before a release takes weight it has the size that the weight
// needs, and no autoscaler that would take it away again.
func gateCapacityReady(v view) (string, string, bool) {
	for _, c := range v.candidate.Components {
		spec, least := v.candidate.specOf(c.Name), v.least(v.candidate, c.Name)
		if least == 0 {
			continue
		}
		if c.Replicas < least || c.AvailableReplicas < least || len(spec.Ports) > 0 && c.ReadyEndpoints < least {
			return "ScalingUp", v.sizeMessage(c, least), true
		}
		if spec.Autoscaling != nil && (c.Autoscaler != Ours || c.MinReplicas < least) {
			return "AutoscalerNotReady", fmt.Sprintf("HorizontalPodAutoscaler %s-%s does not keep component %s at %d pods yet", v.candidate.Name, c.Name, c.Name, least), true
		}
	}
	return "", "", false
}

func (v view) sizeMessage(c Component, least int32) string {
	weight := v.weight()
	if next := v.nextStep(); !next.promotion && (weight == 0 || !v.proportional(v.candidate) || v.sizedFor() > weight) {
		weight = next.weight
	}
	message := fmt.Sprintf("component %s has %d of the %d pods that %d %% of the traffic needs", c.Name, min(c.AvailableReplicas, c.Replicas), least, weight)
	if c.Trouble != "" {
		message += ": " + c.Trouble
	}
	return message
}

// sized says whether a release that traffic is to go back to has the size for it.
// Fixed sizes have it while the release is live; what is asked anew, by the track or
// by what its successor's autoscaler has grown to, comes first.
func (v view) sized(r *Release) bool {
	baseline := v.baselineRef()
	isBaseline := baseline != nil && baseline.UID == r.UID
	for _, c := range r.Components {
		spec := r.specOf(c.Name)
		if !v.runs(r, c.Name) || spec.Autoscaling == nil && v.Track.override(c.Name) == 0 {
			continue
		}
		need := v.full(r, spec)
		if spec.Autoscaling != nil && !isBaseline {
			need = min(max(need, v.servingSize(c.Name)), v.most(spec))
		}
		if c.Replicas < need || c.AvailableReplicas < need && !c.Available {
			return false
		}
	}
	return true
}

// sizeMoments are when time alone changes the size of a live release.
func (v view) sizeMoments(live v1alpha1.LiveRelease) []time.Time {
	var moments []time.Time
	if len(live.Sizes) > 0 && live.Recall == nil && v.isBaseline(live) && !v.contested() && !v.unverified() {
		moments = append(moments, v.measureTime(live))
	}
	r := v.object(live.ReleaseRef)
	if r == nil {
		return moments
	}
	for _, c := range r.Components {
		if end, ok := v.stopTime(live, r.specOf(c.Name)); ok && c.Replicas > 0 && !v.runs(r, c.Name) {
			moments = append(moments, end)
		}
	}
	return moments
}
