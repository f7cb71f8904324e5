package admission

import (
	"context"
	"encoding/json"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/snapshot"
)

// indexVersion finds the releases of a track that have a version.
const indexVersion = "admission.trackVersion"

// versions knows which release has a version.
type versions struct {
	// cached is indexed by track and version.
	cached client.Reader
	// live reads a release as it is stored, for its content.
	live client.Reader
}

func newVersions(mgr ctrl.Manager) (*versions, error) {
	err := mgr.GetFieldIndexer().IndexField(context.Background(), &v1alpha1.ImmutableRelease{}, indexVersion,
		func(object client.Object) []string {
			rel := object.(*v1alpha1.ImmutableRelease)
			return []string{versionKey(rel)}
		})
	if err != nil {
		return nil, fmt.Errorf("index releases by version: %w", err)
	}
	return &versions{cached: mgr.GetClient(), live: mgr.GetAPIReader()}, nil
}

func versionKey(rel *v1alpha1.ImmutableRelease) string {
	return rel.Spec.TrackName + "/" + rel.Spec.Version
}

// takenBy names another release of the same track that has the version of rel
// with other content, "" for none. content is the digest of rel as sent. It is early news
// only: a release that the cache has not seen yet is found by the track's log.
func (v *versions) takenBy(ctx context.Context, rel *v1alpha1.ImmutableRelease, content string) (string, error) {
	var others v1alpha1.ImmutableReleaseList
	err := v.cached.List(ctx, &others, client.InNamespace(rel.Namespace), client.MatchingFields{indexVersion: versionKey(rel)})
	if err != nil {
		return "", fmt.Errorf("list the releases of track %s: %w", rel.Spec.TrackName, err)
	}
	for i := range others.Items {
		other := &others.Items[i]
		if other.Name == rel.Name {
			continue
		}
		same, err := v.sameContent(ctx, other, content)
		if err != nil {
			return "", err
		}
		if !same {
			return other.Name, nil
		}
	}
	return "", nil
}

// sameContent compares by digest what was sent with what is stored: a typed
// object from the cache does not tell "0.5" from "500m".
func (v *versions) sameContent(ctx context.Context, other *v1alpha1.ImmutableRelease, ours string) (bool, error) {
	stored, err := v.stored(ctx, client.ObjectKeyFromObject(other))
	if err != nil {
		return false, err
	}
	if stored == nil {
		return true, nil // it went meanwhile
	}
	theirs, err := json.Marshal(stored.Object["spec"])
	if err != nil {
		return false, fmt.Errorf("encode release %s: %w", other.Name, err)
	}
	digest, err := snapshot.ContentDigest(theirs)
	if err != nil {
		return false, fmt.Errorf("digest of release %s: %w", other.Name, err)
	}
	return ours == digest, nil
}

// stored is a release as the API server has it, read live; nil where there is none of that
// name.
func (v *versions) stored(ctx context.Context, key client.ObjectKey) (*unstructured.Unstructured, error) {
	stored := &unstructured.Unstructured{}
	stored.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ImmutableRelease"))
	err := v.live.Get(ctx, key, stored)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read release %s: %w", key.Name, err)
	}
	return stored, nil
}

// sentContent is the content digest of a release as it was sent.
func sentContent(raw []byte) (string, error) {
	var sent struct {
		Spec json.RawMessage `json:"spec"`
	}
	if err := json.Unmarshal(raw, &sent); err != nil {
		return "", fmt.Errorf("decode the release: %w", err)
	}
	return contentOf(sent.Spec)
}

func contentOf(spec []byte) (string, error) {
	digest, err := snapshot.ContentDigest(spec)
	if err != nil {
		return "", fmt.Errorf("digest of the release: %w", err)
	}
	return digest, nil
}
