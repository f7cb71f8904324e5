package signatures

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/registry"
	"github.com/strata-release/strata/test/oci"
)

const otherDigest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

var all = trust{log: true, timestamps: true}

// verify is what comes of a shelf.
func (s *shelf) verify(authorities ...*Authority) (*v1alpha1.ImageSignature, error) {
	return Verify(s.t.Context(), s.session, s.image, authorities)
}

func (s *shelf) mustVerify(authorities ...*Authority) *v1alpha1.ImageSignature {
	s.t.Helper()
	evidence, err := s.verify(authorities...)
	if err != nil {
		s.t.Fatal(err)
	}
	if evidence.Digest != s.image.DigestStr() {
		s.t.Errorf("the evidence is of %s, not of %s", evidence.Digest, s.image.DigestStr())
	}
	return evidence
}

func (s *shelf) mustRefuse(reason, words string, authorities ...*Authority) {
	s.t.Helper()
	evidence, err := s.verify(authorities...)
	var told *registry.Error
	if !errors.As(err, &told) || told.Unknown || told.Reason != reason {
		s.t.Fatalf("got %v, %v; want it refused as %s", evidence, err, reason)
	}
	if !strings.Contains(told.Message, words) {
		s.t.Errorf("the message %q does not say %q", told.Message, words)
	}
}

// stores are the registries that know of referrers, and those that do not.
var stores = map[string][]ggcr.Option{
	"with referrers":    {ggcr.WithReferrersSupport(true)},
	"without referrers": nil,
}

func TestSignedByAKey(t *testing.T) {
	key := oci.NewKey(t)
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	want := "sha256:" + hex.EncodeToString(sum[:])
	for name, options := range stores {
		t.Run("as a bundle, "+name, func(t *testing.T) {
			s := newShelf(t, options...)
			s.attach(keyedBundle(t, key, statementOf(s.image.DigestStr(), signType)))
			evidence := s.mustVerify(keyed(t, "other", oci.NewKey(t)), keyed(t, "team", key))
			if evidence.Authority != "team" || evidence.Format != v1alpha1.SignatureBundle || evidence.KeyDigest != want ||
				evidence.LogIndex != nil || evidence.Issuer != "" || evidence.Time != nil {
				t.Errorf("got %+v", evidence)
			}
		})
	}
	t.Run("under a tag", func(t *testing.T) {
		s := newShelf(t)
		s.Attach(s.image, oci.KeyedLayer(t, oci.NewKey(t), oci.Payload(s.image.DigestStr())), oci.KeyedLayer(t, key, oci.Payload(s.image.DigestStr())))
		evidence := s.mustVerify(keyed(t, "team", key))
		if evidence.Format != v1alpha1.SignatureTag || evidence.KeyDigest != want {
			t.Errorf("got %+v", evidence)
		}
	})
	t.Run("of another kind, under a tag", func(t *testing.T) {
		s := newShelf(t)
		_, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		payload := oci.Payload(s.image.DigestStr())
		s.Attach(s.image, oci.Layer{Payload: payload, Annotations: map[string]string{annotationSignature: base64.StdEncoding.EncodeToString(ed25519.Sign(private, payload))}})
		s.mustVerify(keyed(t, "team", private))
	})
}

func TestSignedByAnIdentity(t *testing.T) {
	virtual := sigstore(t)
	trusts := map[string]trust{"a log": {log: true}, "a log and timestamps": all, "timestamps alone": {timestamps: true}}
	for name, what := range trusts {
		authority := keyless(t, trustedRoot(t, virtual, what), nil)
		check := func(t *testing.T, evidence *v1alpha1.ImageSignature, format v1alpha1.SignatureFormat, index int64) {
			t.Helper()
			if evidence.Authority != "ci" || evidence.Issuer != issuer || evidence.Subject != builder || evidence.KeyDigest != "" ||
				evidence.Format != format || evidence.Time == nil {
				t.Errorf("got %+v", evidence)
			}
			id, err := virtual.RekorLogID()
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case !what.log && (evidence.LogIndex != nil || evidence.LogID != ""):
				t.Errorf("a log entry that nobody verified is evidence: %+v", evidence)
			case what.log && (evidence.LogIndex == nil || *evidence.LogIndex != index || evidence.LogID != id):
				t.Errorf("got log entry %v of %s, want %d of %s", evidence.LogIndex, evidence.LogID, index, id)
			}
		}
		t.Run("as a bundle, trusting "+name, func(t *testing.T) {
			s := newShelf(t, ggcr.WithReferrersSupport(true))
			s.attach(keylessBundle(t, virtual, builder, statementOf(s.image.DigestStr(), signType), nil))
			check(t, s.mustVerify(authority), v1alpha1.SignatureBundle, 0)
		})
		t.Run("under a tag, trusting "+name, func(t *testing.T) {
			s := newShelf(t)
			s.Attach(s.image, keylessLayer(t, virtual, builder, oci.Payload(s.image.DigestStr()), true))
			check(t, s.mustVerify(authority), v1alpha1.SignatureTag, 1000)
		})
	}
}

func TestNoSignature(t *testing.T) {
	for name, options := range stores {
		t.Run(name, func(t *testing.T) {
			newShelf(t, options...).mustRefuse(ReasonMissing, "sign it with cosign, as one of team", keyed(t, "team", oci.NewKey(t)))
		})
	}
}

// What is there, and is no signature of this image by the one who is trusted.
func TestSignaturesThatDoNotCount(t *testing.T) {
	key, virtual, elsewhere := oci.NewKey(t), sigstore(t), sigstore(t)
	byKey, byIdentity := keyed(t, "team", key), keyless(t, trustedRoot(t, virtual, all), nil)
	dropped := func(names ...string) func(object) {
		return func(material object) {
			for _, name := range names {
				delete(material, name)
			}
		}
	}
	tests := map[string]struct {
		put       func(s *shelf)
		authority *Authority
		words     string
	}{
		"another key, under a tag": {func(s *shelf) { s.Attach(s.image, oci.KeyedLayer(t, oci.NewKey(t), oci.Payload(s.image.DigestStr()))) }, byKey, "team: failed to verify signature"},
		"another key, as a bundle": {func(s *shelf) { s.attach(keyedBundle(t, oci.NewKey(t), statementOf(s.image.DigestStr(), signType))) }, byKey, "team: failed to verify signature"},
		"another image, under a tag": {func(s *shelf) { s.Attach(s.image, oci.KeyedLayer(t, key, oci.Payload(otherDigest))) }, byKey,
			"of another image, " + otherDigest},
		"another image, as a bundle": {func(s *shelf) { s.attach(keyedBundle(t, key, statementOf(otherDigest, signType))) }, byKey, "does not match"},
		"an attestation": {func(s *shelf) {
			s.attach(keyedBundle(t, key, statementOf(s.image.DigestStr(), "https://slsa.dev/provenance/v1")))
		}, byKey,
			"attests https://slsa.dev/provenance/v1"},
		"the bytes of the image, as those of any file": {func(s *shelf) {
			s.attach(fileBundle(t, key, s.manifest()))
		}, byKey, "does not say that it is a signature of an image"},
		"another kind of payload": {func(s *shelf) {
			s.Attach(s.image, oci.KeyedLayer(t, key, []byte(strings.Replace(string(oci.Payload(s.image.DigestStr())), "cosign container image signature", "a promise", 1))))
		}, byKey, `of type "a promise"`},
		"another payload than was signed": {func(s *shelf) {
			l := oci.KeyedLayer(t, key, oci.Payload(otherDigest))
			l.Payload = oci.Payload(s.image.DigestStr())
			s.Attach(s.image, l)
		}, byKey, "failed to verify signature"},
		"no signature under the tag": {func(s *shelf) { s.Attach(s.image, oci.Layer{Payload: oci.Payload(s.image.DigestStr())}) }, byKey, "no signature in base64"},
		"no bundle":                  {func(s *shelf) { s.attach([]byte(`{"mediaType":"x"}`)) }, byKey, "a bundle cannot be read"},
		"no JSON":                    {func(s *shelf) { s.attach([]byte(`\x00`)) }, byKey, "a bundle cannot be read"},
		"a certificate, for a key": {func(s *shelf) {
			s.Attach(s.image, keylessLayer(t, virtual, builder, oci.Payload(s.image.DigestStr()), true))
		}, byKey, "expected key signature"},
		"a key, for an identity": {func(s *shelf) { s.attach(keyedBundle(t, key, statementOf(s.image.DigestStr(), signType))) }, byIdentity, "ci:"},
		"another identity, as a bundle": {func(s *shelf) {
			s.attach(keylessBundle(t, virtual, builder+"x", statementOf(s.image.DigestStr(), signType), nil))
		}, byIdentity, "certificate identity"},
		"another identity, under a tag": {func(s *shelf) {
			s.Attach(s.image, keylessLayer(t, virtual, "x"+builder, oci.Payload(s.image.DigestStr()), true))
		}, byIdentity, "certificate identity"},
		"another issuer": {func(s *shelf) {
			s.Attach(s.image, keylessLayer(t, virtual, builder, oci.Payload(s.image.DigestStr()), true))
		}, keyless(t, trustedRoot(t, virtual, all), func(a *v1alpha1.SignatureAuthority) { a.Keyless.Issuer = issuer + "/other" }), "certificate identity"},
		"another root, as a bundle": {func(s *shelf) {
			s.attach(keylessBundle(t, elsewhere, builder, statementOf(s.image.DigestStr(), signType), nil))
		}, byIdentity, "not enough verified log entries"},
		"another root, without a log": {func(s *shelf) {
			s.attach(keylessBundle(t, elsewhere, builder, statementOf(s.image.DigestStr(), signType), nil))
		}, keyless(t, trustedRoot(t, virtual, trust{timestamps: true}), nil), "ci: "},
		"no log entry": {func(s *shelf) {
			s.attach(keylessBundle(t, virtual, builder, statementOf(s.image.DigestStr(), signType), dropped("tlogEntries")))
		}, byIdentity, "not enough verified log entries"},
		"no timestamp where no log is trusted": {func(s *shelf) {
			s.attach(keylessBundle(t, virtual, builder, statementOf(s.image.DigestStr(), signType), dropped("timestampVerificationData")))
		}, keyless(t, trustedRoot(t, virtual, trust{timestamps: true}), nil), "timestamp"},
		"no proof that the certificate was logged": {func(s *shelf) {
			s.attach(keylessBundle(t, virtual, builder, statementOf(s.image.DigestStr(), signType), nil))
		}, keyless(t, trustedRoot(t, virtual, trust{log: true, timestamps: true, certificates: true}), nil), "signed certificate timestamp"},
		"a log entry of another signature": {func(s *shelf) {
			l := keylessLayer(t, virtual, builder, oci.Payload(s.image.DigestStr()), true)
			l.Annotations[annotationLog] = keylessLayer(t, virtual, builder, oci.Payload(s.image.DigestStr()), true).Annotations[annotationLog]
			s.Attach(s.image, l)
		}, byIdentity, "log"},
		"a log entry that is no JSON": {func(s *shelf) {
			l := keylessLayer(t, virtual, builder, oci.Payload(s.image.DigestStr()), true)
			l.Annotations[annotationLog] = "{"
			s.Attach(s.image, l)
		}, byIdentity, "log entry cannot be read"},
		"a certificate that is none": {func(s *shelf) {
			l := keylessLayer(t, virtual, builder, oci.Payload(s.image.DigestStr()), true)
			l.Annotations[annotationCertificate] = "certificate"
			s.Attach(s.image, l)
		}, byIdentity, "certificate is not PEM"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t, ggcr.WithReferrersSupport(true))
			test.put(s)
			s.mustRefuse(ReasonInvalid, test.words, test.authority)
		})
	}
}

func TestAuthorityMaySignItsImagesAlone(t *testing.T) {
	s, key := newShelf(t), oci.NewKey(t)
	s.Attach(s.image, oci.KeyedLayer(t, key, oci.Payload(s.image.DigestStr())))
	for path, may := range map[string]bool{
		s.image.Context().RegistryStr():           true,
		s.image.Context().RegistryStr() + "/shop": true,
		s.image.Context().Name():                  true,
		s.image.Context().RegistryStr() + "/sho":  false,
		s.image.Context().Name() + "/api":         false,
		"registry.example.com":                    false,
	} {
		authority := keyed(t, "team", key)
		authority.images = []v1alpha1.RegistryPath{v1alpha1.RegistryPath(path)}
		if may {
			s.mustVerify(authority)
		} else {
			s.mustRefuse(ReasonNoAuthority, "may sign images of", authority)
		}
	}
}

func TestRegistryThatIsDownTellsNothing(t *testing.T) {
	s := newShelf(t)
	s.Down.Store(true)
	_, err := s.verify(keyed(t, "team", oci.NewKey(t)))
	var told *registry.Error
	if !errors.As(err, &told) || !told.Unknown {
		t.Errorf("got %v, want it unknown", err)
	}
}

func TestOneSignatureOfManyIsEnough(t *testing.T) {
	s, key := newShelf(t, ggcr.WithReferrersSupport(true)), oci.NewKey(t)
	for range 3 {
		s.attach(keyedBundle(t, oci.NewKey(t), statementOf(s.image.DigestStr(), signType)))
	}
	s.attach([]byte(`{"not": "a bundle"}`))
	s.Attach(s.image, oci.KeyedLayer(t, key, oci.Payload(s.image.DigestStr())))
	s.mustVerify(keyed(t, "team", key))
}

func TestWorkOnSignaturesIsBounded(t *testing.T) {
	s, key := newShelf(t), oci.NewKey(t)
	var layers []oci.Layer
	for range maxSignatures {
		layers = append(layers, oci.KeyedLayer(t, oci.NewKey(t), oci.Payload(s.image.DigestStr())))
	}
	s.Attach(s.image, append(layers, oci.KeyedLayer(t, key, oci.Payload(s.image.DigestStr())))...)
	s.mustRefuse(ReasonInvalid, "and 28 more", keyed(t, "team", key))
}

func TestAuthoritiesThatCannotBeUsed(t *testing.T) {
	virtual := sigstore(t)
	for name, test := range map[string]struct {
		change func(*v1alpha1.SignatureAuthority)
		root   []byte
		words  string
	}{
		"no key": {func(a *v1alpha1.SignatureAuthority) {
			a.Type, a.Keyless, a.Key = v1alpha1.SignatureKey, nil, &v1alpha1.KeyAuthority{PublicKey: "-----BEGIN PUBLIC KEY-----"}
		}, nil, "not one public key in PEM"},
		"two keys": {func(a *v1alpha1.SignatureAuthority) {
			a.Type, a.Keyless, a.Key = v1alpha1.SignatureKey, nil, &v1alpha1.KeyAuthority{PublicKey: oci.PublicPEM(t, oci.NewKey(t)) + oci.PublicPEM(t, oci.NewKey(t))}
		}, nil, "not one public key in PEM"},
		"no fields":          {func(a *v1alpha1.SignatureAuthority) { a.Keyless = nil }, nil, "without its fields"},
		"no root":            {nil, nil, "trusted root sigstore"},
		"root that is none":  {nil, []byte("{}"), "trusted root sigstore"},
		"root of no witness": {nil, trustedRoot(t, virtual, trust{}), "neither a transparency log nor a timestamp authority"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := v1alpha1.SignatureAuthority{Name: "ci", Type: v1alpha1.SignatureKeyless,
				Keyless: &v1alpha1.KeylessAuthority{Issuer: issuer, Subject: builder, TrustedRootName: "sigstore"}}
			if test.change != nil {
				test.change(&spec)
			}
			_, err := NewAuthority(&spec, test.root)
			if err == nil || !strings.Contains(err.Error(), test.words) || !strings.Contains(err.Error(), "authority ci") {
				t.Errorf("got %v, want it to say %q", err, test.words)
			}
		})
	}
}
