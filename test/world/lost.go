package world

import (
	"fmt"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// LoseRecords takes all records, as nobody can but who switches the guards off.
func (w *World) LoseRecords() {
	if len(w.Records) > 0 {
		w.lost = w.Records
	}
	w.setRecords(nil)
}

// RestoreRecords brings back the records that were lost, where the log has not begun
// anew since.
func (w *World) RestoreRecords() bool {
	if len(w.Records) > 0 || len(w.lost) == 0 {
		return false
	}
	w.setRecords(w.lost)
	return true
}

func (w *World) setRecords(records []v1alpha1.ReleaseRecord) {
	w.Records, w.history, w.digests = records, records, map[int64]string{}
	for i := range records {
		w.noteRecord(&records[i].Spec)
	}
}

// checkAdopted: it had all the weight of every route object that its writer saw, and
// there is no record that could tell more.
func (w *World) checkAdopted(o rollout.Observation, spec *v1alpha1.ReleaseRecordSpec) error {
	if len(w.Records) > 0 {
		return fmt.Errorf("there are records")
	}
	r, routes := w.Releases[spec.Release.Name], 0
	if r == nil || r.UID != spec.Release.UID || spec.State.Stable == nil || spec.State.Stable.UID != r.UID || spec.State.Candidate != nil {
		return fmt.Errorf("it is not the stable release alone")
	}
	for _, route := range o.Routes {
		if route.Presence != rollout.Ours {
			continue
		}
		routes++
		if shareOf(route.Weights, r.Name) != 100 {
			return fmt.Errorf("route %s carries %s", route.Name, Shares(route.Weights))
		}
		if route.Sequence >= spec.Sequence {
			return fmt.Errorf("route %s was written for record %d", route.Name, route.Sequence)
		}
	}
	if routes == 0 {
		return fmt.Errorf("there is no route")
	}
	for _, d := range w.Deployments {
		live := slices.ContainsFunc(spec.State.Live, func(l v1alpha1.LiveRelease) bool { return l.UID == d.Owner })
		if other := w.Releases[d.Release]; other != nil && other.UID == d.Owner && !live {
			return fmt.Errorf("%s has pods, and might have had weight a moment ago", d.Release)
		}
	}
	// What was published since it looked is new.
	for _, other := range o.Releases {
		if other.UID != r.UID {
			w.forgotten[other.UID] = true
		}
	}
	return nil
}

// deleteRecords deletes records that were pruned.
func (p *Planner) deleteRecords(a rollout.DeleteRecords) []write {
	w := p.World
	var writes []write
	for _, sequence := range a.Sequences {
		writes = append(writes, write{fmt.Sprintf("delete record %d", sequence), func() (bool, error) {
			i := slices.IndexFunc(w.Records, func(r v1alpha1.ReleaseRecord) bool { return r.Spec.Sequence == sequence })
			if i < 0 {
				return true, nil
			}
			if limit := w.Track.Spec.Retention.RecordLimit; limit == nil || len(w.Records)-i <= int(*limit) {
				return false, fmt.Errorf("record %d goes, and there are %d from it on", sequence, len(w.Records)-i)
			}
			w.Records = slices.Delete(slices.Clone(w.Records), i, i+1)
			return false, w.CheckLog()
		}})
	}
	return writes
}

// deleteAction deletes an action. Nothing may be still to come of it, for as long as it
// is kept at least.
func (p *Planner) deleteAction(name string) write {
	w, observed := p.World, p.seen.Now
	return write{"delete ReleaseAction " + name, func() (bool, error) {
		i := slices.IndexFunc(w.Actions, func(a v1alpha1.ReleaseAction) bool { return a.Name == name })
		if i < 0 {
			return true, nil
		}
		a := &w.Actions[i]
		opened := slices.ContainsFunc(w.Head().Opened, func(o v1alpha1.OpenedAccess) bool { return o.ActionName == name })
		recalls := slices.ContainsFunc(w.Head().Live, func(l v1alpha1.LiveRelease) bool { return l.Recall != nil && l.Recall.ActionName == name })
		since := w.logOf(w.Records).ActionsSince
		switch keep := time.Duration(*w.Track.Spec.Retention.ActionSeconds) * time.Second; {
		case opened || recalls:
			return false, fmt.Errorf("action %s goes while it is carried out", name)
		case !w.answered[name] && a.CreationTimestamp.After(since):
			return false, fmt.Errorf("action %s goes without an answer", name)
		case observed.Before(a.CreationTimestamp.Add(keep)):
			return false, fmt.Errorf("action %s goes before its time", name)
		}
		w.Actions = slices.Delete(slices.Clone(w.Actions), i, i+1)
		return false, nil
	}}
}
