package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ReleaseTrack is the long-lived line on which the releases of an application
// follow each other: which one is desired, how it is rolled out, where its
// traffic comes from and how long old releases stay. Its name has at most 40
// characters: a letter, then letters, digits and hyphens, in lower case.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rtrack,categories=strata
// +kubebuilder:printcolumn:name="Stable",type=string,JSONPath=`.status.stableReleaseName`,description="The release that the track has settled on"
// +kubebuilder:printcolumn:name="Candidate",type=string,JSONPath=`.status.candidateReleaseName`,description="The release under way"
// +kubebuilder:printcolumn:name="Weight",type=integer,JSONPath=`.status.weightPercent`,description="Share of the candidate, in percent"
// +kubebuilder:printcolumn:name="Next",type=integer,JSONPath=`.status.stepWeightPercent`,description="The step that the candidate goes to next, in percent"
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Where the rollout stands"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="What keeps it there, or what a human can do"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="must have at most 40 characters: a letter, then letters, digits and hyphens, in lower case, and no hyphen at the end, as it begins the names of routes and records",messageExpression="self.metadata.name + ': must have at most 40 characters: a letter, then letters, digits and hyphens, in lower case, and no hyphen at the end, as it begins the names of routes and records'",fieldPath=".metadata.name"
type ReleaseTrack struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec may be edited at any time; what is under way adapts. It is required,
	// {} at the least, and stored as it was written: nothing in it has a default.
	//
	// +required
	Spec ReleaseTrackSpec `json:"spec"`

	// status is what the operator last saw of the track. Nothing is decided from it:
	// it may be deleted at any time and comes back.
	//
	// +optional
	Status ReleaseTrackStatus `json:"status,omitempty"`
}

// ReleaseTrackList is a list of tracks.
//
// +kubebuilder:object:root=true
type ReleaseTrackList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ReleaseTrack `json:"items"`
}

// ReleaseTrackSpec may be edited at any time; what is under way adapts.
type ReleaseTrackSpec struct {
	// releaseName pins the track to one release: that one is rolled out, and newer
	// ones wait. 1 to 40 characters. Unset: the newest release is the desired one.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	ReleaseName string `json:"releaseName,omitempty"`

	// rollout is how a candidate is given traffic. Unset: blue/green, from 0 to 100
	// percent at once when its tests have passed.
	//
	// +optional
	Rollout *RolloutSpec `json:"rollout,omitempty"`

	// capacity overrides the size of components, whatever release serves; 0 to 16.
	// Unset: the sizes that the releases name.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, self.exists_one(o, o.componentName == c.componentName))",message="a component may be named once"
	Capacity []ComponentCapacity `json:"capacity,omitempty"`

	// traffic is where requests come from. Unset: the releases are workers, which are
	// activated and promoted without steps.
	//
	// +optional
	Traffic *TrafficSpec `json:"traffic,omitempty"`

	// retention is how long old releases stay. Unset: one warm release for a day, and
	// all release objects.
	//
	// +optional
	Retention *RetentionSpec `json:"retention,omitempty"`

	// requires are tracks on which the same content must be Promoted first, 0 to 16.
	// Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, o.__namespace__ == r.__namespace__ && o.trackName == r.trackName))",message="a track may be named once"
	Requires []RequiredTrack `json:"requires,omitempty"`

	// deletionPolicy is what becomes of the routes when the track is deleted: Orphan
	// leaves them, and the releases, serving; Delete removes them. Unset: Orphan.
	//
	// +optional
	DeletionPolicy DeletionPolicy `json:"deletionPolicy,omitempty"`
}

// FailurePolicy says what happens to a candidate that fails with weight.
//
// +kubebuilder:validation:Enum=Rollback;Hold
type FailurePolicy string

const (
	// FailureRollback gives the candidate the verdict Failed and all traffic back to
	// the baseline.
	FailureRollback FailurePolicy = "Rollback"
	// FailureHold leaves the weights as they are, without a verdict.
	FailureHold FailurePolicy = "Hold"
)

// SupersedePolicy says what a newer release does to one under way.
//
// +kubebuilder:validation:Enum=Replace;Queue
type SupersedePolicy string

const (
	// SupersedeReplace withdraws the candidate and starts with the newer release.
	SupersedeReplace SupersedePolicy = "Replace"
	// SupersedeQueue finishes the candidate first.
	SupersedeQueue SupersedePolicy = "Queue"
)

// AdvancePolicy says whether weight rises by itself.
//
// +kubebuilder:validation:Enum=Automatic;Paused
type AdvancePolicy string

const (
	// AdvanceAutomatic raises the weight when every gate holds.
	AdvanceAutomatic AdvancePolicy = "Automatic"
	// AdvancePaused raises no weight.
	AdvancePaused AdvancePolicy = "Paused"
)

// CapacityPolicy says how large a candidate is during its rollout.
//
// +kubebuilder:validation:Enum=Full;Proportional
type CapacityPolicy string

const (
	// CapacityFull gives the candidate the size of the baseline before it takes weight.
	CapacityFull CapacityPolicy = "Full"
	// CapacityProportional sizes the candidate for each step.
	CapacityProportional CapacityPolicy = "Proportional"
)

// DeletionPolicy says what becomes of the routes of a deleted track.
//
// +kubebuilder:validation:Enum=Orphan;Delete
type DeletionPolicy string

const (
	// DeletionOrphan leaves routes and releases serving.
	DeletionOrphan DeletionPolicy = "Orphan"
	// DeletionDelete removes the routes.
	DeletionDelete DeletionPolicy = "Delete"
)

// ApprovalPolicy says whether a human must approve a step before it is entered.
//
// +kubebuilder:validation:Enum=Required;NotRequired
type ApprovalPolicy string

const (
	// ApprovalRequired waits for a ReleaseAction Approve.
	ApprovalRequired ApprovalPolicy = "Required"
	// ApprovalNotRequired waits for nobody.
	ApprovalNotRequired ApprovalPolicy = "NotRequired"
)

// RolloutSpec is how a candidate is given traffic.
type RolloutSpec struct {
	// steps are the weights that the candidate goes through, rising strictly; 0 to
	// 32. A last step of 100 is implied. Unset: 100 alone, which is blue/green.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:XValidation:rule="self.map(s, s.weightPercent).isSorted() && self.all(s, self.exists_one(o, o.weightPercent == s.weightPercent))",message="weightPercent must rise strictly from step to step"
	Steps []RolloutStep `json:"steps,omitempty"`

	// bakeSeconds is the time at 100 percent in which a failure still rolls back by
	// itself, in seconds: 0 to 604800. Unset or zero: none; the candidate is promoted
	// as soon as 100 percent is verified.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	BakeSeconds *int32 `json:"bakeSeconds,omitempty"`

	// progressDeadlineSeconds is how long a candidate may take to be prepared and to
	// have its pods available, in seconds from the start of the attempt: 1 to 86400.
	// Unset: 600. Past it the attempt has failed.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	ProgressDeadlineSeconds *int32 `json:"progressDeadlineSeconds,omitempty"`

	// failureSeconds is how long a candidate with weight may be unavailable before it
	// has failed, in seconds: 0 to 86400. Unset: 60. Zero: it fails at once.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=86400
	FailureSeconds *int32 `json:"failureSeconds,omitempty"`

	// failurePolicy is what happens to a candidate that fails with weight: Rollback
	// gives all traffic back to the baseline; Hold leaves the weights, without a
	// verdict. Unset: Rollback.
	//
	// +optional
	FailurePolicy FailurePolicy `json:"failurePolicy,omitempty"`

	// supersedePolicy is what a newer release does to one under way: Replace
	// withdraws the older one, Queue lets it finish. At 100 percent it always
	// finishes. Unset: Replace.
	//
	// +optional
	SupersedePolicy SupersedePolicy `json:"supersedePolicy,omitempty"`

	// advancePolicy says whether weight rises by itself: Automatic, or Paused. Unset:
	// Automatic.
	//
	// +optional
	AdvancePolicy AdvancePolicy `json:"advancePolicy,omitempty"`

	// capacity is the candidate's size during its rollout: Full, as large as the
	// baseline before it takes weight; Proportional, sized for each step, for clusters
	// without room for two. Unset: Full.
	//
	// +optional
	Capacity CapacityPolicy `json:"capacity,omitempty"`
}

// RolloutStep is a stage of the rollout.
type RolloutStep struct {
	// weightPercent is the candidate's share of the traffic, in percent: 1 to 100.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	WeightPercent int32 `json:"weightPercent"`

	// holdSeconds is the time to stay at this weight, in seconds from when it was
	// verified: 0 to 604800. Unset or zero: until the gates of the next step hold.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	HoldSeconds *int32 `json:"holdSeconds,omitempty"`

	// approval says whether a human must approve before this step is entered:
	// Required or NotRequired. Unset: NotRequired.
	//
	// +optional
	Approval ApprovalPolicy `json:"approval,omitempty"`
}

// ComponentCapacity overrides the size of a component; capacity is not content.
type ComponentCapacity struct {
	// componentName is the component. 1 to 20 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*$`
	ComponentName string `json:"componentName"`

	// replicas is the number of its pods, 1 to 10000.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Replicas int32 `json:"replicas"`
}

// RetentionSpec is how long old releases stay.
type RetentionSpec struct {
	// warmReleases is how many releases behind the stable one keep all their pods,
	// 0 to 10. Unset: 1. Zero: none, and a rollback has to bring pods up first.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	WarmReleases *int32 `json:"warmReleases,omitempty"`

	// warmSeconds is how long they keep them, in seconds: 0 to 31536000. Unset: 86400.
	// Zero: until they are drained.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=31536000
	WarmSeconds *int32 `json:"warmSeconds,omitempty"`

	// historyLimit is how many idle release objects are kept, 0 to 1000; never
	// removed are those that a GitOps tool owns. Unset: all are kept. Zero: none.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=1000
	HistoryLimit *int32 `json:"historyLimit,omitempty"`

	// recordLimit is how many records of the log are kept, 50 to 10000. Unset: 500.
	// The newest verdict and the newest Promoted of every version are always kept.
	//
	// +optional
	// +kubebuilder:validation:Minimum=50
	// +kubebuilder:validation:Maximum=10000
	RecordLimit *int32 `json:"recordLimit,omitempty"`
}

// RequiredTrack is a track on which the same content must be Promoted first.
type RequiredTrack struct {
	// namespace of the track. 1 to 63 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace"`

	// trackName is the name of the track. 1 to 40 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	TrackName string `json:"trackName"`
}

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

	// blockedBy is the first gate that keeps the weight from rising. Unset: none does.
	//
	// +optional
	BlockedBy *BlockedBy `json:"blockedBy,omitempty"`

	// records is the head of the track's log.
	//
	// +optional
	Records RecordSummary `json:"records,omitzero"`
}

// BlockedBy is the first gate that does not let weight rise.
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
