package simulation

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
)

// playAutoscaler gives a Deployment the size that its load asks for, within bounds.
// One of no replicas is left alone.
func (w *World) playAutoscaler(name string) {
	a, d := on[autoscalingv2.HorizontalPodAutoscaler](&w.store, autoscalers, name), on[appsv1.Deployment](&w.store, deployments, name)
	if a == nil || d == nil || *d.Spec.Replicas == 0 {
		return
	}
	wanted, asked := *d.Spec.Replicas, w.load[name]
	if asked > 0 {
		wanted = asked
	}
	wanted = min(max(wanted, ptr.Deref(a.Spec.MinReplicas, 1)), a.Spec.MaxReplicas)
	if wanted != *d.Spec.Replicas {
		w.tell("~ HorizontalPodAutoscaler %s wants %d pods", name, wanted)
		scaled := d.DeepCopy()
		scaled.Spec.Replicas = &wanted
		w.mustUpdate(scaled)
	}
	if a.Status.DesiredReplicas != wanted || a.Status.CurrentReplicas != *d.Spec.Replicas {
		reported := a.DeepCopy()
		reported.Status.DesiredReplicas, reported.Status.CurrentReplicas = wanted, *d.Spec.Replicas
		w.mustUpdateStatus(reported)
	}
}

// changeLoad is a metric that asks for another size.
func (w *World) changeLoad() {
	all := w.shelves[autoscalers]
	if len(all) == 0 {
		return
	}
	name := all[len(all)-1-w.draw(len(all))].GetName()
	w.load[name] = int32(w.draw(7))
	w.tell("> the load of %s asks for %d pods", name, w.load[name])
	w.do(autoscaler, name, w.Now)
}

// override edits the capacity of a component on the track.
func (w *World) override() {
	component, size := pick(w.dice, "web", "web", "worker", "api"), int32(w.draw(5))
	w.tell("> capacity of %s: %d", component, size)
	w.editTrack(func(spec *v1alpha1.ReleaseTrackSpec) {
		spec.Capacity = slices.DeleteFunc(slices.Clone(spec.Capacity), func(c v1alpha1.ComponentCapacity) bool { return c.ComponentName == component })
		if size > 0 {
			spec.Capacity = append(spec.Capacity, v1alpha1.ComponentCapacity{ComponentName: component, Replicas: size})
		}
	})
}
