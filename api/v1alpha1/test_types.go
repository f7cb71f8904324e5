package v1alpha1

import batchv1 "k8s.io/api/batch/v1"

// TestPhase says when a test runs.
//
// +kubebuilder:validation:Enum=BeforePods;BeforeTraffic;EveryStep;AfterPromotion
type TestPhase string

const (
	// BeforePods tests run before the release has pods: migrations.
	BeforePods TestPhase = "BeforePods"
	// BeforeTraffic tests run against the pods of the release, at weight 0.
	BeforeTraffic TestPhase = "BeforeTraffic"
	// EveryStep tests run at each step of the rollout, before the next.
	EveryStep TestPhase = "EveryStep"
	// AfterPromotion tests run at 100 percent, while the release bakes, and must pass
	// before it is promoted.
	AfterPromotion TestPhase = "AfterPromotion"
)

// ReleaseTest is a Job whose success is a gate of the rollout.
type ReleaseTest struct {
	// name of the test, unique in the release. Its Job is called
	// <release>-<name>-<attempt>, and -<weight> after that for an EveryStep test; a
	// name that would be longer than 63 characters is cut and ends in a hash. 1 to 40
	// letters, digits and hyphens, in lower case; the first is a letter.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// when the test runs: BeforePods (migrations: the release is sealed and has no
	// pods), BeforeTraffic (the pods are ready and have no traffic), EveryStep (at each
	// weight, before the next), or AfterPromotion (at 100 percent, while the release
	// bakes: a failure takes the traffic back). Those of one kind run side by side. On
	// a track without routes a release is at 100 percent once its workers take over. A
	// release that was promoted before, and not rolled back since, is not tested again.
	//
	// A test may run more than once, and may be stopped half-way: each attempt of a
	// release runs all of them anew, after a crash of the operator one may run a second
	// time in an attempt, and its Job ends at its deadline, or with the attempt. Tests,
	// migrations above all, must bear that; a migration must also suit the release that
	// serves meanwhile, and, in a Retry, pods that are there from the attempt before.
	//
	// +required
	When TestPhase `json:"when"`

	// template of the Job, as in a CronJob ("kubectl explain
	// cronjob.spec.jobTemplate"), but: a test is one pod that succeeds. Every image is
	// given by digest; restartPolicy is Never or OnFailure; parallelism and
	// completions, if set, are 1, and completionMode NonIndexed. What indexes pods,
	// suspend, managedBy, ttlSecondsAfterFinished, selector and manualSelector are not
	// available, nor are ephemeral containers and metadata other than labels and
	// annotations.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="has(self.spec)",message="a Job template needs a spec"
	Template batchv1.JobTemplateSpec `json:"template"`

	// deadlineSeconds is how long the test may take, counted from the creation of its
	// Job, in seconds: 1 to 86400. Unset: 600. A test that takes longer has failed.
	//
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=86400
	DeadlineSeconds *int32 `json:"deadlineSeconds,omitempty"`
}

// TestOutcome is how a test of an attempt stands.
//
// +kubebuilder:validation:Enum=Running;Passed;Failed
type TestOutcome string

const (
	TestRunning TestOutcome = "Running"
	TestPassed  TestOutcome = "Passed"
	TestFailed  TestOutcome = "Failed"
)
