package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/snapshot"
)

// comparison is what was found of a seal without an owner: the seal, or in what it is
// not that of its release.
type comparison struct {
	// of is the UID and resourceVersion of the seal that was compared.
	of      string
	seal    *resources.Seal
	differs string
}

// observeOwnerless tells of a seal that has no owner, as a restore leaves it. It is
// compared once, while the track does not rest.
func (r *TrackReconciler) observeOwnerless(ctx context.Context, w *world, facts *rollout.Release, revision *appsv1.ControllerRevision) error {
	known, of := w.note.ownerless, string(revision.UID)+"/"+revision.ResourceVersion
	found, ok := known[facts.UID]
	if !ok || found.of != of {
		seal, err := r.compareSeal(ctx, w, w.release(facts.Name), revision)
		var unfit *unsealable
		if err != nil && !errors.As(err, &unfit) {
			return fmt.Errorf("compare seal %s/%s, which has no owner: %w", w.Namespace, revision.Name, err)
		}
		found = comparison{of: of, seal: seal}
		if unfit != nil {
			found.differs = fmt.Sprintf("ControllerRevision %s has no owner and is not what %s is sealed as: %s", revision.Name, facts.Name, unfit.message)
		}
		known[facts.UID] = found
	}
	if found.differs != "" {
		facts.Differs = found.differs
		facts.Obstacle = &rollout.Obstacle{Gate: "Sealed", Reason: "NameTaken", Message: found.differs + ": remove it, or publish the release under another name"}
		return nil
	}
	if !w.vouchedFor(facts) {
		facts.Obstacle = &rollout.Obstacle{Gate: "Sealed", Reason: "SealUnvouched", Message: fmt.Sprintf(
			"ControllerRevision %s has no owner, no record tells of it, and policies ask for more than it can prove: remove it, and %s is sealed anew", revision.Name, facts.Name)}
		return nil
	}
	facts.Ownerless = true
	w.seals[facts.Name], w.ownerless[facts.Name] = found.seal, revision
	return nil
}

// compareSeal makes the seal of a release anew, from its spec as it is stored and from
// the copies that the stored seal names, and answers with it where both say the same:
// neither that seal nor the name of a copy is trusted. It fails with *unsealable for
// one that is not what the release would be sealed as.
func (r *TrackReconciler) compareSeal(ctx context.Context, w *world, release *v1alpha1.ImmutableRelease, revision *appsv1.ControllerRevision) (*resources.Seal, error) {
	seal, err := resources.ParseSeal(revision)
	if err != nil {
		return nil, &unsealable{"SealUnreadable", err.Error()}
	}
	sources, err := r.readCopies(ctx, release, seal)
	if err != nil {
		return nil, err
	}
	// Who was sealed is not judged again: the evidence is what was seen then.
	prepared, err := r.prepareFrom(ctx, w, release, sources, func(anew *resources.Seal) error {
		anew.WitnessAs(seal)
		return nil
	})
	var refusal *snapshot.Refusal
	switch {
	case errors.As(err, &refusal):
		return nil, &unsealable{refusal.Obstacle().Reason, refusal.Obstacle().Message}
	case err != nil:
		return nil, err
	}
	if path := resources.SealDifference(prepared.seal, revision); path != "" {
		return nil, &unsealable{"SealDiffers", "it differs in " + path}
	}
	return seal.For(release), nil
}

// readCopies reads the copies that a seal names, under the names of what they are
// copies of.
func (r *TrackReconciler) readCopies(ctx context.Context, release *v1alpha1.ImmutableRelease, seal *resources.Seal) (snapshot.Sources, error) {
	sources := snapshot.Sources{ConfigMaps: map[string]*corev1.ConfigMap{}, Secrets: map[string]*corev1.Secret{}}
	for _, noted := range seal.Sealed().Snapshots {
		configMap, secret, err := r.readConfig(ctx, release.Namespace, noted.Kind, noted.Copy)
		switch {
		case err != nil:
			return sources, err
		case configMap == nil && secret == nil:
			return sources, &unsealable{"CopyMissing", fmt.Sprintf("%s %s, its copy of %s, is missing", noted.Kind, noted.Copy, noted.Name)}
		case !isFrozen(configMap, secret):
			return sources, &unsealable{"CopyMutable", fmt.Sprintf("%s %s, its copy of %s, is not immutable", noted.Kind, noted.Copy, noted.Name)}
		case secret != nil:
			sources.Secrets[noted.Name] = secret
		default:
			sources.ConfigMaps[noted.Name] = configMap
		}
	}
	return sources, nil
}

func frozen(immutable *bool) bool { return immutable != nil && *immutable }

// mayComeBack says whether a seal without an owner may be that of a release: it is live,
// the log knows its name and version, or nobody knows what was.
func (w *world) mayComeBack(release *rollout.Release) bool {
	version := release.Spec.Version
	return w.Log.Head == nil || w.isLive(release) || w.Log.Digests[version].ReleaseName == release.Name || w.Log.Verdicts[version].ReleaseName == release.Name
}

// leftOwnerless says whether a child of a release came back without an owner.
func (w *world) leftOwnerless(release *rollout.Release) bool {
	return slices.ContainsFunc(release.Spec.Components, func(c v1alpha1.Component) bool {
		name := resources.ChildName(release.Name, c.Name)
		deployment, service := w.children.deployments[name], w.children.services[name]
		autoscaler, disruption := w.children.autoscalers[name], w.children.disruptions[name]
		return deployment != nil && len(deployment.OwnerReferences) == 0 || service != nil && len(service.OwnerReferences) == 0 ||
			autoscaler != nil && len(autoscaler.OwnerReferences) == 0 || disruption != nil && len(disruption.OwnerReferences) == 0
	})
}

// childOf is a kind of object that a component has.
type childOf[T any] interface {
	*T
	client.Object
}

// claim says whose an object is that has the name of a component's child, nil for none,
// and notes of one without an owner whether it is as sealed.
func claim[T any, Child childOf[T]](w *world, c *rollout.Component, object Child, release *v1alpha1.ImmutableRelease, kind string, sealed func(*resources.Seal) (Child, error)) (rollout.Presence, error) {
	switch {
	case object == nil:
		return rollout.Missing, nil
	case len(object.GetOwnerReferences()) == 0 && w.Log.Head == nil && object.GetLabels()[v1alpha1.LabelRelease] == release.Name:
		// Whoever's it is: it tells that there were records.
		c.Sequence = max(c.Sequence, resources.StampOf(object))
	}
	if len(object.GetOwnerReferences()) > 0 || w.seals[release.Name] == nil {
		return presence(object, false, release), nil
	}
	want, err := sealed(w.seals[release.Name])
	if err != nil || want == nil {
		return rollout.Foreign, err
	}
	claim := resources.ClaimOf(want, object, release.UID)
	c.Ownerless = c.Ownerless || claim.Adopt
	if claim.Presence == rollout.Foreign && c.Differs == "" {
		c.Differs = kind + " " + object.GetName() + ": " + claim.Why
	}
	return claim.Presence, nil
}

// takeOver makes the release the owner of what has none, each object as it was observed,
// and of the seal last: who is interrupted finds the rest by it. The release is read past
// the cache first: what is left when a release goes has no owner any more before it is
// gone, and an owner that is not there is as good as a delete. It must have the mark that
// it was observed with: that keeps it there until all is written.
func (r *TrackReconciler) takeOver(ctx context.Context, w *world, a rollout.TakeOver) error {
	release, there := w.release(a.Release), &v1alpha1.ImmutableRelease{}
	err := r.live.Get(ctx, client.ObjectKeyFromObject(release), there)
	switch {
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("confirm ImmutableRelease %s/%s: %w", w.Namespace, a.Release, err)
	case err != nil || there.UID != release.UID || !there.DeletionTimestamp.IsZero() || resources.HeldBy(there) < resources.HeldBy(release):
		return fmt.Errorf("take over what %s/%s owns: %w", w.Namespace, a.Release, errReplaced)
	}
	owner := resources.OwnerReference(release)
	for _, object := range w.children.of(w.facts(a.Release)) {
		if len(object.GetOwnerReferences()) > 0 {
			continue
		}
		owned, err := r.own(ctx, object, owner, a.Sequence)
		if err != nil {
			return err
		}
		w.children.put(owned)
	}
	if revision := w.ownerless[a.Release]; revision != nil {
		_, err := r.own(ctx, revision, owner, 0)
		return err
	}
	return nil
}

// own writes the owner, and the stamp of children that are stamped.
func (r *TrackReconciler) own(ctx context.Context, observed client.Object, owner metav1.OwnerReference, sequence int64) (client.Object, error) {
	owned := observed.DeepCopyObject().(client.Object)
	owned.SetOwnerReferences([]metav1.OwnerReference{owner})
	if resources.StampOf(observed) > 0 {
		resources.Stamp(owned, sequence)
	}
	err := r.write(ctx, observed, owned)
	return owned, wrap(err, "take over %T %s/%s", observed, observed.GetNamespace(), observed.GetName())
}
