package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// Digests computes both identities of a release from the JSON of its spec as the
// API server stored it.
func Digests(spec []byte, snapshots []v1alpha1.SnapshotDigest) (resources.Digests, error) {
	stored, err := decodeSpec(spec)
	if err != nil {
		return resources.Digests{}, err
	}
	content, err := contentDigest(stored)
	if err != nil {
		return resources.Digests{}, err
	}
	release, err := digest(stored, snapshots)
	return resources.Digests{Content: content, Release: release}, err
}

// ContentDigest identifies the software: version, source, the names, templates
// and ports of the components, and the tests. It is equal wherever the same thing
// is deployed: the track, the size and the content of the configuration are not
// in it. spec is the JSON of the release's spec as the API server stored it; the
// answer is sha256:<hexadecimal>. It fails for what is not a JSON object.
func ContentDigest(spec []byte) (string, error) {
	stored, err := decodeSpec(spec)
	if err != nil {
		return "", err
	}
	return contentDigest(stored)
}

// contentDigest leaves of the spec what says the same; digest takes from it.
func contentDigest(stored map[string]any) (string, error) {
	content := pick(stored, "version", "source", "tests")
	if components, ok := stored["components"].([]any); ok {
		content["components"] = each(components, func(component map[string]any) map[string]any {
			return pick(component, "name", "template", "ports")
		})
	}
	return hash("content", content)
}

// Digest identifies what runs: the whole spec but for capacity (replicas and the
// bounds of autoscaling), and the digests of the frozen configuration. Input and
// output are as for ContentDigest.
func Digest(spec []byte, snapshots []v1alpha1.SnapshotDigest) (string, error) {
	stored, err := decodeSpec(spec)
	if err != nil {
		return "", err
	}
	return digest(stored, snapshots)
}

func digest(stored map[string]any, snapshots []v1alpha1.SnapshotDigest) (string, error) {
	if components, ok := stored["components"].([]any); ok {
		stored["components"] = each(components, withoutCapacity)
	}
	frozen := make([]any, 0, len(snapshots))
	for _, s := range snapshots {
		frozen = append(frozen, map[string]any{"kind": string(s.Kind), "name": s.Name, "digest": s.Digest})
	}
	return hash("release", map[string]any{"spec": stored, "snapshots": frozen})
}

func withoutCapacity(component map[string]any) map[string]any {
	delete(component, "replicas")
	if autoscaling, ok := component["autoscaling"].(map[string]any); ok {
		delete(autoscaling, "minReplicas")
		delete(autoscaling, "maxReplicas")
	}
	return component
}

func decodeSpec(spec []byte) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(spec))
	decoder.UseNumber()
	var stored map[string]any
	if err := decoder.Decode(&stored); err != nil {
		return nil, fmt.Errorf("decode the spec of a release: %w", err)
	}
	if stored == nil {
		return nil, fmt.Errorf("decode the spec of a release: it is null")
	}
	if decoder.More() {
		return nil, fmt.Errorf("decode the spec of a release: more than one JSON value")
	}
	return stored, nil
}

// hash is the digest over the canonical JSON of a value, after the line that
// tells the scheme and the subject.
func hash(subject string, value any) (string, error) {
	canonical, err := canonicalJSON(value)
	if err != nil {
		return "", fmt.Errorf("digest of %s: %w", subject, err)
	}
	sum := sha256.Sum256(append(preamble(subject), canonical...))
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func preamble(subject string) []byte {
	return []byte(resources.Scheme + " " + subject + "\n")
}

func canonicalJSON(value any) ([]byte, error) {
	value, err := exactNumbers(value)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	canonical := jsontext.Value(data)
	if err := canonical.Canonicalize(); err != nil {
		return nil, err
	}
	return canonical, nil
}

// exactNumbers replaces every integer that a double cannot hold exactly, such as
// some int64, by an object that spells it out: RFC 8785 writes numbers as doubles,
// and would give two of these the same digest. A number that is too large for a double
// is an error, for the same reason.
func exactNumbers(value any) (any, error) {
	var err error
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if v[key], err = exactNumbers(inner); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, inner := range v {
			if v[i], err = exactNumbers(inner); err != nil {
				return nil, err
			}
		}
	case json.Number:
		if n, ok := new(big.Int).SetString(v.String(), 10); ok && n.BitLen() > 53 {
			return map[string]any{resources.Scheme + " integer": n.String()}, nil
		}
		if _, err := v.Float64(); err != nil {
			return nil, fmt.Errorf("number %s: %w", v, err)
		}
	}
	return value, nil
}

func pick(from map[string]any, keys ...string) map[string]any {
	picked := make(map[string]any, len(keys)+1)
	for _, key := range keys {
		if value, ok := from[key]; ok {
			picked[key] = value
		}
	}
	return picked
}

// each maps the objects of a list; what is not an object stays as it is.
func each(list []any, change func(map[string]any) map[string]any) []any {
	changed := make([]any, len(list))
	for i, item := range list {
		if object, ok := item.(map[string]any); ok {
			item = change(object)
		}
		changed[i] = item
	}
	return changed
}
