package resources

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// TemplateRelease is the release that a track creates from its template, as far as Go
// types hold it, to be checked and compared; nil without a template. It shares memory
// with the track. What is created is made of what the API server stored.
func TemplateRelease(track *v1alpha1.ReleaseTrack) *v1alpha1.ImmutableRelease {
	template := track.Spec.ReleaseTemplate
	if template == nil {
		return nil
	}
	return &v1alpha1.ImmutableRelease{
		ObjectMeta: metav1.ObjectMeta{Namespace: track.Namespace, Name: ReleaseName(track.Name, template.Version)},
		Spec:       v1alpha1.ImmutableReleaseSpec{TrackName: track.Name, ReleaseTemplate: *template},
	}
}
