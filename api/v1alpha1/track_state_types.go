package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TrackState is the whole state of a track after a record.
type TrackState struct {
	// stable release. Unset: none was promoted yet.
	//
	// +optional
	Stable *ReleaseRef `json:"stable,omitempty"`

	// candidate is the open attempt. Unset: none is open.
	//
	// +optional
	Candidate *CandidateState `json:"candidate,omitempty"`

	// routes and their weights, at most 64.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Routes []RouteState `json:"routes,omitempty"`

	// tests of the open attempt, at most 1024 runs.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	Tests []TestResult `json:"tests,omitempty"`

	// approvals of the open attempt, at most 1024.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	Approvals []Approval `json:"approvals,omitempty"`

	// live releases, at most 1024.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	Live []LiveRelease `json:"live,omitempty"`

	// skippedHolds of the open attempt, at most 1024.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=1024
	SkippedHolds []SkippedHold `json:"skippedHolds,omitempty"`

	// opened is the interactive access that was opened and is not closed yet, at most 16.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Opened []OpenedAccess `json:"opened,omitempty"`

	// published is the release that spec.releaseTemplate of the track asked for last. Unset:
	// none was.
	//
	// +optional
	Published *PublishedRelease `json:"published,omitempty"`
}

// PublishedRelease is the release of a spec.releaseTemplate.
type PublishedRelease struct {
	// name of the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// version of the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version"`

	// pending says whether the release was not seen yet: it is still to be created.
	//
	// +optional
	Pending bool `json:"pending,omitempty"`
}

// MaxOpened is how much interactive access a track has open at once.
const MaxOpened = 16

// OpenedAccess is interactive access to the pods of a release, for one user, until its
// end; after that, the pods that are to be replaced for it.
type OpenedAccess struct {
	ReleaseRef `json:",inline"`

	// actionName is the ReleaseAction that opened it.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	ActionName string `json:"actionName"`

	// requester is the user to whom it is open.
	//
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Requester string `json:"requester"`

	// endTime of the access.
	//
	// +required
	EndTime metav1.Time `json:"endTime"`

	// useTime of the newest use that was recorded. Unset: none was.
	//
	// +optional
	UseTime *metav1.MicroTime `json:"useTime,omitempty"`

	// pods that were entered, at most 128.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=128
	Pods []EnteredPod `json:"pods,omitempty"`
}

// EnteredPod is a pod that somebody was let into.
type EnteredPod struct {
	// name of the pod.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// uid of the pod.
	//
	// +required
	UID types.UID `json:"uid"`

	// componentName is whose pod it is.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	ComponentName string `json:"componentName"`
}

// ReleaseRef names one release object for ever: a re-created object of the same
// name has another UID.
type ReleaseRef struct {
	// name of the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// uid of the release.
	//
	// +required
	UID types.UID `json:"uid"`

	// version of the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version"`
}

// CandidateState is the open attempt.
type CandidateState struct {
	ReleaseRef `json:",inline"`

	// attempt of this release, from 1.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	Attempt int32 `json:"attempt"`

	// startTime of the attempt.
	//
	// +required
	StartTime metav1.MicroTime `json:"startTime"`

	// retry says whether a ReleaseAction Retry opened the attempt.
	//
	// +optional
	Retry bool `json:"retry,omitempty"`

	// activatedTime is when, on a track without routes, the candidate took the place
	// of stable: that is its weight of 100 percent. Unset: not yet, or there are routes.
	//
	// +optional
	ActivatedTime *metav1.MicroTime `json:"activatedTime,omitempty"`

	// turnAwaitedTime is since when the attempt waits, or has waited, for its turn among
	// the rollouts of a limit. Unset: it does not, and did not have to.
	//
	// +optional
	TurnAwaitedTime *metav1.MicroTime `json:"turnAwaitedTime,omitempty"`

	// turnTakenTime is when its turn came: from then on it counts as under way. Unset: it
	// has not, or nothing limits how many rollouts are under way.
	//
	// +optional
	TurnTakenTime *metav1.MicroTime `json:"turnTakenTime,omitempty"`
}

// RouteState is what one route of the track carries: percentages that sum to
// 100, or nothing before the first promotion.
type RouteState struct {
	// name of the route.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// weights of the releases, at most 16. Unset: nothing is routed yet.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Weights []ReleaseWeight `json:"weights,omitempty"`

	// setSequence is of the record that last set the weights.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	SetSequence int64 `json:"setSequence"`

	// setTime is of the record that last set the weights.
	//
	// +required
	SetTime metav1.MicroTime `json:"setTime"`

	// verifiedTime is when the router was seen to carry them. Unset until then.
	//
	// +optional
	VerifiedTime *metav1.MicroTime `json:"verifiedTime,omitempty"`
}

// ReleaseWeight is a release's share of a route.
type ReleaseWeight struct {
	// releaseName is the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	ReleaseName string `json:"releaseName"`

	// weightPercent is its share, 0 to 100 percent.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	WeightPercent int32 `json:"weightPercent"`
}

// TestResult is one run of a test in the open attempt.
type TestResult struct {
	// name of the test.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// weightPercent is the step for which an EveryStep test ran, 0 to 100 percent.
	// Unset for other tests.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	WeightPercent *int32 `json:"weightPercent,omitempty"`

	// jobName is the Job that runs the test.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	JobName string `json:"jobName"`

	// jobUID is of that Job: the result of no other one counts.
	//
	// +required
	JobUID types.UID `json:"jobUID"`

	// outcome of the test: Running, Passed or Failed.
	//
	// +required
	Outcome TestOutcome `json:"outcome"`

	// startTime is when the Job was created.
	//
	// +required
	StartTime metav1.MicroTime `json:"startTime"`

	// completionTime is when the result was recorded. Unset: the test runs.
	//
	// +optional
	CompletionTime *metav1.MicroTime `json:"completionTime,omitempty"`

	// message says why a test failed, in at most 32768 characters.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Message string `json:"message,omitempty"`
}

// Approval is a granted entry to a step.
type Approval struct {
	// weightPercent of the step, 1 to 100 percent.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	WeightPercent int32 `json:"weightPercent"`

	// requester is the user who approved.
	//
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Requester string `json:"requester"`

	// actionName is the ReleaseAction that says so.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	ActionName string `json:"actionName"`

	// time of the record.
	//
	// +required
	Time metav1.MicroTime `json:"time"`
}

// LiveRelease is a release that has pods, or is to have them: from AttemptOpened
// or Recalled until Retired.
type LiveRelease struct {
	ReleaseRef `json:",inline"`

	// sequence of the record that made it live.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Sequence int64 `json:"sequence"`

	// zeroTime is since when the release is verified to have no weight. Unset while
	// it has, or might have, some.
	//
	// +optional
	ZeroTime *metav1.MicroTime `json:"zeroTime,omitempty"`

	// recall is the Rollback that made the release live again and is not done yet.
	// Unset: none.
	//
	// +optional
	Recall *Recall `json:"recall,omitempty"`

	// sizes below which the autoscalers of the release are not to go, at most 16: the
	// largest that the baseline had during an attempt. Unset: those of the release.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Sizes []ComponentSize `json:"sizes,omitempty"`

	// drifts are its children that were found changed, at most 96. Unset: none was.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=96
	Drifts []ChildDrift `json:"drifts,omitempty"`
}

// DriftAnswer is what becomes of a child that was found changed.
//
// +kubebuilder:validation:Enum=Repair;Leave
type DriftAnswer string

const (
	// DriftRepair: the child is made what its seal says; a pod is replaced.
	DriftRepair DriftAnswer = "Repair"
	// DriftLeave: it was changed again and again, and is left for an hour; or it is
	// snapshots that nobody can make again.
	DriftLeave DriftAnswer = "Leave"
)

// MaxDriftedPods is how many pods of a component are told of by name.
const MaxDriftedPods = 32

// ChildDrift is a child of a live release that was found not to be as sealed, or the
// pods of a component, or the snapshots of the release.
type ChildDrift struct {
	// kind of the child: Service, Deployment, HorizontalPodAutoscaler,
	// PodDisruptionBudget, Pod or Snapshot.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind"`

	// componentName is the component that the child is of. Empty for snapshots, which are
	// of the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	ComponentName string `json:"componentName"`

	// sequence of the record that told of it last.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	Sequence int64 `json:"sequence"`

	// time of that record.
	//
	// +required
	Time metav1.MicroTime `json:"time"`

	// repairs of the child, this one included, none of which is an hour younger than the
	// one before; at least 1.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	Repairs int32 `json:"repairs"`

	// answer is what becomes of it: Repair or Leave.
	//
	// +required
	Answer DriftAnswer `json:"answer"`

	// podNames are the pods that records told of, at most 32, none of these an hour after
	// the one before; what is found beyond them is replaced without one. Unset for other
	// kinds.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=253
	PodNames []string `json:"podNames,omitempty"`

	// message says in what it differs and who wrote that, in at most 2048 characters.
	//
	// +required
	// +kubebuilder:validation:MaxLength=2048
	Message string `json:"message"`
}

// ComponentSize is the number of pods of a component.
type ComponentSize struct {
	// componentName is the component.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	ComponentName string `json:"componentName"`

	// replicas is the number of its pods.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`
}

// Recall is a Rollback to a release that had no pods any more.
type Recall struct {
	// actionName is the ReleaseAction that asked for it.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	ActionName string `json:"actionName"`

	// requester is the user who asked for it.
	//
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Requester string `json:"requester"`

	// time of the record Recalled.
	//
	// +required
	Time metav1.MicroTime `json:"time"`
}

// SkippedHold is a step whose hold a human ended.
type SkippedHold struct {
	// weightPercent of the step, 1 to 100 percent.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	WeightPercent int32 `json:"weightPercent"`

	// requester is the user who ended it.
	//
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Requester string `json:"requester"`

	// actionName is the ReleaseAction that says so.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	ActionName string `json:"actionName"`

	// time of the record.
	//
	// +required
	Time metav1.MicroTime `json:"time"`
}
