package v1alpha1

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TrafficSpec is where traffic comes from.
type TrafficSpec struct {
	// drainSeconds is the time from when a release verifiably has no weight until its
	// pods may go, in seconds: 0 to 3600. Unset: 30. Zero: at once. Routes with dialect ALB
	// may make it longer.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	DrainSeconds *int32 `json:"drainSeconds,omitempty"`

	// routes are the ways by which traffic enters, 0 to 16, by name. All of them
	// shift together. They may change only while the track is settled. Unset: none.
	//
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.filter(r, has(r.service)).all(r, self.exists_one(o, has(o.service) && o.service.name == r.service.name))",message="two routes must not name the same Service"
	// +kubebuilder:validation:XValidation:rule="self.filter(r, has(r.ingress)).all(r, self.exists_one(o, has(o.ingress) && o.ingress.name == r.ingress.name))",message="two routes must not name the same Ingress"
	// +kubebuilder:validation:XValidation:rule="self.filter(r, has(r.ingress) && r.ingress.dialect == 'NGINX').all(r, self.exists_one(o, has(o.ingress) && o.ingress.dialect == 'NGINX' && o.componentName == r.componentName && o.portName == r.portName))",message="two Ingress routes with dialect NGINX must not lead to the same port of a component: ingress-nginx has one weight for each Service; give one route the rules of both"
	// +kubebuilder:validation:XValidation:rule="self.filter(r, has(r.istio)).all(r, self.exists_one(o, has(o.istio) && o.istio.name == r.istio.name))",message="two routes must not name the same VirtualService"
	// +kubebuilder:validation:XValidation:rule="self.filter(r, has(r.traefik)).all(r, self.exists_one(o, has(o.traefik) && o.traefik.name == r.traefik.name))",message="two routes must not name the same TraefikService"
	Routes []Route `json:"routes,omitempty"`
}

// RouteType selects the traffic provider of a route.
//
// +kubebuilder:validation:Enum=GatewayAPI;Ingress;Traefik;Istio;Service
type RouteType string

const (
	// RouteGatewayAPI is a route object of the Gateway API, owned by the operator.
	RouteGatewayAPI RouteType = "GatewayAPI"
	// RouteIngress is an Ingress with weights in its annotations.
	RouteIngress RouteType = "Ingress"
	// RouteTraefik is a weighted TraefikService.
	RouteTraefik RouteType = "Traefik"
	// RouteIstio is a VirtualService.
	RouteIstio RouteType = "Istio"
	// RouteService is a stable Service, which moves from 0 to 100 percent at once.
	RouteService RouteType = "Service"
)

// Route is one way by which traffic enters the application.
//
// +kubebuilder:validation:XValidation:rule="!has(self.preview) || self.type in ['GatewayAPI', 'Istio'] || has(self.ingress) && self.ingress.dialect == 'NGINX'",message="a preview needs a route of type GatewayAPI, Istio, or Ingress with dialect NGINX",fieldPath=".preview"
// +kubebuilder:validation:XValidation:rule="!has(self.preview) || !has(self.preview.hostname) || self.type == 'GatewayAPI'",message="a hostname of the preview needs type GatewayAPI",fieldPath=".preview"
// +kubebuilder:validation:XValidation:rule="!has(self.probe) || self.type != 'Service' && !(has(self.gatewayAPI) && self.gatewayAPI.kind == 'GRPCRoute')",message="a probe asks a gateway by HTTP GET, and no Service or GRPCRoute",fieldPath=".probe"
// +kubebuilder:validation:XValidation:rule="has(self.gatewayAPI) == (self.type == 'GatewayAPI')",message="gatewayAPI must be set when type is GatewayAPI, and only then",fieldPath=".gatewayAPI"
// +kubebuilder:validation:XValidation:rule="has(self.ingress) == (self.type == 'Ingress')",message="ingress must be set when type is Ingress, and only then",fieldPath=".ingress"
// +kubebuilder:validation:XValidation:rule="has(self.traefik) == (self.type == 'Traefik')",message="traefik must be set when type is Traefik, and only then",fieldPath=".traefik"
// +kubebuilder:validation:XValidation:rule="has(self.istio) == (self.type == 'Istio')",message="istio must be set when type is Istio, and only then",fieldPath=".istio"
// +kubebuilder:validation:XValidation:rule="has(self.service) == (self.type == 'Service')",message="service must be set when type is Service, and only then",fieldPath=".service"
type Route struct {
	// name of the route, unique in the track. A route object of the Gateway API that the
	// operator makes is called <track>-<name>. 1 to 20 letters, digits and hyphens, in lower case; the
	// first is a letter.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// componentName is the component that gets the traffic. A release without it
	// stalls before its pods are made. 1 to 20 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*$`
	ComponentName string `json:"componentName"`

	// portName is the port of that component. 1 to 15 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	PortName string `json:"portName"`

	// type selects how traffic is moved, and which of the fields below is set:
	// GatewayAPI, Ingress, Traefik, Istio or Service.
	//
	// +required
	// +unionDiscriminator
	Type RouteType `json:"type"`

	// preview lets some requests reach the candidate, and nothing else, while it has a
	// Service and its attempt is open: it is seen before it has any traffic. Needs type
	// GatewayAPI, Istio, or Ingress with dialect NGINX. Unset: the candidate gets its share
	// of the traffic and no more.
	//
	// +optional
	Preview *RoutePreview `json:"preview,omitempty"`

	// probe asks through the gateway who answers, and keeps the next step back until the
	// share is as asked for. Needs an HTTP route, of any type but Service. Unset: what the
	// router confirms is enough.
	//
	// +optional
	Probe *RouteProbe `json:"probe,omitempty"`

	// gatewayAPI is set when type is GatewayAPI: the route object to make.
	//
	// +optional
	GatewayAPI *GatewayAPIRoute `json:"gatewayAPI,omitempty"`

	// ingress is set when type is Ingress: the Ingress to make.
	//
	// +optional
	Ingress *IngressRoute `json:"ingress,omitempty"`

	// traefik is set when type is Traefik: the TraefikService to make.
	//
	// +optional
	Traefik *TraefikRoute `json:"traefik,omitempty"`

	// istio is set when type is Istio: the VirtualService to make.
	//
	// +optional
	Istio *IstioRoute `json:"istio,omitempty"`

	// service is set when type is Service: the stable Service to make.
	//
	// +optional
	Service *ServiceRoute `json:"service,omitempty"`
}

// RoutePreview is how the candidate is reached.
//
// +kubebuilder:validation:XValidation:rule="has(self.hostname) || has(self.headerName) || has(self.cookieName)",message="a preview is by headerName, cookieName or hostname"
// +kubebuilder:validation:XValidation:rule="has(self.headerName) ? !has(self.cookieName) : !has(self.headerValue)",message="headerName and cookieName exclude each other, and headerValue needs headerName"
type RoutePreview struct {
	// headerName is a header, 1 to 64 characters as HTTP has them. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+\-.^_|~]+$`
	HeaderName string `json:"headerName,omitempty"`

	// headerValue is all of its value, 1 to 128 characters. Unset: the name of the
	// candidate, such as shop-1-4-2.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	HeaderValue string `json:"headerValue,omitempty"`

	// cookieName is a cookie whose value is the name of the candidate; on ingress-nginx,
	// always. 1 to 64 letters, digits, underscores and hyphens. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	CookieName string `json:"cookieName,omitempty"`

	// hostname of the candidate alone, by a route object <track>-<name>-preview. Needs
	// type GatewayAPI. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Hostname string `json:"hostname,omitempty"`
}

// RouteProbe is how the operator asks through a gateway who answers.
type RouteProbe struct {
	// url is asked by GET: http or https, host, port, path; 10 to 512 characters. Loopback,
	// link-local and metadata addresses are not asked.
	//
	// +required
	// +kubebuilder:validation:MinLength=10
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:Pattern=`^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[-A-Za-z0-9._~/%]*)?$`
	URL string `json:"url"`

	// hostname that is asked for. Unset: the host of the url.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Hostname string `json:"hostname,omitempty"`

	// markerHeader of an answer has the value of STRATA_RELEASE. 1 to 64 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9-]+$`
	MarkerHeader string `json:"markerHeader"`

	// requests for each weight, 20 to 2000. Unset: 500.
	//
	// +optional
	// +kubebuilder:validation:Minimum=20
	// +kubebuilder:validation:Maximum=2000
	Requests *int32 `json:"requests,omitempty"`

	// tolerancePoints is how far a share may be off, in percent of all requests: 1 to 50,
	// and no less than what chance does. Unset: 5.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	TolerancePoints *int32 `json:"tolerancePoints,omitempty"`
}

// GatewayAPIRoute is a route object of the Gateway API: one that the operator makes and
// owns, or one of the user's that it attaches to.
//
// +kubebuilder:validation:XValidation:rule="has(self.attachTo) != has(self.parentRefs)",message="set parentRefs for a route that the operator makes, or attachTo for one of yours",fieldPath=".parentRefs"
// +kubebuilder:validation:XValidation:rule="!has(self.attachTo) || !has(self.hostnames) && !has(self.rules) && !has(self.grpcRules)",message="a route of yours has hostnames and rules of its own",fieldPath=".attachTo"
// +kubebuilder:validation:XValidation:rule="self.kind == 'HTTPRoute' || !has(self.rules)",message="rules are those of an HTTPRoute: a GRPCRoute has grpcRules",fieldPath=".rules"
// +kubebuilder:validation:XValidation:rule="self.kind == 'GRPCRoute' || !has(self.grpcRules)",message="grpcRules are those of a GRPCRoute: an HTTPRoute has rules",fieldPath=".grpcRules"
// +kubebuilder:validation:XValidation:rule="!has(self.stickyCookieName) || self.kind == 'HTTPRoute' && !has(self.attachTo)",message="a cookie needs an HTTPRoute that the operator makes: calls have none, and the rules of a route of yours have a sessionPersistence that you write",fieldPath=".stickyCookieName"
type GatewayAPIRoute struct {
	// kind of the route object: HTTPRoute or GRPCRoute. The routes of two kinds cannot
	// have a hostname of one Gateway in common.
	//
	// +required
	// +kubebuilder:validation:Enum=HTTPRoute;GRPCRoute
	Kind string `json:"kind"`

	// attachTo is a route object of your own, where parentRefs and what follows are unset:
	// of it the operator leads some backends, and nothing else.
	//
	// +optional
	AttachTo *GatewayAPIAttachment `json:"attachTo,omitempty"`

	// parentRefs are the Gateways that the route attaches to, 1 to 32, as in an
	// HTTPRoute. Weight advances only when every one of them has accepted it.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(o, (has(p.group) ? p.group : 'gateway.networking.k8s.io') == (has(o.group) ? o.group : 'gateway.networking.k8s.io') && (has(p.kind) ? p.kind : 'Gateway') == (has(o.kind) ? o.kind : 'Gateway') && p.name == o.name && (has(p.__namespace__) ? p.__namespace__ : '') == (has(o.__namespace__) ? o.__namespace__ : '') && (has(p.sectionName) ? p.sectionName : '') == (has(o.sectionName) ? o.sectionName : '')))",message="a parent may be named once for each sectionName"
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.all(o, !((has(p.group) ? p.group : 'gateway.networking.k8s.io') == (has(o.group) ? o.group : 'gateway.networking.k8s.io') && (has(p.kind) ? p.kind : 'Gateway') == (has(o.kind) ? o.kind : 'Gateway') && p.name == o.name && (has(p.__namespace__) ? p.__namespace__ : '') == (has(o.__namespace__) ? o.__namespace__ : '')) || has(p.sectionName) == has(o.sectionName)))",message="a parent that is named more than once needs a sectionName each time"
	ParentRefs []gatewayv1.ParentReference `json:"parentRefs,omitempty"`

	// hostnames that the route answers to, 0 to 16, as in an HTTPRoute. Unset: all
	// those of its parents.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Hostnames []gatewayv1.Hostname `json:"hostnames,omitempty"`

	// rules of an HTTPRoute select and treat the requests, 1 to 16, with 128 matches in
	// all. The operator adds the backends and their weights. Unset: one rule for all
	// requests.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.map(r, has(r.matches) ? r.matches.size() : 1).sum() <= 128",message="all rules together may have at most 128 matches"
	// +kubebuilder:validation:XValidation:rule="self.exists(r, !has(r.filters) || !r.filters.exists(f, f.type == 'RequestRedirect'))",message="at least one rule must lead to the releases, and not redirect"
	Rules []GatewayAPIRule `json:"rules,omitempty"`

	// grpcRules are the rules of a GRPCRoute, 1 to 16, with 127 matches in all. The
	// operator adds the backends and their weights. Unset: one rule for all calls.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.map(r, has(r.matches) ? r.matches.size() : 0).sum() < 128",message="all rules together may have at most 127 matches"
	GRPCRules []GatewayAPIGRPCRule `json:"grpcRules,omitempty"`

	// stickyCookieName is a cookie by which a client of an HTTPRoute stays with the release
	// that it met, while several have weight; then one rule alone may lead to them. 1 to 64
	// letters, digits, underscores and hyphens. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	StickyCookieName string `json:"stickyCookieName,omitempty"`
}

// GatewayAPIAttachment is a user's own route object. Each backend in it that is the Service
// named here makes room for those of the releases, with the same filters and, together, the
// same share; all else stays as it is. They go when the track no longer names it.
type GatewayAPIAttachment struct {
	// routeName is its name, in the track's namespace. 1 to 253 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	RouteName string `json:"routeName"`

	// serviceName is the Service whose place the releases take: best that of a route of
	// type Service, as it answers while they are not in there. 1 to 63 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	ServiceName string `json:"serviceName"`

	// servicePort is the port of those backends, 1 to 65535.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	ServicePort int32 `json:"servicePort"`
}

// GatewayAPIRule is a rule of an HTTPRoute without its backends, which are the
// operator's business.
//
// +kubebuilder:validation:XValidation:rule="!has(self.filters) || !self.filters.exists(f, has(f.urlRewrite) && has(f.urlRewrite.path) && has(f.urlRewrite.path.replacePrefixMatch)) || (has(self.matches) && self.matches.size() == 1 && has(self.matches[0].path) && (!has(self.matches[0].path.type) || self.matches[0].path.type == 'PathPrefix'))",message="a URLRewrite filter with path.replacePrefixMatch needs exactly one match, with a path of type PathPrefix"
// +kubebuilder:validation:XValidation:rule="!has(self.filters) || !self.filters.exists(f, has(f.requestRedirect) && has(f.requestRedirect.path) && has(f.requestRedirect.path.replacePrefixMatch)) || (has(self.matches) && self.matches.size() == 1 && has(self.matches[0].path) && (!has(self.matches[0].path.type) || self.matches[0].path.type == 'PathPrefix'))",message="a RequestRedirect filter with path.replacePrefixMatch needs exactly one match, with a path of type PathPrefix"
type GatewayAPIRule struct {
	// matches select the requests, 0 to 16, as in an HTTPRoute, with paths of at most
	// 256 characters: one of them is enough. Unset: all requests.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Matches []gatewayv1.HTTPRouteMatch `json:"matches,omitempty"`

	// filters treat the requests, 0 to 16, as in an HTTPRoute, each type once but for
	// RequestMirror and ExtensionRef. What a rule with RequestRedirect selects reaches
	// no release. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="!self.exists(f, f.type == 'RequestRedirect') || !self.exists(f, f.type == 'URLRewrite')",message="RequestRedirect and URLRewrite cannot be combined"
	// +kubebuilder:validation:XValidation:rule="self.all(f, f.type in ['RequestMirror', 'ExtensionRef'] || self.exists_one(o, o.type == f.type))",message="a filter of this type cannot be repeated"
	Filters []gatewayv1.HTTPRouteFilter `json:"filters,omitempty"`

	// timeouts of the requests, as in an HTTPRoute. Unset: those of the gateway.
	//
	// +optional
	Timeouts *gatewayv1.HTTPRouteTimeouts `json:"timeouts,omitempty"`
}

// GatewayAPIGRPCRule is a rule of a GRPCRoute without its backends, which are the
// operator's business.
type GatewayAPIGRPCRule struct {
	// matches select the calls, 0 to 16, as in a GRPCRoute, with names of services and
	// methods of at most 256 characters: one of them is enough. Unset: all calls.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Matches []gatewayv1.GRPCRouteMatch `json:"matches,omitempty"`

	// filters treat the calls, 0 to 16, as in a GRPCRoute, each type once but for
	// RequestMirror and ExtensionRef. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(f, f.type in ['RequestMirror', 'ExtensionRef'] || self.exists_one(o, o.type == f.type))",message="a filter of this type cannot be repeated"
	Filters []gatewayv1.GRPCRouteFilter `json:"filters,omitempty"`
}

// IngressDialect is how an Ingress carries weights.
//
// +kubebuilder:validation:Enum=NGINX;ALB
type IngressDialect string

const (
	// DialectNGINX is that of ingress-nginx: a second Ingress, the canary, has a share of
	// the first one's requests.
	DialectNGINX IngressDialect = "NGINX"
	// DialectALB is that of the AWS Load Balancer Controller: an action with weighted
	// target groups.
	DialectALB IngressDialect = "ALB"
)

// IngressRoute is an operator-owned Ingress that carries weights.
//
// +kubebuilder:validation:XValidation:rule="self.dialect == 'ALB' || !has(self.stickinessSeconds) && !has(self.deregistrationDelaySeconds)",message="stickinessSeconds and deregistrationDelaySeconds need dialect ALB",fieldPath=".dialect"
type IngressRoute struct {
	// dialect of the Ingress, by which it carries the weights: NGINX or ALB.
	//
	// +required
	Dialect IngressDialect `json:"dialect"`

	// name of the Ingress, in the track's namespace; the operator makes and owns it, and
	// with dialect NGINX beside it <name>-canary. 1 to 240 characters that do not end in
	// -canary.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('-canary')",message="the operator names the canary of an Ingress so"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=240
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Name string `json:"name"`

	// className is the IngressClass of the Ingress. 1 to 253 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	ClassName string `json:"className"`

	// rules select the requests, 1 to 16, each host once.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, (has(o.host) ? o.host : '') == (has(r.host) ? r.host : '')))",message="each host may have one rule: put its paths together"
	Rules []IngressRule `json:"rules"`

	// tls are the certificates of hosts, 0 to 16. Unset: none of the Ingress's own.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	TLS []IngressTLS `json:"tls,omitempty"`

	// annotations of the Ingress, 0 to 64: how the router treats the requests, and what
	// others read. Those that carry weights are the operator's. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MaxProperties=64
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.size() <= 317)",message="the name of an annotation has at most 317 characters"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('strata.dev/') && k != 'kubernetes.io/ingress.class')",message="strata.dev/ is reserved, and className says the class"
	// +kubebuilder:validation:XValidation:rule="self.all(k, !k.startsWith('nginx.ingress.kubernetes.io/canary') && k != 'nginx.ingress.kubernetes.io/affinity-canary-behavior')",message="canary annotations are the operator's: they carry the weights"
	Annotations map[string]AnnotationValue `json:"annotations,omitempty"`

	// settleSeconds is how long the controller of the Ingress, and its proxies, are given
	// to take over what was written: nothing confirms it. 1 to 600 seconds. Unset: 10, with
	// dialect ALB 30.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	SettleSeconds *int32 `json:"settleSeconds,omitempty"`

	// stickinessSeconds is how long a client stays with the release that it met, while
	// several have weight. 1 to 604800 seconds; dialect ALB. Unset: it does not.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=604800
	StickinessSeconds *int32 `json:"stickinessSeconds,omitempty"`

	// deregistrationDelaySeconds is how long the load balancer lets requests to a pod that
	// goes finish; drainSeconds is no less then. 0 to 3600 seconds; dialect ALB. Unset: 300.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=3600
	DeregistrationDelaySeconds *int32 `json:"deregistrationDelaySeconds,omitempty"`
}

// AnnotationValue is the value of an annotation, of at most 4096 characters.
//
// +kubebuilder:validation:MaxLength=4096
type AnnotationValue string

// IngressRule selects requests of one host.
type IngressRule struct {
	// host of the requests, without a port; a first label of * stands for any. At most 253
	// characters. Unset: every host that no other Ingress names.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Host string `json:"host,omitempty"`

	// paths of the requests, 1 to 16, each once. Unset: all.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(o, o.path == p.path && o.pathType == p.pathType))",message="a path may be named once for each pathType"
	Paths []IngressPath `json:"paths,omitempty"`
}

// IngressPath selects requests by their path.
//
// +kubebuilder:validation:XValidation:rule="!self.path.contains('//') && !self.path.contains('/./') && !self.path.contains('/../') && !self.path.endsWith('/.') && !self.path.endsWith('/..')",message="a path has no empty, . or .. segments",fieldPath=".path"
type IngressPath struct {
	// path, from its first slash on, of letters, digits and - . _ ~ /: 1 to 256
	// characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[-A-Za-z0-9._~/]*$`
	Path string `json:"path"`

	// pathType is how the path is compared: Prefix (by segments) or Exact.
	//
	// +required
	// +kubebuilder:validation:Enum=Prefix;Exact
	PathType string `json:"pathType"`
}

// IngressTLS is the certificate of some hosts.
type IngressTLS struct {
	// hosts that the certificate is for, 1 to 16.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	Hosts []string `json:"hosts"`

	// secretName is the Secret that holds it, in the track's namespace. 1 to 253
	// characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	SecretName string `json:"secretName"`
}

// TraefikRoute is an operator-owned TraefikService that carries weights. What leads to it,
// an IngressRoute as a rule, is the users' own.
type TraefikRoute struct {
	// name of the TraefikService, in the track's namespace; the operator makes and owns
	// it, and your IngressRoutes lead to it. 1 to 63 letters, digits and hyphens, in lower
	// case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	// +kubebuilder:validation:XValidation:rule="!self.matches('-[0-9]+$')",message="Traefik has such names, which end in a hyphen and a number, for the ports of Services"
	Name string `json:"name"`

	// stickyCookieName is a cookie by which a client stays with the release that it met, for
	// as long as that has weight. 1 to 64 letters, digits, underscores and hyphens. Unset:
	// none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9_-]+$`
	StickyCookieName string `json:"stickyCookieName,omitempty"`

	// settleSeconds is how long Traefik is given to take over what was written: nothing
	// confirms it. 1 to 600 seconds. Unset: 5.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	SettleSeconds *int32 `json:"settleSeconds,omitempty"`
}

// IstioRoute is an operator-owned VirtualService that carries weights.
//
// +kubebuilder:validation:XValidation:rule="has(self.hosts) || !has(self.gateways)",message="gateways need hosts: without hosts it is a delegate, and the VirtualService that leads to it has both",fieldPath=".gateways"
type IstioRoute struct {
	// name of the VirtualService, in the track's namespace; the operator makes and owns
	// it. 1 to 63 letters, digits and hyphens, in lower case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// hosts that the VirtualService answers to, 1 to 16, as in one; * stands for any.
	// Unset: it is a delegate, to which a VirtualService of yours leads.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:Pattern=`^(\*|(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)$`
	Hosts []string `json:"hosts,omitempty"`

	// gateways whose requests it takes, 1 to 16, each as name or namespace/name; mesh are
	// those of sidecars. Unset: mesh.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:validation:items:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Gateways []string `json:"gateways,omitempty"`

	// settleSeconds is how long istiod and its proxies are given to take over what was
	// written: nothing confirms it. 1 to 600 seconds. Unset: 15.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=600
	SettleSeconds *int32 `json:"settleSeconds,omitempty"`
}

// ServiceRoute is a stable Service whose traffic moves at once, when the other
// routes reach 100.
type ServiceRoute struct {
	// name of the Service, in the track's namespace; the operator makes and owns it.
	// 1 to 63 letters, digits and hyphens, in lower case; the first is a letter.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`
}
