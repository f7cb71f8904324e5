package controllers

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/snapshot"
)

// How often the snapshots of a release that has pods are compared with their names. Nobody
// can edit them, nobody is let to delete them, and nobody's ConfigMaps and Secrets are
// watched: it is one read of each. Before a release takes traffic, and while one is known
// not to be what was sealed, no look is older than copiesFresh.
const (
	copiesLooks = time.Hour
	copiesFresh = time.Minute
)

// copiesLook is when the snapshots of a release were looked at last, and which of them
// were not what their names say.
type copiesLook struct {
	at     time.Time
	broken []rollout.Snapshot
}

// observeCopies looks where that is due. Settled tracks take their first look after a
// restart at different times. What is broken is read again whenever something is decided on
// live reads.
func (r *TrackReconciler) observeCopies(ctx context.Context, w *world, how reading) error {
	looks, live := w.note.copies, w.state().Live
	maps.DeleteFunc(looks, func(uid types.UID, _ copiesLook) bool {
		return !slices.ContainsFunc(live, func(l v1alpha1.LiveRelease) bool { return l.UID == uid })
	})
	for i := range live {
		release := w.facts(live[i].Name)
		if release == nil || release.UID != live[i].UID || release.Deleting || release.Ownerless || release.Sealed == nil || len(release.Sealed.Snapshots) == 0 {
			continue
		}
		look, ok := looks[release.UID]
		if !ok {
			look.at = w.Now.Add(spread(string(release.UID), copiesLooks) - copiesLooks)
		}
		urgent := w.takesTraffic(release, &live[i])
		if w.Now.Sub(look.at) >= copiesWait(urgent, look) || how.past > nothing && len(look.broken) > 0 {
			broken, err := r.brokenCopies(ctx, w, release)
			switch {
			case err == nil:
				look = copiesLook{w.Now, broken}
			case w.candidate() == release:
				return fmt.Errorf("look at the snapshots of release %s/%s: %w", w.Namespace, release.Name, err)
			default:
				look.at = w.Now.Add(copiesFresh - copiesLooks) // What cannot be read now is looked at again soon, and keeps nothing from going on.
			}
		}
		looks[release.UID], release.Snapshots = look, look.broken
		w.copiesDue = sooner(w.copiesDue, look.at.Add(copiesWait(false, look)))
	}
	return nil
}

// copiesWait is for how long a look is good enough.
func copiesWait(urgent bool, look copiesLook) time.Duration {
	if urgent || len(look.broken) > 0 {
		return copiesFresh
	}
	return copiesLooks
}

// takesTraffic says whether a release is about to take traffic, or somebody asks for that,
// or the newest record says that its snapshots are not what they should be.
func (w *world) takesTraffic(release *rollout.Release, live *v1alpha1.LiveRelease) bool {
	return w.candidate() == release || live.Recall != nil ||
		slices.ContainsFunc(w.Actions, func(a v1alpha1.ReleaseAction) bool {
			return a.Spec.Action == v1alpha1.ActionRollback && a.Spec.ReleaseName == release.Name
		}) ||
		slices.ContainsFunc(live.Drifts, func(d v1alpha1.ChildDrift) bool {
			return d.Kind == rollout.SnapshotKind && d.Answer == v1alpha1.DriftLeave
		})
}

// brokenCopies are the snapshots of a release that are not what their names say.
func (r *TrackReconciler) brokenCopies(ctx context.Context, w *world, release *rollout.Release) ([]rollout.Snapshot, error) {
	var broken []rollout.Snapshot
	for _, noted := range release.Sealed.Snapshots {
		configMap, secret, err := r.readConfig(ctx, w.Namespace, noted.Kind, noted.Copy)
		if err != nil {
			return nil, err
		}
		same, err := r.isSealed(noted, configMap, secret)
		switch {
		case err != nil:
			return nil, err
		case isFrozen(configMap, secret) && (same || secret != nil && !r.hashes(w, release.Name)):
			continue
		}
		wanted, err := r.copyAgain(ctx, w.release(release.Name), noted)
		if err != nil {
			return nil, err
		}
		found := rollout.Snapshot{Kind: noted.Kind, Name: noted.Copy, Source: noted.Name, Known: wanted != nil}
		if configMap != nil || secret != nil {
			found.Difference = resources.Bound(copyDifference(wanted, configMap, secret), maxCopyDifference)
		}
		broken = append(broken, found)
	}
	return broken, nil
}

// maxCopyDifference keeps two of them within what a record holds.
const maxCopyDifference = 256

// hashes says whether the digests of a release's Secrets are made with the key that this
// operator has: one that was lost and made anew gives every Secret another digest.
func (r *TrackReconciler) hashes(w *world, release string) bool {
	return w.seals[release].DigestKey == snapshot.KeyName(r.options.SnapshotKey)
}

// isSealed says whether a ConfigMap or Secret has the content that was sealed; neither has
// none.
func (r *TrackReconciler) isSealed(noted v1alpha1.SnapshotDigest, configMap *corev1.ConfigMap, secret *corev1.Secret) (bool, error) {
	digest, err := "", error(nil)
	switch {
	case configMap != nil:
		digest, err = snapshot.ConfigMapDigest(configMap)
	case secret != nil:
		digest, err = snapshot.SecretDigest(secret, r.options.SnapshotKey)
	}
	return digest == noted.Digest, err
}

// copyAgain makes a snapshot as it was sealed, from what it is a copy of; nil where that
// has not the content any more.
func (r *TrackReconciler) copyAgain(ctx context.Context, release *v1alpha1.ImmutableRelease, noted v1alpha1.SnapshotDigest) (client.Object, error) {
	configMap, secret, err := r.readConfig(ctx, release.Namespace, noted.Kind, noted.Name)
	if err != nil {
		return nil, err
	}
	same, err := r.isSealed(noted, configMap, secret)
	switch {
	case err != nil || !same:
		return nil, err
	case configMap != nil:
		return snapshot.CopyConfigMap(release, noted.Copy, configMap), nil
	}
	return snapshot.CopySecret(release, noted.Copy, secret), nil
}

// copyDifference says in which keys a snapshot is not what was sealed, as far as anybody
// still knows what that was.
func copyDifference(wanted client.Object, configMap *corev1.ConfigMap, secret *corev1.Secret) string {
	switch was := wanted.(type) {
	case *corev1.ConfigMap:
		return snapshot.ConfigMapDifference(was, configMap)
	case *corev1.Secret:
		return snapshot.SecretDifference(was, secret)
	}
	if !isFrozen(configMap, secret) {
		return "it is not immutable, and has another content, or may get one"
	}
	return "its content has not the digest that its name stands for"
}

// sealRelease makes the snapshots of a release, or compares those that are there, and so
// needs no look at them for now.
func (r *TrackReconciler) sealRelease(ctx context.Context, w *world, a rollout.SealRelease) error {
	if err := r.seal(ctx, w.prepared, client.FieldOwner(fieldManager)); err != nil {
		return err
	}
	if release := w.release(a.Release); release != nil {
		w.note.copies[release.UID] = copiesLook{at: w.Now}
	}
	return nil
}

// isFrozen says whether nobody can change what is there.
func isFrozen(configMap *corev1.ConfigMap, secret *corev1.Secret) bool {
	return configMap != nil && frozen(configMap.Immutable) || secret != nil && frozen(secret.Immutable)
}

// makeSnapshots makes those again that are missing, as far as their sources still have the
// content, and has all looked at again.
func (r *TrackReconciler) makeSnapshots(ctx context.Context, w *world, a rollout.MakeSnapshots) error {
	release := w.facts(a.Release)
	w.note.copies[release.UID] = copiesLook{}
	for _, noted := range release.Sealed.Snapshots {
		if !slices.ContainsFunc(release.Snapshots, func(s rollout.Snapshot) bool {
			return s.Kind == noted.Kind && s.Name == noted.Copy && s.Difference == ""
		}) {
			continue
		}
		wanted, err := r.copyAgain(ctx, w.release(a.Release), noted)
		if err == nil && wanted != nil {
			err = r.createCopy(ctx, wanted, client.FieldOwner(fieldManager))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
