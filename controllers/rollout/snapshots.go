package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strata-release/strata/api/v1alpha1"
)

// SnapshotKind is that of the drift of all snapshots of a release: one record tells of
// however many.
const SnapshotKind = "Snapshot"

// SnapshotChanged is the reason of snapshots that are not what was sealed.
const SnapshotChanged = "SnapshotChanged"

// LostMeans is what becomes of snapshots that cannot be made again.
const LostMeans = "pods that start from now on would not run what was sealed: publish a new release"

// maxSnapshotsTold keeps a message within what a record holds.
const maxSnapshotsTold = 2

// SnapshotDrift is all that is wrong with the snapshots of a release, as one drift; nil
// where nothing is. It is lost where nothing of it can be made again.
func (r *Release) SnapshotDrift() *Drift {
	if len(r.Snapshots) == 0 {
		return nil
	}
	var told []string
	for _, s := range r.Snapshots[:min(maxSnapshotsTold, len(r.Snapshots))] {
		told = append(told, s.message())
	}
	if more := len(r.Snapshots) - maxSnapshotsTold; more > 0 {
		told = append(told, fmt.Sprintf("and so with %d more", more))
	}
	return &Drift{Kind: SnapshotKind, Difference: strings.Join(told, "; "), Lost: !slices.ContainsFunc(r.Snapshots, Snapshot.again)}
}

// again says whether it can be made again.
func (s Snapshot) again() bool { return s.Difference == "" && s.Known }

func (s Snapshot) message() string {
	of := fmt.Sprintf("%s %s, the snapshot of %s,", s.Kind, s.Name, s.Source)
	switch {
	case s.Difference != "":
		return of + " is not what was sealed: " + s.Difference
	case s.Known:
		return of + " is missing"
	}
	return fmt.Sprintf("%s is missing, and %s has not the content any more that was sealed (put that back, and the snapshot is made again)", of, s.Source)
}

// makeSnapshots that are missing, that a record tells of and whose content is known. Others
// are left alone: nobody can write them.
func (v view) makeSnapshots() []Action {
	var do []Action
	for _, live := range v.state.Live {
		r := v.object(live.ReleaseRef)
		if r == nil || r.Deleting || r.Sealed == nil || v.Log.Broken != "" {
			continue
		}
		d, known := r.SnapshotDrift(), driftOf(live, "", SnapshotKind)
		if d != nil && !d.Lost && known != nil && known.Answer == v1alpha1.DriftRepair {
			do = append(do, MakeSnapshots{Release: r.Name})
		}
	}
	return do
}

// distrust is why a Rollback to a release is not carried out: a snapshot has another
// content, and pods may run it; or one is missing, and pods are still to be started. "" for
// one that may take traffic.
func (r *Release) distrust(serves bool) string {
	for _, s := range r.Snapshots {
		if s.Difference != "" || !serves && !s.Known {
			return s.message() + ": " + LostMeans
		}
	}
	return ""
}
