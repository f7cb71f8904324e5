package resources

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

func paths(errs field.ErrorList) []string {
	var list []string
	for _, err := range errs {
		list = append(list, err.Field+" "+string(err.Type))
	}
	return list
}

func TestCheckNames(t *testing.T) {
	tests := []struct {
		name    string
		release string
		change  func(*v1alpha1.ImmutableReleaseSpec)
		want    []string
	}{
		{"as it should be", "shop-1-4-2", func(*v1alpha1.ImmutableReleaseSpec) {}, nil},
		{"longest", strings.Repeat("r", 40), func(s *v1alpha1.ImmutableReleaseSpec) {
			s.TrackName = strings.Repeat("t", 40)
			s.Version = strings.Repeat("v", 63)
			s.Components[0].Name = strings.Repeat("c", 20)
			s.Tests[0].Name = strings.Repeat("t", 40)
		}, nil},
		{"too long", strings.Repeat("r", 41), func(s *v1alpha1.ImmutableReleaseSpec) {
			s.TrackName = strings.Repeat("t", 41)
			s.Version = strings.Repeat("v", 64)
			s.Components[0].Name = strings.Repeat("c", 21)
			s.Tests[0].Name = strings.Repeat("t", 41)
		}, []string{
			"metadata.name FieldValueInvalid", "spec.trackName FieldValueInvalid", "spec.version FieldValueInvalid",
			"spec.components[0].name FieldValueInvalid", "spec.tests[0].name FieldValueInvalid",
		}},
		{"not names", "Shop", func(s *v1alpha1.ImmutableReleaseSpec) {
			s.Version = "1.4 2"
			s.Components[0].Name = "web-front"
			s.Components[1].Name = "1api"
		}, []string{
			"metadata.name FieldValueInvalid", "spec.version FieldValueInvalid",
			"spec.components[0].name FieldValueInvalid", "spec.components[1].name FieldValueInvalid",
		}},
		{"no version", "shop-1-4-2", func(s *v1alpha1.ImmutableReleaseSpec) { s.Version = "" }, []string{"spec.version FieldValueRequired"}},
		{"twice", "shop-1-4-2", func(s *v1alpha1.ImmutableReleaseSpec) {
			s.Components[1].Name = "web"
			s.Tests[1].Name = "smoke"
		}, []string{"spec.components[1].name FieldValueDuplicate", "spec.tests[1].name FieldValueDuplicate"}},
		{"our variables", "shop-1-4-2", func(s *v1alpha1.ImmutableReleaseSpec) {
			s.Components[0].Template.Spec.InitContainers[0].Env = []corev1.EnvVar{{Name: "A"}, {Name: "STRATA_RELEASE"}}
			s.Components[0].Template.Spec.Containers[0].Env[1].Name = "STRATA_HOST_API"
			s.Tests[0].Template.Spec.Template.Spec.Containers[0].Env[0].Name = "STRATA_VERSION"
		}, []string{
			"spec.components[0].template.spec.initContainers[0].env[1].name FieldValueForbidden",
			"spec.components[0].template.spec.containers[0].env[1].name FieldValueForbidden",
			"spec.tests[0].template.spec.template.spec.containers[0].env[0].name FieldValueForbidden",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			rel := shop(t)
			test.change(&rel.Spec)
			if diff := cmp.Diff(test.want, paths(CheckNames(test.release, &rel.Spec))); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckTrackNames(t *testing.T) {
	if errs := CheckTrackNames("shop", &v1alpha1.ReleaseTrackSpec{}); errs != nil {
		t.Errorf("a track without routes: %v", errs)
	}
	spec := &v1alpha1.ReleaseTrackSpec{Traffic: &v1alpha1.TrafficSpec{Routes: []v1alpha1.Route{
		{Name: "public"}, {Name: "public"}, {Name: "Internal"}, {Name: strings.Repeat("r", MaxRouteName+1)},
	}}}
	want := []string{
		"metadata.name FieldValueInvalid",
		"spec.traffic.routes[1].name FieldValueDuplicate",
		"spec.traffic.routes[2].name FieldValueInvalid",
		"spec.traffic.routes[3].name FieldValueInvalid",
	}
	if diff := cmp.Diff(want, paths(CheckTrackNames(strings.Repeat("t", 41), spec))); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestForeignSelectors(t *testing.T) {
	service := func(name string, selector map[string]string) corev1.Service {
		s := corev1.Service{Spec: corev1.ServiceSpec{Selector: selector}}
		s.Name = name
		return s
	}
	external := service("external", map[string]string{"app": "shop"})
	external.Spec.Type = corev1.ServiceTypeExternalName
	pods := ComponentLabels(shop(t), "web")
	pods["app"] = "shop"
	got := ForeignSelectors([]corev1.Service{
		service("shop", map[string]string{"app": "shop"}),
		service("shop-1-4-2-web", Selector("shop-1-4-2", "web")),
		service("shop-1-4-1-web", Selector("shop-1-4-1", "web")),
		service("cart", map[string]string{"app": "cart"}),
		service("by-track", map[string]string{v1alpha1.LabelTrack: "shop"}),
		service("without", nil),
		external,
	}, pods)
	if diff := cmp.Diff([]string{"by-track", "shop"}, got); diff != "" {
		t.Errorf("foreign Services (-want +got):\n%s", diff)
	}
}
