package simulation

import (
	"fmt"
	"strings"
	"sync"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// conditioned is an object that reports by conditions.
type conditioned client.Object

func conditionsOf(object conditioned) (observed int64, conditions []metav1.Condition) {
	switch o := object.(type) {
	case *v1alpha1.ReleaseTrack:
		return o.Status.ObservedGeneration, o.Status.Conditions
	case *v1alpha1.ImmutableRelease:
		return o.Status.ObservedGeneration, o.Status.Conditions
	}
	return 0, nil
}

func condition(object conditioned, kind string) *metav1.Condition {
	_, conditions := conditionsOf(object)
	return meta.FindStatusCondition(conditions, kind)
}

// answered are what kstatus made of objects, by all that it makes that of: it is asked
// the same in every world.
var answered sync.Map

// read is what kstatus makes of an object: of its generation, and of the types and
// statuses of its conditions.
func read(object conditioned) status.Status {
	observed, conditions := conditionsOf(object)
	var told strings.Builder
	fmt.Fprint(&told, kindOf(object), object.GetGeneration(), " ", observed)
	for _, c := range conditions {
		told.WriteString(" " + c.Type + " " + string(c.Status))
	}
	if known, ok := answered.Load(told.String()); ok {
		return known.(status.Status)
	}
	list := make([]any, 0, len(conditions))
	for _, c := range conditions {
		list = append(list, map[string]any{"type": c.Type, "status": string(c.Status)})
	}
	fields := map[string]any{"conditions": list}
	if observed != 0 {
		fields["observedGeneration"] = observed
	}
	result, err := status.Compute(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": kindOf(object).String(),
		"metadata": map[string]any{"name": object.GetName(), "namespace": Namespace, "generation": object.GetGeneration()},
		"status":   fields,
	}})
	must(err)
	answered.Store(told.String(), result.Status)
	return result.Status
}

// checkStatus: nothing is called current while something is under way, as the writer
// saw it, and no condition speaks against another.
func (w *World) checkStatus(p *process, write written) {
	if write.kind == actions {
		return
	}
	object := conditioned(write.after)
	reconciling, stalled := condition(object, v1alpha1.ConditionReconciling), condition(object, v1alpha1.ConditionStalled)
	if isTrue(reconciling) && isTrue(stalled) {
		w.violate("Status", "%s is Reconciling and Stalled at once", object.GetName())
	}
	says := read(object)
	if isTrue(stalled) != (says == status.FailedStatus) {
		w.violate("Status", "%s is Stalled: %t, and kstatus reads %s", object.GetName(), isTrue(stalled), says)
	}
	if isTrue(condition(object, v1alpha1.ConditionReady)) != (says == status.CurrentStatus) && object.GetGeneration() == observedOf(object) {
		w.violate("Status", "%s is Ready: %t, and kstatus reads %s", object.GetName(), isTrue(condition(object, v1alpha1.ConditionReady)), says)
	}
	if says != status.CurrentStatus {
		return
	}
	state := p.seen.state()
	switch o := write.after.(type) {
	case *v1alpha1.ReleaseTrack:
		if why := p.seen.underWay(state, o); why != "" {
			w.violate("Status", "the track is current while %s", why)
		}
	case *v1alpha1.ImmutableRelease:
		if state.Candidate != nil && state.Candidate.UID == o.UID {
			w.violate("Status", "%s is current while its attempt is open", o.Name)
		}
	}
}

func isTrue(c *metav1.Condition) bool { return c != nil && c.Status == metav1.ConditionTrue }

func observedOf(object conditioned) int64 {
	observed, _ := conditionsOf(object)
	return observed
}

// state after the newest record that was seen.
func (s *seen) state() v1alpha1.TrackState {
	if all := s.lists[records]; len(all) > 0 {
		return all[len(all)-1].(*v1alpha1.ReleaseRecord).Spec.State
	}
	return v1alpha1.TrackState{}
}

// underWay is what of a track is not done yet; "" when all is.
func (s *seen) underWay(state v1alpha1.TrackState, track *v1alpha1.ReleaseTrack) string {
	if state.Candidate != nil {
		return "an attempt is open"
	}
	for _, live := range state.Live {
		if live.Recall != nil {
			return live.Name + " is recalled"
		}
	}
	for _, route := range state.Routes {
		if route.VerifiedTime == nil && componentOf(track, route.Name) != "" {
			return "route " + route.Name + " is not verified"
		}
		for _, share := range route.Weights {
			if share.WeightPercent > 0 && state.Stable != nil && share.ReleaseName != state.Stable.Name && componentOf(track, route.Name) != "" {
				return share.ReleaseName + " has weight and is not stable"
			}
		}
	}
	return ""
}

// checkRestStatus: at rest nothing is in progress, unless a human is asked.
func (w *World) checkRestStatus() {
	track := w.track()
	if says := read(track); says == status.InProgressStatus && !w.othersAwaited() {
		w.violate("Status", "the track is in progress for ever: %s", statusLine(track))
	}
	for _, r := range each[v1alpha1.ImmutableRelease](&w.store, releases) {
		if says := read(r); says == status.InProgressStatus && !w.othersAwaited() && !w.waits(r) {
			w.violate("Status", "%s is in progress for ever: %s", r.Name, statusLine(r))
		}
	}
}

// waits: a release that is not the pinned one waits for the pin to go.
func (w *World) waits(r *v1alpha1.ImmutableRelease) bool {
	pin := w.track().Spec.ReleaseName
	return pin != "" && pin != r.Name
}
