package resources

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

type podOption func(*corev1.Pod)

func pod(options ...podOption) *corev1.Pod {
	p := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
		{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady"},
	}}}
	for _, option := range options {
		option(p)
	}
	return p
}

func container(status corev1.ContainerStatus) podOption {
	return func(p *corev1.Pod) { p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, status) }
}

func waiting(reason, message string) podOption {
	return container(corev1.ContainerStatus{Name: "web", Image: "registry.example.com/web",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}})
}

// crashed is a container between two tries.
func crashed(ended corev1.ContainerStateTerminated) podOption {
	return container(corev1.ContainerStatus{Name: "web", RestartCount: 3,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 20s restarting failed container"}},
		LastTerminationState: corev1.ContainerState{Terminated: &ended}})
}

func terminated(name string, ended corev1.ContainerStateTerminated) podOption {
	return container(corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &ended}})
}

func running(ready bool, started *bool) podOption {
	return container(corev1.ContainerStatus{Name: "web", Ready: ready, Started: started,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}})
}

func unscheduled(message string) podOption {
	return func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
			Reason: corev1.PodReasonUnschedulable, Message: message}}
	}
}

func ready(p *corev1.Pod) {
	p.Status.Conditions[1].Status = corev1.ConditionTrue
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", Ready: true,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
}

func going(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }

func TestTrouble(t *testing.T) {
	const pull = `failed to pull and unpack image "registry.example.com/web": not found`
	tests := []struct {
		name string
		pods []*corev1.Pod
		want string
	}{
		{"no pods", nil, ""},
		{"all ready", []*corev1.Pod{pod(ready), pod(ready)}, ""},
		{"going ones do not count", []*corev1.Pod{pod(going, waiting("ErrImagePull", pull)), pod(ready)}, ""},
		{"image", []*corev1.Pod{pod(ready), pod(waiting("ErrImagePull", pull))},
			"ErrImagePull: container web, image registry.example.com/web: " + pull + " (1 of 2 pods)"},
		{"image, between two tries", []*corev1.Pod{pod(waiting("ImagePullBackOff", `Back-off pulling image "registry.example.com/web": ErrImagePull: `+pull))},
			"ErrImagePull: container web, image registry.example.com/web: " + pull + " (1 of 1 pods)"},
		{"image, kubelet says no more", []*corev1.Pod{pod(waiting("ImagePullBackOff", `Back-off pulling image "registry.example.com/web"`))},
			"ErrImagePull: container web, image registry.example.com/web: the image cannot be pulled (1 of 1 pods)"},
		{"image name", []*corev1.Pod{pod(waiting("InvalidImageName", "couldn't parse it"))},
			"InvalidImageName: container web, image registry.example.com/web: couldn't parse it (1 of 1 pods)"},
		{"config", []*corev1.Pod{pod(waiting("CreateContainerConfigError", `secret "keys" not found`))},
			`CreateContainerConfigError: container web: secret "keys" not found (1 of 1 pods)`},
		{"crash", []*corev1.Pod{pod(crashed(corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error", Message: "no such table\n"})), pod(crashed(corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error", Message: "no such table\n"}))},
			"CrashLoopBackOff: container web exited with 2: no such table (2 of 2 pods)"},
		{"out of memory", []*corev1.Pod{pod(crashed(corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}))},
			"CrashLoopBackOff: container web exited with 137 (OOMKilled) (1 of 1 pods)"},
		{"signal", []*corev1.Pod{pod(crashed(corev1.ContainerStateTerminated{ExitCode: 139, Signal: 11, Reason: "Error"}))},
			"CrashLoopBackOff: container web was ended by signal 11 (1 of 1 pods)"},
		{"ended at once, well", []*corev1.Pod{pod(crashed(corev1.ContainerStateTerminated{ExitCode: 0, Reason: "Completed"}))},
			"CrashLoopBackOff: container web exited with 0 (1 of 1 pods)"},
		{"ended just now", []*corev1.Pod{pod(terminated("web", corev1.ContainerStateTerminated{ExitCode: 1}))},
			"CrashLoopBackOff: container web exited with 1 (1 of 1 pods)"},
		{"init container", []*corev1.Pod{pod(waiting("PodInitializing", ""), func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{
				{Name: "first", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}},
				{Name: "migrate", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: "Error", Message: "locked"}}},
			}
		})}, "CrashLoopBackOff: container migrate exited with 1: locked (1 of 1 pods)"},
		{"unschedulable", []*corev1.Pod{pod(unscheduled("0/3 nodes are available: 3 Insufficient cpu."))},
			"Unschedulable: 0/3 nodes are available: 3 Insufficient cpu. (1 of 1 pods)"},
		{"evicted", []*corev1.Pod{pod(func(p *corev1.Pod) {
			p.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory."}
		})}, "Evicted: The node was low on resource: memory. (1 of 1 pods)"},
		{"readiness", []*corev1.Pod{pod(running(false, ptr.To(true)))},
			"NotReady: container web runs, but its readiness probe does not succeed (1 of 1 pods)"},
		{"startup", []*corev1.Pod{pod(running(false, ptr.To(false)))},
			"NotStarted: container web runs, but its startup probe has not succeeded (1 of 1 pods)"},
		{"readiness gate", []*corev1.Pod{pod(running(true, nil), func(p *corev1.Pod) {
			p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/registered"}}
		})}, "ReadinessGate: condition example.com/registered of the pod is not True (1 of 1 pods)"},
		{"starting", []*corev1.Pod{pod(waiting("ContainerCreating", ""))}, "Starting: its containers are being created (1 of 1 pods)"},
		{"the worst first", []*corev1.Pod{pod(waiting("ContainerCreating", "")), pod(unscheduled("no room")), pod(crashed(corev1.ContainerStateTerminated{ExitCode: 1})), pod(ready)},
			"CrashLoopBackOff: container web exited with 1 (1 of 4 pods)"},
		{"the worst container", []*corev1.Pod{pod(crashed(corev1.ContainerStateTerminated{ExitCode: 1}), waiting("ErrImagePull", pull))},
			"ErrImagePull: container web, image registry.example.com/web: " + pull + " (1 of 1 pods)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := Trouble(test.pods); got != test.want {
				t.Errorf("\ngot  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestMessagesAreBounded(t *testing.T) {
	long := strings.Repeat("ö", 4000)
	ended := corev1.ContainerStateTerminated{ExitCode: 1, Message: long + "the end"}
	failed := &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded"}}}}
	quota := &appsv1.Deployment{Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: long}}}}
	for name, got := range map[string]string{
		"crash":  Trouble([]*corev1.Pod{pod(crashed(ended))}),
		"config": Trouble([]*corev1.Pod{pod(waiting("CreateContainerError", long))}),
		"job":    JobMessage(failed, []*corev1.Pod{pod(terminated("smoke", ended))}),
		"quota":  ReplicaFailure(quota),
	} {
		if len(got) == 0 || len(got) > 1024 || !utf8.ValidString(got) {
			t.Errorf("%s: %d bytes, valid %t", name, len(got), utf8.ValidString(got))
		}
		if name == "job" && !strings.HasSuffix(got, "the end") {
			t.Errorf("the end of a log is what tells: %q", got[len(got)-20:])
		}
	}
}

func TestReplicaFailure(t *testing.T) {
	deployment := &appsv1.Deployment{}
	if got := ReplicaFailure(deployment); got != "" {
		t.Errorf("failure %q of a Deployment without any", got)
	}
	deployment.Status.Conditions = []appsv1.DeploymentCondition{
		{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionFalse},
		{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate",
			Message: `pods "shop-1-4-2-web-5d8f-x7k2p" is forbidden: exceeded quota: small`},
	}
	if got, want := ReplicaFailure(deployment), "FailedCreate: pods are forbidden: exceeded quota: small"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestObserveJob(t *testing.T) {
	created, ended := metav1.NewTime(time.Unix(100, 0)), metav1.NewTime(time.Unix(160, 0))
	condition := func(kind batchv1.JobConditionType, reason string) batchv1.JobCondition {
		return batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue, Reason: reason, Message: "Job has failed", LastTransitionTime: ended}
	}
	older := pod(terminated("smoke", corev1.ContainerStateTerminated{ExitCode: 3, Message: "first try"}))
	older.CreationTimestamp = created
	newer := pod(terminated("proxy", corev1.ContainerStateTerminated{}), terminated("smoke", corev1.ContainerStateTerminated{ExitCode: 4, Message: "second try"}))
	newer.CreationTimestamp = metav1.NewTime(created.Add(time.Second))
	leaving := pod(unscheduled("no room"))
	leaving.DeletionTimestamp = &ended
	tests := []struct {
		name       string
		conditions []batchv1.JobCondition
		pods       []*corev1.Pod
		want       rollout.Job
	}{
		{"runs", nil, []*corev1.Pod{pod(running(false, nil))}, rollout.Job{}},
		{"no pod yet", nil, nil, rollout.Job{}},
		{"starts", nil, []*corev1.Pod{pod(waiting("ContainerCreating", ""))}, rollout.Job{}},
		{"is stuck", nil, []*corev1.Pod{pod(unscheduled("no room"))}, rollout.Job{Message: "Unschedulable: no room (1 of 1 pods)"}},
		{"is stuck, and ends at its deadline", nil, []*corev1.Pod{leaving}, rollout.Job{Message: "Unschedulable: no room (1 of 1 pods)"}},
		{"passed", []batchv1.JobCondition{condition(batchv1.JobSuccessCriteriaMet, ""), condition(batchv1.JobComplete, "")},
			[]*corev1.Pod{older}, rollout.Job{Succeeded: true, Finished: ended.Time}},
		{"failed", []batchv1.JobCondition{condition(batchv1.JobFailed, "BackoffLimitExceeded")}, []*corev1.Pod{older, newer},
			rollout.Job{Failed: true, Finished: ended.Time, Message: "BackoffLimitExceeded: container smoke exited with 4: second try"}},
		{"failed, pods gone", []batchv1.JobCondition{condition(batchv1.JobFailed, "BackoffLimitExceeded")}, nil,
			rollout.Job{Failed: true, Finished: ended.Time, Message: "BackoffLimitExceeded: Job has failed"}},
		{"timed out, stuck", []batchv1.JobCondition{condition(batchv1.JobFailed, "DeadlineExceeded")}, []*corev1.Pod{pod(unscheduled("no room"))},
			rollout.Job{Failed: true, Finished: ended.Time, Message: "DeadlineExceeded: did not end within 300 s: Unschedulable: no room (1 of 1 pods)"}},
		{"timed out, pods gone", []batchv1.JobCondition{condition(batchv1.JobFailed, "DeadlineExceeded")}, nil,
			rollout.Job{Failed: true, Finished: ended.Time, Message: "DeadlineExceeded: did not end within 300 s"}},
		{"says both", []batchv1.JobCondition{condition(batchv1.JobComplete, ""), condition(batchv1.JobFailed, "PodFailurePolicy")}, nil,
			rollout.Job{Failed: true, Finished: ended.Time, Message: "PodFailurePolicy: Job has failed"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			job := &batchv1.Job{
				ObjectMeta: metav1.ObjectMeta{Name: "j", UID: "u", CreationTimestamp: created,
					Labels:      map[string]string{v1alpha1.LabelTest: "smoke", v1alpha1.LabelAttempt: "2"},
					Annotations: map[string]string{v1alpha1.AnnotationWeight: "50"}},
				Spec:   batchv1.JobSpec{ActiveDeadlineSeconds: ptr.To[int64](300)},
				Status: batchv1.JobStatus{Conditions: test.conditions},
			}
			want := test.want
			want.Name, want.UID, want.Test, want.Attempt = "j", "u", "smoke", 2
			want.WeightPercent, want.Presence, want.CreationTime = ptr.To[int32](50), rollout.Ours, created.Time
			if diff := cmp.Diff(want, ObserveJob(job, test.pods, rollout.Ours)); diff != "" {
				t.Errorf("job (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObserveJobWithoutOurLabels(t *testing.T) {
	got := ObserveJob(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelAttempt: "x"}}}, nil, rollout.Foreign)
	if diff := cmp.Diff(rollout.Job{Presence: rollout.Foreign}, got); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
}

func TestShortSince(t *testing.T) {
	at := func(second int) metav1.Time { return metav1.NewTime(time.Date(2026, 3, 1, 9, 0, second, 0, time.UTC)) }
	pod := func(created, changed int, ready corev1.ConditionStatus, changes ...func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(created)}}
		if ready != "" {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: at(changed)}}
		}
		for _, change := range changes {
			change(p)
		}
		return p
	}
	leaving := func(p *corev1.Pod) { p.DeletionTimestamp = new(metav1.Time) }
	ended := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	refused := appsv1.DeploymentCondition{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, LastTransitionTime: at(20)}
	for name, c := range map[string]struct {
		conditions []appsv1.DeploymentCondition
		pods       []*corev1.Pod
		want       time.Time
	}{
		"all ready":            {pods: []*corev1.Pod{pod(1, 5, corev1.ConditionTrue)}},
		"one stopped":          {pods: []*corev1.Pod{pod(1, 5, corev1.ConditionTrue), pod(1, 30, corev1.ConditionFalse)}, want: at(30).Time},
		"the oldest of two":    {pods: []*corev1.Pod{pod(1, 40, corev1.ConditionFalse), pod(1, 30, corev1.ConditionFalse)}, want: at(30).Time},
		"one is new":           {pods: []*corev1.Pod{pod(25, 0, "")}, want: at(25).Time},
		"others are replaced":  {pods: []*corev1.Pod{pod(1, 2, corev1.ConditionFalse, leaving), pod(1, 3, corev1.ConditionFalse, ended), pod(7, 0, "")}, want: at(7).Time},
		"one is never created": {conditions: []appsv1.DeploymentCondition{refused}, pods: []*corev1.Pod{pod(1, 5, corev1.ConditionTrue)}, want: at(20).Time},
	} {
		t.Run(name, func(t *testing.T) {
			deployment := &appsv1.Deployment{Status: appsv1.DeploymentStatus{Conditions: c.conditions}}
			if got := ShortSince(deployment, c.pods); !got.Equal(c.want) {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}
