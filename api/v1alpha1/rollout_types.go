package v1alpha1

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
	// have its pods available, in seconds from the start of the attempt; and, with
	// weight, how long it may lack a pod while it is available: 1 to 86400. Unset:
	// 600. Past it the attempt has failed.
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
	// Required or NotRequired. Unset: NotRequired. A candidate that goes to 100 at
	// once (the first release of a track, or one whose baseline is dead) enters every
	// step, and so waits for every approval; a release that was promoted before, and
	// not rolled back since, waits for none.
	//
	// +optional
	Approval ApprovalPolicy `json:"approval,omitempty"`
}
