package resources

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/strata-release/strata/api/v1alpha1"
)

// ForeignSelectors names the Services that would send traffic to pods with these
// labels although they are not the release's own: whatever gates hold the
// release back, traffic would reach it by them. Our own Services select by
// release and component, and so by the pods' own values alone.
func ForeignSelectors(services []corev1.Service, podLabels map[string]string) []string {
	var names []string
	for i := range services {
		service := &services[i]
		if len(service.Spec.Selector) == 0 || service.Spec.Type == corev1.ServiceTypeExternalName {
			continue
		}
		if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(podLabels)) {
			continue
		}
		if !isReleaseService(service, podLabels) {
			names = append(names, service.Name)
		}
	}
	slices.Sort(names)
	return names
}

// isReleaseService says whether a Service is the one of the pods' own component.
func isReleaseService(service *corev1.Service, podLabels map[string]string) bool {
	return service.Name == ChildName(podLabels[v1alpha1.LabelRelease], podLabels[v1alpha1.LabelComponent])
}
