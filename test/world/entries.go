package world

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// checkEntry holds, by rules of its own, a record that is about to be appended
// against what its writer observed.
func (w *World) checkEntry(o rollout.Observation, spec *v1alpha1.ReleaseRecordSpec) error {
	before := w.Head()
	if err := w.checkEvent(o, before, spec); err != nil {
		return fmt.Errorf("record %d, %s %s: %w", spec.Sequence, spec.Event, spec.Release.Name, err)
	}
	used := spec.Event == v1alpha1.EventBreakGlass && spec.Reason != "Opened"
	if spec.ActionName != "" && spec.Event != v1alpha1.EventRecalled && !used {
		if w.answered[spec.ActionName] {
			return fmt.Errorf("record %d: action %s is answered a second time", spec.Sequence, spec.ActionName)
		}
		w.answered[spec.ActionName] = true
	}
	if spec.Event.IsVerdict() && spec.Event != v1alpha1.EventRolledBack && spec.Reason != "PassedOver" && spec.Reason != "RecordsLost" && before.Candidate == nil {
		return fmt.Errorf("record %d: %s without an open attempt", spec.Sequence, spec.Event)
	}
	if spec.Event.IsNegative() && spec.State.Stable != nil && spec.State.Stable.UID == spec.Release.UID {
		return fmt.Errorf("record %d: %s speaks against %s, which is stable after it", spec.Sequence, spec.Event, spec.Release.Name)
	}
	return nil
}

// checkEvent by what has happened.
func (w *World) checkEvent(o rollout.Observation, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	switch spec.Event {
	case v1alpha1.EventAttemptOpened:
		return w.checkOpened(before, spec)
	case v1alpha1.EventWeightSet:
		if spec.Reason == "GatesHold" {
			return w.checkRaise(o, before, spec)
		}
	case v1alpha1.EventPromoted:
		return w.checkPromoted(o, before, spec)
	case v1alpha1.EventRetired:
		return w.checkRetired(before, spec)
	case v1alpha1.EventFailed:
		return checkFailed(o, before)
	case v1alpha1.EventSuperseded:
		return checkSuperseded(o, before, spec)
	case v1alpha1.EventHoldSkipped:
		return w.checkSkipped(o, before, spec)
	case v1alpha1.EventRestored:
		return w.checkRestored(o, spec)
	case v1alpha1.EventAdopted:
		return w.checkAdopted(o, spec)
	case v1alpha1.EventBreakGlass:
		return w.checkBreakGlass(before, spec)
	case v1alpha1.EventPublished:
		return w.checkPublished(spec)
	case v1alpha1.EventTurnTaken:
		if spec.Reason == rollout.ReasonTurnCome && !o.Turn.Come {
			return fmt.Errorf("no place is free")
		}
	}
	return nil
}

// checkTurn: where rollouts are limited, a candidate without weight gets its first Job and
// pod, and its first weight, after it took its turn; what goes back waits for nobody.
func (w *World) checkTurn(o *rollout.Observation, state v1alpha1.TrackState) error {
	c := state.Candidate
	limited := o.Turn.Limit > 0 || o.Turn.NamespaceLimit > 0
	if !limited || c.TurnTakenTime != nil || c.ActivatedTime != nil || weightOf(state, c.Name) > 0 || w.proven(c.ReleaseRef) {
		return nil
	}
	return fmt.Errorf("the turn of %s has not come", c.Name)
}

// checkOpened: one open attempt; after a negative verdict only by a Retry; and,
// unless pinned or retried, never what had its verdict already.
func (w *World) checkOpened(before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if before.Candidate != nil {
		return fmt.Errorf("the attempt of %s is open", before.Candidate.Name)
	}
	asked := spec.ActionName != "" || spec.Release.Pinned
	if w.forgotten[spec.Release.UID] && !asked {
		return fmt.Errorf("nobody knows how it fared before the records were lost")
	}
	// From now on it is known.
	delete(w.forgotten, spec.Release.UID)
	if spec.ActionName != "" {
		return nil
	}
	if v := w.verdict(spec.Release.Version); v.IsNegative() || v == v1alpha1.EventPromoted && !spec.Release.Pinned {
		return fmt.Errorf("the version has the verdict %s", v)
	}
	return nil
}

// verdict of a version, as the records tell.
func (w *World) verdict(version string) v1alpha1.RecordEvent {
	for i := len(w.history) - 1; i >= 0; i-- {
		spec := &w.history[i].Spec
		if spec.Event.IsVerdict() && spec.Release != nil && spec.Release.Version == version {
			return spec.Event
		}
	}
	return ""
}

// proven says whether a release became stable once, and nothing spoke against it since.
func (w *World) proven(ref v1alpha1.ReleaseRef) bool {
	if w.verdict(ref.Version).IsNegative() {
		return false
	}
	uids := []types.UID{ref.UID}
	for i := len(w.history) - 1; i >= 0; i-- {
		if spec := &w.history[i].Spec; spec.Event == v1alpha1.EventRestored && slices.Contains(uids, spec.Release.UID) {
			uids = append(uids, spec.Release.FormerUID)
		}
	}
	return slices.ContainsFunc(w.history, func(r v1alpha1.ReleaseRecord) bool {
		became := r.Spec.Event == v1alpha1.EventPromoted || r.Spec.Event == v1alpha1.EventRolledBack || r.Spec.Event == v1alpha1.EventAdopted
		return became && r.Spec.State.Stable != nil && slices.Contains(uids, r.Spec.State.Stable.UID)
	})
}

// checkRaise: every gate holds in the writer's observation.
func (w *World) checkRaise(o rollout.Observation, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	from, to := weightOf(before, spec.Release.Name), weightOf(spec.State, spec.Release.Name)
	if len(spec.State.Routes) == 0 && spec.State.Candidate.ActivatedTime != nil {
		to = 100
	}
	if to <= from {
		return fmt.Errorf("weight goes from %d to %d", from, to)
	}
	if err := ready(o, spec.Release.Name, from, to); err != nil {
		return err
	}
	if err := w.checkTests(o, before, from); err != nil {
		return err
	}
	if pace(o).AdvancePolicy == v1alpha1.AdvancePaused {
		return fmt.Errorf("the track is paused")
	}
	if err := errors.Join(w.checkRequired(o, before, from), w.checkTurn(&o, before)); err != nil {
		return err
	}
	return w.checkSteps(o, before, from, to)
}

// checkSteps: none is left out, or left or entered before its time.
func (w *World) checkSteps(o rollout.Observation, before v1alpha1.TrackState, from, to int32) error {
	direct := w.proven(before.Candidate.ReleaseRef) || before.Stable == nil || !baselineServes(o, before)
	for _, step := range steps(o.Track) {
		if step.WeightPercent == from && from > 0 && !direct && w.held(o, before) < holdOf(step) && !w.skipped(before, from) {
			return fmt.Errorf("at %d for %s only", from, w.held(o, before))
		}
		entered := step.WeightPercent > from && step.WeightPercent <= to
		approved := slices.ContainsFunc(before.Approvals, func(a v1alpha1.Approval) bool {
			valid := o.Track.Approvals.Valid
			return a.WeightPercent == step.WeightPercent && (valid == 0 || o.Now.Before(a.Time.Add(valid)))
		})
		if entered && step.Approval == v1alpha1.ApprovalRequired && !approved && !w.proven(before.Candidate.ReleaseRef) {
			return fmt.Errorf("the step to %d needs an approval", step.WeightPercent)
		}
		if entered && step.WeightPercent < to && !direct && divisible(o.Track, before) {
			return fmt.Errorf("the step to %d is left out", step.WeightPercent)
		}
	}
	return nil
}

// divisible: a route that the newest record has weights for can carry a part.
func divisible(track *rollout.Track, state v1alpha1.TrackState) bool {
	return slices.ContainsFunc(state.Routes, func(s v1alpha1.RouteState) bool {
		return slices.ContainsFunc(routes(track), func(r v1alpha1.Route) bool { return r.Name == s.Name && r.Type != v1alpha1.RouteService })
	})
}

func routes(track *rollout.Track) []v1alpha1.Route {
	if track.Spec.Traffic == nil {
		return nil
	}
	return track.Spec.Traffic.Routes
}

func steps(track *rollout.Track) []v1alpha1.RolloutStep {
	if track.Spec.Rollout == nil {
		return nil
	}
	return track.Spec.Rollout.Steps
}

func pace(o rollout.Observation) v1alpha1.RolloutSpec {
	if o.Track.Spec.Rollout == nil {
		return v1alpha1.RolloutSpec{}
	}
	return *o.Track.Spec.Rollout
}

func holdOf(step v1alpha1.RolloutStep) time.Duration {
	if step.HoldSeconds == nil {
		return 0
	}
	return time.Duration(*step.HoldSeconds) * time.Second
}

// held is how long the present weights are verified in the open attempt, 0 while they
// are not; where failures are held, with the candidate available all the time.
func (w *World) held(o rollout.Observation, state v1alpha1.TrackState) time.Duration {
	since := state.Candidate.StartTime.Time
	for _, r := range o.Releases {
		for _, c := range r.Components {
			if r.UID == state.Candidate.UID && pace(o).FailurePolicy == v1alpha1.FailureHold && c.AvailableChange.After(since) {
				since = c.AvailableChange
			}
		}
	}
	for _, r := range state.Routes {
		if r.VerifiedTime == nil {
			return 0
		}
		if r.VerifiedTime.After(since) {
			since = r.VerifiedTime.Time
		}
	}
	return o.Now.Sub(since)
}

// ready: what should run of a release has the size that a weight needs.
func ready(o rollout.Observation, release string, from, to int32) error {
	for i := range o.Releases {
		r := &o.Releases[i]
		if r.Name != release {
			continue
		}
		for i, c := range r.Components {
			spec := &r.Spec.Components[i]
			if waits(spec) && from < 100 {
				continue
			}
			want := wanted(o, r, spec, to)
			if c.Deployment != rollout.Ours || c.AvailableReplicas < want {
				return fmt.Errorf("component %s has %d of %d pods", c.Name, c.AvailableReplicas, want)
			}
			if spec.Autoscaling != nil && (c.Autoscaler != rollout.Ours || c.MinReplicas < want) {
				return fmt.Errorf("the autoscaler of component %s is not at %d", c.Name, want)
			}
		}
		return nil
	}
	return fmt.Errorf("the release was not observed")
}

// baselineServes: every route that the attempt began with, or where none of those
// is left every route, has ready endpoints in stable.
func baselineServes(o rollout.Observation, state v1alpha1.TrackState) bool {
	if !slices.ContainsFunc(o.Releases, func(r rollout.Release) bool { return r.UID == state.Stable.UID }) {
		return false
	}
	if len(routes(o.Track)) == 0 {
		// Without any, also where they were taken away under way, its pods tell.
		return !slices.ContainsFunc(o.Releases, func(r rollout.Release) bool {
			return r.UID == state.Stable.UID && slices.ContainsFunc(r.Components, func(c rollout.Component) bool { return c.Deployment != rollout.Ours || !c.Available })
		})
	}
	inForce := func(r v1alpha1.Route) bool {
		return slices.ContainsFunc(state.Routes, func(s v1alpha1.RouteState) bool { return s.Name == r.Name })
	}
	some := slices.ContainsFunc(routes(o.Track), inForce)
	for _, route := range routes(o.Track) {
		if (inForce(route) || !some) && endpoints(&o, state.Stable.Name, route.ComponentName) == 0 {
			return false
		}
	}
	return true
}

// checkTests: every test that is due at the weight has passed in this attempt, and
// none has failed in it.
func (w *World) checkTests(o rollout.Observation, state v1alpha1.TrackState, weight int32) error {
	for _, result := range state.Tests {
		if result.Outcome == v1alpha1.TestFailed {
			return fmt.Errorf("test %s has failed", result.Name)
		}
	}
	if w.proven(state.Candidate.ReleaseRef) {
		return nil
	}
	for _, r := range o.Releases {
		if r.UID != state.Candidate.UID {
			continue
		}
		for _, t := range r.Spec.Tests {
			every := t.When == v1alpha1.EveryStep
			due := !every && t.When != v1alpha1.AfterPromotion || every && weight > 0 || weight == 100
			passed := slices.ContainsFunc(state.Tests, func(result v1alpha1.TestResult) bool {
				same := !every || result.WeightPercent != nil && *result.WeightPercent == weight
				return result.Name == t.Name && same && result.Outcome == v1alpha1.TestPassed
			})
			if due && !passed {
				return fmt.Errorf("test %s has not passed at %d", t.Name, weight)
			}
		}
	}
	return nil
}

// checkRequired: before its first weight, the content was promoted on every required
// track, and was not spoken against there, when the writer looked.
func (w *World) checkRequired(o rollout.Observation, state v1alpha1.TrackState, weight int32) error {
	if weight > 0 || state.Candidate.ActivatedTime != nil || w.proven(state.Candidate.ReleaseRef) {
		return nil
	}
	good := map[v1alpha1.RequiredTrack]string{}
	for _, there := range o.Required {
		if !there.PromotedTime.IsZero() && !there.Verdict.IsNegative() {
			good[there.RequiredTrack] = there.ContentDigest
		}
	}
	for _, required := range o.Track.Spec.Requires {
		if seal := w.Seals[state.Candidate.Name]; seal == nil || good[required] != seal.Sealed.ContentDigest {
			return fmt.Errorf("its content is not promoted on track %s/%s", required.Namespace, required.TrackName)
		}
	}
	return nil
}

func (w *World) checkPromoted(o rollout.Observation, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if err := ready(o, spec.Release.Name, 100, 100); err != nil {
		return err
	}
	for _, route := range before.Routes {
		if shareOf(route.Weights, spec.Release.Name) != 100 && slices.ContainsFunc(routes(o.Track), func(r v1alpha1.Route) bool { return r.Name == route.Name }) {
			return fmt.Errorf("promoted at %s", Shares(route.Weights))
		}
	}
	if len(before.Routes) == 0 || len(routes(o.Track)) == 0 {
		if pace(o).AdvancePolicy == v1alpha1.AdvancePaused && weightOf(before, spec.Release.Name) < 100 && before.Candidate.ActivatedTime == nil {
			return fmt.Errorf("the track is paused")
		}
		// Without routes there is one step, to 100.
		return errors.Join(w.checkTests(o, before, 100), w.checkRequired(o, before, weightOf(before, spec.Release.Name)))
	}
	held := w.held(o, before)
	if bake := pace(o).BakeSeconds; bake != nil && held < time.Duration(*bake)*time.Second {
		return fmt.Errorf("baked for %s only", held)
	}
	for _, step := range steps(o.Track) {
		if step.WeightPercent == 100 && held < holdOf(step) && !w.skipped(before, 100) {
			return fmt.Errorf("at 100 for %s only", held)
		}
	}
	return w.checkTests(o, before, weightOf(before, spec.Release.Name))
}

func (w *World) checkRetired(before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
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

// checkFailed: by failurePolicy Hold, what has weight gets no verdict.
func checkFailed(o rollout.Observation, before v1alpha1.TrackState) error {
	if before.Candidate == nil {
		return nil
	}
	if weight := weightOf(before, before.Candidate.Name); pace(o).FailurePolicy == v1alpha1.FailureHold && weight > 0 {
		return fmt.Errorf("failures are held, and it is at %d", weight)
	}
	return nil
}

// checkSuperseded: nothing but a pin, or that its object is gone, ends the attempt of
// a candidate that finishes first: one at 100, or any under Queue.
func checkSuperseded(o rollout.Observation, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	c := before.Candidate
	if c == nil || spec.State.Candidate != nil || o.Track.Spec.ReleaseName != "" {
		return nil
	}
	there := slices.ContainsFunc(o.Releases, func(r rollout.Release) bool { return r.UID == c.UID && !r.Deleting })
	weight := weightOf(before, c.Name)
	if there && (weight == 100 || pace(o).SupersedePolicy == v1alpha1.SupersedeQueue) {
		return fmt.Errorf("at %d, under %s", weight, pace(o).SupersedePolicy)
	}
	return nil
}

// checkSkipped: what a human asked for is the hold of the very step and attempt.
func (w *World) checkSkipped(o rollout.Observation, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if before.Candidate == nil {
		return fmt.Errorf("no attempt is open")
	}
	weight := weightOf(before, before.Candidate.Name)
	for _, step := range steps(o.Track) {
		if step.WeightPercent == weight && w.held(o, before) < holdOf(step) && w.skips(spec.ActionName, before, weight) {
			return nil
		}
	}
	return fmt.Errorf("nobody asked for it, or nothing is held at %d", weight)
}

// skips says whether an action of that name asks to end a hold of the open attempt.
func (w *World) skips(action string, state v1alpha1.TrackState, weight int32) bool {
	return slices.ContainsFunc(w.asked, func(a v1alpha1.ReleaseAction) bool {
		c, s := state.Candidate, a.Spec
		return a.Name == action && s.Action == v1alpha1.ActionSkipHold && s.ReleaseName == c.Name &&
			s.Attempt != nil && *s.Attempt == c.Attempt && s.WeightPercent != nil && *s.WeightPercent == weight
	})
}

// skipped says whether a record ended the hold of the open attempt at a weight.
func (w *World) skipped(state v1alpha1.TrackState, weight int32) bool {
	return slices.ContainsFunc(w.Records, func(r v1alpha1.ReleaseRecord) bool {
		return r.Spec.Event == v1alpha1.EventHoldSkipped && r.Spec.Release.UID == state.Candidate.UID && w.skips(r.Spec.ActionName, state, weight)
	})
}

func weightOf(state v1alpha1.TrackState, release string) int32 {
	var most int32
	for _, route := range state.Routes {
		most = max(most, shareOf(route.Weights, release))
	}
	return most
}
