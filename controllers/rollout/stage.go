package rollout

import (
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
		if reason, message, blocked := gateNoRollback(v); blocked {
			plan.Blocked = &v1alpha1.BlockedBy{Gate: "NoRollback", Reason: reason, Message: message}
		}
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
	if v.stalled() != nil && (v.candidate == nil || v.stuck() != nil) {
		return Stalled
	}
	if v.candidate != nil {
		return v.candidateStage()
	}
	return Settled
}

func (v view) candidateStage() Stage {
	switch blocked := v.firstGate(); {
	case v.candidate.Sealed == nil:
		return Preparing
	case v.weight() == 100:
		return Baking
	case v.weight() > 0:
		return Shifting
	case blocked != nil && (blocked.Gate == "RequiredTracksPromoted" || blocked.Gate == "TurnTaken" || slices.Contains(machineGates, blocked.Gate)):
		return Provisioning
	case blocked != nil && blocked.Gate == "TestsPassed":
		return Testing
	}
	return Shifting
}

// after is how long until the earliest moment at which time alone changes
// something; 0 when it never does.
func (v view) after() time.Duration {
	moments := make([]time.Time, 0, 16) // More are rare.
	if v.candidate != nil {
		moments = append(moments, v.holdEndIfAny(), v.failureEnd(), v.shortEnd(), v.deadline(), v.verifyDeadline(), v.probeDeadline(), v.startDeadline(), v.settleEnd(), v.turnLook())
		moments = append(moments, v.testDeadlines()...)
		if v.polls() {
			moments = append(moments, v.Now.Add(lookAgain))
		}
	}
	if due, ok := v.pruneTime(); ok {
		moments = append(moments, due)
	}
	for _, route := range v.Routes {
		moments = append(moments, route.SettleTime, route.ListedTime)
		if route.Unwatched {
			moments = append(moments, v.Now.Add(lookAgain))
		}
	}
	if t := v.Track.Template; t != nil && t.Taken != "" {
		moments = append(moments, v.Now.Add(lookAgain))
	}
	moments = append(moments, v.accessMoments()...)
	moments = append(moments, v.lapseTimes()...)
	for _, a := range v.Answered {
		if end, ok := v.keepUntil(a); ok {
			moments = append(moments, end)
		}
	}
	for _, live := range v.state.Live {
		if end, ok := v.retireTime(live); ok {
			moments = append(moments, end)
		}
		if live.Recall != nil {
			moments = append(moments, v.recallDeadline(live))
		}
		moments = append(moments, v.sizeMoments(live)...)
		moments = append(moments, v.driftMoments(live)...)
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
	if _, _, unproven := v.unproven(); unproven || v.candidate.Obstacle != nil || v.unreadTracks() {
		return true
	}
	for _, t := range v.dueTests() {
		result, job := v.result(t), v.job(t)
		if result != nil && result.Outcome == v1alpha1.TestRunning && job != nil && job.Podless {
			return true
		}
	}
	blocked := v.firstGate()
	return blocked != nil && slices.Contains([]string{"NamesFree", "RoutesFree", "NoForeignSelector"}, blocked.Gate)
}
