package cluster

import (
	"context"
	"fmt"
	"reflect"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// deployment makes as many pods as are asked for, and reports on them. The pods
// of a Deployment are called <deployment>-<number>.
func (s *stage) deployment(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	pods, err := s.podsOf(ctx, key, "Deployment")
	if err != nil {
		return reconcile.Result{}, err
	}
	deployment := &appsv1.Deployment{}
	switch err := s.Get(ctx, key, deployment); {
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, s.end(ctx, pods)
	case err != nil:
		return reconcile.Result{}, err
	}
	refused, err := s.makePods(ctx, deployment, pods)
	if err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, s.reportDeployment(ctx, deployment, pods, refused)
}

// makePods creates what is missing and ends what is too many. refused is why the
// API server would not take the pods; "" when it does.
func (s *stage) makePods(ctx context.Context, deployment *appsv1.Deployment, pods []corev1.Pod) (refused string, err error) {
	if refused, err := s.refusePods(ctx, deployment, deployment.Spec.Template.Spec.ServiceAccountName); refused != "" || err != nil {
		return refused, err
	}
	there := map[string]bool{}
	for i := range pods {
		there[pods[i].Name] = true
	}
	size := int(ptr.Deref(deployment.Spec.Replicas, 1))
	for i := range size {
		if there[podName(deployment.Name, i)] {
			continue
		}
		pod := newPod(deployment, podName(deployment.Name, i), &deployment.Spec.Template, "Deployment")
		if err := s.gate(ctx, pod, deployment.Name); err != nil {
			return "", err
		}
		if err := s.Create(ctx, pod); err != nil {
			return "", err
		}
	}
	for i := size; i < len(pods); i++ {
		if err := s.end(ctx, pods[i:i+1]); err != nil {
			return "", err
		}
	}
	return "", nil
}

// refusePods is why the API server would not take pods of an owner: their
// ServiceAccount does not exist; "" when it does.
func (s *stage) refusePods(ctx context.Context, owner client.Object, account string) (string, error) {
	if account == "" || account == "default" {
		return "", nil
	}
	err := s.Get(ctx, types.NamespacedName{Namespace: owner.GetNamespace(), Name: account}, &corev1.ServiceAccount{})
	if apierrors.IsNotFound(err) {
		return fmt.Sprintf("pods %q is forbidden: error looking up service account %s/%s: serviceaccount %q not found",
			owner.GetName()+"-5d4f-", owner.GetNamespace(), account, account), nil
	}
	return "", err
}

func podName(deployment string, i int) string { return fmt.Sprintf("%s-%03d", deployment, i) }

// newPod is scheduled already.
func newPod(owner client.Object, name string, template *corev1.PodTemplateSpec, kind string) *corev1.Pod {
	pod := &corev1.Pod{Spec: *template.Spec.DeepCopy()}
	pod.Namespace, pod.Name = owner.GetNamespace(), name
	pod.Labels, pod.Annotations = template.Labels, template.Annotations
	pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(owner, appsv1.SchemeGroupVersion.WithKind(kind))}
	pod.Spec.NodeName = "node"
	return pod
}

func (s *stage) reportDeployment(ctx context.Context, deployment *appsv1.Deployment, pods []corev1.Pod, refused string) error {
	ready := int32(0)
	for i := range pods {
		if isReady(&pods[i]) {
			ready++
		}
	}
	size, made := ptr.Deref(deployment.Spec.Replicas, 1), int32(len(pods))
	reported := deployment.DeepCopy()
	status := &reported.Status
	status.ObservedGeneration = deployment.Generation
	status.Replicas, status.UpdatedReplicas = made, made
	status.ReadyReplicas, status.AvailableReplicas = ready, ready
	status.UnavailableReplicas = max(0, size-ready)

	setDeploymentCondition(status, appsv1.DeploymentAvailable, ready >= size-maxUnavailable(deployment), "MinimumReplicas", "")
	skipWait(findDeploymentCondition(status, appsv1.DeploymentAvailable), findDeploymentCondition(&deployment.Status, appsv1.DeploymentAvailable))
	setDeploymentCondition(status, appsv1.DeploymentProgressing, true, "NewReplicaSetAvailable", "")
	if refused != "" || findDeploymentCondition(status, appsv1.DeploymentReplicaFailure) != nil {
		setDeploymentCondition(status, appsv1.DeploymentReplicaFailure, refused != "", "FailedCreate", refused)
	}
	if reflect.DeepEqual(reported.Status, deployment.Status) {
		return nil
	}
	return s.Status().Update(ctx, reported)
}

// minReady is more than any Deployment of Strata's asks for.
const minReady = 3 * time.Second

// skipWait dates availability that is new back, to before the wait for it that is
// spared here.
func skipWait(now, before *appsv1.DeploymentCondition) {
	isNew := before == nil || before.Status != now.Status
	if isNew && now.Status == corev1.ConditionTrue {
		now.LastTransitionTime = metav1.NewTime(now.LastTransitionTime.Add(-minReady))
	}
}

func maxUnavailable(deployment *appsv1.Deployment) int32 {
	allowed := intstr.FromString("25%")
	if rolling := deployment.Spec.Strategy.RollingUpdate; rolling != nil && rolling.MaxUnavailable != nil {
		allowed = *rolling.MaxUnavailable
	}
	pods, err := intstr.GetScaledValueFromIntOrPercent(&allowed, int(ptr.Deref(deployment.Spec.Replicas, 1)), false)
	if err != nil {
		return 0
	}
	return int32(pods)
}

func findDeploymentCondition(status *appsv1.DeploymentStatus, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range status.Conditions {
		if status.Conditions[i].Type == kind {
			return &status.Conditions[i]
		}
	}
	return nil
}

func setDeploymentCondition(status *appsv1.DeploymentStatus, kind appsv1.DeploymentConditionType, holds bool, reason, message string) {
	now, value := metav1.Now().Rfc3339Copy(), corev1.ConditionFalse
	if holds {
		value = corev1.ConditionTrue
	}
	condition := findDeploymentCondition(status, kind)
	if condition == nil {
		status.Conditions = append(status.Conditions, appsv1.DeploymentCondition{Type: kind, LastTransitionTime: now})
		condition = &status.Conditions[len(status.Conditions)-1]
	}
	if condition.Status == value && condition.Reason == reason && condition.Message == message {
		return
	}
	if condition.Status != value {
		condition.LastTransitionTime = now
	}
	condition.Status, condition.Reason, condition.Message, condition.LastUpdateTime = value, reason, message, now
}

// podsOf are the pods that an object controls, in the order of their names.
func (s *stage) podsOf(ctx context.Context, owner types.NamespacedName, kind string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := s.List(ctx, list, client.InNamespace(owner.Namespace)); err != nil {
		return nil, err
	}
	var pods []corev1.Pod
	for _, pod := range list.Items {
		if ref := metav1.GetControllerOf(&pod); ref != nil && ref.Kind == kind && ref.Name == owner.Name {
			pods = append(pods, pod)
		}
	}
	sortByName(pods)
	return pods, nil
}

// end deletes pods at once, as a kubelet does that has no work left.
func (s *stage) end(ctx context.Context, pods []corev1.Pod) error {
	for i := range pods {
		if err := s.Delete(ctx, &pods[i], client.GracePeriodSeconds(0)); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// deploymentsOf asks for all Deployments of a namespace.
func (s *stage) deploymentsOf(ctx context.Context, object client.Object) []reconcile.Request {
	list := &appsv1.DeploymentList{}
	if err := s.List(ctx, list, client.InNamespace(object.GetNamespace())); err != nil {
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}
