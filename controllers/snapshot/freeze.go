package snapshot

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

const (
	// minKeyBytes is the least length of the key that Secrets are hashed with.
	minKeyBytes = 32
	// maxDataBytes is what Kubernetes stores in one ConfigMap or Secret.
	maxDataBytes = corev1.MaxSecretSize
)

// Sources are the live objects that a release names, by name; one that is not
// there is not in the map. They may be shared with a cache: they are not changed.
type Sources struct {
	ConfigMaps map[string]*corev1.ConfigMap
	Secrets    map[string]*corev1.Secret
}

// Frozen are the copies to create, and what the seal says of them, in one order:
// ConfigMaps, then Secrets, each by name.
type Frozen struct {
	ConfigMaps []corev1.ConfigMap
	Secrets    []corev1.Secret
	Digests    []v1alpha1.SnapshotDigest
	// DigestKey names the key that the content of Secrets was hashed with; "" without any.
	DigestKey string
}

// Freeze makes the immutable copies of all that a release reads. The content of
// Secrets is hashed with the key, at least 32 bytes and kept from readers of the
// cluster's records, so that a digest tells nothing of a short secret. It answers
// with a *Refusal for what only a human, or time, can change.
func Freeze(rel *v1alpha1.ImmutableRelease, sources Sources, key []byte) (*Frozen, error) {
	if len(key) < minKeyBytes {
		return nil, fmt.Errorf("freeze the configuration of release %s: the key has %d bytes, of %d at least", rel.Name, len(key), minKeyBytes)
	}
	references := References(&rel.Spec)
	if err := missing(&rel.Spec, references, sources); err != nil {
		return nil, err
	}
	frozen := &Frozen{}
	for _, ref := range references {
		var digest v1alpha1.SnapshotDigest
		if ref.Kind == v1alpha1.ConfigMapKind {
			copied, noted, err := freezeConfigMap(rel, ref, sources.ConfigMaps[ref.Name])
			if err != nil {
				return nil, err
			}
			frozen.ConfigMaps, digest = append(frozen.ConfigMaps, *copied), noted
		} else {
			copied, noted, err := freezeSecret(rel, ref, sources.Secrets[ref.Name], key)
			if err != nil {
				return nil, err
			}
			frozen.Secrets, digest = append(frozen.Secrets, *copied), noted
			frozen.DigestKey = KeyName(key)
		}
		frozen.Digests = append(frozen.Digests, digest)
	}
	return frozen, nil
}

func freezeConfigMap(rel *v1alpha1.ImmutableRelease, ref Reference, source *corev1.ConfigMap) (*corev1.ConfigMap, v1alpha1.SnapshotDigest, error) {
	digest, err := ConfigMapDigest(source)
	if err == nil {
		err = cmp.Or(tooLarge(ref, size(source.Data)+size(source.BinaryData)), unexpected(rel, ref, digest))
	}
	if err != nil {
		return nil, v1alpha1.SnapshotDigest{}, err
	}
	noted := note(rel, ref, digest)
	return CopyConfigMap(rel, noted.Copy, source), noted, nil
}

// CopyConfigMap is the snapshot, under a name, of a ConfigMap that a release reads.
func CopyConfigMap(rel *v1alpha1.ImmutableRelease, name string, source *corev1.ConfigMap) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: copyMeta(rel, name),
		Immutable:  ptr.To(true),
		Data:       maps.Clone(source.Data),
		BinaryData: maps.Clone(source.BinaryData),
	}
}

func freezeSecret(rel *v1alpha1.ImmutableRelease, ref Reference, source *corev1.Secret, key []byte) (*corev1.Secret, v1alpha1.SnapshotDigest, error) {
	digest, err := SecretDigest(source, key)
	if err != nil {
		return nil, v1alpha1.SnapshotDigest{}, err
	}
	// spec.config.expect is written without the key, by somebody who knows the content.
	plain, err := hash("config", secretContent(source))
	if err == nil {
		err = cmp.Or(unfit(ref, source), tooLarge(ref, size(source.Data)), unexpected(rel, ref, plain))
	}
	if err != nil {
		return nil, v1alpha1.SnapshotDigest{}, err
	}
	noted := note(rel, ref, digest)
	return CopySecret(rel, noted.Copy, source), noted, nil
}

// CopySecret is the same of a Secret.
func CopySecret(rel *v1alpha1.ImmutableRelease, name string, source *corev1.Secret) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: copyMeta(rel, name),
		Immutable:  ptr.To(true),
		Type:       source.Type,
		Data:       maps.Clone(source.Data),
	}
}

// note is what the seal says of a copy.
func note(rel *v1alpha1.ImmutableRelease, ref Reference, digest string) v1alpha1.SnapshotDigest {
	return v1alpha1.SnapshotDigest{
		Kind:   ref.Kind,
		Name:   ref.Name,
		Copy:   resources.SnapshotName(rel.Name, ref.Kind, ref.Name, digest),
		Digest: digest,
	}
}

func copyMeta(rel *v1alpha1.ImmutableRelease, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:            name,
		Namespace:       rel.Namespace,
		Labels:          resources.ReleaseLabels(rel),
		OwnerReferences: []metav1.OwnerReference{resources.OwnerReference(rel)},
	}
}

// ConfigMapDigest identifies the content of a ConfigMap, whatever its name.
func ConfigMapDigest(source *corev1.ConfigMap) (string, error) {
	return hash("config", configMapContent(source))
}

// SecretDigest identifies the content of a Secret, whatever its name, to those
// alone who have the key.
func SecretDigest(source *corev1.Secret, key []byte) (string, error) {
	canonical, err := canonicalJSON(secretContent(source))
	if err != nil {
		return "", fmt.Errorf("digest of Secret %s: %w", source.Name, err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(preamble("config"))
	mac.Write(canonical)
	return "sha256:" + hex.EncodeToString(mac.Sum(nil)), nil
}

// KeyName tells one key of digests from another, and nothing of what it is.
func KeyName(key []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(preamble("key"))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// configMapContent is what a content digest is over: values as base64, so that no
// byte of them is touched by the rules for text.
func configMapContent(source *corev1.ConfigMap) map[string]any {
	return map[string]any{
		"kind":       string(v1alpha1.ConfigMapKind),
		"data":       encoded(source.Data),
		"binaryData": encoded(source.BinaryData),
	}
}

func secretContent(source *corev1.Secret) map[string]any {
	return map[string]any{
		"kind": string(v1alpha1.SecretKind),
		"data": encoded(source.Data),
		"type": string(source.Type),
	}
}

func encoded[V string | []byte](data map[string]V) map[string]any {
	values := make(map[string]any, len(data))
	for key, value := range data {
		values[key] = base64.StdEncoding.EncodeToString([]byte(value))
	}
	return values
}

// size counts as the API server does: values alone.
func size[V string | []byte](data map[string]V) int {
	total := 0
	for _, value := range data {
		total += len(value)
	}
	return total
}

// SameConfigMap says whether a live object is the copy that was made: content and
// immutability. Anything else under that name is somebody else's.
func SameConfigMap(copied, live *corev1.ConfigMap) bool {
	return ptr.Deref(live.Immutable, false) && maps.Equal(copied.Data, live.Data) && equalBytes(copied.BinaryData, live.BinaryData)
}

// SameSecret says the same of a Secret.
func SameSecret(copied, live *corev1.Secret) bool {
	return ptr.Deref(live.Immutable, false) && copied.Type == live.Type && equalBytes(copied.Data, live.Data)
}

func equalBytes(a, b map[string][]byte) bool {
	return maps.EqualFunc(a, b, bytes.Equal)
}

// ConfigMapDifference says in which keys a live object is not the copy that was made, and
// nothing of their values; "" where it is that copy.
func ConfigMapDifference(copied, live *corev1.ConfigMap) string {
	paths := append(differingKeys("data", copied.Data, live.Data, func(a, b string) bool { return a == b }),
		differingKeys("binaryData", copied.BinaryData, live.BinaryData, bytes.Equal)...)
	return difference(paths, live.Immutable)
}

// SecretDifference says the same of a Secret.
func SecretDifference(copied, live *corev1.Secret) string {
	paths := differingKeys("data", copied.Data, live.Data, bytes.Equal)
	if copied.Type != live.Type {
		paths = append(paths, fmt.Sprintf("type (%s, sealed %s)", live.Type, copied.Type))
	}
	return difference(paths, live.Immutable)
}

func difference(paths []string, immutable *bool) string {
	if !ptr.Deref(immutable, false) {
		paths = append(paths, "immutable (anybody could change it)")
	}
	if len(paths) == 0 {
		return ""
	}
	return "it differs in " + strings.Join(paths, ", ")
}

func differingKeys[V any](field string, copied, live map[string]V, same func(a, b V) bool) []string {
	var paths []string
	for _, key := range slices.Sorted(maps.Keys(copied)) {
		if value, ok := live[key]; !ok {
			paths = append(paths, fmt.Sprintf("%s[%s] (missing)", field, key))
		} else if !same(copied[key], value) {
			paths = append(paths, fmt.Sprintf("%s[%s]", field, key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(live)) {
		if _, ok := copied[key]; !ok {
			paths = append(paths, fmt.Sprintf("%s[%s] (added)", field, key))
		}
	}
	return paths
}
