package simulation

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/world"
)

// playService keeps one EndpointSlice for a Service, under its name.
func (w *World) playService(name string) {
	s, there := on[corev1.Service](&w.store, services, name), on[discoveryv1.EndpointSlice](&w.store, endpointSlices, name)
	if s == nil || len(s.Spec.Selector) == 0 {
		if there != nil {
			w.mustRemove(endpointSlices, name)
		}
		return
	}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{}}}
	for label, value := range s.Labels {
		slice.Labels[label] = value
	}
	slice.Labels[discoveryv1.LabelServiceName] = name
	for i := range s.Spec.Ports {
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &s.Spec.Ports[i].Name, Port: &s.Spec.Ports[i].Port})
	}
	selector := labels.SelectorFromSet(s.Spec.Selector)
	for _, pod := range each[corev1.Pod](&w.store, pods) {
		if selector.Matches(labels.Set(pod.Labels)) {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses:  []string{pod.Name},
				Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(isReady(pod))},
				TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: pod.Name, UID: pod.UID},
			})
		}
	}
	switch {
	case there == nil:
		w.mustCreate(slice)
	case equality.Semantic.DeepEqual(there.Endpoints, slice.Endpoints) && equality.Semantic.DeepEqual(there.Ports, slice.Ports) && equality.Semantic.DeepEqual(there.Labels, slice.Labels):
	default:
		w.mustUpdate(slice)
	}
}

// playRoute is the gateway: it takes a route over, and then says so.
func (w *World) playRoute(name string) {
	route := on[gatewayv1.HTTPRoute](&w.store, httpRoutes, name)
	if route == nil {
		delete(w.wire, name)
		return
	}
	if w.routerDown {
		return // It looks again when it is back.
	}
	w.wire[name] = weightsOf(route)
	missing := w.missingBackend(route)
	reported := *route
	reported.Status.Parents = nil
	for _, parent := range route.Spec.ParentRefs {
		report := gatewayv1.RouteParentStatus{ParentRef: parent, ControllerName: "example.com/gateway"}
		if len(route.Status.Parents) > 0 {
			report.Conditions = slices.Clone(route.Status.Parents[0].Conditions)
		}
		w.setCondition(&report, route, gatewayv1.RouteConditionAccepted, metav1.ConditionTrue, "Accepted")
		if missing == "" {
			w.setCondition(&report, route, gatewayv1.RouteConditionResolvedRefs, metav1.ConditionTrue, "ResolvedRefs")
		} else {
			w.setCondition(&report, route, gatewayv1.RouteConditionResolvedRefs, metav1.ConditionFalse, "BackendNotFound")
		}
		reported.Status.Parents = append(reported.Status.Parents, report)
	}
	if equality.Semantic.DeepEqual(route.Status, reported.Status) {
		return
	}
	w.tell("~ wire %s: %s", name, world.Backends(w.wire[name]))
	w.mustUpdateStatus(&reported)
}

func (w *World) setCondition(report *gatewayv1.RouteParentStatus, route *gatewayv1.HTTPRoute, kind gatewayv1.RouteConditionType, status metav1.ConditionStatus, reason string) {
	meta.SetStatusCondition(&report.Conditions, metav1.Condition{
		Type: string(kind), Status: status, Reason: reason, ObservedGeneration: route.Generation, LastTransitionTime: w.now(),
	})
}

func (w *World) missingBackend(route *gatewayv1.HTTPRoute) string {
	for _, rule := range route.Spec.Rules {
		for _, backend := range rule.BackendRefs {
			if w.shelves[services].get(string(backend.Name)) == nil {
				return string(backend.Name)
			}
		}
	}
	return ""
}

// weightsOf an HTTPRoute, as its backends say.
func weightsOf(route *gatewayv1.HTTPRoute) []v1alpha1.ReleaseWeight {
	var weights []v1alpha1.ReleaseWeight
	if len(route.Spec.Rules) == 0 {
		return nil
	}
	for _, backend := range route.Spec.Rules[0].BackendRefs {
		if backend.Name == standsFor {
			continue
		}
		weights = append(weights, v1alpha1.ReleaseWeight{ReleaseName: releaseOf(string(backend.Name)), WeightPercent: ptr.Deref(backend.Weight, 1)})
	}
	return weights
}

// carried are the weights of a route object of either type; ok is false for other
// objects.
func carried(object any) (route string, weights []v1alpha1.ReleaseWeight, ok bool) {
	switch o := object.(type) {
	case *gatewayv1.HTTPRoute:
		name := o.Labels[v1alpha1.LabelRoute] + attachedAs(o)
		return name, weightsOf(o), name != ""
	case *corev1.Service:
		if o.Labels[v1alpha1.LabelRoute] == "" {
			return "", nil, false
		}
		return o.Labels[v1alpha1.LabelRoute], []v1alpha1.ReleaseWeight{{ReleaseName: o.Spec.Selector[v1alpha1.LabelRelease], WeightPercent: 100}}, true
	case *unstructured.Unstructured:
		return o.GetLabels()[v1alpha1.LabelRoute], askedOf(o), true
	case *networkingv1.Ingress:
		if byALB(o) {
			return o.Labels[v1alpha1.LabelRoute], actionOf(o).weights, true
		}
		return o.Labels[v1alpha1.LabelRoute], []v1alpha1.ReleaseWeight{{ReleaseName: ledTo(o), WeightPercent: weightAt(o)}}, true
	}
	return "", nil, false
}

// noteTraffic notes which releases may get requests at this moment: by a route
// object, by what the gateway carries, by the endpoints of a stable Service. Of a
// route that its users took away from the track only the object counts.
func (w *World) noteTraffic() {
	note := func(shares []v1alpha1.ReleaseWeight) {
		for _, s := range shares {
			if s.WeightPercent > 0 {
				w.memory.trafficked[s.ReleaseName] = w.Now
			}
		}
	}
	for _, object := range w.shelves[httpRoutes] {
		route, weights, ok := carried(object)
		if ok {
			note(weights)
		}
		if ok && w.inSpec(route) {
			note(w.wire[object.GetName()])
		}
	}
	w.playEdge()
	note(w.toldNow().shares())
	w.playALB()
	note(actionOf(on[networkingv1.Ingress](&w.store, ingresses, albName)).weights)
	if slices.ContainsFunc(routesOf(w.track()), func(r v1alpha1.Route) bool { return r.Type == v1alpha1.RouteIngress }) {
		note(w.edge.has.shares())
		note(w.alb.has.weights)
	}
	w.playLegs()
	for _, object := range each[unstructured.Unstructured](&w.store, traefikServices) {
		note(legsOf(object))
	}
	if slices.ContainsFunc(routesOf(w.track()), func(r v1alpha1.Route) bool { return r.Type == v1alpha1.RouteTraefik }) {
		note(w.legs.has)
	}
	for _, object := range w.shelves[services] {
		route, weights, ok := carried(object)
		if ok {
			note(weights)
		}
		if ok && w.inSpec(route) {
			w.noteEndpoints(object.GetName())
		}
	}
}

// noteEndpoints: nodes follow the endpoints of a stable Service.
func (w *World) noteEndpoints(service string) {
	slice := on[discoveryv1.EndpointSlice](&w.store, endpointSlices, service)
	if slice == nil {
		return
	}
	for _, endpoint := range slice.Endpoints {
		if pod := on[corev1.Pod](&w.store, pods, endpoint.TargetRef.Name); pod != nil {
			w.memory.trafficked[pod.Labels[v1alpha1.LabelRelease]] = w.Now
		}
	}
}

func (w *World) inSpec(route string) bool {
	return slices.ContainsFunc(routesOf(w.track()), func(r v1alpha1.Route) bool { return r.Name == route })
}

func routesOf(track *v1alpha1.ReleaseTrack) []v1alpha1.Route {
	if track == nil || track.Spec.Traffic == nil {
		return nil
	}
	return track.Spec.Traffic.Routes
}
