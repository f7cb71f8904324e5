package rollout_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// TestAttemptsBeginAnew: neither the results nor the approvals of an attempt are those
// of the next one, whoever opens it.
func TestAttemptsBeginAnew(t *testing.T) {
	failed := rollout.Verdict{Event: v1alpha1.EventFailed, ReleaseName: "shop-2", UID: refOf(2).UID, CreationTime: published(2).CreationTime, Attempt: 1}
	retry := v1alpha1.ReleaseAction{
		ObjectMeta: metav1.ObjectMeta{Name: "again", CreationTimestamp: metav1.NewTime(world.Start)},
		Spec:       v1alpha1.ReleaseActionSpec{Action: v1alpha1.ActionRetry, ReleaseName: "shop-2", Requester: "ann", Reason: "because"},
	}
	for name, change := range map[string]func(*rollout.Observation){
		"published": func(o *rollout.Observation) { o.Releases = append(o.Releases, published(3)) },
		"retried":   func(o *rollout.Observation) { o.Actions = append(o.Actions, retry) },
	} {
		o := observed(1, 0, 0)
		o.Releases = []rollout.Release{published(1), published(2)}
		o.Log.Verdicts["2.0"] = failed
		state := &o.Log.Head.State
		state.Tests = []v1alpha1.TestResult{{Name: "smoke", Outcome: v1alpha1.TestPassed}}
		state.Approvals = []v1alpha1.Approval{{WeightPercent: 50, Requester: "ann"}}
		change(&o)
		e := rollout.Compute(o).Append
		if e == nil || e.Event != v1alpha1.EventAttemptOpened || len(e.State.Tests) > 0 || len(e.State.Approvals) > 0 {
			t.Errorf("%s: %+v", name, e)
		}
	}
}
