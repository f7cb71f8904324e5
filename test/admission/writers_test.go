package admission

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/attempts"
)

var _ = Describe("A writer that a policy names", Ordered, func() {
	var w *attempts.World
	var namespace *corev1.Namespace
	var pod *corev1.Pod
	proxy := strings.Replace(image, "aaaa", "cccc", 1)
	// With all rights: what is tried is what the guards let it do.
	user := func(name string) client.Client {
		return as(rest.ImpersonationConfig{UserName: name, Groups: []string{"system:masters"}})
	}
	note := func() {
		GinkgoHelper()
		noteTrack(namespace.Name)
	}
	BeforeAll(func() {
		w = running("written-1")
		namespace = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
		pod = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Pod}}
		policy := object("", `
apiVersion: strata.dev/v1alpha1
kind: ReleasePolicy
metadata: {name: `+w.Namespace+`-writers}
spec:
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: `+w.Namespace+`}}
  writers:
  - {name: network, type: PodAnnotator, podAnnotator: {username: "the cni", annotations: [cni.example.com/podIP, cni.example.com/podIPs]}}
  - {name: keda, type: Scaler, scaler: {username: keda, target: Replicas}}
  - {name: vpa, type: Scaler, scaler: {username: vpa, target: Resources}}
  - {name: mesh, type: SidecarInjector, sidecarInjector: {images: ["`+proxy+`"]}}
  - {name: alb, type: ReadinessGate, readinessGate: {username: "the alb", domain: target-health.elbv2.k8s.aws}}
`)
		Expect(admin.Create(ctx, policy)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, policy)).To(Succeed()) })
		note()
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		Expect(strings.Split(namespace.Annotations[v1alpha1.AnnotationWriters], "\n")).To(ConsistOf(
			"annotate cni.example.com/podIP the cni", "annotate cni.example.com/podIPs the cni", "scale keda", "resize vpa", "inject "+proxy, "gate target-health.elbv2.k8s.aws the alb"))
	})

	It("annotates pods, by themselves and by their status, with its own keys and nothing else", func() {
		cni := user("the cni")
		mine := `{"metadata":{"annotations":{"cni.example.com/podIP":"10.0.0.7/32"}}}`
		Eventually(func() error { return cni.Patch(ctx, pod, mergePatch(mine)) }).Should(Succeed())
		Expect(cni.Status().Patch(ctx, pod, mergePatch(`{"metadata":{"annotations":{"cni.example.com/podIPs":"10.0.0.7/32"}}}`))).To(Succeed())
		Expect(pod.Annotations).To(And(HaveKey("cni.example.com/podIP"), HaveKey("cni.example.com/podIPs")))
		Expect(cni.Patch(ctx, pod, mergePatch(`{"metadata":{"annotations":{"cni.example.com/podIP":null}}}`))).To(Succeed())

		for _, patch := range []string{
			`{"metadata":{"annotations":{"cni.example.com/podIP":"x","other":"y"}}}`, `{"metadata":{"annotations":{"strata.dev/images":null}}}`,
			`{"metadata":{"labels":{"cni.example.com/podIP":"x"}}}`, `{"metadata":{"finalizers":["example.com/stay"]}}`, `{"metadata":{"ownerReferences":null}}`,
			`{"spec":{"activeDeadlineSeconds":1},"metadata":{"annotations":{"cni.example.com/podIP":"x"}}}`,
		} {
			Expect(cni.Patch(ctx, pod, mergePatch(patch))).To(MatchError(ContainSubstring("STRATA-018")), patch)
		}
		for _, patch := range []string{`{"status":{"message":"x"},"metadata":{"annotations":{"cni.example.com/podIP":"x"}}}`, `{"metadata":{"annotations":{"other":"y"}}}`} {
			Expect(cni.Status().Patch(ctx, pod, mergePatch(patch))).To(MatchError(ContainSubstring("STRATA-015")), patch)
		}
		for _, other := range []string{"keda", "cni"} {
			Expect(user(other).Patch(ctx, pod, mergePatch(mine))).To(MatchError(ContainSubstring("STRATA-018")), other)
			Expect(user(other).Status().Patch(ctx, pod, mergePatch(mine))).To(MatchError(ContainSubstring("STRATA-015")), other)
		}
	})

	It("writes the readiness gates of pods that have them, and nothing else", func() {
		gate := "target-health.elbv2.k8s.aws/k8s-shop-web"
		gatedPod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "gated", Labels: map[string]string{v1alpha1.LabelRelease: w.Release}, Annotations: map[string]string{v1alpha1.AnnotationImages: image}}}
		gatedPod.Spec.Containers = []corev1.Container{{Name: "app", Image: image}}
		gatedPod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(gate)}, {ConditionType: "example.com/other"}}
		// The gates come with the pod, as a webhook adds them: nothing is against that.
		Expect(controllerOf("replicaset-controller").Create(ctx, gatedPod)).To(Succeed())
		conditions := func(kind string) client.Patch {
			return client.RawPatch(types.StrategicMergePatchType, []byte(`{"status":{"conditions":[{"type":"`+kind+`","status":"True","reason":"Healthy"}]}}`))
		}
		alb := user("the alb")
		Eventually(func() error { return alb.Status().Patch(ctx, gatedPod, conditions(gate)) }).Should(Succeed())
		Expect(gatedPod.Status.Conditions).To(ContainElement(HaveField("Reason", "Healthy")))
		for _, kind := range []string{"Ready", "example.com/other", "target-health.elbv2.k8s.aws/not-its-gate"} {
			Expect(alb.Status().Patch(ctx, gatedPod.DeepCopy(), conditions(kind))).To(MatchError(ContainSubstring("STRATA-015")), kind)
		}
		for _, patch := range []string{
			`{"status":{"phase":"Running","conditions":[{"type":"` + gate + `","status":"False"}]}}`, `{"status":{"podIP":"10.0.0.7"}}`, `{"status":{"message":"x"}}`,
			`{"status":{"containerStatuses":[{"name":"app","ready":true,"image":"x","imageID":"y","restartCount":0}]}}`, `{"metadata":{"labels":{"x":"y"}}}`, `{"metadata":{"annotations":{"x":"y"}}}`,
		} {
			Expect(alb.Status().Patch(ctx, gatedPod.DeepCopy(), client.RawPatch(types.StrategicMergePatchType, []byte(patch)))).To(MatchError(ContainSubstring("STRATA-015")), patch)
		}
		closed := client.RawPatch(types.StrategicMergePatchType, []byte(`{"status":{"conditions":[{"type":"`+gate+`","status":"False"}]}}`))
		Expect(user("the cni").Status().Patch(ctx, gatedPod.DeepCopy(), closed)).To(MatchError(ContainSubstring("STRATA-015")))
		Expect(alb.Status().Patch(ctx, pod.DeepCopy(), conditions(gate))).To(MatchError(ContainSubstring("STRATA-015")), "a pod without the gate")
	})

	It("scales components, and nothing else", func() {
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Release + "-web"}}
		scale := func(by string, object client.Object) error {
			return user(by).SubResource("scale").Update(ctx, object, client.WithSubResourceBody(&autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 7}}))
		}
		Eventually(func() error { return scale("keda", deployment) }).Should(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
		Expect(deployment.Spec.Replicas).To(HaveValue(BeEquivalentTo(7)))
		Expect(scale("keda", &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.ReplicaSet}})).To(MatchError(ContainSubstring("STRATA-012")))
		Expect(user("keda").Patch(ctx, deployment, mergePatch(`{"spec":{"replicas":9}}`))).To(MatchError(ContainSubstring("STRATA-010")))
		Expect(user("vpa").SubResource("scale").Patch(ctx, deployment, mergePatch(`{"spec":{"replicas":9}}`))).To(MatchError(ContainSubstring("STRATA-012")))
	})

	It("changes the resources of running pods, and nothing else", func() {
		patch := mergePatch(`{"spec":{"containers":[{"name":"app","image":"` + image + `","resources":{"requests":{"cpu":"6m","memory":"12Mi"}}}]}}`)
		Eventually(func() error { return user("vpa").SubResource("resize").Patch(ctx, pod, patch) }).Should(Succeed())
		Expect(pod.Spec.Containers[0].Resources.Requests.Cpu().MilliValue()).To(BeEquivalentTo(6))
		other := mergePatch(`{"spec":{"containers":[{"name":"app","image":"` + image + `","resources":{"requests":{"cpu":"7m","memory":"12Mi"}}}]}}`)
		Expect(user("keda").SubResource("resize").Patch(ctx, pod, other)).To(MatchError(ContainSubstring("STRATA-022")))
		guaranteed := mergePatch(`{"spec":{"containers":[{"name":"app","image":"` + image + `","resources":{"requests":{"cpu":"7m","memory":"12Mi"},"limits":{"cpu":"7m","memory":"12Mi"}}}]}}`)
		Expect(user("keda").SubResource("resize").Patch(ctx, pod, guaranteed)).To(MatchError(And(ContainSubstring("STRATA-022"), ContainSubstring("(UPDATE pods/resize)"), ContainSubstring("release "+w.Release))))
		err := user("vpa").SubResource("resize").Patch(ctx, pod, guaranteed)
		Expect(apierrors.IsInvalid(err)).To(BeTrue(), "it may resize, and is told by the API server why this is no size: %v", err)
	})

	It("adds containers of its images, and replaces none", func() {
		injected := func(images ...string) error {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "injected", Labels: map[string]string{v1alpha1.LabelRelease: w.Release}, Annotations: map[string]string{v1alpha1.AnnotationImages: image}}}
			for i, image := range images {
				pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "c" + string(rune('0'+i)), Image: image})
			}
			pod.Spec.InitContainers = []corev1.Container{{Name: "init", Image: images[len(images)-1]}}
			return controllerOf("replicaset-controller").Create(ctx, pod, client.DryRunAll)
		}
		Eventually(func() error { return injected(image, proxy) }).Should(Succeed())
		Expect(injected(image, proxy, strings.Replace(image, "aaaa", "dddd", 1))).To(MatchError(And(ContainSubstring("STRATA-044"), ContainSubstring("container c2 "), ContainSubstring("spec.writers"))))
		Expect(injected(image, strings.Split(proxy, "@")[0])).To(MatchError(And(ContainSubstring("STRATA-044"), ContainSubstring("container c1 "))))
		Expect(injected(proxy)).To(MatchError(And(ContainSubstring("STRATA-044"), ContainSubstring("image "+image+" of release "+w.Release+" was replaced"))))
	})

	It("is named by the operator alone, which writes nothing else of a namespace", func() {
		for _, patch := range []string{`{"metadata":{"annotations":{"strata.dev/writers":"scale mallory"}}}`, `{"metadata":{"annotations":{"strata.dev/writers":null}}}`, `{"metadata":{"annotations":{"strata.dev/other":"x"}}}`} {
			Expect(admin.Patch(ctx, namespace.DeepCopy(), mergePatch(patch))).To(MatchError(And(ContainSubstring("STRATA-054"), ContainSubstring(w.Namespace))), patch)
		}
		Expect(admin.Patch(ctx, namespace.DeepCopy(), mergePatch(`{"metadata":{"annotations":{"team":"shop"}}}`))).To(Succeed())
		for _, patch := range []string{`{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`, `{"metadata":{"annotations":{"team":null}}}`, `{"metadata":{"finalizers":["example.com/stay"]}}`} {
			Expect(operator.Patch(ctx, namespace.DeepCopy(), mergePatch(patch))).To(MatchError(ContainSubstring("STRATA-055")), patch)
		}
	})

	It("may do nothing any more once a policy leaves it out", func() {
		policy := object("", "apiVersion: strata.dev/v1alpha1\nkind: ReleasePolicy\nmetadata: {name: "+w.Namespace+"-none}\nspec: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "+w.Namespace+"}}, writers: []}\n")
		Expect(admin.Create(ctx, policy)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, policy)).To(Succeed()) })
		note()
		Eventually(func() error {
			return user("the cni").Patch(ctx, pod, mergePatch(`{"metadata":{"annotations":{"cni.example.com/podIP":"new"}}}`))
		}).
			Should(MatchError(ContainSubstring("STRATA-018")))
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)).To(Succeed())
		Expect(namespace.Annotations).NotTo(HaveKey(v1alpha1.AnnotationWriters))
	})
})
