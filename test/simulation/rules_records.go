package simulation

import (
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/test/world"
)

// checkRecord holds a record against the one before it, and against what its writer
// has seen.
func (w *World) checkRecord(p *process, write written) {
	if write.verb != "create" {
		w.violate("Frozen", "%s: a record is never changed", write)
		return
	}
	spec, before := &write.after.(*v1alpha1.ReleaseRecord).Spec, v1alpha1.TrackState{}
	all := w.shelves[records]
	if len(all) > 1 {
		before = all[len(all)-2].(*v1alpha1.ReleaseRecord).Spec.State
	}
	for _, rule := range []struct {
		name  string
		check func(*process, v1alpha1.TrackState, *v1alpha1.ReleaseRecordSpec) error
	}{
		{"Chain", w.checkChain}, {"State", w.checkState}, {"Restored", w.checkRestored}, {"DecidedLive", checkDecidedLive}, {"OneAttempt", w.checkOpened},
		{"Gates", w.checkRaise}, {"Promoted", w.checkPromoted}, {"Retired", checkRetired}, {"Verdict", w.checkVerdict},
		{"Held", checkFailed}, {"Queued", checkSuperseded}, {"Skipped", w.checkSkipped}, {"OneContent", w.checkContent}, {"Once", w.checkAction}, {"Drift", w.checkDrift},
	} {
		if err := rule.check(p, before, spec); err != nil {
			w.violate(rule.name, "%s: %v", recordLine(spec), err)
		}
	}
	w.memory.note(before, spec)
}

// note keeps what later checks compare with.
func (m *memory) note(before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) {
	for _, route := range spec.State.Routes {
		if m.weights[route.Name] == nil {
			m.weights[route.Name] = map[string]bool{}
		}
		m.weights[route.Name][world.Shares(route.Weights)] = true
	}
	if stable := spec.State.Stable; stable != nil && (before.Stable == nil || before.Stable.UID != stable.UID || spec.Event == v1alpha1.EventPromoted) {
		m.stable = append(m.stable, *stable)
	}
	if spec.Event == v1alpha1.EventRestored {
		m.noteRestored(spec.Release)
	}
	if spec.Event.IsVerdict() && spec.Release != nil {
		m.verdicts[spec.Release.Version] = spec.Event
	}
}

// checkChain: each record names the one before it, and is what its digest says.
func (w *World) checkChain(*process, v1alpha1.TrackState, *v1alpha1.ReleaseRecordSpec) error {
	all, sequence := w.shelves[records], w.newest().Sequence
	if name := all[len(all)-1].GetName(); name != resources.RecordName(TrackName, sequence) {
		return fmt.Errorf("it is %s, and has number %d", name, sequence)
	}
	newest := each[v1alpha1.ReleaseRecord](&w.store, records)[max(0, len(all)-2):]
	if w.careful || len(all) < 3 {
		if broken := w.logged().Broken; broken != "" {
			return errors.New(broken)
		}
		return nil
	}
	if newest[1].Spec.Time.Before(&newest[0].Spec.Time) {
		return fmt.Errorf("it is older than the record before it")
	}
	if newest[1].Spec.PreviousDigest != newest[0].Spec.Digest || newest[1].Spec.Sequence != newest[0].Spec.Sequence+1 {
		return fmt.Errorf("it does not follow the record before it")
	}
	return nil
}

func candidateRef(state v1alpha1.TrackState) *v1alpha1.ReleaseRef {
	if state.Candidate == nil {
		return nil
	}
	return &state.Candidate.ReleaseRef
}

// checkState: weights sum to 100, two releases have some at most, and what has weight,
// is stable or a candidate is live.
func (w *World) checkState(_ *process, _ v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	state, weighted := spec.State, map[string]bool{}
	for _, route := range state.Routes {
		for _, s := range route.Weights {
			if s.WeightPercent > 0 {
				weighted[s.ReleaseName] = true
			}
			if !slices.ContainsFunc(state.Live, func(l v1alpha1.LiveRelease) bool { return l.Name == s.ReleaseName }) {
				return fmt.Errorf("%s is on route %s and is not live", s.ReleaseName, route.Name)
			}
		}
		if total := sum(route.Weights); total != 100 && (state.Stable != nil || len(route.Weights) > 0) {
			return fmt.Errorf("weights of route %s sum to %d", route.Name, total)
		}
	}
	if len(weighted) > 2 {
		return fmt.Errorf("%d releases have weight", len(weighted))
	}
	for _, ref := range []*v1alpha1.ReleaseRef{state.Stable, candidateRef(state)} {
		if ref == nil {
			continue
		}
		object := w.shelves[releases].get(ref.Name)
		if object == nil || object.GetUID() != ref.UID {
			continue
		}
		if !slices.ContainsFunc(state.Live, func(l v1alpha1.LiveRelease) bool { return l.UID == ref.UID }) {
			return fmt.Errorf("%s is stable or candidate and not live", ref.Name)
		}
	}
	return nil
}

// checkDecidedLive: what cannot be taken back is decided on live reads.
func checkDecidedLive(p *process, _ v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	live := spec.Event == v1alpha1.EventPublished && spec.Reason == "Template" || spec.Event == v1alpha1.EventAttemptOpened || spec.Event == v1alpha1.EventRestored || spec.Event == v1alpha1.EventRefused || spec.Event == v1alpha1.EventDrift ||
		spec.Event.IsVerdict() && spec.Event != v1alpha1.EventPromoted ||
		spec.Event == v1alpha1.EventTestFinished && spec.Release.Test.Outcome == v1alpha1.TestFailed
	if live && !p.seen.live {
		return fmt.Errorf("it was decided on a cache alone")
	}
	return nil
}

// checkOpened: one open attempt; after a negative verdict only by a Retry; and, unless
// pinned or retried, never what had its verdict already.
func (w *World) checkOpened(_ *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Event != v1alpha1.EventAttemptOpened {
		return nil
	}
	if before.Candidate != nil {
		return fmt.Errorf("the attempt of %s is open", before.Candidate.Name)
	}
	if spec.ActionName != "" {
		return nil
	}
	if v := w.memory.verdicts[spec.Release.Version]; v.IsNegative() || v == v1alpha1.EventPromoted && !spec.Release.Pinned {
		return fmt.Errorf("the version has the verdict %s", v)
	}
	return nil
}

// checkVerdict: a verdict ends an open attempt, and none speaks against what is
// stable after it.
func (w *World) checkVerdict(_ *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if !spec.Event.IsVerdict() {
		return nil
	}
	if spec.Event != v1alpha1.EventRolledBack && spec.Reason != "PassedOver" && before.Candidate == nil {
		return fmt.Errorf("no attempt is open")
	}
	if spec.Event.IsNegative() && spec.State.Stable != nil && spec.State.Stable.UID == spec.Release.UID {
		return fmt.Errorf("%s is stable after it", spec.Release.Name)
	}
	return nil
}

// checkContent: one version, one content.
func (w *World) checkContent(_ *process, _ v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Release == nil || spec.Release.ContentDigest == "" {
		return nil
	}
	had, known := w.memory.contents[spec.Release.Version]
	if known && had != spec.Release.ContentDigest {
		return fmt.Errorf("version %s had another content", spec.Release.Version)
	}
	w.memory.contents[spec.Release.Version] = spec.Release.ContentDigest
	return nil
}

// checkAction: an action is carried out once, and by a record that came after it.
func (w *World) checkAction(_ *process, _ v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.ActionName == "" || spec.Event == v1alpha1.EventRecalled {
		return nil
	}
	if w.memory.carriedOut[spec.ActionName] {
		return fmt.Errorf("%s was carried out before", spec.ActionName)
	}
	w.memory.carriedOut[spec.ActionName] = true
	return nil
}

// checkRaise: every gate holds as the writer saw it.
func (w *World) checkRaise(p *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Event != v1alpha1.EventWeightSet || spec.Reason != "GatesHold" {
		return nil
	}
	from, to := weightOf(before, spec.Release.Name), weightOf(spec.State, spec.Release.Name)
	if to <= from {
		return fmt.Errorf("weight goes from %d to %d", from, to)
	}
	r := p.seen.release(spec.Release.UID)
	if r == nil {
		return fmt.Errorf("the release was not seen")
	}
	if paceOf(p.seen.track).AdvancePolicy == v1alpha1.AdvancePaused {
		return fmt.Errorf("the track is paused")
	}
	if err := p.seen.sized(r, from, to); err != nil {
		return err
	}
	if other := p.seen.foreignSelector(r); from == 0 && other != "" {
		return fmt.Errorf("Service %s selects its pods", other)
	}
	if err := w.checkTests(p, before, from); err != nil {
		return err
	}
	if err := w.checkRequired(p, before, spec); err != nil {
		return err
	}
	return w.checkSteps(p, before, spec, from, to)
}

// checkSteps: none is left out, or left or entered before its time.
func (w *World) checkSteps(p *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec, from, to int32) error {
	proven := w.memory.proven(before.Candidate.ReleaseRef)
	direct := proven || before.Stable == nil || !p.seen.baselineServes(before)
	held := heldFor(before, spec.Time.Time)
	for _, step := range paceOf(p.seen.track).Steps {
		if step.WeightPercent == from && from > 0 && !direct && held < holdOf(step) && !w.memory.skipped[skipOf(before)] {
			return fmt.Errorf("at %d for %s only", from, held)
		}
		entered := step.WeightPercent > from && step.WeightPercent <= to
		approved := slices.ContainsFunc(before.Approvals, func(a v1alpha1.Approval) bool {
			return a.WeightPercent == step.WeightPercent && (!w.policed || p.seen.at.Sub(a.Time.Time) < validApprovals+w.skew())
		})
		if entered && step.Approval == v1alpha1.ApprovalRequired && !approved && !proven {
			return fmt.Errorf("the step to %d needs an approval", step.WeightPercent)
		}
		if entered && step.WeightPercent < to && !direct && divisible(p.seen.track, before) {
			return fmt.Errorf("the step to %d is left out", step.WeightPercent)
		}
	}
	return nil
}

// divisible: a route that the newest record has weights for can carry a part.
func divisible(track *v1alpha1.ReleaseTrack, state v1alpha1.TrackState) bool {
	return slices.ContainsFunc(state.Routes, func(s v1alpha1.RouteState) bool {
		return slices.ContainsFunc(routesOf(track), func(r v1alpha1.Route) bool { return r.Name == s.Name && r.Type != v1alpha1.RouteService })
	})
}

func paceOf(track *v1alpha1.ReleaseTrack) v1alpha1.RolloutSpec {
	if track == nil || track.Spec.Rollout == nil {
		return v1alpha1.RolloutSpec{}
	}
	return *track.Spec.Rollout
}

func holdOf(step v1alpha1.RolloutStep) time.Duration {
	if step.HoldSeconds == nil {
		return 0
	}
	return time.Duration(*step.HoldSeconds) * time.Second
}

// heldFor is how long the present weights are verified in the open attempt, 0 while
// they are not.
func heldFor(state v1alpha1.TrackState, now time.Time) time.Duration {
	since := state.Candidate.StartTime.Time
	if activated := state.Candidate.ActivatedTime; activated != nil {
		since = activated.Time
	}
	for _, r := range state.Routes {
		if r.VerifiedTime == nil {
			return 0
		}
		if r.VerifiedTime.After(since) {
			since = r.VerifiedTime.Time
		}
	}
	return now.Sub(since)
}

func (s *seen) release(uid types.UID) *v1alpha1.ImmutableRelease {
	for _, object := range s.lists[releases] {
		if object.GetUID() == uid {
			return object.(*v1alpha1.ImmutableRelease)
		}
	}
	return nil
}

func selects(s *corev1.Service, pod map[string]string) bool {
	return len(s.Spec.Selector) > 0 && labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(pod))
}

// baselineServes: every route that the attempt began with, or where none of those is
// left every route, has ready endpoints in stable, behind a Service that is there: what
// is left of endpoints without it gets no request.
func (s *seen) baselineServes(state v1alpha1.TrackState) bool {
	if s.release(state.Stable.UID) == nil {
		return false
	}
	inForce := func(r v1alpha1.Route) bool {
		return slices.ContainsFunc(state.Routes, func(s v1alpha1.RouteState) bool { return s.Name == r.Name })
	}
	some := slices.ContainsFunc(routesOf(s.track), inForce)
	if len(routesOf(s.track)) == 0 {
		return s.available(state.Stable.UID)
	}
	for _, route := range routesOf(s.track) {
		service := resources.ChildName(state.Stable.Name, route.ComponentName)
		if (inForce(route) || !some) && (s.lists[services].get(service) == nil || s.endpoints(service) == 0) {
			return false
		}
	}
	return true
}

// available: every Deployment of a release was seen with all its pods.
func (s *seen) available(uid types.UID) bool {
	r := s.release(uid)
	return !slices.ContainsFunc(r.Spec.Components, func(c v1alpha1.Component) bool {
		d, _ := s.lists[deployments].get(resources.ChildName(r.Name, c.Name)).(*appsv1.Deployment)
		return d == nil || d.Status.AvailableReplicas < *d.Spec.Replicas
	})
}

// checkTests: every test that is due at the weight has passed in this attempt.
func (w *World) checkTests(p *process, state v1alpha1.TrackState, weight int32) error {
	r := p.seen.release(state.Candidate.UID)
	if w.memory.proven(state.Candidate.ReleaseRef) || r == nil {
		return nil
	}
	for _, t := range r.Spec.Tests {
		due := weight == 100
		switch t.When {
		case v1alpha1.BeforePods, v1alpha1.BeforeTraffic:
			due = true
		case v1alpha1.EveryStep:
			due = weight > 0
		}
		if due && !passed(state, t, weight) {
			return fmt.Errorf("test %s has not passed at %d", t.Name, weight)
		}
	}
	return nil
}

// passed says whether a test has passed in the open attempt, at a weight where that
// matters.
func passed(state v1alpha1.TrackState, t v1alpha1.ReleaseTest, weight int32) bool {
	return slices.ContainsFunc(state.Tests, func(result v1alpha1.TestResult) bool {
		same := t.When != v1alpha1.EveryStep || result.WeightPercent != nil && *result.WeightPercent == weight
		return result.Name == t.Name && same && result.Outcome == v1alpha1.TestPassed
	})
}

// checkRequired: before its first weight the content was promoted on the required
// track, and not spoken against there, as the writer saw it.
func (w *World) checkRequired(p *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if len(p.seen.track.Spec.Requires) == 0 || weightOf(before, spec.Release.Name) > 0 || w.memory.proven(before.Candidate.ReleaseRef) {
		return nil
	}
	if !p.seen.elsewherePromoted(spec.Release.Version, spec.Release.ContentDigest) {
		return fmt.Errorf("its content is not promoted on the required track")
	}
	return nil
}

func (w *World) checkPromoted(p *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Event != v1alpha1.EventPromoted {
		return nil
	}
	if before.Candidate == nil || before.Candidate.UID != spec.Release.UID {
		return fmt.Errorf("it is no candidate")
	}
	r, pace := p.seen.release(spec.Release.UID), paceOf(p.seen.track)
	if r == nil {
		return fmt.Errorf("the release was not seen")
	}
	if err := p.seen.sized(r, 100, 100); err != nil {
		return err
	}
	for _, route := range before.Routes {
		if shareOf(route.Weights, spec.Release.Name) != 100 && componentOf(p.seen.track, route.Name) != "" {
			return fmt.Errorf("promoted at %s", world.Shares(route.Weights))
		}
	}
	weight := weightOf(before, spec.Release.Name)
	if pace.AdvancePolicy == v1alpha1.AdvancePaused && weight < 100 {
		return fmt.Errorf("the track is paused")
	}
	held := heldFor(before, spec.Time.Time)
	if pace.BakeSeconds != nil && held < time.Duration(*pace.BakeSeconds)*time.Second {
		return fmt.Errorf("baked for %s only", held)
	}
	for _, step := range pace.Steps {
		if step.WeightPercent == 100 && held < holdOf(step) && !w.memory.skipped[skipOf(before)] {
			return fmt.Errorf("at 100 for %s only", held)
		}
	}
	return errors.Join(w.checkTests(p, before, 100), w.checkRequired(p, before, spec))
}

// checkFailed: by failurePolicy Hold, what has weight gets no verdict.
func checkFailed(p *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Event != v1alpha1.EventFailed || before.Candidate == nil {
		return nil
	}
	if weight := weightOf(before, before.Candidate.Name); paceOf(p.seen.track).FailurePolicy == v1alpha1.FailureHold && weight > 0 {
		return fmt.Errorf("failures are held, and it is at %d", weight)
	}
	return nil
}

// checkSuperseded: nothing but a pin, or that its object is gone, ends the attempt of
// a candidate that finishes first: one at 100, or any under Queue.
func checkSuperseded(p *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	c := before.Candidate
	if spec.Event != v1alpha1.EventSuperseded || c == nil || spec.State.Candidate != nil || p.seen.track.Spec.ReleaseName != "" || p.seen.release(c.UID) == nil {
		return nil
	}
	policy, weight := paceOf(p.seen.track).SupersedePolicy, weightOf(before, c.Name)
	if weight == 100 || policy == v1alpha1.SupersedeQueue {
		return fmt.Errorf("at %d, under %s", weight, policy)
	}
	return nil
}

// checkSkipped: what a human asked for is the hold of the very step and attempt.
func (w *World) checkSkipped(_ *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Event != v1alpha1.EventHoldSkipped {
		return nil
	}
	c, action := before.Candidate, on[v1alpha1.ReleaseAction](&w.store, actions, spec.ActionName)
	if c == nil || action == nil {
		return fmt.Errorf("no attempt is open, or nobody asked")
	}
	asked, weight := action.Spec, weightOf(before, c.Name)
	if asked.Action != v1alpha1.ActionSkipHold || asked.ReleaseName != c.Name || *asked.Attempt != c.Attempt || *asked.WeightPercent != weight {
		return fmt.Errorf("it was asked of attempt %d of %s at %d", *asked.Attempt, asked.ReleaseName, *asked.WeightPercent)
	}
	w.memory.skipped[skipOf(before)] = true
	return nil
}

func skipOf(state v1alpha1.TrackState) skip {
	return skip{state.Candidate.UID, state.Candidate.Attempt, weightOf(state, state.Candidate.Name)}
}

func checkRetired(_ *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Event != v1alpha1.EventRetired {
		return nil
	}
	if weightOf(before, spec.Release.Name) > 0 {
		return fmt.Errorf("it has weight")
	}
	for _, ref := range []*v1alpha1.ReleaseRef{before.Stable, candidateRef(before)} {
		if ref != nil && ref.UID == spec.Release.UID {
			return fmt.Errorf("it is stable or candidate")
		}
	}
	return nil
}

// weightOf a release is the most that it has on any route. Without routes the record
// alone gives a candidate everything.
func weightOf(state v1alpha1.TrackState, release string) int32 {
	if c := state.Candidate; len(state.Routes) == 0 && c != nil && c.Name == release && c.ActivatedTime != nil {
		return 100
	}
	var most int32
	for _, route := range state.Routes {
		most = max(most, shareOf(route.Weights, release))
	}
	return most
}
