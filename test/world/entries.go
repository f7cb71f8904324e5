package world

import (
	"fmt"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// checkEntry holds, by rules of its own, a record that is about to be appended
// against what its writer observed.
func (w *World) checkEntry(o rollout.Observation, spec *v1alpha1.ReleaseRecordSpec) error {
	before := w.Head()
	var err error
	switch spec.Event {
	case v1alpha1.EventAttemptOpened:
		err = w.checkOpened(before, spec)
	case v1alpha1.EventWeightSet:
		if spec.Reason == "GatesHold" {
			err = w.checkRaise(o, before, spec)
		}
	case v1alpha1.EventPromoted:
		err = w.checkPromoted(o, before, spec)
	case v1alpha1.EventRetired:
		err = w.checkRetired(before, spec)
	case v1alpha1.EventAdopted:
		err = w.checkAdopted(o, spec)
	}
	if spec.ActionName != "" && spec.Event != v1alpha1.EventRecalled {
		if w.answered[spec.ActionName] {
			return fmt.Errorf("record %d: action %s is answered a second time", spec.Sequence, spec.ActionName)
		}
		w.answered[spec.ActionName] = true
	}
	if err != nil {
		return fmt.Errorf("record %d, %s %s: %w", spec.Sequence, spec.Event, spec.Release.Name, err)
	}
	if spec.Event.IsVerdict() && spec.Event != v1alpha1.EventRolledBack && spec.Reason != "PassedOver" && spec.Reason != "RecordsLost" && before.Candidate == nil {
		return fmt.Errorf("record %d: %s without an open attempt", spec.Sequence, spec.Event)
	}
	if spec.Event.IsNegative() && spec.State.Stable != nil && spec.State.Stable.UID == spec.Release.UID {
		return fmt.Errorf("record %d: %s speaks against %s, which is stable after it", spec.Sequence, spec.Event, spec.Release.Name)
	}
	return nil
}

// checkOpened: one open attempt; after a negative verdict only by a Retry; and,
// unless pinned or retried, never what had its verdict already.
func (w *World) checkOpened(before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if before.Candidate != nil {
		return fmt.Errorf("the attempt of %s is open", before.Candidate.Name)
	}
	if spec.ActionName != "" {
		return nil
	}
	if w.forgotten[spec.Release.UID] && !spec.Release.Pinned {
		return fmt.Errorf("nobody knows how it fared before the records were lost")
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
	return slices.ContainsFunc(w.history, func(r v1alpha1.ReleaseRecord) bool {
		became := r.Spec.Event == v1alpha1.EventPromoted || r.Spec.Event == v1alpha1.EventRolledBack || r.Spec.Event == v1alpha1.EventAdopted
		return became && r.Spec.State.Stable != nil && r.Spec.State.Stable.UID == ref.UID
	})
}

// checkRaise: every gate holds in the writer's observation.
func (w *World) checkRaise(o rollout.Observation, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	from, to := weightOf(before, spec.Release.Name), weightOf(spec.State, spec.Release.Name)
	if to <= from {
		return fmt.Errorf("weight goes from %d to %d", from, to)
	}
	if err := ready(o, spec.Release.Name, from == 0); err != nil {
		return err
	}
	if err := w.checkTests(o, before, from); err != nil {
		return err
	}
	direct := w.proven(before.Candidate.ReleaseRef) || before.Stable == nil || !baselineServes(o, before)
	for _, step := range steps(o.Track) {
		if step.WeightPercent == from && from > 0 && !direct && w.held(o, before) < holdOf(step) {
			return fmt.Errorf("at %d for %s only", from, w.held(o, before))
		}
		entered := step.WeightPercent > from && step.WeightPercent <= to
		approved := slices.ContainsFunc(before.Approvals, func(a v1alpha1.Approval) bool { return a.WeightPercent == step.WeightPercent })
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

func holdOf(step v1alpha1.RolloutStep) time.Duration {
	if step.HoldSeconds == nil {
		return 0
	}
	return time.Duration(*step.HoldSeconds) * time.Second
}

// held is how long the present weights are verified, 0 while they are not.
func (w *World) held(o rollout.Observation, state v1alpha1.TrackState) time.Duration {
	var since time.Time
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

func ready(o rollout.Observation, release string, full bool) error {
	for _, r := range o.Releases {
		if r.Name != release {
			continue
		}
		for i, c := range r.Components {
			want := r.Spec.Components[i].Replicas
			if c.Deployment != rollout.Ours || !c.Available || full && c.AvailableReplicas < want {
				return fmt.Errorf("component %s has %d of %d pods", c.Name, c.AvailableReplicas, want)
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

// checkTests: every test that is due at the weight has passed in this attempt.
func (w *World) checkTests(o rollout.Observation, state v1alpha1.TrackState, weight int32) error {
	if w.proven(state.Candidate.ReleaseRef) {
		return nil
	}
	for _, r := range o.Releases {
		if r.UID != state.Candidate.UID {
			continue
		}
		for _, t := range r.Spec.Tests {
			due := t.When == v1alpha1.BeforeTraffic || t.When == v1alpha1.EveryStep && weight > 0
			passed := slices.ContainsFunc(state.Tests, func(result v1alpha1.TestResult) bool {
				same := t.When == v1alpha1.BeforeTraffic || result.WeightPercent != nil && *result.WeightPercent == weight
				return result.Name == t.Name && same && result.Outcome == v1alpha1.TestPassed
			})
			if due && !passed {
				return fmt.Errorf("test %s has not passed at %d", t.Name, weight)
			}
		}
	}
	return nil
}

func (w *World) checkPromoted(o rollout.Observation, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if err := ready(o, spec.Release.Name, false); err != nil {
		return err
	}
	for _, route := range before.Routes {
		if shareOf(route.Weights, spec.Release.Name) != 100 && slices.ContainsFunc(routes(o.Track), func(r v1alpha1.Route) bool { return r.Name == route.Name }) {
			return fmt.Errorf("promoted at %s", Shares(route.Weights))
		}
	}
	if len(before.Routes) == 0 || len(routes(o.Track)) == 0 {
		// Without routes there is one step, to 100.
		return w.checkTests(o, before, 100)
	}
	if rollout := o.Track.Spec.Rollout; rollout != nil && rollout.BakeSeconds != nil {
		if held := w.held(o, before); held < time.Duration(*rollout.BakeSeconds)*time.Second {
			return fmt.Errorf("baked for %s only", held)
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

func weightOf(state v1alpha1.TrackState, release string) int32 {
	var most int32
	for _, route := range state.Routes {
		most = max(most, shareOf(route.Weights, release))
	}
	return most
}
