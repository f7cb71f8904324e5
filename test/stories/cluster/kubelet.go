package cluster

import (
	"context"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// pod starts the pod of a Deployment, as far as the story lets it, and stops one that was
// deleted.
func (s *stage) pod(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	pod := &corev1.Pod{}
	if err := s.Get(ctx, key, pod); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	owner := metav1.GetControllerOf(pod)
	if owner == nil || owner.Kind != "Deployment" {
		return reconcile.Result{}, nil
	}
	if pod.DeletionTimestamp != nil {
		return reconcile.Result{}, s.end(ctx, []corev1.Pod{*pod})
	}
	deployment := &appsv1.Deployment{}
	if err := s.Get(ctx, types.NamespacedName{Namespace: key.Namespace, Name: owner.Name}, deployment); err != nil {
		return reconcile.Result{}, err
	}
	running := pod.DeepCopy()
	running.Status = podStatus(pod, s.behaviours.of(key.Namespace).pods(deployment))
	if reflect.DeepEqual(running.Status, pod.Status) {
		return reconcile.Result{}, nil
	}
	return reconcile.Result{}, s.Status().Update(ctx, running)
}

// podStatus is what a kubelet reports.
func podStatus(pod *corev1.Pod, play Pods) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	status.Phase, status.PodIP, status.PodIPs = corev1.PodRunning, "10.1.0.7", []corev1.PodIP{{IP: "10.1.0.7"}}
	status.ContainerStatuses = nil
	ready := !play.Unready && play.Waiting == ""
	for _, container := range pod.Spec.Containers {
		c := corev1.ContainerStatus{Name: container.Name, Image: container.Image, ImageID: container.Image, Ready: ready, Started: ptr.To(true)}
		if c.State.Running = &(corev1.ContainerStateRunning{StartedAt: pod.CreationTimestamp}); play.Waiting != "" {
			c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: play.Waiting, Message: play.Message}}
			c.Started, status.Phase = ptr.To(false), corev1.PodPending
		}
		status.ContainerStatuses = append(status.ContainerStatuses, c)
	}
	setPodReady(&status, ready)
	return status
}

func setPodReady(status *corev1.PodStatus, ready bool) {
	value := corev1.ConditionFalse
	if ready {
		value = corev1.ConditionTrue
	}
	for i := range status.Conditions {
		c := &status.Conditions[i]
		if c.Type != corev1.PodReady {
			continue
		}
		if c.Status != value {
			c.Status, c.LastTransitionTime = value, metav1.Now().Rfc3339Copy()
		}
		return
	}
	status.Conditions = append(status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: value, LastTransitionTime: metav1.Now().Rfc3339Copy()})
}

func isReady(pod *corev1.Pod) bool {
	return pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func sortByName(pods []corev1.Pod) {
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
}
