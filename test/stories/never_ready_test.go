package stories

import (
	"context"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

// podsOf says how the pods of one version fare; all others are ready.
func podsOf(version string, play cluster.Pods) func(*appsv1.Deployment) cluster.Pods {
	return func(deployment *appsv1.Deployment) cluster.Pods {
		if deployment.Labels[v1alpha1.LabelRelease] == harness.ReleaseName(version) {
			return play
		}
		return cluster.Pods{}
	}
}

var _ = story("a release whose pods never become ready has failed at the deadline, for the pods' own reason", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	w.PlayPods(w.namespace, podsOf("2.0.0", cluster.Pods{Waiting: "ErrImagePull", Message: "manifest unknown"}))
	w.create(ctx, w.release("2.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionReady, And(HavePrefix("Ready=False Provisioning"), ContainSubstring("manifest unknown")))
	w.untilRelease(ctx, "2.0.0", v1alpha1.ConditionAvailable, And(HavePrefix("Available=False"), ContainSubstring("ErrImagePull")))
	w.giveUpAfter(ctx, 1)
	w.expectFailed(ctx, "2.0.0", "ErrImagePull")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100"}))
	w.untilGone(ctx, "2.0.0")
})

var _ = story("a candidate that becomes unavailable with weight goes back in one write", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(harness.Steps(harness.Step(50, 60)), harness.Rollout(func(r *v1alpha1.RolloutSpec) { *r.FailureSeconds = 1 })), w.release("1.0.0"))
	w.create(ctx, w.release("2.0.0"))
	w.untilWeight(ctx, "2.0.0", 50)
	w.PlayPods(w.namespace, podsOf("2.0.0", cluster.Pods{Unready: true}))
	w.expectFailed(ctx, "2.0.0", "readiness probe")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "1.0.0:50 2.0.0:50", "1.0.0:100"}))
})

var _ = story("a ServiceAccount that does not exist is said so, and waited for", func(ctx context.Context, w *world) {
	w.create(ctx, w.track(), w.release("1.0.0", harness.Pod(func(p *corev1.PodSpec) { p.ServiceAccountName = "teller" })))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionAvailable, And(HavePrefix("Available=False"), ContainSubstring(`serviceaccount "teller" not found`)))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True PodsNotAvailable"), ContainSubstring("teller")))
	w.create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "teller"}})
	w.untilSettled(ctx, "1.0.0")
})
