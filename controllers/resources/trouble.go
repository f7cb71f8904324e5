package resources

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// maxMessageBytes bounds what pods say of themselves, in conditions and records.
const maxMessageBytes = 1024

// trouble is one pod's reason for not being ready. Low ranks are worse: they do
// not pass by themselves.
type trouble struct {
	rank   int
	reason string
	text   string
}

const (
	rankImage = iota
	rankConfig
	rankCrash
	rankEvicted
	rankUnschedulable
	rankProbe
	rankGate
	rankStarting
)

// Trouble says why pods are not ready, in the pods' own words: the worst reason
// that any of them has, and how many have it, as "Reason: message (2 of 3 pods)".
// It is "" when every pod is ready, or there are none. What varies from one look
// to the next without anything having changed (back-off times, pods' names) is
// left out. At most 1 KiB.
func Trouble(pods []*corev1.Pod) string {
	var all []trouble
	total := 0
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			continue
		}
		total++
		if t, found := troubleOf(pod); found {
			all = append(all, t)
		}
	}
	if len(all) == 0 {
		return ""
	}
	slices.SortFunc(all, func(a, b trouble) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.reason, b.reason), cmp.Compare(a.text, b.text))
	})
	worst, count := all[0], 0
	for _, t := range all {
		if t.rank == worst.rank && t.reason == worst.reason {
			count++
		}
	}
	where := fmt.Sprintf(" (%d of %d pods)", count, total)
	return Bound(worst.reason+": "+worst.text, maxMessageBytes-len(where)) + where
}

// ReplicaFailure says why a Deployment's pods cannot even be created (a quota, a
// missing ServiceAccount, an admission policy); "" when they can.
func ReplicaFailure(deployment *appsv1.Deployment) string {
	for i := range deployment.Status.Conditions {
		condition := &deployment.Status.Conditions[i]
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			return Bound(condition.Reason+": "+withoutPodName(condition.Message), maxMessageBytes)
		}
	}
	return ""
}

// FailedCreate is what an event tells of why a pod could not be created, without
// what every try makes up anew; "" for none.
func FailedCreate(note string) string {
	note = strings.TrimPrefix(note, "Error creating: ")
	if note == "" {
		return ""
	}
	return Bound("FailedCreate: "+withoutPodName(note), maxMessageBytes)
}

// ShortSince is since when a Deployment has lacked a pod: the oldest of its pods
// that are not ready, or the time at which one could not be created; zero where
// nothing tells. Pods that are leaving, or have ended, are replaced and do not count.
func ShortSince(deployment *appsv1.Deployment, pods []*corev1.Pod) time.Time {
	var since time.Time
	earlier := func(t time.Time) {
		if since.IsZero() || t.Before(since) {
			since = t
		}
	}
	for i := range deployment.Status.Conditions {
		c := &deployment.Status.Conditions[i]
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			earlier(c.LastTransitionTime.Time)
		}
	}
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
			continue
		}
		switch ready := condition(pod, corev1.PodReady); {
		case ready == nil:
			earlier(pod.CreationTimestamp.Time)
		case ready.Status != corev1.ConditionTrue:
			earlier(ready.LastTransitionTime.Time)
		}
	}
	return since
}

// troubleOf is the worst that a pod says of itself.
func troubleOf(pod *corev1.Pod) (trouble, bool) {
	if pod.Status.Phase == corev1.PodFailed && pod.Status.Reason != "" {
		return trouble{rankEvicted, pod.Status.Reason, pod.Status.Message}, true
	}
	var found []trouble
	for _, statuses := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range statuses {
			if t, ok := troubleOfContainer(&statuses[i]); ok {
				found = append(found, t)
			}
		}
	}
	if len(found) > 0 {
		return slices.MinFunc(found, func(a, b trouble) int { return cmp.Compare(a.rank, b.rank) }), true
	}
	if scheduled := condition(pod, corev1.PodScheduled); scheduled != nil && scheduled.Status == corev1.ConditionFalse {
		return trouble{rankUnschedulable, cmp.Or(scheduled.Reason, corev1.PodReasonUnschedulable), scheduled.Message}, true
	}
	if ready := condition(pod, corev1.PodReady); ready != nil && ready.Status == corev1.ConditionTrue {
		return trouble{}, false
	}
	return troubleOfReadiness(pod), true
}

// troubleOfContainer is what keeps a container from running; nothing when it
// runs, or has not been tried yet.
func troubleOfContainer(status *corev1.ContainerStatus) (trouble, bool) {
	if waiting := status.State.Waiting; waiting != nil {
		switch waiting.Reason {
		case "ErrImagePull", "ImagePullBackOff":
			return trouble{rankImage, "ErrImagePull", fmt.Sprintf("container %s, image %s: %s",
				status.Name, status.Image, pullError(waiting.Message))}, true
		case "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed":
			return trouble{rankImage, waiting.Reason, fmt.Sprintf("container %s, image %s: %s",
				status.Name, status.Image, waiting.Message)}, true
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreStartHookError", "PostStartHookError":
			return trouble{rankConfig, waiting.Reason, fmt.Sprintf("container %s: %s", status.Name, waiting.Message)}, true
		}
	}
	ended := status.State.Terminated
	if ended == nil && status.State.Running == nil {
		ended = status.LastTerminationState.Terminated
	}
	if ended == nil || ended.ExitCode == 0 && status.RestartCount == 0 {
		return trouble{}, false
	}
	return trouble{rankCrash, "CrashLoopBackOff", fmt.Sprintf("container %s %s", status.Name, ending(ended))}, true
}

// troubleOfReadiness says what a pod whose containers run still waits for.
func troubleOfReadiness(pod *corev1.Pod) trouble {
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		if status.State.Running == nil || status.Ready {
			continue
		}
		if started := status.Started; started != nil && !*started {
			return trouble{rankProbe, "NotStarted", fmt.Sprintf("container %s runs, but its startup probe has not succeeded", status.Name)}
		}
		return trouble{rankProbe, "NotReady", fmt.Sprintf("container %s runs, but its readiness probe does not succeed", status.Name)}
	}
	for _, gate := range pod.Spec.ReadinessGates {
		if c := condition(pod, gate.ConditionType); c == nil || c.Status != corev1.ConditionTrue {
			return trouble{rankGate, "ReadinessGate", fmt.Sprintf("condition %s of the pod is not True", gate.ConditionType)}
		}
	}
	return trouble{rankStarting, "Starting", "its containers are being created"}
}

// ending describes a container that ended, with what it said last: the
// termination message, or the tail of its log where the author asked for that by
// terminationMessagePolicy.
func ending(ended *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("exited with %d", ended.ExitCode)
	if ended.Signal != 0 {
		text = fmt.Sprintf("was ended by signal %d", ended.Signal)
	}
	if ended.Reason != "" && ended.Reason != "Error" && ended.Reason != "Completed" {
		text += " (" + ended.Reason + ")"
	}
	if said := tail(strings.TrimSpace(ended.Message), maxMessageBytes/2); said != "" {
		text += ": " + said
	}
	return text
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

var (
	backOffPrefix = regexp.MustCompile(`^Back-off pulling image "[^"]*"(: )?`)
	podNamePrefix = regexp.MustCompile(`^pods "[^"]*" is `)
)

// pullError is the runtime's own error, which a kubelet between two tries repeats
// behind a prefix.
func pullError(message string) string {
	message = backOffPrefix.ReplaceAllString(message, "")
	return cmp.Or(strings.TrimPrefix(message, "ErrImagePull: "), "the image cannot be pulled")
}

// withoutPodName removes the name that every try makes up anew.
func withoutPodName(message string) string {
	return podNamePrefix.ReplaceAllString(message, "pods are ")
}

// Bound cuts a text to at most n bytes, at a character, and then ends it in "...".
func Bound(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const mark = "..."
	end := n - len(mark)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + mark
}

// tail cuts a text to at most n bytes, at a character, from its end.
func tail(text string, n int) string {
	if len(text) <= n {
		return text
	}
	const mark = "..."
	start := len(text) - n + len(mark)
	for start < len(text) && !utf8.RuneStart(text[start]) {
		start++
	}
	return mark + text[start:]
}
