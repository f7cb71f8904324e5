package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ImmutableRelease is one version of an application. Nothing of its spec can be
// changed once it exists: a change is a new ImmutableRelease.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
type ImmutableRelease struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ImmutableReleaseSpec   `json:"spec"`
	Status ImmutableReleaseStatus `json:"status,omitempty"`
}

// ImmutableReleaseList is a list of releases.
//
// +kubebuilder:object:root=true
type ImmutableReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ImmutableRelease `json:"items"`
}

// ImmutableReleaseSpec is the content of a version, frozen whole at creation.
type ImmutableReleaseSpec struct {
	TrackName  string         `json:"trackName"`
	Version    string         `json:"version"`
	Source     *ReleaseSource `json:"source,omitempty"`
	Components []Component    `json:"components"`
	Config     *ReleaseConfig `json:"config,omitempty"`
	Tests      []ReleaseTest  `json:"tests,omitempty"`
}

// ReleaseSource says where in version control a release comes from.
type ReleaseSource struct {
	Repository string `json:"repository,omitempty"`
	Revision   string `json:"revision,omitempty"`
	BuildURL   string `json:"buildURL,omitempty"`
}

// Activation says when the pods of a component begin to work.
type Activation string

const (
	ActivationImmediate    Activation = "Immediate"
	ActivationAtFullWeight Activation = "AtFullWeight"
)

// Component is one Deployment of a release.
type Component struct {
	Name        string                 `json:"name"`
	Replicas    int32                  `json:"replicas"`
	Template    corev1.PodTemplateSpec `json:"template"`
	Ports       []ComponentPort        `json:"ports,omitempty"`
	Activation  Activation             `json:"activation,omitempty"`
	Autoscaling *ComponentAutoscaling  `json:"autoscaling,omitempty"`
	Disruption  *ComponentDisruption   `json:"disruption,omitempty"`
}

// ComponentPort is a port of the component's release Service.
type ComponentPort struct {
	Name        string              `json:"name"`
	Port        int32               `json:"port"`
	TargetPort  *intstr.IntOrString `json:"targetPort,omitempty"`
	Protocol    corev1.Protocol     `json:"protocol,omitempty"`
	AppProtocol string              `json:"appProtocol,omitempty"`
}

// ComponentAutoscaling bounds and steers the component's HorizontalPodAutoscaler.
type ComponentAutoscaling struct {
	MinReplicas int32                                          `json:"minReplicas"`
	MaxReplicas int32                                          `json:"maxReplicas"`
	Metrics     []autoscalingv2.MetricSpec                     `json:"metrics,omitempty"`
	Behavior    *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
}

// ComponentDisruption bounds voluntary disruption of the component's pods.
type ComponentDisruption struct {
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
	MinAvailable   *intstr.IntOrString `json:"minAvailable,omitempty"`
}

// ConfigKind is a kind that holds configuration.
type ConfigKind string

const (
	ConfigMapKind ConfigKind = "ConfigMap"
	SecretKind    ConfigKind = "Secret"
)

// ReleaseConfig says which configuration is left live, frozen although it
// rotates, or expected to have a certain content.
type ReleaseConfig struct {
	Dynamic []ConfigReference   `json:"dynamic,omitempty"`
	Frozen  []ConfigReference   `json:"frozen,omitempty"`
	Expect  []ConfigExpectation `json:"expect,omitempty"`
}

// ConfigReference names a ConfigMap or Secret of the release's namespace.
type ConfigReference struct {
	Kind ConfigKind `json:"kind"`
	Name string     `json:"name"`
}

// ConfigExpectation is the content that a ConfigMap or Secret must have before
// the release is sealed.
type ConfigExpectation struct {
	Kind   ConfigKind `json:"kind"`
	Name   string     `json:"name"`
	SHA256 string     `json:"sha256"`
}

// TestPhase says when a test runs.
type TestPhase string

const (
	BeforePods     TestPhase = "BeforePods"
	BeforeTraffic  TestPhase = "BeforeTraffic"
	EveryStep      TestPhase = "EveryStep"
	AfterPromotion TestPhase = "AfterPromotion"
)

// ReleaseTest is a Job whose success is a gate of the rollout.
type ReleaseTest struct {
	Name            string                  `json:"name"`
	When            TestPhase               `json:"when"`
	Template        batchv1.JobTemplateSpec `json:"template"`
	DeadlineSeconds *int32                  `json:"deadlineSeconds,omitempty"`
}

// ImmutableReleaseStatus is what the operator last saw of a release. Nothing is
// decided from it.
type ImmutableReleaseStatus struct {
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Digest             string             `json:"digest,omitempty"`
	ContentDigest      string             `json:"contentDigest,omitempty"`
	WeightPercent      int32              `json:"weightPercent"`
	ReadyComponents    string             `json:"readyComponents,omitempty"`
	Components         []ComponentStatus  `json:"components,omitempty"`
	Tests              []TestStatus       `json:"tests,omitempty"`
	Attempt            int32              `json:"attempt,omitempty"`
	LastVerdict        RecordEvent        `json:"lastVerdict,omitempty"`
}

// ComponentStatus is the state of one component's pods.
type ComponentStatus struct {
	Name          string           `json:"name"`
	Replicas      int32            `json:"replicas"`
	ReadyReplicas int32            `json:"readyReplicas"`
	Images        []ContainerImage `json:"images,omitempty"`
}

// ContainerImage is the digest that a container runs.
type ContainerImage struct {
	Container string `json:"container"`
	Digest    string `json:"digest"`
}

// TestOutcome is how a test of an attempt stands.
type TestOutcome string

const (
	TestRunning TestOutcome = "Running"
	TestPassed  TestOutcome = "Passed"
	TestFailed  TestOutcome = "Failed"
)

// TestStatus is the result of one test of the newest attempt.
type TestStatus struct {
	Name           string       `json:"name"`
	WeightPercent  *int32       `json:"weightPercent,omitempty"`
	Outcome        TestOutcome  `json:"outcome"`
	JobName        string       `json:"jobName,omitempty"`
	StartTime      *metav1.Time `json:"startTime,omitempty"`
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
	Message        string       `json:"message,omitempty"`
}
