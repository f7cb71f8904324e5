package validation

import (
	"fmt"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// validateAttachments checks the routes of users that a track attaches to.
func validateAttachments(track string, routes []v1alpha1.Route, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	type object struct{ kind, name string }
	made, attached := map[object]string{}, map[object]bool{}
	for i := range routes {
		if api := routes[i].GatewayAPI; api != nil && api.AttachTo == nil {
			made[object{api.Kind, resources.RouteName(track, routes[i].Name)}] = routes[i].Name
		}
	}
	for i := range routes {
		route, at := &routes[i], path.Index(i)
		if route.GatewayAPI == nil || route.GatewayAPI.AttachTo == nil {
			continue
		}
		to, name := route.GatewayAPI.AttachTo, at.Child("gatewayAPI", "attachTo", "routeName")
		for _, problem := range apivalidation.NameIsDNSSubdomain(to.RouteName, false) {
			errs = append(errs, field.Invalid(name, to.RouteName, problem))
		}
		for _, problem := range validation.IsDNS1035Label(to.ServiceName) {
			errs = append(errs, field.Invalid(at.Child("gatewayAPI", "attachTo", "serviceName"), to.ServiceName, problem))
		}
		key := object{route.GatewayAPI.Kind, to.RouteName}
		if attached[key] {
			errs = append(errs, field.Invalid(name, to.RouteName, "another route of this track attaches to it: a route object leads to one component; give each component a route object of its own"))
		}
		attached[key] = true
		if other := made[key]; other != "" {
			errs = append(errs, field.Invalid(name, to.RouteName, fmt.Sprintf("is what the operator makes for route %s of this track: name one of yours", other)))
		}
		if route.Preview != nil {
			errs = append(errs, field.Forbidden(at.Child("preview"), "a preview needs rules of its own, and of a route that is attached to only backends are written: leave it out, and ask the candidate's own Service; or let the operator make the route, with parentRefs in the place of attachTo"))
		}
	}
	return errs
}
