package oci

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// How the older form of signatures says what it is.
const (
	payloadType         = "application/vnd.dev.cosign.simplesigning.v1+json"
	annotationSignature = "dev.cosignproject.cosign/signature"
)

// NewKey is a key to sign with.
func NewKey(t T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// PublicPEM is the public part of a key, as policies name it.
func PublicPEM(t T, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Sign signs a message.
func Sign(t T, key *ecdsa.PrivateKey, message []byte) []byte {
	t.Helper()
	digest := sha256.Sum256(message)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// Payload is what cosign signs of an image, in the older form.
func Payload(digest string) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, digest)
}

// Layer is one signature of the older form.
type Layer struct {
	Payload     []byte
	Annotations map[string]string
}

// KeyedLayer is a signature by a key.
func KeyedLayer(t T, key *ecdsa.PrivateKey, payload []byte) Layer {
	t.Helper()
	return Layer{payload, map[string]string{annotationSignature: base64.StdEncoding.EncodeToString(Sign(t, key, payload))}}
}

// Attach stores signatures of the older form beside an image, in place of those there.
func (s *Server) Attach(image name.Digest, layers ...Layer) {
	s.t.Helper()
	manifest := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	for _, l := range layers {
		var err error
		manifest, err = mutate.Append(manifest, mutate.Addendum{Layer: static.NewLayer(l.Payload, payloadType), Annotations: l.Annotations})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	s.Push(image.Context().Tag(strings.Replace(image.DigestStr(), ":", "-", 1)+".sig"), manifest)
}

// Sign signs an image by a key, in the older form.
func (s *Server) Sign(image name.Digest, key *ecdsa.PrivateKey) {
	s.t.Helper()
	s.Attach(image, KeyedLayer(s.t, key, Payload(image.DigestStr())))
}
