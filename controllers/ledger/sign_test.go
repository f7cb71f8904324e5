package ledger

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sigstore/sigstore/pkg/cryptoutils"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// pair is a key as people have it in two files.
func pair(t *testing.T, key crypto.Signer) (private, public []byte) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if public, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})
}

func noPassword() ([]byte, error) { panic("nothing is encrypted") }

func keys(t *testing.T, key crypto.Signer) (*Signer, *Verifier) {
	t.Helper()
	private, public := pair(t, key)
	signer, err := NewSigner(private, noPassword)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, verifier
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestSignedFiles: what was signed verifies, with every kind of key; anything else does
// not, and it is said what is at fault.
func TestSignedFiles(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, other := keys(t, newKey(t))
	content := []byte("a log\n")
	for name, key := range map[string]crypto.Signer{"ECDSA": newKey(t), "RSA": rsaKey, "Ed25519": edKey} {
		signer, verifier := keys(t, key)
		beside, err := signer.SignFile(content)
		if err != nil || signer.KeyDigest != verifier.KeyDigest {
			t.Fatalf("%s: %v, keys %s and %s", name, err, signer.KeyDigest, verifier.KeyDigest)
		}
		if err := verifier.VerifyFile(content, beside); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		says := func(what string, err error, want string) {
			t.Helper()
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v, want %s", name, what, err, want)
			}
		}
		says("other content", verifier.VerifyFile([]byte("b log\n"), beside), "its content is not what was signed")
		says("another key", other.VerifyFile(content, beside), "it was signed with another key: "+signer.KeyDigest)
		forged := beside
		forged.KeyDigest = other.KeyDigest
		says("another key that says to be this one", other.VerifyFile(content, forged), "its signature is none of the key")
		forged = beside
		forged.Signature = "?"
		says("no signature", verifier.VerifyFile(content, forged), "its signature is none of the key")
	}
}

// TestSignaturesAreCommon: openssl and cosign verify the same bytes.
func TestSignaturesAreCommon(t *testing.T) {
	key := newKey(t)
	signer, _ := keys(t, key)
	beside, err := signer.SignFile([]byte("a log\n"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(beside.Signature)
	if err != nil {
		t.Fatal(err)
	}
	if digest := sha256.Sum256([]byte("a log\n")); !ecdsa.VerifyASN1(&key.PublicKey, digest[:], raw) {
		t.Error("it is no ECDSA signature over the SHA-256 of the file")
	}
}

// TestKeysAreRead in the forms that people have them.
func TestKeysAreRead(t *testing.T) {
	asked := func() ([]byte, error) { return []byte("secret"), nil }
	encrypted, public, err := cryptoutils.GeneratePEMEncodedECDSAKeyPair(elliptic.P256(), func(bool) ([]byte, error) { return []byte("secret"), nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSigner(encrypted, asked); err != nil {
		t.Errorf("an encrypted key: %v", err)
	}
	if _, err := NewSigner(encrypted, func() ([]byte, error) { return []byte("wrong"), nil }); err == nil {
		t.Error("an encrypted key was read by another password")
	}
	if _, err := NewSigner(public, asked); err == nil {
		t.Error("a public key signs")
	}
	for name, wrong := range map[string][]byte{"none": nil, "two": append(public, public...), "a private one": encrypted} {
		if _, err := NewVerifier(wrong); err == nil {
			t.Errorf("%s: it was read", name)
		}
	}
}

// TestSignedPromotions: every field is signed.
func TestSignedPromotions(t *testing.T) {
	signer, verifier := keys(t, newKey(t))
	_, other := keys(t, newKey(t))
	promotion, err := signer.SignPromotion(v1alpha1.SignedPromotion{
		Namespace: "staging", TrackName: "shop", ContentDigest: "sha256:a", Sequence: 7, Digest: "sha256:b", Time: metav1.NewTime(start),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.VerifyPromotion(promotion); err != nil {
		t.Error(err)
	}
	if other.VerifyPromotion(promotion) == nil {
		t.Error("it verifies with another key")
	}
	for name, change := range map[string]func(*v1alpha1.SignedPromotion){
		"namespace": func(p *v1alpha1.SignedPromotion) { p.Namespace = "stagin" }, "trackName": func(p *v1alpha1.SignedPromotion) { p.TrackName = "gshop" },
		"contentDigest": func(p *v1alpha1.SignedPromotion) { p.ContentDigest = "sha256:c" }, "sequence": func(p *v1alpha1.SignedPromotion) { p.Sequence++ },
		"digest": func(p *v1alpha1.SignedPromotion) { p.Digest = "sha256:c" }, "time": func(p *v1alpha1.SignedPromotion) { p.Time.Time = start.Add(time.Second) },
		"signature": func(p *v1alpha1.SignedPromotion) { p.Signature = "" },
	} {
		changed := promotion
		change(&changed)
		if verifier.VerifyPromotion(changed) == nil {
			t.Errorf("%s: it verifies", name)
		}
	}
}

// TestPromotion: what is promoted, and stays so, can be signed; nothing else.
func TestPromotion(t *testing.T) {
	promoted := entry(v1alpha1.EventPromoted, "1.0.0", 1)
	promoted.Release.ContentDigest = "sha256:a"
	promoted.State.Stable = ref("1.0.0")
	records := chained(t, entry(v1alpha1.EventAttemptOpened, "1.0.0", 1), promoted, entry(v1alpha1.EventFailed, "2.0.0", 1))
	p, err := Promotion("staging", "1.0.0", "sha256:a", records)
	if want := records[1].Spec; err != nil || p.Sequence != 2 || p.Digest != want.Digest || p.Namespace != "staging" || p.TrackName != "shop" || p.ContentDigest != "sha256:a" {
		t.Errorf("%+v, %v", p, err)
	}
	back := entry(v1alpha1.EventRolledBack, "1.0.0", 1)
	undone := append(records[:3:3], *stored(t, Chain("shop", &records[2].Spec, rollout.Entry{Event: back.Event, Reason: "Rollback", Actor: "jo", Release: back.Release}, start.Add(time.Hour))))
	edited := append(records[:1:1], records[1], records[2])
	edited[2].Spec.Message = "edited"
	for want, c := range map[string]struct {
		version, content string
		records          []v1alpha1.ReleaseRecord
	}{
		"no promotion of version 2.0.0":              {"2.0.0", "sha256:a", records},
		"has content sha256:a":                       {"1.0.0", "sha256:b", records},
		"ended as RolledBack since it was promoted":  {"1.0.0", "sha256:a", undone},
		"the log does not verify: the log of track ": {"1.0.0", "sha256:a", edited},
	} {
		if _, err := Promotion("staging", c.version, c.content, c.records); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestProven: what counts is signed with the key of that track, of that track, and best of
// the release's own content.
func TestProven(t *testing.T) {
	key := newKey(t)
	signer, verifier := keys(t, key)
	other, _ := keys(t, newKey(t))
	_, public := pair(t, key)
	signed := func(by *Signer, namespace, content string) v1alpha1.SignedPromotion {
		p, err := by.SignPromotion(v1alpha1.SignedPromotion{
			Namespace: namespace, TrackName: "shop", ContentDigest: content, Sequence: 7, Digest: "sha256:record", Time: metav1.NewTime(start),
		})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	changed := signed(signer, "staging", "sha256:b")
	changed.ContentDigest = "sha256:a"
	required := v1alpha1.RequiredTrack{Namespace: "staging", TrackName: "shop", PublicKey: string(public)}
	notSigned := "spec.promotions[0] of the release is not signed with the key " + verifier.KeyDigest
	for name, c := range map[string]struct {
		promotions []v1alpha1.SignedPromotion
		why        string
		content    string
	}{
		"none":             {nil, "spec.promotions of the release has none of it", ""},
		"of another track": {[]v1alpha1.SignedPromotion{signed(signer, "test", "sha256:a")}, "spec.promotions of the release has none of it", ""},
		"with another key": {[]v1alpha1.SignedPromotion{signed(other, "staging", "sha256:a")}, notSigned, ""},
		"changed since":    {[]v1alpha1.SignedPromotion{changed}, notSigned, ""},
		"signed":           {[]v1alpha1.SignedPromotion{signed(other, "staging", "sha256:a"), signed(signer, "staging", "sha256:a")}, "", "sha256:a"},
		"of another content, and of this": {
			[]v1alpha1.SignedPromotion{signed(signer, "staging", "sha256:b"), signed(other, "staging", "sha256:a"), signed(signer, "staging", "sha256:a")}, "", "sha256:a"},
		"of another content": {[]v1alpha1.SignedPromotion{signed(signer, "staging", "sha256:b"), signed(other, "staging", "sha256:a")}, "", "sha256:b"},
	} {
		p, keyDigest, err := Proven(required, c.promotions, "sha256:a")
		switch {
		case c.why != "":
			if err == nil || err.Error() != c.why {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || p.ContentDigest != c.content || keyDigest != verifier.KeyDigest:
			t.Errorf("%s: %+v, key %s, %v", name, p, keyDigest, err)
		}
	}
	required.PublicKey = "-----BEGIN PUBLIC KEY-----"
	if _, _, err := Proven(required, nil, ""); err == nil || !strings.Contains(err.Error(), "the public key in spec.requires cannot be used") {
		t.Errorf("no key: %v", err)
	}
}
