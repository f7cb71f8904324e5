package simulation

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// playJob starts the pod of a Job, and ends both as the script says.
func (w *World) playJob(name string) {
	j := on[batchv1.Job](&w.store, jobs, name)
	if j == nil || len(j.Status.Conditions) > 0 || w.orphaned(j) {
		return
	}
	s := w.script(j.Labels[v1alpha1.LabelRelease]).tests[j.Labels[v1alpha1.LabelTest]]
	end := j.CreationTimestamp.Add(s.after)
	if s.hangs {
		end = w.Now.Add(time.Hour)
		if limit := j.Spec.ActiveDeadlineSeconds; limit != nil {
			end = j.CreationTimestamp.Add(time.Duration(*limit) * time.Second)
		}
	}
	made := w.podsOf(j.UID)
	if len(made) == 0 {
		w.pods++
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprintf("%s-%04d", name, w.pods), Labels: j.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(j, batchv1.SchemeGroupVersion.WithKind("Job"))},
		}}
		w.mustCreate(pod)
	}
	if w.Now.Before(end) {
		w.do(job, name, end)
		return
	}
	reported := j.DeepCopy()
	condition := batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, LastTransitionTime: w.now()}
	if s.fails || s.hangs {
		condition.Type, condition.Reason = batchv1.JobFailed, batchv1.JobReasonBackoffLimitExceeded
	}
	if s.hangs {
		condition.Reason = batchv1.JobReasonDeadlineExceeded
	}
	reported.Status.Conditions = []batchv1.JobCondition{condition}
	w.tell("~ Job %s: %s", name, condition.Type)
	w.mustUpdateStatus(reported)
}
