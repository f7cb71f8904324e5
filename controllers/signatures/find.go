package signatures

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/sigstore/sigstore-go/pkg/bundle"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/registry"
)

// Source is what a registry is asked for; a registry.Session is one.
type Source interface {
	Referrers(ctx context.Context, image name.Digest) ([]v1.Descriptor, error)
	Tagged(ctx context.Context, image name.Digest, tag string) (*registry.Manifest, error)
	ByDigest(ctx context.Context, image name.Digest, digest v1.Hash) (*registry.Manifest, error)
	Blob(ctx context.Context, image name.Digest, digest v1.Hash) ([]byte, error)
}

// maxSignatures is how many signatures of an image are looked at: whoever may push
// beside it could else keep the operator busy for as long as they like.
const maxSignatures = 32

// bundleType begins the types of Sigstore bundles of all versions.
const bundleType = "application/vnd.dev.sigstore.bundle"

// emptyType is that of the configuration of what has none.
const emptyType = "application/vnd.oci.empty.v1+json"

// found is a signature as a registry has it; not yet believed.
type found struct {
	*bundle.Bundle
	format v1alpha1.SignatureFormat
	// payload that was signed, of the older form; nil where the bundle itself names
	// what it is over.
	payload []byte
}

// finder collects what is beside an image.
type finder struct {
	source Source
	image  name.Digest
	found  []found
	// left is how many may still be looked at.
	left int
	// unknown is why something that may be a signature could not be read.
	unknown error
	// bad says why something that should be a signature is none.
	bad []string
}

// find collects the signatures of an image. What cannot be asked for now is kept, and
// does not keep what is there from counting.
func find(ctx context.Context, source Source, image name.Digest) *finder {
	f := &finder{source: source, image: image, left: maxSignatures}
	f.findBundles(ctx)
	f.findTagged(ctx)
	return f
}

// failed notes an error; one by which something is not there is none.
func (f *finder) failed(err error) {
	var told *registry.Error
	switch {
	case registry.IsNotFound(err):
	case errors.As(err, &told) && !told.Unknown:
		f.bad = append(f.bad, told.Message)
	case f.unknown == nil:
		f.unknown = err
	}
}

func (f *finder) findBundles(ctx context.Context) {
	referrers, err := f.source.Referrers(ctx, f.image)
	if err != nil {
		f.failed(err)
		return
	}
	for _, referrer := range referrers {
		// A registry may leave the type out, or call it by the empty configuration that
		// artifacts have, and so the manifest is looked at.
		if referrer.ArtifactType != "" && referrer.ArtifactType != emptyType && !strings.HasPrefix(referrer.ArtifactType, bundleType) {
			continue
		}
		if f.left--; f.left < 0 {
			return
		}
		manifest, err := f.source.ByDigest(ctx, f.image, referrer.Digest)
		if err != nil {
			f.failed(err)
			continue
		}
		f.readBundles(ctx, manifest)
	}
}

func (f *finder) readBundles(ctx context.Context, manifest *registry.Manifest) {
	parsed, err := v1.ParseManifest(bytes.NewReader(manifest.Raw))
	if err != nil || len(parsed.Layers) != 1 || !strings.HasPrefix(string(parsed.Layers[0].MediaType), bundleType) {
		return
	}
	data, err := f.source.Blob(ctx, f.image, parsed.Layers[0].Digest)
	if err != nil {
		f.failed(err)
		return
	}
	read := &bundle.Bundle{}
	if err := json.Unmarshal(data, read); err != nil {
		f.bad = append(f.bad, fmt.Sprintf("a bundle cannot be read: %s", err))
		return
	}
	f.found = append(f.found, found{Bundle: read, format: v1alpha1.SignatureBundle})
}

func (f *finder) findTagged(ctx context.Context) {
	tag := strings.Replace(f.image.DigestStr(), ":", "-", 1) + ".sig"
	manifest, err := f.source.Tagged(ctx, f.image, tag)
	if err != nil {
		f.failed(err)
		return
	}
	parsed, err := v1.ParseManifest(bytes.NewReader(manifest.Raw))
	if err != nil {
		f.bad = append(f.bad, "what is under its .sig tag is no manifest")
		return
	}
	for _, layer := range parsed.Layers {
		if layer.MediaType != payloadType {
			continue
		}
		if f.left--; f.left < 0 {
			return
		}
		payload, err := f.source.Blob(ctx, f.image, layer.Digest)
		if err != nil {
			f.failed(err)
			continue
		}
		read, err := readLegacy(layer.Annotations, payload)
		if err != nil {
			f.bad = append(f.bad, fmt.Sprintf("a signature under its .sig tag cannot be read: %s", err))
			continue
		}
		f.found = append(f.found, found{Bundle: read, format: v1alpha1.SignatureTag, payload: payload})
	}
}
