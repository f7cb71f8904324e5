package cluster

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// job runs one pod, and ends as the story says.
func (s *stage) job(ctx context.Context, key types.NamespacedName) (reconcile.Result, error) {
	pods, err := s.podsOf(ctx, key, "Job")
	if err != nil {
		return reconcile.Result{}, err
	}
	job := &batchv1.Job{}
	switch err := s.Get(ctx, key, job); {
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, s.end(ctx, pods)
	case err != nil:
		return reconcile.Result{}, err
	}
	if job.Status.CompletionTime != nil || hasJobCondition(job, batchv1.JobFailed) {
		return reconcile.Result{}, nil
	}
	if len(pods) == 0 {
		refused, err := s.refusePods(ctx, job, job.Spec.Template.Spec.ServiceAccountName)
		if err != nil {
			return reconcile.Result{}, err
		}
		if refused != "" {
			return reconcile.Result{RequeueAfter: time.Second}, s.tellFailedCreate(ctx, job, refused)
		}
		pod := newPod(job, job.Name, &job.Spec.Template, "Job")
		return reconcile.Result{RequeueAfter: again}, s.Create(ctx, pod)
	}
	if job.Status.StartTime == nil {
		job.Status.StartTime, job.Status.Active, job.Status.Ready = ptr.To(metav1.Now()), 1, ptr.To[int32](0)
		return reconcile.Result{RequeueAfter: again}, s.Status().Update(ctx, job)
	}
	play := s.behaviours.of(key.Namespace).tests(job)
	if play.Hangs {
		return reconcile.Result{}, nil
	}
	if err := s.finishPod(ctx, &pods[0], play); err != nil {
		return reconcile.Result{}, err
	}
	finish(job, play)
	return reconcile.Result{}, s.Status().Update(ctx, job)
}

func (s *stage) finishPod(ctx context.Context, pod *corev1.Pod, play Test) error {
	ended, code := corev1.PodSucceeded, int32(0)
	if play.Fails {
		ended, code = corev1.PodFailed, 1
	}
	if pod.Status.Phase == ended {
		return nil
	}
	pod.Status.Phase = ended
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: pod.Spec.Containers[0].Name, Image: pod.Spec.Containers[0].Image, ImageID: pod.Spec.Containers[0].Image,
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error", Message: play.Says}},
	}}
	return s.Status().Update(ctx, pod)
}

// tellFailedCreate tells why the pod of a Job cannot be created, once: the Job's
// status does not.
func (s *stage) tellFailedCreate(ctx context.Context, job *batchv1.Job, refused string) error {
	now := metav1.Now()
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: job.Namespace, Name: job.Name + ".refused"},
		InvolvedObject: corev1.ObjectReference{APIVersion: "batch/v1", Kind: "Job", Namespace: job.Namespace, Name: job.Name, UID: job.UID},
		Type:           corev1.EventTypeWarning, Reason: "FailedCreate", Message: "Error creating: " + refused,
		Source: corev1.EventSource{Component: "job-controller"}, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}
	if err := s.Create(ctx, event); !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

// finish writes what the Job controller does: the decision, then the end, both in
// one status.
func finish(job *batchv1.Job, play Test) {
	now := metav1.Now()
	set := func(kind batchv1.JobConditionType, reason string) {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
			Type: kind, Status: corev1.ConditionTrue, Reason: reason, LastTransitionTime: now, LastProbeTime: now,
		})
	}
	job.Status.Active = 0
	if play.Fails {
		job.Status.Failed = 1
		set(batchv1.JobFailureTarget, batchv1.JobReasonBackoffLimitExceeded)
		set(batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded)
		return
	}
	job.Status.Succeeded, job.Status.CompletionTime = 1, &now
	set(batchv1.JobSuccessCriteriaMet, batchv1.JobReasonCompletionsReached)
	set(batchv1.JobComplete, batchv1.JobReasonCompletionsReached)
}

func hasJobCondition(job *batchv1.Job, kind batchv1.JobConditionType) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == kind && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
