package stories

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

// theirs is somebody's object that has the name of something that Strata makes.
type theirs struct {
	object client.Object
	reason string
	world  *world
}

// somebodysObjects have the names of what release 2.0.0 would own.
func somebodysObjects() []theirs {
	pod := corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "theirs"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "theirs:latest"}}},
	}
	jobPod := *pod.DeepCopy()
	jobPod.Spec.RestartPolicy = corev1.RestartPolicyNever
	return []theirs{
		{reason: "NameTaken", object: &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "shop-2-0-0-web"}, Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](0), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "theirs"}}, Template: pod,
		}}},
		{reason: "NameTaken", object: &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "shop-2-0-0-web"}, Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "theirs"}, Ports: []corev1.ServicePort{{Port: 80}},
		}}},
		{reason: "NameTaken", object: &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "shop-2-0-0-smoke-1"}, Spec: batchv1.JobSpec{Template: jobPod}}},
		{reason: "NameTaken", object: &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: "shop-2-0-0-seal"}, Data: runtime.RawExtension{Raw: []byte(`{"theirs":true}`)}}},
		{reason: "RouteNameTaken", object: &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Name: "shop-public"}}},
	}
}

// What is in a release's way and nobody tells the operator of is looked at every
// 10 s: these stories wait together.
var _ = Describe("what is in the way of a release", Ordered, func() {
	all := somebodysObjects()
	var unsettled *world

	BeforeAll(func(ctx SpecContext) {
		for i := range all {
			t := &all[i]
			t.world = open(ctx)
			t.world.PlayTests(t.world.namespace, func(job *batchv1.Job) cluster.Test { return cluster.Test{Hangs: job.Labels[v1alpha1.LabelTest] == ""} })
			t.object.SetNamespace(t.world.namespace)
			t.world.create(ctx, t.object)
			t.world.untilPlayed(ctx, t.object)
			t.world.startOperator()
			t.world.create(ctx, t.world.track(), t.world.release("2.0.0", t.world.Test("smoke", v1alpha1.BeforeTraffic, 60)))
		}
		unsettled = open(ctx)
		unsettled.startOperator()
		unsettled.goLive(ctx, unsettled.track(), unsettled.release("1.0.0"))
		unsettled.create(ctx, unsettled.release("2.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "settings")))
	})

	for i := range all {
		t := &all[i]
		It("is somebody's "+kindOf(t.object)+", which is named, and left alone", func(ctx SpecContext) {
			name := t.object.GetName()
			t.world.untilRelease(ctx, "2.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False "+t.reason), ContainSubstring(name), ContainSubstring(kindOf(t.object))))
			t.world.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True "+t.reason), ContainSubstring(name)))
			live := t.object.DeepCopyObject().(client.Object)
			t.world.get(ctx, live, name)
			Expect(live.GetResourceVersion()).To(Equal(t.object.GetResourceVersion()), "somebody's %s was touched", kindOf(live))
		})
	}

	It("is a ConfigMap that is missing, which release and track say", func(ctx SpecContext) {
		w := unsettled
		w.untilRelease(ctx, "2.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False ConfigMissing"), ContainSubstring("settings")))
		w.untilRelease(ctx, "2.0.0", v1alpha1.ConditionSealed, HavePrefix("Sealed=False ConfigMissing"))
		w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True ConfigMissing"), ContainSubstring("settings")))
		w.untilTrack(ctx, v1alpha1.ConditionReady, HavePrefix("Ready=False Preparing"))
		Expect(w.deployments(ctx, "2.0.0")).To(BeEmpty())
		Expect(w.weights(ctx)).To(Equal("1.0.0:100"))
	})

	It("is gone, and the release goes on by itself within 10 s", func(ctx SpecContext) {
		for _, t := range all {
			live := t.object.DeepCopyObject().(client.Object)
			t.world.get(ctx, live, t.object.GetName())
			Expect(live.GetResourceVersion()).To(Equal(t.object.GetResourceVersion()), "somebody's %s was touched", kindOf(live))
			Expect(t.world.Client.Delete(ctx, live, client.PropagationPolicy("Background"))).To(Succeed())
		}
		unsettled.create(ctx, unsettled.configMap("settings", "hello"))
		free := time.Now()
		for _, w := range append([]*world{unsettled}, worldsOf(all)...) {
			w.untilSettled(ctx, "2.0.0")
			w.expectIntact(ctx)
			opened := w.untilRecord(ctx, "2.0.0", v1alpha1.EventWeightSet).Spec.Time.Time
			Expect(opened).To(BeTemporally("<", free.Add(15*time.Second)))
		}
	})
})

func worldsOf(all []theirs) []*world {
	var worlds []*world
	for _, t := range all {
		worlds = append(worlds, t.world)
	}
	return worlds
}

func kindOf(object client.Object) string {
	scheme, err := harness.Scheme()
	Expect(err).NotTo(HaveOccurred())
	kinds, _, err := scheme.ObjectKinds(object)
	Expect(err).NotTo(HaveOccurred())
	return kinds[0].Kind
}

// untilPlayed waits until the played controllers have reported on an object for
// the last time, and reads it.
func (w *world) untilPlayed(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(w.Client.Get(ctx, client.ObjectKeyFromObject(object), object)).To(Succeed())
		switch o := object.(type) {
		case *appsv1.Deployment:
			g.Expect(o.Status.Conditions).NotTo(BeEmpty())
		case *batchv1.Job:
			g.Expect(o.Status.StartTime).NotTo(BeNil())
		}
	}).Should(Succeed())
}

var _ = story("a frozen copy whose name somebody's object has stalls the release, and that object stays", func(ctx context.Context, w *world) {
	By("the name that the copy gets")
	other := open(ctx)
	other.startOperator()
	other.create(ctx, other.configMap("settings", "hello"))
	other.goLive(ctx, other.track(), other.release("1.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "settings")))
	copies, _ := other.copies(ctx, "1.0.0")

	squatter := w.configMap(copies[0].Name, "squatted")
	w.create(ctx, w.configMap("settings", "hello"), squatter, w.track(), w.release("1.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "settings")))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False"), ContainSubstring(squatter.Name), ContainSubstring("left alone")))
	live := &corev1.ConfigMap{}
	w.get(ctx, live, squatter.Name)
	Expect(live.ResourceVersion).To(Equal(squatter.ResourceVersion))
	Expect(w.Client.Delete(ctx, live)).To(Succeed())
	w.untilSettled(ctx, "1.0.0")
})
