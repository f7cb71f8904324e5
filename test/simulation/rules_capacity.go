package simulation

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/test/world"
)

// waitsForAll: the component runs only while its release has everything.
func waitsForAll(c *v1alpha1.Component) bool {
	return c.Activation == v1alpha1.ActivationAtFullWeight || c.Activation == "" && len(c.Ports) == 0
}

// isWorker: nothing can call it.
func isWorker(c *v1alpha1.Component) bool { return len(c.Ports) == 0 }

// wanted is the size that a candidate needs for a weight, as its writer saw the world.
func (s *seen) wanted(r *v1alpha1.ImmutableRelease, c *v1alpha1.Component, weight int32) int32 {
	size, most := world.Asked(s.track.Spec.Capacity, c)
	if stable := s.state().Stable; stable != nil && c.Autoscaling != nil && stable.UID != r.UID && s.release(stable.UID) != nil {
		size = max(size, s.replicas(resources.ChildName(stable.Name, c.Name)))
	}
	size = min(size, most)
	if paceOf(s.track).Capacity == v1alpha1.CapacityProportional {
		return max(1, (size*weight+99)/100)
	}
	return size
}

func (s *seen) replicas(deployment string) int32 {
	if d, ok := s.lists[deployments].get(deployment).(*appsv1.Deployment); ok {
		return *d.Spec.Replicas
	}
	return 0
}

// component of the release that a child belongs to, by what the writer saw.
func (s *seen) component(child string) (*v1alpha1.ImmutableRelease, *v1alpha1.Component) {
	release, component, _ := resources.SplitChildName(child)
	r, _ := s.lists[releases].get(release).(*v1alpha1.ImmutableRelease)
	if r == nil {
		return nil, nil
	}
	return r, componentSpec(r, component)
}

func componentSpec(r *v1alpha1.ImmutableRelease, name string) *v1alpha1.Component {
	i := slices.IndexFunc(r.Spec.Components, func(c v1alpha1.Component) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Spec.Components[i]
}

// checkDeployment holds sizes, and what may have pods at all.
func (w *World) checkDeployment(p *process, write written) {
	if write.verb == "delete" {
		w.checkBreak(p, write)
		return
	}
	r, c := p.seen.component(write.object().GetName())
	if r == nil || c == nil {
		w.violate("Sizes", "%s: its release was not seen", write)
		return
	}
	is, had := *write.after.(*appsv1.Deployment).Spec.Replicas, int32(0)
	if write.before != nil {
		had = *write.before.(*appsv1.Deployment).Spec.Replicas
	} else {
		w.checkMayHavePods(p, write, r)
	}
	w.checkWorker(p, write, r, c, had, is)
	if least, _ := world.Asked(p.seen.track.Spec.Capacity, c); is < had && is < least && !isWorker(c) {
		w.checkBreak(p, write)
	}
}

// checkMayHavePods: a candidate has none before its BeforePods tests have passed, and
// its configuration is a copy.
func (w *World) checkMayHavePods(p *process, write written, r *v1alpha1.ImmutableRelease) {
	for _, container := range write.after.(*appsv1.Deployment).Spec.Template.Spec.Containers {
		for _, from := range container.EnvFrom {
			if name := from.ConfigMapRef.Name; name == settings || w.shelves[configMaps].get(name) == nil && !w.orphaned(write.after) {
				w.violate("Frozen", "%s: its configuration is %s", write, name)
			}
		}
	}
	w.checkListed(p, write, r)
	state := p.seen.state()
	if c := state.Candidate; c == nil || c.UID != r.UID || weightOf(state, r.Name) > 0 || w.memory.proven(c.ReleaseRef) {
		return
	}
	for _, t := range r.Spec.Tests {
		if t.When == v1alpha1.BeforePods && !passed(state, t, 0) {
			w.violate("BeforePods", "%s: test %s has not passed", write, t.Name)
		}
	}
}

// checkWorker: what waits for full weight gets pods only in the release that has it,
// confirmed, or that is stable while nothing else has; and what stops, stops first.
func (w *World) checkWorker(p *process, write written, r *v1alpha1.ImmutableRelease, c *v1alpha1.Component, had, is int32) {
	if !waitsForAll(c) || is == 0 {
		return
	}
	state := p.seen.state()
	candidate := state.Candidate != nil && state.Candidate.UID == r.UID
	stable := state.Stable != nil && state.Stable.UID == r.UID
	at100 := weightOf(state, r.Name) == 100
	switch {
	case is == had:
	case candidate && !stable && (!at100 || unverified(state)):
		w.violate("Workers", "%s: it starts before 100 is confirmed", write)
	case !candidate && !stable && !at100 && is > had:
		w.violate("Workers", "%s: it starts in a release that serves nothing", write)
	}
	if had == 0 && isWorker(c) {
		w.checkHandOver(p, write, r, c)
	}
}

// checkHandOver: no other release's workers are asked for while those of one start.
func (w *World) checkHandOver(p *process, write written, r *v1alpha1.ImmutableRelease, c *v1alpha1.Component) {
	for _, object := range p.seen.lists[deployments] {
		other, spec := p.seen.component(object.GetName())
		now := on[appsv1.Deployment](&w.store, deployments, object.GetName())
		if other == nil || other.UID == r.UID || spec == nil || spec.Name != c.Name || now == nil || now.ResourceVersion != object.GetResourceVersion() {
			continue
		}
		if *now.Spec.Replicas > 0 && !w.orphaned(now) && len(now.OwnerReferences) > 0 {
			w.violate("Workers", "%s: %s works still", write, object.GetName())
		}
	}
}

// checkAutoscaler: it has bounds, and while an attempt is open that of the baseline may
// not make it smaller than it is.
func (w *World) checkAutoscaler(p *process, write written) {
	if write.verb == "delete" {
		w.checkBreak(p, write)
		return
	}
	a := write.after.(*autoscalingv2.HorizontalPodAutoscaler)
	least := ptr.Deref(a.Spec.MinReplicas, 0)
	if least < 1 || least > a.Spec.MaxReplicas {
		w.violate("Sizes", "%s: nothing can be between these", write)
	}
	state := p.seen.state()
	if takenOver(write) || state.Candidate == nil || state.Stable == nil || resources.ChildName(state.Stable.Name, "web") != a.Name {
		return
	}
	if has := min(p.seen.replicas(a.Name), a.Spec.MaxReplicas); least < has {
		w.violate("Sizes", "%s: the baseline has %d pods", write, has)
	}
}

// sized: what should run of a release has the size that the next weight needs, and its
// autoscaler lets it have that.
func (s *seen) sized(r *v1alpha1.ImmutableRelease, from, to int32) error {
	for i := range r.Spec.Components {
		c := &r.Spec.Components[i]
		if waitsForAll(c) && from < 100 {
			continue
		}
		name, want := resources.ChildName(r.Name, c.Name), s.wanted(r, c, to)
		d, _ := s.lists[deployments].get(name).(*appsv1.Deployment)
		if d == nil || d.Status.ObservedGeneration < d.Generation || d.Status.AvailableReplicas < want {
			return fmt.Errorf("Deployment %s was not seen with the %d pods that %d needs", name, want, to)
		}
		if from == 0 && !isWorker(c) && s.endpoints(name) < int(want) {
			return fmt.Errorf("Service %s had %d ready endpoints", name, s.endpoints(name))
		}
		a, _ := s.lists[autoscalers].get(name).(*autoscalingv2.HorizontalPodAutoscaler)
		if c.Autoscaling != nil && (a == nil || *a.Spec.MinReplicas < want) {
			return fmt.Errorf("the autoscaler of %s was not seen to keep %d pods", name, want)
		}
	}
	return nil
}

// checkRestSizes: at rest what waits for full weight runs in stable alone, and no
// autoscaler of stable is held above what its users ask; unless no router has confirmed
// that stable has its traffic: then at what was noted.
func (w *World) checkRestSizes() {
	state, track := w.head(), w.track()
	if state.Candidate != nil || state.Stable == nil {
		return
	}
	for _, d := range each[appsv1.Deployment](&w.store, deployments) {
		name, component, _ := resources.SplitChildName(d.Name)
		r := on[v1alpha1.ImmutableRelease](&w.store, releases, name)
		if r == nil || w.orphaned(d) || len(d.OwnerReferences) == 0 {
			continue
		}
		c, stable := componentSpec(r, component), r.UID == state.Stable.UID
		free := slices.ContainsFunc(state.Live, func(l v1alpha1.LiveRelease) bool { return l.UID == r.UID && l.ZeroTime != nil })
		if waitsForAll(c) && *d.Spec.Replicas > 0 != stable && (isWorker(c) || free) {
			w.violate("Workers", "at rest %s has %d pods, and its release is stable: %t", d.Name, *d.Spec.Replicas, stable)
		}
		a := on[autoscalingv2.HorizontalPodAutoscaler](&w.store, autoscalers, d.Name)
		least, most := world.Asked(track.Spec.Capacity, c)
		if unverified(state) {
			least = min(most, max(least, noted(state, r, component)))
		}
		if stable && a != nil && (*a.Spec.MinReplicas != least || a.Spec.MaxReplicas != most) {
			w.violate("Sizes", "at rest the autoscaler of %s is at %d to %d, and not at %d to %d", d.Name, *a.Spec.MinReplicas, a.Spec.MaxReplicas, least, most)
		}
	}
}

func unverified(state v1alpha1.TrackState) bool {
	return slices.ContainsFunc(state.Routes, func(s v1alpha1.RouteState) bool { return s.VerifiedTime == nil })
}

// noted is the size that a live release was recorded with; 0 for none.
func noted(state v1alpha1.TrackState, r *v1alpha1.ImmutableRelease, component string) int32 {
	for _, live := range state.Live {
		for _, size := range live.Sizes {
			if live.UID == r.UID && size.ComponentName == component {
				return size.Replicas
			}
		}
	}
	return 0
}

// foreignSelector is a Service of others that selects the pods of a release.
func (s *seen) foreignSelector(r *v1alpha1.ImmutableRelease) string {
	for _, c := range r.Spec.Components {
		d, _ := s.lists[deployments].get(resources.ChildName(r.Name, c.Name)).(*appsv1.Deployment)
		if d == nil {
			continue
		}
		for _, object := range s.others {
			if service := object.(*corev1.Service); service.Spec.Selector[v1alpha1.LabelRelease] != r.Name && selects(service, d.Spec.Template.Labels) {
				return service.Name
			}
		}
	}
	return ""
}
