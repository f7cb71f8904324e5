package resources

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// CheckNames says at admission what would keep the children of a release from
// being created under their derived names: a name that is too long or not a name,
// two children of one name, and variables that only Strata sets.
func CheckNames(release string, spec *v1alpha1.ImmutableReleaseSpec) field.ErrorList {
	root := field.NewPath("spec")
	errs := checkName(field.NewPath("metadata", "name"), release, MaxReleaseName)
	errs = append(errs, checkName(root.Child("trackName"), spec.TrackName, MaxTrackName)...)
	errs = append(errs, checkLabelValue(root.Child("version"), spec.Version)...)

	seen := map[string]bool{}
	for i := range spec.Components {
		component, path := &spec.Components[i], root.Child("components").Index(i)
		errs = append(errs, checkPlainName(path.Child("name"), component.Name, MaxComponentName)...)
		errs = append(errs, checkUnique(path.Child("name"), component.Name, seen)...)
		errs = append(errs, checkVariables(path.Child("template", "spec"), &component.Template.Spec)...)
	}
	seen = map[string]bool{}
	for i := range spec.Tests {
		test, path := &spec.Tests[i], root.Child("tests").Index(i)
		errs = append(errs, checkName(path.Child("name"), test.Name, MaxTestName)...)
		errs = append(errs, checkUnique(path.Child("name"), test.Name, seen)...)
		errs = append(errs, checkVariables(path.Child("template", "spec", "template", "spec"), &test.Template.Spec.Template.Spec)...)
	}
	return errs
}

// CheckTrackNames says the same of a track and its routes.
func CheckTrackNames(track string, spec *v1alpha1.ReleaseTrackSpec) field.ErrorList {
	errs := checkName(field.NewPath("metadata", "name"), track, MaxTrackName)
	if spec.Traffic == nil {
		return errs
	}
	seen := map[string]bool{}
	for i := range spec.Traffic.Routes {
		route, path := &spec.Traffic.Routes[i], field.NewPath("spec", "traffic", "routes").Index(i)
		errs = append(errs, checkName(path.Child("name"), route.Name, MaxRouteName)...)
		errs = append(errs, checkUnique(path.Child("name"), route.Name, seen)...)
	}
	return errs
}

// checkName wants a DNS-1035 label of at most limit characters.
func checkName(path *field.Path, name string, limit int) field.ErrorList {
	var errs field.ErrorList
	for _, problem := range validation.IsDNS1035Label(name) {
		errs = append(errs, field.Invalid(path, name, problem))
	}
	if len(name) > limit {
		errs = append(errs, field.Invalid(path, name, fmt.Sprintf(
			"has %d characters, of %d at most, so that the names derived from it fit", len(name), limit)))
	}
	return errs
}

// checkPlainName wants such a label without a hyphen: <release>-<component>
// would otherwise not tell where the component's name begins.
func checkPlainName(path *field.Path, name string, limit int) field.ErrorList {
	errs := checkName(path, name, limit)
	if len(errs) == 0 && !plainName.MatchString(name) {
		errs = append(errs, field.Invalid(path, name,
			"must be lower-case letters and digits without a hyphen, so that <release>-<name> is unique"))
	}
	return errs
}

func checkLabelValue(path *field.Path, value string) field.ErrorList {
	var errs field.ErrorList
	if value == "" {
		errs = append(errs, field.Required(path, "every release has a version"))
	}
	for _, problem := range validation.IsValidLabelValue(value) {
		errs = append(errs, field.Invalid(path, value, problem))
	}
	return errs
}

func checkUnique(path *field.Path, name string, seen map[string]bool) field.ErrorList {
	if seen[name] {
		return field.ErrorList{field.Duplicate(path, name)}
	}
	seen[name] = true
	return nil
}

// checkVariables refuses what would override the variables that Strata puts
// first: of two entries with one name, Kubernetes takes the last.
func checkVariables(path *field.Path, spec *corev1.PodSpec) field.ErrorList {
	var errs field.ErrorList
	check := func(containers []corev1.Container, path *field.Path) {
		for i := range containers {
			for j := range containers[i].Env {
				name := containers[i].Env[j].Name
				if name == v1alpha1.EnvRelease || name == v1alpha1.EnvVersion || strings.HasPrefix(name, v1alpha1.EnvHostPrefix) {
					errs = append(errs, field.Forbidden(path.Index(i).Child("env").Index(j).Child("name"),
						name+" is set by Strata; use another name"))
				}
			}
		}
	}
	check(spec.InitContainers, path.Child("initContainers"))
	check(spec.Containers, path.Child("containers"))
	return errs
}
