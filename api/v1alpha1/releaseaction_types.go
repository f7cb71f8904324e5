package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReleaseAction is one human intent about a track. It is never edited, and
// carried out at most once: the record that carries it out, or refuses it, names
// it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
type ReleaseAction struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ReleaseActionSpec   `json:"spec"`
	Status ReleaseActionStatus `json:"status,omitempty"`
}

// ReleaseActionList is a list of actions.
//
// +kubebuilder:object:root=true
type ReleaseActionList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ReleaseAction `json:"items"`
}

// ActionType is what an action asks for.
type ActionType string

const (
	ActionApprove    ActionType = "Approve"
	ActionAbort      ActionType = "Abort"
	ActionRetry      ActionType = "Retry"
	ActionRollback   ActionType = "Rollback"
	ActionSkipHold   ActionType = "SkipHold"
	ActionBreakGlass ActionType = "BreakGlass"
)

// ReleaseActionSpec is frozen at creation.
type ReleaseActionSpec struct {
	TrackName   string     `json:"trackName"`
	ReleaseName string     `json:"releaseName"`
	Action      ActionType `json:"action"`
	// Attempt is required for Approve, Abort and SkipHold.
	Attempt *int32 `json:"attempt,omitempty"`
	// WeightPercent is the step that Approve and SkipHold are about.
	WeightPercent *int32 `json:"weightPercent,omitempty"`
	Requester     string `json:"requester"`
	Reason        string `json:"reason"`
}

// ActionOutcome is what came of an action.
type ActionOutcome string

const (
	ActionDone    ActionOutcome = "Done"
	ActionRefused ActionOutcome = "Refused"
)

// ReleaseActionStatus says what came of an action.
type ReleaseActionStatus struct {
	Outcome        ActionOutcome `json:"outcome,omitempty"`
	RecordSequence int64         `json:"recordSequence,omitempty"`
	Message        string        `json:"message,omitempty"`
}
