package v1alpha1

// Everything under this prefix, in labels and annotations, is written by the
// operator alone; users' manifests that carry it are refused.
const ReservedPrefix = "strata.dev/"

// Labels on everything that Strata creates. The operator's caches hold only
// objects that carry LabelTrack.
const (
	// LabelTrack names the ReleaseTrack that an object serves.
	LabelTrack = ReservedPrefix + "track"
	// LabelRelease names the ImmutableRelease that an object belongs to.
	LabelRelease = ReservedPrefix + "release"
	// LabelComponent names the component of the release.
	LabelComponent = ReservedPrefix + "component"
	// LabelVersion carries spec.version, for people and dashboards.
	LabelVersion = ReservedPrefix + "version"
	// LabelTest names the test that a Job or its pod runs.
	LabelTest = ReservedPrefix + "test"
	// LabelAttempt is the number of the attempt that a test Job belongs to.
	LabelAttempt = ReservedPrefix + "attempt"
	// LabelRoute names the route of a track that a routing object realises.
	LabelRoute = ReservedPrefix + "route"
	// LabelAttached names the route of a track that leads some backends of a routing
	// object of the user's. It is there instead of LabelRoute: no guard is on such an object.
	LabelAttached = ReservedPrefix + "attached"
)

// LabelHeld is the mark of a release that serves, is warm or is pinned, and of the
// CRDs of Strata while there is one: admission refuses their deletion by the mark
// alone. On a release its value is the sequence number of the record that held it.
const LabelHeld = ReservedPrefix + "held"

// LabelGuarded, on a Namespace, closes its pods to interactive access. It is put there
// by people, and cannot be taken away while a release serves there; or, with the value
// GuardedByPolicy, by the operator, for as long as a ReleasePolicy denies such access.
const (
	LabelGuarded    = ReservedPrefix + "guarded"
	GuardedByPolicy = "policy"
)

// AnnotationOpenedPrefix and the name of a track is the annotation of its Namespace that
// lists the interactive access which the track has open, a line each: release, action,
// end (RFC 3339) and user, separated by one space.
const AnnotationOpenedPrefix = ReservedPrefix + "opened."

// Annotations written by the operator.
const (
	// AnnotationSequence is the sequence number of the record that justified the
	// newest write of an object. Whoever observes a number above its newest
	// record has read a stale log and must not act.
	AnnotationSequence = ReservedPrefix + "sequence"
	// AnnotationWeights, on a route object that leads only to releases which can serve, is
	// what the record gives each of them, as JSON.
	AnnotationWeights = ReservedPrefix + "weights"
	// AnnotationPreview, on a route object, is the header by which its last rules select the
	// requests for the candidate.
	AnnotationPreview = ReservedPrefix + "preview"
	// AnnotationAttached, on an object with LabelAttached, is what its author wrote where the
	// Services of releases stand now, as JSON.
	AnnotationAttached = ReservedPrefix + "attached"
	// AnnotationRequestedBy is the user who created a release, or who changed
	// spec.releaseTemplate of a track last.
	AnnotationRequestedBy = ReservedPrefix + "requested-by"
	// AnnotationImages lists, on a pod and its template, the images that the release
	// runs in it, separated by spaces: admission refuses any other.
	AnnotationImages = ReservedPrefix + "images"
	// AnnotationWriters lists, on a Namespace, what the policies that select it let other
	// writers do there, a line each: "annotate KEY USERNAME", "scale USERNAME", "resize
	// USERNAME", "inject IMAGE". Admission reads it; it is absent where there are none.
	AnnotationWriters = ReservedPrefix + "writers"
	// AnnotationTracked, on a Namespace that has a track, is the UID of the Namespace: one
	// that comes back from a backup has another, and says nothing until it is noted anew.
	AnnotationTracked = ReservedPrefix + "tracked"
	// AnnotationWeight is the step weight for which an EveryStep test Job runs.
	AnnotationWeight = ReservedPrefix + "weight"
)

// Environment variables that every container of a release gets, before its own.
const (
	EnvRelease = "STRATA_RELEASE"
	EnvVersion = "STRATA_VERSION"
	// EnvHostPrefix + the upper-case name of a sibling component with ports is
	// the DNS name of that component's Service in the same release.
	EnvHostPrefix = "STRATA_HOST_"
)
