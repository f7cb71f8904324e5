package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// defaultMaxSeconds is the longest time of a BreakGlass where a policy says nothing.
const defaultMaxSeconds = 3600

// InteractiveAccess is the most restrictive answer, and the policy that gives it; ""
// where none does.
func (e Effective) InteractiveAccess() (mode v1alpha1.PolicyMode, policyName string) {
	return e.mode(func(spec *v1alpha1.ReleasePolicySpec) v1alpha1.PolicyMode {
		return v1alpha1.PolicyMode(spec.InteractiveAccess)
	})
}

// BreakGlass is what each policy that speaks of it lets people open; none: nobody may
// open anything.
func (e Effective) BreakGlass() []v1alpha1.EffectiveBreakGlass {
	var all []v1alpha1.EffectiveBreakGlass
	for i := range e.policies {
		said := e.policies[i].Spec.BreakGlass
		if said == nil {
			continue
		}
		longest := int32(defaultMaxSeconds)
		if said.MaxSeconds != nil {
			longest = *said.MaxSeconds
		}
		all = append(all, v1alpha1.EffectiveBreakGlass{
			PolicyName: e.policies[i].Name, Groups: said.Groups, Ticket: cmp.Or(said.Ticket, v1alpha1.TicketRequired), MaxSeconds: longest,
		})
	}
	return all
}

// MayBreakGlass says why somebody in these groups may not have interactive access
// opened; "" for who may.
func (e Effective) MayBreakGlass(groups []string) string {
	all := e.BreakGlass()
	if len(all) == 0 {
		return "no ReleasePolicy of the namespace has spec.breakGlass: nobody may"
	}
	for _, p := range all {
		if !slices.ContainsFunc(groups, func(group string) bool { return slices.Contains(p.Groups, group) }) {
			return fmt.Sprintf("ReleasePolicy %s lets members of %s alone, and the user is none", p.PolicyName, strings.Join(p.Groups, ", "))
		}
	}
	return ""
}

// CheckBreakGlass says what of a BreakGlass of a user in these groups is not allowed.
func (e Effective) CheckBreakGlass(spec *v1alpha1.ReleaseActionSpec, groups []string) field.ErrorList {
	path := field.NewPath("spec")
	if why := e.MayBreakGlass(groups); why != "" {
		return field.ErrorList{field.Forbidden(path.Child("action"), why)}
	}
	if strings.Contains(spec.Requester, "\n") {
		return field.ErrorList{field.Forbidden(path.Child("requester"), "what is open is written a line a user: nothing is opened to a name with a line break")}
	}
	seconds, unset := int32(v1alpha1.DefaultBreakGlassSeconds), " (what it is when unset)"
	if spec.DurationSeconds != nil {
		seconds, unset = *spec.DurationSeconds, ""
	}
	var errs field.ErrorList
	for _, p := range e.BreakGlass() {
		if p.Ticket == v1alpha1.TicketRequired && spec.Ticket == "" {
			errs = append(errs, field.Required(path.Child("ticket"), fmt.Sprintf("ReleasePolicy %s asks for a ticket: name the one that this is for", p.PolicyName)))
		}
		if seconds > p.MaxSeconds {
			errs = append(errs, field.Invalid(path.Child("durationSeconds"), seconds, fmt.Sprintf("must be at most %d by ReleasePolicy %s%s", p.MaxSeconds, p.PolicyName, unset)))
		}
	}
	return errs
}
