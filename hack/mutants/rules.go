package main

// More files of the planner.
const (
	adopting = "controllers/rollout/adopt.go"
	asking   = "controllers/rollout/answers.go"
	capacity = "controllers/rollout/capacity.go"
	history  = "controllers/rollout/history.go"
	lapses   = "controllers/rollout/approvals.go"
	marks    = "controllers/rollout/held.go"
	requires = "controllers/rollout/requires.go"
	settings = "controllers/rollout/settings.go"
	stalled  = "controllers/rollout/stalled.go"
	template = "controllers/rollout/template.go"
	turns    = "controllers/rollout/turn.go"
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
	{"skip-of-any-step", "skips the hold of the step at hand for an action that names another", answers,
		`case a.Spec.WeightPercent == nil || *a.Spec.WeightPercent != v.weight():`, `case a.Spec.WeightPercent == nil:`, planning},

	{"gate-required-dropped", "raises weight although a required track has not promoted the content", gates,
		`{"RequiredTracksPromoted", gateRequiredTracksPromoted},`, ``, planning},
	{"pods-before-required", "spends pods on what a required track has not promoted", carryOut,
		`gateRequiredTracksPromoted, gateTurnTaken`, `gateTurnTaken`, planning},
	{"required-rolled-back", "counts a promotion there that was rolled back since", requires,
		`case told.Verdict.IsNegative():`, `case false:`, planning},
	{"required-other-content", "counts the promotion of another content of the same version", requires,
		`told.ContentDigest != v.candidate.Sealed.ContentDigest:`, `false:`, planning},
	{"required-unproven", "counts a promotion that nobody has signed", requires,
		`case told.Unproven != "":`, `case false:`, planning},
	{"required-unread", "takes a log that cannot be read for one that agrees", requires,
		`return "RequiredTrackUnread", fmt.Sprintf(`, `return "", fmt.Sprintf(`, planning},

	{"gate-turn-dropped", "raises weight although as many rollouts are under way as may be", gates,
		`{"TurnTaken", gateTurnTaken},`, ``, planning},
	{"pods-before-turn", "gives a candidate pods before its turn has come", carryOut,
		`gateTurnTaken, `, ``, planning},
	{"turn-without-place", "takes a turn that has not come", turns,
		`case v.Turn.Come:`, `case v.Turn.limited():`, planning},
	{"turn-never-yielded", "holds up what its required track needs to go on", turns,
		`e.State.Candidate.TurnAwaitedTime, e.State.Candidate.TurnTakenTime = nil, nil`, ``, planning},
	{"turn-stops-begun", "lets wait what has begun already", turns,
		`case v.begun():`, `case false:`, planning},
	{"turn-stops-cure", "lets what replaces a dead release wait for others", turns,
		`case v.state.Stable != nil && !v.canServe(v.baseline):`, `case false:`, planning},
	{"turn-in-deadline", "counts the wait for its turn against a candidate", turns,
		`return taken.Time`, `return time.Time{}`, planning},
	{"turn-polled", "looks at a long line all the time", turns,
		`lookAgain * time.Duration(1+v.Turn.Before)`, `lookAgain`, planning},

	{"gate-capacity-dropped", "raises weight onto a release that is too small for it", gates,
		`{"CapacityReady", gateCapacityReady},`, ``, planning},
	{"minimum-not-held", "lets an autoscaler shrink a candidate that has no traffic yet", capacity,
		`if live := v.live(r); live != nil && c.Autoscaling != nil {`, `if live := v.live(r); live != nil && false {`, planning},
	{"minimum-kept", "never gives an autoscaler its own minimum back", capacity,
		`case v.isBaseline(live) && v.measured(live):`, `case false:`, planning},
	{"warm-unsized", "sends all traffic back to a release of the size that it had while nobody called it", answers,
		`serves := v.canServe(target) && v.sized(target)`, `serves := v.canServe(target)`, planning},
	{"workers-always", "runs the workers of every live release at once", workers,
		`if !atFullWeight(r.specOf(component)) {`, `if true {`, planning},
	{"workers-side-by-side", "starts the workers of one release before those of the other are told to stop", carryOut,
		`return append(stop, do...)`, `return append(do, stop...)`, planning},

	{"mark-after-weight", "marks a release as held only after it has weight", carryOut,
		"do = append(do, v.markHeld()...)\n\tdo = append(do, v.writeRoutes()...)", "do = append(do, v.writeRoutes()...)\n\tdo = append(do, v.markHeld()...)", planning},
	{"mark-lifted-routed", "lifts the mark of a release that a route may still send requests to", marks,
		` || v.isLive(r) || !v.clear(r.Name) {`, ` || v.isLive(r) {`, planning},

	{"approval-of-any-age", "counts an approval that is older than policies let it be", lapses,
		` && !v.lapsed(a) && `, ` && `, planning},
	{"history-of-others", "deletes a release that a GitOps tool would create again", history,
		` && r.Owner == ""`, ``, planning},
	{"collected-at-once", "deletes an action as soon as it has its outcome", history,
		`ok := v.keepUntil(a); ok && !v.Now.Before(end) {`, `ok := v.keepUntil(a); ok && !end.IsZero() {`, planning},
	{"collected-under-way", "deletes an action that is still carried out", history,
		`opened || live != nil && `, `opened && live != nil && `, planning},
	{"replayed-after-pruning", "carries out an action again whose record is gone", answers,
		` || !a.CreationTimestamp.After(v.Log.ActionsSince) {`, ` {`, planning},

	{"template-created-again", "creates the release of a template again that was deleted", template,
		` || v.hadVersion(t.Version) {`, ` {`, planning},
	{"template-other-content", "creates under a version what it is not recorded with", template,
		` || t.ContentDigest != v.Log.ContentDigests[p.Version] {`, ` {`, planning},
	{"template-name-taken", "publishes a version whose release would have the name of another one", template,
		` || t.Taken != "" || v.ofVersion`, ` || v.ofVersion`, planning},
	{"template-untold", "does not say that a template has other content than the release of its version", template,
		`case r != nil && t.Differs != "":`, `case false:`, planning},
	{"template-tried-after-loss", "tries what the template had when the records were lost", adopting,
		`if t := v.Track.Template; t != nil {`, `if t := v.Track.Template; false {`, planning},

	{"adopted-split", "takes a release for stable that has a part of the weight", adopting,
		`len(shares) != 1 || name`, `len(shares) == 0 || name`, planning},

	{"broken-log-unsaid", "does not say that the log is broken", stalled,
		`case v.Log.Broken != "":`, `case false:`, planning},
	{"passed-tests-due", "tells the loop to look for tests that have passed", asking,
		`if a.v.unpassed(t) {`, `if true {`, planning},
}
