package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/snapshot"
)

// storedTemplate is the digest of a template as the API server stored it.
type storedTemplate struct {
	track      types.UID
	generation int64
	digest     string
}

// observeTemplate tells what spec.releaseTemplate asks for, and how the release of its
// version, if there is one, differs. Where there is none, the template is read as it is
// stored, past the cache: once for as long as it stays, and whenever something is decided
// on live reads.
func (r *TrackReconciler) observeTemplate(ctx context.Context, w *world, how reading) error {
	if w.track == nil || w.track.Spec.ReleaseTemplate == nil {
		return nil
	}
	wanted := resources.TemplateRelease(w.track)
	t := &rollout.Template{ReleaseName: wanted.Name, Version: wanted.Spec.Version, RequestedBy: w.track.Annotations[v1alpha1.AnnotationRequestedBy]}
	w.Track.Template = t
	if there := w.releaseOf(wanted); there != nil {
		var err error
		t.Of = there.Name
		t.Differs, err = w.note.differsFrom(there, w.track, wanted)
		return err
	}
	if there := w.release(wanted.Name); there != nil {
		t.Taken = "which is that of version " + there.Spec.Version
		return nil
	}
	other := &v1alpha1.ImmutableRelease{}
	err := r.reader(how, intent).Get(ctx, client.ObjectKeyFromObject(wanted), other)
	switch {
	case err == nil && other.Spec.TrackName != w.TrackName:
		t.Taken = "which is a release of track " + other.Spec.TrackName
		return nil
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("read ImmutableRelease %s/%s: %w", w.Namespace, wanted.Name, err)
	}
	note := w.note
	if known := note.template; how.past == nothing && known.track == w.track.UID && known.generation == w.track.Generation {
		t.ContentDigest = known.digest
		return nil
	}
	_, digest, err := r.readTemplate(ctx, w)
	if err == nil && digest != "" {
		t.ContentDigest, note.template = digest, storedTemplate{w.track.UID, w.track.Generation, digest}
	}
	return err
}

// releaseOf is the release of the version that is wanted: the one of that name, else the
// oldest; nil where none has the version.
func (w *world) releaseOf(wanted *v1alpha1.ImmutableRelease) *v1alpha1.ImmutableRelease {
	var oldest *v1alpha1.ImmutableRelease
	for i := range w.releases {
		switch there := &w.releases[i]; {
		case there.Spec.Version != wanted.Spec.Version:
		case there.Name == wanted.Name:
			return there
		case oldest == nil || there.CreationTimestamp.Before(&oldest.CreationTimestamp):
			oldest = there
		}
	}
	return oldest
}

// readTemplate reads the release of the template as the API server stored it, with the
// digest of its content; "" where the track is another one by now than was observed.
func (r *TrackReconciler) readTemplate(ctx context.Context, w *world) (*unstructured.Unstructured, string, error) {
	track := &unstructured.Unstructured{}
	track.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ReleaseTrack"))
	if err := r.live.Get(ctx, w.key, track); err != nil {
		return nil, "", ignoreNotFound(err, "read the stored template of ReleaseTrack %s", w.key)
	}
	spec, found, err := unstructured.NestedMap(track.Object, "spec", "releaseTemplate")
	if err != nil {
		return nil, "", fmt.Errorf("read the stored template of ReleaseTrack %s: %w", w.key, err)
	}
	if !found || track.GetUID() != w.track.UID || track.GetGeneration() != w.track.Generation {
		return nil, "", nil
	}
	spec["trackName"] = w.TrackName
	data, err := json.Marshal(spec)
	if err != nil {
		return nil, "", fmt.Errorf("encode the template of ReleaseTrack %s: %w", w.key, err)
	}
	digest, err := snapshot.ContentDigest(data)
	if err != nil {
		return nil, "", fmt.Errorf("digest of the template of ReleaseTrack %s: %w", w.key, err)
	}
	release := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	release.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ImmutableRelease"))
	release.SetNamespace(w.Namespace)
	release.SetName(w.Track.Template.ReleaseName)
	if by := track.GetAnnotations()[v1alpha1.AnnotationRequestedBy]; by != "" {
		release.SetAnnotations(map[string]string{v1alpha1.AnnotationRequestedBy: by})
	}
	return release, digest, nil
}

// createRelease creates what is stored, if that is still what was decided about. Its author
// is that of the template.
func (r *TrackReconciler) createRelease(ctx context.Context, w *world, a rollout.CreateRelease) error {
	release, digest, err := r.readTemplate(ctx, w)
	if err != nil {
		return err
	}
	if digest != a.ContentDigest {
		return fmt.Errorf("create ImmutableRelease %s/%s: %w", w.Namespace, a.Release, errBehind)
	}
	return wrap(r.Create(ctx, release, client.FieldOwner(fieldManager)), "create ImmutableRelease %s/%s", w.Namespace, a.Release)
}

// comparedTemplate says in what a release was another one than the template of a track
// asked for, as both were then.
type comparedTemplate struct {
	releaseUID, trackUID types.UID
	release, track       content
	differs              string
}

// differsFrom compares a release with the template that wants it once for as long as both
// stay as they are.
func (n *notebook) differsFrom(release *v1alpha1.ImmutableRelease, track *v1alpha1.ReleaseTrack, wanted *v1alpha1.ImmutableRelease) (string, error) {
	now := comparedTemplate{releaseUID: release.UID, trackUID: track.UID, release: contentOf(release), track: contentOf(track)}
	if known := n.compared; known.releaseUID == now.releaseUID && known.trackUID == now.trackUID && known.release.is(now.release) && known.track.is(now.track) {
		return known.differs, nil
	}
	var err error
	now.differs, err = differsFrom(release, wanted)
	if err == nil {
		n.compared = now
	}
	return now.differs, err
}

// differsFrom says in what a release is another one than a template asks for; "" for
// nothing.
func differsFrom(release, wanted *v1alpha1.ImmutableRelease) (string, error) {
	if equality.Semantic.DeepEqual(release.Spec, wanted.Spec) {
		return "", nil
	}
	is, err := json.Marshal(release)
	if err != nil {
		return "", fmt.Errorf("encode ImmutableRelease %s: %w", release.Name, err)
	}
	asked, err := json.Marshal(wanted)
	if err != nil {
		return "", fmt.Errorf("encode the template of version %s: %w", wanted.Spec.Version, err)
	}
	changes, err := validation.SpecChanges(is, asked)
	switch {
	case err != nil:
		return "", err
	case len(changes) == 0:
		return "", nil // Written in another way.
	}
	changes[0].Path = validation.PathInTemplate(changes[0].Path)
	first := strings.TrimSpace(validation.Summarize(changes[:1]))
	if more := len(changes) - 1; more > 0 {
		first += fmt.Sprintf(", and %d fields more", more)
	}
	return first, nil
}

// trackPublished is there while the track has a template.
func (f findings) trackPublished(c conditions) {
	reason, message := f.answers.Template()
	if reason == "" {
		c.remove(v1alpha1.ConditionPublished)
		return
	}
	c.setIf(v1alpha1.ConditionPublished, reason == rollout.ReasonPublished, reason, message)
}

// publishing: the release of the template is still to come.
func (f findings) publishing() bool {
	reason, _ := f.answers.Template()
	return reason == rollout.ReasonPublishing
}
