package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ReleaseRecord is one decision of a track. The records of a track, in the order
// of their sequence numbers and chained by their digests, are its log: the only
// memory of the operator, and what an auditor reads. The operator alone writes
// them, and none is ever changed. Name: <track>-<sequence in six digits>.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:shortName=rrec,categories=strata
// +kubebuilder:selectablefield:JSONPath=`.spec.trackName`
// +kubebuilder:printcolumn:name="Track",type=string,JSONPath=`.spec.trackName`,description="The track that the record belongs to"
// +kubebuilder:printcolumn:name="Sequence",type=integer,JSONPath=`.spec.sequence`,description="The place of the record in the log"
// +kubebuilder:printcolumn:name="Event",type=string,JSONPath=`.spec.event`,description="What was decided or noted"
// +kubebuilder:printcolumn:name="Release",type=string,JSONPath=`.spec.release.name`,description="The release that the record is about"
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.spec.reason`,description="Why, in one word"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Actor",type=string,priority=1,JSONPath=`.spec.actor`,description="The user whose intent this is"
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.spec.message`,description="Why, in a sentence"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.matches('-([0-9]{6}|[1-9][0-9]{6,18})$') && self.metadata.name.startsWith(self.spec.trackName + '-') && int(self.metadata.name.substring(self.metadata.name.lastIndexOf('-') + 1)) == self.spec.sequence",message="must be <spec.trackName>-<spec.sequence in six digits>",messageExpression="self.metadata.name + ': must be <spec.trackName>-<spec.sequence in six digits>'",fieldPath=".metadata.name"
type ReleaseRecord struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the decision. It is required and frozen at creation.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec is immutable: a record is never changed"
	Spec ReleaseRecordSpec `json:"spec"`
}

// ReleaseRecordList is a list of records.
//
// +kubebuilder:object:root=true
type ReleaseRecordList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ReleaseRecord `json:"items"`
}

// RecordEvent is what a record decides or notes.
//
// +kubebuilder:validation:Enum=AttemptOpened;TestStarted;TestFinished;Approved;HoldSkipped;WeightSet;WeightVerified;Promoted;Failed;Aborted;Recalled;RolledBack;Superseded;Retired;Adopted;Refused;BreakGlass;Drift
type RecordEvent string

const (
	// EventAttemptOpened: a release is tried. It is live from here on.
	EventAttemptOpened RecordEvent = "AttemptOpened"
	// EventTestStarted: the Job of a test was created.
	EventTestStarted RecordEvent = "TestStarted"
	// EventTestFinished: a test passed or failed.
	EventTestFinished RecordEvent = "TestFinished"
	// EventApproved: a human let a step be entered.
	EventApproved RecordEvent = "Approved"
	// EventHoldSkipped: a human ended a hold.
	EventHoldSkipped RecordEvent = "HoldSkipped"
	// EventWeightSet: routes get other weights.
	EventWeightSet RecordEvent = "WeightSet"
	// EventWeightVerified: the routers were seen to carry them.
	EventWeightVerified RecordEvent = "WeightVerified"
	// EventPromoted: verdict; the candidate is the stable release now.
	EventPromoted RecordEvent = "Promoted"
	// EventFailed: verdict; a test, the pods or the routers failed the candidate.
	EventFailed RecordEvent = "Failed"
	// EventAborted: verdict; a human ended the attempt.
	EventAborted RecordEvent = "Aborted"
	// EventRecalled: a release without pods is brought up for a Rollback.
	EventRecalled RecordEvent = "Recalled"
	// EventRolledBack: verdict; a human moved the traffic to an older release.
	EventRolledBack RecordEvent = "RolledBack"
	// EventSuperseded: verdict; another release took the candidate's place.
	EventSuperseded RecordEvent = "Superseded"
	// EventRetired: a release without traffic gives up its pods.
	EventRetired RecordEvent = "Retired"
	// EventAdopted: a release that was found serving is stable, its records being lost.
	EventAdopted RecordEvent = "Adopted"
	// EventRefused: an action was not carried out.
	EventRefused RecordEvent = "Refused"
	// EventBreakGlass: interactive access was opened, used or closed.
	EventBreakGlass RecordEvent = "BreakGlass"
	// EventDrift: something that runs was found changed, and repaired.
	EventDrift RecordEvent = "Drift"
)

// IsVerdict says whether an event ends an attempt.
func (e RecordEvent) IsVerdict() bool {
	return e == EventPromoted || e == EventSuperseded || e.IsNegative()
}

// IsNegative says whether an event ends an attempt against its release: the
// release is not tried again without a Retry.
func (e RecordEvent) IsNegative() bool {
	return e == EventFailed || e == EventAborted || e == EventRolledBack
}

// ReleaseRecordSpec is frozen at creation.
type ReleaseRecordSpec struct {
	// trackName is the track, in the same namespace, whose log this is. 1 to 40
	// characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	TrackName string `json:"trackName"`

	// sequence is the place in the log, from 1, without gaps.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	Sequence int64 `json:"sequence"`

	// previousDigest is the digest of the record before this one. Unset: this is the
	// first.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	PreviousDigest string `json:"previousDigest,omitempty"`

	// time of the decision, to the microsecond.
	//
	// +required
	Time metav1.MicroTime `json:"time"`

	// actor is the user whose intent this record carries out: the requester of the
	// action, else the operator's own user name. 1 to 1024 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Actor string `json:"actor"`

	// event is what was decided or noted.
	//
	// +required
	Event RecordEvent `json:"event"`

	// reason in one word, 1 to 128 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason"`

	// message is the reason in a sentence, at most 32768 characters. Unset: the
	// reason says it all.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Message string `json:"message,omitempty"`

	// actionName is the ReleaseAction that this record carries out or refuses. Its
	// presence is why that action is never carried out again. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ActionName string `json:"actionName,omitempty"`

	// release is what the record is about. Unset for records about the track.
	//
	// +optional
	Release *RecordedRelease `json:"release,omitempty"`

	// state is what holds after this record. The newest record's state alone is what
	// the operator carries out.
	//
	// +required
	State TrackState `json:"state"`

	// digest over all the rest of this spec, in canonical JSON: sha256: and 64
	// hexadecimal digits.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest"`
}

// RecordedRelease is the release that a record is about, in the words that
// outlive the release object.
type RecordedRelease struct {
	// name of the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// uid of the release: a re-created object of the same name has another.
	//
	// +required
	UID types.UID `json:"uid"`

	// creationTime of the release.
	//
	// +required
	CreationTime metav1.Time `json:"creationTime"`

	// version of the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version"`

	// attempt that the record belongs to, from 1. Unset: none was made.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempt int32 `json:"attempt,omitempty"`

	// digest of what runs. Unset: the release was not sealed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// contentDigest of the software. Unset: the release was not sealed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ContentDigest string `json:"contentDigest,omitempty"`

	// requestedBy is the user who created the release. Unset: not known.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	RequestedBy string `json:"requestedBy,omitempty"`

	// pinned says whether the track named the release in its spec.
	//
	// +optional
	Pinned bool `json:"pinned,omitempty"`

	// source of the release in version control. Unset: not known.
	//
	// +optional
	Source *ReleaseSource `json:"source,omitempty"`

	// images of the release, at most 2048.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2048
	Images []RecordedImage `json:"images,omitempty"`

	// snapshots of its configuration, at most 2048.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2048
	Snapshots []SnapshotDigest `json:"snapshots,omitempty"`

	// test that the record is about. Unset: it is about none.
	//
	// +optional
	Test *TestResult `json:"test,omitempty"`
}

// RecordedImage is an image reference of a release, by digest.
type RecordedImage struct {
	// component that uses the image. Unset: a test does.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Component string `json:"component,omitempty"`

	// container that uses the image.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Container string `json:"container"`

	// image by digest.
	//
	// +required
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image"`
}

// SnapshotDigest is the content that a ConfigMap or Secret was frozen with. The
// digest of a Secret is keyed, so that it tells nothing of the content.
type SnapshotDigest struct {
	// kind of the object: ConfigMap or Secret.
	//
	// +required
	Kind ConfigKind `json:"kind"`

	// name of the live object.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// copy is the name of the frozen object.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Copy string `json:"copy"`

	// digest of the content.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest"`
}

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
}

// Recall is a Rollback to a release that had no pods any more.
type Recall struct {
	// actionName is the ReleaseAction that asked for it.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	ActionName string `json:"actionName"`

	// time of the record Recalled.
	//
	// +required
	Time metav1.MicroTime `json:"time"`
}
