package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ImmutableReleaseStatus is what the operator last saw of a release. Nothing is
// decided from it.
type ImmutableReleaseStatus struct {
	// conditions of the release: Ready (its reason is the stage), Available, Sealed,
	// TestsPassed, Serving and Drifted, and Reconciling and Stalled as kstatus reads
	// them. At most 16.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that this status was computed from.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// digest of what runs: the whole spec but capacity, and the frozen configuration.
	// sha256: and 64 hexadecimal digits; unset until the release is sealed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// contentDigest is the digest of the software alone: equal wherever the same
	// version is deployed. sha256: and 64 hexadecimal digits; unset until the release
	// is sealed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ContentDigest string `json:"contentDigest,omitempty"`

	// weightPercent is the release's share of the traffic as last decided, in
	// percent: 0 to 100. Zero: none of it.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	WeightPercent int32 `json:"weightPercent"`

	// readyComponents is how many components have all their pods ready, of how many,
	// for example 2/3.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=16
	ReadyComponents string `json:"readyComponents,omitempty"`

	// components is the state of the pods, a row for each component, at most 16.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Components []ComponentStatus `json:"components,omitempty"`

	// tests are the results of the newest attempt, at most 512: one row for each
	// test, and for each weight of an EveryStep test.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=512
	Tests []TestStatus `json:"tests,omitempty"`

	// attempt is the number of the newest attempt, from 1. Unset: none was made.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempt int32 `json:"attempt,omitempty"`

	// lastVerdict is how the newest attempt ended: Promoted, Failed, Aborted,
	// RolledBack or Superseded. Unset: none has ended.
	//
	// +optional
	LastVerdict RecordEvent `json:"lastVerdict,omitempty"`
}

// ComponentStatus is the state of one component's pods.
type ComponentStatus struct {
	// name of the component.
	//
	// +required
	// +kubebuilder:validation:MaxLength=20
	Name string `json:"name"`

	// replicas is how many pods there should be at present; zero for a release that
	// is not live.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`

	// readyReplicas is how many pods are ready.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	ReadyReplicas int32 `json:"readyReplicas"`

	// images are the digests that the containers run, at most 256.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	Images []ContainerImage `json:"images,omitempty"`
}

// ContainerImage is the digest that a container runs.
type ContainerImage struct {
	// container that runs the image.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Container string `json:"container"`

	// digest of the image: sha256: and 64 hexadecimal digits.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest"`
}

// TestStatus is the result of one test of the newest attempt.
type TestStatus struct {
	// name of the test.
	//
	// +required
	// +kubebuilder:validation:MaxLength=40
	Name string `json:"name"`

	// weightPercent is the step for which an EveryStep test ran, 0 to 100 percent.
	// Unset for other tests.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	WeightPercent *int32 `json:"weightPercent,omitempty"`

	// outcome of the test: Running, Passed or Failed.
	//
	// +required
	Outcome TestOutcome `json:"outcome"`

	// jobName is the Job that ran the test. The result outlives it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	JobName string `json:"jobName,omitempty"`

	// startTime is when the Job was created.
	//
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// completionTime is when the result was recorded. Unset: not yet.
	//
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// message says why a test failed, in at most 32768 characters.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Message string `json:"message,omitempty"`
}
