package rollout_test

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

const otherImage = "spec.template.spec.containers[0].image is shop:evil, sealed shop@sha256:1"

// drift: what serves is changed, and put right after a record says so. Traffic stays
// where it is.
func drift(t *testing.T) {
	s := serving(t, track())
	s.user("ann edits the Deployment", func() { s.Tamper("shop-1-web", otherImage, "kubectl-edit (update)") })
	s.run()
	s.pass(2 * time.Hour)
	s.user("ann edits it again, much later", func() { s.Tamper("shop-1-web", otherImage, "kubectl-edit (update)") })
	s.run()
	s.end()
}

// driftReturns: a controller of somebody writes the Deployment again and again. The
// fourth time it is left, and people read who writes; an hour later it is tried again.
func driftReturns(t *testing.T) {
	s := serving(t, track())
	for range 4 {
		s.user("a controller writes the Deployment", func() { s.Tamper("shop-1-web", otherImage, "rogue-controller (update)") })
		s.pass(time.Minute)
	}
	if stable := s.Head().Stable; stable == nil || stable.Name != "shop-1" {
		t.Errorf("stable is %v", stable)
	}
	s.user("the controller is stopped", func() {})
	s.run()
	s.end()
}

// driftOfAPod: it is replaced once. A successor that differs too is left.
func driftOfAPod(t *testing.T) {
	const wrong = "status.containerStatuses[app].imageID is shop@sha256:9, sealed shop@sha256:1"
	s := serving(t, track())
	s.user("a node runs something else", func() { s.TamperPod("shop-1-web", "shop-1-web-a", wrong, "the node n1") })
	s.run()
	s.pass(time.Minute)
	s.user("and again", func() { s.TamperPod("shop-1-web", "shop-1-web-b", wrong, "the node n1") })
	s.pass(10 * time.Minute)
	s.user("the node is mended, and its pod deleted", func() { s.replacePods("shop-1-web") })
	s.run()
	s.end()
}

// driftOfPods: one record tells of all that differ at the time, and each that is replaced
// was told of.
func driftOfPods(t *testing.T) {
	const wrong = "spec.containers[0].image is shop:evil, sealed shop@sha256:1"
	s := serving(t, track())
	s.user("three pods are changed", func() {
		for _, pod := range []string{"a", "b", "c"} {
			s.TamperPod("shop-1-web", "shop-1-web-"+pod, wrong, "rogue (update)")
		}
	})
	s.run()
	s.pass(time.Minute)
	s.user("a fourth one, that was there all the time", func() {
		s.TamperPod("shop-1-web", "shop-1-web-d", wrong, "rogue (update)")
		changed := *s.Deployments["shop-1-web"]
		changed.Pods[0].CreationTime = s.Now.Add(-time.Hour)
		s.Deployments["shop-1-web"] = &changed
	})
	s.run()
	s.end()
}

func (s *story) replacePods(deployment string) {
	changed := *s.Deployments[deployment]
	changed.Pods, changed.Version = nil, changed.Version+1000
	s.Deployments[deployment] = &changed
}

// driftUnderWay: weight does not rise onto what is not as sealed.
func driftUnderWay(t *testing.T) {
	s := serving(t, track(steps(20)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("ann edits the candidate", func() { s.Tamper("shop-2-web", otherImage, "kubectl-edit (update)") })
	s.run()
	s.end()
}

// mutatedAtCreation: what would get traffic is not what was sealed, and so it does not.
func mutatedAtCreation(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	script := fine()
	script.Mutated = "spec.template.spec.containers has 2 entries, sealed 1"
	s.publish("shop-2", release("2.0"), script)
	s.run()
	if verdict := s.Observe().Log.Verdicts["2.0"]; verdict.Event != v1alpha1.EventFailed || verdict.Reason != "ChildMutated" {
		t.Errorf("verdict is %+v", verdict)
	}
	s.end()
}

// repairRefused: what cannot be put right counts as changed again, and is left.
func repairRefused(t *testing.T) {
	s := serving(t, track())
	s.Tamper("shop-1-web", otherImage, "kubectl-edit (update)")
	o := s.Observe()
	for range 10 {
		plan := rollout.Compute(o)
		if e := plan.Append; e != nil {
			s.tell("#", "%s %s: %s", e.Event, e.Reason, e.Message)
			o.Log.Head = &v1alpha1.ReleaseRecordSpec{Sequence: o.Log.Head.Sequence + 1, State: e.State}
			continue
		}
		if plan.Stage == rollout.Stalled {
			s.tell("=", "%s: %s", plan.Stalled.Reason, plan.Stalled.Message)
			break
		}
		s.tell(" ", "%T is refused", plan.Do[0])
		o.Now = o.Now.Add(plan.After)
		s.Now = o.Now
	}
	golden(t, s.transcript())
}

// TestDriftIsCountedAnew: an hour of peace is forgotten, and what a writer does to the
// stamp makes no difference.
func TestDriftIsCountedAnew(t *testing.T) {
	for name, test := range map[string]struct {
		change func(known *v1alpha1.ChildDrift, d *rollout.Drift, now time.Time)
		record string
		repair bool
	}{
		"recorded just now": {func(*v1alpha1.ChildDrift, *rollout.Drift, time.Time) {}, "", true},
		"changed again":     {func(_ *v1alpha1.ChildDrift, d *rollout.Drift, _ time.Time) { d.Sequence = 4 }, "ChildChanged", false},
		"not repaired for long": {func(k *v1alpha1.ChildDrift, _ *rollout.Drift, now time.Time) {
			k.Time.Time = now.Add(-10 * time.Second)
		}, "ChildChanged", false},
		"the fourth time": {func(k *v1alpha1.ChildDrift, d *rollout.Drift, _ time.Time) { k.Repairs, d.Sequence = 3, 4 }, "ChangedAgain", false},
		"left": {func(k *v1alpha1.ChildDrift, d *rollout.Drift, _ time.Time) {
			k.Answer, d.Sequence = v1alpha1.DriftLeave, 4
		}, "", false},
		"left an hour ago": {func(k *v1alpha1.ChildDrift, _ *rollout.Drift, now time.Time) {
			k.Answer, k.Time.Time = v1alpha1.DriftLeave, now.Add(-time.Hour)
		}, "ChildChanged", false},
		"a pod that was there": {func(k *v1alpha1.ChildDrift, d *rollout.Drift, now time.Time) {
			k.Kind, d.Kind, d.CreationTime, k.PodNames = "Pod", "Pod", now.Add(-time.Hour), []string{d.Name}
		}, "", true},
		"another pod that was there": {func(k *v1alpha1.ChildDrift, d *rollout.Drift, now time.Time) {
			k.Kind, d.Kind, d.CreationTime, k.PodNames = "Pod", "Pod", now.Add(-time.Hour), []string{"another"}
		}, "PodChanged", false},
		"one pod too many to be named": {func(k *v1alpha1.ChildDrift, d *rollout.Drift, now time.Time) {
			k.Kind, d.Kind, d.CreationTime, k.PodNames = "Pod", "Pod", now.Add(-time.Hour), make([]string, v1alpha1.MaxDriftedPods)
		}, "", true},
		"a pod that was there, later": {func(k *v1alpha1.ChildDrift, d *rollout.Drift, now time.Time) {
			k.Kind, d.Kind, k.Time.Time, k.PodNames = "Pod", "Pod", now.Add(-time.Minute), []string{d.Name}
		}, "", true},
		"a pod that came instead": {func(k *v1alpha1.ChildDrift, d *rollout.Drift, now time.Time) {
			k.Kind, d.Kind, d.CreationTime = "Pod", "Pod", now.Add(time.Second)
		}, "ChangedAgain", false},
		"another kind": {func(k *v1alpha1.ChildDrift, _ *rollout.Drift, _ time.Time) { k.Kind = "Service" }, "ChildChanged", false},
	} {
		s := serving(t, track())
		s.Tamper("shop-1-web", otherImage, "somebody")
		o := s.Observe()
		head := *o.Log.Head
		head.State = *head.State.DeepCopy()
		o.Log.Head = &head
		known := v1alpha1.ChildDrift{Kind: "Deployment", ComponentName: "web", Sequence: 4, Time: metav1.NewMicroTime(o.Now), Repairs: 1, Answer: v1alpha1.DriftRepair}
		d := &o.Releases[0].Components[0].Drifts[0]
		d.Sequence = 3
		test.change(&known, d, o.Now)
		head.State.Live[0].Drifts = []v1alpha1.ChildDrift{known}
		plan := rollout.Compute(o)
		got := ""
		if plan.Append != nil {
			got = plan.Append.Reason
		}
		if got != test.record || (len(plan.Do) > 0) != test.repair {
			t.Errorf("%s: record %q, does %v; want %q, %t", name, got, plan.Do, test.record, test.repair)
		}
	}
}

// TestRepairedAutoscalerIsBound: an autoscaler that is led back to the baseline keeps, by
// the same write, all the pods that the baseline has during a rollout.
func TestRepairedAutoscalerIsBound(t *testing.T) {
	s := servingAutoscaled(t, track(steps(20)))
	s.publish("shop-2", release("2.0", with(autoscaled(component("web", 2), 2, 10))), fine())
	s.untilWeight("shop-2", 20)
	o := s.Observe()
	head := *o.Log.Head
	head.State = *head.State.DeepCopy()
	o.Log.Head = &head
	i := slices.IndexFunc(o.Releases, func(r rollout.Release) bool { return r.Name == "shop-1" })
	c := &o.Releases[i].Components[0]
	c.MinReplicas = 2
	c.Drifts = []rollout.Drift{{Kind: "HorizontalPodAutoscaler", Name: "shop-1-web", Difference: "spec.scaleTargetRef.name", Sequence: head.Sequence - 1}}
	live := slices.IndexFunc(head.State.Live, func(l v1alpha1.LiveRelease) bool { return l.Name == "shop-1" })
	head.State.Live[live].Drifts = []v1alpha1.ChildDrift{{
		Kind: "HorizontalPodAutoscaler", ComponentName: "web", Sequence: head.Sequence, Time: metav1.NewMicroTime(o.Now), Repairs: 1, Answer: v1alpha1.DriftRepair,
	}}
	plan := rollout.Compute(o)
	want := rollout.RepairChild{Release: "shop-1", Component: "web", Kind: "HorizontalPodAutoscaler", Least: 6, Most: 10, Sequence: head.Sequence}
	if plan.Append != nil || !slices.Contains(plan.Do, rollout.Action(want)) {
		t.Errorf("appends %+v, does %+v, want %+v", plan.Append, plan.Do, want)
	}
}

// TestPodsAreReplacedOneByOne: pods that can serve are not taken away all at once, and wait
// for each other no longer than five minutes. One that serves nothing waits for none.
func TestPodsAreReplacedOneByOne(t *testing.T) {
	for name, test := range map[string]struct {
		change   func(c *rollout.Component)
		age      time.Duration
		replaced []string
	}{
		"all can serve":             {func(*rollout.Component) {}, 0, []string{"a"}},
		"one is leaving":            {func(c *rollout.Component) { c.PodLeaving = true }, 0, nil},
		"one is missing":            {func(c *rollout.Component) { c.AvailableReplicas-- }, 0, nil},
		"one does not serve":        {func(c *rollout.Component) { c.AvailableReplicas--; c.Drifts[1].Ready = false }, 0, []string{"b"}},
		"one is missing, almost on": {func(c *rollout.Component) { c.AvailableReplicas-- }, 5*time.Minute - time.Second, nil},
		"one is missing for long":   {func(c *rollout.Component) { c.AvailableReplicas-- }, 5 * time.Minute, []string{"a", "b"}},
	} {
		s := serving(t, track())
		o := s.Observe()
		head := *o.Log.Head
		head.State = *head.State.DeepCopy()
		o.Log.Head = &head
		began := o.Now.Add(-test.age)
		c := &o.Releases[0].Components[0]
		for _, pod := range []string{"a", "b"} {
			c.Drifts = append(c.Drifts, rollout.Drift{Kind: "Pod", Name: pod, Difference: "status", CreationTime: began.Add(-time.Hour), Ready: true})
		}
		test.change(c)
		head.State.Live[0].Drifts = []v1alpha1.ChildDrift{{Kind: "Pod", ComponentName: "web", Sequence: 4, Time: metav1.NewMicroTime(began), Repairs: 1, Answer: v1alpha1.DriftRepair, PodNames: []string{"a", "b"}}}
		plan := rollout.Compute(o)
		var replaced []string
		for _, do := range plan.Do {
			if pod, ok := do.(rollout.ReplacePod); ok {
				replaced = append(replaced, pod.Name)
			}
		}
		if plan.Append != nil || !slices.Equal(replaced, test.replaced) {
			t.Errorf("%s: replaces %v, and appends %+v", name, replaced, plan.Append)
		}
		if test.age < 5*time.Minute && (plan.After <= 0 || plan.After > 5*time.Minute-test.age) {
			t.Errorf("%s: looks again in %s", name, plan.After)
		}
	}
}
