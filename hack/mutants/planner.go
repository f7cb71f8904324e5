package main

// Files of the planner.
const (
	answers  = "controllers/rollout/people.go"
	attempts = "controllers/rollout/attempt.go"
	carryOut = "controllers/rollout/carryout.go"
	compute  = "controllers/rollout/compute.go"
	desired  = "controllers/rollout/desired.go"
	failure  = "controllers/rollout/failure.go"
	gates    = "controllers/rollout/gates.go"
	outlook  = "controllers/rollout/stage.go"
	retire   = "controllers/rollout/retire.go"
	shift    = "controllers/rollout/shift.go"
	steps    = "controllers/rollout/steps.go"
	tests    = "controllers/rollout/tests.go"
	view     = "controllers/rollout/view.go"
	weights  = "controllers/rollout/weights.go"
)

// planner are faults in what is decided.
var planner = []mutant{
	{"log-stale", "decides although the objects carry a newer record than the log that was read", compute,
		`if v.stale() {`, `if false {`, planning},
	{"gate-tests-dropped", "raises weight although no test has passed", gates,
		`{"TestsPassed", gateTestsPassed},`, ``, planning},
	{"gate-hold-dropped", "takes the next step, or promotes, before the hold or the bake is over", gates,
		`{"HoldOver", gateHoldOver},`, ``, planning},
	{"gate-verified-dropped", "takes the next step although no router has confirmed the last one", gates,
		`{"RouteVerified", gateRouteVerified},`, ``, planning},
	{"gate-endpoints-dropped", "asks for available pods, and not for ready endpoints", gates,
		`{"EndpointsReady", gateEndpointsReady},`, ``, planning},
	{"gate-approval-dropped", "enters a step that asks for an approval without one", gates,
		`{"Approved", gateApproved},`, ``, planning},
	{"gate-selector-dropped", "raises weight although somebody's Service sends traffic past the gates", gates,
		`{"NoForeignSelector", gateNoForeignSelector},`, ``, planning},
	{"gate-rollback-dropped", "raises the candidate's weight while a Rollback brings its target up", gates,
		`{"NoRollback", gateNoRollback},`, ``, planning},
	{"gate-absence-passes", "takes a test without a result for one that passed", gates,
		`case result == nil:`, "case result == nil:\n\t\t\tcontinue\n\t\tcase result == nil:", planning},
	{"gate-one-pod", "takes one available pod for all of them", gates,
		`c.AvailableReplicas >= want`, `c.AvailableReplicas > 0`, planning},
	{"gate-endpoints-unsettled", "gives routers no time to learn of endpoints that became ready just now", gates,
		`v.Now.Before(v.settleEnd())`, `false`, planning},

	{"pinned-negative-retried", "tries a pinned release again that has a negative verdict", desired,
		`case v.verdict(pinned).IsNegative() || `, `case `, planning},
	{"newest-negative-retried", "tries the newest release again that has a negative verdict", desired,
		`if v.verdict(r) != "" || `, `if v.verdict(r) == v1alpha1.EventPromoted || `, planning},
	{"recreated-is-newer", "takes an old release that is created again for a new one", desired,
		`return verdict.CreationTime`, "_ = verdict\n\t\treturn r.CreationTime", planning},
	{"older-than-verdict", "deploys a release that is older than one that had its verdict", desired,
		`if v.counts(verdict) && later {`, `if false && later {`, planning},
	{"version-shared", "deploys a second release of a version", desired,
		`if !v.shared[r.Spec.Version] {`, `if true {`, planning},
	{"trust-despite-verdict", "spares a release its tests that was stable once, and failed since", desired,
		` && !v.Log.Verdicts[r.Spec.Version].Event.IsNegative()`, ``, planning},

	{"tests-of-last-attempt", "counts the test results of the attempt before", attempts,
		`e.State.Tests, e.State.Approvals, e.State.SkippedHolds = nil, nil, nil`, `e.State.Approvals, e.State.SkippedHolds = nil, nil`, planning},
	{"confirm-verdict-dropped", "gives a verdict on what a cache says alone", attempts,
		"e.State.Candidate = nil\n\te.Confirm = true", `e.State.Candidate = nil`, planning},
	{"verdict-to-dead-baseline", "sends traffic back to a baseline without ready endpoints", attempts,
		`v.weight() > 0 && v.canServe(v.baseline)`, `v.weight() > 0`, planning},

	{"verify-clock", "counts the time for a confirmation from the start of the attempt, and not from the write of the weight", failure,
		`return later(v.setTime(), v.state.Candidate.StartTime.Time)`, `return v.state.Candidate.StartTime.Time`, planning},

	{"hold-from-write", "counts holds and bakes from the write of a weight, and not from its confirmation", steps,
		`verified := v.verifiedTime()`, `verified := v.setTime()`, planning},

	{"vanished-job-passes", "takes a Job that vanished for one that passed", tests,
		`return v1alpha1.TestFailed, "JobVanished"`, `return v1alpha1.TestPassed, "JobVanished"`, planning},

	{"stamp-ignored", "takes a route object for confirmed that is stamped for an older record", weights,
		`case seen.Sequence < state.SetSequence || `, `case `, planning},
	{"unknown-is-verified", "takes a router that says nothing for one that confirms", weights,
		`case !seen.Verified:`, `case false:`, planning},

	{"verified-unseen", "records weights as confirmed that no router was seen to carry", shift,
		`if _, _, ok := v.carried(); !ok {`, `if false {`, planning},

	{"drain-skipped", "retires a release the moment its weight is 0", retire,
		`end := live.ZeroTime.Add(v.Track.drain())`, `end := live.ZeroTime.Time`, planning},

	{"raised-onto-unready", "writes weight onto a release that has no ready endpoints by now", carryOut,
		`!v.marked(r) || !r.hasEndpoints(route.ComponentName)`, `!v.marked(r)`, planning},
	{"breaking-first", "takes down before it makes", carryOut,
		"var do []Action\n\tdo = append(do, v.markHeld()...)", "do := v.deleteChildren()\n\tdo = append(do, v.markHeld()...)", planning},

	{"rollback-to-untested", "goes back to a release that was never promoted", answers,
		`case !v.promoted(target):`, `case false:`, planning},

	{"object-by-name", "takes an object for the release that a record speaks of because it has its name", view,
		`if r == nil || r.UID != ref.UID {`, `if r == nil {`, planning},
	{"hold-unwatched", "does not come back when a hold is over", outlook,
		`moments = append(moments, v.holdEndIfAny(), `, `moments = append(moments, `, planning},
}
