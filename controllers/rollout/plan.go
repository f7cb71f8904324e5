package rollout

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Stage is where a track stands; derived afresh every time, stored nowhere.
type Stage string

const (
	Withdrawing  Stage = "Withdrawing"
	Preparing    Stage = "Preparing"
	Provisioning Stage = "Provisioning"
	Testing      Stage = "Testing"
	Shifting     Stage = "Shifting"
	Baking       Stage = "Baking"
	Stalled      Stage = "Stalled"
	Settled      Stage = "Settled"
)

// Plan is the answer to an Observation.
type Plan struct {
	Stage Stage
	// Append is the next record; nil when nothing is to be decided.
	Append *Entry
	// Do is what the newest record still wants done in the world, in safety
	// order. It is empty while there is a record to append.
	Do []Action
	// Confirm: decide again on live reads before any of Do is done.
	Confirm bool
	// After is when to look again; 0: only when something changes.
	After time.Duration
	// Blocked is the first gate that keeps weight from rising, nil when none does.
	Blocked *v1alpha1.BlockedBy
	// Stalled says why the track does not serve what it should, and what a human
	// can do; nil when it does, or is on its way.
	Stalled *v1alpha1.BlockedBy
	// Stale: the observation is older than the world. Read again, write nothing.
	Stale bool
	// NextWeightPercent is the step that comes next, 0 without one, and
	// NextStepTime when the hold before it is over, where that is known.
	NextWeightPercent int32
	NextStepTime      *time.Time
}

// Entry is a record but for what chains it to the log: the ledger adds the
// sequence number, the digests and the track's name.
type Entry struct {
	Event      v1alpha1.RecordEvent
	Reason     string
	Message    string
	Actor      string
	ActionName string
	Release    *v1alpha1.RecordedRelease
	State      v1alpha1.TrackState
	// Confirm: decide again on live reads before this is appended.
	Confirm bool
	// OfIntent: what is asked for decides, and what was recorded and sealed. To confirm that,
	// what runs need not be read again, nor more of the log than its newest record.
	OfIntent bool
	// Pruned says which records go with this one; the ledger adds the digest of those
	// that stay.
	Pruned *v1alpha1.PrunedRecords
	// LastStamp is, where the log is lost, the newest record that any object was
	// written for: the log goes on after it.
	LastStamp int64
}

// MarkHeld puts the mark on a release without which it could be deleted.
type MarkHeld struct {
	Release  string
	Sequence int64
}

// LiftMark takes the mark off a release that is held no longer.
type LiftMark struct{ Release string }

// CreateRelease creates a release from spec.releaseTemplate, if that has this version and
// content still: what the API server stored, all of it, and nothing else.
type CreateRelease struct {
	Release       string
	Version       string
	ContentDigest string
}

// DeleteRelease deletes a release object that nothing needs any more.
type DeleteRelease struct{ Release string }

// DeleteRecords deletes records that were pruned.
type DeleteRecords struct{ Sequences []int64 }

// DeleteAction deletes a ReleaseAction that has had its outcome for long enough.
type DeleteAction struct{ Name string }

// Action is one small idempotent write.
type Action interface{ action() }

// SealRelease freezes the configuration of a release and writes its seal.
type SealRelease struct{ Release string }

// TakeOver makes a release the owner of what came back without one: its children, each
// as it was observed and but for owner and stamp as it is, and at last its seal.
type TakeOver struct {
	Release  string
	Sequence int64
}

// Size is how large a component is to be.
type Size struct {
	Component string
	// Replicas of the Deployment, as far as they are not its autoscaler's.
	Replicas int32
	// Least and Most are the bounds of the autoscaler.
	Least, Most int32
}

// CreateChildren creates what is missing of a sealed release: Services and
// PodDisruptionBudgets, then Deployments, then their autoscalers.
type CreateChildren struct {
	Release string
	// Sizes follow the order of spec.components.
	Sizes []Size
	// WithoutPods: Deployments and their autoscalers have to wait.
	WithoutPods bool
	Sequence    int64
}

// BoundAutoscaler sets the bounds of an autoscaler that exists.
type BoundAutoscaler struct {
	Release   string
	Component string
	Least     int32
	Most      int32
	Sequence  int64
}

// ScaleComponent sets the size of a Deployment that exists.
type ScaleComponent struct {
	Release   string
	Component string
	Replicas  int32
	Sequence  int64
}

// MarkService stamps the Service of a release that is live again: a late writer that
// would still delete it cannot.
type MarkService struct {
	Release   string
	Component string
	Sequence  int64
}

// RepairChild makes a child that exists what its seal says. A Deployment keeps its size.
type RepairChild struct {
	Release   string
	Component string
	// Kind is Service, Deployment, HorizontalPodAutoscaler or PodDisruptionBudget.
	Kind string
	// Least and Most are the bounds of an autoscaler, else 0. They come with the repair:
	// what leads it back to the Deployment must not let it make that smaller.
	Least, Most int32
	Sequence    int64
}

// MakeSnapshots makes the snapshots of a release again that are missing, and whose content
// is known.
type MakeSnapshots struct{ Release string }

// ReplacePod evicts a pod: its ReplicaSet makes another one.
type ReplacePod struct {
	Release string
	Name    string
}

// CreateJob creates a test Job from the seal.
type CreateJob struct {
	Release       string
	Test          string
	Attempt       int32
	WeightPercent *int32
	Sequence      int64
}

// DeleteJobs deletes the Jobs of a release's attempts whose results are recorded.
type DeleteJobs struct {
	Release string
	Names   []string
}

// WriteRoute makes a route object carry the weights: it is created, or written
// with the resourceVersion that was observed.
type WriteRoute struct {
	Route string
	// Weights sum to 100. Where two releases have a share, the baseline comes first.
	Weights  []v1alpha1.ReleaseWeight
	Sequence int64
}

// DetachRoute gives a user's route back that the track no longer names.
type DetachRoute struct {
	Route string
	// Object is Route.Attached of what was observed.
	Object string
}

// DeleteChildren deletes what a retired release has: autoscalers, Deployments,
// PodDisruptionBudgets, then Services.
type DeleteChildren struct {
	Release  string
	Sequence int64
}

// WriteAccess makes the annotation of the namespace have these lines for the track; none:
// it goes.
type WriteAccess struct{ Lines []string }

// DeletePod deletes a pod that was entered, with its UID as precondition: no budget keeps it.
type DeletePod struct {
	Name string
	UID  types.UID
}

func (WriteAccess) action()     {}
func (DeletePod) action()       {}
func (SealRelease) action()     {}
func (TakeOver) action()        {}
func (CreateChildren) action()  {}
func (BoundAutoscaler) action() {}
func (ScaleComponent) action()  {}
func (MarkService) action()     {}
func (RepairChild) action()     {}
func (MakeSnapshots) action()   {}
func (ReplacePod) action()      {}
func (CreateJob) action()       {}
func (DeleteJobs) action()      {}
func (WriteRoute) action()      {}
func (DetachRoute) action()     {}
func (DeleteChildren) action()  {}
func (MarkHeld) action()        {}
func (LiftMark) action()        {}
func (CreateRelease) action()   {}
func (DeleteRelease) action()   {}
func (DeleteRecords) action()   {}
func (DeleteAction) action()    {}
