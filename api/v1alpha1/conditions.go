package v1alpha1

// Condition types. Ready sums up; Reconciling and Stalled follow kstatus: never
// both True.
const (
	ConditionReady       = "Ready"
	ConditionReconciling = "Reconciling"
	ConditionStalled     = "Stalled"

	// Of a release.
	ConditionSealed      = "Sealed"
	ConditionTestsPassed = "TestsPassed"
	ConditionServing     = "Serving"
	ConditionDrifted     = "Drifted"

	// Of both.
	ConditionAvailable = "Available"

	// Of a track.
	ConditionTrafficShifted = "TrafficShifted"
	ConditionRolloutBlocked = "RolloutBlocked"
)
