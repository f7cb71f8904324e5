package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReleaseTrackStatus is what the operator last saw of a track. Nothing is
// decided from it.
type ReleaseTrackStatus struct {
	// conditions of the track: Ready (its reason is the stage), Available,
	// TrafficShifted and RolloutBlocked, and Reconciling and Stalled as kstatus reads
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

	// stableReleaseName is the release that the newest record names as stable. Unset:
	// none was promoted yet.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=40
	StableReleaseName string `json:"stableReleaseName,omitempty"`

	// candidateReleaseName is the release with an open attempt. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=40
	CandidateReleaseName string `json:"candidateReleaseName,omitempty"`

	// candidateAttempt is the open attempt, from 1: a ReleaseAction about it names it.
	// Unset: none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	CandidateAttempt int32 `json:"candidateAttempt,omitempty"`

	// weightPercent is the candidate's share of the traffic as last decided, in
	// percent: 0 to 100. With no candidate it is stable's.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	WeightPercent int32 `json:"weightPercent"`

	// stepWeightPercent is the step that the candidate goes to next, in percent: 1 to
	// 100. Unset: it goes nowhere.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	StepWeightPercent int32 `json:"stepWeightPercent,omitempty"`

	// stepStartTime is since when the present weight is verified. Unset: it is not.
	//
	// +optional
	StepStartTime *metav1.Time `json:"stepStartTime,omitempty"`

	// nextStepTime is when the present hold or bake is over. Unset: nothing waits for
	// the clock.
	//
	// +optional
	NextStepTime *metav1.Time `json:"nextStepTime,omitempty"`

	// blockedBy is what the track waits for: the first gate that keeps the weight from
	// rising; with no rollout under way, a router, or what only a human can mend. Unset:
	// nothing.
	//
	// +optional
	BlockedBy *BlockedBy `json:"blockedBy,omitempty"`

	// policy is what the ReleasePolicies that select the namespace ask for together.
	// Unset: none selects it.
	//
	// +optional
	Policy *EffectivePolicy `json:"policy,omitempty"`

	// records is the head of the track's log.
	//
	// +optional
	Records RecordSummary `json:"records,omitzero"`
}

// BlockedBy is the first gate that does not let weight rise, or what else a track
// waits for.
type BlockedBy struct {
	// gate is the name of the gate, for example TestsPassed.
	//
	// +required
	// +kubebuilder:validation:MaxLength=64
	Gate string `json:"gate"`

	// reason in one word, for example TestRunning.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason"`

	// message in a sentence, at most 32768 characters.
	//
	// +required
	// +kubebuilder:validation:MaxLength=32768
	Message string `json:"message"`
}

// RecordSummary is the head of the track's log.
type RecordSummary struct {
	// count is how many records there are.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Count int64 `json:"count"`

	// headDigest is the digest of the newest one. Unset: there is none.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	HeadDigest string `json:"headDigest,omitempty"`
}
