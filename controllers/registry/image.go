package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Image is one that a registry has.
type Image struct {
	Reference name.Digest
	// Platforms that it is for, at least one.
	Platforms []Platform
	// Digests of the manifests by which it runs on them; none where they are not all in
	// what was read.
	Digests []string
}

// Platform is an operating system and an architecture, in Go's and the kubelet's words.
type Platform struct{ OS, Architecture string }

// String is linux/amd64, for example.
func (p Platform) String() string { return p.OS + "/" + p.Architecture }

// Image asks for an image by digest, and which platforms it is for. The error is an
// *Error.
func (s *Session) Image(ctx context.Context, image string) (*Image, error) {
	ref, err := s.parse(image)
	if err != nil {
		return nil, err
	}
	manifest, err := s.manifest(ctx, ref)
	if err != nil {
		return nil, err
	}
	found := &Image{Reference: ref}
	switch manifest.MediaType {
	case types.OCIImageIndex, types.DockerManifestList:
		found.Platforms, found.Digests, err = indexPlatforms(manifest)
	case types.OCIManifestSchema1, types.DockerManifestSchema2:
		found.Platforms, err = s.manifestPlatform(ctx, manifest)
		found.Digests = []string{ref.DigestStr()}
	default:
		err = notAnImage(manifest, "it has type "+clip(string(manifest.MediaType)))
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

func notAnImage(manifest *Manifest, why string) error {
	return refused(ReasonNotAnImage, "%s is not an image that can be run: %s", manifest.Reference.Name(), why)
}

// indexPlatforms leaves out what build tools add: attestations, of platform unknown.
func indexPlatforms(manifest *Manifest) (platforms []Platform, digests []string, err error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(manifest.Raw))
	if err != nil {
		return nil, nil, notAnImage(manifest, "it cannot be read as an index")
	}
	nested := false
	for _, entry := range index.Manifests {
		if p := entry.Platform; p != nil && (entry.MediaType.IsImage() || entry.MediaType.IsIndex()) && p.OS != "unknown" && p.OS != "" {
			platforms, digests = append(platforms, Platform{p.OS, p.Architecture}), append(digests, entry.Digest.String())
			nested = nested || entry.MediaType.IsIndex()
		}
	}
	if len(platforms) == 0 {
		return nil, nil, notAnImage(manifest, "it is an index without an image for any platform")
	}
	if nested {
		digests = nil
	}
	return platforms, digests, nil
}

// manifestPlatform reads the platform from the image's own configuration.
func (s *Session) manifestPlatform(ctx context.Context, manifest *Manifest) ([]Platform, error) {
	parsed, err := v1.ParseManifest(bytes.NewReader(manifest.Raw))
	if err != nil {
		return nil, notAnImage(manifest, "it cannot be read as a manifest")
	}
	if !parsed.Config.MediaType.IsConfig() {
		return nil, notAnImage(manifest, "it is an artifact of type "+clip(string(parsed.Config.MediaType)))
	}
	if parsed.Config.Size > MaxBytes {
		return nil, tooLarge()
	}
	data, err := s.Blob(ctx, manifest.Reference, parsed.Config.Digest)
	if err != nil {
		return nil, err
	}
	var config struct {
		OS           string `json:"os"`
		Architecture string `json:"architecture"`
	}
	if err := json.Unmarshal(data, &config); err != nil || config.OS == "" {
		return nil, notAnImage(manifest, "its configuration names no platform")
	}
	return []Platform{{config.OS, config.Architecture}}, nil
}

// CheckPlatforms refuses an image that none of the nodes can run. Where no nodes are
// known, nothing is.
func (i *Image) CheckPlatforms(nodes []Platform) error {
	if len(nodes) == 0 || slices.ContainsFunc(nodes, func(p Platform) bool { return slices.Contains(i.Platforms, p) }) {
		return nil
	}
	return refused(ReasonNoPlatform, "%s is for %s, and the nodes are %s: build it for one of them too", i.Reference.Name(), list(i.Platforms), list(nodes))
}

// list names platforms, each once.
func list(platforms []Platform) string {
	var names []string
	for _, p := range platforms {
		names = append(names, clip(p.String()))
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if more := len(names) - 8; more > 0 {
		names = append(names[:8], "others")
	}
	return strings.Join(names, ", ")
}
