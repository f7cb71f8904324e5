package resources

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// traces are the labels and annotations by which tools find what they manage.
var traces = []struct{ key, value, tool string }{
	{"argocd.argoproj.io/tracking-id", "", "Argo CD"},
	{"argocd.argoproj.io/instance", "", "Argo CD"},
	{"app.kubernetes.io/instance", "", "Argo CD or Helm"},
	{"kustomize.toolkit.fluxcd.io/name", "", "Flux"},
	{"helm.toolkit.fluxcd.io/name", "", "Flux"},
	{"meta.helm.sh/release-name", "", "Helm"},
	{"app.kubernetes.io/managed-by", "Helm", "Helm"},
}

// OwnerOf names who would create an object again if it were deleted, by what GitOps
// tools leave on it; "" for nobody.
func OwnerOf(meta metav1.Object) string {
	for _, owner := range meta.GetOwnerReferences() {
		return fmt.Sprintf("%s %s", owner.Kind, owner.Name)
	}
	for _, trace := range traces {
		for _, set := range []map[string]string{meta.GetAnnotations(), meta.GetLabels()} {
			if value, ok := set[trace.key]; ok && (trace.value == "" || trace.value == value) {
				return trace.tool
			}
		}
	}
	return ""
}
