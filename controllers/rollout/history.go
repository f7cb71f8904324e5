package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// deleteReleases deletes idle release objects beyond the limit, the oldest objects
// first. An idle one has had its verdict, which the log keeps, and has no pods. What
// is held is not idle, nor what came back under the name of one that serves; what a
// GitOps tool would create again is that tool's to delete.
func (v view) deleteReleases() []Action {
	limit := v.Track.historyLimit()
	if limit == nil || v.Log.Head == nil {
		return nil
	}
	var idle []*Release
	for i := range v.Releases {
		if r := &v.Releases[i]; v.isIdle(r) {
			idle = append(idle, r)
		}
	}
	slices.SortFunc(idle, func(a, b *Release) int {
		return cmp.Or(a.CreationTime.Compare(b.CreationTime), strings.Compare(a.Name, b.Name))
	})
	var do []Action
	for _, r := range idle[:max(len(idle)-int(*limit), 0)] {
		do = append(do, DeleteRelease{Release: r.Name})
	}
	return do
}

func (v view) isIdle(r *Release) bool {
	_, decided := v.Log.Verdicts[r.Spec.Version]
	_, held := v.heldSince(r)
	used := held || r.Held != 0 || v.liveRef(r.Name) != nil || v.pointedAt(r.Name) || r.hasChildren()
	return decided && !used && r.Owner == "" && !r.Deleting && v.claimant(r) == nil
}

// prune lets the oldest records go, many at a time and while nothing is under way,
// once there are a tenth more than the limit. The ledger keeps what decisions ask for.
func (v view) prune() *Entry {
	due, ok := v.pruneTime()
	if !ok || v.Now.Before(due) {
		return nil
	}
	first := v.next() - v.Track.recordLimit() + 1
	e := v.note(v1alpha1.EventPruned, "RecordLimit", fmt.Sprintf("records before number %d go, but for what every version is remembered by", first))
	e.Pruned = &v1alpha1.PrunedRecords{BeforeSequence: first}
	return e
}

// pruneTime is when records may go; false while there are few, or something is under
// way. The name of a record that is gone is free: a leader that was asleep since before
// it was written could write another of that name. So nothing goes before the log has
// been quiet for longer than any leader thinks.
func (v view) pruneTime() (time.Time, bool) {
	limit := v.Track.recordLimit()
	if v.Log.Head == nil || v.state.Candidate != nil || v.recalling() != nil || v.head()-v.Log.First+1 <= limit+limit/10 {
		return time.Time{}, false
	}
	return v.Log.Head.Time.Add(pruneQuiet), true
}

// deleteActions deletes actions that have had their outcome for long enough: what came of
// each is a record.
func (v view) deleteActions() []Action {
	var do []Action
	for _, a := range v.Answered {
		if end, ok := v.keepUntil(a); ok && !v.Now.Before(end) {
			do = append(do, DeleteAction{Name: a.Name})
		}
	}
	return do
}

// keepUntil is when an action that was answered may go; false while a record is still to
// come of it. One whose record is gone counts from its creation: the oldest record that
// is kept is a younger one each time that the log is cut.
func (v view) keepUntil(a AnsweredAction) (time.Time, bool) {
	opened := slices.ContainsFunc(v.state.Opened, func(o v1alpha1.OpenedAccess) bool { return o.ActionName == a.Name })
	if live := v.recalling(); opened || live != nil && live.Recall.ActionName == a.Name {
		return time.Time{}, false
	}
	return later(v.Log.Actions[a.Name].Time, a.CreationTime).Add(v.Track.keepAction()), true
}

func (v view) deleteRecords() []Action {
	if len(v.Log.Pruned) == 0 {
		return nil
	}
	return []Action{DeleteRecords{Sequences: v.Log.Pruned}}
}
