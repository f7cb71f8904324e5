package v1alpha1

// Conditions of releases and tracks. All that a kind has are set from the first
// visit of the operator, with the generation that they are about; Unknown, where
// nothing else is said, means not known yet. Reconciling and Stalled follow kstatus:
// never both are True.
const (
	// ConditionReady sums up. Of a track its reason is the stage; its message says
	// what is done or waited for.
	//
	// True: a track has settled on its desired release; a release is stable, stands by,
	// or was passed on from.
	// False: a rollout is under way, or nothing moves (then Stalled is True).
	ConditionReady = "Ready"

	// ConditionReconciling says that something is under way.
	//
	// True: the operator works on it, or waits for the clock, pods, tests or a router.
	// False: nothing is under way.
	ConditionReconciling = "Reconciling"

	// ConditionStalled says that nothing moves until somebody does something.
	//
	// True: the message says what. What serves goes on serving.
	// False: nobody is waited for.
	ConditionStalled = "Stalled"

	// ConditionAvailable is about pods.
	//
	// True: of a release, every component has its pods, and they are available; of a
	// track, what serves has ready endpoints for every route.
	// False: pods are missing, as they are of a release that should have none; the
	// message names the component, and what ails its pods.
	ConditionAvailable = "Available"
)

// Conditions of releases.
const (
	// ConditionSealed is about the preparation of a release.
	//
	// True: its children are rendered and its configuration is frozen, for ever. Reason
	// ConfigStale: a live source has moved on since; it is not followed. That is looked
	// at once an hour, for the release that serves.
	// False: it is not prepared yet, or cannot be; the message says what is missing.
	ConditionSealed = "Sealed"

	// ConditionTestsPassed is about the tests of the newest attempt.
	//
	// True: all that are due have passed, or there are none.
	// False: one has failed; the message ends with its last lines of output where the
	// release asks for that.
	// Unknown: some have no result yet.
	ConditionTestsPassed = "TestsPassed"

	// ConditionServing is about traffic, as last decided; whether routers carry it
	// already, TrafficShifted of the track says.
	//
	// True: the release has some.
	// False: it has none.
	ConditionServing = "Serving"

	// ConditionStale is about age. It is there while the release serves, and a policy says
	// how old it may become.
	//
	// True: it is older; the patches of the time since are missing.
	// False: it is not yet; the message says when it will be.
	ConditionStale = "Stale"

	// ConditionDrifted is about changes that nobody should have been able to make.
	//
	// True: something that runs differs from the seal; the message says what, where and by
	// whom. Reason ChangedAgain: it was put right before, and is left for now. Reason
	// SnapshotChanged: frozen configuration is not what was sealed, and cannot be again.
	// False: nothing does. Reason Repaired: something did, and was put right.
	// Unknown: it has no pods, and nothing is compared.
	//
	// The ValidatingAdmissionPolicies of the operator have it too, of themselves, of their
	// bindings, and strata-releases also of the guards that are no policy's. Reason
	// AsInstalled: nothing differed so far. NotCompared: nobody knows what was installed.
	ConditionDrifted = "Drifted"
)

// Conditions of tracks.
const (
	// ConditionTrafficShifted compares what was decided with what routers carry.
	//
	// True: every route carries the weights of the newest record, confirmed.
	// False: a route carries something else, or its router has not confirmed it, or
	// could not be asked; the message names it.
	// Unknown: no weight was decided yet.
	ConditionTrafficShifted = "TrafficShifted"

	// ConditionRolloutBlocked is about what is waited for.
	//
	// True: a gate keeps the weight from rising, or the track waits for a router, or for
	// somebody to do something; reason and message are those of status.blockedBy.
	// False: nothing is waited for.
	ConditionRolloutBlocked = "RolloutBlocked"

	// ConditionPublished is about spec.releaseTemplate. It is there while the track has one.
	//
	// True: its version has its release; the message says which, and whether it had its
	// verdict.
	// False: it has none yet (reason Publishing), or will have none until somebody changes
	// the template: the version has another content (VersionReused), its release is gone
	// (ReleaseGone), or another release has the name (NameTaken).
	ConditionPublished = "Published"
)
