package rollout_test

import (
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

func ptr[T any](v T) *T { return &v }

// track makes the spec of a track: one HTTPRoute to component web, blue/green,
// unless changed.
func track(changes ...func(*v1alpha1.ReleaseTrackSpec)) v1alpha1.ReleaseTrackSpec {
	spec := v1alpha1.ReleaseTrackSpec{
		Rollout: &v1alpha1.RolloutSpec{BakeSeconds: ptr(int32(60))},
		Traffic: &v1alpha1.TrafficSpec{Routes: []v1alpha1.Route{gatewayRoute("public", "web")}},
	}
	for _, change := range changes {
		change(&spec)
	}
	return spec
}

func gatewayRoute(name, component string) v1alpha1.Route {
	return v1alpha1.Route{
		Name: name, ComponentName: component, PortName: "http", Type: v1alpha1.RouteGatewayAPI,
		GatewayAPI: &v1alpha1.GatewayAPIRoute{Kind: "HTTPRoute"},
	}
}

func attachedRoute(name, component, object string) v1alpha1.Route {
	route := gatewayRoute(name, component)
	route.GatewayAPI.AttachTo = &v1alpha1.GatewayAPIAttachment{RouteName: object, ServiceName: "shop-" + component, ServicePort: 80}
	return route
}

// albRoute is an Ingress with weighted target groups.
func albRoute(name, component string) v1alpha1.Route {
	return v1alpha1.Route{
		Name: name, ComponentName: component, PortName: "http", Type: v1alpha1.RouteIngress,
		Ingress: &v1alpha1.IngressRoute{Dialect: v1alpha1.DialectALB, Name: "shop", ClassName: "alb", DeregistrationDelaySeconds: ptr(int32(45))},
	}
}

func serviceRoute(name, component string) v1alpha1.Route {
	return v1alpha1.Route{
		Name: name, ComponentName: component, PortName: "http", Type: v1alpha1.RouteService,
		Service: &v1alpha1.ServiceRoute{Name: "shop-" + component},
	}
}

// steps of weights, each held for a minute.
func steps(weights ...int32) func(*v1alpha1.ReleaseTrackSpec) {
	return func(spec *v1alpha1.ReleaseTrackSpec) {
		spec.Rollout.Steps = nil
		for _, w := range weights {
			spec.Rollout.Steps = append(spec.Rollout.Steps, v1alpha1.RolloutStep{WeightPercent: w, HoldSeconds: ptr(int32(60))})
		}
	}
}

func approval(weight int32) func(*v1alpha1.ReleaseTrackSpec) {
	return func(spec *v1alpha1.ReleaseTrackSpec) {
		for i := range spec.Rollout.Steps {
			if spec.Rollout.Steps[i].WeightPercent == weight {
				spec.Rollout.Steps[i].Approval = v1alpha1.ApprovalRequired
			}
		}
	}
}

func routes(list ...v1alpha1.Route) func(*v1alpha1.ReleaseTrackSpec) {
	return func(spec *v1alpha1.ReleaseTrackSpec) { spec.Traffic.Routes = list }
}

func warm(releases, seconds int32) func(*v1alpha1.ReleaseTrackSpec) {
	return func(spec *v1alpha1.ReleaseTrackSpec) {
		spec.Retention = &v1alpha1.RetentionSpec{WarmReleases: &releases, WarmSeconds: &seconds}
	}
}

// release makes the spec of a release: component web of two pods with a port,
// no tests, unless changed.
func release(version string, changes ...func(*v1alpha1.ImmutableReleaseSpec)) v1alpha1.ImmutableReleaseSpec {
	spec := v1alpha1.ImmutableReleaseSpec{TrackName: world.TrackName, ReleaseTemplate: v1alpha1.ReleaseTemplate{Version: version, Components: []v1alpha1.Component{component("web", 2)}}}
	for _, change := range changes {
		change(&spec)
	}
	return spec
}

func component(name string, replicas int32) v1alpha1.Component {
	return v1alpha1.Component{Name: name, Replicas: replicas, Ports: []v1alpha1.ComponentPort{{Name: "http", Port: 80}}}
}

func worker(name string) v1alpha1.Component { return v1alpha1.Component{Name: name, Replicas: 1} }

func autoscaled(c v1alpha1.Component, least, most int32) v1alpha1.Component {
	c.Autoscaling = &v1alpha1.ComponentAutoscaling{MinReplicas: least, MaxReplicas: most}
	c.Disruption = &v1alpha1.ComponentDisruption{MaxUnavailable: ptr(intstr.FromInt32(1))}
	return c
}

func with(components ...v1alpha1.Component) func(*v1alpha1.ImmutableReleaseSpec) {
	return func(spec *v1alpha1.ImmutableReleaseSpec) { spec.Components = components }
}

func tested(name string, when v1alpha1.TestPhase) func(*v1alpha1.ImmutableReleaseSpec) {
	return func(spec *v1alpha1.ImmutableReleaseSpec) {
		spec.Tests = append(spec.Tests, v1alpha1.ReleaseTest{Name: name, When: when, DeadlineSeconds: ptr(int32(120))})
	}
}

// fine: pods are ready after five seconds.
func fine() world.Script { return world.Script{ReadyAfter: 5 * time.Second} }

// clone copies all of an observation that Compute could change.
func clone(o rollout.Observation) rollout.Observation {
	return deepCopy(reflect.ValueOf(o)).Interface().(rollout.Observation)
}

// deepCopy copies exported data; values with unexported fields (times) and the
// specs of releases, which are shared with a cache and guarded by their pointer,
// are kept.
func deepCopy(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		copied := reflect.New(v.Type().Elem())
		copied.Elem().Set(deepCopy(v.Elem()))
		return copied
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			copied.Index(i).Set(deepCopy(v.Index(i)))
		}
		return copied
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		copied := reflect.MakeMap(v.Type())
		for _, key := range v.MapKeys() {
			copied.SetMapIndex(key, deepCopy(v.MapIndex(key)))
		}
		return copied
	case reflect.Struct:
		copied := reflect.New(v.Type()).Elem()
		copied.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				copied.Field(i).Set(deepCopy(v.Field(i)))
			}
		}
		return copied
	}
	return v
}
