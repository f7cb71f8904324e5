package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Activation says when the pods of a component begin to work.
//
// +kubebuilder:validation:Enum=Immediate;AtFullWeight
type Activation string

const (
	// ActivationImmediate starts the pods before the release takes any traffic.
	ActivationImmediate Activation = "Immediate"
	// ActivationAtFullWeight starts the pods when the release is at 100 percent, and
	// stops them when it is not: a worker takes no queue items before.
	ActivationAtFullWeight Activation = "AtFullWeight"
)

// Component is one Deployment of a release, with a Service of its own where it has
// ports.
//
// +kubebuilder:validation:XValidation:rule="!has(self.disruption) || has(self.disruption.maxUnavailable) != has(self.disruption.minAvailable)",message="exactly one of maxUnavailable and minAvailable must be set",fieldPath=".disruption"
type Component struct {
	// name of the component, unique in the release. The Deployment and the Service
	// are called <release>-<name>. 1 to 20 characters: a letter, then letters and
	// digits, in lower case; no hyphen, so that those names are unique.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*$`
	Name string `json:"name"`

	// replicas is the number of pods, 1 to 10000; with autoscaling, the number to
	// begin with, as far as its bounds allow. A track may override it: capacity is not
	// content.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Replicas int32 `json:"replicas"`

	// template of the pods, as in a Deployment ("kubectl explain
	// deployment.spec.template"), but: every image is given by digest
	// (registry.example.com/shop/web@sha256:...); restartPolicy, if set, is Always;
	// hostNetwork and hostPort are not available, nor are ephemeral containers,
	// activeDeadlineSeconds, and metadata other than labels and annotations.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="has(self.spec)",message="a pod template needs a spec"
	Template corev1.PodTemplateSpec `json:"template"`

	// ports of the component's Service, 0 to 16, with unique names. Unset: no
	// Service; the component is a worker.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(o, o.name == p.name))",message="the names of ports must be unique"
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(o, o.port == p.port && (has(o.protocol) ? o.protocol : 'TCP') == (has(p.protocol) ? p.protocol : 'TCP')))",message="a port may be given once for each protocol"
	Ports []ComponentPort `json:"ports,omitempty"`

	// activation says when the pods begin to work: Immediate, before the release
	// takes any traffic; AtFullWeight, once it is confirmed to be at 100 percent, and
	// not while it is warm. On a track without routes a release is at 100 percent once
	// its gates hold. A route cannot go to a component that is AtFullWeight. Unset:
	// Immediate with ports, AtFullWeight without.
	//
	// +optional
	Activation Activation `json:"activation,omitempty"`

	// autoscaling asks for a HorizontalPodAutoscaler. Unset: none; the size is
	// replicas.
	//
	// +optional
	Autoscaling *ComponentAutoscaling `json:"autoscaling,omitempty"`

	// disruption asks for a PodDisruptionBudget. Unset: none.
	//
	// +optional
	Disruption *ComponentDisruption `json:"disruption,omitempty"`
}

// ComponentPort is a port of the component's release Service.
type ComponentPort struct {
	// name of the port, by which routes refer to it. 1 to 15 letters, digits and
	// hyphens, in lower case, with a letter or digit at both ends.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// port of the Service, 1 to 65535.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`

	// targetPort is the port of the pods: a number, 1 to 65535, or the name of a
	// container port (at most 15 characters). Unset: the same number as port.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 65535 : self.size() <= 15 && self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be a number from 1 to 65535, or the name of a container port",messageExpression="string(self) + ': must be a number from 1 to 65535, or the name of a container port'"
	TargetPort *intstr.IntOrString `json:"targetPort,omitempty"`

	// protocol of the port: TCP, UDP or SCTP. Unset: TCP. Routes need TCP.
	//
	// +optional
	// +kubebuilder:validation:Enum=TCP;UDP;SCTP
	Protocol corev1.Protocol `json:"protocol,omitempty"`

	// appProtocol is a hint for gateways, for example http or kubernetes.io/h2c. 1 to
	// 253 characters. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	AppProtocol string `json:"appProtocol,omitempty"`
}

// ComponentAutoscaling bounds and steers the component's HorizontalPodAutoscaler.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="must not be above maxReplicas",fieldPath=".minReplicas"
type ComponentAutoscaling struct {
	// minReplicas is the least number of pods, 1 to 10000. During a rollout, for five
	// minutes after it, and while the release is warm, it is raised to the largest size
	// that the baseline had since the rollout began, but never above maxReplicas.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MinReplicas int32 `json:"minReplicas"`

	// maxReplicas is the largest number of pods, 1 to 10000. A release may take all
	// traffic with so many, also where the baseline has more.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxReplicas int32 `json:"maxReplicas"`

	// metrics to scale by, 0 to 16, as in a HorizontalPodAutoscaler of
	// autoscaling/v2. Unset: 80 percent of the CPU that the pods request.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Metrics []autoscalingv2.MetricSpec `json:"metrics,omitempty"`

	// behavior of scaling up and down, as in a HorizontalPodAutoscaler of
	// autoscaling/v2. Unset: as that says.
	//
	// +optional
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
}

// ComponentDisruption bounds voluntary disruption of the component's pods: exactly
// one of its fields is set.
type ComponentDisruption struct {
	// maxUnavailable is how many pods may be away at once: a number, 0 to 10000, or a
	// percentage. Zero lets no node be drained.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 10000 : self.matches('^(100|[1-9]?[0-9])%$')",message="must be a number from 0 to 10000, or a percentage such as 25%",messageExpression="string(self) + ': must be a number from 0 to 10000, or a percentage such as 25%'"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// minAvailable is how many pods must stay: a number, 0 to 10000, or a percentage.
	// Zero lets all of them go.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 10000 : self.matches('^(100|[1-9]?[0-9])%$')",message="must be a number from 0 to 10000, or a percentage such as 25%",messageExpression="string(self) + ': must be a number from 0 to 10000, or a percentage such as 25%'"
	MinAvailable *intstr.IntOrString `json:"minAvailable,omitempty"`
}
