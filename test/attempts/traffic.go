package attempts

import (
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
)

// traffic is what leads traffic to a release.
func (w *World) traffic() []Attempt {
	service := w.in("", "v1", "services", "Service", w.child())
	stable := w.in("", "v1", "services", "Service", w.StableService)
	route := w.in("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute", w.Route)
	ingress := w.in("networking.k8s.io", "v1", "ingresses", "Ingress", w.Ingress)
	legs := w.in("traefik.io", "v1alpha1", "traefikservices", "TraefikService", w.TraefikService)
	mesh := w.in("networking.istio.io", "v1", "virtualservices", "VirtualService", w.VirtualService)
	slice := w.in("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", w.EndpointSlice)
	endpoints := w.in("", "v1", "endpoints", "Endpoints", w.child())
	if w.EndpointSlice == "" {
		endpoints.name = ""
	}
	led := []edit{
		set(map[string]any{"app": "rogue"}, "spec", "selector"), set(true, "spec", "publishNotReadyAddresses"),
		set([]any{"192.0.2.7"}, "spec", "externalIPs"), set("NodePort", "spec", "type"),
		{what: "another port", change: func(object map[string]any) {
			object["spec"].(map[string]any)["ports"].([]any)[0].(map[string]any)["targetPort"] = int64(9999)
		}},
	}
	labels := []edit{set("checkout", "metadata", "labels", "team"), set("hello", "metadata", "annotations", "note"), unset("metadata", "labels", v1alpha1.LabelTrack)}
	rogue := func(name string) map[string]any {
		return map[string]any{"metadata": map[string]any{"labels": map[string]any{"kubernetes.io/service-name": name}},
			"addressType": "IPv4", "endpoints": []any{map[string]any{"addresses": []any{"192.0.2.7"}}}, "ports": []any{}}
	}
	list := slices.Concat(
		w.edits("services", service, rules("023"), w.Release, append(metadataEdits(), led...)),
		w.edits("services/status", service, rules("024"), w.Release, []edit{set("checkout", "metadata", "labels", "team"), unset("metadata", "ownerReferences")}, "status"),
		w.deletions("services", service, rules("028"), w.Release, w.selector()),
		w.edits("stable Service", stable, rules("036"), w.Track, append(labels, led...)),
		w.deletions("stable Service", stable, rules("037"), w.Track, v1alpha1.LabelRoute),
		w.edits("httproutes", route, rules("036"), w.Track, append(labels, set([]any{"rogue.example.com"}, "spec", "hostnames"))),
		w.deletions("httproutes", route, rules("037"), w.Track, v1alpha1.LabelRoute),
		w.edits("ingresses", ingress, rules("036"), w.Track, append(labels, set("other", "spec", "ingressClassName"))),
		w.edits("ingresses/status", ingress, rules("036"), w.Track, labels, "status"),
		w.deletions("ingresses", ingress, rules("037"), w.Track, v1alpha1.LabelRoute),
		w.edits("traefikservices", legs, rules("036"), w.Track, append(labels, set([]any{map[string]any{"name": "rogue", "port": int64(80)}}, "spec", "weighted", "services"))),
		w.deletions("traefikservices", legs, rules("037"), w.Track, v1alpha1.LabelRoute),
		w.edits("virtualservices", mesh, rules("036"), w.Track, append(labels, set([]any{"rogue.example.com"}, "spec", "hosts"))),
		w.deletions("virtualservices", mesh, rules("037"), w.Track, v1alpha1.LabelRoute),
		w.edits("endpointslices", slice, rules("038"), w.Release, []edit{
			{what: "a rogue backend", change: func(object map[string]any) {
				object["endpoints"] = []any{map[string]any{"addresses": []any{"192.0.2.7"}}}
			}},
			set("other", "metadata", "labels", "kubernetes.io/service-name"), set("checkout", "metadata", "labels", "team"),
		}),
		w.deletions("endpointslices", slice, rules("038"), w.Release, "kubernetes.io/service-name="+w.child()),
		w.edits("endpoints", endpoints, rules("038"), w.Release, []edit{set("hello", "metadata", "annotations", "note"),
			set([]any{map[string]any{"addresses": []any{map[string]any{"ip": "192.0.2.7"}}, "ports": []any{map[string]any{"port": int64(80)}}}}, "subsets")}),
	)
	list = append(list, w.creation("endpointslices", "a rogue EndpointSlice", rules("038"), w.Release,
		w.in("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "rogue"), rogue(w.child())))
	if w.StableService != "" {
		list = append(list, w.creation("endpointslices", "a rogue EndpointSlice of the stable Service", rules("038"), w.Release,
			w.in("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", "rogue"), rogue(w.StableService)))
	}
	return list
}
