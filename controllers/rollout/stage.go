package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// lookAgain is how soon facts that no watch tells are read again: a missing
// ConfigMap, somebody's Service in the way.
const lookAgain = 10 * time.Second

// outlook is a plan without anything to do: where the track stands, what blocks
// it, and when to look again.
func (v view) outlook() Plan {
	plan := Plan{Stage: v.stage(), Stalled: v.stalled(), After: v.after()}
	if v.candidate == nil {
		return plan
	}
	plan.Blocked = v.blocked()
	if next := v.nextStep(); !next.promotion {
		plan.NextWeightPercent = next.weight
	}
	if end := v.holdEnd(); v.weight() > 0 && !end.IsZero() {
		plan.NextStepTime = &end
	}
	return plan
}

// stage is the first of the list that holds.
func (v view) stage() Stage {
	if len(v.strays()) > 0 {
		return Withdrawing
	}
	if v.candidate != nil {
		return v.candidateStage()
	}
	if v.stalled() != nil {
		return Stalled
	}
	return Settled
}

func (v view) candidateStage() Stage {
	switch blocked := v.blocked(); {
	case v.candidate.Sealed == nil:
		return Preparing
	case v.weight() == 100:
		return Baking
	case v.weight() > 0:
		return Shifting
	case blocked != nil && slices.Contains(machineGates, blocked.Gate):
		return Provisioning
	case blocked != nil && blocked.Gate == "TestsPassed":
		return Testing
	}
	return Shifting
}

// stalled: the pin, or with nothing pinned the newest release, cannot be served.
func (v view) stalled() *v1alpha1.BlockedBy {
	if v.Log.Broken != "" {
		return &v1alpha1.BlockedBy{Gate: "Log", Reason: "LogBroken", Message: v.Log.Broken + ": nothing is decided until the log verifies again"}
	}
	if v.candidate != nil {
		return nil
	}
	pin := v.Track.Spec.ReleaseName
	wanted := v.newest()
	if pin != "" {
		if wanted = v.pinned(); wanted == nil {
			return &v1alpha1.BlockedBy{Gate: "Desired", Reason: "PinnedReleaseMissing", Message: "the pinned release " + pin + " does not exist: create it, or change spec.releaseName"}
		}
	}
	if wanted == nil || !v.verdict(wanted).IsNegative() {
		return nil
	}
	verdict := v.Log.Verdicts[wanted.Spec.Version]
	return &v1alpha1.BlockedBy{
		Gate: "Desired", Reason: string(verdict.Event),
		Message: fmt.Sprintf("%s (attempt %d) ended as %s: %s; publish a new release, or try it again by a ReleaseAction Retry",
			wanted.Name, verdict.Attempt, verdict.Event, verdict.Message),
	}
}

// after is how long until the earliest moment at which time alone changes
// something; 0 when it never does.
func (v view) after() time.Duration {
	var moments []time.Time
	if v.candidate != nil {
		moments = append(moments, v.holdEndIfAny(), v.failureEnd(), v.deadline(), v.verifyDeadline())
		moments = append(moments, v.testDeadlines()...)
		if v.polls() {
			moments = append(moments, v.Now.Add(lookAgain))
		}
	}
	for _, live := range v.state.Live {
		if end, ok := v.retireTime(live); ok {
			moments = append(moments, end)
		}
		if live.Recall != nil {
			moments = append(moments, v.recallDeadline(live))
		}
	}
	var earliest time.Time
	for _, m := range moments {
		if m.After(v.Now) && (earliest.IsZero() || m.Before(earliest)) {
			earliest = m
		}
	}
	if earliest.IsZero() {
		return 0
	}
	return earliest.Sub(v.Now)
}

func (v view) holdEndIfAny() time.Time {
	if v.weight() == 0 {
		return time.Time{}
	}
	return v.holdEnd()
}

func (v view) testDeadlines() []time.Time {
	var ends []time.Time
	for _, t := range v.dueTests() {
		if result := v.result(t); result != nil && result.Outcome == v1alpha1.TestRunning {
			ends = append(ends, result.StartTime.Add(t.deadline))
		}
	}
	return ends
}

// polls says whether the candidate waits for something that no watch tells.
func (v view) polls() bool {
	if v.candidate.Obstacle != nil {
		return true
	}
	blocked := v.blocked()
	return blocked != nil && slices.Contains([]string{"NamesFree", "RoutesFree", "NoForeignSelector"}, blocked.Gate)
}
