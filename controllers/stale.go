package controllers

import (
	"context"
	"hash/fnv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/snapshot"
)

// staleLook is how often the live sources of what a settled track serves are compared
// with what was frozen of them. Nobody's ConfigMaps and Secrets are watched, and
// nothing is decided by it: it is one read of each source, for the people who wonder
// why their change is not seen.
const staleLook = time.Hour

// reasonConfigStale says that a live source has moved on since it was frozen.
const reasonConfigStale = "ConfigStale"

// staleness of the configuration that a release has frozen, as it was seen last.
type staleness struct {
	release types.UID
	// known: this process has looked.
	known bool
	// moved says which sources have moved on, and how.
	moved []string
	next  time.Time
}

// observeStale looks when that is due. Tracks take their first look at different
// times: a restart of the operator is no burst of reads.
func (r *TrackReconciler) observeStale(ctx context.Context, w *world, _ reading) error {
	seen, state := &w.note.stale, w.state()
	if w.track == nil || state.Stable == nil || state.Candidate != nil {
		return nil
	}
	release := w.facts(state.Stable.Name)
	if release == nil || release.UID != state.Stable.UID || release.Sealed == nil || len(release.Sealed.Snapshots) == 0 {
		return nil
	}
	if seen.release != release.UID {
		*seen = staleness{release: release.UID, next: w.Now.Add(spread(string(release.UID), staleLook))}
	}
	if !w.Now.Before(seen.next) {
		seen.next = w.Now.Add(staleLook)
		// What cannot be read is looked at again next time.
		if moved, err := r.movedOn(ctx, w.release(release.Name), release.Sealed.Snapshots); err == nil {
			seen.known, seen.moved = true, moved
		}
	}
	w.stale = *seen
	return nil
}

// spread is a part of a time, more than 0 and no more than within, in the precision of
// records: another one for each name, and for one name always the same.
func spread(name string, within time.Duration) time.Duration {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return time.Duration(hash.Sum64()%uint64(within/time.Microsecond)+1) * time.Microsecond
}

// movedOn says which live sources differ from what was frozen.
func (r *TrackReconciler) movedOn(ctx context.Context, release *v1alpha1.ImmutableRelease, frozen []v1alpha1.SnapshotDigest) ([]string, error) {
	sources, err := r.readSources(ctx, release)
	if err != nil {
		return nil, err
	}
	var moved []string
	for _, f := range frozen {
		noun := string(f.Kind) + " " + f.Name
		digest, there := "", false
		if f.Kind == v1alpha1.SecretKind {
			if source := sources.Secrets[f.Name]; source != nil {
				there = true
				digest, err = snapshot.SecretDigest(source, r.options.SnapshotKey)
			}
		} else if source := sources.ConfigMaps[f.Name]; source != nil {
			there = true
			digest, err = snapshot.ConfigMapDigest(source)
		}
		switch {
		case err != nil:
			return nil, err
		case !there:
			moved = append(moved, noun+" is gone")
		case digest != f.Digest:
			moved = append(moved, noun+" has another content now")
		}
	}
	return moved, nil
}

// sealedWords are reason and message of a release that is sealed. What nobody has looked
// at since a restart stays as it was said.
func (f findings) sealedWords(c conditions, release *rollout.Release) (reason, message string) {
	reason, message = "Sealed", "configuration and children are frozen"
	if seal := f.seals[release.Name]; seal != nil && len(seal.PolicyWarnings) > 0 {
		message += "; " + strings.Join(seal.PolicyWarnings, "; ")
	}
	isStable := f.state().Stable != nil && f.state().Stable.UID == release.UID
	looked := f.stale.known && f.stale.release == release.UID
	switch was := meta.FindStatusCondition(*c.list, v1alpha1.ConditionSealed); {
	case !isStable:
	case looked && len(f.stale.moved) > 0:
		return reasonConfigStale, message + "; since then " + strings.Join(f.stale.moved, ", ") + ": publish a new release to have it"
	case !looked && was != nil && was.Status == metav1.ConditionTrue && was.Reason == reasonConfigStale:
		return was.Reason, was.Message
	}
	return reason, message
}
