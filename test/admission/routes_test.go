package admission

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/traffic/istio"
	"github.com/strata-release/strata/controllers/traffic/traefik"
	"github.com/strata-release/strata/test/attempts"
)

// running makes a release that runs, as the operator and the controllers of
// Kubernetes would, in a guarded namespace.
func running(release string) *attempts.World {
	GinkgoHelper()
	track := "shop"
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "guarded-", Labels: map[string]string{v1alpha1.LabelGuarded: "true"}}}
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	w := &attempts.World{
		Namespace: namespace.Name, Track: track, Release: release, Record: track + "-000001",
		ReplicaSet: release + "-web-5d8f", Pod: release + "-web-5d8f-x", Tested: release, Job: release + "-smoke-1", JobPod: release + "-smoke-1-x",
		ConfigMap: release + "-settings-0011223344556677", Secret: release + "-keys-0011223344556677",
		StableService: "shop-api", Ingress: "shop-public", TraefikService: "shop-legs", VirtualService: "shop-mesh", EndpointSlice: release + "-web-abc", Node: "local", OperatorPod: "strata-manager-0",
	}
	Expect(w.Connect(config)).To(Succeed())
	labels := map[string]string{v1alpha1.LabelTrack: track, v1alpha1.LabelRelease: release, v1alpha1.LabelComponent: "web"}
	child := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace.Name, Name: name, Labels: labels, OwnerReferences: ownedBy(release)}
	}
	by := func(kind, name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, UID: "f0f1", Controller: ptr.To(true)}}
	}
	pod := corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways, Containers: []corev1.Container{{Name: "app", Image: image, Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("5m"), corev1.ResourceMemory: resource.MustParse("12Mi")},
	}}}}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{v1alpha1.AnnotationImages: image}}, Spec: pod}
	once := *template.DeepCopy()
	once.Spec.RestartPolicy = corev1.RestartPolicyNever
	deployment := versioned(namespace.Name, release, "web")
	deployment.Labels, deployment.Spec.Template, deployment.Spec.Selector.MatchLabels = labels, template, labels

	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "local"}}
	Expect(client.IgnoreAlreadyExists(admin.Create(ctx, node))).To(Succeed())
	Expect(client.IgnoreAlreadyExists(controllerOf("replicaset-controller").Create(ctx, impostor("strata-manager-0")))).To(Succeed())
	// The operator makes none yet; before there is a track anybody may, as a restore does.
	Expect(admin.Create(ctx, &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: w.Ingress, Labels: map[string]string{v1alpha1.LabelTrack: track, v1alpha1.LabelRoute: "public"}},
		Spec:       networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: "shop.example.com"}}},
	})).To(Succeed())
	for kind, spec := range map[schema.GroupVersionKind]map[string]any{
		traefik.Router.Kind: {"weighted": map[string]any{"services": []any{map[string]any{"name": release + "-web", "port": int64(80)}}}},
		istio.Router.Kind:   {"hosts": []any{"shop.example.com"}},
	} {
		object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
		object.SetGroupVersionKind(kind)
		object.SetNamespace(namespace.Name)
		object.SetName(map[string]string{"TraefikService": w.TraefikService, "VirtualService": w.VirtualService}[kind.Kind])
		object.SetLabels(map[string]string{v1alpha1.LabelTrack: track, v1alpha1.LabelRoute: strings.ToLower(kind.Kind)})
		Expect(admin.Create(ctx, object)).To(Succeed())
	}
	Expect(admin.Create(ctx, newTrack(namespace.Name, track))).To(Succeed())
	noteTrack(namespace.Name)
	rel := newRelease(namespace.Name, release, track, "1")
	Expect(admin.Create(ctx, rel)).To(Succeed())
	Expect(operator.Patch(ctx, rel, mergePatch(putMark))).To(Succeed())

	service := corev1.ServiceSpec{Selector: map[string]string{v1alpha1.LabelRelease: release, v1alpha1.LabelComponent: "web"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}}}
	stable := metav1.ObjectMeta{Namespace: namespace.Name, Name: w.StableService, Labels: map[string]string{v1alpha1.LabelTrack: track, v1alpha1.LabelRoute: "internal"}}
	record := newRecord(namespace.Name, track, 1)
	for who, objects := range map[string][]client.Object{
		"": {
			deployment, record,
			&corev1.Service{ObjectMeta: child(release + "-web"), Spec: service},
			&corev1.Service{ObjectMeta: stable, Spec: service},
			&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: child(release + "-web"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: release + "-web"}, MinReplicas: ptr.To[int32](2), MaxReplicas: 4,
			}},
			&policyv1.PodDisruptionBudget{ObjectMeta: child(release + "-web"), Spec: policyv1.PodDisruptionBudgetSpec{
				Selector: &metav1.LabelSelector{MatchLabels: service.Selector}, MaxUnavailable: ptr.To(intstr.FromInt32(1)),
			}},
			&corev1.ConfigMap{ObjectMeta: child(w.ConfigMap), Immutable: ptr.To(true), Data: map[string]string{"theme": "dark"}},
			&corev1.Secret{ObjectMeta: child(w.Secret), Immutable: ptr.To(true), Data: map[string][]byte{"token": []byte("t")}},
			&appsv1.ControllerRevision{ObjectMeta: child(release + "-seal"), Revision: 1, Data: runtime.RawExtension{Raw: []byte(`{"a":1}`)}},
			&batchv1.Job{ObjectMeta: child(w.Job), Spec: batchv1.JobSpec{Template: once}},
		},
		"deployment-controller": {&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: w.ReplicaSet, Labels: labels, OwnerReferences: by("Deployment", release+"-web")},
			Spec: appsv1.ReplicaSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: template}}},
		"replicaset-controller": {&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: w.Pod, Labels: labels, Annotations: template.Annotations, OwnerReferences: by("ReplicaSet", w.ReplicaSet)}, Spec: pod}},
		"job-controller":        {&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: w.JobPod, Labels: labels, Annotations: template.Annotations, OwnerReferences: by("Job", w.Job)}, Spec: once.Spec}},
		"endpointslice-controller": {&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: namespace.Name, Name: w.EndpointSlice, Labels: map[string]string{discoveryv1.LabelServiceName: release + "-web"}},
			AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.244.0.7"}}},
		}},
		"endpoint-controller": {&corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: release + "-web"}}}, //nolint:staticcheck // still written, still read
	} {
		writer := operator
		if who != "" {
			writer = controllerOf(who)
		}
		for _, object := range objects {
			Expect(writer.Create(ctx, object)).To(Succeed(), "%s creates %T %s", who, object, object.GetName())
		}
	}
	Expect(w.Prepare(ctx)).To(Succeed())
	return w
}

// untilSeen waits until the policies see the Services, the track and the release that
// they look at.
func untilSeen(w *attempts.World) {
	GinkgoHelper()
	Eventually(func(g Gomega) {
		slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "probe", Labels: map[string]string{discoveryv1.LabelServiceName: w.StableService}}, AddressType: discoveryv1.AddressTypeIPv4}
		g.Expect(admin.Create(ctx, slice, client.DryRunAll)).To(MatchError(ContainSubstring("STRATA-038")))
		stable := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.StableService}}
		g.Expect(admin.Delete(ctx, stable, client.DryRunAll)).To(MatchError(ContainSubstring("STRATA-037")))
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
		g.Expect(admin.Patch(ctx, namespace, mergePatch(`{"metadata":{"labels":{"strata.dev/guarded":null}}}`), client.DryRunAll)).To(MatchError(ContainSubstring("STRATA-053")))
	}).Should(Succeed())
}

// tryAll makes every attempt and fails once, with all that went wrong.
func tryAll(w *attempts.World) {
	GinkgoHelper()
	all := w.Attempts()
	wrong := w.RunAll(ctx, all)
	AddReportEntry(fmt.Sprintf("%d attempts", len(all)))
	Expect(wrong).To(BeEmpty(), "%d of %d:\n%s", len(wrong), len(all), strings.Join(wrong, "\n"))
}

// withAllRights is a controller of Kubernetes that RBAC lets do everything: what is
// tried is what the guards let it do.
func withAllRights(controller string) client.Client {
	return as(rest.ImpersonationConfig{UserName: "system:serviceaccount:kube-system:" + controller, Groups: []string{"system:masters"}})
}

// heldCRD is marked while a release is held.
func heldCRD() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	object.SetName(attempts.HeldCRD)
	return object
}

var _ = Describe("Every route of the table", Ordered, Serial, func() {
	var w *attempts.World
	BeforeAll(func() {
		w = running("shop-1")
		Expect(operator.Patch(ctx, heldCRD(), mergePatch(putMark))).To(Succeed())
		DeferCleanup(func() { Expect(operator.Patch(ctx, heldCRD(), mergePatch(liftMark))).To(Succeed()) })
		untilSeen(w)
	})

	It("is closed to a cluster administrator, by every kind of patch, dry or in earnest, and always with a 403", func() {
		w.Explained = true
		tryAll(w)
	})

	It("is closed also while the webhook is away", func() {
		endWebhook()
		DeferCleanup(func() { startWebhook(); waitUntilGuarded() })
		w.Explained = false
		tryAll(w)
	})

	It("has every rule of the table tried", func() {
		tried, invalid := map[string]bool{}, map[string]bool{}
		for _, attempt := range w.Attempts() {
			for _, rule := range attempt.Rules() {
				tried[rule] = true
				invalid[rule] = invalid[rule] || attempt.MayBeInvalid()
			}
		}
		// Tried by specs of their own: where releases live, who may do what, records that
		// somebody creates, annotations of our kinds, what an injector adds, what the
		// operator writes to namespaces, what a BreakGlass opens, and templates of tracks.
		for _, elsewhere := range []string{"STRATA-001", "STRATA-005", "STRATA-009", "STRATA-044", "STRATA-045", "STRATA-046", "STRATA-047", "STRATA-055", "STRATA-056", "STRATA-057", "STRATA-058"} {
			tried[elsewhere], invalid[elsewhere] = true, elsewhere == "STRATA-047"
		}
		for _, route := range guards.Table {
			for _, rule := range route.Rules {
				Expect(tried).To(HaveKey(rule.ID), route.Ways)
				Expect(invalid[rule.ID]).To(Equal(rule.Invalid != ""), "what docs/guards.md says of the 422 of %s is what is tried", rule.ID)
			}
		}
	})

	It("leaves open what is no change: evicting and deleting pods, and all that controllers do", func() {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Pod}}
		Expect(admin.SubResource("eviction").Create(ctx, pod, &policyv1.Eviction{DeleteOptions: &metav1.DeleteOptions{DryRun: []string{metav1.DryRunAll}}})).To(Succeed())
		Expect(admin.Delete(ctx, pod, client.DryRunAll)).To(Succeed())
		Expect(admin.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(w.Namespace), client.DryRunAll)).To(Succeed())
		slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.EndpointSlice}}
		Expect(withAllRights("endpointslice-controller").Patch(ctx, slice, mergePatch(`{"endpoints":[]}`))).To(Succeed())
		Expect(withAllRights("generic-garbage-collector").Delete(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Release + "-web"}}, client.DryRunAll)).To(Succeed())
		Expect(withAllRights("namespace-controller").DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(w.Namespace), client.DryRunAll)).To(Succeed())
		Expect(withAllRights("replicaset-controller").Patch(ctx, pod, mergePatch(`{"metadata":{"ownerReferences":null}}`), client.DryRunAll)).To(Succeed())
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
		Expect(admin.Delete(ctx, namespace, client.DryRunAll)).To(Succeed())
		Expect(admin.Patch(ctx, namespace, mergePatch(`{"metadata":{"labels":{"team":"checkout"}}}`))).To(Succeed())
	})

	It("lets go of the route of a track that is gone, and of what a release left behind", func() {
		other := newNamespace()
		stable := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: other, Name: "shop-api", Labels: map[string]string{v1alpha1.LabelTrack: "gone", v1alpha1.LabelRoute: "internal"}},
			Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}}}
		Expect(operator.Create(ctx, stable)).To(Succeed())
		Expect(admin.Patch(ctx, stable, mergePatch(`{"spec":{"selector":{"app":"mine"}}}`))).To(Succeed())
		orphan := versioned(other, "gone-1", "web")
		orphan.OwnerReferences = nil
		Expect(admin.Create(ctx, orphan)).To(Succeed(), "as a restore does, before the track is there")
		Expect(admin.Patch(ctx, orphan, mergePatch(`{"spec":{"minReadySeconds":5}}`))).To(Succeed())
		Expect(admin.Delete(ctx, orphan)).To(Succeed())
	})

	It("keeps what an injector adds out of the pods of a release, and says which container", func() {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "injected", Labels: map[string]string{v1alpha1.LabelRelease: w.Release}, Annotations: map[string]string{v1alpha1.AnnotationImages: image}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}, {Name: "istio-proxy", Image: strings.Replace(image, "aaaa", "bbbb", 1)}}},
		}
		replicaSets := controllerOf("replicaset-controller")
		Expect(replicaSets.Create(ctx, pod.DeepCopy())).To(MatchError(And(ContainSubstring("STRATA-044"), ContainSubstring("container istio-proxy"), ContainSubstring("release "+w.Release))))
		pod.Annotations = nil // sealed before images were listed
		pod.Spec.Containers[1].Image = "docker.io/istio/proxyv2:1.2"
		Expect(replicaSets.Create(ctx, pod.DeepCopy())).To(MatchError(And(ContainSubstring("STRATA-044"), ContainSubstring("container istio-proxy"))))
		pod.Spec.Containers = pod.Spec.Containers[:1]
		Expect(replicaSets.Create(ctx, pod, client.DryRunAll)).To(Succeed())
	})
})
