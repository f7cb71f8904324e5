package v1alpha1

// WriterType selects what a writer may write.
//
// +kubebuilder:validation:Enum=PodAnnotator;Scaler;SidecarInjector;ReadinessGate
type WriterType string

const (
	// WriterPodAnnotator annotates pods, as network plugins do.
	WriterPodAnnotator WriterType = "PodAnnotator"
	// WriterScaler changes the size of a component, or of its pods.
	WriterScaler WriterType = "Scaler"
	// WriterSidecarInjector adds containers to pods when they are created.
	WriterSidecarInjector WriterType = "SidecarInjector"
	// WriterReadinessGate says when pods may get requests, as controllers of load balancers do.
	WriterReadinessGate WriterType = "ReadinessGate"
)

// NamedWriter is a program that may write to what a release runs, for one purpose.
//
// +kubebuilder:validation:XValidation:rule="has(self.podAnnotator) == (self.type == 'PodAnnotator')",message="podAnnotator must be set when type is PodAnnotator, and only then",fieldPath=".podAnnotator"
// +kubebuilder:validation:XValidation:rule="has(self.scaler) == (self.type == 'Scaler')",message="scaler must be set when type is Scaler, and only then",fieldPath=".scaler"
// +kubebuilder:validation:XValidation:rule="has(self.sidecarInjector) == (self.type == 'SidecarInjector')",message="sidecarInjector must be set when type is SidecarInjector, and only then",fieldPath=".sidecarInjector"
// +kubebuilder:validation:XValidation:rule="has(self.readinessGate) == (self.type == 'ReadinessGate')",message="readinessGate must be set when type is ReadinessGate, and only then",fieldPath=".readinessGate"
type NamedWriter struct {
	// name of the writer, for messages and records. 1 to 63 letters, digits and
	// hyphens, in lower case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// type selects what it may write: PodAnnotator, Scaler, SidecarInjector or
	// ReadinessGate.
	//
	// +required
	// +unionDiscriminator
	Type WriterType `json:"type"`

	// podAnnotator is set when type is PodAnnotator.
	//
	// +optional
	PodAnnotator *PodAnnotator `json:"podAnnotator,omitempty"`

	// scaler is set when type is Scaler.
	//
	// +optional
	Scaler *Scaler `json:"scaler,omitempty"`

	// sidecarInjector is set when type is SidecarInjector.
	//
	// +optional
	SidecarInjector *SidecarInjector `json:"sidecarInjector,omitempty"`

	// readinessGate is set when type is ReadinessGate.
	//
	// +optional
	ReadinessGate *ReadinessGate `json:"readinessGate,omitempty"`
}

// PodAnnotator annotates pods, by themselves or by their status, as network plugins do.
type PodAnnotator struct {
	// username by which the API server knows the writer, for example
	// system:serviceaccount:kube-system:calico-node. 1 to 1024 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[^\n]+$`
	Username string `json:"username"`

	// annotations that it may write, by their whole keys; 1 to 32, of at most 317
	// characters.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=317
	// +kubebuilder:validation:items:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('strata.dev/')",message="annotations under strata.dev/ are written by the operator alone",messageExpression="self + ': annotations under strata.dev/ are written by the operator alone'"
	Annotations []string `json:"annotations"`
}

// ScaleTarget is what a scaler changes.
//
// +kubebuilder:validation:Enum=Replicas;Resources
type ScaleTarget string

const (
	// ScaleReplicas is the number of pods.
	ScaleReplicas ScaleTarget = "Replicas"
	// ScaleResources is the size of running pods.
	ScaleResources ScaleTarget = "Resources"
)

// Scaler changes the size of components, or of their pods.
type Scaler struct {
	// username by which the API server knows the writer. 1 to 1024 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[^\n]+$`
	Username string `json:"username"`

	// target is what it may change: Replicas, the number of pods of a component, which
	// are no fewer than its release and its track ask for (KEDA); Resources, the
	// resources of running pods (VPA).
	//
	// +required
	Target ScaleTarget `json:"target"`
}

// SidecarInjector adds containers to pods when they are created, by a webhook. Who
// asks for a pod is its controller: an injector is known by its images.
type SidecarInjector struct {
	// images that it may add, by digest; 1 to 16.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	// +kubebuilder:validation:items:Pattern=`^[^\s@]+/[^\s@]+@sha256:[a-f0-9]{64}$`
	Images []string `json:"images"`
}

// ReadinessGate writes conditions of pods that these have as readiness gates: without it
// such a pod is never ready.
type ReadinessGate struct {
	// username by which the API server knows the writer, for example
	// system:serviceaccount:kube-system:aws-load-balancer-controller. 1 to 1024 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:Pattern=`^[^\n]+$`
	Username string `json:"username"`

	// domain of the conditions, what stands before the slash in their types, for example
	// target-health.elbv2.k8s.aws. 3 to 253 characters, with a dot.
	//
	// +required
	// +kubebuilder:validation:MinLength=3
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`
	Domain string `json:"domain"`
}
