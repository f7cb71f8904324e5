package controllers

import (
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/strata-release/strata/api/v1alpha1"
)

// scaled gives web an autoscaler and a PodDisruptionBudget, and the release a worker.
func scaled(spec *v1alpha1.ImmutableReleaseSpec) {
	web := &spec.Components[0]
	web.Autoscaling = &v1alpha1.ComponentAutoscaling{MinReplicas: 2, MaxReplicas: 5}
	web.Disruption = &v1alpha1.ComponentDisruption{MaxUnavailable: ptr.To(intstr.FromInt32(1))}
	worker := v1alpha1.Component{Name: "worker", Replicas: 1, Template: web.Template}
	spec.Components = append(spec.Components, worker)
}

func (b *bench) replicas(deployment string) int32 {
	b.Helper()
	d := &appsv1.Deployment{}
	b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: deployment}, d))
	return *d.Spec.Replicas
}

// autoscale is the autoscaler of a Deployment.
func (b *bench) autoscale(deployment string, replicas int32) {
	b.Helper()
	d := &appsv1.Deployment{}
	b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: deployment}, d))
	d.Spec.Replicas = &replicas
	b.must(b.api.Update(b.Context(), d))
	b.play()
}

func (b *bench) expectBounds(autoscaler string, least, most int32) {
	b.Helper()
	a := &autoscalingv2.HorizontalPodAutoscaler{}
	b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: autoscaler}, a))
	if *a.Spec.MinReplicas != least || a.Spec.MaxReplicas != most {
		b.Errorf("%s is bound to %d and %d, want %d and %d", autoscaler, *a.Spec.MinReplicas, a.Spec.MaxReplicas, least, most)
	}
}

func (b *bench) expectReplicas(deployment string, want int32) {
	b.Helper()
	if got := b.replicas(deployment); got != want {
		b.Errorf("%s has %d replicas, want %d", deployment, got, want)
	}
}

// An autoscaler, a PodDisruptionBudget and a worker live as long as their release,
// and are as large as the records say.
func TestAutoscaledRelease(t *testing.T) {
	b := newBench(t)
	b.publish("1.0", scaled)
	b.settle("shop-1.0")
	b.expectBounds("shop-1.0-web", 2, 5)
	b.expectReplicas("shop-1.0-worker", 1)

	b.now = b.now.Add(10 * time.Minute)
	b.writes = nil
	for _, size := range []int32{5, 3, 4} {
		b.autoscale("shop-1.0-web", size)
		b.pass(2)
	}
	if len(b.writes) != 0 {
		t.Errorf("an autoscaler that scales a settled track costs writes: %v", b.writes)
	}

	b.publish("2.0", scaled)
	b.settle("shop-2.0")
	b.pass(2)
	b.expectReplicas("shop-2.0-web", 4)
	b.expectBounds("shop-1.0-web", 4, 5)
	b.expectBounds("shop-2.0-web", 4, 5)
	b.expectReplicas("shop-1.0-worker", 0)
	b.expectReplicas("shop-2.0-worker", 1)

	at := metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-2.0-web"}
	b.must(b.api.Delete(b.Context(), &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: at}), b.api.Delete(b.Context(), &policyv1.PodDisruptionBudget{ObjectMeta: at}))
	b.pass(2)
	b.expectBounds("shop-2.0-web", 4, 5)
	b.now = b.now.Add(10 * time.Minute)
	b.pass(2)
	b.expectBounds("shop-2.0-web", 2, 5)

	b.writes = nil
	b.publish("3.0", scaled)
	b.settle("shop-3.0")
	b.pass(3)
	last := -1
	for _, gone := range []string{
		"delete *v2.HorizontalPodAutoscaler shop-1.0-web", "delete *v1.Deployment shop-1.0-web",
		"delete *v1.Deployment shop-1.0-worker", "delete *v1.PodDisruptionBudget shop-1.0-web", "delete *v1.Service shop-1.0-web",
	} {
		at := slices.Index(b.writes, gone)
		if at <= last || b.count(gone) != 1 {
			t.Errorf("not once, or not in this order: %s in %v", gone, b.writes)
		}
		last = at
	}
}

// What an autoscaler measures asks nobody to look; what somebody writes does.
func TestReportsOfAutoscalersAreNotLookedAt(t *testing.T) {
	old := &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-1.0-web", ResourceVersion: "1"},
		Spec:       autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 3},
	}
	for name, c := range map[string]struct {
		change func(*autoscalingv2.HorizontalPodAutoscaler)
		want   bool
	}{
		"measured": {func(a *autoscalingv2.HorizontalPodAutoscaler) { a.Status.CurrentReplicas, a.ResourceVersion = 2, "2" }, false},
		"bounded":  {func(a *autoscalingv2.HorizontalPodAutoscaler) { a.Spec.MaxReplicas = 4 }, true},
		"stamped":  {func(a *autoscalingv2.HorizontalPodAutoscaler) { a.Annotations = map[string]string{"a": "b"} }, true},
	} {
		changed := old.DeepCopy()
		c.change(changed)
		if got := written.Update(event.UpdateEvent{ObjectOld: old, ObjectNew: changed}); got != c.want {
			t.Errorf("%s: looked at: %t", name, got)
		}
	}
}

// Somebody else's autoscaler is left alone, and said.
func TestAutoscalerOfSomebodyElse(t *testing.T) {
	b := newBench(t)
	b.store(&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-1.0-web"}})
	b.publish("1.0", scaled)
	b.pass(5)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True NameTaken", "HorizontalPodAutoscaler shop-1.0-web is not of this release")
}
