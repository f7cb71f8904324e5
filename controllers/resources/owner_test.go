package resources

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOwnerOf(t *testing.T) {
	for name, c := range map[string]struct {
		meta metav1.ObjectMeta
		want string
	}{
		"kubectl":           {metav1.ObjectMeta{Annotations: map[string]string{"kubectl.kubernetes.io/last-applied-configuration": "{}"}, Labels: map[string]string{"app": "shop"}}, ""},
		"Argo CD":           {metav1.ObjectMeta{Annotations: map[string]string{"argocd.argoproj.io/tracking-id": "shop:strata.dev/ImmutableRelease:shop/shop-1"}}, "Argo CD"},
		"Argo CD, by label": {metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/instance": "shop"}}, "Argo CD or Helm"},
		"a sync option":     {metav1.ObjectMeta{Annotations: map[string]string{"argocd.argoproj.io/sync-options": "Prune=false"}}, ""},
		"Flux":              {metav1.ObjectMeta{Labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux"},
		"Flux, by Helm":     {metav1.ObjectMeta{Labels: map[string]string{"helm.toolkit.fluxcd.io/name": "shop"}}, "Flux"},
		"Helm":              {metav1.ObjectMeta{Annotations: map[string]string{"meta.helm.sh/release-name": "shop"}}, "Helm"},
		"Helm, by label":    {metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"}}, "Helm"},
		"another manager":   {metav1.ObjectMeta{Labels: map[string]string{"app.kubernetes.io/managed-by": "jane"}}, ""},
		"an owner":          {metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{{Kind: "Application", Name: "shop"}}}, "Application shop"},
	} {
		if got := OwnerOf(&c.meta); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
