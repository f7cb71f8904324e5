package simulation

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// childKinds are those of a component, as records name them.
var childKinds = map[kind]string{deployments: "Deployment", services: "Service", autoscalers: "HorizontalPodAutoscaler", budgets: "PodDisruptionBudget"}

// tamper is somebody who edits what a release owns, past the guards: they let nobody.
// Who does it as the object is created leaves no name.
func (w *World) tamper(release string) {
	k := pick(w.dice, deployments, deployments, services, autoscalers, budgets, pods)
	var of []client.Object
	for _, object := range w.shelves[k] {
		if object.GetLabels()[v1alpha1.LabelRelease] == release && object.GetLabels()[v1alpha1.LabelTest] == "" && len(object.GetOwnerReferences()) > 0 {
			of = append(of, object)
		}
	}
	if len(of) == 0 {
		return
	}
	object := of[w.draw(len(of))]
	if w.chance(30) {
		w.fought = object.GetUID()
	}
	w.tamperWith(k, object)
}

// fight is a controller that writes what it wants again and again.
func (w *World) fight(write written) {
	if !w.fair && write.after != nil && write.before != nil && write.after.GetUID() == w.fought && contentOf(write.before) != contentOf(write.after) && w.chance(80) {
		w.tamperWith(write.kind, w.shelves[write.kind].get(write.after.GetName()))
	}
}

func (w *World) tamperWith(k kind, object client.Object) {
	changed := object.DeepCopyObject().(client.Object)
	switch o := changed.(type) {
	case *appsv1.Deployment:
		o.Spec.Template.Spec.Containers[0].Image = image(9999)
	case *corev1.Service:
		o.Spec.Ports[0].Port = 81
	case *autoscalingv2.HorizontalPodAutoscaler:
		o.Spec.ScaleTargetRef.Name = "somebody-elses"
	case *policyv1.PodDisruptionBudget:
		o.Spec.MaxUnavailable = ptr.To(intstr.FromInt32(9))
	case *corev1.Pod:
		o.Spec.Containers = []corev1.Container{{Name: "app", Image: image(9999)}}
	}
	if k != pods && w.chance(15) {
		labels := map[string]string{}
		for key, value := range changed.GetLabels() {
			if key != v1alpha1.LabelTrack {
				labels[key] = value
			}
		}
		changed.SetLabels(labels)
	}
	if k != pods && w.chance(15) {
		changed.SetAnnotations(nil) // And so without the stamp.
	}
	changed.SetManagedFields([]metav1.ManagedFieldsEntry{{
		Manager: pick(w.dice, "rogue", "rogue", "strata"), Operation: metav1.ManagedFieldsOperationUpdate,
		FieldsV1: metav1.NewFieldsV1(`{"f:spec":{},"f:metadata":{}}`),
	}})
	w.tell("> %s %s is tampered with", k, changed.GetName())
	w.noteTraffic()
	w.mustUpdate(changed)
}

// contentOf is what of a child is sealed, and played.
func contentOf(object client.Object) string {
	content := fmt.Sprintf("%s/%s/%s ", object.GetLabels()[v1alpha1.LabelTrack], object.GetLabels()[v1alpha1.LabelRelease], object.GetLabels()[v1alpha1.LabelComponent])
	switch o := object.(type) {
	case *appsv1.Deployment:
		return content + o.Spec.Template.Spec.Containers[0].Image
	case *corev1.Service:
		return content + fmt.Sprint(o.Spec.Ports[0].Port)
	case *autoscalingv2.HorizontalPodAutoscaler:
		return content + o.Spec.ScaleTargetRef.Name
	case *policyv1.PodDisruptionBudget:
		return content + o.Spec.MaxUnavailable.String()
	}
	return content
}

// sealedContent is what it is sealed as.
func sealedContent(k kind, r *v1alpha1.ImmutableRelease, c *v1alpha1.Component) string {
	content := fmt.Sprintf("%s/%s/%s ", TrackName, r.Name, c.Name)
	switch k {
	case deployments:
		return content + c.Template.Spec.Containers[0].Image
	case services:
		return content + fmt.Sprint(c.Ports[0].Port)
	case autoscalers:
		return content + resources.ChildName(r.Name, c.Name)
	case budgets:
		return content + c.Disruption.MaxUnavailable.String()
	}
	return content
}

// checkRepair: what is sealed of a child is changed by a repair alone, and to what it was
// sealed as; of which the newest record told that its writer has seen: a leader that was
// paused carries out what it decided on what nobody has changed since.
func (w *World) checkRepair(p *process, write written) {
	if write.before == nil || write.after == nil || childKinds[write.kind] == "" || contentOf(write.before) == contentOf(write.after) {
		return
	}
	r, c := w.ownerOf(write.after)
	if r == nil && w.orphaned(write.after) {
		return // Its release was deleted meanwhile, and it goes.
	}
	if r == nil {
		w.violate("Drift", "%s: nobody owns it", write)
		return
	}
	if contentOf(write.after) != sealedContent(write.kind, r, c) {
		w.violate("Drift", "%s: it is %s, sealed as %s", write, contentOf(write.after), sealedContent(write.kind, r, c))
	}
	for _, live := range p.seen.state().Live {
		if live.UID == r.UID && slices.ContainsFunc(live.Drifts, func(d v1alpha1.ChildDrift) bool {
			return d.ComponentName == c.Name && d.Kind == childKinds[write.kind] && d.Answer == v1alpha1.DriftRepair
		}) {
			return
		}
	}
	w.violate("Drift", "%s: no record told of it", write)
}

// ownerOf is the release and the component that a child is of.
func (w *World) ownerOf(child client.Object) (*v1alpha1.ImmutableRelease, *v1alpha1.Component) {
	for _, r := range each[v1alpha1.ImmutableRelease](&w.store, releases) {
		for i := range r.Spec.Components {
			if metav1.IsControlledBy(child, r) && child.GetName() == resources.ChildName(r.Name, r.Spec.Components[i].Name) {
				return r, &r.Spec.Components[i]
			}
		}
	}
	return nil, nil
}

// tampered says whether a child is not as sealed just now.
func (w *World) tampered() bool {
	for k := range childKinds {
		for _, object := range w.shelves[k] {
			if r, c := w.ownerOf(object); r != nil && contentOf(object) != sealedContent(k, r, c) {
				return true
			}
		}
	}
	return false
}

// checkDrift: no child is repaired a fourth time in a row.
func (w *World) checkDrift(_ *process, _ v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Event != v1alpha1.EventDrift {
		return nil
	}
	for _, live := range spec.State.Live {
		for _, d := range live.Drifts {
			if d.Repairs > 3 || d.Sequence > spec.Sequence {
				return fmt.Errorf("%+v", d)
			}
		}
	}
	return nil
}

// checkRestSealed: at rest what is live is as it was sealed, or people are told.
func (w *World) checkRestSealed() {
	state := w.head()
	for _, r := range each[v1alpha1.ImmutableRelease](&w.store, releases) {
		if !isLive(state, r) || isTrue(condition(r, v1alpha1.ConditionDrifted)) && isTrue(condition(w.track(), v1alpha1.ConditionStalled)) {
			continue
		}
		for k := range childKinds {
			for _, object := range w.shelves[k] {
				owner, c := w.ownerOf(object)
				if owner == r && contentOf(object) != sealedContent(k, r, c) {
					w.violate("Drift", "at rest %s %s is %s, sealed as %s", k, object.GetName(), contentOf(object), sealedContent(k, r, c))
				}
			}
		}
		for _, pod := range each[corev1.Pod](&w.store, pods) {
			if pod.Labels[v1alpha1.LabelRelease] == r.Name && len(pod.Spec.Containers) > 0 {
				w.violate("Drift", "at rest pod %s runs something else", pod.Name)
			}
		}
	}
}

// SubResource of pods that the loop asks for: it evicts them.
func (c connection) SubResource(string) client.SubResourceClient { return evictions{c: c} }

type evictions struct {
	client.SubResourceClient
	c connection
}

func (e evictions) Create(_ context.Context, pod, eviction client.Object, _ ...client.SubResourceCreateOption) error {
	return e.c.p.write("evict", pod, func() error {
		return e.c.p.w.remove(pods, pod.GetName(), eviction.(*policyv1.Eviction).DeleteOptions.Preconditions)
	})
}
