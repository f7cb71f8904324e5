package rollout

import (
	"fmt"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// answer carries out, or refuses, the oldest action that is waiting. Every answer
// is one record that names the action, and so it is given once: never to an action
// that may have been carried out by a record that is gone. A Rollback or Retry
// waits while a Rollback is still bringing its release up.
func (v view) answer() *Entry {
	for i := range v.Actions {
		a := &v.Actions[i]
		if _, done := v.Log.Actions[a.Name]; done || !a.CreationTimestamp.After(v.Log.ActionsSince) {
			continue
		}
		waits := a.Spec.Action == v1alpha1.ActionRollback || a.Spec.Action == v1alpha1.ActionRetry
		if waits && v.recalling() != nil {
			continue
		}
		e := v.answerTo(a)
		e.ActionName, e.Actor = a.Name, a.Spec.Requester
		return e
	}
	return nil
}

func (v view) answerTo(a *v1alpha1.ReleaseAction) *Entry {
	switch a.Spec.Action {
	case v1alpha1.ActionRollback:
		return v.rollback(a)
	case v1alpha1.ActionAbort:
		return v.abort(a)
	case v1alpha1.ActionRetry:
		return v.retry(a)
	case v1alpha1.ActionApprove:
		return v.approve(a)
	case v1alpha1.ActionSkipHold:
		return v.skipHold(a)
	case v1alpha1.ActionBreakGlass:
		return v.breakGlass(a)
	}
	return v.refuse(a, "NotSupported", fmt.Sprintf("action %s is not supported yet", a.Spec.Action))
}

func (v view) refuse(a *v1alpha1.ReleaseAction, reason, message string) *Entry {
	var e *Entry
	if r := v.release(a.Spec.ReleaseName); r != nil {
		e = v.about(r, v1alpha1.EventRefused, reason, message)
	} else {
		e = v.note(v1alpha1.EventRefused, reason, message)
	}
	e.Confirm = true
	return e
}

func (v view) rollback(a *v1alpha1.ReleaseAction) *Entry {
	target := v.release(a.Spec.ReleaseName)
	switch {
	case target == nil || target.Deleting:
		return v.refuse(a, "ReleaseGone", "there is no release "+a.Spec.ReleaseName)
	case v.isCandidate(target):
		return v.refuse(a, "IsCandidate", target.Name+" is the candidate; Abort ends its attempt")
	case v.isStable(target) && v.state.Candidate == nil:
		return v.refuse(a, "IsStable", target.Name+" is stable already")
	case !v.promoted(target):
		return v.refuse(a, "NeverPromoted", target.Name+" was never promoted on this track: there is nothing to trust; publish or pin it to have it tested")
	case v.verdict(target).IsNegative():
		return v.refuse(a, "NegativeVerdict", fmt.Sprintf("the newest attempt of %s ended as %s; a Retry tests it again", target.Name, v.verdict(target)))
	}
	if route := v.lacks(target); route != "" {
		return v.refuse(a, "BackendMissing", fmt.Sprintf("%s has no backend for route %s", target.Name, route))
	}
	why := fmt.Sprintf("%s by %s: %s", a.Name, a.Spec.Requester, a.Spec.Reason)
	serves := v.canServe(target) && v.sized(target)
	if broken := target.distrust(serves); broken != "" {
		return v.refuse(a, SnapshotChanged, broken)
	}
	if serves {
		return v.rolledBack(target, why)
	}
	e := v.about(target, v1alpha1.EventRecalled, "Rollback", target.Name+" is brought up again for "+why)
	v.revive(&e.State, target.ref(), &v1alpha1.Recall{ActionName: a.Name, Requester: a.Spec.Requester, Time: v.now()})
	return e
}

// lacks names a route in force that the release has no backend for; "" for none.
func (v view) lacks(r *Release) string {
	for _, route := range v.routes {
		if !r.hasPort(route) {
			return route.Name
		}
	}
	return ""
}

func (v view) promoted(r *Release) bool {
	p, ok := v.Log.Promotions[r.Spec.Version]
	return ok && p.UID == r.UID
}

// rolledBack moves all weight to the target in one record, and with it gives the
// open attempt, else the newest attempt of stable, its verdict.
func (v view) rolledBack(target *Release, why string) *Entry {
	left := v.state.Stable
	if v.state.Candidate != nil {
		left = &v.state.Candidate.ReleaseRef
	}
	message := fmt.Sprintf("back to %s, asked for in action %s", target.Name, why)
	var e *Entry
	if left == nil {
		e = v.note(v1alpha1.EventRolledBack, "Rollback", message)
	} else {
		e = v.aboutRef(*left, v1alpha1.EventRolledBack, "Rollback", message)
	}
	e.Confirm = true
	if d := target.SnapshotDrift(); d != nil {
		e.Message += "; " + d.message()
	}
	ref := target.ref()
	e.State.Candidate = nil
	v.revive(&e.State, ref, nil)
	v.moveAll(&e.State, ref)
	v.settleOn(&e.State, ref)
	return e
}

// recalling is the release that a Rollback is bringing up; nil when there is none.
func (v view) recalling() *v1alpha1.LiveRelease {
	for i := range v.state.Live {
		if v.state.Live[i].Recall != nil {
			return &v.state.Live[i]
		}
	}
	return nil
}

// finishRecall completes a Rollback once its release has come up, not with its
// first pod, and has its size: for that alone it waits until the deadline, and then
// goes back to what there is. It refuses one whose release does not come up, or where there
// is nothing to go back from any more.
func (v view) finishRecall() *Entry {
	live := v.recalling()
	if live == nil {
		return nil
	}
	var e *Entry
	target := v.object(live.ReleaseRef)
	switch {
	case target != nil && v.isStable(target) && v.state.Candidate == nil:
		e = v.aboutRef(live.ReleaseRef, v1alpha1.EventRefused, "IsStable", "the attempt has ended otherwise; "+live.Name+" is stable")
		e.Confirm = true
		v.revive(&e.State, live.ReleaseRef, nil)
	case target != nil && target.distrust(v.canServe(target)) != "":
		e = v.about(target, v1alpha1.EventRefused, SnapshotChanged, target.distrust(v.canServe(target)))
		e.Confirm = true
		v.revive(&e.State, live.ReleaseRef, nil)
	case target != nil && v.canServe(target) && v.available(target) && (v.sized(target) || !v.Now.Before(v.recallDeadline(*live))):
		e = v.rolledBack(target, live.Recall.ActionName+" by "+live.Recall.Requester)
	case target == nil || target.Deleting:
		e = v.aboutRef(live.ReleaseRef, v1alpha1.EventRefused, "ReleaseGone", "there is no release "+live.Name+" any more")
		e.Confirm = true
		v.revive(&e.State, live.ReleaseRef, nil)
	case !v.Now.Before(v.recallDeadline(*live)):
		e = v.about(target, v1alpha1.EventRefused, "NotReady", fmt.Sprintf("%s did not come up within %s: %s", live.Name, v.Track.progressDeadline(), v.shortage(target)))
		e.Confirm = true
		v.revive(&e.State, live.ReleaseRef, nil)
	default:
		return nil
	}
	e.ActionName, e.Actor = live.Recall.ActionName, live.Recall.Requester
	return e
}

func (v view) recallDeadline(live v1alpha1.LiveRelease) time.Time {
	since := live.Recall.Time.Time
	if r := v.object(live.ReleaseRef); r != nil {
		since = later(since, r.availabilityChange())
	}
	return since.Add(v.Track.progressDeadline())
}

func (v view) abort(a *v1alpha1.ReleaseAction) *Entry {
	c := v.state.Candidate
	switch {
	case c == nil:
		return v.refuse(a, "NothingUnderWay", "no attempt is open")
	case c.Name != a.Spec.ReleaseName || a.Spec.Attempt == nil || *a.Spec.Attempt != c.Attempt:
		return v.refuse(a, "OtherAttempt", fmt.Sprintf("the open attempt is number %d of %s", c.Attempt, c.Name))
	}
	return v.close(v1alpha1.EventAborted, "Abort", fmt.Sprintf("%s by %s: %s", a.Name, a.Spec.Requester, a.Spec.Reason))
}

func (v view) retry(a *v1alpha1.ReleaseAction) *Entry {
	r := v.release(a.Spec.ReleaseName)
	switch {
	case r == nil || r.Deleting:
		return v.refuse(a, "ReleaseGone", "there is no release "+a.Spec.ReleaseName)
	case v.state.Candidate != nil:
		return v.refuse(a, "AttemptOpen", "the attempt of "+v.state.Candidate.Name+" is open; Abort ends it")
	case v.isStable(r):
		return v.refuse(a, "IsStable", r.Name+" is stable already")
	case v.claimant(r) != nil:
		return v.refuse(a, "VersionReused", fmt.Sprintf("version %s is that of %s: publish this content under a version of its own", r.Spec.Version, v.claimant(r).Name))
	case v.isDifferent(r):
		return v.refuse(a, "RestoredDiffers", fmt.Sprintf("%s serves as it came back, and this is another one: %s. Restore it as it was, or publish a new release", r.Name, r.differs()))
	case !v.retriable(r):
		return v.refuse(a, "NotDesired", r.Name+" is neither pinned nor, with nothing pinned, the newest release: pin it, or publish a new one")
	}
	return v.open(r, "Retry", fmt.Sprintf("%s by %s: %s", a.Name, a.Spec.Requester, a.Spec.Reason), true)
}

func (v view) retriable(r *Release) bool {
	if pin := v.Track.Spec.ReleaseName; pin != "" {
		return pin == r.Name
	}
	newest := v.newest()
	return newest != nil && newest.UID == r.UID
}

// skipHold ends the hold of the step that the candidate is at. Gates, tests,
// approvals and the bake are none of its business.
func (v view) skipHold(a *v1alpha1.ReleaseAction) *Entry {
	c := v.state.Candidate
	switch {
	case c == nil || v.candidate == nil:
		return v.refuse(a, "NothingUnderWay", "no attempt is open")
	case c.Name != a.Spec.ReleaseName || a.Spec.Attempt == nil || *a.Spec.Attempt != c.Attempt:
		return v.refuse(a, "OtherAttempt", fmt.Sprintf("the open attempt is number %d of %s", c.Attempt, c.Name))
	case a.Spec.WeightPercent == nil || *a.Spec.WeightPercent != v.weight():
		return v.refuse(a, "OtherStep", fmt.Sprintf("%s is at %d %%", c.Name, v.weight()))
	case !v.holds():
		return v.refuse(a, "NotHeld", fmt.Sprintf("no hold keeps %s at %d %%; gates, tests, approvals and the bake are not skipped", c.Name, v.weight()))
	}
	e := v.about(v.candidate, v1alpha1.EventHoldSkipped, "SkipHold", fmt.Sprintf("the hold at %d %%: %s", v.weight(), a.Spec.Reason))
	e.State.SkippedHolds = append(e.State.SkippedHolds, v1alpha1.SkippedHold{
		WeightPercent: v.weight(), Requester: a.Spec.Requester, ActionName: a.Name, Time: v.now(),
	})
	return e
}
