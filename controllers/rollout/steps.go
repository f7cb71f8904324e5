package rollout

import (
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// step is what comes next for the candidate: a weight to rise to, or promotion.
type step struct {
	weight int32
	// approval is the step whose approval is missing, 0 when none is: a rise enters
	// every step up to its weight, also those that it does not stop at.
	approval int32
	// promotion: the weight is 100 already.
	promotion bool
}

// nextStep is the first step above the present weight; a last 100 is implied.
// There are no steps where there is nothing to go back to, where the candidate
// is trusted or the baseline is dead, and on tracks whose routes are all or
// nothing, or that have none: such a candidate goes to 100 in one write.
func (v view) nextStep() step {
	weight := v.weight()
	if weight == 100 {
		return step{weight: 100, promotion: true}
	}
	next := step{weight: 100}
	for _, s := range v.Track.rollout().Steps {
		if s.WeightPercent <= weight {
			continue
		}
		if next.approval == 0 && v.lacksApproval(s) {
			next.approval = s.WeightPercent
		}
		if !v.atOnce() {
			next.weight = s.WeightPercent
			break
		}
	}
	return next
}

func (v view) lacksApproval(s v1alpha1.RolloutStep) bool {
	return s.Approval == v1alpha1.ApprovalRequired && !v.trusted(v.candidate) && !v.approved(s.WeightPercent)
}

// atOnce: the candidate goes to 100 in one write.
func (v view) atOnce() bool { return v.unheld() || !v.divisible() }

// unheld: there is nothing to go back to that would be better, or no doubt.
func (v view) unheld() bool {
	return v.state.Stable == nil || !v.canServe(v.baseline) || v.trusted(v.candidate)
}

// hold is how long the candidate stays at its present weight.
func (v view) hold() time.Duration {
	weight := v.weight()
	if weight == 0 || v.unheld() && weight < 100 || v.holdSkipped(weight) {
		return 0
	}
	for _, s := range v.Track.rollout().Steps {
		if s.WeightPercent == weight {
			return seconds(s.HoldSeconds, 0)
		}
	}
	return 0
}

func (v view) holdSkipped(weight int32) bool {
	return slices.ContainsFunc(v.state.SkippedHolds, func(s v1alpha1.SkippedHold) bool { return s.WeightPercent == weight })
}

// holds says whether it is the hold of the step, and not the bake alone, that keeps
// the candidate where it is.
func (v view) holds() bool {
	hold := v.hold()
	if v.weight() == 100 && hold <= v.Track.bake() {
		return false
	}
	end := v.holdEnd()
	return hold > 0 && (end.IsZero() || v.Now.Before(end))
}

// holdEnd is when the hold, or at 100 the bake, is over; zero while the weight is
// not verified. A Retry may begin with weight: it is held anew. So is what failed and
// kept its weight: the time in which it did not serve has shown nothing.
func (v view) holdEnd() time.Time {
	verified := v.verifiedTime()
	if verified.IsZero() {
		return time.Time{}
	}
	hold := v.hold()
	if v.weight() == 100 {
		hold = max(hold, v.Track.bake())
	}
	since := later(verified, v.state.Candidate.StartTime.Time)
	if v.holdsFailures() {
		since = later(since, v.candidate.availabilityChange())
	}
	return since.Add(hold)
}
