package ingress

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/traffic"
)

// Annotations of ingress-nginx.
const (
	nginxPrefix       = "nginx.ingress.kubernetes.io/"
	nginxCanary       = nginxPrefix + "canary"
	nginxWeight       = nginxPrefix + "canary-weight"
	nginxTotal        = nginxPrefix + "canary-weight-total"
	nginxByHeader     = nginxPrefix + "canary-by-header"
	nginxByValue      = nginxPrefix + "canary-by-header-value"
	nginxByCookie     = nginxPrefix + "canary-by-cookie"
	nginxAffinity     = nginxPrefix + "affinity"
	nginxWithAffinity = nginxPrefix + "affinity-canary-behavior"
)

// ofBackends are the annotations that a canary does not have from its primary: they are
// about the Services behind.
var ofBackends = []string{
	nginxPrefix + "load-balance", nginxPrefix + "service-upstream", nginxPrefix + "upstream-hash-by",
	nginxPrefix + "upstream-hash-by-subset", nginxPrefix + "upstream-hash-by-subset-size",
}

// canaryName names the canary beside a primary.
func canaryName(primary string) string { return primary + "-canary" }

// leg is one of the two Ingresses as it should be.
type leg struct {
	spec networkingv1.IngressSpec
	// annotations are those that the track asks for, and the weight.
	annotations map[string]string
}

// renderPrimary leads all requests of a route to a release. ok is false where the
// release has no such port, and live, which may be nil, does not tell it either.
func renderPrimary(t traffic.Track, route v1alpha1.Route, release string, live *networkingv1.Ingress) (leg, bool) {
	made, ok := render(t, route, release, live)
	made.addAsked(route)
	return made, ok
}

// addAsked adds what the track asks for beside rules.
func (l *leg) addAsked(route v1alpha1.Route) {
	for _, tls := range route.Ingress.TLS {
		l.spec.TLS = append(l.spec.TLS, networkingv1.IngressTLS{Hosts: tls.Hosts, SecretName: tls.SecretName})
	}
	for key, value := range route.Ingress.Annotations {
		l.annotations[key] = string(value)
	}
}

// renderCanary leads a share of the requests to a release. All else, TLS too, is the
// primary's.
func renderCanary(t traffic.Track, route v1alpha1.Route, release string, weight int32, live *networkingv1.Ingress) (leg, bool) {
	made, ok := render(t, route, release, live)
	made.annotations[nginxCanary] = "true"
	made.annotations[nginxWeight] = strconv.Itoa(int(weight))
	made.annotations[nginxTotal] = "100"
	if preview := route.Preview; preview != nil && release == t.Candidate {
		maps.Copy(made.annotations, previewOf(*preview, release))
	}
	for _, key := range ofBackends {
		if value, asked := route.Ingress.Annotations[key]; asked {
			made.annotations[key] = string(value)
		}
	}
	if _, asked := route.Ingress.Annotations[nginxAffinity]; asked && weight == 0 {
		// Else whoever has the cookie of a release would stay there, whatever the weight.
		made.annotations[nginxWithAffinity] = "legacy"
	}
	return made, ok
}

// previewOf are the annotations by which some requests go to the canary, whatever its weight.
func previewOf(preview v1alpha1.RoutePreview, candidate string) map[string]string {
	if preview.CookieName != "" {
		return map[string]string{nginxByCookie: preview.CookieName}
	}
	return map[string]string{nginxByHeader: preview.HeaderName, nginxByValue: cmp.Or(preview.HeaderValue, candidate)}
}

func render(t traffic.Track, route v1alpha1.Route, release string, live *networkingv1.Ingress) (leg, bool) {
	service := resources.ChildName(release, route.ComponentName)
	port, ok := backendPort(t, route, release, service, live)
	return renderRules(route, networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: service, Port: networkingv1.ServiceBackendPort{Number: port}}}), ok
}

// renderRules leads all requests of a route to one backend.
func renderRules(route v1alpha1.Route, backend networkingv1.IngressBackend) leg {
	made := leg{annotations: map[string]string{}}
	made.spec.IngressClassName = ptr.To(route.Ingress.ClassName)
	for _, rule := range route.Ingress.Rules {
		http := &networkingv1.HTTPIngressRuleValue{}
		for _, path := range pathsOf(rule) {
			http.Paths = append(http.Paths, networkingv1.HTTPIngressPath{Path: path.Path, PathType: ptr.To(networkingv1.PathType(path.PathType)), Backend: backend})
		}
		made.spec.Rules = append(made.spec.Rules, networkingv1.IngressRule{Host: rule.Host, IngressRuleValue: networkingv1.IngressRuleValue{HTTP: http}})
	}
	return made
}

func pathsOf(rule v1alpha1.IngressRule) []v1alpha1.IngressPath {
	if len(rule.Paths) == 0 {
		return []v1alpha1.IngressPath{{Path: "/", PathType: string(networkingv1.PathTypePrefix)}}
	}
	return rule.Paths
}

func backendPort(t traffic.Track, route v1alpha1.Route, release, service string, live *networkingv1.Ingress) (int32, bool) {
	if port, ok := t.Port(release, route.ComponentName, route.PortName); ok {
		return port.Port, true
	}
	for _, backend := range backendsOf(live) {
		if backend.Service != nil && backend.Service.Name == service && backend.Service.Port.Number > 0 {
			return backend.Service.Port.Number, true
		}
	}
	return 0, false
}

// backendsOf are those of every path in turn.
func backendsOf(live *networkingv1.Ingress) []networkingv1.IngressBackend {
	if live == nil {
		return nil
	}
	var all []networkingv1.IngressBackend
	if live.Spec.DefaultBackend != nil {
		all = append(all, *live.Spec.DefaultBackend)
	}
	for _, rule := range live.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			all = append(all, path.Backend)
		}
	}
	return all
}

// same says whether an Ingress is as it should be, in all that the operator decides: its
// spec, what the track asks for of annotations, and all of the dialect's.
func (l leg) same(live *networkingv1.Ingress) bool {
	return equality.Semantic.DeepEqual(l.spec, live.Spec) && maps.Equal(l.merged(live.Annotations), live.Annotations)
}

// write makes an Ingress as it should be.
func (l leg) write(object *networkingv1.Ingress) {
	object.Spec, object.Annotations = *l.spec.DeepCopy(), l.merged(object.Annotations)
}

// ofDialect says whether the controller of an Ingress reads an annotation.
func ofDialect(key string) bool {
	return strings.HasPrefix(key, nginxPrefix) || strings.HasPrefix(key, albPrefix)
}

// merged are annotations with those of the leg. Of the dialects' own no others stay.
func (l leg) merged(live map[string]string) map[string]string {
	merged := maps.Clone(live)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.DeleteFunc(merged, func(key, _ string) bool { return ofDialect(key) })
	maps.Copy(merged, l.annotations)
	return merged
}

// readLegs says where two Ingresses, which may be nil, lead.
func readLegs(primary, canary *networkingv1.Ingress) legs {
	var l legs
	if primary != nil {
		l.primary = l.read(primary)
		if primary.Annotations[nginxCanary] != "" {
			l.primary = unknown // It is none, by somebody's hand.
		}
	}
	if canary != nil {
		l.canary, l.weight = l.read(canary), weightOf(canary)
		l.fit = primary != nil && primary.CreationTimestamp.Before(&canary.CreationTimestamp)
	}
	return l
}

// read is the release that an Ingress leads to.
func (l *legs) read(live *networkingv1.Ingress) string {
	var found []string
	strange := false
	for _, backend := range backendsOf(live) {
		release, ok := "", backend.Service != nil
		if ok {
			release, _, ok = resources.SplitChildName(backend.Service.Name)
		}
		if !ok {
			strange = true
		} else if !slices.Contains(found, release) {
			found = append(found, release)
		}
	}
	if len(found) == 1 && !strange {
		return found[0]
	}
	l.strays = append(l.strays, found...)
	return unknown
}

// weightOf a canary; one that does not say may have all.
func weightOf(canary *networkingv1.Ingress) int32 {
	weight, err := strconv.ParseInt(canary.Annotations[nginxWeight], 10, 32)
	if err != nil || weight < 0 || weight > 100 || canary.Annotations[nginxCanary] != "true" || canary.Annotations[nginxTotal] != "100" {
		return 100
	}
	return int32(weight)
}
