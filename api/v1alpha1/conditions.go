package v1alpha1

// Conditions of releases and tracks. All that a kind has are set from the first
// visit of the operator, with the generation that they are about. Reconciling and
// Stalled follow kstatus: they are there while they are True, and never both.
const (
	// ConditionReady sums up. Its reason is the stage, its message says what is done or
	// waited for.
	//
	// True: a track has settled on its desired release; a release serves, or is warm or
	// idle, as its track wants it.
	// False: a rollout is under way, or it cannot go on (then Stalled is True).
	// Unknown: the object was not looked at yet.
	ConditionReady = "Ready"

	// ConditionReconciling says that something is under way.
	//
	// True: the operator works on it, or waits for the clock, pods, tests or a router.
	// False or absent: nothing is under way.
	ConditionReconciling = "Reconciling"

	// ConditionStalled says that nothing moves until somebody does something.
	//
	// True: the message says what. What serves goes on serving.
	// False or absent: nobody is waited for.
	ConditionStalled = "Stalled"

	// ConditionAvailable is about pods.
	//
	// True: of a release, every component has the pods that it should have at present,
	// and they are available; of a track, so has what serves.
	// False: some are missing; the message names component and reason.
	// Unknown: the pods could not be read, or there should be none yet.
	ConditionAvailable = "Available"
)

// Conditions of releases.
const (
	// ConditionSealed is about the preparation of a release.
	//
	// True: its children are rendered and its configuration is frozen, for ever.
	// False: it is not prepared yet, or cannot be; the message says what is missing.
	// Unknown: no track has tried the release yet.
	ConditionSealed = "Sealed"

	// ConditionTestsPassed is about the tests of the newest attempt.
	//
	// True: all that are due have passed, or there are none.
	// False: one has failed; the message ends with its last lines of output where the
	// release asks for that.
	// Unknown: one that is due has no result yet.
	ConditionTestsPassed = "TestsPassed"

	// ConditionServing is about traffic.
	//
	// True: the release has some, and the routers have confirmed it.
	// False: it has none, and the routers have confirmed that.
	// Unknown: weights were decided that no router has confirmed yet.
	ConditionServing = "Serving"

	// ConditionDrifted is about changes that nobody should have been able to make.
	//
	// True: something that runs differs from the seal; the message says what and where.
	// False: nothing does.
	// Unknown: it was not compared yet.
	ConditionDrifted = "Drifted"
)

// Conditions of tracks.
const (
	// ConditionTrafficShifted compares what was decided with what routers carry.
	//
	// True: every route carries the weights of the newest record, confirmed.
	// False: a route carries something else; the message names it.
	// Unknown: a router has not confirmed, or could not be asked.
	ConditionTrafficShifted = "TrafficShifted"

	// ConditionRolloutBlocked is about the gates.
	//
	// True: a gate keeps the weight from rising; reason and message are the gate's.
	// False: none does, or no rollout is under way.
	// Unknown: the gates were not asked yet.
	ConditionRolloutBlocked = "RolloutBlocked"
)
