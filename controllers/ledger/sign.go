package ledger

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// Signer signs what leaves a cluster.
type Signer struct {
	signer signature.Signer
	// KeyDigest is sha256 over the public key (PKIX, DER).
	KeyDigest string
}

// NewSigner reads a private key in PEM, as openssl and cosign write it: ECDSA and RSA
// sign with SHA-256, Ed25519 as it is. password is asked for one that is encrypted.
func NewSigner(private []byte, password func() ([]byte, error)) (*Signer, error) {
	key, err := cryptoutils.UnmarshalPEMToPrivateKey(private, func(bool) ([]byte, error) { return password() })
	if err != nil {
		return nil, err
	}
	signer, err := signature.LoadSigner(key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	public, err := signer.PublicKey()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	return &Signer{signer: signer, KeyDigest: digestOfBytes(der)}, nil
}

// Sign answers with a signature over a message, in base64.
func (s *Signer) Sign(message []byte) (string, error) {
	signed, err := s.signer.SignMessage(bytes.NewReader(message))
	return base64.StdEncoding.EncodeToString(signed), err
}

// Verifier knows what a Signer with the private part of its key has signed.
type Verifier struct {
	verifier signature.Verifier
	// KeyDigest is sha256 over the public key (PKIX, DER).
	KeyDigest string
}

// NewVerifier reads one public key in PEM.
func NewVerifier(public []byte) (*Verifier, error) {
	block, rest := pem.Decode(public)
	if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, errors.New("it is not one public key in PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	verifier, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return &Verifier{verifier: verifier, KeyDigest: digestOfBytes(block.Bytes)}, nil
}

// Verify fails for a signature, in base64, that is not over the message or not by the key.
func (v *Verifier) Verify(message []byte, signed string) error {
	raw, err := base64.StdEncoding.DecodeString(signed)
	if err != nil {
		return err
	}
	return v.verifier.VerifySignature(bytes.NewReader(raw), bytes.NewReader(message))
}

// Signature is what stands beside a signed file.
type Signature struct {
	// KeyDigest and Digest, sha256 over the file, tell which key and which content it was:
	// they explain, and prove nothing.
	KeyDigest string `json:"keyDigest"`
	Digest    string `json:"digest"`
	// Signature over the bytes of the file, in base64.
	Signature string `json:"signature"`
}

// SignFile signs the content of a file.
func (s *Signer) SignFile(content []byte) (Signature, error) {
	signed, err := s.Sign(content)
	return Signature{KeyDigest: s.KeyDigest, Digest: digestOfBytes(content), Signature: signed}, err
}

// VerifyFile says why a file is not what was signed with the key; nil where it is.
func (v *Verifier) VerifyFile(content []byte, beside Signature) error {
	err := v.Verify(content, beside.Signature)
	switch digest := digestOfBytes(content); {
	case err == nil:
		return nil
	case beside.KeyDigest != v.KeyDigest:
		return fmt.Errorf("it was signed with another key: %s, and the key that is given is %s", beside.KeyDigest, v.KeyDigest)
	case beside.Digest != digest:
		return fmt.Errorf("its content is not what was signed: it has digest %s, and %s was signed", digest, beside.Digest)
	}
	return fmt.Errorf("its signature is none of the key %s: %w", v.KeyDigest, err)
}

// SignPromotion signs what a promotion says.
func (s *Signer) SignPromotion(p v1alpha1.SignedPromotion) (v1alpha1.SignedPromotion, error) {
	message, err := promotionMessage(p)
	if err == nil {
		p.Signature, err = s.Sign(message)
	}
	return p, err
}

// VerifyPromotion fails for a promotion that was not signed with the key as it is.
func (v *Verifier) VerifyPromotion(p v1alpha1.SignedPromotion) error {
	message, err := promotionMessage(p)
	if err != nil {
		return err
	}
	return v.Verify(message, p.Signature)
}

// promotionMessage is what is signed of a promotion: all but the signature.
func promotionMessage(p v1alpha1.SignedPromotion) ([]byte, error) {
	data, err := json.Marshal(unsigned{SignedPromotion: &p})
	if err != nil {
		return nil, err
	}
	canonical := jsontext.Value(data)
	if err := canonical.Canonicalize(); err != nil {
		return nil, err
	}
	return append([]byte(resources.Scheme+" promotion\n"), canonical...), nil
}

// unsigned is the JSON of a promotion without its signature.
type unsigned struct {
	*v1alpha1.SignedPromotion
	// Signature hides the field of the same name: it is never set.
	Signature *string `json:"signature,omitempty"`
}

func digestOfBytes(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
