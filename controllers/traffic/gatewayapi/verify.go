package gatewayapi

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/controllers/traffic"
)

// doubt is why a route is not verified: a reason, a sentence, and the parent that
// it is about.
type doubt struct {
	reason  string
	message string
	parent  gatewayv1.ParentReference
}

// verify asks whether every parent that the spec names reports the route, as it
// is now, as accepted and resolved; nil when all do. A parent may be reported on
// by several controllers: all of them must agree. Unknown is not verified.
func verify(route routeObject) *doubt {
	parents := route.common().ParentRefs
	if len(parents) == 0 {
		return &doubt{reason: traffic.ReasonNotReported, message: "the route has no parent"}
	}
	for _, ref := range parents {
		reports := reportsOn(route, ref)
		if len(reports) == 0 {
			return &doubt{traffic.ReasonNotReported, parentName(route, ref) + " has not reported on the route: see that its controller runs, and that a listener of it takes the route", ref}
		}
		for _, report := range reports {
			if d := verifyReport(route, ref, report); d != nil {
				return d
			}
		}
	}
	return nil
}

func verifyReport(route routeObject, ref gatewayv1.ParentReference, report gatewayv1.RouteParentStatus) *doubt {
	checks := []struct {
		condition gatewayv1.RouteConditionType
		reason    string
		verb      string
	}{
		{gatewayv1.RouteConditionAccepted, traffic.ReasonNotAccepted, "does not accept the route"},
		{gatewayv1.RouteConditionResolvedRefs, traffic.ReasonNotResolved, "cannot resolve what the route refers to"},
	}
	for _, check := range checks {
		condition := meta.FindStatusCondition(report.Conditions, string(check.condition))
		if condition == nil || condition.ObservedGeneration < route.GetGeneration() {
			return &doubt{traffic.ReasonNotReported, fmt.Sprintf("%s has not reported %s for generation %d of the route",
				parentName(route, ref), check.condition, route.GetGeneration()), ref}
		}
		if condition.Status != metav1.ConditionTrue {
			return &doubt{check.reason, fmt.Sprintf("%s %s: %s", parentName(route, ref), check.verb, words(condition)), ref}
		}
	}
	// A parent that drops the rules it does not understand may still accept the rest.
	if partial := meta.FindStatusCondition(report.Conditions, string(gatewayv1.RouteConditionPartiallyInvalid)); partial != nil && partial.Status == metav1.ConditionTrue {
		return &doubt{traffic.ReasonNotAccepted, fmt.Sprintf("%s accepts only part of the route: %s", parentName(route, ref), words(partial)), ref}
	}
	return nil
}

// words are the parent's own: its reason, and its message where it has one.
func words(condition *metav1.Condition) string {
	if condition.Message == "" {
		return condition.Reason
	}
	return condition.Reason + ": " + condition.Message
}

func reportsOn(route routeObject, ref gatewayv1.ParentReference) []gatewayv1.RouteParentStatus {
	var reports []gatewayv1.RouteParentStatus
	for _, report := range route.reports() {
		if sameParent(route.GetNamespace(), report.ParentRef, ref) {
			reports = append(reports, report)
		}
	}
	return reports
}

func sameParent(namespace string, a, b gatewayv1.ParentReference) bool {
	return parentKey(namespace, a) == parentKey(namespace, b) &&
		ptr.Deref(a.SectionName, "") == ptr.Deref(b.SectionName, "") &&
		ptr.Deref(a.Port, 0) == ptr.Deref(b.Port, 0)
}

// parentKey names the parent object: group, kind, namespace, name.
func parentKey(namespace string, ref gatewayv1.ParentReference) string {
	return fmt.Sprintf("%s/%s/%s/%s", ptr.Deref(ref.Group, gatewayv1.GroupName), ptr.Deref(ref.Kind, "Gateway"),
		ptr.Deref(ref.Namespace, gatewayv1.Namespace(namespace)), ref.Name)
}

func parentName(route routeObject, ref gatewayv1.ParentReference) string {
	return fmt.Sprintf("%s %s/%s", ptr.Deref(ref.Kind, "Gateway"),
		ptr.Deref(ref.Namespace, gatewayv1.Namespace(route.GetNamespace())), ref.Name)
}
