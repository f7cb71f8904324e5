package schema

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// malformed is one wrong field of a valid object, and what the refusal must say: the
// path of the field, and the value or the reason.
type malformed struct {
	path  string
	value any // nil removes
	at    string
	says  string
}

const (
	requiredValue = "Required value"
	unsupported   = "Unsupported value"
	tooLong       = "Too long"
	tooMany       = "Too many"
	mustMatch     = "should match"
)

func x(n int) string { return strings.Repeat("x", n) }

var malformedReleases = []malformed{
	{"metadata.name", "shop.1", "metadata.name", "shop.1: must have at most 40 characters"},
	{"metadata.name", "1-shop", "metadata.name", "1-shop: must have"},
	{"metadata.name", x(41), "metadata.name", x(41) + ": must have at most 40"},
	{"spec", nil, "spec", requiredValue},
	{"spec", object(), "spec.components", requiredValue},
	{"spec.trackName", nil, "spec.trackName", requiredValue},
	{"spec.trackName", "", "spec.trackName", `Invalid value: ""`},
	{"spec.trackName", "Shop", "spec.trackName", `"Shop"`},
	{"spec.trackName", x(41), "spec.trackName", tooLong},
	{"spec.version", nil, "spec.version", requiredValue},
	{"spec.version", "1.4/2", "spec.version", `"1.4/2"`},
	{"spec.version", "v1.", "spec.version", `"v1."`},
	{"spec.version", x(64), "spec.version", tooLong},
	{"spec.version", int64(1), "spec.version", `must be of type string: "integer"`},
	{"spec.source.repository", x(1025), "spec.source.repository", tooLong},
	{"spec.source.revision", "a b", "spec.source.revision", mustMatch},
	{"spec.source.buildURL", "javascript:alert(1)", "spec.source.buildURL", `"javascript:alert(1)"`},
	{"spec.components", list(), "spec.components", "at least 1 item"},
	{"spec.components", times(17, func(i int) any { return object("name", fmt.Sprint("c", i)) }), "spec.components", tooMany},
	{"spec.components[1].name", "web", "spec.components", "the names of components must be unique"},
	{"spec.components[1].name", "web-2", "spec.components[1].name", `"web-2"`},
	{"spec.components[1].name", x(21), "spec.components[1].name", tooLong},
	{"spec.components[0].replicas", nil, "spec.components[0].replicas", requiredValue},
	{"spec.components[0].replicas", int64(0), "spec.components[0].replicas", "Invalid value: 0"},
	{"spec.components[0].replicas", int64(10001), "spec.components[0].replicas", "Invalid value: 10001"},
	{"spec.components[0].replicas", "3", "spec.components[0].replicas", `must be of type integer: "string"`},
	{"spec.components[0].activation", "Later", "spec.components[0].activation", `Unsupported value: "Later"`},
	{"spec.components[0].ports[1].name", "http", "spec.components[0].ports", "the names of ports must be unique"},
	{"spec.components[0].ports[1].port", int64(80), "spec.components[0].ports", "once for each protocol"},
	{"spec.components[0].ports[0].port", int64(0), "spec.components[0].ports[0].port", "Invalid value: 0"},
	{"spec.components[0].ports[0].port", int64(65536), "spec.components[0].ports[0].port", "Invalid value: 65536"},
	{"spec.components[0].ports[0].targetPort", int64(0), "spec.components[0].ports[0].targetPort", "0: must be a number from 1 to 65535"},
	{"spec.components[0].ports[0].targetPort", "http_port", "spec.components[0].ports[0].targetPort", "http_port: must be"},
	{"spec.components[0].ports[0].protocol", "HTTP", "spec.components[0].ports[0].protocol", `Unsupported value: "HTTP"`},
	{"spec.components[0].ports", times(17, func(i int) any { return object("name", fmt.Sprint("p", i), "port", int64(i+1)) }), "spec.components[0].ports", tooMany},
	{"spec.components[0].autoscaling.minReplicas", int64(31), "spec.components[0].autoscaling.minReplicas", "must not be above maxReplicas"},
	{"spec.components[0].autoscaling.maxReplicas", nil, "spec.components[0].autoscaling.maxReplicas", requiredValue},
	{"spec.components[0].disruption", object(), "spec.components[0].disruption", "exactly one of maxUnavailable and minAvailable"},
	{"spec.components[0].disruption.minAvailable", int64(1), "spec.components[0].disruption", "exactly one of"},
	{"spec.components[0].disruption.maxUnavailable", "400%", "spec.components[0].disruption.maxUnavailable", "400%: must be"},
	{"spec.components[0].disruption.maxUnavailable", int64(-1), "spec.components[0].disruption.maxUnavailable", "-1: must be"},

	// Pods.
	{"spec.components[0].template.spec", nil, "spec.components[0].template", "needs a spec"},
	{"spec.components[0].template.spec.containers", list(), "spec.components[0].template.spec.containers", "at least 1 item"},
	{"spec.components[0].template.spec.containers[1].name", "web", "spec.components[0].template.spec", "the names of containers and init containers must be unique"},
	{"spec.components[0].template.spec.initContainers[1].name", "web", "spec.components[0].template.spec", "containers and init containers must be unique"},
	{"spec.components[0].template.spec.containers[0].name", "Web", "spec.components[0].template.spec.containers[0].name", `"Web"`},
	{"spec.components[0].template.spec.volumes[1].name", "tls", "spec.components[0].template.spec", "the names of volumes must be unique"},
	{"spec.components[0].template.spec.restartPolicy", "Never", "spec.components[0].template.spec.restartPolicy", `Unsupported value: "Never"`},
	{"spec.components[0].template.spec.hostNetwork", true, "spec.components[0].template.spec.hostNetwork", "hostNetwork is not available"},
	{"spec.components[0].template.spec.activeDeadlineSeconds", int64(5), "spec.components[0].template.spec.activeDeadlineSeconds", "not available"},
	{"spec.components[0].template.spec.ephemeralContainers", list(object("name", "debug")), "spec.components[0].template.spec.ephemeralContainers", tooMany},
	{"spec.components[0].template.spec.containers[0].ports[0].hostPort", int64(8080), "spec.components[0].template.spec.containers[0].ports[0].hostPort", "Unsupported value: 8080"},
	{"spec.components[0].template.spec.containers[0].ports[0].containerPort", int64(0), "spec.components[0].template.spec.containers[0].ports[0].containerPort", "Invalid value: 0"},
	{"spec.components[0].template.spec.containers[0].imagePullPolicy", "Sometimes", "spec.components[0].template.spec.containers[0].imagePullPolicy", `Unsupported value: "Sometimes"`},
	{"spec.components[0].template.spec.containers[0].resources.requests.cpu", "lots", "spec.components[0].template.spec.containers[0].resources.requests.cpu", `"lots"`},
	{"spec.components[0].template.metadata.labels.strata~1dev/release", "shop", "spec.components[0].template.metadata.labels", "written by the operator alone"},
	{"spec.components[0].template.metadata.annotations.strata~1dev/sequence", "1", "spec.components[0].template.metadata.annotations", "written by the operator alone"},
	{"spec.components[0].template.metadata.labels.app", "a b", "spec.components[0].template.metadata.labels.app", `"a b"`},
	{"spec.components[0].template.metadata.finalizers", list("example.com/wait"), "spec.components[0].template.metadata", "labels and annotations only"},
	{"spec.components[0].template.metadata.name", "web", "spec.components[0].template.metadata", "labels and annotations only"},

	// Configuration.
	{"spec.config.dynamic[0].kind", "Service", "spec.config.dynamic[0].kind", `Unsupported value: "Service"`},
	{"spec.config.dynamic[0].name", "", "spec.config.dynamic[0].name", `""`},
	{"spec.config.dynamic[1]", object("kind", "Secret", "name", "feature-flags"), "spec.config.dynamic", "named once"},
	{"spec.config.frozen[0].name", "feature-flags", "spec.config", "cannot be both dynamic and frozen"},
	{"spec.config.expect[0].name", "banner", "spec.config", "has no content to expect"},
	{"spec.config.expect[0].sha256", "sha256:" + x(64), "spec.config.expect[0].sha256", tooLong},
	{"spec.config.expect[0].sha256", x(64), "spec.config.expect[0].sha256", mustMatch},

	// Tests.
	{"spec.tests[1].name", "smoke", "spec.tests", "the names of tests must be unique"},
	{"spec.tests[0].name", "Smoke", "spec.tests[0].name", `"Smoke"`},
	{"spec.tests[0].name", x(41), "spec.tests[0].name", tooLong},
	{"spec.tests[0].when", nil, "spec.tests[0].when", requiredValue},
	{"spec.tests[0].when", "Sometimes", "spec.tests[0].when", `Unsupported value: "Sometimes"`},
	{"spec.tests[0].deadlineSeconds", int64(0), "spec.tests[0].deadlineSeconds", "Invalid value: 0"},
	{"spec.tests[0].deadlineSeconds", int64(86401), "spec.tests[0].deadlineSeconds", "Invalid value: 86401"},
	{"spec.tests[0].template", nil, "spec.tests[0].template", requiredValue},
	{"spec.tests[0].template.spec", nil, "spec.tests[0].template", "needs a spec"},
	{"spec.tests[0].template.spec.suspend", true, "spec.tests[0].template.spec.suspend", "not available"},
	{"spec.tests[0].template.spec.managedBy", "example.com/other", "spec.tests[0].template.spec.managedBy", "not available"},
	{"spec.tests[0].template.spec.ttlSecondsAfterFinished", int64(5), "spec.tests[0].template.spec.ttlSecondsAfterFinished", "not available"},
	{"spec.tests[0].template.spec.selector", object("matchLabels", object("app", "shop")), "spec.tests[0].template.spec.selector", "not available"},
	{"spec.tests[0].template.spec.manualSelector", true, "spec.tests[0].template.spec.manualSelector", "not available"},
	{"spec.tests[0].template.spec.parallelism", int64(2), "spec.tests[0].template.spec.parallelism", "Invalid value: 2"},
	{"spec.tests[0].template.spec.parallelism", int64(0), "spec.tests[0].template.spec.parallelism", "Invalid value: 0"},
	{"spec.tests[0].template.spec.completions", int64(2), "spec.tests[0].template.spec.completions", "Invalid value: 2"},
	{"spec.tests[0].template.spec.template.spec.restartPolicy", nil, "spec.tests[0].template.spec.template.spec.restartPolicy", requiredValue},
	{"spec.tests[0].template.spec.template.spec.restartPolicy", "Always", "spec.tests[0].template.spec.template.spec.restartPolicy", `Unsupported value: "Always"`},
	{"spec.tests[0].template.metadata", object("labels", object("strata.dev/test", "smoke")), "spec.tests[0].template.metadata.labels", "written by the operator alone"},
	{"spec.tests[0].template.spec.template.metadata", object("labels", object("strata.dev/test", "smoke")), "spec.tests[0].template.spec.template.metadata.labels", "written by the operator alone"},

	// Promotions elsewhere.
	{"spec.promotions[0].namespace", "Staging", "spec.promotions[0].namespace", `"Staging"`},
	{"spec.promotions[0].trackName", x(41), "spec.promotions[0].trackName", tooLong},
	{"spec.promotions[0].contentDigest", "sha256:0", "spec.promotions[0].contentDigest", mustMatch},
	{"spec.promotions[0].digest", nil, "spec.promotions[0].digest", requiredValue},
	{"spec.promotions[0].digest", "sha512:" + strings.Repeat("0", 64), "spec.promotions[0].digest", mustMatch},
	{"spec.promotions[0].sequence", int64(0), "spec.promotions[0].sequence", "Invalid value: 0"},
	{"spec.promotions[0].time", "yesterday", "spec.promotions[0].time", `must be of type date-time: "yesterday"`},
	{"spec.promotions[0].signature", nil, "spec.promotions[0].signature", requiredValue},
	{"spec.promotions[0].signature", "a b", "spec.promotions[0].signature", mustMatch},
	{"spec.promotions[0].signature", x(2049), "spec.promotions[0].signature", tooLong},
	{"spec.promotions", times(17, func(i int) any { return object("sequence", int64(i+1)) }), "spec.promotions", tooMany},
}

const (
	public   = "spec.traffic.routes[0]"
	internal = "spec.traffic.routes[1]"
	gateway  = public + ".gatewayAPI"
	edge     = "spec.traffic.routes[2]"
	ingress  = edge + ".ingress"
)

// anEdge is a route of type Ingress to a port of web, with some fields of its ingress
// changed; nil: without one.
func anEdge(name, portName string, changes ...any) map[string]any {
	made := changed(object("dialect", "NGINX", "name", "shop", "className", "nginx", "rules", list(object("host", "shop.example.com"))), changes...)
	return object("name", name, "componentName", "web", "portName", portName, "type", "Ingress", "ingress", made)
}

// changed gives an object other fields; nil takes one away.
func changed(made map[string]any, changes ...any) map[string]any {
	for i := 0; i < len(changes); i += 2 {
		if made[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
			delete(made, changes[i].(string))
		}
	}
	return made
}

// aMesh is a route of type Traefik or Istio to web, with some fields of its union member
// changed; nil: without one.
func aMesh(kind string, changes ...any) map[string]any {
	made := changed(object("name", "shop"), changes...)
	return object("name", "mesh", "componentName", "web", "portName", "http", "type", kind, strings.ToLower(kind), made)
}

func aProbe(changes ...any) map[string]any {
	return changed(object("url", "http://gateway.example/", "markerHeader", "X-Release"), changes...)
}

func anAttachment(changes ...any) map[string]any {
	return changed(object("kind", "HTTPRoute", "attachTo", object("routeName", "own", "serviceName", "shop-web", "servicePort", int64(80))), changes...)
}

var malformedTracks = []malformed{
	{"metadata.name", x(41), "metadata.name", "must have at most 40"},
	{"metadata.name", "shop.one", "metadata.name", "shop.one: must have"},
	{"spec", nil, "spec", requiredValue},
	{"spec.releaseName", "Shop", "spec.releaseName", `"Shop"`},
	{"spec.releaseName", "", "spec.releaseName", `""`},
	{"spec.rollout.steps[0].weightPercent", int64(0), "spec.rollout.steps[0].weightPercent", "Invalid value: 0"},
	{"spec.rollout.steps[0].weightPercent", int64(101), "spec.rollout.steps[0].weightPercent", "Invalid value: 101"},
	{"spec.rollout.steps[0].weightPercent", nil, "spec.rollout.steps[0].weightPercent", requiredValue},
	{"spec.rollout.steps[0].weightPercent", int64(50), "spec.rollout.steps", "must rise strictly"},
	{"spec.rollout.steps[0].weightPercent", int64(60), "spec.rollout.steps", "must rise strictly"},
	{"spec.rollout.steps", times(33, func(i int) any { return object("weightPercent", int64(i+1)) }), "spec.rollout.steps", tooMany},
	{"spec.rollout.steps[0].holdSeconds", int64(-1), "spec.rollout.steps[0].holdSeconds", "Invalid value: -1"},
	{"spec.rollout.steps[0].holdSeconds", int64(604801), "spec.rollout.steps[0].holdSeconds", "Invalid value: 604801"},
	{"spec.rollout.steps[0].approval", "Maybe", "spec.rollout.steps[0].approval", `Unsupported value: "Maybe"`},
	{"spec.rollout.bakeSeconds", int64(-1), "spec.rollout.bakeSeconds", "Invalid value: -1"},
	{"spec.rollout.progressDeadlineSeconds", int64(0), "spec.rollout.progressDeadlineSeconds", "Invalid value: 0"},
	{"spec.rollout.failureSeconds", int64(-1), "spec.rollout.failureSeconds", "Invalid value: -1"},
	{"spec.rollout.failurePolicy", "Ignore", "spec.rollout.failurePolicy", unsupported},
	{"spec.rollout.supersedePolicy", "Stack", "spec.rollout.supersedePolicy", unsupported},
	{"spec.rollout.advancePolicy", "Manual", "spec.rollout.advancePolicy", unsupported},
	{"spec.rollout.capacity", "Half", "spec.rollout.capacity", unsupported},
	{"spec.capacity[0].replicas", int64(0), "spec.capacity[0].replicas", "Invalid value: 0"},
	{"spec.capacity[1]", object("componentName", "web", "replicas", int64(1)), "spec.capacity", "named once"},
	{"spec.traffic.drainSeconds", int64(3601), "spec.traffic.drainSeconds", "Invalid value: 3601"},
	{"spec.traffic.routes", times(17, func(i int) any {
		name := fmt.Sprint("r", i)
		return object("name", name, "componentName", "web", "portName", "http", "type", "Service", "service", object("name", name))
	}), "spec.traffic.routes", tooMany},
	{public + ".name", "internal", internal, `Duplicate value: {"name":"internal"}`},
	{public + ".name", "Public", public + ".name", `"Public"`},
	{public + ".name", x(21), public + ".name", tooLong},
	{public + ".componentName", "web-1", public + ".componentName", `"web-1"`},
	{public + ".componentName", nil, public + ".componentName", requiredValue},
	{public + ".portName", x(16), public + ".portName", tooLong},
	{public + ".type", "DNS", public + ".type", `Unsupported value: "DNS"`},
	{public + ".type", nil, public + ".type", requiredValue},
	{public + ".type", "Service", public + ".service", "service must be set when type is Service, and only then"},
	{public + ".type", "Service", public + ".gatewayAPI", "gatewayAPI must be set when type is GatewayAPI, and only then"},
	{public + ".type", "Ingress", public + ".ingress", "ingress must be set when type is Ingress, and only then"},
	{public + ".service", object("name", "shop"), public + ".service", "only then"},
	{public + ".ingress", anEdge("edge", "http")["ingress"], public + ".ingress", "only then"},
	{edge, anEdge("edge", "http", "dialect", "Magic"), ingress + ".dialect", `Unsupported value: "Magic"`},
	{edge, anEdge("edge", "http", "dialect", nil), ingress + ".dialect", requiredValue},
	{edge, anEdge("edge", "http", "name", "Shop"), ingress + ".name", `"Shop"`},
	{edge, anEdge("edge", "http", "name", x(241)), ingress + ".name", tooLong},
	{edge, anEdge("edge", "http", "className", nil), ingress + ".className", requiredValue},
	{edge, anEdge("edge", "http", "rules", list()), ingress + ".rules", "at least 1 item"},
	{edge, anEdge("edge", "http", "rules", list(object("host", "a.example.com"), object("host", "a.example.com"))), ingress + ".rules", "each host may have one rule"},
	{edge, anEdge("edge", "http", "rules", list(object("host", "a.example.com:80"))), ingress + ".rules[0].host", `"a.example.com:80"`},
	{edge, anEdge("edge", "http", "rules", times(17, func(i int) any { return object("host", fmt.Sprint("h", i)) })), ingress + ".rules", tooMany},
	{edge, anEdge("edge", "http", "rules", list(object("paths", list(object("path", "shop", "pathType", "Exact"))))), ingress + ".rules[0].paths[0].path", `"shop"`},
	{edge, anEdge("edge", "http", "rules", list(object("paths", list(object("path", "/a//b", "pathType", "Exact"))))), ingress + ".rules[0].paths[0].path", "no empty, . or .. segments"},
	{edge, anEdge("edge", "http", "rules", list(object("paths", list(object("path", "/", "pathType", "ImplementationSpecific"))))), ingress + ".rules[0].paths[0].pathType", unsupported},
	{edge, anEdge("edge", "http", "rules", list(object("paths", list(object("path", "/", "pathType", "Exact"), object("path", "/", "pathType", "Exact"))))), ingress + ".rules[0].paths", "named once for each pathType"},
	{edge, anEdge("edge", "http", "tls", list(object("hosts", list("a.example.com")))), ingress + ".tls[0].secretName", requiredValue},
	{edge, anEdge("edge", "http", "settleSeconds", int64(0)), ingress + ".settleSeconds", "Invalid value: 0"},
	{edge, anEdge("edge", "http", "annotations", object("strata.dev/sequence", "9")), ingress + ".annotations", "strata.dev/ is reserved"},
	{edge, anEdge("edge", "http", "annotations", object("nginx.ingress.kubernetes.io/canary-weight", "9")), ingress + ".annotations", "canary annotations are the operator's"},
	{edge, anEdge("edge", "http", "annotations", object("nginx.ingress.kubernetes.io/server-snippet", x(4097))), ingress + ".annotations.nginx.ingress.kubernetes.io/server-snippet", tooLong},
	{edge, anEdge("edge", "http", "stickinessSeconds", int64(60)), ingress + ".dialect", "need dialect ALB"},
	{edge, anEdge("edge", "http", "deregistrationDelaySeconds", int64(60)), ingress + ".dialect", "need dialect ALB"},
	{edge, anEdge("edge", "http", "dialect", "ALB", "stickinessSeconds", int64(0)), ingress + ".stickinessSeconds", "Invalid value: 0"},
	{edge, anEdge("edge", "http", "dialect", "ALB", "stickinessSeconds", int64(604801)), ingress + ".stickinessSeconds", "Invalid value: 604801"},
	{edge, anEdge("edge", "http", "dialect", "ALB", "deregistrationDelaySeconds", int64(3601)), ingress + ".deregistrationDelaySeconds", "Invalid value: 3601"},
	{"spec.traffic.routes", list(anEdge("a", "http"), anEdge("b", "admin")), "spec.traffic.routes", "two routes must not name the same Ingress"},
	{edge, anEdge("edge", "http", "name", "shop-canary"), ingress + ".name", "the operator names the canary of an Ingress so"},
	{"spec.traffic.routes", list(anEdge("a", "http"), anEdge("b", "http", "name", "other")), "spec.traffic.routes", "must not lead to the same port of a component"},
	{public + ".type", "Traefik", public + ".traefik", "traefik must be set when type is Traefik, and only then"},
	{public + ".traefik", object("name", "shop"), public + ".traefik", "only then"},
	{edge, aMesh("Traefik", "name", nil), edge + ".traefik.name", requiredValue},
	{edge, aMesh("Traefik", "name", "Shop"), edge + ".traefik.name", `"Shop"`},
	{edge, aMesh("Traefik", "name", "shop.one"), edge + ".traefik.name", `"shop.one"`},
	{edge, aMesh("Traefik", "name", x(64)), edge + ".traefik.name", tooLong},
	{edge, aMesh("Traefik", "name", "shop-1-web-80"), edge + ".traefik.name", "for the ports of Services"},
	{edge, aMesh("Traefik", "stickyCookieName", "a=b"), edge + ".traefik.stickyCookieName", `"a=b"`},
	{edge, aMesh("Traefik", "stickyCookieName", ""), edge + ".traefik.stickyCookieName", `""`},
	{edge, aMesh("Traefik", "stickyCookieName", x(65)), edge + ".traefik.stickyCookieName", tooLong},
	{public + ".gatewayAPI.stickyCookieName", "a=b", public + ".gatewayAPI.stickyCookieName", `"a=b"`},
	{public + ".gatewayAPI.stickyCookieName", "", public + ".gatewayAPI.stickyCookieName", `""`},
	{public + ".gatewayAPI.stickyCookieName", x(65), public + ".gatewayAPI.stickyCookieName", tooLong},
	{public + ".gatewayAPI", object("kind", "GRPCRoute", "parentRefs", list(object("name", "public")), "stickyCookieName", "shop"), public + ".gatewayAPI.stickyCookieName", "a cookie needs an HTTPRoute that the operator makes"},
	{public + ".gatewayAPI", object("kind", "HTTPRoute", "attachTo", object("routeName", "front", "serviceName", "shop-web", "servicePort", int64(80)), "stickyCookieName", "shop"), public + ".gatewayAPI.stickyCookieName", "have a sessionPersistence that you write"},
	{edge, aMesh("Traefik", "settleSeconds", int64(0)), edge + ".traefik.settleSeconds", "Invalid value: 0"},
	{edge, aMesh("Traefik", "settleSeconds", int64(601)), edge + ".traefik.settleSeconds", "Invalid value: 601"},
	{"spec.traffic.routes", list(aMesh("Traefik"), changed(aMesh("Traefik"), "name", "other")), "spec.traffic.routes", "two routes must not name the same TraefikService"},
	{edge, changed(aMesh("Traefik"), "preview", object("headerName", "X-Preview")), edge + ".preview", "a preview needs a route of type GatewayAPI"},
	{edge, changed(aMesh("Istio"), "preview", object("hostname", "next.example.com")), edge + ".preview", "a hostname of the preview needs type GatewayAPI"},
	{public + ".preview", object(), public + ".preview", "a preview is by headerName, cookieName or hostname"},
	{public + ".preview", object("headerName", "X-Preview", "cookieName", "preview"), public + ".preview", "headerName and cookieName exclude each other"},
	{public + ".preview", object("cookieName", "preview", "headerValue", "next"), public + ".preview", "headerValue needs headerName"},
	{public + ".preview", object("cookieName", "a=b"), public + ".preview.cookieName", mustMatch},
	{public + ".preview", object("hostname", "*.example.com"), public + ".preview.hostname", mustMatch},
	{public + ".probe", aProbe("url", "ftp://gateway.example/"), public + ".probe.url", `"ftp://gateway.example/"`},
	{public + ".probe", aProbe("url", "http://me:secret@gateway.example/"), public + ".probe.url", mustMatch},
	{public + ".probe", aProbe("url", "http://gateway.example/?a=b"), public + ".probe.url", mustMatch},
	{public + ".probe", aProbe("url", nil), public + ".probe.url", requiredValue},
	{public + ".probe", aProbe("markerHeader", nil), public + ".probe.markerHeader", requiredValue},
	{public + ".probe", aProbe("markerHeader", "X Release"), public + ".probe.markerHeader", mustMatch},
	{public + ".probe", aProbe("hostname", "shop.example:80"), public + ".probe.hostname", mustMatch},
	{public + ".probe", aProbe("requests", int64(19)), public + ".probe.requests", "Invalid value: 19"},
	{public + ".probe", aProbe("requests", int64(2001)), public + ".probe.requests", "Invalid value: 2001"},
	{public + ".probe", aProbe("tolerancePoints", int64(0)), public + ".probe.tolerancePoints", "Invalid value: 0"},
	{public + ".probe", aProbe("tolerancePoints", int64(51)), public + ".probe.tolerancePoints", "Invalid value: 51"},
	{internal + ".probe", aProbe(), internal + ".probe", "a probe asks a gateway by HTTP GET"},
	{public + ".type", "Istio", public + ".istio", "istio must be set when type is Istio, and only then"},
	{public + ".istio", object("name", "shop"), public + ".istio", "only then"},
	{edge, aMesh("Istio", "name", nil), edge + ".istio.name", requiredValue},
	{edge, aMesh("Istio", "name", "Shop"), edge + ".istio.name", `"Shop"`},
	{edge, aMesh("Istio", "name", x(64)), edge + ".istio.name", tooLong},
	{edge, aMesh("Istio", "hosts", list()), edge + ".istio.hosts", "at least 1 item"},
	{edge, aMesh("Istio", "hosts", list("shop.example.com:80")), edge + ".istio.hosts[0]", `"shop.example.com:80"`},
	{edge, aMesh("Istio", "hosts", times(17, func(i int) any { return fmt.Sprint("h", i) })), edge + ".istio.hosts", tooMany},
	{edge, aMesh("Istio", "hosts", list("*"), "gateways", list("a/b/c")), edge + ".istio.gateways[0]", `"a/b/c"`},
	{edge, aMesh("Istio", "gateways", list("mesh")), edge + ".istio.gateways", "gateways need hosts"},
	{edge, aMesh("Istio", "hosts", list("*"), "gateways", times(17, func(i int) any { return fmt.Sprint("g", i) })), edge + ".istio.gateways", tooMany},
	{edge, aMesh("Istio", "settleSeconds", int64(601)), edge + ".istio.settleSeconds", "Invalid value: 601"},
	{"spec.traffic.routes", list(aMesh("Istio"), changed(aMesh("Istio"), "name", "other")), "spec.traffic.routes", "two routes must not name the same VirtualService"},
	{gateway, nil, public + ".gatewayAPI", "must be set when type is GatewayAPI"},
	{internal + ".service", nil, internal + ".service", "must be set when type is Service"},
	{internal + ".service.name", "Shop", internal + ".service.name", `"Shop"`},
	{internal + ".service.name", x(64), internal + ".service.name", tooLong},
	{"spec.traffic.routes[2]", object("name", "third", "componentName", "web", "portName", "http", "type", "Service", "service", object("name", "shop-web")),
		"spec.traffic.routes", "two routes must not name the same Service"},
	{gateway + ".kind", "TCPRoute", gateway + ".kind", `Unsupported value: "TCPRoute"`},
	{gateway + ".parentRefs", list(), gateway + ".parentRefs", "at least 1 item"},
	{gateway + ".parentRefs", nil, gateway + ".parentRefs", "set parentRefs for a route that the operator makes, or attachTo"},
	{gateway + ".attachTo", object("routeName", "own", "serviceName", "shop-web", "servicePort", int64(80)), gateway + ".parentRefs", "set parentRefs for a route that the operator makes, or attachTo"},
	{gateway, anAttachment("hostnames", list("shop.example.com")), gateway + ".attachTo", "has hostnames and rules of its own"},
	{gateway, anAttachment("rules", list(object())), gateway + ".attachTo", "has hostnames and rules of its own"},
	{gateway, anAttachment("kind", "GRPCRoute", "grpcRules", list(object())), gateway + ".attachTo", "has hostnames and rules of its own"},
	{gateway, anAttachment("attachTo", object("routeName", "own", "serviceName", "shop-web")), gateway + ".attachTo.servicePort", requiredValue},
	{gateway, anAttachment("attachTo", object("routeName", "own", "serviceName", "shop-web", "servicePort", int64(0))), gateway + ".attachTo.servicePort", "Invalid value: 0"},
	{gateway, anAttachment("attachTo", object("routeName", "own", "serviceName", "shop-web", "servicePort", int64(65536))), gateway + ".attachTo.servicePort", "Invalid value: 65536"},
	{gateway, anAttachment("attachTo", object("routeName", "own", "servicePort", int64(80))), gateway + ".attachTo.serviceName", requiredValue},
	{gateway, anAttachment("attachTo", object("routeName", "own", "serviceName", x(64), "servicePort", int64(80))), gateway + ".attachTo.serviceName", tooLong},
	{gateway, anAttachment("attachTo", object("serviceName", "shop-web", "servicePort", int64(80))), gateway + ".attachTo.routeName", requiredValue},
	{gateway, anAttachment("attachTo", object("routeName", x(254), "serviceName", "shop-web", "servicePort", int64(80))), gateway + ".attachTo.routeName", tooLong},
	{gateway + ".parentRefs[1]", object("name", "public", "namespace", "gateways"), gateway + ".parentRefs", "named once"},
	{gateway + ".parentRefs[1]", object("name", "public", "namespace", "gateways", "sectionName", "https"), gateway + ".parentRefs", "needs a sectionName each time"},
	{gateway + ".parentRefs[0].name", nil, gateway + ".parentRefs[0].name", requiredValue},
	{gateway + ".parentRefs[0].port", int64(70000), gateway + ".parentRefs[0].port", "Invalid value: 70000"},
	{gateway + ".hostnames[0]", "shop_one.example.com", gateway + ".hostnames[0]", `"shop_one.example.com"`},
	{gateway + ".rules", list(), gateway + ".rules", "at least 1 item"},
	{gateway + ".rules[0].matches[0].path.value", "shop", gateway + ".rules[0].matches[0].path", "must be an absolute path and start with '/' when type one of ['Exact', 'PathPrefix']"},
	{gateway + ".rules[0].matches[0].path.value", "/shop//x", gateway + ".rules[0].matches[0].path", "must not contain '//'"},
	{gateway + ".rules[0].matches[0].path.value", "/a b", gateway + ".rules[0].matches[0].path", "must only contain valid characters"},
	{gateway + ".rules[0].matches[0].path.value", "/" + x(256), gateway + ".rules[0].matches[0].path.value", tooLong},
	{gateway + ".rules[0].matches[0].path.type", "Suffix", gateway + ".rules[0].matches[0].path.type", unsupported},
	{gateway + ".rules[0].matches", times(17, func(int) any { return object("method", "GET") }), gateway + ".rules[0].matches", tooMany},
	{gateway + ".rules", times(9, func(int) any {
		return object("matches", times(15, func(int) any { return object("method", "GET") }))
	}), gateway + ".rules", "at most 128 matches"},
	{gateway + ".rules[0].filters[0].requestHeaderModifier", nil, gateway + ".rules[0].filters[0]", "requestHeaderModifier must be specified for RequestHeaderModifier filter.type"},
	{gateway + ".rules[0].filters[2]", object("type", "RequestRedirect", "requestRedirect", object("hostname", "example.com")), gateway + ".rules[0].filters", "cannot be combined"},
	{gateway + ".rules[0].filters", list(object("type", "RequestRedirect", "requestRedirect", object("hostname", "example.com"))), gateway + ".rules", "and not redirect"},
	{gateway + ".rules[0].filters[2]", object("type", "URLRewrite", "urlRewrite", object("hostname", "example.com")), gateway + ".rules[0].filters", "cannot be repeated"},
	{gateway + ".rules[0].filters[2]", object("type", "ExternalAuth"), gateway + ".rules[0].filters[2].type", unsupported},
	{gateway + ".rules[0].filters[2]", object("type", "RequestMirror", "requestMirror", object("backendRef", object("name", "mirror"))),
		gateway + ".rules[0].filters[2].requestMirror.backendRef", "Must have port for Service reference"},
	{gateway + ".rules[0].filters[1].urlRewrite.path", object("type", "ReplacePrefixMatch", "replacePrefixMatch", "/"), gateway + ".rules[0]", "exactly one match, with a path of type PathPrefix"},
	{gateway + ".rules[0].timeouts.request", "10 s", gateway + ".rules[0].timeouts.request", `"10 s"`},
	{gateway + ".rules[0].timeouts.backendRequest", "1h", gateway + ".rules[0].timeouts", "backendRequest timeout cannot be longer"},
	{"spec.retention.warmReleases", int64(-1), "spec.retention.warmReleases", "Invalid value: -1"},
	{"spec.retention.warmReleases", int64(11), "spec.retention.warmReleases", "Invalid value: 11"},
	{"spec.retention.warmSeconds", int64(-1), "spec.retention.warmSeconds", "Invalid value: -1"},
	{"spec.retention.historyLimit", int64(-1), "spec.retention.historyLimit", "Invalid value: -1"},
	{"spec.retention.recordLimit", int64(49), "spec.retention.recordLimit", "Invalid value: 49"},
	{"spec.retention.actionSeconds", int64(3599), "spec.retention.actionSeconds", "Invalid value: 3599"},
	{"spec.requires[0].trackName", nil, "spec.requires[0].trackName", requiredValue},
	{"spec.requires[0].namespace", "Staging", "spec.requires[0].namespace", `"Staging"`},
	{"spec.requires[2]", object("namespace", "staging", "trackName", "shop"), "spec.requires", "named once"},
	{"spec.requires[1].publicKey", "none", "spec.requires[1].publicKey", mustMatch},
	{"spec.requires[1].publicKey", "-----BEGIN PUBLIC KEY-----" + x(8192), "spec.requires[1].publicKey", tooLong},
	{"spec.requires", times(17, func(i int) any { return object("namespace", fmt.Sprint("n", i), "trackName", "shop") }), "spec.requires", tooMany},
	{"spec.deletionPolicy", "Keep", "spec.deletionPolicy", unsupported},
}

var malformedRecords = []malformed{
	{"metadata.name", "shop-7", "metadata.name", "shop-7: must be <spec.trackName>-<spec.sequence in six digits>"},
	{"metadata.name", "shop-000008", "metadata.name", "shop-000008: must be"},
	{"metadata.name", "other-000007", "metadata.name", "other-000007: must be"},
	{"metadata.name", "shop-0000007", "metadata.name", "shop-0000007: must be"},
	{"spec.sequence", int64(0), "spec.sequence", "Invalid value: 0"},
	{"spec.time", "yesterday", "spec.time", `"yesterday"`},
	{"spec.event", "Guessed", "spec.event", unsupported},
	{"spec.actor", "", "spec.actor", `""`},
	{"spec.reason", x(129), "spec.reason", tooLong},
	{"spec.message", x(32769), "spec.message", tooLong},
	{"spec.state", nil, "spec.state", requiredValue},
	{"spec.state.routes[0].weights[0].weightPercent", int64(101), "spec.state.routes[0].weights[0].weightPercent", "Invalid value: 101"},
	{"spec.state.candidate.attempt", int64(0), "spec.state.candidate.attempt", "Invalid value: 0"},
	{"spec.digest", nil, "spec.digest", requiredValue},
}

var malformedActions = []malformed{
	{"spec.action", "Promote", "spec.action", `Unsupported value: "Promote"`},
	{"spec.action", nil, "spec.action", requiredValue},
	{"spec.attempt", nil, "spec.attempt", "attempt is required for Approve, Abort and SkipHold"},
	{"spec.attempt", int64(0), "spec.attempt", "Invalid value: 0"},
	{"spec.weightPercent", int64(50), "spec.weightPercent", "not available for others"},
	{"spec.action", "Approve", "spec.weightPercent", "required for Approve and SkipHold"},
	{"spec.action", "SkipHold", "spec.weightPercent", "required for Approve and SkipHold"},
	{"spec.trackName", nil, "spec.trackName", requiredValue},
	{"spec.releaseName", "", "spec.releaseName", `""`},
	{"spec.requester", "", "spec.requester", `""`},
	{"spec.reason", nil, "spec.reason", requiredValue},
	{"spec.reason", "", "spec.reason", `""`},
	{"spec.reason", x(1025), "spec.reason", tooLong},
}

var malformedPolicies = []malformed{
	{"spec.namespaceSelector", nil, "spec.namespaceSelector", requiredValue},
	{"spec.allowedRegistries", list(), "spec.allowedRegistries", "at least 1 item"},
	{"spec.allowedRegistries[0]", "https://registry.example.com", "spec.allowedRegistries[0]", mustMatch},
	{"spec.allowedRegistries[0]", "registry.example.com/", "spec.allowedRegistries[0]", mustMatch},
	{"spec.allowedRegistries[0]", "registry.example.com/*", "spec.allowedRegistries[0]", mustMatch},
	{"spec.registryAccess.plainHTTPHosts[0]", "registry.example.com/shop", "spec.registryAccess.plainHTTPHosts[0]", mustMatch},
	{"spec.signatures.enforcement", "Hope", "spec.signatures.enforcement", unsupported},
	{"spec.signatures.authorities", list(), "spec.signatures.authorities", "at least 1 item"},
	{"spec.signatures.authorities[0].keyless", object("issuer", "https://a", "subject", "b", "trustedRootName", "c"), "spec.signatures.authorities[0].keyless", "only then"},
	{"spec.signatures.authorities[0].key.publicKey", "none", "spec.signatures.authorities[0].key.publicKey", mustMatch},
	{"spec.signatures.authorities[1].name", "build", "spec.signatures.authorities", "must be unique"},
	{"spec.signatures.authorities[1].keyless.issuer", "http://tokens.example.com", "spec.signatures.authorities[1].keyless.issuer", mustMatch},
	{"spec.interactiveAccess", "Never", "spec.interactiveAccess", unsupported},
	{"spec.breakGlass.groups", list(), "spec.breakGlass.groups", "at least 1 item"},
	{"spec.breakGlass.maxSeconds", int64(59), "spec.breakGlass.maxSeconds", "Invalid value: 59"},
	{"spec.externalState.hostPath", "No", "spec.externalState.hostPath", unsupported},
	{"spec.privileges.rootUser", "No", "spec.privileges.rootUser", unsupported},
	{"spec.maxAgeSeconds", int64(1), "spec.maxAgeSeconds", "Invalid value: 1"},
	{"spec.maxRollouts", int64(0), "spec.maxRollouts", "Invalid value: 0"},
	{"spec.maxRollouts", int64(1001), "spec.maxRollouts", "Invalid value: 1001"},
	{"spec.approvals.count", int64(0), "spec.approvals.count", "Invalid value: 0"},
	{"spec.approvals.validSeconds", int64(0), "spec.approvals.validSeconds", "Invalid value: 0"},
	{"spec.writers[0].type", "Scaler", "spec.writers[0].scaler", "must be set when type is Scaler"},
	{"spec.writers[1].name", "calico", "spec.writers", "must be unique"},
	{"spec.writers[0].podAnnotator.annotations[0]", "strata.dev/sequence", "spec.writers[0].podAnnotator.annotations[0]", "written by the operator alone"},
	{"spec.writers[0].podAnnotator.annotations[0]", "a b", "spec.writers[0].podAnnotator.annotations[0]", mustMatch},
	{"spec.writers[1].scaler.username", "keda\nscale other", "spec.writers[1].scaler.username", mustMatch},
	{"spec.writers[3].readinessGate.domain", "Ready", "spec.writers[3].readinessGate.domain", mustMatch},
	{"spec.writers[3].readinessGate.username", "a\nb", "spec.writers[3].readinessGate.username", mustMatch},
	{"spec.writers[3].readinessGate", nil, "spec.writers[3].readinessGate", "readinessGate must be set when type is ReadinessGate, and only then"},
	{"spec.writers[2].sidecarInjector.images[0]", "registry.example.com/mesh/proxy:latest", "spec.writers[2].sidecarInjector.images[0]", mustMatch},
}

var _ = DescribeTable("A malformed field is refused with its path, the value and the reason",
	func(ctx SpecContext, file string, table []malformed) {
		Expect(api.Create(ctx, load(file), client.DryRunAll)).To(Succeed(), "the object that is made malformed")
		var wrong []string
		for _, m := range table {
			object := load(file)
			set(object, m.path, m.value)
			said := refusals(api.Create(ctx, object, client.DryRunAll))
			if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, m.at+": ") && strings.Contains(s, m.says) }) {
				wrong = append(wrong, fmt.Sprintf("%s = %v: want %s: ...%s..., got %q", m.path, m.value, m.at, m.says, said))
			}
		}
		Expect(wrong).To(BeEmpty())
		AddReportEntry("fields", fmt.Sprintf("%d malformed fields of a %s", len(table), file))
	},
	Entry("of a release", "release", malformedReleases),
	Entry("of a track", "track", malformedTracks),
	Entry("of a record", "record", malformedRecords),
	Entry("of an action", "action", malformedActions),
	Entry("of a policy", "policy", malformedPolicies),
)

// refusals are what the API server says of each field: path, colon, reason. Nothing
// where it refuses nothing.
func refusals(err error) []string {
	GinkgoHelper()
	if err == nil {
		return nil
	}
	var status apierrors.APIStatus
	Expect(errors.As(err, &status)).To(BeTrue(), "%v", err)
	Expect(status.Status().Details).NotTo(BeNil(), "%v", err)
	var out []string
	for _, cause := range status.Status().Details.Causes {
		out = append(out, cause.Field+": "+cause.Message)
	}
	return out
}
