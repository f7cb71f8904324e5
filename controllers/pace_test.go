package controllers

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

func tested(name string, when v1alpha1.TestPhase) func(*v1alpha1.ImmutableReleaseSpec) {
	return func(spec *v1alpha1.ImmutableReleaseSpec) {
		test := v1alpha1.ReleaseTest{Name: name, When: when}
		test.Template.Spec.Template = pod()
		test.Template.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
		spec.Tests = append(spec.Tests, test)
	}
}

// finish ends a test Job; it must be there.
func (b *bench) finish(name string, as batchv1.JobConditionType) {
	b.Helper()
	job := &batchv1.Job{}
	b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: name}, job))
	job.Status.Conditions = []batchv1.JobCondition{{Type: as, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(b.now), Message: "so says the test"}}
	b.must(b.api.Status().Update(b.Context(), job))
}

// A test before the pods runs from the seal, and nothing of a component is there
// before it has passed.
func TestBeforePodsComesBeforeThePods(t *testing.T) {
	b := newBench(t)
	b.publish("1.0", tested("migrate", v1alpha1.BeforePods))
	b.pass(10)
	if b.count("create *v1.Job shop-1.0-migrate-1") != 1 || b.count("*v1.Deployment") != 0 || b.count("*v1.Service ") != 0 {
		t.Errorf("%v", b.writes)
	}
	b.expect("", v1alpha1.ConditionReady, "False Provisioning", "test migrate runs as Job shop-1.0-migrate-1")
	b.expect("shop-1.0", v1alpha1.ConditionReconciling, "True TestRunning", "")
	b.finish("shop-1.0-migrate-1", batchv1.JobComplete)
	b.settle("shop-1.0")
}

// A Job before the pods that the API server refuses is an obstacle with its words.
func TestRefusedJobBeforePodsIsAnObstacle(t *testing.T) {
	b := newBench(t)
	b.refuse = func(_ string, object client.Object, _ bool) error {
		if _, ok := object.(*batchv1.Job); ok {
			return forbidden(object, "exceeded quota: jobs")
		}
		return nil
	}
	b.publish("1.0", tested("migrate", v1alpha1.BeforePods))
	b.pass(15)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True ChildRefused", "exceeded quota: jobs")
	if b.count("*v1.Deployment") != 0 {
		t.Errorf("%v", b.writes)
	}
	b.refuse = nil
	b.pass(15)
	b.finish("shop-1.0-migrate-1", batchv1.JobComplete)
	b.settle("shop-1.0")
}

// What has failed and is held stalls, as does the release that waits for it; each
// says what somebody can do, and nothing says that something is under way.
func TestHeldFailureStalls(t *testing.T) {
	b := newBench(t)
	track := b.track()
	track.Spec.Rollout = &v1alpha1.RolloutSpec{FailurePolicy: v1alpha1.FailureHold}
	b.must(b.api.Update(b.Context(), track))
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0", tested("orders", v1alpha1.AfterPromotion))
	b.pass(12)
	b.finish("shop-2.0-orders-1", batchv1.JobFailed)
	b.publish("3.0")
	b.pass(12)
	const words = "held at 100 %"
	b.expect("", v1alpha1.ConditionReady, "False Stalled", words)
	for _, release := range []string{"", "shop-2.0"} {
		b.expect(release, v1alpha1.ConditionStalled, "True TestFailed", words)
	}
	b.expect("", v1alpha1.ConditionReconciling, "False Stalled", "")
	b.expect("shop-2.0", v1alpha1.ConditionReconciling, "False TestFailed", "")
	b.expect("shop-3.0", v1alpha1.ConditionStalled, "True Waiting", "waits for attempt 1 of shop-2.0: shop-2.0 has failed and is held")
	if blocked := b.track().Status.BlockedBy; blocked == nil || blocked.Gate != "NotFailed" || b.track().Status.WeightPercent != 100 {
		t.Errorf("%+v", b.track().Status)
	}

	track = b.track()
	track.Spec.Rollout.FailurePolicy = v1alpha1.FailureRollback
	b.must(b.api.Update(b.Context(), track))
	b.settle("shop-3.0")
	b.expect("shop-2.0", v1alpha1.ConditionReady, "False Failed", "test orders failed")
}

// A release that waits for one under way says for which, and why.
func TestQueuedReleaseSaysWhatItWaitsFor(t *testing.T) {
	b := newBench(t)
	track := b.track()
	track.Spec.Rollout = &v1alpha1.RolloutSpec{SupersedePolicy: v1alpha1.SupersedeQueue}
	b.must(b.api.Update(b.Context(), track))
	b.publish("1.0", tested("smoke", v1alpha1.BeforeTraffic))
	b.pass(8)
	b.publish("2.0")
	b.pass(12)
	b.expect("shop-2.0", v1alpha1.ConditionReady, "False Waiting", "waits for attempt 1 of shop-1.0, which is at 0 % and finishes first")
	b.expect("shop-2.0", v1alpha1.ConditionReconciling, "True Waiting", "")
	b.finish("shop-1.0-smoke-1", batchv1.JobComplete)
	b.settle("shop-2.0")
	b.expect("shop-1.0", v1alpha1.ConditionReady, "True Standby", "")
}

// A track without routes bakes as any other does, and says since when.
func TestBakeWithoutRoutes(t *testing.T) {
	b := newBench(t)
	b.bake(func(spec *v1alpha1.ReleaseTrackSpec) { spec.Traffic.Routes = nil })
	b.settle("shop-1.0")
}

// A status tells times in seconds, as they are stored: one that says nothing new is not
// written, whenever the weight was confirmed.
func TestBakeIsToldOnce(t *testing.T) {
	b := newBench(t)
	b.now = b.now.Add(300 * time.Millisecond)
	b.bake(func(*v1alpha1.ReleaseTrackSpec) {})
	told := b.track().ResourceVersion
	b.pass(15)
	if is := b.track(); is.ResourceVersion != told {
		t.Errorf("nothing was new, and the status was written again: %+v", is.Status)
	}
}

// bake lets the first release come to 100 %, for 25 seconds.
func (b *bench) bake(change func(*v1alpha1.ReleaseTrackSpec)) {
	b.Helper()
	track := b.track()
	track.Spec.Rollout = &v1alpha1.RolloutSpec{BakeSeconds: ptr.To[int32](25)}
	change(&track.Spec)
	b.must(b.api.Update(b.Context(), track))
	b.publish("1.0")
	b.pass(8)
	b.expect("", v1alpha1.ConditionReady, "False Baking", "")
	if status := b.track().Status; status.WeightPercent != 100 || status.StepStartTime == nil {
		b.Errorf("%+v", status)
	}
}
