package resources

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// images lists every image of a release in the order written: init containers,
// containers and image volumes of each component, then of each test, whose
// containers stand as <test>/<container>.
func images(spec *v1alpha1.ImmutableReleaseSpec) []v1alpha1.RecordedImage {
	var list []v1alpha1.RecordedImage
	for i := range spec.Components {
		component := &spec.Components[i]
		list = appendImages(list, component.Name, "", &component.Template.Spec)
	}
	for i := range spec.Tests {
		test := &spec.Tests[i]
		list = appendImages(list, "", test.Name+"/", &test.Template.Spec.Template.Spec)
	}
	return list
}

func appendImages(list []v1alpha1.RecordedImage, component, prefix string, spec *corev1.PodSpec) []v1alpha1.RecordedImage {
	add := func(name, image string) {
		list = append(list, v1alpha1.RecordedImage{Component: component, Container: prefix + name, Image: image})
	}
	for i := range spec.InitContainers {
		add(spec.InitContainers[i].Name, spec.InitContainers[i].Image)
	}
	for i := range spec.Containers {
		add(spec.Containers[i].Name, spec.Containers[i].Image)
	}
	for i := range spec.Volumes {
		if image := spec.Volumes[i].Image; image != nil {
			add(spec.Volumes[i].Name, image.Reference)
		}
	}
	return list
}
