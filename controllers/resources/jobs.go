package resources

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// ObserveJob reads a live test Job, and the pods that it controls, into a fact
// for the decision. The name of the test, the attempt and the weight come from
// our own labels; an object without them reads as test "", attempt 0.
func ObserveJob(job *batchv1.Job, pods []*corev1.Pod, presence rollout.Presence) rollout.Job {
	observed := rollout.Job{
		Name:         job.Name,
		UID:          job.UID,
		Test:         job.Labels[v1alpha1.LabelTest],
		Presence:     presence,
		CreationTime: job.CreationTimestamp.Time,
		Message:      JobMessage(job, pods),
	}
	if attempt, err := strconv.ParseInt(job.Labels[v1alpha1.LabelAttempt], 10, 32); err == nil {
		observed.Attempt = int32(attempt)
	}
	if weight, err := strconv.ParseInt(job.Annotations[v1alpha1.AnnotationWeight], 10, 32); err == nil {
		percent := int32(weight)
		observed.WeightPercent = &percent
	}
	observed.Succeeded, observed.Failed, observed.Finished = outcome(job)
	return observed
}

// outcome reads the terminal condition of a Job. A Job that says both failed.
func outcome(job *batchv1.Job) (succeeded, failed bool, finished time.Time) {
	if c := jobCondition(job, batchv1.JobFailed); c != nil {
		return false, true, c.LastTransitionTime.Time
	}
	if c := jobCondition(job, batchv1.JobComplete); c != nil {
		return true, false, c.LastTransitionTime.Time
	}
	return false, false, time.Time{}
}

// JobMessage says why a test Job failed, or what keeps it from getting on: the
// ending of its newest pod and what that said last; "" for a Job that succeeded
// or simply runs. Log lines are in it only where the author's template says
// terminationMessagePolicy: FallbackToLogsOnError. At most 1 KiB.
func JobMessage(job *batchv1.Job, pods []*corev1.Pod) string {
	failed := jobCondition(job, batchv1.JobFailed)
	if failed == nil {
		if jobCondition(job, batchv1.JobComplete) != nil {
			return ""
		}
		return unlessStarting(pods)
	}
	message := failed.Reason
	if failed.Reason == batchv1.JobReasonDeadlineExceeded && job.Spec.ActiveDeadlineSeconds != nil {
		message += ": did not end within " + strconv.FormatInt(*job.Spec.ActiveDeadlineSeconds, 10) + " s"
	}
	if ended := lastEnding(pods); ended != "" {
		message += ": " + ended
	} else if stuck := unlessStarting(pods); stuck != "" {
		message += ": " + stuck
	} else if failed.Reason != batchv1.JobReasonDeadlineExceeded {
		message += ": " + failed.Message
	}
	return Bound(message, maxMessageBytes)
}

// unlessStarting is the pods' trouble but for what every pod goes through: a Job's
// pod that runs is not ready, and need not be. Pods that are being deleted count:
// a Job deletes them at its deadline, and they alone tell why it got there.
func unlessStarting(pods []*corev1.Pod) string {
	var stuck []*corev1.Pod
	for _, pod := range pods {
		if t, found := troubleOf(pod); found && t.rank < rankProbe {
			counted := *pod
			counted.DeletionTimestamp = nil
			stuck = append(stuck, &counted)
		}
	}
	return Trouble(stuck)
}

// lastEnding describes the container that failed in the newest pod that has one.
func lastEnding(pods []*corev1.Pod) string {
	newest := slices.Clone(pods)
	slices.SortStableFunc(newest, func(a, b *corev1.Pod) int {
		return cmp.Or(b.CreationTimestamp.Compare(a.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name))
	})
	for i := range newest {
		statuses := slices.Concat(newest[i].Status.InitContainerStatuses, newest[i].Status.ContainerStatuses)
		for j := range statuses {
			ended := cmp.Or(statuses[j].State.Terminated, statuses[j].LastTerminationState.Terminated)
			if ended != nil && ended.ExitCode != 0 {
				return "container " + statuses[j].Name + " " + ending(ended)
			}
		}
	}
	return ""
}

func jobCondition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		c := &job.Status.Conditions[i]
		if c.Type == kind && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}
