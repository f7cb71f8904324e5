package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// ReleaseRecord is one decision of a track. The records of a track, in the order
// of their sequence numbers and chained by their digests, are its log: the only
// memory of the operator, and what an auditor reads. Name: <track>-<sequence>.
//
// +kubebuilder:object:root=true
type ReleaseRecord struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

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
type RecordEvent string

const (
	EventAttemptOpened  RecordEvent = "AttemptOpened"
	EventTestStarted    RecordEvent = "TestStarted"
	EventTestFinished   RecordEvent = "TestFinished"
	EventApproved       RecordEvent = "Approved"
	EventHoldSkipped    RecordEvent = "HoldSkipped"
	EventWeightSet      RecordEvent = "WeightSet"
	EventWeightVerified RecordEvent = "WeightVerified"
	EventPromoted       RecordEvent = "Promoted"
	EventFailed         RecordEvent = "Failed"
	EventAborted        RecordEvent = "Aborted"
	EventRecalled       RecordEvent = "Recalled"
	EventRolledBack     RecordEvent = "RolledBack"
	EventSuperseded     RecordEvent = "Superseded"
	EventRetired        RecordEvent = "Retired"
	EventAdopted        RecordEvent = "Adopted"
	EventRefused        RecordEvent = "Refused"
	EventBreakGlass     RecordEvent = "BreakGlass"
	EventDrift          RecordEvent = "Drift"
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
	TrackName      string           `json:"trackName"`
	Sequence       int64            `json:"sequence"`
	PreviousDigest string           `json:"previousDigest,omitempty"`
	Time           metav1.MicroTime `json:"time"`
	// Actor is the user whose intent this record carries out: the requester of
	// the action, else the operator's own user name.
	Actor   string      `json:"actor"`
	Event   RecordEvent `json:"event"`
	Reason  string      `json:"reason"`
	Message string      `json:"message,omitempty"`
	// ActionName is the ReleaseAction that this record carries out or refuses.
	// Its presence is why that action is never carried out again.
	ActionName string `json:"actionName,omitempty"`
	// Release is what the record is about; absent for records about the track.
	Release *RecordedRelease `json:"release,omitempty"`
	// State is what holds after this record. The newest record's state alone is
	// what the operator carries out.
	State  TrackState `json:"state"`
	Digest string     `json:"digest"`
}

// RecordedRelease is the release that a record is about, in the words that
// outlive the release object.
type RecordedRelease struct {
	Name          string           `json:"name"`
	UID           types.UID        `json:"uid"`
	CreationTime  metav1.Time      `json:"creationTime"`
	Version       string           `json:"version"`
	Attempt       int32            `json:"attempt,omitempty"`
	Digest        string           `json:"digest,omitempty"`
	ContentDigest string           `json:"contentDigest,omitempty"`
	RequestedBy   string           `json:"requestedBy,omitempty"`
	Pinned        bool             `json:"pinned,omitempty"`
	Source        *ReleaseSource   `json:"source,omitempty"`
	Images        []RecordedImage  `json:"images,omitempty"`
	Snapshots     []SnapshotDigest `json:"snapshots,omitempty"`
	Test          *TestResult      `json:"test,omitempty"`
}

// RecordedImage is an image reference of a release, by digest.
type RecordedImage struct {
	Component string `json:"component,omitempty"`
	Container string `json:"container"`
	Image     string `json:"image"`
}

// SnapshotDigest is the content that a ConfigMap or Secret was frozen with. The
// digest of a Secret is keyed, so that it tells nothing of the content.
type SnapshotDigest struct {
	Kind   ConfigKind `json:"kind"`
	Name   string     `json:"name"`
	Copy   string     `json:"copy"`
	Digest string     `json:"digest"`
}

// TrackState is the whole state of a track after a record.
type TrackState struct {
	Stable    *ReleaseRef     `json:"stable,omitempty"`
	Candidate *CandidateState `json:"candidate,omitempty"`
	Routes    []RouteState    `json:"routes,omitempty"`
	Tests     []TestResult    `json:"tests,omitempty"`
	Approvals []Approval      `json:"approvals,omitempty"`
	Live      []LiveRelease   `json:"live,omitempty"`
}

// ReleaseRef names one release object for ever: a re-created object of the same
// name has another UID.
type ReleaseRef struct {
	Name    string    `json:"name"`
	UID     types.UID `json:"uid"`
	Version string    `json:"version"`
}

// CandidateState is the open attempt.
type CandidateState struct {
	ReleaseRef `json:",inline"`
	Attempt    int32            `json:"attempt"`
	StartTime  metav1.MicroTime `json:"startTime"`
	// Retry is whether a ReleaseAction Retry opened the attempt.
	Retry bool `json:"retry,omitempty"`
}

// RouteState is what one route of the track carries: percentages that sum to
// 100, or nothing before the first promotion.
type RouteState struct {
	Name    string          `json:"name"`
	Weights []ReleaseWeight `json:"weights,omitempty"`
	// SetSequence and SetTime are of the record that last set the weights.
	SetSequence int64            `json:"setSequence"`
	SetTime     metav1.MicroTime `json:"setTime"`
	// VerifiedTime is when the router was seen to carry them; absent until then.
	VerifiedTime *metav1.MicroTime `json:"verifiedTime,omitempty"`
}

// ReleaseWeight is a release's share of a route.
type ReleaseWeight struct {
	ReleaseName   string `json:"releaseName"`
	WeightPercent int32  `json:"weightPercent"`
}

// TestResult is one run of a test in the open attempt.
type TestResult struct {
	Name string `json:"name"`
	// WeightPercent is the step weight for which an EveryStep test ran.
	WeightPercent  *int32            `json:"weightPercent,omitempty"`
	JobName        string            `json:"jobName"`
	JobUID         types.UID         `json:"jobUID"`
	Outcome        TestOutcome       `json:"outcome"`
	StartTime      metav1.MicroTime  `json:"startTime"`
	CompletionTime *metav1.MicroTime `json:"completionTime,omitempty"`
	Message        string            `json:"message,omitempty"`
}

// Approval is a granted entry to a step.
type Approval struct {
	WeightPercent int32            `json:"weightPercent"`
	Requester     string           `json:"requester"`
	ActionName    string           `json:"actionName"`
	Time          metav1.MicroTime `json:"time"`
}

// LiveRelease is a release that has pods, or is to have them: from AttemptOpened
// or Recalled until Retired.
type LiveRelease struct {
	ReleaseRef `json:",inline"`
	// Sequence is of the record that made it live.
	Sequence int64 `json:"sequence"`
	// ZeroTime is since when the release is verified to have no weight; absent
	// while it has, or might have, some.
	ZeroTime *metav1.MicroTime `json:"zeroTime,omitempty"`
	// Recall is the Rollback that made the release live again and is not done yet.
	Recall *Recall `json:"recall,omitempty"`
}

// Recall is a Rollback to a release that had no pods any more.
type Recall struct {
	ActionName string           `json:"actionName"`
	Time       metav1.MicroTime `json:"time"`
}
