package gatewayapi

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/controllers/traffic"
)

// report is what one controller says of the parent: Accepted and ResolvedRefs at
// a generation.
func report(controller, parent string, accepted, resolved bool, generation int64) gatewayv1.RouteParentStatus {
	condition := func(kind gatewayv1.RouteConditionType, holds bool) metav1.Condition {
		made := metav1.Condition{Type: string(kind), Status: metav1.ConditionFalse, Reason: "Because", Message: "so it is", ObservedGeneration: generation}
		if holds {
			made.Status = metav1.ConditionTrue
		}
		return made
	}
	return gatewayv1.RouteParentStatus{
		ControllerName: gatewayv1.GatewayController(controller),
		ParentRef: gatewayv1.ParentReference{
			Group: ptr.To[gatewayv1.Group](gatewayv1.GroupName), Kind: ptr.To[gatewayv1.Kind]("Gateway"),
			Namespace: ptr.To[gatewayv1.Namespace]("infra"), Name: gatewayv1.ObjectName(parent),
		},
		Conditions: []metav1.Condition{
			condition(gatewayv1.RouteConditionAccepted, accepted),
			condition(gatewayv1.RouteConditionResolvedRefs, resolved),
		},
	}
}

func TestVerify(t *testing.T) {
	withPartial := report("a", "public", true, true, 7)
	withPartial.Conditions = append(withPartial.Conditions, metav1.Condition{
		Type: string(gatewayv1.RouteConditionPartiallyInvalid), Status: metav1.ConditionTrue, Reason: "UnsupportedValue", Message: "Dropped Rule",
	})
	staleRefs := report("a", "public", true, true, 7)
	staleRefs.Conditions[1].ObservedGeneration = 6
	noRefs := report("a", "public", true, true, 7)
	noRefs.Conditions = noRefs.Conditions[:1]
	inSection := report("a", "public", true, true, 7)
	inSection.ParentRef.SectionName = ptr.To[gatewayv1.SectionName]("web")

	type parents = []gatewayv1.RouteParentStatus
	cases := []struct {
		name    string
		status  parents
		reason  string
		message string
	}{
		{"accepted and resolved", parents{report("a", "public", true, true, 7)}, "", ""},
		{"nobody reports", nil, traffic.ReasonNotReported, "Gateway infra/public has not reported on the route: see that its controller runs, and that a listener of it takes the route"},
		{"only another parent reports", parents{report("a", "private", true, true, 7)}, traffic.ReasonNotReported, "Gateway infra/public has not reported on the route: see that its controller runs, and that a listener of it takes the route"},
		{"only a section of it reports", parents{inSection}, traffic.ReasonNotReported, "Gateway infra/public has not reported on the route: see that its controller runs, and that a listener of it takes the route"},
		{"the report is of the spec before", parents{report("a", "public", true, true, 6)}, traffic.ReasonNotReported, "Gateway infra/public has not reported Accepted for generation 7 of the route"},
		{"half of it is of the spec before", parents{staleRefs}, traffic.ReasonNotReported, "Gateway infra/public has not reported ResolvedRefs for generation 7 of the route"},
		{"half of it is missing", parents{noRefs}, traffic.ReasonNotReported, "Gateway infra/public has not reported ResolvedRefs for generation 7 of the route"},
		{"refused", parents{report("a", "public", false, true, 7)}, traffic.ReasonNotAccepted, "Gateway infra/public does not accept the route: Because: so it is"},
		{"unresolved", parents{report("a", "public", true, false, 7)}, traffic.ReasonNotResolved, "Gateway infra/public cannot resolve what the route refers to: Because: so it is"},
		{"in part", parents{withPartial}, traffic.ReasonNotAccepted, "Gateway infra/public accepts only part of the route: UnsupportedValue: Dropped Rule"},
		{"two controllers, one refuses", parents{report("a", "public", true, true, 7), report("b", "public", false, true, 7)}, traffic.ReasonNotAccepted, "Gateway infra/public does not accept the route: Because: so it is"},
		{"two controllers, one is behind", parents{report("a", "public", true, true, 7), report("b", "public", true, true, 6)}, traffic.ReasonNotReported, "Gateway infra/public has not reported Accepted for generation 7 of the route"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			object := objectWith(t, weights("shop-1", 100))
			object.Status.Parents = c.status
			d := verify(httpRoute{object})
			if d == nil {
				d = &doubt{}
			}
			if d.reason != c.reason || d.message != c.message {
				t.Errorf("doubt %q %q, want %q %q", d.reason, d.message, c.reason, c.message)
			}
		})
	}
}

func TestEveryParentMustReport(t *testing.T) {
	object := objectWith(t, weights("shop-1", 100))
	private := object.Spec.ParentRefs[0]
	private.Name = "private"
	object.Spec.ParentRefs = append(object.Spec.ParentRefs, private)
	object.Status.Parents = []gatewayv1.RouteParentStatus{report("a", "public", true, true, 7)}
	if d := verify(httpRoute{object}); d == nil || d.reason != traffic.ReasonNotReported || d.parent.Name != "private" {
		t.Errorf("doubt %v, want one about the second parent", d)
	}
	object.Status.Parents = append(object.Status.Parents, report("a", "private", true, true, 7))
	if d := verify(httpRoute{object}); d != nil {
		t.Errorf("doubt %v although both report", d)
	}
	object.Spec.ParentRefs = nil
	if verify(httpRoute{object}) == nil {
		t.Error("a route without parents is verified")
	}
}
