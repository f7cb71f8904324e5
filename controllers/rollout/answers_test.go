package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// TestAnswers: reports ask the same rules by which is decided.
func TestAnswers(t *testing.T) {
	o := candidateAt(t, 20)
	o.Now = o.Now.Add(-time.Second)
	blocked := rollout.Compute(o).Blocked
	for _, gate := range rollout.Ask(o).Explain() {
		if gate.Blocked != (gate.Name == blocked.Gate) {
			t.Errorf("gate %s: %+v, and the plan is blocked by %+v", gate.Name, gate, *blocked)
		}
	}
	shop1, shop2 := &o.Releases[0], &o.Releases[1]
	if v := rollout.Ask(o).VerdictOf(shop1); v != v1alpha1.EventPromoted {
		t.Errorf("verdict of shop-1: %q", v)
	}
	if v := rollout.Ask(o).VerdictOf(shop2); v != "" {
		t.Errorf("verdict of shop-2, whose attempt is open: %q", v)
	}
	if b := rollout.Ask(o).Baseline(); b == nil || b.Name != "shop-1" {
		t.Errorf("baseline: %+v", b)
	}
	if !rollout.Ask(o).Serves(shop1) || !rollout.Ask(o).Serves(shop2) {
		t.Errorf("both serve")
	}
	if _, _, carried, some := rollout.Ask(o).Carried(); !carried || !some {
		t.Errorf("carried: %t, any weights: %t", carried, some)
	}
	if c := rollout.Ask(o).Claimant(shop2); c != nil {
		t.Errorf("claimant: %s", c.Name)
	}

	shop1.Components[0].ReadyEndpoints = 0
	o.Routes[0].Verified, o.Routes[0].Reason, o.Routes[0].Message = false, "RouteNotAccepted", "no such listener"
	spec := *shop2.Spec
	spec.Version = "1.0"
	shop2.Spec = &spec
	if rollout.Ask(o).Serves(shop1) {
		t.Errorf("shop-1 has no endpoints")
	}
	if reason, message, carried, _ := rollout.Ask(o).Carried(); carried || reason != "RouteNotAccepted" || message != "no such listener" {
		t.Errorf("carried: %t, %s: %s", carried, reason, message)
	}
	if c := rollout.Ask(o).Claimant(shop2); c == nil || c.Name != "shop-1" {
		t.Errorf("claimant: %+v", c)
	}
}

// TestLacksApproval: the first step ahead that asks for an approval and has none, by
// records and specs alone.
func TestLacksApproval(t *testing.T) {
	o := candidateAt(t, 20)
	rolloutOf := *o.Track.Spec.Rollout
	rolloutOf.Steps = []v1alpha1.RolloutStep{
		{WeightPercent: 10, Approval: v1alpha1.ApprovalRequired}, {WeightPercent: 50, Approval: v1alpha1.ApprovalRequired},
		{WeightPercent: 60}, {WeightPercent: 100, Approval: v1alpha1.ApprovalRequired},
	}
	o.Track.Spec.Rollout = &rolloutOf
	o.Routes = nil
	for i := range o.Releases {
		o.Releases[i].Components, o.Releases[i].Sealed = nil, nil
	}
	head := *o.Log.Head
	o.Log.Head = &head
	for _, want := range []int32{50, 100, 0} {
		answers := rollout.Ask(o)
		if got := answers.LacksApproval(); got != want || answers.Weight() != 20 {
			t.Errorf("at %d %%: step %d lacks an approval, want %d", answers.Weight(), got, want)
		}
		head.State.Approvals = append(head.State.Approvals, v1alpha1.Approval{WeightPercent: want})
	}
	if none := rollout.Ask(rollout.Observation{}); none.LacksApproval() != 0 || none.Weight() != 0 {
		t.Error("without a track nothing is lacking")
	}
}

// TestAnswersOfNothing: there may be no track, no log and no attempt.
func TestAnswersOfNothing(t *testing.T) {
	spec := release("1.0")
	r := &rollout.Release{Name: "shop-1", Spec: &spec}
	for name, o := range map[string]rollout.Observation{
		"no track":   {},
		"no log":     {Track: &rollout.Track{}},
		"no attempt": observed(1, 0, 0),
	} {
		_, _, carried, some := rollout.Ask(o).Carried()
		if rollout.Ask(o).Explain() != nil || rollout.Ask(o).VerdictOf(r) != "" || rollout.Ask(o).Baseline() != nil || rollout.Ask(o).Serves(r) || rollout.Ask(o).Claimant(r) != nil || carried && some {
			t.Errorf("%s: answers that nobody can know", name)
		}
	}
}
