package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// fail closes the attempt as Failed when the candidate has failed, and is not held.
func (v view) fail() *Entry {
	if v.candidate == nil || v.holdsFailures() {
		return nil
	}
	if reason, message, failed := v.failure(); failed {
		return v.close(v1alpha1.EventFailed, reason, message)
	}
	return nil
}

// failure says whether the candidate has failed: a test did, it was changed as it was
// created, it could not be brought
// up or confirmed within the deadline, or it was unavailable, or lacked a pod, for
// too long with weight.
func (v view) failure() (reason, message string, failed bool) {
	for _, rule := range []func(view) (reason, message string, failed bool){
		failedTest, mutated, lost, unavailable, short, notProvisioned, notVerified, notProbed, notTested,
	} {
		if reason, message, failed := rule(v); failed {
			return reason, message, true
		}
	}
	return "", "", false
}

// holdsFailures: by failurePolicy Hold, a candidate that fails keeps the weight that
// it has, and gets no verdict. Without weight there is nothing to keep.
func (v view) holdsFailures() bool {
	return v.Track.rollout().FailurePolicy == v1alpha1.FailureHold && v.weight() > 0
}

// held is why the candidate has failed and keeps its weight, and what a human can do;
// nil when it has not, or may go on again.
func (v view) held() *v1alpha1.BlockedBy {
	if v.candidate == nil || !v.holdsFailures() {
		return nil
	}
	reason, message, failed := v.failure()
	if !failed {
		return nil
	}
	cure := "mend it and it goes on, or"
	if _, _, tested := failedTest(v); tested {
		cure = "that test does not run again in this attempt:"
	}
	return &v1alpha1.BlockedBy{Gate: "NotFailed", Reason: reason, Message: fmt.Sprintf(
		"%s has failed and is held at %d %%: %s; %s end attempt %d by a ReleaseAction Abort, or set spec.rollout.failurePolicy to Rollback",
		v.candidate.Name, v.weight(), message, cure, v.state.Candidate.Attempt)}
}

func failedTest(v view) (string, string, bool) {
	for _, t := range v.state.Tests {
		if t.Outcome == v1alpha1.TestFailed {
			run := dueTest{name: t.Name, weight: t.WeightPercent}
			return "TestFailed", fmt.Sprintf("test %s%s failed: %s", t.Name, run.at(), t.Message), true
		}
	}
	return "", "", false
}

// lost: what served is gone, and cannot be made again: its name is somebody's, or
// the API server refuses it.
func lost(v view) (string, string, bool) {
	if v.weight() == 0 || v.candidate.Sealed == nil || v.candidate.whole() {
		return "", "", false
	}
	reason, message, blocked := gateNamesFree(v)
	return reason, "what served is gone and cannot be made again: " + message, blocked
}

// whole says whether every Service and Deployment of the release is there.
func (r *Release) whole() bool {
	return !slices.ContainsFunc(r.Components, func(c Component) bool {
		return c.Deployment != Ours || c.Service != Ours && len(r.specOf(c.Name).Ports) > 0
	})
}

func unavailable(v view) (string, string, bool) {
	end := v.failureEnd()
	if end.IsZero() || v.Now.Before(end) {
		return "", "", false
	}
	i := slices.IndexFunc(v.candidate.Components, func(c Component) bool { return !v.up(v.candidate, c) })
	return "Unavailable", fmt.Sprintf("unavailable for %s at %d %%: %s", v.patience(v.candidate.Components[i]), v.weight(), v.shortage(v.candidate)), true
}

// failureEnd is when a candidate with weight fails: one of its components is
// unavailable for too long. Zero while it is available. A Retry may begin with
// weight, and what was before it does not count.
func (v view) failureEnd() time.Time {
	if v.weight() == 0 {
		return time.Time{}
	}
	var first time.Time
	for _, c := range v.candidate.Components {
		if v.up(v.candidate, c) || c.AvailableChange.IsZero() {
			continue
		}
		end := later(c.AvailableChange, v.state.Candidate.StartTime.Time).Add(v.patience(c))
		if first.IsZero() || end.Before(first) {
			first = end
		}
	}
	return first
}

// patience is how long a component of a candidate with weight may be unavailable. What
// runs at full weight alone is only starting when that is confirmed.
func (v view) patience(c Component) time.Duration {
	starts := atFullWeight(v.candidate.specOf(c.Name)) && c.AvailableChange.Sub(v.verifiedTime()) < v.Track.failure()
	if starts {
		return max(v.Track.failure(), v.Track.progressDeadline())
	}
	return v.Track.failure()
}

// shortage says which component is not available, in the pods' own words.
func (v view) shortage(r *Release) string {
	for _, c := range r.Components {
		if c.Deployment != Ours || !v.up(r, c) {
			return podsMessage(c, v.least(r, c.Name))
		}
	}
	return "its endpoints are not ready"
}

// short: it lacks a pod for as long as pods may take to come up.
func short(v view) (string, string, bool) {
	end := v.shortEnd()
	if end.IsZero() || v.Now.Before(end) {
		return "", "", false
	}
	return "PodsNotAvailable", fmt.Sprintf("not whole for %s at %d %%: %s", v.Track.progressDeadline(), v.weight(), v.lack()), true
}

// shortEnd is when a candidate fails that is available, but lacks a pod all the
// time, and so can neither rise nor be promoted; zero while it is whole. It counts
// from the loss, and so also where people have taken their time before.
func (v view) shortEnd() time.Time {
	since := v.shortSince()
	if since.IsZero() || v.weight() == 0 && !v.available(v.candidate) {
		return time.Time{}
	}
	return later(since, v.state.Candidate.StartTime.Time).Add(v.Track.progressDeadline())
}

// shortSince is since when the candidate has lacked a pod; zero while it is whole.
func (v view) shortSince() time.Time {
	var since time.Time
	for _, c := range v.candidate.Components {
		if v.lacking(c) && (since.IsZero() || c.ShortSince.Before(since)) {
			since = c.ShortSince
		}
	}
	return since
}

// lacking says whether a component of the candidate has fewer pods than it needs. More
// are its autoscaler's wish.
func (v view) lacking(c Component) bool {
	return !c.ShortSince.IsZero() && c.AvailableReplicas < v.least(v.candidate, c.Name)
}

// lack says which component lacks a pod, in the pods' own words.
func (v view) lack() string {
	c := v.candidate.Components[slices.IndexFunc(v.candidate.Components, v.lacking)]
	return podsMessage(c, v.least(v.candidate, c.Name))
}

func notProvisioned(v view) (string, string, bool) {
	end := v.deadline()
	if end.IsZero() || v.Now.Before(end) {
		return "", "", false
	}
	first := v.firstGate()
	return first.Reason, fmt.Sprintf("not ready within %s: %s", v.Track.progressDeadline(), first.Message), true
}

// deadline is when a candidate without weight fails that waits for the cluster;
// zero while it waits for something else: a test that runs has a deadline of its
// own, people may take their time as long as the pods are there, get their readiness gates and run what was sealed, and a registry that
// is down speaks for and against nothing: what comes after the seal counts from it. With weight, it
// is how long the candidate may be unavailable that counts; but one that took the
// place of a deleted release has weight before it is sealed.
func (v view) deadline() time.Time {
	first := v.firstGate()
	if first == nil || !slices.Contains(machineGates, first.Gate) {
		return time.Time{}
	}
	// What can be sealed is sealed at once, however long nobody knew that it can.
	if o := v.candidate.Obstacle; v.candidate.Sealed == nil && (o == nil || o.Unknown) {
		return time.Time{}
	}
	if v.weight() > 0 && v.candidate.Sealed != nil || first.Gate == "BeforePodsPassed" && first.Reason == "TestRunning" {
		return time.Time{}
	}
	if first.Gate != "TargetsChecked" && (v.nextStep().approval > 0 || v.paused()) && v.available(v.candidate) && v.candidate.distrust(false) == "" {
		return time.Time{}
	}
	since := later(later(v.state.Candidate.StartTime.Time, v.candidate.availabilityChange()), v.shortSince())
	since = later(later(since, v.requiredTime()), v.turnTime())
	if v.candidate.Sealed != nil {
		since = later(since, v.candidate.Sealed.Time)
	}
	for _, t := range v.state.Tests {
		since = later(since, t.StartTime.Time)
		if t.CompletionTime != nil {
			since = later(since, t.CompletionTime.Time)
		}
	}
	return since.Add(v.Track.progressDeadline())
}

func notVerified(v view) (string, string, bool) {
	end := v.verifyDeadline()
	if end.IsZero() || v.Now.Before(end) {
		return "", "", false
	}
	reason, message, ok := v.carried()
	if ok {
		return "", "", false
	}
	return reason, fmt.Sprintf("%d %% not confirmed within %s: %s", v.weight(), v.Track.progressDeadline(), message), true
}

// verifyDeadline is when a weight that no router confirms is a failure; zero while
// all are confirmed.
func (v view) verifyDeadline() time.Time {
	if v.weight() == 0 || !v.unverified() {
		return time.Time{}
	}
	return later(v.setTime(), v.state.Candidate.StartTime.Time).Add(v.Track.progressDeadline())
}

func notTested(v view) (string, string, bool) {
	end := v.startDeadline()
	if end.IsZero() || v.Now.Before(end) {
		return "", "", false
	}
	first := v.firstGate()
	return first.Reason, fmt.Sprintf("a test at %d %% has not started within %s: %s", v.weight(), v.Track.progressDeadline(), first.Message), true
}

// startDeadline is when a candidate with confirmed weight fails one of whose tests
// could not even be started; zero while there is none. A test that has started has
// a deadline of its own.
func (v view) startDeadline() time.Time {
	confirmed := v.verifiedTime()
	if v.weight() == 0 || confirmed.IsZero() || v.firstGate() == nil {
		return time.Time{}
	}
	if !slices.ContainsFunc(v.dueTests(), func(t dueTest) bool { return v.result(t) == nil }) {
		return time.Time{}
	}
	since := later(later(confirmed, v.state.Candidate.StartTime.Time), v.candidate.availabilityChange())
	return since.Add(v.Track.progressDeadline())
}
