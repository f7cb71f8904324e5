package validation

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/snapshot"
)

// ValidateRelease says what is wrong with a release beyond its schema; nothing
// for one that the operator can seal and build. It does not look at metadata but
// for the name.
func ValidateRelease(rel *v1alpha1.ImmutableRelease) field.ErrorList {
	spec, path := &rel.Spec, field.NewPath("spec")
	errs := CheckSupported("ImmutableRelease", rel)
	errs = append(errs, resources.CheckNames(rel.Name, spec)...)
	errs = append(errs, snapshot.Check(spec)...)
	if len(spec.Components) == 0 {
		errs = append(errs, field.Required(path.Child("components"), "a release has 1 to 16 components"))
	}
	for i := range spec.Components {
		errs = append(errs, validateComponent(&spec.Components[i], path.Child("components").Index(i))...)
	}
	for i := range spec.Tests {
		errs = append(errs, validateTest(&spec.Tests[i], path.Child("tests").Index(i))...)
	}
	return unique(errs)
}

// ValidatePromotions says which promotions of a release are of another content than its own.
func ValidatePromotions(rel *v1alpha1.ImmutableRelease, contentDigest string) field.ErrorList {
	var errs field.ErrorList
	for i, p := range rel.Spec.Promotions {
		if p.ContentDigest != contentDigest {
			errs = append(errs, field.Invalid(field.NewPath("spec", "promotions").Index(i).Child("contentDigest"), p.ContentDigest, fmt.Sprintf(
				"the content of this release is %s, and so this promotion is of another: leave it out, or publish what was promoted", contentDigest)))
		}
	}
	return errs
}

// unique drops what two checks said of one field: a field is forbidden, or
// missing, for one reason.
func unique(errs field.ErrorList) field.ErrorList {
	seen := map[string]bool{}
	kept := errs[:0:0]
	for _, err := range errs {
		key := fmt.Sprint(err.Field, "\x00", err.Type)
		if err.Type == field.ErrorTypeInvalid {
			key += "\x00" + err.Detail
		}
		if !seen[key] {
			seen[key] = true
			kept = append(kept, err)
		}
	}
	return kept
}
