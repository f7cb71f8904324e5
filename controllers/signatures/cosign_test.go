package signatures

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/oci"
)

// written brings to a registry what the program cosign has written, under the names that it
// had, and answers with its images by tag.
func (s *shelf) written() map[string]name.Digest {
	s.t.Helper()
	index, err := layout.ImageIndexFromPath(filepath.Join("testdata", "cosign", "layout"))
	if err != nil {
		s.t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		s.t.Fatal(err)
	}
	repository, images := s.Repository("shop/web"), map[string]name.Digest{}
	for _, there := range manifest.Manifests {
		image, err := index.Image(there.Digest)
		if err != nil {
			s.t.Fatal(err)
		}
		var to name.Reference = repository.Digest(there.Digest.String())
		if tag := there.Annotations["org.opencontainers.image.ref.name"]; tag != "" {
			to = repository.Tag(tag)
			images[tag] = repository.Digest(there.Digest.String())
		}
		if err := remote.Write(to, image, remote.WithTransport(s.Transport())); err != nil {
			s.t.Fatal(err)
		}
	}
	return images
}

// TestSignedByCosign reads what the program cosign writes (testdata/cosign): signatures of
// both forms count by their key and by no other, and what it attests to is no signature.
func TestSignedByCosign(t *testing.T) {
	public, err := os.ReadFile(filepath.Join("testdata", "cosign", "cosign.pub"))
	if err != nil {
		t.Fatal(err)
	}
	team, err := NewAuthority(&v1alpha1.SignatureAuthority{Name: "team", Type: v1alpha1.SignatureKey, Key: &v1alpha1.KeyAuthority{PublicKey: string(public)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for store, options := range stores {
		s := newShelf(t, options...)
		images := s.written()
		for tag, format := range map[string]v1alpha1.SignatureFormat{"legacy": v1alpha1.SignatureTag, "bundle": v1alpha1.SignatureBundle} {
			t.Run(tag+" "+store, func(t *testing.T) {
				s.t, s.image = t, images[tag]
				if evidence := s.mustVerify(team); evidence.Authority != "team" || evidence.Format != format || !strings.HasPrefix(evidence.KeyDigest, "sha256:") {
					t.Errorf("got %+v", evidence)
				}
				s.mustRefuse(ReasonInvalid, "", keyed(t, "other", oci.NewKey(t)))
			})
		}
		t.Run("attested "+store, func(t *testing.T) {
			s.t, s.image = t, images["plain"]
			s.mustRefuse(ReasonInvalid, "https://example.com/report", team)
		})
	}
}
