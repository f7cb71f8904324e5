package controllers

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// Kinds of what a component owns, as records name them.
const (
	kindService    = "Service"
	kindDeployment = "Deployment"
	kindAutoscaler = "HorizontalPodAutoscaler"
	kindDisruption = "PodDisruptionBudget"
	kindPod        = "Pod"
)

// asSealed compares an object of a live release with its seal, and answers with the
// object to go on with. One that differs is read again past the cache: a difference is
// of the object as it is now, and who wrote it only the API server tells. What was
// compared once, and did not differ, is not compared again.
func asSealed[T any, Child childOf[T]](ctx context.Context, r *TrackReconciler, w *world, c *rollout.Component, object Child, release *v1alpha1.ImmutableRelease, kind string, sealed func(*resources.Seal) (Child, error)) (Child, error) {
	seal, known, now := w.seals[release.Name], w.note.asSealed, contentOf(object)
	if seal == nil || !w.isLive(w.facts(release.Name)) || !metav1.IsControlledBy(object, release) || object.GetDeletionTimestamp() != nil || known[object.GetUID()].is(now) {
		return object, nil
	}
	want, err := sealed(seal)
	if err != nil {
		return object, err
	}
	if want == nil || resources.Difference(want, object, resources.AsSealed) == "" {
		known[object.GetUID()] = now
		return object, nil
	}
	there := Child(new(T))
	err = r.live.Get(ctx, client.ObjectKeyFromObject(object), there)
	switch {
	case apierrors.IsNotFound(err):
		return object, nil
	case err != nil:
		return object, fmt.Errorf("read %s %s/%s, which is not as sealed: %w", kind, w.Namespace, object.GetName(), err)
	case there.GetUID() != object.GetUID():
		return object, nil
	}
	difference := resources.Difference(want, there, resources.AsSealed)
	if difference == "" || there.GetDeletionTimestamp() != nil {
		return object, nil
	}
	writer := resources.Writer(there, difference, fieldManager)
	c.Drifts = append(c.Drifts, rollout.Drift{
		Kind: kind, Name: object.GetName(), Difference: resources.Bound(difference, maxDifference),
		Writer: resources.Bound(writer, maxDifference), Mutated: writer == "" && resources.Born(there, difference, fieldManager), Sequence: resources.StampOf(there),
	})
	return there, nil
}

// maxDifference keeps what is recorded of one difference within what people read.
const maxDifference = 512

// content changes whenever what is compared of an object does: its labels, and what the
// API server counts by the generation, or where it counts none by the resourceVersion.
type content struct {
	generation int64
	version    string
	// labels are shared with the cache, and read only.
	labels map[string]string
}

func contentOf(object client.Object) content {
	c := content{generation: object.GetGeneration(), labels: object.GetLabels()}
	if c.generation == 0 {
		c.version = object.GetResourceVersion()
	}
	return c
}

func (c content) is(now content) bool {
	return c.generation == now.generation && c.version == now.version && maps.Equal(c.labels, now.labels)
}

// observePods compares the pods of a Deployment that is as sealed, and has no others
// than of its present template, with what was sealed.
func (r *TrackReconciler) observePods(ctx context.Context, w *world, c *rollout.Component, deployment *appsv1.Deployment, pods []*corev1.Pod, release *v1alpha1.ImmutableRelease) error {
	seal, status := w.seals[release.Name], deployment.Status
	if seal == nil || !w.isLive(w.facts(release.Name)) || status.ObservedGeneration < deployment.Generation || status.UpdatedReplicas != status.Replicas ||
		slices.ContainsFunc(c.Drifts, func(d rollout.Drift) bool { return d.Kind == kindDeployment }) {
		return nil
	}
	template := &deployment.Spec.Template.Spec
	for _, pod := range pods {
		c.PodLeaving = c.PodLeaving || pod.DeletionTimestamp != nil
		if pod.DeletionTimestamp != nil || resources.PodDifference(template, pod) == "" && resources.ImageDifference(template, pod, seal.Platforms()) == "" {
			continue
		}
		there := &corev1.Pod{}
		err := r.live.Get(ctx, client.ObjectKeyFromObject(pod), there)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read Pod %s/%s, which is not as sealed: %w", w.Namespace, pod.Name, err)
		}
		difference := cmp.Or(resources.PodDifference(template, there), resources.ImageDifference(template, there, seal.Platforms()))
		if difference == "" || there.UID != pod.UID || there.DeletionTimestamp != nil {
			continue
		}
		c.Drifts = append(c.Drifts, rollout.Drift{
			Kind: kindPod, Name: pod.Name, CreationTime: there.CreationTimestamp.Time,
			Difference: resources.Bound(difference, maxDifference), Writer: podWriter(there, difference),
			Ready: slices.ContainsFunc(there.Status.Conditions, func(is corev1.PodCondition) bool {
				return is.Type == corev1.PodReady && is.Status == corev1.ConditionTrue
			}),
		})
	}
	return nil
}

// podWriter is who wrote the image of a pod; "" where it is the node that runs another.
func podWriter(pod *corev1.Pod, difference string) string {
	if strings.HasPrefix(difference, "status.") {
		return "the node " + pod.Spec.NodeName
	}
	return resources.Bound(resources.Writer(pod, difference, fieldManager), maxDifference)
}

// repairChild writes what the seal says into a child, under the resourceVersion that was
// observed, and with the stamp by which its next change is told from this one.
func (r *TrackReconciler) repairChild(ctx context.Context, w *world, a rollout.RepairChild) error {
	name, seal := resources.ChildName(a.Release, a.Component), w.seals[a.Release]
	var observed, sealed client.Object
	var err error
	switch a.Kind {
	case kindService:
		observed = w.children.services[name]
		sealed, err = seal.Service(a.Component)
	case kindDeployment:
		observed = w.children.deployments[name]
		sealed, err = seal.Deployment(a.Component, 0, 0)
	case kindAutoscaler:
		observed = w.children.autoscalers[name]
		sealed, err = seal.Autoscaler(a.Component, a.Least, a.Most, 0)
	case kindDisruption:
		observed = w.children.disruptions[name]
		sealed, err = seal.Disruption(a.Component)
	default:
		err = fmt.Errorf("no component has a %s", a.Kind)
	}
	if err != nil {
		return fmt.Errorf("repair %s %s/%s: %w", a.Kind, w.Namespace, name, err)
	}
	repaired := resources.Repaired(sealed, observed)
	resources.Stamp(repaired, a.Sequence)
	if err := r.write(ctx, observed, repaired); err != nil {
		return fmt.Errorf("repair %s %s/%s: %w", a.Kind, w.Namespace, name, err)
	}
	return nil
}

// write changes a child from what was observed. Of the children, Services alone may be
// updated as a whole.
func (r *TrackReconciler) write(ctx context.Context, observed, changed client.Object) error {
	if _, isService := changed.(*corev1.Service); isService {
		return r.Update(ctx, changed, client.FieldOwner(fieldManager))
	}
	patch := client.MergeFromWithOptions(observed, client.MergeFromWithOptimisticLock{})
	return r.Patch(ctx, changed, patch, client.FieldOwner(fieldManager))
}

// replacePod evicts the pod that was observed: budgets hold for it as for any other.
func (r *TrackReconciler) replacePod(ctx context.Context, w *world, a rollout.ReplacePod) error {
	for _, pods := range w.children.pods {
		for _, pod := range pods {
			if pod.Name != a.Name {
				continue
			}
			eviction := &policyv1.Eviction{
				ObjectMeta:    metav1.ObjectMeta{Namespace: w.Namespace, Name: a.Name},
				DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
			}
			err := r.SubResource("eviction").Create(ctx, pod, eviction)
			return wrap(client.IgnoreNotFound(err), "replace Pod %s/%s", w.Namespace, a.Name)
		}
	}
	return nil
}

// releaseDrifted tells of what differs now, or was put right last.
func (f findings) releaseDrifted(c conditions, release *rollout.Release) {
	live := f.liveRef(release)
	if live == nil || release.Sealed == nil || len(release.Components) == 0 {
		c.set(v1alpha1.ConditionDrifted, metav1.ConditionUnknown, "NotCompared", "it has no pods, and nothing is compared with its seal")
		return
	}
	var told []string
	differs, left := map[string]bool{}, false
	snapshots := release.SnapshotDrift()
	if snapshots != nil {
		differs[" "+snapshots.Kind] = true
		told = append(told, snapshots.Difference)
	}
	for _, component := range release.Components {
		for _, d := range component.Drifts {
			differs[component.Name+" "+d.Kind] = true
			told = append(told, d.Kind+" "+d.Name+": "+d.Difference)
		}
	}
	var last *v1alpha1.ChildDrift
	for i := range live.Drifts {
		d := &live.Drifts[i]
		left = left || d.Answer == v1alpha1.DriftLeave && differs[d.ComponentName+" "+d.Kind]
		if last == nil || d.Sequence > last.Sequence {
			last = d
		}
	}
	said := ""
	if last != nil {
		said = fmt.Sprintf("%s; see ReleaseRecord %s", last.Message, resources.RecordName(f.TrackName, last.Sequence))
	}
	switch {
	case snapshots != nil && snapshots.Lost:
		c.set(v1alpha1.ConditionDrifted, metav1.ConditionTrue, rollout.SnapshotChanged, snapshots.Difference+": "+rollout.LostMeans)
	case left:
		c.set(v1alpha1.ConditionDrifted, metav1.ConditionTrue, "ChangedAgain", said+"; it was put right before, and is left for now: stop whoever writes it")
	case len(differs) > 0:
		c.set(v1alpha1.ConditionDrifted, metav1.ConditionTrue, "Changed", cmp.Or(said, strings.Join(told, "; ")))
	case last != nil:
		c.set(v1alpha1.ConditionDrifted, metav1.ConditionFalse, "Repaired", "everything is as sealed again: "+said)
	default:
		c.set(v1alpha1.ConditionDrifted, metav1.ConditionFalse, "AsSealed", "everything is as sealed")
	}
}

func (f findings) liveRef(release *rollout.Release) *v1alpha1.LiveRelease {
	live := f.state().Live
	for i := range live {
		if live[i].UID == release.UID {
			return &live[i]
		}
	}
	return nil
}
