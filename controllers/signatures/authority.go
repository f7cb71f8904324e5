package signatures

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
)

// Authority is one whose signatures count.
type Authority struct {
	name     string
	images   []v1alpha1.RegistryPath
	verifier *verify.Verifier
	identity verify.PolicyOption
	// keyDigest of an authority with a key; "" for one with an identity.
	keyDigest string
	// logged: its signatures must be in a transparency log.
	logged bool
}

// NewAuthority reads an authority of a policy. One of type Keyless needs the trusted
// root that it names, as JSON. It fails for a key or a root that cannot be used.
func NewAuthority(spec *v1alpha1.SignatureAuthority, trustedRoot []byte) (*Authority, error) {
	a := &Authority{name: spec.Name, images: spec.Images}
	var err error
	switch {
	case spec.Type == v1alpha1.SignatureKey && spec.Key != nil:
		err = a.trustKey([]byte(spec.Key.PublicKey))
	case spec.Type == v1alpha1.SignatureKeyless && spec.Keyless != nil:
		err = a.trustIdentity(spec.Keyless, trustedRoot)
	default:
		err = fmt.Errorf("type %q without its fields", spec.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("authority %s: %w", spec.Name, err)
	}
	return a, nil
}

// trustKey believes what the key has signed, whenever that was: a key has no log to
// look into, and is trusted for as long as the policy names it.
func (a *Authority) trustKey(public []byte) error {
	block, rest := pem.Decode(public)
	if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
		return fmt.Errorf("publicKey is not one public key in PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("read publicKey: %w", err)
	}
	checker, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return fmt.Errorf("use publicKey: %w", err)
	}
	expiring := root.NewExpiringKey(checker, time.Time{}, time.Time{})
	// The key is the authority's whatever hint a bundle gives.
	material := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return expiring, nil })
	if a.verifier, err = verify.NewVerifier(material, verify.WithNoObserverTimestamps(), verify.WithoutStatementPredicate()); err != nil {
		return err
	}
	digest := sha256.Sum256(block.Bytes)
	a.identity, a.keyDigest = verify.WithKey(), "sha256:"+hex.EncodeToString(digest[:])
	return nil
}

// trustIdentity believes a certificate of the root that was valid when a witness of
// that root saw the signature: a log or a timestamp authority. Logs that the root names,
// of signatures and of certificates, are asked for besides.
func (a *Authority) trustIdentity(spec *v1alpha1.KeylessAuthority, trustedRoot []byte) error {
	trusted, err := root.NewTrustedRootFromJSON(trustedRoot)
	if err != nil {
		return fmt.Errorf("read the trusted root %s: %w", spec.TrustedRootName, err)
	}
	if len(trusted.FulcioCertificateAuthorities()) == 0 {
		return fmt.Errorf("the trusted root %s names no certificate authority", spec.TrustedRootName)
	}
	a.logged = len(trusted.RekorLogs()) > 0
	if !a.logged && len(trusted.TimestampingAuthorities()) == 0 {
		return fmt.Errorf("the trusted root %s names neither a transparency log nor a timestamp authority, and so nothing tells when a signature was made", spec.TrustedRootName)
	}
	options := []verify.VerifierOption{verify.WithObserverTimestamps(1), verify.WithoutStatementPredicate()}
	if a.logged {
		options = append(options, verify.WithTransparencyLog(1))
	}
	if len(trusted.CTLogs()) > 0 {
		options = append(options, verify.WithSignedCertificateTimestamps(1))
	}
	if a.verifier, err = verify.NewVerifier(trusted, options...); err != nil {
		return err
	}
	identity, err := verify.NewShortCertificateIdentity(spec.Issuer, "", spec.Subject, "")
	if err != nil {
		return err
	}
	a.identity = verify.WithCertificateIdentity(identity)
	return nil
}

// covers says whether the authority may sign images of a repository.
func (a *Authority) covers(repository string) bool {
	return len(a.images) == 0 || policy.Below(repository, a.images)
}
