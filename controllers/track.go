package controllers

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// trackStatus fills in the status of the track.
func (f findings) trackStatus(track *v1alpha1.ReleaseTrack) {
	s, state := &track.Status, f.state()
	s.ObservedGeneration = track.Generation
	s.StableReleaseName, s.CandidateReleaseName, s.CandidateAttempt, s.WeightPercent = "", "", 0, 0
	if state.Stable != nil {
		s.StableReleaseName = state.Stable.Name
		s.WeightPercent = 100
	}
	if state.Candidate != nil {
		s.CandidateReleaseName, s.CandidateAttempt = state.Candidate.Name, state.Candidate.Attempt
		s.WeightPercent = f.weightOf(state.Candidate.Name)
	}
	s.StepWeightPercent = f.plan.NextWeightPercent
	s.StepStartTime, s.NextStepTime = f.stepStart(), metaTime(f.plan.NextStepTime)
	s.BlockedBy = f.blocked()
	if f.policyUnread == nil {
		s.Policy = f.policy.Summary()
	}
	s.Records = v1alpha1.RecordSummary{Count: int64(f.Log.Count)}
	if f.Log.Head != nil {
		s.Records.HeadDigest = f.Log.Head.Digest
	}

	c := conditions{list: &s.Conditions, generation: track.Generation, now: f.Now}
	f.trackReady(c)
	f.trackAvailable(c)
	f.trackShifted(c)
	f.trackBlocked(c)
	f.trackPublished(c)
}

// trackReady sums up: the stage is Ready's reason.
func (f findings) trackReady(c conditions) {
	stalled, moving := f.plan.Stalled, f.moving()
	if f.plan.Stale {
		stalled, moving = f.blocked(), false
	}
	switch {
	case stalled != nil:
		c.set(v1alpha1.ConditionReady, metav1.ConditionFalse, string(rollout.Stalled), stalled.Message)
		c.set(v1alpha1.ConditionStalled, metav1.ConditionTrue, stalled.Reason, stalled.Message)
	case moving:
		c.set(v1alpha1.ConditionReady, metav1.ConditionFalse, f.movingReason(), f.movingMessage())
		c.set(v1alpha1.ConditionStalled, metav1.ConditionFalse, f.movingReason(), "")
	default:
		c.set(v1alpha1.ConditionReady, metav1.ConditionTrue, string(rollout.Settled), f.settledMessage())
		c.set(v1alpha1.ConditionStalled, metav1.ConditionFalse, string(rollout.Settled), "")
	}
	reason, message := string(f.plan.Stage), ""
	if moving {
		reason, message = f.movingReason(), f.movingMessage()
	}
	c.setIf(v1alpha1.ConditionReconciling, moving && stalled == nil, reason, message)
}

// moving: an attempt is open, a rollback is under way, weight has to go back, routers do
// not carry yet what was decided, or a release is still to be created.
func (f findings) moving() bool {
	if f.plan.Stage != rollout.Settled && f.plan.Stage != rollout.Stalled || f.failure != nil {
		return true
	}
	_, _, carried, any := f.answers.Carried()
	return f.state().Candidate != nil || f.recalled() != nil || any && !carried || f.publishing()
}

// movingReason is the stage. Where that has nothing to say of what is under way, what
// is waited for says it.
func (f findings) movingReason() string {
	if blocked := f.blocked(); blocked != nil && f.plan.Stage == rollout.Settled {
		return blocked.Reason
	}
	if f.plan.Stage == rollout.Settled && f.publishing() {
		return rollout.ReasonPublishing
	}
	return string(f.plan.Stage)
}

func (f findings) movingMessage() string {
	if blocked := f.blocked(); blocked != nil {
		return blocked.Message
	}
	if c := f.state().Candidate; c != nil {
		return fmt.Sprintf("%s is at %d %%", c.Name, f.weightOf(c.Name))
	}
	if reason, message := f.answers.Template(); reason == rollout.ReasonPublishing {
		return message
	}
	return ""
}

func (f findings) settledMessage() string {
	stable, baseline := f.state().Stable, f.answers.Baseline()
	switch {
	case stable == nil:
		return "no release was published yet"
	case baseline != nil && !f.answers.Serves(baseline):
		return stable.Name + " is what should serve, and cannot: " + f.answers.Unserved(baseline)
	}
	return stable.Name + " serves"
}

// trackAvailable: the baseline can take every request.
func (f findings) trackAvailable(c conditions) {
	baseline := f.answers.Baseline()
	switch {
	case f.state().Stable == nil && baseline == nil:
		c.set(v1alpha1.ConditionAvailable, metav1.ConditionFalse, "NothingPromoted", "no release serves yet")
	case baseline == nil:
		c.set(v1alpha1.ConditionAvailable, metav1.ConditionFalse, "BaselineGone", f.goneMessage())
	case !f.answers.Serves(baseline):
		c.set(v1alpha1.ConditionAvailable, metav1.ConditionFalse, "NoReadyEndpoints", baseline.Name+" cannot serve: "+f.answers.Unserved(baseline))
	default:
		c.set(v1alpha1.ConditionAvailable, metav1.ConditionTrue, "EndpointsReady", baseline.Name+" has ready endpoints for every route")
	}
}

func (f findings) goneMessage() string {
	if stable := f.state().Stable; stable != nil {
		return "release " + stable.Name + ", which serves, was deleted, and its pods go with it: publish a new release"
	}
	return "the release that serves was deleted, and its pods go with it: publish a new release"
}

// trackShifted: every router is confirmed to carry what was decided.
func (f findings) trackShifted(c conditions) {
	reason, message, carried, any := f.answers.Carried()
	switch {
	case !any:
		c.set(v1alpha1.ConditionTrafficShifted, metav1.ConditionUnknown, "NoWeights", "no weight was set yet")
	case carried:
		c.set(v1alpha1.ConditionTrafficShifted, metav1.ConditionTrue, "RoutesConfirmed", "every route carries what was decided")
	default:
		c.set(v1alpha1.ConditionTrafficShifted, metav1.ConditionFalse, reason, message)
	}
}

func (f findings) trackBlocked(c conditions) {
	if blocked := f.blocked(); blocked != nil {
		c.set(v1alpha1.ConditionRolloutBlocked, metav1.ConditionTrue, blocked.Reason, blocked.Message)
		return
	}
	c.set(v1alpha1.ConditionRolloutBlocked, metav1.ConditionFalse, "NothingBlocks", "")
}

// stepStart is when the present weight was confirmed. Without routes the record that
// gave the candidate everything confirms it.
func (f findings) stepStart() *metav1.Time {
	state := f.state()
	if state.Candidate == nil || f.weightOf(state.Candidate.Name) == 0 {
		return nil
	}
	if len(state.Routes) == 0 {
		return metaTime(&state.Candidate.ActivatedTime.Time)
	}
	for _, route := range state.Routes {
		if route.VerifiedTime == nil {
			return nil
		}
	}
	return metaTime(&state.Routes[0].VerifiedTime.Time)
}
