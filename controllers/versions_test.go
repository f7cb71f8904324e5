package controllers

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// observed looks at the world as a reconcile does.
func (b *bench) observed() *world {
	b.Helper()
	w, err := b.loop.observe(b.Context(), shop, reading{})
	b.must(err)
	return w
}

// meddle changes an object behind the back of whoever has observed it.
func (b *bench) meddle(object client.Object, name string, change func()) {
	b.Helper()
	b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: name}, object))
	change()
	b.must(b.api.Update(b.Context(), object))
}

// Every write is of the object as it was observed: where that has changed since, it
// is refused, read again, and nothing is lost.
func TestWritesAreOfWhatWasObserved(t *testing.T) {
	web := rollout.ScaleComponent{Release: "shop-1.0", Component: "web", Replicas: 1, Sequence: 99}
	for name, write := range map[string]struct {
		object client.Object
		action rollout.Action
	}{
		"scale":             {&appsv1.Deployment{}, web},
		"bound":             {&autoscalingv2.HorizontalPodAutoscaler{}, rollout.BoundAutoscaler{Release: "shop-1.0", Component: "web", Least: 3, Most: 5, Sequence: 99}},
		"mark":              {&corev1.Service{}, rollout.MarkService{Release: "shop-1.0", Component: "web", Sequence: 99}},
		"hold":              {&v1alpha1.ImmutableRelease{}, rollout.MarkHeld{Release: "shop-1.0", Sequence: 99}},
		"delete Deployment": {&appsv1.Deployment{}, rollout.DeleteChildren{Release: "shop-1.0", Sequence: 99}},
		"delete Service":    {&corev1.Service{}, rollout.DeleteChildren{Release: "shop-1.0", Sequence: 99}},
		"delete release":    {&v1alpha1.ImmutableRelease{}, rollout.DeleteRelease{Release: "shop-1.0"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.publish("1.0", scaled)
			b.settle("shop-1.0")
			w, name := b.observed(), "shop-1.0-web"
			if _, isRelease := write.object.(*v1alpha1.ImmutableRelease); isRelease {
				name = "shop-1.0"
			}
			b.meddle(write.object, name, func() { write.object.SetAnnotations(map[string]string{"by": "somebody"}) })
			if err := b.loop.carryOut(b.Context(), w, write.action); !isStale(err) {
				t.Errorf("the world has moved on: %v", err)
			}
			b.must(b.api.Get(b.Context(), client.ObjectKeyFromObject(write.object), write.object))
			if write.object.GetAnnotations()["by"] != "somebody" || resources.StampOf(write.object) != 0 {
				t.Errorf("overwritten: %v", write.object.GetAnnotations())
			}
		})
	}
}

// What is written carries the stamp of the newest record, and needs no second write
// for it.
func TestWritesCarryTheStamp(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	if n := b.count("update *v1.Service shop-1.0-web") + b.count("patch *v1.Deployment"); n > 0 {
		t.Errorf("children are written a second time: %v", b.writes)
	}
	deployment := &appsv1.Deployment{}
	b.meddle(deployment, "shop-1.0-web", func() { deployment.Spec.Replicas = ptr.To[int32](3) })
	b.pass(1)
	b.must(b.api.Get(b.Context(), client.ObjectKeyFromObject(deployment), deployment))
	if head := int64(len(b.records())); *deployment.Spec.Replicas != 1 || resources.StampOf(deployment) != head {
		t.Errorf("%d pods, stamp %d, want 1 pod and stamp %d", *deployment.Spec.Replicas, resources.StampOf(deployment), head)
	}
}

// Services are there before the Deployments whose pods are found by them, and a
// write that fails ends the apply.
func TestTheOrderOfWrites(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	service, deployment := -1, -1
	for i, write := range b.writes {
		switch write {
		case "create *v1.Service shop-1.0-web":
			service = i
		case "create *v1.Deployment shop-1.0-web":
			deployment = i
		}
	}
	if service < 0 || deployment < service {
		t.Errorf("%v", b.writes)
	}

	w := b.observed()
	b.refuse = func(_ string, object client.Object, _ bool) error {
		if _, ok := object.(*corev1.Service); ok {
			return errAway
		}
		return nil
	}
	b.writes = nil
	err := b.loop.apply(b.Context(), w, []rollout.Action{
		rollout.MarkService{Release: "shop-1.0", Component: "web", Sequence: 99},
		rollout.ScaleComponent{Release: "shop-1.0", Component: "web", Replicas: 5, Sequence: 99},
	})
	if !errors.Is(err, errAway) || len(b.writes) > 0 {
		t.Errorf("%v, and then %v", err, b.writes)
	}
}

// While a route cannot be written, nothing is taken away that it may still lead to.
func TestNothingIsTakenAwayBehindARouteThatIsRefused(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	w := b.observed()
	b.refuse = func(verb string, object client.Object, _ bool) error {
		if verb == "update" && object.GetName() == "shop-web" {
			return forbidden(object, "services are frozen today")
		}
		return nil
	}
	b.writes = nil
	err := b.loop.apply(b.Context(), w, []rollout.Action{
		rollout.WriteRoute{Route: "internal", Sequence: 99, Weights: []v1alpha1.ReleaseWeight{{ReleaseName: "shop-1.0", WeightPercent: 100}}},
		rollout.ScaleComponent{Release: "shop-1.0", Component: "web", Replicas: 2, Sequence: 99},
		rollout.DeleteChildren{Release: "shop-1.0", Sequence: 99},
	})
	if !apierrors.IsForbidden(err) || len(b.writes) != 1 || b.count("patch *v1.Deployment") != 1 {
		t.Errorf("%v: %v", err, b.writes)
	}
}

// Jobs are deleted by name and UID: neither another Job of the release goes, nor one
// that has taken the name since.
func TestJobsAreDeletedByNameAndUID(t *testing.T) {
	b := newBench(t)
	job := func(name string, uid types.UID) *batchv1.Job {
		return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: name, UID: uid}}
	}
	b.store(job("closed", "1"))
	b.store(job("open", "2"))
	b.store(job("retaken", "new"))
	b.loop.Client = interceptor.NewClient(b.loop.Client.(client.WithWatch), interceptor.Funcs{Delete: deleteByUID})
	w := &world{key: shop, note: b.loop.notes.of(shop)}
	w.children.jobs = []batchv1.Job{*job("closed", "1"), *job("open", "2"), *job("retaken", "old")}
	b.must(b.loop.carryOut(b.Context(), w, rollout.DeleteJobs{Names: []string{"closed"}}))
	if err := b.loop.carryOut(b.Context(), w, rollout.DeleteJobs{Names: []string{"retaken"}}); !isStale(err) {
		t.Errorf("the Job was replaced: %v", err)
	}
	left := &batchv1.JobList{}
	b.must(b.api.List(b.Context(), left))
	if len(left.Items) != 2 || left.Items[0].Name != "open" || left.Items[1].Name != "retaken" {
		t.Errorf("left: %+v", left.Items)
	}
}

// deleteByUID holds a delete to the UID that it asks for, which the played API does
// not.
func deleteByUID(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
	asked := (&client.DeleteOptions{}).ApplyOptions(options)
	live := object.DeepCopyObject().(client.Object)
	if err := c.Get(ctx, client.ObjectKeyFromObject(object), live); err != nil {
		return err
	}
	if p := asked.Preconditions; p != nil && p.UID != nil && *p.UID != live.GetUID() {
		return apierrors.NewConflict(schema.GroupResource{Resource: "jobs"}, object.GetName(), errors.New("another UID"))
	}
	return c.Delete(ctx, object, options...)
}

// A status is written under the resourceVersion that it was computed from, the first
// one too.
func TestStatusesAreOfWhatWasObserved(t *testing.T) {
	for name, written := range map[string]bool{"the first": false, "a later one": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			if written {
				b.pass(1)
			}
			before, track := b.track(), &v1alpha1.ReleaseTrack{}
			b.meddle(track, shop.Name, func() { track.Annotations = map[string]string{"by": "somebody"} })
			after := before.DeepCopy()
			after.Status.ObservedGeneration, after.Status.WeightPercent = 1, 42
			if _, _, err := b.loop.publish(b.Context(), b.loop.notes.of(shop), before, after, true, b.now); !apierrors.IsConflict(err) {
				t.Errorf("the track has changed since: %v", err)
			}
			if b.track().Status.WeightPercent == 42 {
				t.Error("the status was overwritten")
			}
		})
	}
}

// What alters no one's next move waits to be written with others.
func TestStatusesThatMayWait(t *testing.T) {
	b := newBench(t)
	publish := func(weight int32, urgent bool) bool {
		before := b.track()
		after := before.DeepCopy()
		after.Status.ObservedGeneration, after.Status.WeightPercent = 1, weight
		wrote, due, err := b.loop.publish(b.Context(), b.loop.notes.of(shop), before, after, urgent, b.now)
		b.must(err)
		if wrote == !due.IsZero() {
			t.Errorf("wrote %t, and due at %s", wrote, due)
		}
		return wrote
	}
	first, waits, urgent := publish(1, false), publish(2, false), publish(3, true)
	b.now = b.now.Add(patience)
	if later := publish(4, false); !first || waits || !urgent || !later {
		t.Errorf("the first %t, one that may wait %t, one that may not %t, after a while %t", first, waits, urgent, later)
	}
}

// A status that is refused keeps no other from being written, and is an error.
func TestARefusedStatusKeepsNoOtherFromBeingWritten(t *testing.T) {
	b := newBench(t)
	b.loop.Client = interceptor.NewClient(b.loop.Client.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, object client.Object, patch client.Patch, options ...client.SubResourcePatchOption) error {
			if _, ok := object.(*v1alpha1.ImmutableRelease); ok {
				return forbidden(object, "statuses are frozen today")
			}
			return c.SubResource(sub).Patch(ctx, object, patch, options...)
		},
	})
	b.publish("1.0")
	var failed error
	for range 12 {
		_, err := b.turn()
		failed = errors.Join(failed, err)
	}
	if !apierrors.IsForbidden(failed) {
		t.Errorf("the error is kept for oneself: %v", failed)
	}
	if stable := b.track().Status.StableReleaseName; stable != "shop-1.0" {
		t.Errorf("the track says that %q is stable", stable)
	}
}
