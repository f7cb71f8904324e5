package resources

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
)

const (
	// minReadySeconds is how long a pod must have been ready to count as
	// available. "Endpoints ready for 2 s" is measured by it: an available pod has
	// been ready, and so a ready endpoint, for that long.
	minReadySeconds = 2

	// podProgressSeconds is when a Deployment reports that it makes no progress.
	// Strata decides by the track's own deadline; this one is for other readers.
	podProgressSeconds = 600

	// defaultTestSeconds is the deadline of a test that sets none.
	defaultTestSeconds = 600

	// defaultUtilization is the percentage of the requested CPU that an autoscaler
	// without metrics aims at.
	defaultUtilization = 80

	// testGraceSeconds is how long a Job outlives its test's deadline. The Job
	// controller deletes the pod of a Job that ends by its own deadline; until then
	// the pod can still say why it did not finish.
	testGraceSeconds = 10
)

// Render makes the seal of a release: every child whole, reading the snapshots
// instead of the live configuration. It changes nothing of the release.
func Render(rel *v1alpha1.ImmutableRelease, digests Digests, snapshots []v1alpha1.SnapshotDigest) (*Seal, error) {
	seal := &Seal{
		Scheme:        Scheme,
		TrackName:     rel.Spec.TrackName,
		ReleaseName:   rel.Name,
		Version:       rel.Spec.Version,
		Digest:        digests.Release,
		ContentDigest: digests.Content,
		Snapshots:     snapshots,
		Images:        images(&rel.Spec),
		namespace:     rel.Namespace,
		owner:         OwnerReference(rel),
	}
	for i := range rel.Spec.Components {
		sealed, err := renderComponent(rel, &rel.Spec.Components[i], snapshots)
		if err != nil {
			return nil, err
		}
		seal.Components = append(seal.Components, sealed)
	}
	for i := range rel.Spec.Tests {
		sealed, err := renderTest(rel, &rel.Spec.Tests[i], snapshots)
		if err != nil {
			return nil, err
		}
		seal.Tests = append(seal.Tests, sealed)
	}
	return seal, nil
}

// rendered is an object as it is sealed: without status, which is the cluster's.
type rendered struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Spec            any               `json:"spec"`
}

// child is a kind of object that a component has, and where it is sealed.
type child struct {
	kind metav1.TypeMeta
	spec any
	into *json.RawMessage
}

func renderComponent(rel *v1alpha1.ImmutableRelease, component *v1alpha1.Component, snapshots []v1alpha1.SnapshotDigest) (SealedComponent, error) {
	sealed := SealedComponent{Name: component.Name}
	meta := metav1.ObjectMeta{
		Name:   ChildName(rel.Name, component.Name),
		Labels: ComponentLabels(rel, component.Name),
	}
	children := []child{
		{metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"}, deploymentSpec(rel, component, snapshots), &sealed.Deployment},
	}
	if len(component.Ports) > 0 {
		children = append(children, child{metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}, serviceSpec(rel, component), &sealed.Service})
	}
	if component.Autoscaling != nil {
		children = append(children, child{metav1.TypeMeta{APIVersion: "autoscaling/v2", Kind: "HorizontalPodAutoscaler"}, autoscalerSpec(rel, component), &sealed.Autoscaler})
	}
	if component.Disruption != nil {
		children = append(children, child{metav1.TypeMeta{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}, disruptionSpec(rel, component), &sealed.Disruption})
	}
	for _, c := range children {
		data, err := json.Marshal(rendered{TypeMeta: c.kind, Metadata: meta, Spec: c.spec})
		if err != nil {
			return sealed, fmt.Errorf("encode %s %s: %w", c.kind.Kind, meta.Name, err)
		}
		*c.into = data
	}
	return sealed, nil
}

// deploymentSpec is all but the size. Old ReplicaSets are of no use: the template
// never changes, and what goes back is the release as a whole.
func deploymentSpec(rel *v1alpha1.ImmutableRelease, component *v1alpha1.Component, snapshots []v1alpha1.SnapshotDigest) appsv1.DeploymentSpec {
	template := podTemplate(rel, &component.Template, ComponentLabels(rel, component.Name), component.Name, snapshots)
	return appsv1.DeploymentSpec{
		Selector:        &metav1.LabelSelector{MatchLabels: Selector(rel.Name, component.Name)},
		Template:        template,
		MinReadySeconds: minReadySeconds,
		Strategy: appsv1.DeploymentStrategy{
			Type: appsv1.RollingUpdateDeploymentStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDeployment{
				MaxUnavailable: ptr.To(intstr.FromString("25%")),
				MaxSurge:       ptr.To(intstr.FromString("25%")),
			},
		},
		RevisionHistoryLimit:    ptr.To[int32](0),
		ProgressDeadlineSeconds: ptr.To[int32](podProgressSeconds),
	}
}

// autoscalerSpec is all but the bounds. What Kubernetes would add is written out: a
// later default changes nothing that runs.
func autoscalerSpec(rel *v1alpha1.ImmutableRelease, component *v1alpha1.Component) autoscalingv2.HorizontalPodAutoscalerSpec {
	spec := autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: ChildName(rel.Name, component.Name)},
		Metrics:        component.Autoscaling.Metrics,
		Behavior:       component.Autoscaling.Behavior,
	}
	if len(spec.Metrics) == 0 {
		spec.Metrics = []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ResourceMetricSourceType,
			Resource: &autoscalingv2.ResourceMetricSource{
				Name:   corev1.ResourceCPU,
				Target: autoscalingv2.MetricTarget{Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](defaultUtilization)},
			},
		}}
	}
	return spec
}

func disruptionSpec(rel *v1alpha1.ImmutableRelease, component *v1alpha1.Component) policyv1.PodDisruptionBudgetSpec {
	return policyv1.PodDisruptionBudgetSpec{
		Selector:       &metav1.LabelSelector{MatchLabels: Selector(rel.Name, component.Name)},
		MaxUnavailable: component.Disruption.MaxUnavailable,
		MinAvailable:   component.Disruption.MinAvailable,
	}
}

func serviceSpec(rel *v1alpha1.ImmutableRelease, component *v1alpha1.Component) corev1.ServiceSpec {
	spec := corev1.ServiceSpec{
		Type:     corev1.ServiceTypeClusterIP,
		Selector: Selector(rel.Name, component.Name),
	}
	for i := range component.Ports {
		written := &component.Ports[i]
		port := corev1.ServicePort{
			Name:       written.Name,
			Protocol:   corev1.ProtocolTCP,
			Port:       written.Port,
			TargetPort: intstr.FromInt32(written.Port),
		}
		if written.Protocol != "" {
			port.Protocol = written.Protocol
		}
		if written.TargetPort != nil {
			port.TargetPort = *written.TargetPort
		}
		if written.AppProtocol != "" {
			port.AppProtocol = ptr.To(written.AppProtocol)
		}
		spec.Ports = append(spec.Ports, port)
	}
	return spec
}

func renderTest(rel *v1alpha1.ImmutableRelease, test *v1alpha1.ReleaseTest, snapshots []v1alpha1.SnapshotDigest) (SealedTest, error) {
	sealed := SealedTest{Name: test.Name, When: test.When, DeadlineSeconds: defaultTestSeconds}
	if test.DeadlineSeconds != nil {
		sealed.DeadlineSeconds = *test.DeadlineSeconds
	}
	labels := TestLabels(rel, test.Name)
	var err error
	sealed.Job, err = json.Marshal(rendered{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		Metadata: metav1.ObjectMeta{
			Labels:      authorsOwn(test.Template.Labels, labels),
			Annotations: authorsOwn(test.Template.Annotations, nil),
		},
		Spec: jobSpec(rel, test, labels, int64(sealed.DeadlineSeconds), snapshots),
	})
	if err != nil {
		return sealed, fmt.Errorf("encode Job of test %s: %w", test.Name, err)
	}
	return sealed, nil
}

// jobSpec is the author's, but that it runs one pod to its end, once unless the
// author asks for more tries, and ends soon after the test's deadline.
func jobSpec(rel *v1alpha1.ImmutableRelease, test *v1alpha1.ReleaseTest, labels map[string]string, deadline int64, snapshots []v1alpha1.SnapshotDigest) batchv1.JobSpec {
	spec := *test.Template.Spec.DeepCopy()
	spec.Completions, spec.Parallelism = ptr.To[int32](1), ptr.To[int32](1)
	spec.Suspend, spec.ManagedBy, spec.TTLSecondsAfterFinished = nil, nil, nil
	spec.Selector, spec.ManualSelector = nil, nil
	if spec.BackoffLimit == nil {
		spec.BackoffLimit = ptr.To[int32](0)
	}
	if spec.ActiveDeadlineSeconds == nil || *spec.ActiveDeadlineSeconds > deadline {
		spec.ActiveDeadlineSeconds = ptr.To(deadline + testGraceSeconds)
	}
	spec.Template = podTemplate(rel, &test.Template.Spec.Template, labels, "", snapshots)
	if spec.Template.Spec.RestartPolicy == "" {
		spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	}
	return spec
}

// podTemplate is the author's template with our labels, our variables first, and
// its configuration frozen. Of the template's metadata only labels, annotations
// and finalizers reach a pod.
func podTemplate(rel *v1alpha1.ImmutableRelease, written *corev1.PodTemplateSpec, labels map[string]string, self string, snapshots []v1alpha1.SnapshotDigest) corev1.PodTemplateSpec {
	template := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{
			Labels:      authorsOwn(written.Labels, labels),
			Annotations: authorsOwn(written.Annotations, map[string]string{v1alpha1.AnnotationImages: podImages(&written.Spec)}),
			Finalizers:  written.Finalizers,
		},
		Spec: *written.Spec.DeepCopy(),
	}
	if template.Spec.EnableServiceLinks == nil {
		template.Spec.EnableServiceLinks = ptr.To(false)
	}
	rewriteConfig(&template.Spec, snapshots)
	ours := environment(rel, self)
	for i := range template.Spec.InitContainers {
		prepend(&template.Spec.InitContainers[i], ours)
	}
	for i := range template.Spec.Containers {
		prepend(&template.Spec.Containers[i], ours)
	}
	return template
}

// podImages lists what a pod runs, for admission: it sees the pod, and not the release.
func podImages(pod *corev1.PodSpec) string {
	var list []string
	for _, container := range slices.Concat(pod.InitContainers, pod.Containers) {
		list = append(list, container.Image)
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// environment is what every container of a release can rely on: the release, its
// version, and where the other components of the same release are. self is the
// component that it is for; "" for a test, which sees them all.
func environment(rel *v1alpha1.ImmutableRelease, self string) []corev1.EnvVar {
	env := []corev1.EnvVar{
		{Name: v1alpha1.EnvRelease, Value: rel.Name},
		{Name: v1alpha1.EnvVersion, Value: rel.Spec.Version},
	}
	for i := range rel.Spec.Components {
		sibling := &rel.Spec.Components[i]
		if sibling.Name == self || len(sibling.Ports) == 0 {
			continue
		}
		env = append(env, corev1.EnvVar{
			Name:  HostVariable(sibling.Name),
			Value: HostName(rel.Namespace, rel.Name, sibling.Name),
		})
	}
	return env
}

func prepend(container *corev1.Container, env []corev1.EnvVar) {
	all := make([]corev1.EnvVar, 0, len(env)+len(container.Env))
	container.Env = append(append(all, env...), container.Env...)
}
