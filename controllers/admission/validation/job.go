package validation

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// validateTest checks what becomes a Job, whose one success is a gate.
func validateTest(test *v1alpha1.ReleaseTest, path *field.Path) field.ErrorList {
	job, at := &test.Template.Spec, path.Child("template", "spec")
	errs := reservedTemplateMetadata(&test.Template.ObjectMeta, path.Child("template", "metadata"))
	forbid := func(set bool, name, why string) {
		if set {
			errs = append(errs, field.Forbidden(at.Child(name), why+"; leave it out"))
		}
	}
	forbid(job.Suspend != nil, "suspend", "the rollout decides when a test runs")
	forbid(job.ManagedBy != nil, "managedBy", "the result of a test counts only from the Job controller of the cluster")
	forbid(job.TTLSecondsAfterFinished != nil, "ttlSecondsAfterFinished", "the Job must stay until its result is recorded, and is deleted after that")
	forbid(job.Selector != nil, "selector", "the Job controller makes the selector")
	forbid(job.ManualSelector != nil, "manualSelector", "the Job controller makes the selector")
	one := func(value *int32, name string) {
		if value != nil && *value != 1 {
			errs = append(errs, field.Invalid(at.Child(name), *value, "a test is one pod that must succeed: leave it out, or set 1"))
		}
	}
	one(job.Parallelism, "parallelism")
	one(job.Completions, "completions")

	pod := &job.Template.Spec
	errs = append(errs, validateTemplate(&job.Template, at.Child("template"))...)
	if pod.RestartPolicy != corev1.RestartPolicyNever && pod.RestartPolicy != corev1.RestartPolicyOnFailure {
		errs = append(errs, field.NotSupported(at.Child("template", "spec", "restartPolicy"), pod.RestartPolicy,
			[]corev1.RestartPolicy{corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure}))
	}
	return errs
}
