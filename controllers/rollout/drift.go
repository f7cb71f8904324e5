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

// recordDrift tells of a child of a live release that is not as sealed, before it is
// put right; once that was done too often, that it is left. What was changed as it was
// created, before it had any traffic, fails instead.
func (v view) recordDrift() *Entry {
	for i, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil || r.Deleting || r.Sealed == nil || live.ZeroTime != nil && v.onlyDrains(live) || v.isCandidate(r) && v.mutation() != nil {
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
		return d.CreationTime.After(known.Time.Time)
	}
	return d.Sequence >= known.Sequence || since >= repairTime
}

// tellDrift makes the record. Pods are replaced once: one whose successor differs too
// gets that from its node or its template.
func (v view) tellDrift(r *Release, live int, component string, d Drift) *Entry {
	known := driftOf(v.state.Live[live], component, d.Kind)
	now := v1alpha1.ChildDrift{
		Kind: d.Kind, ComponentName: component, Sequence: v.next(), Time: v.now(), Repairs: 1, Answer: v1alpha1.DriftRepair,
		Message: d.message(),
	}
	if known != nil && v.Now.Sub(known.Time.Time) < driftPeace {
		now.Repairs = known.Repairs
		if d.Kind == podKind || known.Repairs >= maxRepairs {
			now.Answer = v1alpha1.DriftLeave
		} else {
			now.Repairs++
		}
	}
	reason, becomes := "ChildChanged", fmt.Sprintf("it is put right (%d of at most %d times in a row)", now.Repairs, maxRepairs)
	if d.Kind == podKind {
		reason, becomes = "PodChanged", "it is replaced"
	}
	if now.Answer == v1alpha1.DriftLeave {
		reason, becomes = "ChangedAgain", "it was put right before, and is left for "+driftPeace.String()
	}
	e := v.about(r, v1alpha1.EventDrift, reason, now.Message+": "+becomes)
	e.Confirm = true
	state := &e.State.Live[live]
	state.Drifts = append(slices.DeleteFunc(state.Drifts, func(old v1alpha1.ChildDrift) bool {
		return old.Kind == d.Kind && old.ComponentName == component || v.Now.Sub(old.Time.Time) >= driftPeace
	}), now)
	return e
}

// message says what differs, where, and who wrote that.
func (d Drift) message() string {
	by := "by " + d.Writer
	switch {
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
	for _, c := range r.Components {
		for _, d := range c.Drifts {
			switch known := driftOf(live, c.Name, d.Kind); {
			case known == nil:
			case known.Answer == v1alpha1.DriftLeave:
				moments = append(moments, known.Time.Add(driftPeace))
			case d.Kind == podKind:
				moments = append(moments, known.Time.Add(replaceWithin))
			default:
				moments = append(moments, known.Time.Add(repairTime))
			}
		}
	}
	return moments
}

// drift is the first object of a release that is not as sealed; nil when all are.
func (r *Release) drift() *Drift {
	for _, c := range r.Components {
		if len(c.Drifts) > 0 {
			return &c.Drifts[0]
		}
	}
	return nil
}

// gateAsSealed: what is tested, and gets traffic, is what was sealed.
func gateAsSealed(v view) (string, string, bool) {
	if d := v.candidate.drift(); d != nil {
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
		for _, c := range r.Components {
			for _, d := range c.Drifts {
				if known := driftOf(live, c.Name, d.Kind); known != nil && known.Answer == v1alpha1.DriftLeave {
					return &v1alpha1.BlockedBy{Gate: "AsSealed", Reason: "ChangedAgain", Message: fmt.Sprintf(
						"%s; it was put right before, and is left until %s: stop whoever writes it", known.Message, known.Time.Add(driftPeace).UTC().Format(time.RFC3339))}
				}
			}
		}
	}
	return nil
}
