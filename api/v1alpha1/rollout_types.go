package v1alpha1

// FailurePolicy says what happens to a candidate that fails with weight.
//
// +kubebuilder:validation:Enum=Rollback;Hold
type FailurePolicy string

const (
	// FailureRollback gives the candidate the verdict Failed and all traffic back to
	// the baseline.
	FailureRollback FailurePolicy = "Rollback"
	// FailureHold leaves the weights as they are, without a verdict, until the
	// candidate is well again or somebody decides.
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
	// AdvancePaused raises no weight. What has all of it already is promoted.
	AdvancePaused AdvancePolicy = "Paused"
)

// CapacityPolicy says how large a candidate is during its rollout.
//
// +kubebuilder:validation:Enum=Full;Proportional
type CapacityPolicy string

const (
	// CapacityFull gives the candidate its size, or that of the baseline, before it takes
	// weight.
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
	// as soon as 100 percent is verified and its AfterPromotion tests have passed. No
	// action shortens it.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=604800
	BakeSeconds *int32 `json:"bakeSeconds,omitempty"`

	// progressDeadlineSeconds is how long a candidate may take to be prepared and to
	// have its pods available, in seconds from the start of the attempt, or from the
	// end of its last BeforePods test, which has a deadline of its own; and, with
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
	// verdict. A held candidate rises no further; once what ails it is gone it goes on
	// by itself, and where it was unavailable its hold, or bake, begins anew. A test that failed cannot pass in the same attempt: it holds the
	// candidate until a ReleaseAction Abort or Rollback, a newer release as
	// supersedePolicy has it, or a change to Rollback, which has it fail at once.
	// Without weight a failure is always a verdict. Unset: Rollback.
	//
	// +optional
	FailurePolicy FailurePolicy `json:"failurePolicy,omitempty"`

	// supersedePolicy is what a newer release does to one under way: Replace
	// withdraws the older one and starts with the newer, Queue lets the older one
	// finish, and then takes the newest; those in between are passed over. At 100
	// percent the older one always finishes. A pin does not wait. Unset: Replace.
	//
	// +optional
	SupersedePolicy SupersedePolicy `json:"supersedePolicy,omitempty"`

	// advancePolicy says whether weight rises by itself: Automatic, or Paused. Paused
	// keeps every candidate at the weight that it has, also a first release at 0 and
	// one whose baseline is dead; on a track without routes it keeps the candidate
	// from being promoted. All else goes on: pods and tests, failures, withdrawals
	// and ReleaseActions, and at 100 percent the bake and the promotion. Unset:
	// Automatic.
	//
	// +optional
	AdvancePolicy AdvancePolicy `json:"advancePolicy,omitempty"`

	// capacity is the candidate's size during its rollout: Full, all its pods before it
	// takes weight, and where it has autoscaling as many as the baseline, up to its
	// maxReplicas; Proportional, for each step that part of it which the weight needs,
	// rounded up, before the weight rises. The baseline keeps its size, to take all
	// traffic back at once: the step to 100 percent needs room for both. Unset: Full.
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
	// verified: 0 to 604800. A ReleaseAction SkipHold ends it. At 100 percent the hold
	// and the bake run side by side. Unset or zero: until the gates of the next step
	// hold.
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
