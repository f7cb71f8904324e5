package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="STRATA-006: spec is immutable: a record is never changed; to ask for something, create a ReleaseAction (UPDATE releaserecords)"
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
// +kubebuilder:validation:Enum=AttemptOpened;TestStarted;TestFinished;Approved;HoldSkipped;WeightSet;WeightVerified;Promoted;Failed;Aborted;Recalled;RolledBack;Superseded;Retired;Adopted;Restored;Refused;Pruned;BreakGlass;Drift;Published;TurnAwaited;TurnTaken;TurnYielded
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
	// EventRestored: a release came back as another object, with the seal that was
	// recorded: what the log says of the former object holds for it.
	EventRestored RecordEvent = "Restored"
	// EventRefused: an action was not carried out.
	EventRefused RecordEvent = "Refused"
	// EventPruned: records before one of them go, but for those that the log is
	// remembered by.
	EventPruned RecordEvent = "Pruned"
	// EventBreakGlass: interactive access was opened, used or closed.
	EventBreakGlass RecordEvent = "BreakGlass"
	// EventDrift: something that runs was found changed, and repaired.
	EventDrift RecordEvent = "Drift"
	// EventPublished: the release of spec.releaseTemplate is created, or is there.
	EventPublished RecordEvent = "Published"
	// EventTurnAwaited: as many rollouts are under way as may be, and the attempt waits.
	EventTurnAwaited RecordEvent = "TurnAwaited"
	// EventTurnTaken: its turn has come. It counts as under way until it ends.
	EventTurnTaken RecordEvent = "TurnTaken"
	// EventTurnYielded: something else keeps it from its pods now, and others may go first.
	EventTurnYielded RecordEvent = "TurnYielded"
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

	// sequence is the place in the log, from 1. Gaps are of records that a Pruned one
	// tells of.
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

	// pruned says which records go with this one. Unset: none.
	//
	// +optional
	Pruned *PrunedRecords `json:"pruned,omitempty"`

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

// PrunedRecords are those before a record of the log, but for the newest verdict, the
// newest promotion and the first content digest of every version, the newest Adopted,
// and every Restored.
type PrunedRecords struct {
	// beforeSequence is the sequence number of the oldest record that stays with all
	// that follow it, at least 1.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	BeforeSequence int64 `json:"beforeSequence"`

	// keptDigest is over the numbers and digests of the older records that stay: none
	// of them is edited, added or removed unnoticed. sha256: and 64 hexadecimal digits.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	KeptDigest string `json:"keptDigest"`
}
