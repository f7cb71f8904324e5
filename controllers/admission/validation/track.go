package validation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/resources"
)

// ValidateTrack says what is wrong with a track beyond its schema.
func ValidateTrack(track *v1alpha1.ReleaseTrack) field.ErrorList {
	spec, path := &track.Spec, field.NewPath("spec")
	errs := CheckSupported("ReleaseTrack", track)
	if track.Name == guards.LogName {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), track.Name, "is the name of the log of the guards: take another name"))
	}
	errs = append(errs, resources.CheckTrackNames(track.Name, spec)...)
	if spec.Rollout != nil {
		errs = append(errs, validateSteps(spec.Rollout.Steps, path.Child("rollout", "steps"))...)
	}
	if spec.Traffic != nil {
		routes := path.Child("traffic", "routes")
		errs = append(errs, validateRoutes(spec.Traffic.Routes, routes)...)
		errs = append(errs, validateAttachments(track.Name, spec.Traffic.Routes, routes)...)
	}
	for i, required := range spec.Requires {
		switch {
		case required.PublicKey != "":
			// A track of another cluster may have the same name.
			if problem := wrongKey(required.PublicKey); problem != "" {
				errs = append(errs, field.Invalid(path.Child("requires").Index(i).Child("publicKey"), shorten(required.PublicKey), problem))
			}
		case required.Namespace == track.Namespace && required.TrackName == track.Name:
			errs = append(errs, field.Invalid(path.Child("requires").Index(i), required.TrackName, "a track that requires itself would never promote anything: name the track that comes before it"))
		}
	}
	return unique(errs)
}

func validateSteps(steps []v1alpha1.RolloutStep, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	last := int32(0)
	for i := range steps {
		weight, at := steps[i].WeightPercent, path.Index(i).Child("weightPercent")
		switch {
		case weight < 1 || weight > 100:
			errs = append(errs, field.Invalid(at, weight, "must be between 1 and 100 percent"))
		case weight <= last:
			errs = append(errs, field.Invalid(at, weight, fmt.Sprintf("weights must rise from step to step, and the step before has %d", last)))
		}
		last = max(last, weight)
	}
	return errs
}

// validateRoutes checks what a route names.
func validateRoutes(routes []v1alpha1.Route, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	services := map[string]bool{}
	errs = append(errs, validateHosts(routes, path)...)
	for i := range routes {
		route, at := &routes[i], path.Index(i)
		for _, problem := range validation.IsDNS1035Label(route.ComponentName) {
			errs = append(errs, field.Invalid(at.Child("componentName"), route.ComponentName, problem))
		}
		for _, problem := range validation.IsValidPortName(route.PortName) {
			errs = append(errs, field.Invalid(at.Child("portName"), route.PortName, problem))
		}
		if route.Preview != nil && route.GatewayAPI != nil && headerOf(route.Preview) != "" {
			errs = append(errs, validatePreview(headerOf(route.Preview), route.GatewayAPI, at.Child("gatewayAPI"))...)
		}
		if route.Preview != nil && route.Preview.CookieName != "" && route.GatewayAPI != nil && route.GatewayAPI.Kind == "GRPCRoute" {
			errs = append(errs, field.Invalid(at.Child("preview", "cookieName"), route.Preview.CookieName, "calls have no cookies: name a header in headerName"))
		}
		if route.GatewayAPI != nil {
			errs = append(errs, validateSessions(route.GatewayAPI, at.Child("gatewayAPI"))...)
		}
		if route.Ingress != nil && route.Ingress.Dialect == v1alpha1.DialectALB {
			errs = append(errs, validateALB(route.Ingress.Annotations, at.Child("ingress", "annotations"))...)
		}
		if route.Type != v1alpha1.RouteService {
			continue
		}
		name := at.Child("service", "name")
		if route.Service == nil {
			errs = append(errs, field.Required(at.Child("service"), "a route of type Service names it"))
			continue
		}
		for _, problem := range validation.IsDNS1035Label(route.Service.Name) {
			errs = append(errs, field.Invalid(name, route.Service.Name, problem))
		}
		if services[route.Service.Name] {
			errs = append(errs, field.Duplicate(name, route.Service.Name))
		}
		services[route.Service.Name] = true
	}
	return errs
}

// validateALB refuses the annotations that carry weights, or say what other fields do.
func validateALB(annotations map[string]v1alpha1.AnnotationValue, path *field.Path) field.ErrorList {
	const prefix = "alb.ingress.kubernetes.io/"
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(annotations)) {
		at, value := path.Key(key), string(annotations[key])
		switch name := strings.TrimPrefix(key, prefix); {
		case !strings.HasPrefix(key, prefix):
		case strings.HasPrefix(name, "actions."):
			errs = append(errs, field.Invalid(at, shorten(value), "actions are the operator's, and carry the weights: leave it out, and give requests that reach no release an Ingress of their own"))
		case name == "target-type":
			errs = append(errs, field.Invalid(at, value, "is the operator's, and always ip: readiness gates are of pods, and not of nodes; leave it out"))
		case name == "target-group-attributes" && strings.Contains(value, "deregistration_delay."):
			errs = append(errs, field.Invalid(at, shorten(value), "the deregistration delay is said by deregistrationDelaySeconds of the route, which the drain honours: leave it out here"))
		case name == "target-group-attributes" && strings.Contains(value, "stickiness."):
			errs = append(errs, field.Invalid(at, shorten(value), "stickiness of a target group wants its rule to be sticky whatever the weights, and would keep clients on a release without weight: leave it out, and set stickinessSeconds of the route"))
		}
	}
	return errs
}
