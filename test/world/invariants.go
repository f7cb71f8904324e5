package world

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

// Check holds what must be true after every single write.
func (w *World) Check() error {
	for i := range w.Records {
		if spec := &w.Records[i].Spec; spec.Digest != w.digests[spec.Sequence] {
			return fmt.Errorf("record %d was rewritten", spec.Sequence)
		}
	}
	if err := w.checkState(); err != nil {
		return err
	}
	for _, r := range w.Routes {
		if r.Foreign || len(r.Weights) == 0 {
			continue
		}
		if sum(r.Weights) != 100 {
			return fmt.Errorf("route object %s sums to %d: %s", r.Name, sum(r.Weights), Shares(r.Weights))
		}
		if !w.weights[r.Spec.Name][Shares(r.Weights)] {
			return fmt.Errorf("route object %s carries weights that no record set: %s", r.Name, Shares(r.Weights))
		}
	}
	return nil
}

func (w *World) checkState() error {
	state := w.Head()
	weighted := map[string]bool{}
	for _, route := range state.Routes {
		for _, s := range route.Weights {
			if s.WeightPercent > 0 {
				weighted[s.ReleaseName] = true
			}
			if !slices.ContainsFunc(state.Live, func(l v1alpha1.LiveRelease) bool { return l.Name == s.ReleaseName }) {
				return fmt.Errorf("%s has weight on route %s and is not live", s.ReleaseName, route.Name)
			}
		}
		if state.Stable != nil && sum(route.Weights) != 100 || len(route.Weights) > 0 && sum(route.Weights) != 100 {
			return fmt.Errorf("record %d: weights of route %s sum to %d", len(w.Records), route.Name, sum(route.Weights))
		}
	}
	if len(weighted) > 2 {
		return fmt.Errorf("record %d: %d releases have weight", len(w.Records), len(weighted))
	}
	for _, ref := range []*v1alpha1.ReleaseRef{state.Stable, candidateRef(state)} {
		if ref == nil || w.Releases[ref.Name] == nil || w.Releases[ref.Name].UID != ref.UID {
			continue
		}
		if !slices.ContainsFunc(state.Live, func(l v1alpha1.LiveRelease) bool { return l.UID == ref.UID }) {
			return fmt.Errorf("record %d: %s is stable or candidate and not live", len(w.Records), ref.Name)
		}
	}
	return nil
}

func candidateRef(state v1alpha1.TrackState) *v1alpha1.ReleaseRef {
	if state.Candidate == nil {
		return nil
	}
	return &state.Candidate.ReleaseRef
}

// CheckLog verifies the whole chain, and that what is left of it tells what all of it
// told.
func (w *World) CheckLog() error {
	if err := ledger.Verify(w.Records); err != nil {
		return err
	}
	whole := slices.Clone(w.history)
	for i := range whole {
		whole[i].Spec.Pruned = nil
	}
	left, all := ledger.Read(w.Records), ledger.Read(whole)
	for _, pair := range [][2]any{{left.Verdicts, all.Verdicts}, {left.Promotions, all.Promotions}, {left.ContentDigests, all.ContentDigests}, {left.LostTime, all.LostTime}} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			return fmt.Errorf("pruning lost something: %+v of %+v", pair[0], pair[1])
		}
	}
	return nil
}

func sum(shares []v1alpha1.ReleaseWeight) int32 {
	var total int32
	for _, s := range shares {
		total += s.WeightPercent
	}
	return total
}

func sameRoute(a, b v1alpha1.Route) bool { return equality.Semantic.DeepEqual(a, b) }

// mayBreak: nothing that has weight, or had it less than drainSeconds ago, is
// scaled down or deleted.
func (w *World) mayBreak(release, what string) error {
	last, ok := w.trafficked[release]
	if !ok {
		return nil
	}
	if since := w.Now.Sub(last); since < max(w.drain(), w.deregistration()) {
		return fmt.Errorf("%s, which had traffic %s ago", what, since)
	}
	return nil
}

// mayHavePods, in the writer's own observation: a candidate after its BeforePods
// tests, and nothing that has a negative verdict; but what serves, or might, gets
// back what it lost.
func (w *World) mayHavePods(o *rollout.Observation, r *Release) error {
	state := o.Log.Head.State
	for _, live := range state.Live {
		if live.UID == r.UID && (live.ZeroTime == nil || live.Recall != nil) {
			return w.checkListed(o, r, live)
		}
	}
	if c := state.Candidate; c == nil || c.UID != r.UID {
		if verdict := o.Log.Verdicts[r.Spec.Version]; verdict.UID == r.UID && verdict.Event.IsNegative() {
			return fmt.Errorf("it ended as %s", verdict.Event)
		}
		return nil
	}
	if err := w.checkTurn(o, state); err != nil {
		return err
	}
	if err := w.checkListed(o, r, v1alpha1.LiveRelease{ZeroTime: &metav1.MicroTime{}}); err != nil {
		return err
	}
	for _, t := range r.Spec.Tests {
		passed := slices.ContainsFunc(state.Tests, func(result v1alpha1.TestResult) bool {
			return result.Name == t.Name && result.Outcome == v1alpha1.TestPassed
		})
		if t.When == v1alpha1.BeforePods && !passed && !w.proven(state.Candidate.ReleaseRef) {
			return fmt.Errorf("test %s has not passed", t.Name)
		}
	}
	return nil
}

// checkListed: before a release without weight gets pods, load balancers know it; unless what
// serves is down in the writer's own observation.
func (w *World) checkListed(o *rollout.Observation, r *Release, live v1alpha1.LiveRelease) error {
	if live.ZeroTime == nil || o.Track.Spec.Traffic == nil {
		return nil
	}
	for _, spec := range o.Track.Spec.Traffic.Routes {
		for _, route := range o.Log.Head.State.Routes {
			if !byALB(spec) || route.Name != spec.Name || len(route.Weights) == 0 || w.knows([]v1alpha1.Route{spec}, r.Name, spec.ComponentName) {
				continue
			}
			down := slices.ContainsFunc(route.Weights, func(s v1alpha1.ReleaseWeight) bool {
				return s.WeightPercent > 0 && endpoints(o, s.ReleaseName, spec.ComponentName) == 0
			})
			if !down {
				return fmt.Errorf("the load balancer of route %s does not know it yet, and its pods get no readiness gates", spec.Name)
			}
		}
	}
	return nil
}

// checkRouteWrite: weight rises only onto releases with ready endpoints in the
// writer's own observation.
func (w *World) checkRouteWrite(o *rollout.Observation, seen *RouteObject, spec v1alpha1.Route, weights []v1alpha1.ReleaseWeight) error {
	for _, s := range weights {
		if seen != nil && s.WeightPercent <= shareOf(seen.Weights, s.ReleaseName) || s.WeightPercent == 0 {
			continue
		}
		if endpoints(o, s.ReleaseName, spec.ComponentName) == 0 {
			return fmt.Errorf("route %s raises %s to %d without ready endpoints", spec.Name, s.ReleaseName, s.WeightPercent)
		}
		if err := w.checkHeld(s.ReleaseName); err != nil {
			return err
		}
	}
	return nil
}

func shareOf(shares []v1alpha1.ReleaseWeight, release string) int32 {
	for _, s := range shares {
		if s.ReleaseName == release {
			return s.WeightPercent
		}
	}
	return 0
}

func endpoints(o *rollout.Observation, release, component string) int32 {
	for _, r := range o.Releases {
		for _, c := range r.Components {
			if r.Name == release && c.Name == component {
				return c.ReadyEndpoints
			}
		}
	}
	return 0
}

// noteRecord keeps what later checks compare with.
func (w *World) noteRecord(spec *v1alpha1.ReleaseRecordSpec) {
	w.digests[spec.Sequence] = spec.Digest
	for _, route := range spec.State.Routes {
		if w.weights[route.Name] == nil {
			w.weights[route.Name] = map[string]bool{}
		}
		w.weights[route.Name][Shares(route.Weights)] = true
	}
}
