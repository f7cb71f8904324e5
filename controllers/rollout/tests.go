package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// dueTest is a run of a test that must have passed before the next step: once for
// each weight for EveryStep, once for all others.
type dueTest struct {
	name       string
	weight     *int32
	deadline   time.Duration
	beforePods bool
}

func (t dueTest) at() string {
	if t.weight == nil {
		return ""
	}
	return fmt.Sprintf(" at %d %%", *t.weight)
}

// dueTests of the candidate at its present weight. A trusted release needs none.
func (v view) dueTests() []dueTest {
	if v.trusted(v.candidate) {
		return nil
	}
	weight := v.weight()
	var due, last []dueTest
	for _, t := range v.candidate.Spec.Tests {
		run := dueTest{name: t.Name, deadline: seconds(t.DeadlineSeconds, DefaultTestDeadline), beforePods: t.When == v1alpha1.BeforePods}
		switch {
		case t.When == v1alpha1.AfterPromotion:
			last = append(last, run)
			continue
		case t.When == v1alpha1.EveryStep && weight == 0:
			continue
		case t.When == v1alpha1.EveryStep:
			step := weight
			run.weight = &step
		}
		due = append(due, run)
	}
	if weight < 100 {
		return due
	}
	return append(due, last...)
}

// unpassed says whether a run has no result yet, or another one than a pass.
func (v view) unpassed(t dueTest) bool {
	result := v.result(t)
	return result == nil || result.Outcome != v1alpha1.TestPassed
}

// migrated says whether the candidate may have pods: no test before them is left.
func (v view) migrated() bool {
	return !slices.ContainsFunc(v.dueTests(), func(t dueTest) bool { return t.beforePods && v.unpassed(t) })
}

// result of a run in the open attempt; nil before it started.
func (v view) result(t dueTest) *v1alpha1.TestResult {
	for i := range v.state.Tests {
		r := &v.state.Tests[i]
		if r.Name == t.name && sameWeight(r.WeightPercent, t.weight) {
			return r
		}
	}
	return nil
}

// job of a run in the open attempt; nil when there is none.
func (v view) job(t dueTest) *Job {
	for i := range v.candidate.Jobs {
		j := &v.candidate.Jobs[i]
		if j.Test == t.name && j.Attempt == v.state.Candidate.Attempt && sameWeight(j.WeightPercent, t.weight) {
			return j
		}
	}
	return nil
}

func sameWeight(a, b *int32) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func (v view) runningMessage(t dueTest, result v1alpha1.TestResult) string {
	message := fmt.Sprintf("test %s%s runs as Job %s", t.name, t.at(), result.JobName)
	if j := v.job(t); j != nil && j.Message != "" {
		message += ": " + j.Message
	}
	return message
}

// startTest records the Job of a due test once it is there: from then on only
// the result of this Job, by its UID, counts.
func (v view) startTest() *Entry {
	if v.candidate == nil {
		return nil
	}
	for _, t := range v.dueTests() {
		j := v.job(t)
		if v.result(t) != nil || j == nil || j.Presence != Ours {
			continue
		}
		e := v.about(v.candidate, v1alpha1.EventTestStarted, "JobCreated", fmt.Sprintf("test %s%s runs as Job %s", t.name, t.at(), j.Name))
		result := v1alpha1.TestResult{
			Name: t.name, WeightPercent: t.weight, JobName: j.Name, JobUID: j.UID,
			Outcome: v1alpha1.TestRunning, StartTime: microTime(j.CreationTime),
		}
		e.State.Tests = append(e.State.Tests, result)
		e.Release.Test = &result
		return e
	}
	return nil
}

// finishTest records what came of a running test. A Job that is gone, or was
// replaced, or is over its deadline, did not pass.
func (v view) finishTest() *Entry {
	if v.candidate == nil {
		return nil
	}
	for _, t := range v.dueTests() {
		result := v.result(t)
		if result == nil || result.Outcome != v1alpha1.TestRunning {
			continue
		}
		outcome, reason, message := v.outcome(t, *result)
		if outcome == v1alpha1.TestRunning {
			continue
		}
		return v.recordOutcome(t, outcome, reason, message)
	}
	return nil
}

func (v view) outcome(t dueTest, result v1alpha1.TestResult) (outcome v1alpha1.TestOutcome, reason, message string) {
	j := v.job(t)
	switch {
	case j == nil:
		return v1alpha1.TestFailed, "JobVanished", "Job " + result.JobName + " was deleted before it finished"
	case j.UID != result.JobUID || j.Presence != Ours:
		return v1alpha1.TestFailed, "JobReplaced", "Job " + result.JobName + " is not the one that was started"
	case j.Failed:
		return v1alpha1.TestFailed, "JobFailed", orElse(j.Message, "Job "+j.Name+" failed")
	case j.Succeeded:
		return v1alpha1.TestPassed, "JobSucceeded", ""
	case !v.Now.Before(result.StartTime.Add(t.deadline)):
		message := fmt.Sprintf("not finished within %s", t.deadline)
		if j.Message != "" {
			message += ": " + j.Message
		}
		return v1alpha1.TestFailed, "DeadlineExceeded", message
	}
	return v1alpha1.TestRunning, "", ""
}

func (v view) recordOutcome(t dueTest, outcome v1alpha1.TestOutcome, reason, message string) *Entry {
	text := fmt.Sprintf("test %s%s passed", t.name, t.at())
	if outcome == v1alpha1.TestFailed {
		text = fmt.Sprintf("test %s%s failed: %s", t.name, t.at(), message)
	}
	e := v.about(v.candidate, v1alpha1.EventTestFinished, reason, text)
	e.Confirm = outcome == v1alpha1.TestFailed
	for i := range e.State.Tests {
		result := &e.State.Tests[i]
		if result.Name != t.name || !sameWeight(result.WeightPercent, t.weight) {
			continue
		}
		finished := v.now()
		if j := v.job(t); j != nil && !j.Finished.IsZero() {
			finished = microTime(j.Finished)
		}
		result.Outcome, result.Message, result.CompletionTime = outcome, message, &finished
		e.Release.Test = result.DeepCopy()
	}
	return e
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
