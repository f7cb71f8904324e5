package resources

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
)

// ReleaseLabels are the labels of every object that a release owns.
func ReleaseLabels(rel *v1alpha1.ImmutableRelease) map[string]string {
	return map[string]string{
		v1alpha1.LabelTrack:   rel.Spec.TrackName,
		v1alpha1.LabelRelease: rel.Name,
		v1alpha1.LabelVersion: rel.Spec.Version,
	}
}

// ComponentLabels are the labels of a component's Deployment, Service and pods.
func ComponentLabels(rel *v1alpha1.ImmutableRelease, component string) map[string]string {
	labels := ReleaseLabels(rel)
	labels[v1alpha1.LabelComponent] = component
	return labels
}

// Selector are the labels that select the pods of a component: these two alone,
// so that no later label can make two releases share pods.
func Selector(release, component string) map[string]string {
	return map[string]string{
		v1alpha1.LabelRelease:   release,
		v1alpha1.LabelComponent: component,
	}
}

// TestLabels are the labels of a test's Job and pods, but for the attempt. They
// carry no component: no Service of a release selects the pods of a test.
func TestLabels(rel *v1alpha1.ImmutableRelease, test string) map[string]string {
	labels := ReleaseLabels(rel)
	labels[v1alpha1.LabelTest] = test
	return labels
}

// OwnerReference makes a release the controller of its child. It does not block
// the deletion of the release: nothing here waits for anything to be gone.
func OwnerReference(rel *v1alpha1.ImmutableRelease) metav1.OwnerReference {
	return metav1.OwnerReference{
		APIVersion: v1alpha1.GroupVersion.String(),
		Kind:       "ImmutableRelease",
		Name:       rel.Name,
		UID:        rel.UID,
		Controller: ptr.To(true),
	}
}

// authorsOwn copies labels or annotations but for those under the reserved
// prefix, and adds ours.
func authorsOwn(written, ours map[string]string) map[string]string {
	merged := make(map[string]string, len(written)+len(ours))
	for key, value := range written {
		if !strings.HasPrefix(key, v1alpha1.ReservedPrefix) {
			merged[key] = value
		}
	}
	for key, value := range ours {
		merged[key] = value
	}
	if len(merged) == 0 {
		return nil
	}
	return merged
}
