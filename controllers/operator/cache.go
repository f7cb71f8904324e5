package operator

import (
	corev1 "k8s.io/api/core/v1"
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
// the label of a track.
// The selector is the default, not one for each kind, so that a kind the cluster
// does not serve (yet) keeps no manager from starting.
func CacheOptions() cache.Options {
	everything := cache.ByObject{Label: labels.Everything()}
	return cache.Options{
		DefaultLabelSelector: ofTrack(),
		DefaultTransform:     cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&v1alpha1.ImmutableRelease{}: everything,
			&v1alpha1.ReleaseTrack{}:     everything,
			&v1alpha1.ReleaseRecord{}:    everything,
			&v1alpha1.ReleaseAction{}:    everything,
			&v1alpha1.ReleasePolicy{}:    everything,
			policy.NamespaceMetadata():   everything,
			&corev1.Pod{}:                {Transform: slimPod},
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

// slimPod leaves of a pod who it is, whose it is, what it runs and how it fares. Pods are the
// most numerous and the largest of what is cached, and never written.
func slimPod(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return object, nil
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
	return pod, nil
}
