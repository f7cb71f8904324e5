package rollout

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Observation is all that a decision about one track depends on: plain data,
// read in one place at one time. An outage is a fact in it, not an error.
type Observation struct {
	// Now is when reading began, and ReadTime when it ended; zero: at once. Nothing is
	// over before it was over at Now, and what is noted is not noted before ReadTime:
	// what an operator saw that was asleep in between may have begun later than Now.
	Now       time.Time
	ReadTime  time.Time
	Namespace string
	TrackName string
	// Actor is the operator's own user name, for the records that no human asked for.
	Actor string
	// Track is nil while there are releases for a track that does not exist.
	Track *Track
	Log   Log
	// Releases are all releases that name the track, in no order.
	Releases []Release
	// Routes are the track's routes as the routers carry them, one for each route
	// of the track's spec, and one for each route object left of a former spec.
	Routes []Route
	// Required is what the logs of the tracks in spec.requires tell of the version of a
	// sealed candidate without weight, one for each; empty where nobody asks.
	Required []RequiredTrack
	// Turn is how a sealed candidate without weight stands among other rollouts.
	Turn Turn
	// Actions are those that no record names yet, oldest first.
	Actions []v1alpha1.ReleaseAction
	// Answered are those that a record names, or may have named, oldest first, but for
	// what somebody else would create again.
	Answered []AnsweredAction
	// Access are the lines (AccessLine) of the track in the annotation of its namespace,
	// read before Uses.
	Access []string
	// Uses are those of the access that the newest record has, oldest first for each.
	Uses []Use
	// Entered are the pods that are there, and were entered: the newest record or a use says so.
	Entered []Pod
}

// AnsweredAction is an action that is not carried out any more.
type AnsweredAction struct {
	Name         string
	CreationTime time.Time
}

// Use is a use of the access that an action opened.
type Use struct {
	ActionName string
	v1alpha1.AccessUse
}

// Pod is a pod that is there.
type Pod struct {
	UID      types.UID
	Deleting bool
}

// Track is the ReleaseTrack as written by its users.
type Track struct {
	UID        types.UID
	Generation int64
	Spec       v1alpha1.ReleaseTrackSpec
	// Template is what spec.releaseTemplate asks for; nil without one.
	Template *Template
	// Scaled: a policy names somebody else who may change the number of pods.
	Scaled bool
	// Approvals are what policies ask of them.
	Approvals Approvals
	// Deleting: the track, or its namespace, is on its way out. Nothing is done.
	Deleting bool
}

// Template is the release that a track has in spec.releaseTemplate.
type Template struct {
	// ReleaseName is what its release is called.
	ReleaseName string
	Version     string
	// RequestedBy is who changed the template last; "" where nobody knows.
	RequestedBy string
	// ContentDigest of the template as the API server stored it; "" where it was not read,
	// which it is while no release has the version.
	ContentDigest string
	// Of is the release that has the version: the one of that name, else the oldest; "" where
	// none has.
	Of string
	// Taken says whose the name is, if it is that of another release; "" where it is free.
	Taken string
	// Differs says in what that release is another one than the template says; "" for nothing.
	Differs string
}

// Approvals is what the approval of a step takes.
type Approvals struct {
	// Count of different people; 0 means one.
	Count int32
	// RequesterExcluded: who published the release does not count.
	RequesterExcluded bool
	// Valid is for how long an approval counts; 0: while its attempt is open.
	Valid time.Duration
	// Unread says why nobody knows what policies ask for; "" when it is known.
	Unread string
}

// Log is what the track's records tell, read once over the whole log.
type Log struct {
	// Head is the newest record; nil before the first.
	Head *v1alpha1.ReleaseRecordSpec
	// Count is the number of records read.
	Count int
	// Verdicts holds, by version, the newest record that ended an attempt, or
	// passed the version over.
	Verdicts map[string]Verdict
	// Promotions holds, by version, the newest record by which a release of it
	// became stable: Promoted, RolledBack to it, or Adopted.
	Promotions map[string]Promotion
	// Attempts is, by version, the number of the newest attempt.
	Attempts map[string]int32
	// ContentDigests is, by version, the content that the version has for ever.
	ContentDigests map[string]string
	// Digests is, by version, the seal that the newest verdict tells of, or the open
	// attempt; none where the release was not sealed.
	Digests map[string]RecordedDigest
	// Tests are, by version, the results of its newest attempt. They are reported;
	// decisions read those of the newest record.
	Tests map[string][]v1alpha1.TestResult
	// Actions are the names of the actions carried out or refused, with the newest
	// record that names each.
	Actions map[string]ActionRecord
	// LostTime is when the log began anew because all records were lost; zero: never.
	LostTime time.Time
	// ActionsSince: whether an action that is not younger was carried out is not known
	// any more; zero: it is of all.
	ActionsSince time.Time
	// First is the record from which the chain is whole, and Pruned are those before it
	// that are there still and are to go.
	First  int64
	Pruned []int64
	// Broken says what is wrong with the chain of records; "" when it verifies.
	Broken string
}

// Verdict is how the newest attempt of a version ended.
type Verdict struct {
	Event        v1alpha1.RecordEvent
	ReleaseName  string
	UID          types.UID
	CreationTime time.Time
	Attempt      int32
	// Pinned: the track had a pin at the time. A Superseded under a pin does not
	// count once the pin is gone.
	Pinned   bool
	Sequence int64
	Reason   string
	Message  string
}

// RecordedDigest is the digest of the seal of a release.
type RecordedDigest struct {
	ReleaseName string
	UID         types.UID
	Digest      string
}

// Promotion is when a version last became stable.
type Promotion struct {
	ReleaseName string
	UID         types.UID
	Sequence    int64
	Time        time.Time
}

// ActionRecord is the newest record that names an action.
type ActionRecord struct {
	Sequence int64
	Time     time.Time
}

// RequiredTrack is what the log of another track tells of the candidate's version, or
// what a promotion tells that was signed where that track is.
type RequiredTrack struct {
	v1alpha1.RequiredTrack
	// ContentDigest is the content that the version has there; "" where it was never
	// sealed.
	ContentDigest string
	// PromotedTime is when the version last became stable there; zero: never.
	PromotedTime time.Time
	// Verdict is how the newest attempt of the version ended there.
	Verdict v1alpha1.RecordEvent
	// Sequence is the place of the record by which it did, in the log of that track.
	Sequence int64
	// Unread says why the log could not be read, or does not verify; "" when it does.
	Unread string
	// Unproven says why no promotion of the release counts, where one has to be signed;
	// "" when one does.
	Unproven string
	// Digest of that record, and KeyDigest of the key, of a promotion that was signed.
	Digest, KeyDigest string
}

// Release is one ImmutableRelease and what it owns.
type Release struct {
	Name         string
	UID          types.UID
	CreationTime time.Time
	RequestedBy  string
	Deleting     bool
	// Held is the sequence number in the mark that keeps the object from being
	// deleted; 0 without a mark.
	Held int64
	// Owner is who would create the object again if it were deleted: a GitOps tool;
	// "" for nobody.
	Owner string
	// Spec is the release's spec. It is shared with the cache: read only.
	Spec *v1alpha1.ImmutableReleaseSpec
	// Sealed is nil until the seal is written.
	Sealed *Sealed
	// Ownerless: the seal has no owner, as a restore leaves it, and is what the release
	// would be sealed as. It is the release's once the release is its owner.
	Ownerless bool
	// Differs says in what a seal without an owner is not that of the release, and so is
	// left alone; "" where there is none.
	Differs string
	// Obstacle is what keeps the release from being sealed or built, in words for
	// its author; nil when nothing is known to.
	Obstacle *Obstacle
	// Snapshots are those that are not what their names say, as read past the cache; none
	// where none is known not to be, or the release is not live.
	Snapshots []Snapshot
	// Components follow the order of spec.components. Empty for releases that are
	// neither live nor about to be.
	Components []Component
	Jobs       []Job
}

// Sealed is what the seal of a release says.
type Sealed struct {
	Digest        string
	ContentDigest string
	Images        []v1alpha1.RecordedImage
	Snapshots     []v1alpha1.SnapshotDigest
	// Time when the seal was written.
	Time time.Time
}

// Obstacle is a fact that only a human, or time, can change.
type Obstacle struct {
	// Gate that it blocks: Sealed or NamesFree.
	Gate    string
	Reason  string
	Message string
	// Unknown: whether there is anything against the release could not be found out, for a
	// registry is down. It waits, and no deadline runs.
	Unknown bool
}

// Snapshot is a frozen copy of configuration that is not what its name says.
type Snapshot struct {
	// Kind is that of Name, and of Source, which it is a copy of.
	Kind   v1alpha1.ConfigKind
	Name   string
	Source string
	// Difference says in what it differs, by keys and without values; "": it is missing.
	Difference string
	// Known: Source still has the content, and what is missing can be made again.
	Known bool
}

// Presence says whether a child of a release is there.
type Presence int

const (
	// Missing: no object of that name.
	Missing Presence = iota
	// Ours: the object is the release's own, or has no owner and equals the seal.
	Ours
	// Foreign: somebody else's object has the name. It is never touched.
	Foreign
)

// Component is what a release owns for one component.
type Component struct {
	Name       string
	Service    Presence
	Deployment Presence
	// Sequence is the stamp on the Deployment, ServiceSequence that on the Service; 0
	// without one.
	Sequence        int64
	ServiceSequence int64
	// Autoscaler is the HorizontalPodAutoscaler, with its bounds and its stamp.
	Autoscaler         Presence
	MinReplicas        int32
	MaxReplicas        int32
	AutoscalerSequence int64
	// Disruption is the PodDisruptionBudget.
	Disruption Presence
	// Ownerless: an object that is ours has no owner, as a restore leaves it.
	Ownerless bool
	// Differs says which object without an owner is not as sealed, and in what; "" for
	// none.
	Differs string
	// Replicas is the size asked of the Deployment.
	Replicas          int32
	ReadyReplicas     int32
	AvailableReplicas int32
	// Available is the Deployment's condition at its present generation, and
	// AvailableChange when that condition last changed (zero: never reported).
	Available       bool
	AvailableChange time.Time
	// ShortSince is since when a pod that should be there is missing or not ready;
	// zero: none is, or nothing tells.
	ShortSince time.Time
	// ReadyEndpoints counts the ready endpoints of the component's Service.
	ReadyEndpoints int32
	// Trouble is why pods are not ready, in the pods' own words: reason and message.
	Trouble string
	// ForeignSelectors names Services of others that select the component's pods.
	ForeignSelectors []string
	// Drifts are the component's own objects that are not as sealed, as read past the
	// cache; none where nothing differs, or the release is not live.
	Drifts []Drift
	// Ungated names a pod without the readiness gate of a load balancer; "" where all have it.
	Ungated string
	// PodLeaving: one of its pods is on its way out, whatever its Deployment counts.
	PodLeaving bool
}

// Drift is an object of a component that is not as sealed.
type Drift struct {
	// Kind is Service, Deployment, HorizontalPodAutoscaler, PodDisruptionBudget or Pod; of
	// the planner's own, Snapshot.
	Kind string
	Name string
	// Difference is the path of a field and in what it differs, in a few words.
	Difference string
	// Writer is who wrote that, as far as the object tells.
	Writer string
	// Mutated: nobody but the operator has written the field since it is as it is, and so
	// it was changed on its way into the cluster. Who takes a field away leaves no name.
	Mutated bool
	// Sequence is the stamp on the object, 0 without one. Pods have none.
	Sequence int64
	// CreationTime of a Pod.
	CreationTime time.Time
	// Ready: a Pod that can serve.
	Ready bool
	// Lost: snapshots none of which can be made again.
	Lost bool
}

// Job is a test Job that exists.
type Job struct {
	Name    string
	UID     types.UID
	Test    string
	Attempt int32
	// WeightPercent is the step of an EveryStep test, nil for others.
	WeightPercent *int32
	Presence      Presence
	CreationTime  time.Time
	// Succeeded, Failed: the Job's terminal conditions. At most one.
	Succeeded bool
	Failed    bool
	Finished  time.Time
	// Message says why it failed, or what it waits for: the pod's own words.
	Message string
	// Podless: it has no pod, and only looking again tells of why.
	Podless bool
}

// Route is what a router carries for one route of the track.
type Route struct {
	Name string
	Type v1alpha1.RouteType
	// Presence of the route object. Foreign: the name is somebody else's.
	Presence Presence
	// Sequence is the stamp on the route object, 0 without one. Newest is the highest
	// where it is more than one object; Sequence is then the lowest.
	Sequence int64
	Newest   int64
	// Weights are the backends of the object as written, zeros included.
	Weights []v1alpha1.ReleaseWeight
	// Current: the object is, but for weights and stamp, what the track's spec asks for.
	Current bool
	// Verified: every parent reports the object accepted and resolved at its
	// present generation, and so carries Weights.
	Verified bool
	// SettleTime is from when on a router that confirms nothing is taken to carry Weights;
	// zero where routers confirm.
	SettleTime time.Time
	// ListedTime is from when on such a router is taken to know all that Weights list; zero
	// where it needs no time for that alone.
	ListedTime time.Time
	// Reason and Message say why it is not verified; empty when it is.
	Reason  string
	Message string
	// Unkept says what the track asks of the route object and the cluster would drop without a
	// word, and what can be done; "" for nothing. Else the route is as asked for.
	Unkept string
	// AllOrNothing: the router cannot carry a partial weight.
	AllOrNothing bool
	// Orphaned: the track's spec does not name this route any more.
	Orphaned bool
	// Attached is kind and name of the user's object that leads to releases; "" for an
	// object that is the operator's.
	Attached string
	// Unwatched: no watch tells when what the route waits for is there.
	Unwatched bool
	// Probe is what requests through the gateway have shown; nil: nothing yet, or nobody asks.
	Probe *Probe
}

// Probe is who answered requests that were made through a gateway, one after the other.
type Probe struct {
	// Sequence of the record whose weights the route carried all the while.
	Sequence int64
	Requests int32
	// Answers are how many were answered by each release of the track.
	Answers map[string]int32
	// Lost had no answer at all. All others named no release of the track.
	Lost int32
	// Trouble is what became of the last of those that were lost, or named none: a few
	// words, and nothing of what an answer says.
	Trouble string
	// Told is what the operator says of it, to somebody who looks on and cannot know; an
	// empty reason: nothing.
	Told *v1alpha1.BlockedBy
}
