package rollout

import (
	"cmp"
	"slices"
	"strings"
)

// deleteReleases deletes idle release objects beyond the limit, the oldest objects
// first. An idle one has had its verdict, which the log keeps, and has no pods. What
// is held is not idle; what a GitOps tool would create again is that tool's to delete.
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
	used := held || r.Held != 0 || v.isCandidate(r) || v.isStable(r) || v.isLive(r) || r.hasChildren()
	return decided && !used && r.Owner == "" && !r.Deleting && v.claimant(r) == nil
}
