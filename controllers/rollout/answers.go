package rollout

import (
	"fmt"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Answers are what reports and tools ask of the same rules by which is decided.
type Answers struct{ v view }

// Ask looks at an observation once, for any number of questions.
func Ask(o Observation) Answers { return Answers{v: look(o)} }

// Gate is the answer of one gate.
type Gate struct {
	Name    string
	Reason  string
	Message string
	Blocked bool
}

// Explain answers every gate for the open attempt; nil without one.
func (a Answers) Explain() []Gate {
	if a.v.Track == nil || a.v.candidate == nil {
		return nil
	}
	answers := make([]Gate, 0, len(gates)+1)
	if held := a.v.held(); held != nil {
		answers = append(answers, Gate{Name: held.Gate, Reason: held.Reason, Message: held.Message, Blocked: true})
	}
	for _, g := range gates {
		reason, message, blocked := g.check(a.v)
		answers = append(answers, Gate{Name: g.name, Reason: reason, Message: message, Blocked: blocked})
	}
	return answers
}

// TestRun is one run of a test.
type TestRun struct {
	Test string
	// WeightPercent is the step of an EveryStep test, nil for others.
	WeightPercent *int32
	BeforePods    bool
}

// Unpassed are the runs of tests that the open attempt waits for at its present
// weight. It needs no more of the observation than records and specs.
func (a Answers) Unpassed() []TestRun {
	if a.v.Track == nil || a.v.candidate == nil {
		return nil
	}
	var runs []TestRun
	for _, t := range a.v.dueTests() {
		if a.v.unpassed(t) {
			runs = append(runs, TestRun{Test: t.name, WeightPercent: t.weight, BeforePods: t.beforePods})
		}
	}
	return runs
}

// Weight is the share of the open attempt, in percent; 0 without one. It needs no more
// of the observation than records and specs, as do LacksApproval and Waits.
func (a Answers) Weight() int32 { return a.v.weight() }

// LacksApproval is the first step ahead of the open attempt whose approval is missing,
// in percent; 0 where none is, or without an open attempt.
func (a Answers) LacksApproval() int32 {
	if a.v.Track == nil || a.v.candidate == nil {
		return 0
	}
	for _, s := range a.v.Track.rollout().Steps {
		if s.WeightPercent > a.v.weight() && a.v.lacksApproval(s) {
			return s.WeightPercent
		}
	}
	return 0
}

// MayTakeTurn says whether nothing but how many other rollouts are under way keeps the
// open attempt from taking its turn.
func (a Answers) MayTakeTurn() bool {
	return a.v.Track != nil && a.v.candidate != nil && a.v.Log.Broken == "" && !a.v.stale() && a.v.reaches("TurnTaken")
}

// Waits says whether a newer release waits for the candidate to finish.
func (a Answers) Waits() bool {
	return a.v.Track != nil && a.v.candidate != nil && a.v.Track.Spec.ReleaseName == "" && a.v.finishesFirst()
}

// VerdictOf is how the newest attempt of a release ended; "" while one is open,
// or before any.
func (a Answers) VerdictOf(r *Release) v1alpha1.RecordEvent {
	if a.v.Track == nil {
		return ""
	}
	return a.v.verdict(r)
}

// Serves says whether every route of the track has a ready endpoint in the
// release; without routes, whether its Deployments are available.
func (a Answers) Serves(r *Release) bool { return a.v.canServe(r) }

// Unserved names what the release lacks to serve: a route without ready endpoints, or
// without routes a component without its pods; "" when it serves.
func (a Answers) Unserved(r *Release) string {
	if a.v.canServe(r) {
		return ""
	}
	for _, route := range a.v.routes {
		if r.hasEndpoints(route.ComponentName) {
			continue
		}
		why := fmt.Sprintf("route %s has no ready endpoint in Service %s-%s", route.Name, r.Name, route.ComponentName)
		if c := r.component(route.ComponentName); c != nil {
			why += ": " + podsMessage(*c, a.v.enough(r, c.Name))
		}
		return why
	}
	return a.v.shortage(r)
}

// Blocked is the first gate that blocks the open attempt; nil when none does, or
// without one.
func (a Answers) Blocked() *v1alpha1.BlockedBy {
	if a.v.Track == nil || a.v.candidate == nil {
		return nil
	}
	return a.v.blocked()
}

// Shortage says which component that should run is not available; "" while none is.
func (a Answers) Shortage(r *Release) string {
	if a.v.Track == nil || a.v.available(r) {
		return ""
	}
	return a.v.shortage(r)
}

// Baseline is the release that traffic goes back to; nil before there is one, or
// when its object is gone.
func (a Answers) Baseline() *Release { return a.v.baseline }

// Carried says whether every router is confirmed to carry what the newest record
// says, and else why not. any is false while no weight was ever set.
func (a Answers) Carried() (reason, message string, carried, any bool) {
	reason, message, ok := a.v.carried()
	return reason, message, ok && !a.v.unverified(), len(a.v.state.Routes) > 0
}

// Template says how spec.releaseTemplate stands, by one of the reasons of package rollout;
// an empty reason: the track has none.
func (a Answers) Template() (reason, message string) {
	if a.v.Track == nil {
		return "", ""
	}
	return a.v.template()
}

// Claimant is another release that has the version of r already, and so keeps r
// from ever being deployed; nil when there is none.
func (a Answers) Claimant(r *Release) *Release {
	if a.v.Track == nil {
		return nil
	}
	return a.v.claimant(r)
}
