package v1alpha1

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// TrafficSpec is where traffic comes from.
type TrafficSpec struct {
	// drainSeconds is the time from when a release verifiably has no weight until its
	// pods may go, in seconds: 0 to 3600. Unset: 30. Zero: at once.
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
	Routes []Route `json:"routes,omitempty"`
}

// RouteType selects the traffic provider of a route.
//
// +kubebuilder:validation:Enum=GatewayAPI;Ingress;Service
type RouteType string

const (
	// RouteGatewayAPI is a route object of the Gateway API, owned by the operator.
	RouteGatewayAPI RouteType = "GatewayAPI"
	// RouteIngress is an Ingress with weights in its annotations.
	RouteIngress RouteType = "Ingress"
	// RouteService is a stable Service, which moves from 0 to 100 percent at once.
	RouteService RouteType = "Service"
)

// Route is one way by which traffic enters the application.
//
// +kubebuilder:validation:XValidation:rule="self.type == 'GatewayAPI' || !has(self.preview)",message="a preview needs a route of type GatewayAPI: others cannot tell requests apart",fieldPath=".preview"
// +kubebuilder:validation:XValidation:rule="has(self.gatewayAPI) == (self.type == 'GatewayAPI')",message="gatewayAPI must be set when type is GatewayAPI, and only then",fieldPath=".gatewayAPI"
// +kubebuilder:validation:XValidation:rule="has(self.ingress) == (self.type == 'Ingress')",message="ingress must be set when type is Ingress, and only then",fieldPath=".ingress"
// +kubebuilder:validation:XValidation:rule="has(self.service) == (self.type == 'Service')",message="service must be set when type is Service, and only then",fieldPath=".service"
type Route struct {
	// name of the route, unique in the track. The route object of the Gateway API is
	// called <track>-<name>. 1 to 20 letters, digits and hyphens, in lower case; the
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
	// GatewayAPI, Ingress or Service.
	//
	// +required
	// +unionDiscriminator
	Type RouteType `json:"type"`

	// preview lets requests with a header reach the candidate, and nothing else, from the
	// time when it has a Service until it is promoted or its attempt ends: people and
	// tests see it by the hostname of the application before it has any traffic. Who
	// knows the header reaches what has not passed its tests. Needs type GatewayAPI.
	// Unset: the candidate gets its share of the traffic and no more.
	//
	// +optional
	Preview *RoutePreview `json:"preview,omitempty"`

	// gatewayAPI is set when type is GatewayAPI: the route object to make.
	//
	// +optional
	GatewayAPI *GatewayAPIRoute `json:"gatewayAPI,omitempty"`

	// ingress is set when type is Ingress: the Ingress to steer.
	//
	// +optional
	Ingress *IngressRoute `json:"ingress,omitempty"`

	// service is set when type is Service: the stable Service to make.
	//
	// +optional
	Service *ServiceRoute `json:"service,omitempty"`
}

// RoutePreview is the header by which the candidate is reached.
type RoutePreview struct {
	// headerName is the name of the header, 1 to 64 characters as HTTP has them.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$%&'*+\-.^_|~]+$`
	HeaderName string `json:"headerName"`

	// headerValue is all of its value, 1 to 128 characters. Unset: the name of the
	// candidate, such as shop-1-4-2.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	HeaderValue string `json:"headerValue,omitempty"`
}

// GatewayAPIRoute is an operator-owned route object of the Gateway API.
//
// +kubebuilder:validation:XValidation:rule="self.kind == 'HTTPRoute' || !has(self.rules)",message="rules are those of an HTTPRoute: a GRPCRoute has grpcRules",fieldPath=".rules"
// +kubebuilder:validation:XValidation:rule="self.kind == 'GRPCRoute' || !has(self.grpcRules)",message="grpcRules are those of a GRPCRoute: an HTTPRoute has rules",fieldPath=".grpcRules"
type GatewayAPIRoute struct {
	// kind of the route object: HTTPRoute or GRPCRoute. The routes of two kinds cannot
	// have a hostname of one Gateway in common.
	//
	// +required
	// +kubebuilder:validation:Enum=HTTPRoute;GRPCRoute
	Kind string `json:"kind"`

	// parentRefs are the Gateways that the route attaches to, 1 to 32, as in an
	// HTTPRoute. Weight advances only when every one of them has accepted it.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(o, (has(p.group) ? p.group : 'gateway.networking.k8s.io') == (has(o.group) ? o.group : 'gateway.networking.k8s.io') && (has(p.kind) ? p.kind : 'Gateway') == (has(o.kind) ? o.kind : 'Gateway') && p.name == o.name && (has(p.__namespace__) ? p.__namespace__ : '') == (has(o.__namespace__) ? o.__namespace__ : '') && (has(p.sectionName) ? p.sectionName : '') == (has(o.sectionName) ? o.sectionName : '')))",message="a parent may be named once for each sectionName"
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.all(o, !((has(p.group) ? p.group : 'gateway.networking.k8s.io') == (has(o.group) ? o.group : 'gateway.networking.k8s.io') && (has(p.kind) ? p.kind : 'Gateway') == (has(o.kind) ? o.kind : 'Gateway') && p.name == o.name && (has(p.__namespace__) ? p.__namespace__ : '') == (has(o.__namespace__) ? o.__namespace__ : '')) || has(p.sectionName) == has(o.sectionName)))",message="a parent that is named more than once needs a sectionName each time"
	ParentRefs []gatewayv1.ParentReference `json:"parentRefs"`

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

// IngressRoute is an Ingress whose annotations carry the weights. It is not
// supported yet.
type IngressRoute struct {
	// dialect of the annotations, for example nginx. 1 to 63 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Dialect string `json:"dialect"`

	// name of the Ingress, in the track's namespace. 1 to 253 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`
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
