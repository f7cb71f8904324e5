package snapshot

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// Reference is a ConfigMap or Secret of the release's namespace whose content is
// frozen with the release.
type Reference struct {
	Kind v1alpha1.ConfigKind
	Name string
	// Declared: the author listed it under config.frozen, so it is frozen although
	// something rotates it.
	Declared bool
}

// References lists what the components and tests of a release read, each object
// once, by kind and name: every ConfigMap and Secret that a template names but
// those left live by config.dynamic.
func References(spec *v1alpha1.ImmutableReleaseSpec) []Reference {
	dynamic, frozen := declared(spec)
	seen := map[v1alpha1.ConfigReference]bool{}
	var list []Reference
	visitTemplates(spec, func(use resources.ConfigUse) {
		key := v1alpha1.ConfigReference{Kind: use.Kind, Name: *use.Name}
		if seen[key] || dynamic[key] || key.Name == "" {
			return
		}
		seen[key] = true
		list = append(list, Reference{Kind: key.Kind, Name: key.Name, Declared: frozen[key]})
	})
	slices.SortFunc(list, func(a, b Reference) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// Check says at admission which references to configuration cannot be frozen: an
// optional one, because a release must not depend on what was there by chance,
// and one without a name. It also refuses contradictions within spec.config.
func Check(spec *v1alpha1.ImmutableReleaseSpec) field.ErrorList {
	var errs field.ErrorList
	dynamic, frozen := declared(spec)
	read := map[v1alpha1.ConfigReference]bool{}
	visitTemplates(spec, func(use resources.ConfigUse) {
		key := v1alpha1.ConfigReference{Kind: use.Kind, Name: *use.Name}
		read[key] = true
		switch {
		case key.Name == "":
			errs = append(errs, field.Required(use.Path, fmt.Sprintf("names no %s", use.Kind)))
		case use.Optional && !dynamic[key]:
			errs = append(errs, field.Invalid(use.Path.Child("optional"), true, fmt.Sprintf(
				"%s %s is frozen with the release and cannot be optional: remove optional, or list it under spec.config.dynamic",
				use.Kind, key.Name)))
		}
	})
	if spec.Config == nil {
		return errs
	}
	for i, ref := range spec.Config.Frozen {
		if dynamic[ref] {
			errs = append(errs, field.Invalid(field.NewPath("spec", "config", "frozen").Index(i), ref.Name,
				fmt.Sprintf("%s %s is listed under dynamic too", ref.Kind, ref.Name)))
		}
	}
	for i, expected := range spec.Config.Expect {
		key := v1alpha1.ConfigReference{Kind: expected.Kind, Name: expected.Name}
		path := field.NewPath("spec", "config", "expect").Index(i)
		switch {
		case dynamic[key] && !frozen[key]:
			errs = append(errs, field.Invalid(path, expected.Name,
				fmt.Sprintf("%s %s is listed under dynamic, and so has no fixed content", key.Kind, key.Name)))
		case !read[key]:
			errs = append(errs, field.Invalid(path, expected.Name,
				fmt.Sprintf("no template reads %s %s, and so nothing waits for its content: correct the name, or leave it out", key.Kind, key.Name)))
		}
	}
	return errs
}

func declared(spec *v1alpha1.ImmutableReleaseSpec) (dynamic, frozen map[v1alpha1.ConfigReference]bool) {
	dynamic, frozen = map[v1alpha1.ConfigReference]bool{}, map[v1alpha1.ConfigReference]bool{}
	if spec.Config != nil {
		for _, ref := range spec.Config.Dynamic {
			dynamic[ref] = true
		}
		for _, ref := range spec.Config.Frozen {
			frozen[ref] = true
		}
	}
	return dynamic, frozen
}

// visitTemplates visits the references of all components, then of all tests. The
// spec is shared with a cache: visit must not write.
func visitTemplates(spec *v1alpha1.ImmutableReleaseSpec, visit func(resources.ConfigUse)) {
	root := field.NewPath("spec")
	each := func(pod *corev1.PodSpec, path *field.Path) { resources.VisitConfig(pod, path, visit) }
	for i := range spec.Components {
		each(&spec.Components[i].Template.Spec, root.Child("components").Index(i).Child("template", "spec"))
	}
	for i := range spec.Tests {
		each(&spec.Tests[i].Template.Spec.Template.Spec, root.Child("tests").Index(i).Child("template", "spec", "template", "spec"))
	}
}
