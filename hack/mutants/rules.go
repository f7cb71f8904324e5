package main

// More files of the planner.
const (
	adopting = "controllers/rollout/adopt.go"
	asking   = "controllers/rollout/answers.go"
	capacity = "controllers/rollout/capacity.go"
	history  = "controllers/rollout/history.go"
	marks    = "controllers/rollout/held.go"
	requires = "controllers/rollout/requires.go"
	settings = "controllers/rollout/settings.go"
	stalled  = "controllers/rollout/stalled.go"
	workers  = "controllers/rollout/workers.go"
)

// rules are faults in how fast an attempt goes, in how large everything is, and in
// what is held, kept, adopted and restored.
var rules = []mutant{
	{"gate-before-pods-dropped", "raises weight although what prepares the world has not passed", gates,
		`{"BeforePodsPassed", gateBeforePodsPassed},`, ``, planning},
	{"pods-before-migration", "gives a candidate pods before what must come before them has passed", carryOut,
		` && v.migrated()`, ``, planning},
	{"last-tests-first", "runs the last tests, those at 100, from the start", tests,
		`if weight < 100 {`, `if false {`, planning},
	{"last-tests-dropped", "promotes without the tests that come last", tests,
		`return append(due, last...)`, `return due`, planning},
	{"queue-ignored", "replaces a candidate that is to finish first", desired,
		` || v.Track.rollout().SupersedePolicy == v1alpha1.SupersedeQueue`, ``, planning},
	{"hold-has-verdict", "gives a verdict to a candidate whose failures are held", failure,
		`if v.candidate == nil || v.holdsFailures() {`, `if v.candidate == nil {`, planning},
	{"hold-without-weight", "holds a candidate that has failed without weight, for ever", failure,
		`FailureHold && v.weight() > 0`, `FailureHold`, planning},
	{"held-goes-on", "raises the weight of a candidate that has failed and is held", gates,
		`if held := v.held(); held != nil {`, `if held := v.held(); false {`, planning},
	{"sick-time-counts", "counts the time in which a held candidate did not serve as part of its hold", steps,
		`if v.holdsFailures() {`, `if false {`, planning},
	{"gate-pause-dropped", "raises weight on a track that is paused", gates,
		`{"AdvanceAllowed", gateAdvanceAllowed},`, ``, planning},
	{"pause-holds-promotion", "does not promote, at 100, what is complete, because the track is paused", gates,
		`v1alpha1.AdvancePaused && v.weight() < 100`, `v1alpha1.AdvancePaused`, planning},
	{"pause-fails", "fails a candidate that waits because the track is paused", failure,
		` || v.paused()) &&`, `) &&`, planning},
	{"bake-skipped", "skips the bake with the hold", steps,
		"if v.weight() == 100 {\n\t\thold = max(", "if v.weight() == 100 && !v.holdSkipped(100) {\n\t\thold = max(", planning},
}
