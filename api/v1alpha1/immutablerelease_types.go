package v1alpha1

import (
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ImmutableRelease is one version of an application: its components, their
// configuration and the tests that they must pass. Nothing of its spec can be
// changed once it exists; a change is a new ImmutableRelease, which is deployed
// beside the old one, tested before it takes any traffic, and given traffic in the
// steps of its ReleaseTrack. Its name has at most 40 characters: a letter, then
// letters, digits and hyphens, in lower case.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=irel,categories=strata
// +kubebuilder:selectablefield:JSONPath=`.spec.trackName`
// +kubebuilder:printcolumn:name="Track",type=string,JSONPath=`.spec.trackName`,description="The track that the release belongs to"
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.spec.version`,description="The version of the application"
// +kubebuilder:printcolumn:name="Weight",type=integer,JSONPath=`.status.weightPercent`,description="Share of the traffic, in percent"
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.readyComponents`,description="Components that are ready, of all"
// +kubebuilder:printcolumn:name="Verdict",type=string,JSONPath=`.status.lastVerdict`,description="How the newest attempt ended"
// +kubebuilder:printcolumn:name="Stage",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`,description="Where the release stands"
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,description="Why it stands there"
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",message="must have at most 40 characters: a letter, then letters, digits and hyphens, in lower case, and no hyphen at the end, as it begins the names of Services and Jobs",messageExpression="self.metadata.name + ': must have at most 40 characters: a letter, then letters, digits and hyphens, in lower case, and no hyphen at the end, as it begins the names of Services and Jobs'",fieldPath=".metadata.name"
type ImmutableRelease struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is the content of this version. It is required, frozen whole at creation,
	// and stored as it was written: nothing in it has a default.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec is immutable: publish a new ImmutableRelease instead"
	Spec ImmutableReleaseSpec `json:"spec"`

	// status is what the operator last saw of the release. Nothing is decided from
	// it: it may be deleted at any time and comes back.
	//
	// +optional
	Status ImmutableReleaseStatus `json:"status,omitempty"`
}

// ImmutableReleaseList is a list of releases.
//
// +kubebuilder:object:root=true
type ImmutableReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []ImmutableRelease `json:"items"`
}

// ImmutableReleaseSpec is the content of a version, frozen whole at creation.
type ImmutableReleaseSpec struct {
	// trackName is the ReleaseTrack, in the same namespace, that this release
	// belongs to. It need not exist yet. 1 to 40 characters, lower case.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	TrackName string `json:"trackName"`

	// version is the version of the application, for example 1.4.2. In its track a
	// version stands for one content for ever. It becomes a label: 1 to 63 letters,
	// digits, '-', '_' and '.', with a letter or digit at both ends.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	Version string `json:"version"`

	// source says where in version control the release comes from. Unset: not known.
	// It is written into the log and compared as content, never fetched.
	//
	// +optional
	Source *ReleaseSource `json:"source,omitempty"`

	// components are the Deployments of the release, 1 to 16, by name. They get
	// traffic together and lose it together.
	//
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(c, self.exists_one(o, o.name == c.name))",message="the names of components must be unique"
	Components []Component `json:"components"`

	// config says which ConfigMaps and Secrets are not simply frozen. Unset: all that
	// the templates name are copied when the release is sealed, and the pods read the
	// copies.
	//
	// +optional
	Config *ReleaseConfig `json:"config,omitempty"`

	// tests are Jobs that must succeed before the release gets traffic, or more of
	// it; 0 to 16, by name. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(t, self.exists_one(o, o.name == t.name))",message="the names of tests must be unique"
	Tests []ReleaseTest `json:"tests,omitempty"`
}

// ReleaseSource says where in version control a release comes from.
type ReleaseSource struct {
	// repository is the address of the repository, for example
	// https://git.example.com/shop. 1 to 1024 characters. Unset: not known.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Repository string `json:"repository,omitempty"`

	// revision is the commit, for example 3b18e51. 1 to 256 characters without
	// white space. Unset: not known.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^[^\s]+$`
	Revision string `json:"revision,omitempty"`

	// buildURL is the page of the build that made the images, http or https. At most
	// 2048 characters. Unset: not known.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s]+$`
	BuildURL string `json:"buildURL,omitempty"`
}

// Activation says when the pods of a component begin to work.
//
// +kubebuilder:validation:Enum=Immediate;AtFullWeight
type Activation string

const (
	// ActivationImmediate starts the pods before the release takes any traffic.
	ActivationImmediate Activation = "Immediate"
	// ActivationAtFullWeight starts the pods when the release is at 100 percent, and
	// stops them when it is not: a worker takes no queue items before.
	ActivationAtFullWeight Activation = "AtFullWeight"
)

// Component is one Deployment of a release, with a Service of its own where it has
// ports.
//
// +kubebuilder:validation:XValidation:rule="!has(self.disruption) || has(self.disruption.maxUnavailable) != has(self.disruption.minAvailable)",message="exactly one of maxUnavailable and minAvailable must be set",fieldPath=".disruption"
type Component struct {
	// name of the component, unique in the release. The Deployment and the Service
	// are called <release>-<name>. 1 to 20 characters: a letter, then letters and
	// digits, in lower case; no hyphen, so that those names are unique.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:Pattern=`^[a-z][a-z0-9]*$`
	Name string `json:"name"`

	// replicas is the number of pods, 1 to 10000; with autoscaling, the number to
	// begin with. A track may override it: capacity is not content.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	Replicas int32 `json:"replicas"`

	// template of the pods, as in a Deployment ("kubectl explain
	// deployment.spec.template"), but: every image is given by digest
	// (registry.example.com/shop/web@sha256:...); restartPolicy, if set, is Always;
	// hostNetwork and hostPort are not available, nor are ephemeral containers,
	// activeDeadlineSeconds, and metadata other than labels and annotations.
	//
	// +required
	// +kubebuilder:validation:XValidation:rule="has(self.spec)",message="a pod template needs a spec"
	Template corev1.PodTemplateSpec `json:"template"`

	// ports of the component's Service, 0 to 16, with unique names. Unset: no
	// Service; the component is a worker.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(o, o.name == p.name))",message="the names of ports must be unique"
	// +kubebuilder:validation:XValidation:rule="self.all(p, self.exists_one(o, o.port == p.port && (has(o.protocol) ? o.protocol : 'TCP') == (has(p.protocol) ? p.protocol : 'TCP')))",message="a port may be given once for each protocol"
	Ports []ComponentPort `json:"ports,omitempty"`

	// activation says when the pods begin to work: Immediate, before the release
	// takes any traffic; AtFullWeight, once it is at 100 percent, and not while it is
	// warm. Unset: Immediate with ports, AtFullWeight without.
	//
	// +optional
	Activation Activation `json:"activation,omitempty"`

	// autoscaling asks for a HorizontalPodAutoscaler. Unset: none; the size is
	// replicas.
	//
	// +optional
	Autoscaling *ComponentAutoscaling `json:"autoscaling,omitempty"`

	// disruption asks for a PodDisruptionBudget. Unset: none.
	//
	// +optional
	Disruption *ComponentDisruption `json:"disruption,omitempty"`
}

// ComponentPort is a port of the component's release Service.
type ComponentPort struct {
	// name of the port, by which routes refer to it. 1 to 15 letters, digits and
	// hyphens, in lower case, with a letter or digit at both ends.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// port of the Service, 1 to 65535.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`

	// targetPort is the port of the pods: a number, 1 to 65535, or the name of a
	// container port (at most 15 characters). Unset: the same number as port.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 1 && self <= 65535 : self.size() <= 15 && self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be a number from 1 to 65535, or the name of a container port",messageExpression="string(self) + ': must be a number from 1 to 65535, or the name of a container port'"
	TargetPort *intstr.IntOrString `json:"targetPort,omitempty"`

	// protocol of the port: TCP, UDP or SCTP. Unset: TCP. Routes need TCP.
	//
	// +optional
	// +kubebuilder:validation:Enum=TCP;UDP;SCTP
	Protocol corev1.Protocol `json:"protocol,omitempty"`

	// appProtocol is a hint for gateways, for example http or kubernetes.io/h2c. 1 to
	// 253 characters. Unset: none.
	//
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	AppProtocol string `json:"appProtocol,omitempty"`
}

// ComponentAutoscaling bounds and steers the component's HorizontalPodAutoscaler.
//
// +kubebuilder:validation:XValidation:rule="self.minReplicas <= self.maxReplicas",message="must not be above maxReplicas",fieldPath=".minReplicas"
type ComponentAutoscaling struct {
	// minReplicas is the least number of pods, 1 to 10000. It is raised during a
	// rollout, and while the release is warm, to the size that the traffic needs.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MinReplicas int32 `json:"minReplicas"`

	// maxReplicas is the largest number of pods, 1 to 10000.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxReplicas int32 `json:"maxReplicas"`

	// metrics to scale by, 0 to 16, as in a HorizontalPodAutoscaler of
	// autoscaling/v2. Unset: 80 percent of the CPU that the pods request.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Metrics []autoscalingv2.MetricSpec `json:"metrics,omitempty"`

	// behavior of scaling up and down, as in a HorizontalPodAutoscaler of
	// autoscaling/v2. Unset: as that says.
	//
	// +optional
	Behavior *autoscalingv2.HorizontalPodAutoscalerBehavior `json:"behavior,omitempty"`
}

// ComponentDisruption bounds voluntary disruption of the component's pods: exactly
// one of its fields is set.
type ComponentDisruption struct {
	// maxUnavailable is how many pods may be away at once: a number, 0 to 10000, or a
	// percentage. Zero lets no node be drained.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 10000 : self.matches('^(100|[1-9]?[0-9])%$')",message="must be a number from 0 to 10000, or a percentage such as 25%",messageExpression="string(self) + ': must be a number from 0 to 10000, or a percentage such as 25%'"
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`

	// minAvailable is how many pods must stay: a number, 0 to 10000, or a percentage.
	// Zero lets all of them go.
	//
	// +optional
	// +kubebuilder:validation:XValidation:rule="type(self) == int ? self >= 0 && self <= 10000 : self.matches('^(100|[1-9]?[0-9])%$')",message="must be a number from 0 to 10000, or a percentage such as 25%",messageExpression="string(self) + ': must be a number from 0 to 10000, or a percentage such as 25%'"
	MinAvailable *intstr.IntOrString `json:"minAvailable,omitempty"`
}

// ConfigKind is a kind that holds configuration.
//
// +kubebuilder:validation:Enum=ConfigMap;Secret
type ConfigKind string

const (
	ConfigMapKind ConfigKind = "ConfigMap"
	SecretKind    ConfigKind = "Secret"
)

// ReleaseConfig says which configuration is left live, frozen although it
// rotates, or expected to have a certain content.
//
// +kubebuilder:validation:XValidation:rule="!has(self.dynamic) || !has(self.frozen) || self.dynamic.all(d, self.frozen.all(f, f.kind != d.kind || f.name != d.name))",message="the same object cannot be both dynamic and frozen"
// +kubebuilder:validation:XValidation:rule="!has(self.dynamic) || !has(self.expect) || self.dynamic.all(d, self.expect.all(e, e.kind != d.kind || e.name != d.name))",message="what is dynamic has no content to expect"
type ReleaseConfig struct {
	// dynamic objects are left live on purpose: the pods read whatever they hold at
	// the time. 0 to 64. Unset: none.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, o.kind == r.kind && o.name == r.name))",message="an object may be named once"
	Dynamic []ConfigReference `json:"dynamic,omitempty"`

	// frozen objects are copied although something rotates them, such as a TLS
	// Secret. 0 to 64. Unset: none; a Secret that something rotates and that is named
	// neither here nor under dynamic stalls the release.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, o.kind == r.kind && o.name == r.name))",message="an object may be named once"
	Frozen []ConfigReference `json:"frozen,omitempty"`

	// expect holds contents that must be there before the release is sealed, 0 to 64.
	// Unset: whatever is there at that moment is frozen.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:XValidation:rule="self.all(r, self.exists_one(o, o.kind == r.kind && o.name == r.name))",message="an object may be named once"
	Expect []ConfigExpectation `json:"expect,omitempty"`
}

// ConfigReference names a ConfigMap or Secret of the release's namespace.
type ConfigReference struct {
	// kind of the object: ConfigMap or Secret.
	//
	// +required
	Kind ConfigKind `json:"kind"`

	// name of the object, in the release's namespace. 1 to 253 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`
}

// ConfigExpectation is the content that a ConfigMap or Secret must have before
// the release is sealed.
type ConfigExpectation struct {
	// kind of the object: ConfigMap or Secret.
	//
	// +required
	Kind ConfigKind `json:"kind"`

	// name of the object, in the release's namespace. 1 to 253 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`

	// sha256 of the content that must be there: 64 hexadecimal digits, lower case.
	//
	// +required
	// +kubebuilder:validation:MinLength=64
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:Pattern=`^[a-f0-9]{64}$`
	SHA256 string `json:"sha256"`
}

// TestPhase says when a test runs.
//
// +kubebuilder:validation:Enum=BeforePods;BeforeTraffic;EveryStep;AfterPromotion
type TestPhase string

const (
	// BeforePods tests run before the pods of the release: migrations.
	BeforePods TestPhase = "BeforePods"
	// BeforeTraffic tests run against the pods of the release, at weight 0.
	BeforeTraffic TestPhase = "BeforeTraffic"
	// EveryStep tests run at each step of the rollout, before the next.
	EveryStep TestPhase = "EveryStep"
	// AfterPromotion tests run at 100 percent, while the release bakes.
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

	// when the test runs: BeforePods (migrations), BeforeTraffic (the pods are ready
	// and have no traffic), EveryStep (at each weight, before the next), or
	// AfterPromotion (at 100 percent, while the release bakes). After a crash of the
	// operator a test may run a second time, and must bear that.
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

// ImmutableReleaseStatus is what the operator last saw of a release. Nothing is
// decided from it.
type ImmutableReleaseStatus struct {
	// conditions of the release: Ready (its reason is the stage), Available, Sealed,
	// TestsPassed, Serving and Drifted, and Reconciling and Stalled as kstatus reads
	// them. At most 16.
	//
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation that this status was computed from.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// digest of what runs: the whole spec but capacity, and the frozen configuration.
	// sha256: and 64 hexadecimal digits; unset until the release is sealed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// contentDigest is the digest of the software alone: equal wherever the same
	// version is deployed. sha256: and 64 hexadecimal digits; unset until the release
	// is sealed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ContentDigest string `json:"contentDigest,omitempty"`

	// weightPercent is the release's share of the traffic as last decided, in
	// percent: 0 to 100. Zero: none of it.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	WeightPercent int32 `json:"weightPercent"`

	// readyComponents is how many components have all their pods ready, of how many,
	// for example 2/3.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=16
	ReadyComponents string `json:"readyComponents,omitempty"`

	// components is the state of the pods, a row for each component, at most 16.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Components []ComponentStatus `json:"components,omitempty"`

	// tests are the results of the newest attempt, at most 512: one row for each
	// test, and for each weight of an EveryStep test.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=512
	Tests []TestStatus `json:"tests,omitempty"`

	// attempt is the number of the newest attempt, from 1. Unset: none was made.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempt int32 `json:"attempt,omitempty"`

	// lastVerdict is how the newest attempt ended: Promoted, Failed, Aborted,
	// RolledBack or Superseded. Unset: none has ended.
	//
	// +optional
	LastVerdict RecordEvent `json:"lastVerdict,omitempty"`
}

// ComponentStatus is the state of one component's pods.
type ComponentStatus struct {
	// name of the component.
	//
	// +required
	// +kubebuilder:validation:MaxLength=20
	Name string `json:"name"`

	// replicas is how many pods there should be at present; zero for a release that
	// is not live.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	Replicas int32 `json:"replicas"`

	// readyReplicas is how many pods are ready.
	//
	// +required
	// +kubebuilder:validation:Minimum=0
	ReadyReplicas int32 `json:"readyReplicas"`

	// images are the digests that the containers run, at most 64.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Images []ContainerImage `json:"images,omitempty"`
}

// ContainerImage is the digest that a container runs.
type ContainerImage struct {
	// container that runs the image.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Container string `json:"container"`

	// digest of the image: sha256: and 64 hexadecimal digits.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest"`
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

// TestStatus is the result of one test of the newest attempt.
type TestStatus struct {
	// name of the test.
	//
	// +required
	// +kubebuilder:validation:MaxLength=40
	Name string `json:"name"`

	// weightPercent is the step for which an EveryStep test ran, 0 to 100 percent.
	// Unset for other tests.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	WeightPercent *int32 `json:"weightPercent,omitempty"`

	// outcome of the test: Running, Passed or Failed.
	//
	// +required
	Outcome TestOutcome `json:"outcome"`

	// jobName is the Job that ran the test. The result outlives it.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	JobName string `json:"jobName,omitempty"`

	// startTime is when the Job was created.
	//
	// +optional
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// completionTime is when the result was recorded. Unset: not yet.
	//
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// message says why a test failed, in at most 32768 characters.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=32768
	Message string `json:"message,omitempty"`
}
