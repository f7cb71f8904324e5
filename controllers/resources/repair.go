package resources

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Object is a child of a release.
type Object interface {
	metav1.Object
	runtime.Object
}

// Repaired is a live object with the labels and the spec of the child, which has its
// kind; the size of a Deployment stays, and so do the addresses that the cluster chose.
// Neither is changed. Kinds that no component has are answered with nil.
func Repaired(child, live Object) Object {
	repaired := live.DeepCopyObject().(Object)
	switch o := repaired.(type) {
	case *appsv1.Deployment:
		replicas := o.Spec.Replicas
		o.Spec = child.(*appsv1.Deployment).DeepCopy().Spec
		o.Spec.Replicas = replicas
	case *autoscalingv2.HorizontalPodAutoscaler:
		o.Spec = child.(*autoscalingv2.HorizontalPodAutoscaler).DeepCopy().Spec
	case *policyv1.PodDisruptionBudget:
		o.Spec = child.(*policyv1.PodDisruptionBudget).DeepCopy().Spec
	case *corev1.Service:
		chosen := o.Spec
		o.Spec = child.(*corev1.Service).DeepCopy().Spec
		o.Spec.ClusterIP, o.Spec.ClusterIPs = chosen.ClusterIP, chosen.ClusterIPs
		o.Spec.IPFamilies, o.Spec.IPFamilyPolicy = chosen.IPFamilies, chosen.IPFamilyPolicy
	default:
		return nil
	}
	labels := maps.Clone(live.GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, child.GetLabels())
	repaired.SetLabels(labels)
	return repaired
}

// PodDifference says in which of its containers a pod does not run what the template
// names; "" where it does, or nothing tells. Containers that the template does not
// have, as injectors add them, are not looked at.
func PodDifference(template *corev1.PodSpec, pod *corev1.Pod) string {
	for _, list := range []struct {
		path         string
		sealed, runs []corev1.Container
	}{
		{"initContainers", template.InitContainers, pod.Spec.InitContainers},
		{"containers", template.Containers, pod.Spec.Containers},
	} {
		for _, sealed := range list.sealed {
			for _, runs := range list.runs {
				if runs.Name == sealed.Name && runs.Image != sealed.Image {
					return fmt.Sprintf("spec.%s[%s].image is %s, sealed %s", list.path, sealed.Name, runs.Image, sealed.Image)
				}
			}
		}
	}
	return ""
}

// ImageDifference says which container of a pod runs another image than the reference
// that was sealed; "" where none does, or nothing tells. known are, by reference, the
// digests that an image runs under beside its own: those of its platforms. Where they
// are not known, or a node reports the digest of a configuration, that cannot be judged.
func ImageDifference(template *corev1.PodSpec, pod *corev1.Pod, known map[string][]string) string {
	for _, list := range []struct {
		path   string
		sealed []corev1.Container
		runs   []corev1.ContainerStatus
	}{
		{"initContainerStatuses", template.InitContainers, pod.Status.InitContainerStatuses},
		{"containerStatuses", template.Containers, pod.Status.ContainerStatuses},
	} {
		for _, sealed := range list.sealed {
			for _, runs := range list.runs {
				if runs.Name == sealed.Name && differentImage(sealed.Image, runs.ImageID, known[sealed.Image]) {
					return fmt.Sprintf("status.%s[%s].imageID is %s, sealed %s", list.path, sealed.Name, runs.ImageID, sealed.Image)
				}
			}
		}
	}
	return ""
}

func differentImage(reference, id string, known []string) bool {
	_, digest, ofManifest := strings.Cut(id, "@")
	_, sealed, _ := strings.Cut(reference, "@")
	return ofManifest && len(known) > 0 && digest != sealed && !slices.Contains(known, digest)
}
