package traffic

import (
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// Reasons why a route is not verified, or is not what the track asks for. They
// end up in the conditions of the track.
const (
	// ReasonUnsupported: this operator has no provider for the type of route.
	ReasonUnsupported = "RouteUnsupported"
	// ReasonMissing: there is no route object yet.
	ReasonMissing = "RouteMissing"
	// ReasonNameTaken: an object of the route's name is somebody else's.
	ReasonNameTaken = "RouteNameTaken"
	// ReasonConflict: another track's route, older than this one, has the same
	// parent, hostname and match.
	ReasonConflict = "RouteConflict"
	// ReasonAttachedMissing: the user's route that attachTo names is not there.
	ReasonAttachedMissing = "AttachedRouteMissing"
	// ReasonAttachedElsewhere: it is another track's, or of another route of this one.
	ReasonAttachedElsewhere = "AttachedElsewhere"
	// ReasonControlled: a controller writes it.
	ReasonControlled = "AttachedRouteControlled"
	// ReasonServiceNotReferenced: no rule of it names the Service that stands for the component.
	ReasonServiceNotReferenced = "ServiceNotReferenced"
	// ReasonRuleFull: a rule of it has no room for the Services of releases.
	ReasonRuleFull = "RuleFull"
	// ReasonGatewayAPIMissing: the cluster does not serve the Gateway API.
	ReasonGatewayAPIMissing = "GatewayAPIMissing"
	// ReasonTraefikMissing: the cluster does not serve TraefikServices.
	ReasonTraefikMissing = "TraefikMissing"
	// ReasonIstioMissing: the cluster does not serve VirtualServices.
	ReasonIstioMissing = "IstioMissing"
	// ReasonParentMissing: there is no such Gateway.
	ReasonParentMissing = "ParentMissing"
	// ReasonClassMissing: there is no such IngressClass.
	ReasonClassMissing = "IngressClassMissing"
	// ReasonChanged: somebody changed a route object, or the track it, and it is put right.
	ReasonChanged = "RouteChanged"
	// ReasonSettling: a router that confirms nothing is given time to take a write over.
	ReasonSettling = "RouteSettling"
	// ReasonNotReported: a parent has not reported on the present generation.
	ReasonNotReported = "RouteNotReported"
	// ReasonNotAccepted: a parent refuses the route, or part of it.
	ReasonNotAccepted = "RouteNotAccepted"
	// ReasonNotResolved: a parent cannot resolve what the route refers to.
	ReasonNotResolved = "RouteNotResolved"
	// ReasonSelectorChanged: somebody made a stable Service select something else.
	ReasonSelectorChanged = "SelectorChanged"
	// ReasonEndpointsBehind: the endpoints of the stable Service are not yet
	// those of the release that it selects.
	ReasonEndpointsBehind = "EndpointsNotUpdated"
	// ReasonNoPort: a release that the route lists lacks the component or the port.
	ReasonNoPort = "BackendMissing"
)

// Owned says whether an object is the route object of the track, by its labels.
func Owned(object client.Object, t Track, route string) bool {
	labels := object.GetLabels()
	return labels[v1alpha1.LabelTrack] == t.Name && labels[v1alpha1.LabelRoute] == route
}

// Labels are the labels of a route object.
func Labels(t Track, route string) map[string]string {
	return map[string]string{v1alpha1.LabelTrack: t.Name, v1alpha1.LabelRoute: route}
}

// Goes says whether an object goes with the track exactly where the track asks for it.
func Goes(object client.Object, t Track) bool {
	return slices.EqualFunc(object.GetOwnerReferences(), owners(object, t), func(a, b metav1.OwnerReference) bool { return a.UID == b.UID })
}

// owners are those that an object should have: of the tracks, this one or none; of
// others, those that it has.
func owners(object client.Object, t Track) []metav1.OwnerReference {
	var owners []metav1.OwnerReference
	found := false
	for _, owner := range object.GetOwnerReferences() {
		isTrack := owner.Kind == "ReleaseTrack" && strings.HasPrefix(owner.APIVersion, v1alpha1.GroupVersion.Group+"/")
		if !isTrack || owner.UID == t.Owner {
			owners, found = append(owners, owner), found || isTrack
		}
	}
	if t.Owner != "" && !found {
		owners = append(owners, metav1.OwnerReference{APIVersion: v1alpha1.GroupVersion.String(), Kind: "ReleaseTrack", Name: t.Name, UID: t.Owner})
	}
	return owners
}

// Mark puts the labels of a route, the stamp of a record, and the track as its owner
// where it goes with it, on an object, and leaves all other metadata as it is.
func Mark(object client.Object, t Track, route string, sequence int64) {
	labels := maps.Clone(object.GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, Labels(t, route))
	object.SetLabels(labels)
	object.SetOwnerReferences(owners(object, t))

	object.SetAnnotations(maps.Clone(object.GetAnnotations()))
	resources.Stamp(object, sequence)
}

func unsupported(route v1alpha1.Route) Observed {
	return Observed{Route: rollout.Route{
		Name: route.Name, Type: route.Type,
		Reason:  ReasonUnsupported,
		Message: "routes of type " + string(route.Type) + " are not supported yet",
	}}
}

// types are the types of the registry in a fixed order.
func (r Registry) types() []v1alpha1.RouteType {
	return slices.Sorted(maps.Keys(r))
}
