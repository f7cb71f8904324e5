package operator

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
)

// CacheOptions bound what the operator holds in memory and may see: its own
// kinds whole, of namespaces the metadata, and of every other kind only what carries
// the label of a track. What objects have in common is held once.
// The selector is the default, not one for each kind, so that a kind the cluster
// does not serve (yet) keeps no manager from starting.
func CacheOptions() cache.Options {
	shared := newSharing()
	everything := cache.ByObject{Label: labels.Everything()}
	authored := cache.ByObject{Label: labels.Everything(), Transform: shared.after(slimAuthored)}
	return cache.Options{
		DefaultLabelSelector: ofTrack(),
		DefaultTransform:     shared.after(func(client.Object) {}),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.ImmutableRelease{}: authored,
			&v1alpha1.ReleaseTrack{}:     authored,
			&v1alpha1.ReleaseRecord{}:    everything,
			&v1alpha1.ReleaseAction{}:    everything,
			&v1alpha1.ReleasePolicy{}:    everything,
			policy.NamespaceMetadata():   everything,
			&corev1.Pod{}:                {Transform: shared.after(slimPod)},
			&discoveryv1.EndpointSlice{}: {Transform: shared.after(slimEndpoints)},
		},
	}
}

// ClientOptions keep ConfigMaps and Secrets out of the cache: the operator may
// get one by name, and neither list nor watch them.
func ClientOptions() client.Options {
	return client.Options{Cache: &client.CacheOptions{
		DisableFor: []client.Object{&corev1.ConfigMap{}, &corev1.Secret{}},
	}}
}

func ofTrack() labels.Selector {
	requirement, err := labels.NewRequirement(v1alpha1.LabelTrack, selection.Exists, nil)
	if err != nil {
		panic("the label of a track is no label: " + err.Error())
	}
	return labels.NewSelector().Add(*requirement)
}

// imagesOf leaves of containers what they run.
func imagesOf(containers []corev1.Container) []corev1.Container {
	slim := make([]corev1.Container, len(containers))
	for i := range containers {
		slim[i] = corev1.Container{Name: containers[i].Name, Image: containers[i].Image}
	}
	return slim
}

// slimAuthored takes from what people apply the text of all of it, which kubectl notes
// beside. Of these kinds the operator patches what it changes, and writes none as a whole.
func slimAuthored(object client.Object) {
	if _, noted := object.GetAnnotations()[corev1.LastAppliedConfigAnnotation]; noted {
		annotations := maps.Clone(object.GetAnnotations())
		delete(annotations, corev1.LastAppliedConfigAnnotation)
		object.SetAnnotations(annotations)
	}
}

// slimEndpoints leaves of endpoints whose they are, and whether they are ready. They are
// never written.
func slimEndpoints(object client.Object) {
	endpoints, ok := object.(*discoveryv1.EndpointSlice)
	if !ok {
		return
	}
	endpoints.ObjectMeta = metav1.ObjectMeta{
		Name: endpoints.Name, Namespace: endpoints.Namespace, UID: endpoints.UID, ResourceVersion: endpoints.ResourceVersion, Labels: endpoints.Labels,
	}
	slim := make([]discoveryv1.Endpoint, len(endpoints.Endpoints))
	for i, e := range endpoints.Endpoints {
		slim[i] = discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: discoveryv1.EndpointConditions{Ready: e.Conditions.Ready}}
		if e.TargetRef != nil {
			slim[i].TargetRef = &corev1.ObjectReference{UID: e.TargetRef.UID}
		}
	}
	endpoints.Endpoints = slim
}

// statusesOf leaves of containers what they run, and how they fare.
func statusesOf(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	slim := make([]corev1.ContainerStatus, len(statuses))
	for i, s := range statuses {
		slim[i] = corev1.ContainerStatus{
			Name: s.Name, Image: s.Image, ImageID: s.ImageID, State: s.State, LastTerminationState: s.LastTerminationState,
			Ready: s.Ready, RestartCount: s.RestartCount, Started: s.Started,
		}
	}
	return slim
}

// slimPod leaves of a pod who it is, whose it is, what it runs and how it fares. Pods are the
// most numerous and the largest of what is cached, and never written.
func slimPod(object client.Object) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return
	}
	pod.ObjectMeta = metav1.ObjectMeta{
		Name:              pod.Name,
		Namespace:         pod.Namespace,
		UID:               pod.UID,
		ResourceVersion:   pod.ResourceVersion,
		CreationTimestamp: pod.CreationTimestamp,
		DeletionTimestamp: pod.DeletionTimestamp,
		Labels:            pod.Labels,
		OwnerReferences:   pod.OwnerReferences,
	}
	pod.Spec = corev1.PodSpec{
		NodeName: pod.Spec.NodeName, ReadinessGates: pod.Spec.ReadinessGates,
		InitContainers: imagesOf(pod.Spec.InitContainers), Containers: imagesOf(pod.Spec.Containers),
	}
	pod.Status = corev1.PodStatus{
		Phase: pod.Status.Phase, Reason: pod.Status.Reason, Message: pod.Status.Message, Conditions: pod.Status.Conditions,
		InitContainerStatuses: statusesOf(pod.Status.InitContainerStatuses), ContainerStatuses: statusesOf(pod.Status.ContainerStatuses),
	}
}
