package validation

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// verbs are what a user needs on the track, by action.
var verbs = map[v1alpha1.ActionType]string{
	v1alpha1.ActionApprove:    "approve",
	v1alpha1.ActionAbort:      "abort",
	v1alpha1.ActionRetry:      "retry",
	v1alpha1.ActionRollback:   "rollback",
	v1alpha1.ActionSkipHold:   "skip",
	v1alpha1.ActionBreakGlass: "breakglass",
}

// Verb is the RBAC verb on releasetracks/<name> that an action needs; a verb that
// no role grants for an action that does not exist.
func Verb(action v1alpha1.ActionType) string {
	if verb, ok := verbs[action]; ok {
		return verb
	}
	return "unknown"
}

// ValidateAction says what is wrong with an action beyond its schema. username is
// the user who creates it.
func ValidateAction(action *v1alpha1.ReleaseAction, username string) field.ErrorList {
	spec, path := &action.Spec, field.NewPath("spec")
	errs := CheckSupported("ReleaseAction", action)
	if spec.Requester != username {
		errs = append(errs, field.Invalid(path.Child("requester"), spec.Requester, fmt.Sprintf(
			"must be the user who creates the action: %s", username)))
	}
	need := func(missing bool, name string) {
		if missing {
			errs = append(errs, field.Required(path.Child(name), fmt.Sprintf(
				"%s is about one attempt and step: see the status of the track", spec.Action)))
		}
	}
	switch spec.Action {
	case v1alpha1.ActionApprove, v1alpha1.ActionSkipHold:
		need(spec.Attempt == nil, "attempt")
		need(spec.WeightPercent == nil, "weightPercent")
	case v1alpha1.ActionAbort:
		need(spec.Attempt == nil, "attempt")
	}
	return errs
}
