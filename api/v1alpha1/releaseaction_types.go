package v1alpha1

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ReleaseAction is one human intent about a track. It is never edited, and
// carried out at most once: the record that carries it out, or refuses it, names
// it. Who may create one is granted verb by verb on the track: approve, abort,
// retry, rollback, skip and breakglass on releasetracks.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=ract,categories=strata
// +kubebuilder:selectablefield:JSONPath=`.spec.trackName`
// +kubebuilder:printcolumn:name="Track",type=string,JSONPath=`.spec.trackName`,description="The track that the action is about"
// +kubebuilder:printcolumn:name="Action",type=string,JSONPath=`.spec.action`,description="What is asked for"
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.spec.releaseName`,description="The release that the action is about"
// +kubebuilder:printcolumn:name="Outcome",type=string,JSONPath=`.status.outcome`,description="What came of it"
// +kubebuilder:printcolumn:name="Requester",type=string,JSONPath=`.spec.requester`,description="Who asks"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.message`,description="Why, in a sentence"
type ReleaseAction struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the intent. It is required and frozen at creation.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="STRATA-002: spec is immutable: create another ReleaseAction instead (UPDATE releaseactions)"
	Spec ReleaseActionSpec `json:"spec"`

	// status says what came of it.
	//
	// +optional
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
//
// +kubebuilder:validation:Enum=Approve;Abort;Retry;Rollback;SkipHold;BreakGlass
type ActionType string

const (
	// ActionApprove lets the open attempt enter a step.
	ActionApprove ActionType = "Approve"
	// ActionAbort ends the open attempt.
	ActionAbort ActionType = "Abort"
	// ActionRetry opens a new attempt of a release with a verdict.
	ActionRetry ActionType = "Retry"
	// ActionRollback moves the traffic to a release that was promoted before.
	ActionRollback ActionType = "Rollback"
	// ActionSkipHold ends the hold of the step that the open attempt is at: its
	// holdSeconds, never a gate, a test, an approval or the bake.
	ActionSkipHold ActionType = "SkipHold"
	// ActionBreakGlass opens exec, attach, port-forward and debug of the pods of a
	// release to its requester, for a while, where a ReleasePolicy lets them.
	ActionBreakGlass ActionType = "BreakGlass"
)

// ReleaseActionSpec is frozen at creation.
//
// +kubebuilder:validation:XValidation:rule="has(self.attempt) || !(self.action in ['Approve', 'Abort', 'SkipHold'])",message="attempt is required for Approve, Abort and SkipHold: it says which attempt is meant",fieldPath=".attempt"
// +kubebuilder:validation:XValidation:rule="has(self.weightPercent) == (self.action in ['Approve', 'SkipHold'])",message="weightPercent is required for Approve and SkipHold, to say which step is meant, and not available for others",fieldPath=".weightPercent"
// +kubebuilder:validation:XValidation:rule="self.action == 'BreakGlass' || !has(self.ticket) && !has(self.durationSeconds)",message="ticket and durationSeconds are of BreakGlass alone"
// +kubebuilder:validation:XValidation:rule="self.action != 'BreakGlass' || !self.requester.matches('[[:cntrl:]]')",message="of BreakGlass must be without control characters",fieldPath=".requester"
type ReleaseActionSpec struct {
	// trackName is the track, in the same namespace. 1 to 40 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	TrackName string `json:"trackName"`

	// releaseName is the release that the action is about: the candidate for Approve,
	// Abort and SkipHold, the target for Rollback and Retry, the one to be entered for
	// BreakGlass. 1 to 40 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	ReleaseName string `json:"releaseName"`

	// action is what is asked for: Approve, Abort, Retry, Rollback, SkipHold or
	// BreakGlass.
	//
	// +required
	Action ActionType `json:"action"`

	// attempt is the attempt that is meant, from 1. Required for Approve, Abort and
	// SkipHold. Unset: whichever is the newest.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	Attempt *int32 `json:"attempt,omitempty"`

	// weightPercent is the step that is meant, in percent: 1 to 100. For Approve it is
	// the step to be entered, for SkipHold the weight that the candidate has. Required
	// for both, and only there.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	WeightPercent *int32 `json:"weightPercent,omitempty"`

	// ticket names what a BreakGlass is for, in the words of whoever keeps tickets: 1 to
	// 256 characters. Required where a policy says so, and only there is it of use.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	Ticket string `json:"ticket,omitempty"`

	// durationSeconds is how long a BreakGlass lasts, from when the action was created,
	// in seconds: 60 to 86400, and no longer than policies let it. Unset: 3600.
	//
	// +optional
	// +kubebuilder:validation:Minimum=60
	// +kubebuilder:validation:Maximum=86400
	DurationSeconds *int32 `json:"durationSeconds,omitempty"`

	// requester is the user who asks: the one who creates the action, under the name
	// by which the API server knows them. 1 to 1024 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Requester string `json:"requester"`

	// reason for asking, in words for whoever reads the log: 1 to 1024 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason"`
}

// ActionOutcome is what came of an action.
//
// +kubebuilder:validation:Enum=Done;Refused
type ActionOutcome string

const (
	// ActionDone: it was carried out.
	ActionDone ActionOutcome = "Done"
	// ActionRefused: it was not, and never will be.
	ActionRefused ActionOutcome = "Refused"
)

// ReleaseActionStatus says what came of an action.
type ReleaseActionStatus struct {
	// outcome of the action: Done or Refused. Unset: not carried out yet; or a BreakGlass
	// that has not ended, or whose pods are not all replaced.
	//
	// +optional
	Outcome ActionOutcome `json:"outcome,omitempty"`

	// recordSequence is of the newest record that carried it out or refused it. Unset:
	// none yet.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	RecordSequence int64 `json:"recordSequence,omitempty"`

	// message says why, in at most 32768 characters.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Message string `json:"message,omitempty"`

	// uses of what a BreakGlass opened, oldest first, at most 128: each was written before
	// it was let through, and is recorded after. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Uses []AccessUse `json:"uses,omitempty"`
}

// MaxUses is how many uses one BreakGlass has.
const MaxUses = 128

// DefaultBreakGlassSeconds is how long a BreakGlass lasts that does not say.
const DefaultBreakGlassSeconds = 3600

// EndTime of the access that a BreakGlass asks for.
func (a *ReleaseAction) EndTime() time.Time {
	seconds := int32(DefaultBreakGlassSeconds)
	if a.Spec.DurationSeconds != nil {
		seconds = *a.Spec.DurationSeconds
	}
	return a.CreationTimestamp.Add(time.Duration(seconds) * time.Second)
}

// AccessWay is a way into a pod.
//
// +kubebuilder:validation:Enum=Exec;Attach;PortForward;Debug
type AccessWay string

const (
	// AccessExec runs a command in a container; kubectl cp does too.
	AccessExec AccessWay = "Exec"
	// AccessAttach joins what runs in a container.
	AccessAttach AccessWay = "Attach"
	// AccessPortForward reaches a port of the pod.
	AccessPortForward AccessWay = "PortForward"
	// AccessDebug adds a container for debugging.
	AccessDebug AccessWay = "Debug"
)

// AccessUse is one use of opened access.
type AccessUse struct {
	// time at which it was let through; each is later than the one before.
	//
	// +required
	Time metav1.MicroTime `json:"time"`

	// way into the pod: Exec, Attach, PortForward or Debug.
	//
	// +required
	Way AccessWay `json:"way"`

	// podName of the pod.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	PodName string `json:"podName"`

	// podUID of the pod: it is replaced when the access ends.
	//
	// +required
	PodUID types.UID `json:"podUID"`

	// componentName is whose pod it is.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	ComponentName string `json:"componentName"`

	// containerName that was asked for, or added. Unset: the request named none.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ContainerName string `json:"containerName,omitempty"`
}
