package world

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// resize a Deployment, and say whether it is still available: at most a quarter of
// its pods may be away.
func (w *World) resize(d *Deployment, replicas int32) {
	d.Replicas, d.Ready = replicas, min(d.Ready, replicas)
	if available := d.Ready >= replicas-replicas/4; available != d.Available {
		d.Available, d.Change = available, w.Now
	}
	if d.Ready == replicas {
		d.ReadyAt, d.ShortSince = time.Time{}, time.Time{}
		return
	}
	d.lacks(w.Now)
	if after := w.script(d.Release).ReadyAfter; after >= 0 {
		d.ReadyAt = w.Now.Add(after)
	}
}

// autoscale keeps every Deployment that has pods within the bounds of its autoscaler.
func (w *World) autoscale() []string {
	var changes []string
	for _, name := range slices.Sorted(maps.Keys(w.Autoscalers)) {
		a, d := w.Autoscalers[name], w.Deployments[name]
		if d == nil || d.Replicas == 0 || d.Owner != a.Owner {
			continue
		}
		if size := min(max(d.Replicas, a.Min), a.Max); size != d.Replicas {
			changes = append(changes, w.Load(name, size))
		}
	}
	return changes
}

// Load makes the autoscaler of a Deployment that has pods want a size: it gets what
// the bounds allow.
func (w *World) Load(name string, size int32) string {
	if a := w.Autoscalers[name]; a != nil && w.Deployments[name] != nil && w.Deployments[name].Replicas > 0 {
		size = min(max(size, a.Min), a.Max)
		w.changeDeployment(name, func(d *Deployment) { w.resize(d, size) })
	}
	return fmt.Sprintf("HorizontalPodAutoscaler scales %s to %d", name, size)
}

// Scale gives a Deployment a size, as a program does that a policy names.
func (w *World) Scale(name string, size int32) string {
	w.changeDeployment(name, func(d *Deployment) { w.resize(d, size) })
	return fmt.Sprintf("somebody scales %s to %d", name, size)
}

// waits: the component runs only while its release has everything.
func waits(c *v1alpha1.Component) bool {
	return c.Activation == v1alpha1.ActivationAtFullWeight || c.Activation == "" && len(c.Ports) == 0
}

func specOf(r *Release, component string) *v1alpha1.Component {
	i := slices.IndexFunc(r.Spec.Components, func(c v1alpha1.Component) bool { return c.Name == component })
	return &r.Spec.Components[i]
}

// Asked is the size that users ask of a component, with an autoscaler the smallest, and
// the largest that they allow, by the overrides of its track.
func Asked(overrides []v1alpha1.ComponentCapacity, c *v1alpha1.Component) (least, most int32) {
	least, most = c.Replicas, c.Replicas
	if c.Autoscaling != nil {
		least, most = c.Autoscaling.MinReplicas, c.Autoscaling.MaxReplicas
	}
	for _, override := range overrides {
		switch {
		case override.ComponentName != c.Name:
		case c.Autoscaling != nil:
			least, most = max(least, override.Replicas), max(most, override.Replicas)
		default:
			least, most = override.Replicas, override.Replicas
		}
	}
	return least, most
}

// wanted is the size that a candidate needs for a weight, as its writer saw the world.
func wanted(o rollout.Observation, r *rollout.Release, c *v1alpha1.Component, weight int32) int32 {
	size, most := Asked(o.Track.Spec.Capacity, c)
	if stable := o.Log.Head.State.Stable; stable != nil && c.Autoscaling != nil && stable.UID != r.UID {
		size = max(size, replicas(&o, stable.UID, c.Name))
	}
	size = min(size, most)
	if policy := o.Track.Spec.Rollout; policy != nil && policy.Capacity == v1alpha1.CapacityProportional {
		return max(1, (size*weight+99)/100)
	}
	return size
}

func replicas(o *rollout.Observation, release types.UID, component string) int32 {
	for _, r := range o.Releases {
		for _, c := range r.Components {
			if r.UID == release && c.Name == component && c.Deployment == rollout.Ours {
				return c.Replicas
			}
		}
	}
	return 0
}

// checkSize: a component that waits for full weight gets pods only in the release that
// has it, confirmed, or that is stable while nothing else has.
func checkSize(o *rollout.Observation, r *Release, c *v1alpha1.Component, size int32) error {
	if size == 0 || !waits(c) {
		return nil
	}
	state, had := o.Log.Head.State, replicas(o, r.UID, c.Name)
	unconfirmed := slices.ContainsFunc(state.Routes, func(s v1alpha1.RouteState) bool { return s.VerifiedTime == nil })
	isCandidate := state.Candidate != nil && state.Candidate.UID == r.UID
	at100 := weightOf(state, r.Name) == 100 || isCandidate && state.Candidate.ActivatedTime != nil
	isStable := state.Stable != nil && state.Stable.UID == r.UID
	switch {
	case size == had: // It is marked alone.
	case isCandidate && (!at100 || unconfirmed):
		return fmt.Errorf("component %s of candidate %s starts before 100 is confirmed", c.Name, r.Name)
	case !isCandidate && !isStable && !at100 && size > had:
		return fmt.Errorf("component %s of %s starts, which serves nothing", c.Name, r.Name)
	}
	return nil
}

// checkBounds: while an attempt is open, no autoscaler of the baseline may make it
// smaller than it is.
func checkBounds(o *rollout.Observation, a rollout.BoundAutoscaler) error {
	if a.Least < 1 || a.Least > a.Most {
		return fmt.Errorf("autoscaler of %s-%s from %d to %d", a.Release, a.Component, a.Least, a.Most)
	}
	state := o.Log.Head.State
	if state.Candidate == nil || state.Stable == nil || state.Stable.Name != a.Release {
		return nil
	}
	if has := min(replicas(o, state.Stable.UID, a.Component), a.Most); a.Least < has {
		return fmt.Errorf("the autoscaler of baseline %s may go from %d to %d", a.Release, has, a.Least)
	}
	return nil
}

// mayShrink: what has, or had a moment ago, traffic gets smaller only where its users
// asked for that; workers, which have none, stop at once.
func (w *World) mayShrink(o *rollout.Observation, a rollout.ScaleComponent, seen *Deployment) error {
	if a.Replicas >= seen.Replicas {
		return nil
	}
	for i := range o.Releases {
		r := &o.Releases[i]
		if r.Name != a.Release {
			continue
		}
		for j := range r.Spec.Components {
			c := &r.Spec.Components[j]
			least, _ := Asked(o.Track.Spec.Capacity, c)
			if c.Name == a.Component && (len(c.Ports) == 0 || a.Replicas >= least) {
				return nil
			}
		}
	}
	return w.mayBreak(a.Release, "scale down Deployment "+seen.Name)
}

// AtRest holds what must be true once nothing happens any more: pods of components
// that wait for full weight are stable's alone, and no autoscaler of stable is held
// above what its users ask.
func (w *World) AtRest() error {
	state := w.Head()
	if state.Candidate != nil || state.Stable == nil {
		return nil
	}
	// Until weights are confirmed, a rollout is under way.
	confirmed := !slices.ContainsFunc(state.Routes, func(r v1alpha1.RouteState) bool { return r.VerifiedTime == nil })
	for _, name := range slices.Sorted(maps.Keys(w.Deployments)) {
		d := w.Deployments[name]
		r := w.Releases[d.Release]
		if r == nil || d.Owner != r.UID {
			continue
		}
		c := specOf(r, d.Component)
		least, most := Asked(w.Track.Spec.Capacity, c)
		stable := r.UID == state.Stable.UID
		if waits(c) && d.Replicas > 0 != stable && !w.mayBeCalled(state, r.Name, c) {
			return fmt.Errorf("%s has %d pods, and its release is stable: %t", name, d.Replicas, stable)
		}
		if a := w.Autoscalers[name]; stable && confirmed && a != nil && (a.Min != least || a.Max != most) {
			return fmt.Errorf("the autoscaler of %s is at %d to %d, and not at %d to %d", name, a.Min, a.Max, least, most)
		}
	}
	return nil
}

// mayBeCalled: the release might have traffic, and a component with ports its part.
func (w *World) mayBeCalled(state v1alpha1.TrackState, release string, c *v1alpha1.Component) bool {
	free := slices.ContainsFunc(state.Live, func(l v1alpha1.LiveRelease) bool { return l.Name == release && l.ZeroTime != nil })
	return len(c.Ports) > 0 && !free
}
