package controllers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/snapshot"
)

// preparation is all that sealing a release writes: the copies of its
// configuration, and the seal.
type preparation struct {
	frozen *snapshot.Frozen
	seal   *appsv1.ControllerRevision
}

// observePreparation gets an unsealed candidate ready to be sealed, or says what
// is in the way. Everything is read past the cache: Strata watches nobody's
// ConfigMaps and Secrets.
func (r *TrackReconciler) observePreparation(ctx context.Context, w *world, _ reading) error {
	release := w.candidate()
	if release == nil || release.Sealed != nil || release.Obstacle != nil {
		w.note.rendered = nil
		return nil
	}
	prepared, err := r.prepareUnsealed(ctx, w, release)
	if err == nil && prepared != nil && w.Now.Sub(w.state().Candidate.StartTime.Time) >= overdue {
		err = r.trySeal(ctx, prepared)
	}
	var refusal *snapshot.Refusal
	var unfit *unsealable
	var unsure *undecided
	switch {
	case errors.As(err, &refusal):
		release.Obstacle = refusal.Obstacle()
	case errors.As(err, &unsure):
		release.Obstacle = &rollout.Obstacle{Gate: "Sealed", Reason: unsure.reason, Message: unsure.message, Unknown: true}
	case errors.As(err, &unfit):
		release.Obstacle = &rollout.Obstacle{Gate: "Sealed", Reason: unfit.reason, Message: unfit.message}
	case err != nil:
		return fmt.Errorf("prepare release %s/%s: %w", w.Namespace, release.Name, err)
	}
	w.prepared = prepared
	return nil
}

// prepareUnsealed looks first, past the cache, whether the seal is there already.
func (r *TrackReconciler) prepareUnsealed(ctx context.Context, w *world, release *rollout.Release) (*preparation, error) {
	object, revision := w.release(release.Name), &appsv1.ControllerRevision{}
	name := resources.SealName(release.Name)
	err := r.live.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: name}, revision)
	switch {
	case apierrors.IsNotFound(err):
		return r.prepare(ctx, w, object)
	case err != nil:
		return nil, fmt.Errorf("read seal %s: %w", name, err)
	case !metav1.IsControlledBy(revision, object):
		return nil, &unsealable{"NameTaken", "ControllerRevision " + name + " is not of this release and is left alone: remove it, or publish the release under another name"}
	}
	seal, err := w.note.readSeal(revision)
	if err != nil {
		return nil, &unsealable{"SealUnreadable", err.Error()}
	}
	w.seals[release.Name], release.Sealed = seal, seal.Sealed()
	return nil, nil
}

// unsealable is why a release cannot be sealed as it is, or not yet.
type unsealable struct{ reason, message string }

func (u *unsealable) Error() string { return u.reason + ": " + u.message }

// undecided is what nobody knows yet to be sealable: what would tell is not to be asked
// now. It is nobody's failure.
type undecided struct{ unsealable }

// Unwrap makes it unsealable for whoever asks no further.
func (u *undecided) Unwrap() error { return &u.unsealable }

func (r *TrackReconciler) prepare(ctx context.Context, w *world, release *v1alpha1.ImmutableRelease) (*preparation, error) {
	sources, err := r.readSources(ctx, release)
	if err != nil {
		return nil, err
	}
	return r.prepareFrom(ctx, w, release, sources, func(seal *resources.Seal) error { return r.judge(w, release, seal) })
}

// prepareFrom prepares a release with that configuration, and with the evidence of a
// witness, who may also have something against it.
func (r *TrackReconciler) prepareFrom(ctx context.Context, w *world, release *v1alpha1.ImmutableRelease, sources snapshot.Sources, witness func(*resources.Seal) error) (*preparation, error) {
	spec, err := r.storedSpec(ctx, release)
	if err != nil {
		return nil, err
	}
	frozen, err := snapshot.Freeze(release, sources, r.options.SnapshotKey)
	if err != nil {
		return nil, err
	}
	rendered, err := w.note.render(release, spec, frozen)
	if err != nil {
		return nil, err
	}
	if had, ok := w.Log.ContentDigests[release.Spec.Version]; ok && had != rendered.ContentDigest {
		return nil, &unsealable{"VersionReused", fmt.Sprintf(
			"version %s of track %s had another content (%s, now %s): a version has one content for ever; publish this content under a new version",
			release.Spec.Version, w.TrackName, had, rendered.ContentDigest)}
	}
	rendered.DigestKey = frozen.DigestKey
	if err := witness(rendered); err != nil {
		return nil, err
	}
	seal, err := rendered.ControllerRevision(release)
	if err != nil {
		return nil, &unsealable{"SealTooLarge", err.Error()}
	}
	return &preparation{frozen: frozen, seal: seal}, nil
}

// renderedRelease is what a seal was rendered from last, and the seal before its evidence.
type renderedRelease struct {
	uid       types.UID
	spec      string
	snapshots []v1alpha1.SnapshotDigest
	seal      resources.Seal
}

// render renders a release with a spec as stored, and is spared where nothing differs from
// the last time: a candidate may wait long before it is sealed.
func (n *notebook) render(release *v1alpha1.ImmutableRelease, spec []byte, frozen *snapshot.Frozen) (*resources.Seal, error) {
	if r := n.rendered; r == nil || r.uid != release.UID || r.spec != string(spec) || !slices.Equal(r.snapshots, frozen.Digests) {
		digests, err := snapshot.Digests(spec, frozen.Digests)
		if err != nil {
			return nil, err
		}
		seal, err := resources.Render(release, digests, frozen.Digests)
		if err != nil {
			return nil, err
		}
		n.rendered = &renderedRelease{uid: release.UID, spec: string(spec), snapshots: frozen.Digests, seal: *seal}
	}
	seal := n.rendered.seal
	seal.Images = slices.Clone(seal.Images) // They get their evidence, which may be another next time.
	return &seal, nil
}

// storedSpec is the release's spec as the API server stored it. Digests are
// computed over this, never over Go structs.
func (r *TrackReconciler) storedSpec(ctx context.Context, release *v1alpha1.ImmutableRelease) ([]byte, error) {
	stored := &unstructured.Unstructured{}
	stored.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ImmutableRelease"))
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(release), stored); err != nil {
		return nil, fmt.Errorf("read stored spec: %w", err)
	}
	if stored.GetUID() != release.UID {
		return nil, fmt.Errorf("read stored spec: the release was replaced by another object")
	}
	spec, err := json.Marshal(stored.Object["spec"])
	if err != nil {
		return nil, fmt.Errorf("encode stored spec: %w", err)
	}
	return spec, nil
}

func (r *TrackReconciler) readSources(ctx context.Context, release *v1alpha1.ImmutableRelease) (snapshot.Sources, error) {
	sources := snapshot.Sources{ConfigMaps: map[string]*corev1.ConfigMap{}, Secrets: map[string]*corev1.Secret{}}
	for _, ref := range snapshot.References(&release.Spec) {
		configMap, secret, err := r.readConfig(ctx, release.Namespace, ref.Kind, ref.Name)
		switch {
		case err != nil:
			return sources, err
		case secret != nil:
			sources.Secrets[ref.Name] = secret
		case configMap != nil:
			sources.ConfigMaps[ref.Name] = configMap
		}
	}
	return sources, nil
}

// readConfig reads a ConfigMap or a Secret past the cache; neither where it is not there.
func (r *TrackReconciler) readConfig(ctx context.Context, namespace string, kind v1alpha1.ConfigKind, name string) (*corev1.ConfigMap, *corev1.Secret, error) {
	key := client.ObjectKey{Namespace: namespace, Name: name}
	configMap, secret := &corev1.ConfigMap{}, &corev1.Secret{}
	var err error
	if kind == v1alpha1.SecretKind {
		configMap, err = nil, r.live.Get(ctx, key, secret)
	} else {
		secret, err = nil, r.live.Get(ctx, key, configMap)
	}
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("read %s %s/%s: %w", kind, namespace, name, err)
	}
	return configMap, secret, nil
}

// trySeal asks the API server, without writing anything, why a release is still not
// sealed. What it refuses for good is an obstacle; of the rest the next try tells.
func (r *TrackReconciler) trySeal(ctx context.Context, prepared *preparation) error {
	err := r.seal(ctx, prepared.copy(), client.DryRunAll, client.FieldOwner(fieldManager))
	var unfit *unsealable
	switch {
	case errors.As(err, &unfit):
		return err
	case refuses(err):
		return &unsealable{"ChildRefused", "the API server refuses what freezes the release: " + err.Error()}
	}
	return nil
}

func (p *preparation) copy() *preparation {
	copied := &preparation{frozen: &snapshot.Frozen{}, seal: p.seal.DeepCopy()}
	for i := range p.frozen.ConfigMaps {
		copied.frozen.ConfigMaps = append(copied.frozen.ConfigMaps, *p.frozen.ConfigMaps[i].DeepCopy())
	}
	for i := range p.frozen.Secrets {
		copied.frozen.Secrets = append(copied.frozen.Secrets, *p.frozen.Secrets[i].DeepCopy())
	}
	return copied
}

// seal writes the copies, then the seal: one write ends the preparation. A copy
// that is there already is taken for what its name says only if it is.
func (r *TrackReconciler) seal(ctx context.Context, prepared *preparation, options ...client.CreateOption) error {
	for i := range prepared.frozen.ConfigMaps {
		if err := r.createCopy(ctx, &prepared.frozen.ConfigMaps[i], options...); err != nil {
			return err
		}
	}
	for i := range prepared.frozen.Secrets {
		if err := r.createCopy(ctx, &prepared.frozen.Secrets[i], options...); err != nil {
			return err
		}
	}
	if err := r.Create(ctx, prepared.seal, options...); err != nil {
		return fmt.Errorf("create seal %s/%s: %w", prepared.seal.Namespace, prepared.seal.Name, err)
	}
	return nil
}

// createCopy creates a snapshot. One that is there already must be it.
func (r *TrackReconciler) createCopy(ctx context.Context, wanted client.Object, options ...client.CreateOption) error {
	err := r.Create(ctx, wanted, options...)
	if !apierrors.IsAlreadyExists(err) {
		return wrap(err, "create snapshot %T %s/%s", wanted, wanted.GetNamespace(), wanted.GetName())
	}
	var there client.Object = &corev1.ConfigMap{}
	if _, isSecret := wanted.(*corev1.Secret); isSecret {
		there = &corev1.Secret{}
	}
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(wanted), there); err != nil {
		return fmt.Errorf("read snapshot %T %s/%s: %w", wanted, wanted.GetNamespace(), wanted.GetName(), err)
	}
	if owner := metav1.GetControllerOfNoCopy(there); owner != nil && !metav1.IsControlledBy(there, ownerOf(wanted)) {
		return &unsealable{"NameTaken", fmt.Sprintf("%T %s is owned by another %s, with which it goes: it is made anew once that is gone", wanted, wanted.GetName(), owner.Kind)}
	}
	if !sameCopy(wanted, there) {
		return &unsealable{"NameTaken", fmt.Sprintf("%T %s is not the snapshot that it is named for and is left alone: remove it", wanted, wanted.GetName())}
	}
	return nil
}

func sameCopy(wanted, there client.Object) bool {
	if made, isSecret := wanted.(*corev1.Secret); isSecret {
		return snapshot.SameSecret(made, there.(*corev1.Secret))
	}
	return snapshot.SameConfigMap(wanted.(*corev1.ConfigMap), there.(*corev1.ConfigMap))
}

// ownerOf is an object with the UID of the release that a copy is made for.
func ownerOf(wanted client.Object) metav1.Object {
	return &metav1.ObjectMeta{UID: metav1.GetControllerOfNoCopy(wanted).UID}
}

// wrap gives an error its noun; nil stays nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
