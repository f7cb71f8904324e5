package simulation

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
)

// script is how the pods and tests of a release behave.
type script struct {
	// readyAfter is how long a pod takes.
	readyAfter time.Duration
	// broken: no pod is ready. short: one of every Deployment that has more is not.
	broken, short bool
	tests         map[string]testScript
	// refused: its images are not what policies ask for.
	refused bool
}

// testScript is what comes of a test.
type testScript struct {
	after        time.Duration
	hangs, fails bool
}

func (w *World) script(release string) script {
	if s := w.scripts[release]; s != nil {
		return *s
	}
	return script{}
}

func (w *World) now() metav1.Time { return metav1.NewTime(w.Now.Truncate(time.Second)) }

// playDeployment makes as many pods as are asked for, and reports on them.
func (w *World) playDeployment(name string) {
	d := on[appsv1.Deployment](&w.store, deployments, name)
	if d == nil {
		return // Its pods are garbage.
	}
	size := int(*d.Spec.Replicas)
	made := w.podsOf(d.UID)
	for i := len(made); i < size; i++ {
		w.makePod(d, len(made) == 0)
	}
	for i := size; i < len(made); i++ {
		w.mustRemove(pods, made[i].Name)
	}
	w.reportDeployment(d)
}

func (w *World) podsOf(owner types.UID) []*corev1.Pod {
	var all []*corev1.Pod
	for _, object := range w.shelves[pods] {
		if references := object.GetOwnerReferences(); len(references) > 0 && references[0].UID == owner {
			all = append(all, object.(*corev1.Pod))
		}
	}
	return all
}

// makePod leaves out what nobody reads. first: the script of a release that is short
// of a pod does not mean it.
func (w *World) makePod(d *appsv1.Deployment, first bool) {
	w.pods++
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf("%s-%04d", d.Name, w.pods), Labels: d.Spec.Template.Labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))},
	}}
	if !first {
		pod.Annotations = map[string]string{"spare": "true"}
	}
	w.gate(pod)
	w.mustCreate(pod)
	w.do(kubelet, pod.Name, w.Now.Add(w.script(d.Labels[v1alpha1.LabelRelease]).readyAfter))
}

// playPod makes a pod as ready as its release's script says.
func (w *World) playPod(name string) {
	pod := on[corev1.Pod](&w.store, pods, name)
	if pod == nil || pod.Labels[v1alpha1.LabelTest] != "" {
		return
	}
	s := w.script(pod.Labels[v1alpha1.LabelRelease])
	ready := !s.broken && !(s.short && pod.Annotations["spare"] != "") && w.targetHealthy(pod)
	if isReady(pod) == ready && len(pod.Status.Conditions) > 0 {
		return
	}
	w.tell("~ pod %s is ready: %t", name, ready)
	reported := *pod
	condition := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: w.now()}
	if ready {
		condition.Status = corev1.ConditionTrue
	}
	reported.Status.Conditions = []corev1.PodCondition{condition}
	reported.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", Ready: ready, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	w.mustUpdateStatus(&reported)
}

func isReady(pod *corev1.Pod) bool {
	return len(pod.Status.Conditions) > 0 && pod.Status.Conditions[0].Status == corev1.ConditionTrue
}

func (w *World) reportDeployment(d *appsv1.Deployment) {
	made := w.podsOf(d.UID)
	ready := int32(0)
	for _, pod := range made {
		if isReady(pod) {
			ready++
		}
	}
	status := appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: int32(len(made)), UpdatedReplicas: int32(len(made)), ReadyReplicas: ready, AvailableReplicas: ready,
	}
	available := corev1.ConditionFalse
	if ready >= *d.Spec.Replicas {
		available = corev1.ConditionTrue
	}
	condition := appsv1.DeploymentCondition{Type: appsv1.DeploymentAvailable, Status: available, LastTransitionTime: w.now()}
	if was := d.Status.Conditions; len(was) > 0 && was[0].Status == available {
		condition = was[0]
	}
	status.Conditions = []appsv1.DeploymentCondition{condition}
	before := d.Status
	if before.ObservedGeneration == status.ObservedGeneration && before.Replicas == status.Replicas && before.ReadyReplicas == status.ReadyReplicas &&
		len(before.Conditions) > 0 && before.Conditions[0] == condition {
		return
	}
	w.tell("~ Deployment %s has %d of %d pods", d.Name, ready, *d.Spec.Replicas)
	reported := *d
	reported.Status = status
	w.mustUpdateStatus(&reported)
}

// wakePods lets the kubelet look at the pods of a release.
func (w *World) wakePods(release string) {
	for _, pod := range each[corev1.Pod](&w.store, pods) {
		if pod.Labels[v1alpha1.LabelRelease] == release {
			w.do(kubelet, pod.Name, w.Now)
		}
	}
}
