//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/test/attempts"
	"github.com/strata-release/strata/test/harness"
)

// everything lets a release have one of all that a release can own.
func (w *world) everything() []harness.ReleaseOption {
	return []harness.ReleaseOption{
		autoscaled,
		w.Component("api", 1),
		harness.Greeting(v1alpha1.ConfigMapKind, "shop-settings"),
		func(r *v1alpha1.ImmutableRelease) {
			container := &r.Spec.Components[1].Template.Spec.Containers[0]
			container.EnvFrom = append(container.EnvFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "shop-keys"}}})
		},
	}
}

// goLiveGuarded brings such a release to 100 in a namespace that is guarded.
func (w *world) goLiveGuarded(ctx context.Context) {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.patch(ctx, namespace, `{"metadata":{"labels":{"`+v1alpha1.LabelGuarded+`":"true"}}}`)
	named := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: w.namespace, Name: name}
	}
	w.create(ctx, &corev1.ConfigMap{ObjectMeta: named("shop-settings"), Data: map[string]string{"greeting": "hello"}},
		&corev1.Secret{ObjectMeta: named("shop-keys"), StringData: map[string]string{"KEY": "k"}})
	w.goLiveUnasked(ctx, w.NewTrack(w.namespace, func(t *v1alpha1.ReleaseTrack) {
		t.Spec.Traffic.Routes = append(t.Spec.Traffic.Routes, v1alpha1.Route{
			Name: "internal", ComponentName: "api", PortName: "http", Type: v1alpha1.RouteService, Service: &v1alpha1.ServiceRoute{Name: "shop-api"},
		})
	}), w.NewRelease(w.namespace, "1.0.0", w.everything()...))
	w.untilHeld(ctx, "1.0.0")
	w.untilSettled(ctx, "1.0.0")
}

// testing publishes a candidate whose test runs for longer than the story.
func (w *world) testing(ctx context.Context, version string) {
	GinkgoHelper()
	w.create(ctx, w.NewRelease(w.namespace, version, w.Component("api", 1), w.Test("smoke", v1alpha1.BeforeTraffic, 600, "hang")))
	w.untilRecord(ctx, version, v1alpha1.EventTestStarted)
}

// running finds what there is of a version, and of another of which a test runs.
func (w *world) running(ctx context.Context, version, tested string) *attempts.World {
	GinkgoHelper()
	release := harness.ReleaseName(version)
	found := &attempts.World{
		Namespace: w.namespace, Track: harness.TrackName, Release: release, Tested: harness.ReleaseName(tested),
		Route: resources.RouteName(harness.TrackName, "public"), StableService: "shop-api",
		Record: resources.RecordName(harness.TrackName, 1),
	}
	name := func(list client.ObjectList, labels map[string]string, into *string, want func(client.Object) bool) {
		GinkgoHelper()
		Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace), client.MatchingLabels(labels))).To(Succeed())
		for _, object := range objectsOf(list) {
			if want == nil || want(object) {
				*into = object.GetName()
				return
			}
		}
		Fail(fmt.Sprintf("no %T of %v", list, labels))
	}
	web := map[string]string{v1alpha1.LabelRelease: release, v1alpha1.LabelComponent: "web"}
	ours := map[string]string{v1alpha1.LabelRelease: release}
	smoke := map[string]string{v1alpha1.LabelRelease: found.Tested, v1alpha1.LabelTest: "smoke"}
	name(&appsv1.ReplicaSetList{}, web, &found.ReplicaSet, nil)
	name(&corev1.PodList{}, web, &found.Pod, func(o client.Object) bool { return isReady(*o.(*corev1.Pod)) })
	name(&batchv1.JobList{}, smoke, &found.Job, nil)
	name(&corev1.PodList{}, smoke, &found.JobPod, nil)
	name(&corev1.ConfigMapList{}, ours, &found.ConfigMap, nil)
	name(&corev1.SecretList{}, ours, &found.Secret, nil)
	name(&discoveryv1.EndpointSliceList{}, map[string]string{discoveryv1.LabelServiceName: release + "-web"}, &found.EndpointSlice, nil)
	var nodes corev1.NodeList
	Expect(w.Client.List(ctx, &nodes)).To(Succeed())
	found.Node = nodes.Items[0].Name
	var operators corev1.PodList
	Expect(w.Client.List(ctx, &operators, client.InNamespace(w.OperatorNamespace))).To(Succeed())
	for i := range operators.Items {
		found.OperatorPod = operators.Items[i].Name
	}
	config := rest.CopyConfig(w.Config)
	config.QPS, config.Burst = 1000, 1000 // nobody else is there
	Expect(found.Connect(config)).To(Succeed())
	Expect(found.Prepare(ctx)).To(Succeed())
	return found
}

// objectsOf are the items of a list.
func objectsOf(list client.ObjectList) []client.Object {
	GinkgoHelper()
	items, err := meta.ExtractList(list)
	Expect(err).NotTo(HaveOccurred())
	var objects []client.Object
	for _, item := range items {
		objects = append(objects, item.(client.Object))
	}
	return objects
}

// expectAllRefused makes every attempt, and fails once with all that went wrong. With the
// operator there, all that is refused is explained.
func (w *world) expectAllRefused(ctx context.Context, version, tested string, explained bool) {
	GinkgoHelper()
	running := w.running(ctx, version, tested)
	running.Explained = explained
	all := running.Attempts()
	wrong := running.RunAll(ctx, all)
	w.note("%d ways to change %s in place, each dry and in earnest: %d were not refused as they must be", len(all), version, len(wrong))
	Expect(wrong).To(BeEmpty(), "%d of %d:\n%s", len(wrong), len(all), strings.Join(wrong, "\n"))
}

// Some thousand requests at once would hold up what other stories time.
var _ = alone("nothing of a release is changed in place by a cluster administrator, whatever the way",
	Label("guards", "not-changing", "scenario-18"), func(ctx context.Context, w *world) {
		w.goLiveGuarded(ctx)
		w.testing(ctx, "2.0.0")
	}, func(ctx context.Context, w *world) {
		w.startLoad(ctx, 40)
		before, start := w.pods(ctx, "1.0.0"), time.Now()
		w.expectAllRefused(ctx, "1.0.0", "2.0.0", true)
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
		w.expectOnly("1.0.0", start)
	})

// It takes the operator away.
var _ = alone("with the operator stopped every edit is still refused; meanwhile pods are replaced, an autoscaler scales, a node drains, what nobody holds goes, and so does the namespace",
	Label("guards", "not-changing", "deleting", "scenario-26", "scenario-19"), func(ctx context.Context, w *world) {
		w.goLiveGuarded(ctx)
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", w.Component("api", 1), w.Test("basket", v1alpha1.BeforeTraffic, 60, "fail")))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventFailed)
		w.untilHeld(ctx, "1.0.0")
		w.testing(ctx, "3.0.0")
	}, func(ctx context.Context, w *world) {
		w.startLoad(ctx, 40)
		DeferCleanup(func(ctx SpecContext) { w.scaleOperator(ctx, 1) })
		w.scaleOperator(ctx, 0)

		w.expectAllRefused(ctx, "1.0.0", "3.0.0", false)

		By("pods are replaced")
		w.restartPods(ctx, "1.0.0")

		By("a node drains")
		w.drain(ctx, "1.0.0")

		By("an autoscaler scales")
		w.autoscale(ctx, "1.0.0", 3)

		By("a release that nobody holds goes, with all that it owns")
		ownedBy := func(g Gomega, list client.ObjectList) []client.Object {
			g.Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelRelease: harness.ReleaseName("2.0.0")})).To(Succeed())
			return objectsOf(list)
		}
		Expect(ownedBy(NewGomega(Fail), &appsv1.ControllerRevisionList{})).To(HaveLen(1), "its seal")
		Expect(w.Client.Delete(ctx, w.NewRelease(w.namespace, "2.0.0"))).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &appsv1.ControllerRevisionList{}, &corev1.ServiceList{}, &batchv1.JobList{}, &corev1.PodList{}} {
				g.Expect(ownedBy(g, list)).To(BeEmpty())
			}
		}).WithTimeout(patience).Should(Succeed())

		By("the namespace goes, with what is held in it and no operator")
		w.expectRefused(ctx, "1.0.0")
		w.load.Stop()
		Expect(w.DeleteNamespace(ctx, w.namespace)).To(Succeed())
		Eventually(ctx, func() bool {
			return apierrors.IsNotFound(w.Client.Get(ctx, client.ObjectKey{Name: w.namespace}, &corev1.Namespace{}))
		}).WithTimeout(patience).Should(BeTrue(), "the namespace is still there")
	})

// autoscale raises the least size of web as the operator would; the autoscaler's
// controller does the rest.
func (w *world) autoscale(ctx context.Context, version string, replicas int32) {
	GinkgoHelper()
	inPod := map[string][]string{}
	for _, key := range []string{"pod-name", "pod-uid", "node-name"} {
		inPod["authentication.kubernetes.io/"+key] = []string{"story"}
	}
	operator, err := w.As(guards.InCluster.Username, inPod, "system:serviceaccounts", "system:authenticated")
	Expect(err).NotTo(HaveOccurred())
	autoscaler := &autoscalingv2.HorizontalPodAutoscaler{}
	autoscaler.Namespace, autoscaler.Name = w.namespace, harness.ReleaseName(version)+"-web"
	Expect(operator.Patch(ctx, autoscaler, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"minReplicas":%d}}`, replicas)))).To(Succeed())
	w.untilSize(ctx, version, fmt.Sprintf("%d..10, %[1]d of %[1]d", replicas))
}

// drain closes the node, evicts a pod of web, and opens the node again, until all
// pods were evicted.
func (w *world) drain(ctx context.Context, version string) {
	GinkgoHelper()
	node := &corev1.Node{}
	var nodes corev1.NodeList
	Expect(w.Client.List(ctx, &nodes)).To(Succeed())
	node.Name = nodes.Items[0].Name
	cordon := func(ctx context.Context, closed string) {
		GinkgoHelper()
		w.patch(ctx, node, `{"spec":{"unschedulable":`+closed+`}}`)
	}
	DeferCleanup(func(ctx SpecContext) { cordon(ctx, "null") })
	pods, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	for i := range pods {
		cordon(ctx, "true")
		Eventually(ctx, func() error {
			return w.Client.SubResource("eviction").Create(ctx, &pods[i], &policyv1.Eviction{})
		}).WithTimeout(patience).Should(Succeed(), "evict %s", pods[i].Name)
		cordon(ctx, "null")
		Eventually(ctx, func(g Gomega) {
			now, err := w.Pods(ctx, w.namespace, version)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now).To(HaveLen(len(pods)))
			for _, pod := range now {
				g.Expect(pod.UID).NotTo(Equal(pods[i].UID))
				g.Expect(isReady(pod)).To(BeTrue())
			}
		}).WithTimeout(patience).Should(Succeed())
	}
}

// Policies are the cluster's.
var _ = alone("with the policies of Deployments switched off, the webhook refuses the same, and says what was changed",
	Label("guards", "not-changing", "scenario-22"), func(ctx context.Context, w *world) {
		w.goLiveUnasked(ctx, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
	}, func(ctx context.Context, w *world) {
		w.startLoad(ctx, 40)
		w.leaveGuards(ctx)
		for _, name := range []string{"strata-deployments", "strata-scale"} {
			binding := &admissionv1.ValidatingAdmissionPolicyBinding{}
			Expect(w.Client.Get(ctx, types.NamespacedName{Name: name}, binding)).To(Succeed())
			Expect(w.Client.Delete(ctx, binding)).To(Succeed())
		}
		deployment := &appsv1.Deployment{}
		key := types.NamespacedName{Namespace: w.namespace, Name: harness.ReleaseName("1.0.0") + "-web"}
		Expect(w.Client.Get(ctx, key, deployment)).To(Succeed())
		for change, says := range map[string]string{
			`{"spec":{"minReadySeconds":9}}`:                   "spec.minReadySeconds: 2 -> 9",
			`{"metadata":{"annotations":{"note":"hello"}}}`:    "metadata.annotations.note",
			`{"spec":{"template":{"spec":{"hostPID":true}}}}`:  "spec.template.spec.hostPID",
			`{"metadata":{"finalizers":["example.com/stay"]}}`: "metadata.finalizers",
		} {
			// The policy is forgotten a moment after its binding: then the webhook answers.
			Eventually(ctx, func() error {
				return w.Client.Patch(ctx, deployment.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(change)))
			}).Should(MatchError(And(ContainSubstring("admission webhook"), ContainSubstring("STRATA-01"), ContainSubstring(says))), change)
		}
		after := &appsv1.Deployment{}
		Expect(w.Client.Get(ctx, key, after)).To(Succeed())
		Expect(after.Generation).To(Equal(deployment.Generation))
	})
