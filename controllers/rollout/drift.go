package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// What was found changed is put right so often, each time within this of the last one,
// and is then left for as long.
const (
	maxRepairs = 3
	driftPeace = time.Hour
)

// repairTime is how long a repair may take. What differs after that, whatever its stamp
// says, was changed again, or cannot be repaired. A pod may have to wait for others
// before it is replaced (replaceWithin).
const repairTime = 10 * time.Second

const (
	podKind        = "Pod"
	autoscalerKind = "HorizontalPodAutoscaler"
)

// changedAgain is the reason of what was put right before, and is left for now.
const changedAgain = "ChangedAgain"

// recordDrift tells of a child of a live release that is not as sealed, before it is
// put right; once that was done too often, that it is left. What was changed as it was
// created, before it had any traffic, fails instead.
func (v view) recordDrift() *Entry {
	for i, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil || r.Deleting || r.Sealed == nil || v.isCandidate(r) && v.mutation() != nil {
			continue
		}
		drains := live.ZeroTime != nil && v.onlyDrains(live)
		if d := r.SnapshotDrift(); d != nil && (d.Lost || !drains) {
			if known := driftOf(live, "", d.Kind); known == nil || known.Message != d.message() || !d.Lost && v.isNew(known, *d) {
				return v.tellDrift(r, i, "", *d)
			}
		}
		if drains {
			continue
		}
		for _, c := range r.Components {
			for _, d := range c.Drifts {
				if known := driftOf(live, c.Name, d.Kind); known != nil && !v.isNew(known, d) {
					continue
				}
				return v.tellDrift(r, i, c.Name, d)
			}
		}
	}
	return nil
}

// isNew says whether a difference is not the one that was recorded last: that was put
// right in between, or could not be.
func (v view) isNew(known *v1alpha1.ChildDrift, d Drift) bool {
	since := v.Now.Sub(known.Time.Time)
	switch {
	case since >= driftPeace:
		return true
	case known.Answer == v1alpha1.DriftLeave:
		return false
	case d.Kind == podKind:
		return succeeds(known, d) || !slices.Contains(known.PodNames, d.Name) && len(known.PodNames) < v1alpha1.MaxDriftedPods
	}
	return d.Sequence >= known.Sequence || since >= repairTime
}

// succeeds: a pod was created after the record of others of its component.
func succeeds(known *v1alpha1.ChildDrift, d Drift) bool {
	return d.Kind == podKind && d.CreationTime.After(known.Time.Time)
}

// tellDrift makes the record, for pods one of all that differ in a component. Pods are
// replaced once: one whose successor differs too gets that from its node or its template.
func (v view) tellDrift(r *Release, live int, component string, d Drift) *Entry {
	known := driftOf(v.state.Live[live], component, d.Kind)
	recent := known != nil && v.Now.Sub(known.Time.Time) < driftPeace
	now := v1alpha1.ChildDrift{
		Kind: d.Kind, ComponentName: component, Sequence: v.next(), Time: v.now(), Repairs: 1, Answer: v1alpha1.DriftRepair,
		Message: d.message(),
	}
	if recent {
		now.Repairs, now.PodNames = known.Repairs, slices.Clone(known.PodNames)
		switch {
		case d.Kind == podKind:
		case known.Repairs >= maxRepairs:
			now.Answer = v1alpha1.DriftLeave
		case !d.Lost:
			now.Repairs++
		}
	}
	if d.Kind == podKind {
		r.component(component).tellPods(&now, known, recent)
	}
	times := fmt.Sprintf(" (%d of at most %d times in a row)", now.Repairs, maxRepairs)
	reason, becomes := "ChildChanged", "it is put right"+times
	switch {
	case d.Lost:
		now.Answer = v1alpha1.DriftLeave
		reason, becomes = SnapshotChanged, LostMeans
	case now.Answer == v1alpha1.DriftLeave:
		reason, becomes = changedAgain, "it was put right before, and is left for "+driftPeace.String()
	case d.Kind == podKind:
		reason, becomes = "PodChanged", "it is replaced"
	case d.Kind == SnapshotKind:
		reason, becomes = SnapshotChanged, "what is missing is made again"+times
	}
	e := v.about(r, v1alpha1.EventDrift, reason, now.Message+": "+becomes)
	e.Confirm = true
	state := &e.State.Live[live]
	state.Drifts = append(slices.DeleteFunc(state.Drifts, func(old v1alpha1.ChildDrift) bool {
		return old.Kind == d.Kind && old.ComponentName == component || v.Now.Sub(old.Time.Time) >= driftPeace
	}), now)
	return e
}

// tellPods names the pods that differ and that no record told of. Where one of them
// succeeds those before, all are left.
func (c *Component) tellPods(now, known *v1alpha1.ChildDrift, recent bool) {
	more := -1
	for _, d := range c.Drifts {
		if d.Kind != podKind || slices.Contains(now.PodNames, d.Name) {
			continue
		}
		if recent && succeeds(known, d) {
			now.Answer, now.Message = v1alpha1.DriftLeave, d.message()
		}
		if len(now.PodNames) < v1alpha1.MaxDriftedPods {
			now.PodNames = append(now.PodNames, d.Name)
		}
		more++
	}
	if more > 0 {
		now.Message += fmt.Sprintf("; and so are %d more pods of component %s", more, c.Name)
	}
}

// message says what differs, where, and who wrote that.
func (d Drift) message() string {
	by := "by " + d.Writer
	switch {
	case d.Kind == SnapshotKind:
		return d.Difference
	case d.Mutated:
		by = "by a mutating webhook or policy, on its way into the cluster"
	case d.Writer == "":
		by = "nothing tells by whom"
	}
	return fmt.Sprintf("%s %s is not as sealed: %s (%s)", d.Kind, d.Name, d.Difference, by)
}

func driftOf(live v1alpha1.LiveRelease, component, kind string) *v1alpha1.ChildDrift {
	for i := range live.Drifts {
		if d := &live.Drifts[i]; d.ComponentName == component && d.Kind == kind {
			return d
		}
	}
	return nil
}

// repair what the records say is to be put right, and is not yet. Of the pods of a
// component that can serve, one after the other is replaced, while it has all of them:
// no budget may be there to see to that. When it takes too long, all are.
func (v view) repair() []Action {
	var do []Action
	for _, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil || r.Deleting || r.Sealed == nil || v.Log.Broken != "" {
			continue
		}
		for _, c := range r.Components {
			busy := c.PodLeaving || !v.whole(live.ReleaseRef, c.Name)
			for _, d := range c.Drifts {
				switch known := driftOf(live, c.Name, d.Kind); {
				case known == nil || known.Answer != v1alpha1.DriftRepair || v.isNew(known, d):
				case d.Kind == podKind && d.Ready && busy && v.Now.Before(known.Time.Add(replaceWithin)):
				case d.Kind == podKind:
					busy = busy || d.Ready
					do = append(do, ReplacePod{Release: r.Name, Name: d.Name})
				default:
					repair := RepairChild{Release: r.Name, Component: c.Name, Kind: d.Kind, Sequence: v.head()}
					if d.Kind == autoscalerKind {
						want := v.size(live, r, c)
						repair.Least, repair.Most = want.Least, want.Most
					}
					do = append(do, repair)
				}
			}
		}
	}
	return do
}

// repairs says whether a child is about to be put right. Until it is, its stamp stays
// what it was: it tells the two apart.
func (v view) repairs(live v1alpha1.LiveRelease, c Component, kind string) bool {
	known := driftOf(live, c.Name, kind)
	return known != nil && known.Answer == v1alpha1.DriftRepair && slices.ContainsFunc(c.Drifts, func(d Drift) bool {
		return d.Kind == kind && !v.isNew(known, d)
	})
}

// driftMoments are when a repair is overdue, and when what was left is looked at again.
func (v view) driftMoments(live v1alpha1.LiveRelease) []time.Time {
	r := v.object(live.ReleaseRef)
	if r == nil {
		return nil
	}
	var moments []time.Time
	note := func(component string, d Drift) {
		switch known := driftOf(live, component, d.Kind); {
		case known == nil || d.Lost:
		case known.Answer == v1alpha1.DriftLeave:
			moments = append(moments, known.Time.Add(driftPeace))
		case d.Kind == podKind:
			moments = append(moments, known.Time.Add(replaceWithin))
		default:
			moments = append(moments, known.Time.Add(repairTime))
		}
	}
	if d := r.SnapshotDrift(); d != nil {
		note("", *d)
	}
	for _, c := range r.Components {
		for _, d := range c.Drifts {
			note(c.Name, d)
		}
	}
	return moments
}

// drift is the first object of a release that is not as sealed; nil when all are.
func (r *Release) drift() *Drift {
	if d := r.SnapshotDrift(); d != nil {
		return d
	}
	for _, c := range r.Components {
		if len(c.Drifts) > 0 {
			return &c.Drifts[0]
		}
	}
	return nil
}

// gateAsSealed: what is tested, and gets traffic, is what was sealed.
func gateAsSealed(v view) (string, string, bool) {
	switch d := v.candidate.drift(); {
	case d == nil:
	case d.Lost:
		return SnapshotChanged, d.message() + ": " + LostMeans, true
	case d.Kind == SnapshotKind:
		return SnapshotChanged, d.message(), true
	default:
		return "ChildChanged", d.message(), true
	}
	return "", "", false
}

// mutation is what was changed as the candidate's children were created, before it had
// any traffic; nil for nothing.
func (v view) mutation() *Drift {
	if v.candidate == nil || v.weight() > 0 {
		return nil
	}
	for _, c := range v.candidate.Components {
		if i := slices.IndexFunc(c.Drifts, func(d Drift) bool { return d.Mutated }); i >= 0 {
			return &c.Drifts[i]
		}
	}
	return nil
}

// mutated: what would get traffic is not what was sealed, and whoever changed it would
// do so again.
func mutated(v view) (string, string, bool) {
	if d := v.mutation(); d != nil {
		return "ChildMutated", d.message() + ": exempt what carries the label " + v1alpha1.LabelRelease + " from it", true
	}
	return "", "", false
}

// leftChanged: something that serves, or stands by, is changed again and again.
func leftChanged(v view) *v1alpha1.BlockedBy {
	for _, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil {
			continue
		}
		if d := r.SnapshotDrift(); d != nil {
			if left := v.left(driftOf(live, "", d.Kind), *d); left != nil {
				return left
			}
		}
		for _, c := range r.Components {
			for _, d := range c.Drifts {
				if left := v.left(driftOf(live, c.Name, d.Kind), d); left != nil {
					return left
				}
			}
		}
	}
	return nil
}

// left is what people read of a drift that is not put right; nil where it is.
func (v view) left(known *v1alpha1.ChildDrift, d Drift) *v1alpha1.BlockedBy {
	switch {
	case known == nil || known.Answer != v1alpha1.DriftLeave:
		return nil
	case d.Lost:
		return &v1alpha1.BlockedBy{Gate: "AsSealed", Reason: SnapshotChanged, Message: known.Message + ": " + LostMeans}
	}
	return &v1alpha1.BlockedBy{Gate: "AsSealed", Reason: changedAgain, Message: fmt.Sprintf(
		"%s; it was put right before, and is left until %s: stop whoever writes it", known.Message, known.Time.Add(driftPeace).UTC().Format(time.RFC3339))}
}
