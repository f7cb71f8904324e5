package rollout

import "github.com/strata-release/strata/api/v1alpha1"

// The questions that reports and tools ask of the same rules by which is decided.

// Gate is the answer of one gate.
type Gate struct {
	Name    string
	Reason  string
	Message string
	Blocked bool
}

// Explain answers every gate for the open attempt; nil without one.
func Explain(o Observation) []Gate {
	v := look(o)
	if v.Track == nil || v.candidate == nil {
		return nil
	}
	answers := make([]Gate, 0, len(gates))
	for _, g := range gates {
		reason, message, blocked := g.check(v)
		answers = append(answers, Gate{Name: g.name, Reason: reason, Message: message, Blocked: blocked})
	}
	return answers
}

// VerdictOf is how the newest attempt of a release ended; "" while one is open,
// or before any.
func VerdictOf(o Observation, r *Release) v1alpha1.RecordEvent {
	v := look(o)
	if v.Track == nil {
		return ""
	}
	return v.verdict(r)
}

// Serves says whether every route of the track has a ready endpoint in the
// release; without routes, whether its Deployments are available.
func Serves(o Observation, r *Release) bool { return look(o).canServe(r) }

// Baseline is the release that traffic goes back to; nil before there is one, or
// when its object is gone.
func Baseline(o Observation) *Release { return look(o).baseline }

// Carried says whether every router is confirmed to carry what the newest record
// says, and else why not. any is false while no weight was ever set.
func Carried(o Observation) (reason, message string, carried, any bool) {
	v := look(o)
	reason, message, ok := v.carried()
	return reason, message, ok && !v.unverified(), len(v.state.Routes) > 0
}

// Claimant is another release that has the version of r already, and so keeps r
// from ever being deployed; nil when there is none.
func Claimant(o Observation, r *Release) *Release {
	if o.Track == nil {
		return nil
	}
	return look(o).claimant(r)
}
