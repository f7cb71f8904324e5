package service

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// Apply implements traffic.Provider. The release with the most weight gets all.
func (p *Provider) Apply(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, observed traffic.Observed) (client.Object, error) {
	if observed.Route.Presence == rollout.Foreign {
		return nil, fmt.Errorf("%s: %w", observed.Route.Message, traffic.ErrForeign)
	}
	release := target(write.Weights)
	if release == "" {
		// Nothing is promoted yet: a Service without endpoints would help nobody.
		return nil, nil
	}
	live, _ := observed.Object.(*corev1.Service)
	spec, err := render(t, route, release, live)
	if err != nil {
		return nil, fmt.Errorf("render Service %s: %w", route.Service.Name, err)
	}
	if live == nil {
		return nil, p.create(ctx, t, route, write, spec)
	}
	return p.update(ctx, t, route, write, spec, live)
}

func (p *Provider) create(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, spec corev1.ServiceSpec) error {
	object := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: route.Service.Name},
		Spec:       spec,
	}
	traffic.Mark(object, t, route.Name, write.Sequence)
	if err := p.client.Create(ctx, object, client.FieldOwner(traffic.FieldManager)); err != nil {
		return fmt.Errorf("create Service %s/%s: %w", object.Namespace, object.Name, err)
	}
	return nil
}

// update writes the Service under the resourceVersion of live, or nothing where
// nothing differs.
func (p *Provider) update(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, spec corev1.ServiceSpec, live *corev1.Service) (client.Object, error) {
	stamp := resources.StampOf(live)
	if err := traffic.CheckStamp(stamp, write.Sequence); err != nil {
		return nil, fmt.Errorf("update Service %s/%s: %w", live.Namespace, live.Name, err)
	}
	unchanged := same(spec, live.Spec)
	if unchanged && stamp == write.Sequence && traffic.Goes(live, t) {
		return nil, nil
	}
	object := live.DeepCopy()
	if !unchanged {
		object.Spec.Selector, object.Spec.Ports = spec.Selector, spec.Ports
		object.Spec.Type, object.Spec.ExternalName = corev1.ServiceTypeClusterIP, ""
		object.Spec.ExternalIPs, object.Spec.PublishNotReadyAddresses = nil, false
	}
	traffic.Mark(object, t, route.Name, write.Sequence)
	if err := p.client.Update(ctx, object, client.FieldOwner(traffic.FieldManager)); err != nil {
		return nil, fmt.Errorf("update Service %s/%s: %w", live.Namespace, live.Name, err)
	}
	return live, nil
}

func target(weights []v1alpha1.ReleaseWeight) string {
	release, most := "", int32(0)
	for _, weight := range weights {
		if weight.WeightPercent > most {
			release, most = weight.ReleaseName, weight.WeightPercent
		}
	}
	return release
}

// render makes the part of a Service's spec that the operator decides. The port
// of a release that is gone is the one that live, which may be nil, has for it.
func render(t traffic.Track, route v1alpha1.Route, release string, live *corev1.Service) (corev1.ServiceSpec, error) {
	selector := resources.Selector(release, route.ComponentName)
	port, ok := t.Port(release, route.ComponentName, route.PortName)
	switch {
	case ok:
		return corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{servicePort(port)}}, nil
	case live != nil && maps.Equal(live.Spec.Selector, selector) && len(live.Spec.Ports) == 1 && live.Spec.Ports[0].Name == route.PortName:
		return corev1.ServiceSpec{Selector: selector, Ports: live.Spec.Ports}, nil
	}
	return corev1.ServiceSpec{}, fmt.Errorf("release %s has no port %s of component %s", release, route.PortName, route.ComponentName)
}

func servicePort(port v1alpha1.ComponentPort) corev1.ServicePort {
	made := corev1.ServicePort{Name: port.Name, Port: port.Port, Protocol: port.Protocol}
	if port.TargetPort != nil {
		made.TargetPort = *port.TargetPort
	}
	if port.AppProtocol != "" {
		appProtocol := port.AppProtocol
		made.AppProtocol = &appProtocol
	}
	return withDefaults(made)
}

// same says whether live is what is wanted, in all that the operator decides.
func same(wanted, live corev1.ServiceSpec) bool {
	if live.Type != "" && live.Type != corev1.ServiceTypeClusterIP ||
		live.ExternalName != "" || len(live.ExternalIPs) > 0 || live.PublishNotReadyAddresses {
		return false
	}
	if !maps.Equal(wanted.Selector, live.Selector) || len(wanted.Ports) != len(live.Ports) {
		return false
	}
	for i := range wanted.Ports {
		if !equality.Semantic.DeepEqual(withDefaults(wanted.Ports[i]), withDefaults(live.Ports[i])) {
			return false
		}
	}
	return true
}

// withDefaults is a port as the API server stores it.
func withDefaults(port corev1.ServicePort) corev1.ServicePort {
	if port.Protocol == "" {
		port.Protocol = corev1.ProtocolTCP
	}
	if port.TargetPort == (intstr.IntOrString{}) {
		port.TargetPort = intstr.FromInt32(port.Port)
	}
	return port
}

// Leftovers implements traffic.Provider.
func (p *Provider) Leftovers(ctx context.Context, t traffic.Track, routes []v1alpha1.Route) ([]traffic.Observed, error) {
	var found corev1.ServiceList
	err := p.client.List(ctx, &found, traffic.Indexed(t.Namespace, traffic.IndexTrack, t.Name))
	if err != nil {
		return nil, fmt.Errorf("list Services: %w", err)
	}
	var left []traffic.Observed
	for i := range found.Items {
		live := &found.Items[i]
		if wanted(routes, live) {
			continue
		}
		facts, err := p.factsOf(ctx, live)
		if err != nil {
			return nil, err
		}
		facts.Orphaned = true
		left = append(left, traffic.Observed{Route: facts, Object: live})
	}
	return left, nil
}

func wanted(routes []v1alpha1.Route, live *corev1.Service) bool {
	for _, route := range routes {
		if route.Type == v1alpha1.RouteService && route.Service != nil &&
			route.Name == live.Labels[v1alpha1.LabelRoute] && route.Service.Name == live.Name {
			return true
		}
	}
	return false
}
