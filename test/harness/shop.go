package harness

import (
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic/traefik"
)

// TrackName is the track of every story: each has a namespace of its own.
const TrackName = "shop"

// ReleaseName is the name of a version's release: shop-1-2-0 for 1.2.0.
func ReleaseName(version string) string {
	return TrackName + "-" + strings.ReplaceAll(version, ".", "-")
}

// ReleaseOption changes a release before it is created.
type ReleaseOption func(*v1alpha1.ImmutableRelease)

// NewRelease makes a release of the shop: a component web of two replicas that
// answers HTTP. Options are applied in their order.
func (e *Environment) NewRelease(namespace, version string, options ...ReleaseOption) *v1alpha1.ImmutableRelease {
	release := &v1alpha1.ImmutableRelease{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ReleaseName(version)},
		Spec: v1alpha1.ImmutableReleaseSpec{
			TrackName:       TrackName,
			ReleaseTemplate: v1alpha1.ReleaseTemplate{Version: version, Components: []v1alpha1.Component{e.component("web", 2)}},
		},
	}
	if e.GRPC {
		H2C(release)
	}
	for _, option := range options {
		option(release)
	}
	return release
}

// H2C tells gateways to speak HTTP/2 without TLS to web.
func H2C(r *v1alpha1.ImmutableRelease) {
	r.Spec.Components[0].Ports[0].AppProtocol = "kubernetes.io/h2c"
}

func (e *Environment) component(name string, replicas int32) v1alpha1.Component {
	container := e.container("serve", "--component="+name)
	container.Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
	container.ReadinessProbe = &corev1.Probe{
		ProbeHandler:     corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("http")}},
		PeriodSeconds:    1,
		FailureThreshold: 2,
	}
	return v1alpha1.Component{
		Name:     name,
		Replicas: replicas,
		Ports:    []v1alpha1.ComponentPort{{Name: "http", Port: 80, TargetPort: ptr.To(intstr.FromString("http"))}},
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{container},
			// It serves on for 5 s. A namespace that goes waits by this.
			TerminationGracePeriodSeconds: ptr.To[int64](12),
		}},
	}
}

// container runs test/app with args as an unprivileged user.
func (e *Environment) container(args ...string) corev1.Container {
	return corev1.Container{
		Name:  "app",
		Image: e.AppImage,
		Args:  args,
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
			corev1.ResourceCPU: resource.MustParse("20m"), corev1.ResourceMemory: resource.MustParse("12Mi"),
		}},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			RunAsNonRoot:             ptr.To(true),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		},
	}
}

// Replicas sets the size of every component.
func Replicas(n int32) ReleaseOption {
	return func(r *v1alpha1.ImmutableRelease) {
		for i := range r.Spec.Components {
			r.Spec.Components[i].Replicas = n
		}
	}
}

// Flags adds flags of `app serve`, faults as a rule, to every component.
func Flags(flags ...string) ReleaseOption {
	return Container(func(c *corev1.Container) { c.Args = append(c.Args, flags...) })
}

// Container changes the container of every component.
func Container(change func(*corev1.Container)) ReleaseOption {
	return Pod(func(p *corev1.PodSpec) { change(&p.Containers[0]) })
}

// Pod changes the pod template of every component.
func Pod(change func(*corev1.PodSpec)) ReleaseOption {
	return func(r *v1alpha1.ImmutableRelease) {
		for i := range r.Spec.Components {
			change(&r.Spec.Components[i].Template.Spec)
		}
	}
}

// Component adds a component that serves as web does.
func (e *Environment) Component(name string, replicas int32) ReleaseOption {
	return func(r *v1alpha1.ImmutableRelease) {
		r.Spec.Components = append(r.Spec.Components, e.component(name, replicas))
	}
}

// Greeting lets the config value come from a ConfigMap or Secret key "greeting".
func Greeting(kind v1alpha1.ConfigKind, name string) ReleaseOption {
	return Container(func(c *corev1.Container) {
		source := &corev1.EnvVarSource{}
		reference := corev1.LocalObjectReference{Name: name}
		if kind == v1alpha1.SecretKind {
			source.SecretKeyRef = &corev1.SecretKeySelector{LocalObjectReference: reference, Key: "greeting"}
		} else {
			source.ConfigMapKeyRef = &corev1.ConfigMapKeySelector{LocalObjectReference: reference, Key: "greeting"}
		}
		c.Env = append(c.Env, corev1.EnvVar{Name: "GREETING", ValueFrom: source})
	})
}

// Test adds a test Job: `app test` with args, one try, its log tail readable.
func (e *Environment) Test(name string, when v1alpha1.TestPhase, deadlineSeconds int32, args ...string) ReleaseOption {
	container := e.container(append([]string{"test"}, args...)...)
	container.TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
	return func(r *v1alpha1.ImmutableRelease) {
		r.Spec.Tests = append(r.Spec.Tests, v1alpha1.ReleaseTest{
			Name:            name,
			When:            when,
			DeadlineSeconds: &deadlineSeconds,
			Template: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{
				BackoffLimit: ptr.To[int32](0),
				Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
					RestartPolicy:                 corev1.RestartPolicyNever,
					TerminationGracePeriodSeconds: ptr.To[int64](1),
					Containers:                    []corev1.Container{container},
				}},
			}},
		})
	}
}

// TestImage lets the last test run another image.
func TestImage(image string) ReleaseOption {
	return func(r *v1alpha1.ImmutableRelease) {
		last := &r.Spec.Tests[len(r.Spec.Tests)-1]
		last.Template.Spec.Template.Spec.Containers[0].Image = image
	}
}

// Host is the hostname under which a namespace's shop answers.
func Host(namespace string) string { return namespace + ".example.test" }

// TrackOption changes a track before it is created.
type TrackOption func(*v1alpha1.ReleaseTrack)

// NewTrack makes a track whose one route leads from the Gateway to web; blue/green,
// a drain of 3 s, no bake, one warm release. Steps are held for longer where stories ask
// more often than usual.
func (e *Environment) NewTrack(namespace string, options ...TrackOption) *v1alpha1.ReleaseTrack {
	track := &v1alpha1.ReleaseTrack{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: TrackName},
		Spec: v1alpha1.ReleaseTrackSpec{
			Rollout: &v1alpha1.RolloutSpec{ProgressDeadlineSeconds: ptr.To[int32](120), FailureSeconds: ptr.To[int32](5)},
			Traffic: &v1alpha1.TrafficSpec{
				DrainSeconds: ptr.To[int32](3),
				Routes:       []v1alpha1.Route{e.PublicRoute(Host(namespace))},
			},
			Retention: &v1alpha1.RetentionSpec{WarmReleases: ptr.To[int32](1)},
		},
	}
	for _, option := range options {
		option(track)
	}
	if e.Load > 1 {
		for _, step := range track.Spec.Rollout.Steps {
			if ptr.Deref(step.HoldSeconds, 0) > 0 {
				*step.HoldSeconds = max(*step.HoldSeconds, measured)
			}
		}
	}
	return track
}

// measured is how many seconds a step is held at least where figures are wanted: 2,000
// requests are asked meanwhile.
const measured = 11

// PublicRoute leads from the Gateway to component web, or from the users' IngressRoute.
func (e *Environment) PublicRoute(hostname string) v1alpha1.Route {
	route := v1alpha1.Route{Name: "public", ComponentName: "web", PortName: "http"}
	if e.Router == v1alpha1.RouteTraefik {
		// Traefik here takes a change over at once.
		route.Type, route.Traefik = v1alpha1.RouteTraefik, &v1alpha1.TraefikRoute{Name: TrackName, SettleSeconds: ptr.To[int32](1)}
		return route
	}
	route.Type, route.GatewayAPI = v1alpha1.RouteGatewayAPI, &v1alpha1.GatewayAPIRoute{
		Kind: "HTTPRoute",
		ParentRefs: []gatewayv1.ParentReference{{
			Namespace: ptr.To(gatewayv1.Namespace(e.Gateway.Namespace)),
			Name:      gatewayv1.ObjectName(e.Gateway.Name),
		}},
		Hostnames: []gatewayv1.Hostname{gatewayv1.Hostname(hostname)},
	}
	if e.GRPC {
		route.GatewayAPI.Kind = "GRPCRoute"
	}
	return route
}

// IngressRoute is the users' own: it leads their hostname to the TraefikService of the
// public route.
func IngressRoute(namespace string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"entryPoints": []any{"web"},
		"routes": []any{map[string]any{
			"kind": "Rule", "match": fmt.Sprintf("Host(`%s`)", Host(namespace)),
			"services": []any{map[string]any{"kind": "TraefikService", "name": TrackName}},
		}},
	}}}
	object.SetGroupVersionKind(traefik.Router.Kind.GroupVersion().WithKind("IngressRoute"))
	object.SetNamespace(namespace)
	object.SetName(TrackName)
	return object
}

// Step is one step of a rollout.
func Step(weightPercent, holdSeconds int32) v1alpha1.RolloutStep {
	return v1alpha1.RolloutStep{WeightPercent: weightPercent, HoldSeconds: &holdSeconds}
}

// Steps are the track's.
func Steps(steps ...v1alpha1.RolloutStep) TrackOption {
	return func(t *v1alpha1.ReleaseTrack) { t.Spec.Rollout.Steps = steps }
}

// Rollout changes how the track rolls out.
func Rollout(change func(*v1alpha1.RolloutSpec)) TrackOption {
	return func(t *v1alpha1.ReleaseTrack) { change(t.Spec.Rollout) }
}

// NewAction makes an action of a user.
func NewAction(namespace, name, requester string, action v1alpha1.ActionType, releaseName string) *v1alpha1.ReleaseAction {
	return &v1alpha1.ReleaseAction{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.ReleaseActionSpec{
			TrackName: TrackName, ReleaseName: releaseName, Action: action,
			Requester: requester, Reason: "an end-to-end story",
		},
	}
}
