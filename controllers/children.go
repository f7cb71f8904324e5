package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// ownedChildren are the objects that the releases of a track own, by name.
type ownedChildren struct {
	deployments map[string]*appsv1.Deployment
	services    map[string]*corev1.Service
	autoscalers map[string]*autoscalingv2.HorizontalPodAutoscaler
	disruptions map[string]*policyv1.PodDisruptionBudget
	jobs        []batchv1.Job
	// pods by the release, and then the component or test, that they run.
	pods map[podGroup][]*corev1.Pod
	// endpoints counts the ready endpoints of each Service.
	endpoints map[string]int32
}

type podGroup struct{ release, component, test string }

// observeChildren reads what the releases own, in one list for each kind.
func (r *TrackReconciler) observeChildren(ctx context.Context, w *world, how reading) error {
	if err := r.readChildren(ctx, w, how); err != nil {
		return err
	}
	if err := r.readSeals(ctx, w, how); err != nil {
		return err
	}
	for i := range w.Releases {
		release := &w.Releases[i]
		if seal := w.seals[release.Name]; seal != nil {
			release.Sealed = seal.Sealed()
		}
		if err := r.observeComponents(ctx, w, release); err != nil {
			return err
		}
		if err := r.observeJobs(ctx, w, release); err != nil {
			return err
		}
	}
	w.note.keepCompared(&w.children)
	return nil
}

func (r *TrackReconciler) readChildren(ctx context.Context, w *world, how reading) error {
	deployments, services := &appsv1.DeploymentList{}, &corev1.ServiceList{}
	endpointSlices, pods, jobs := &discoveryv1.EndpointSliceList{}, &corev1.PodList{}, &batchv1.JobList{}
	autoscalers, disruptions := &autoscalingv2.HorizontalPodAutoscalerList{}, &policyv1.PodDisruptionBudgetList{}
	for _, list := range []client.ObjectList{deployments, services, endpointSlices, pods, jobs, autoscalers, disruptions} {
		if err := r.listByLabel(ctx, list, w, how, everything); err != nil {
			return err
		}
	}
	c := ownedChildren{
		deployments: map[string]*appsv1.Deployment{}, services: map[string]*corev1.Service{},
		autoscalers: map[string]*autoscalingv2.HorizontalPodAutoscaler{}, disruptions: map[string]*policyv1.PodDisruptionBudget{},
		jobs: jobs.Items, pods: map[podGroup][]*corev1.Pod{}, endpoints: readyEndpoints(endpointSlices.Items),
	}
	for i := range deployments.Items {
		c.deployments[deployments.Items[i].Name] = &deployments.Items[i]
	}
	for i := range services.Items {
		c.services[services.Items[i].Name] = &services.Items[i]
	}
	for i := range autoscalers.Items {
		c.autoscalers[autoscalers.Items[i].Name] = &autoscalers.Items[i]
	}
	for i := range disruptions.Items {
		c.disruptions[disruptions.Items[i].Name] = &disruptions.Items[i]
	}
	for i := range pods.Items {
		group := groupOf(&pods.Items[i])
		c.pods[group] = append(c.pods[group], &pods.Items[i])
	}
	w.children = c
	return nil
}

func groupOf(pod *corev1.Pod) podGroup {
	return podGroup{pod.Labels[v1alpha1.LabelRelease], pod.Labels[v1alpha1.LabelComponent], pod.Labels[v1alpha1.LabelTest]}
}

// readyEndpoints counts by Service; an endpoint that is in two slices for a
// moment counts once.
func readyEndpoints(all []discoveryv1.EndpointSlice) map[string]int32 {
	seen := map[string]map[types.UID]bool{}
	for _, slice := range all {
		service := slice.Labels[discoveryv1.LabelServiceName]
		for _, endpoint := range slice.Endpoints {
			ready := endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready
			if !ready || endpoint.TargetRef == nil {
				continue
			}
			if seen[service] == nil {
				seen[service] = map[types.UID]bool{}
			}
			seen[service][endpoint.TargetRef.UID] = true
		}
	}
	counts := make(map[string]int32, len(seen))
	for service, endpoints := range seen {
		counts[service] = int32(len(endpoints)) //nolint:gosec // bounded by the pods of a namespace
	}
	return counts
}

// readSeals parses the seals of the releases that are live. Others are not needed
// to decide anything, unless nobody knows which are, or a restore has left children
// without owners.
func (r *TrackReconciler) readSeals(ctx context.Context, w *world, how reading) error {
	revisions := &appsv1.ControllerRevisionList{}
	if err := r.listByLabel(ctx, revisions, w, how, intent); err != nil {
		return err
	}
	byName := map[string]*appsv1.ControllerRevision{}
	for i := range revisions.Items {
		byName[revisions.Items[i].Name] = &revisions.Items[i]
	}
	for _, revision := range how.sealed {
		byName[revision.Name] = revision
	}
	w.seals, w.ownerless = map[string]*resources.Seal{}, map[string]*appsv1.ControllerRevision{}
	note := w.note
	for i := range w.releases {
		release := &w.releases[i]
		facts, revision := &w.Releases[i], byName[resources.SealName(release.Name)]
		switch {
		case revision == nil || !w.mayComeBack(facts):
			continue
		case how.onlooker && len(revision.OwnerReferences) == 0:
			continue // To compare it takes the operator's key, and its right to read Secrets.
		case len(revision.OwnerReferences) == 0:
			if err := r.observeOwnerless(ctx, w, facts, revision); err != nil {
				return err
			}
			continue
		case !metav1.IsControlledBy(revision, release) || w.Log.Head != nil && !w.isLive(facts) && !w.leftOwnerless(facts):
			continue
		}
		seal, err := note.readSeal(revision)
		if err != nil {
			facts.Obstacle = &rollout.Obstacle{Gate: "Sealed", Reason: "SealUnreadable", Message: err.Error()}
			continue
		}
		w.seals[release.Name] = seal
	}
	return nil
}

// observeComponents tells of what every component has of a release that is live, or
// that still has anything.
func (r *TrackReconciler) observeComponents(ctx context.Context, w *world, release *rollout.Release) error {
	object, live := w.release(release.Name), w.isLive(release)
	components := make([]rollout.Component, 0, len(object.Spec.Components))
	some := live
	for i := range object.Spec.Components {
		c, err := r.observeComponent(ctx, w, object, &object.Spec.Components[i], live && release.Sealed != nil)
		if err != nil {
			return err
		}
		some = some || c.Sequence > 0 || slices.Contains([]rollout.Presence{c.Service, c.Deployment, c.Autoscaler, c.Disruption}, rollout.Ours)
		components = append(components, c)
	}
	if some {
		release.Components = components
	}
	return nil
}

func (r *TrackReconciler) observeComponent(ctx context.Context, w *world, release *v1alpha1.ImmutableRelease, spec *v1alpha1.Component, wanted bool) (rollout.Component, error) {
	name := resources.ChildName(release.Name, spec.Name)
	c := rollout.Component{Name: spec.Name, ReadyEndpoints: w.children.endpoints[name]}

	service, err := find(ctx, r, w.children.services[name], release, name, wanted && len(spec.Ports) > 0)
	if err != nil {
		return c, err
	}
	if c.Service, err = claim(w, &c, service, release, "Service", func(s *resources.Seal) (*corev1.Service, error) { return s.Service(spec.Name) }); err != nil {
		return c, err
	}
	if c.Service == rollout.Ours {
		service, err = asSealed(ctx, r, w, &c, service, release, kindService, func(s *resources.Seal) (*corev1.Service, error) { return s.Service(spec.Name) })
		if err != nil {
			return c, err
		}
		w.children.services[name] = service
		c.ServiceSequence = resources.StampOf(service)
	}

	if err := r.observeCapacity(ctx, w, release, spec, &c, wanted); err != nil {
		return c, err
	}
	deployment, err := find(ctx, r, w.children.deployments[name], release, name, wanted)
	if err != nil {
		return c, err
	}
	c.Deployment, err = claim(w, &c, deployment, release, "Deployment", func(s *resources.Seal) (*appsv1.Deployment, error) { return s.Deployment(spec.Name, 0, 0) })
	if err != nil || c.Deployment != rollout.Ours {
		return c, err
	}
	deployment, err = asSealed(ctx, r, w, &c, deployment, release, kindDeployment, func(s *resources.Seal) (*appsv1.Deployment, error) { return s.Deployment(spec.Name, 0, 0) })
	if err != nil {
		return c, err
	}
	w.children.deployments[name] = deployment
	pods := w.children.pods[podGroup{release: release.Name, component: spec.Name}]
	observeDeployment(&c, deployment, pods)
	c.Ungated = ungated(pods)
	return c, r.observePods(ctx, w, &c, deployment, pods, release)
}

func observeDeployment(c *rollout.Component, deployment *appsv1.Deployment, pods []*corev1.Pod) {
	c.Sequence = resources.StampOf(deployment)
	c.Replicas = 1
	if deployment.Spec.Replicas != nil {
		c.Replicas = *deployment.Spec.Replicas
	}
	c.AvailableChange = deployment.CreationTimestamp.Time
	if deployment.Status.ObservedGeneration >= deployment.Generation {
		c.ReadyReplicas = deployment.Status.ReadyReplicas
		c.AvailableReplicas = deployment.Status.AvailableReplicas
	}
	for _, condition := range deployment.Status.Conditions {
		if condition.Type == appsv1.DeploymentAvailable {
			current := deployment.Status.ObservedGeneration >= deployment.Generation
			c.Available = condition.Status == corev1.ConditionTrue && current
			c.AvailableChange = condition.LastTransitionTime.Time
			if condition.Status == corev1.ConditionTrue && !current {
				// Not known yet. That is no time for which it was unavailable.
				c.AvailableChange = time.Time{}
			}
		}
	}
	if c.AvailableReplicas < c.Replicas {
		c.Trouble = cmp.Or(resources.ReplicaFailure(deployment), resources.Trouble(pods))
		c.ShortSince = resources.ShortSince(deployment, pods)
	}
}

// targetHealth is how the readiness gates begin that the AWS Load Balancer Controller gives to
// pods as they are created.
const targetHealth = "target-health.elbv2.k8s.aws/"

// ungated names a pod that has none of these.
func ungated(pods []*corev1.Pod) string {
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil && !slices.ContainsFunc(pod.Spec.ReadinessGates, func(gate corev1.PodReadinessGate) bool {
			return strings.HasPrefix(string(gate.ConditionType), targetHealth)
		}) {
			return pod.Name
		}
	}
	return ""
}

// find reads past the cache what the cache does not have, where its absence is
// about to be acted on: the cache shows neither the newest nor what is not ours.
func find[T any, P interface {
	*T
	client.Object
}](ctx context.Context, r *TrackReconciler, cached P, release *v1alpha1.ImmutableRelease, name string, wanted bool) (P, error) {
	if cached != nil || !wanted {
		return cached, nil
	}
	into := P(new(T))
	err := r.live.Get(ctx, client.ObjectKey{Namespace: release.Namespace, Name: name}, into)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read %T %s/%s: %w", into, release.Namespace, name, err)
	}
	return into, nil
}

func presence(object metav1.Object, missing bool, release *v1alpha1.ImmutableRelease) rollout.Presence {
	switch {
	case missing:
		return rollout.Missing
	case metav1.IsControlledBy(object, release):
		return rollout.Ours
	}
	return rollout.Foreign
}

// observeJobs tells of the test Jobs of a release. Before a Job is created, its
// name is looked up past the cache.
func (r *TrackReconciler) observeJobs(ctx context.Context, w *world, release *rollout.Release) error {
	object := w.release(release.Name)
	seen := map[string]bool{}
	for i := range w.children.jobs {
		job := &w.children.jobs[i]
		if job.Labels[v1alpha1.LabelRelease] == release.Name {
			seen[job.Name] = true
			release.Jobs = append(release.Jobs, w.jobFacts(job, object))
		}
	}
	if w.candidate() != release || release.Sealed == nil || len(object.Spec.Tests) == 0 {
		return nil
	}
	for _, due := range w.dueJobs(release, seen, rollout.Ask(w.Observation)) {
		if !due.BeforePods && !ready(release) {
			continue
		}
		name := resources.JobName(release.Name, due.Test, w.state().Candidate.Attempt, due.WeightPercent)
		job := &batchv1.Job{}
		err := r.live.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: name}, job)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read Job %s/%s: %w", w.Namespace, name, err)
		}
		release.Jobs = append(release.Jobs, w.jobFacts(job, object))
	}
	return nil
}

// ready says whether a test may be about to start: what runs has pods.
func ready(release *rollout.Release) bool {
	for _, c := range release.Components {
		if c.Replicas > 0 && c.AvailableReplicas == 0 {
			return false
		}
	}
	return len(release.Components) > 0
}

// dueJobs are those that the candidate waits for and that are not seen and have no
// result yet.
func (w *world) dueJobs(release *rollout.Release, seen map[string]bool, answers rollout.Answers) []rollout.TestRun {
	state := w.state()
	for _, result := range state.Tests {
		if result.Outcome != v1alpha1.TestRunning {
			seen[result.JobName] = true
		}
	}
	return slices.DeleteFunc(answers.Unpassed(), func(t rollout.TestRun) bool {
		return seen[resources.JobName(release.Name, t.Test, state.Candidate.Attempt, t.WeightPercent)]
	})
}

// jobFacts of a Job that has the name of one of the release's: ours only if it is
// what the seal says, because its success is a gate.
func (w *world) jobFacts(job *batchv1.Job, release *v1alpha1.ImmutableRelease) rollout.Job {
	test := job.Labels[v1alpha1.LabelTest]
	facts := resources.ObserveJob(job, w.podsOf(release.Name, test, job.UID), rollout.Foreign)
	seal := w.seals[release.Name]
	if seal == nil {
		facts.Presence = presence(job, false, release)
		return facts
	}
	claim, err := w.note.judge(job, seal, facts, release.UID)
	if err != nil {
		return facts
	}
	if facts.Presence = claim.Presence; claim.Presence == rollout.Foreign {
		facts.Message = claim.Why
	}
	return facts
}

// podsOf are the pods that a test Job controls.
func (w *world) podsOf(release, test string, job types.UID) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, pod := range w.children.pods[podGroup{release: release, test: test}] {
		if owner := metav1.GetControllerOfNoCopy(pod); owner != nil && owner.UID == job {
			pods = append(pods, pod)
		}
	}
	return pods
}

// isLive says whether the newest record has the release among the live ones.
func (w *world) isLive(release *rollout.Release) bool {
	for _, live := range w.state().Live {
		if live.UID == release.UID {
			return true
		}
	}
	return false
}
