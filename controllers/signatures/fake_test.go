package signatures

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/registry"
	"github.com/strata-release/strata/test/oci"
)

const (
	builder = "https://ci.example.com/shop/.workflows/build.yml@refs/heads/main"
	issuer  = "https://token.ci.example.com"
)

// shelf is a real registry, with an image in it.
type shelf struct {
	*oci.Server
	t       *testing.T
	session *registry.Session
	image   name.Digest
}

func newShelf(t *testing.T, options ...ggcr.Option) *shelf {
	t.Helper()
	s := &shelf{Server: oci.Serve(t, oci.Registry(options...)), t: t}
	client := registry.NewClient(registry.Options{Transport: s.Transport()})
	var err error
	if s.session, err = client.Session(registry.Access{PrivateHosts: []string{s.Host}}, registry.Credentials{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.session.Close)
	s.image = s.Push(s.Repository("shop/web").Tag("1.0"), oci.Image(t, "linux", "amd64"))
	return s
}

// manifest is what the digest of the image is of.
func (s *shelf) manifest() []byte {
	s.t.Helper()
	got, err := remote.Get(s.image, remote.WithTransport(s.Transport()))
	if err != nil {
		s.t.Fatal(err)
	}
	return got.Manifest
}

// attach stores a bundle as a referrer of the image.
func (s *shelf) attach(data []byte) {
	s.t.Helper()
	hash, err := v1.NewHash(s.image.DigestStr())
	if err != nil {
		s.t.Fatal(err)
	}
	const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	artifact, err := mutate.Append(empty.Image, mutate.Addendum{Layer: static.NewLayer(data, mediaType)})
	if err != nil {
		s.t.Fatal(err)
	}
	artifact = mutate.ConfigMediaType(mutate.MediaType(artifact, types.OCIManifestSchema1), mediaType)
	artifact = mutate.Subject(artifact, v1.Descriptor{MediaType: types.OCIManifestSchema1, Digest: hash, Size: 1}).(v1.Image)
	content := sha256.Sum256(data)
	s.Push(s.image.Context().Tag("bundle-"+hex.EncodeToString(content[:8])), artifact)
}

// statementOf is what cosign signs in a bundle.
func statementOf(digest, predicateType string) []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":%q,"predicate":{}}`,
		strings.TrimPrefix(digest, "sha256:"), predicateType)
}

// sigstore is a certificate authority, a log and a timestamp authority, in memory.
func sigstore(t *testing.T) *ca.VirtualSigstore {
	t.Helper()
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		t.Fatal(err)
	}
	return virtual
}

// trust is what of it is trusted.
type trust struct{ log, timestamps, certificates bool }

func trustedRoot(t *testing.T, virtual *ca.VirtualSigstore, what trust) []byte {
	t.Helper()
	// Logs go by their raw ID in a trusted root.
	raw := func(logs map[string]*root.TransparencyLog) map[string]*root.TransparencyLog {
		for id, l := range logs {
			decoded, err := hex.DecodeString(id)
			if err != nil {
				t.Fatal(err)
			}
			l.ID = decoded
		}
		return logs
	}
	var logs, certificates map[string]*root.TransparencyLog
	var authorities []root.TimestampingAuthority
	if what.log {
		logs = raw(virtual.RekorLogs())
	}
	if what.certificates {
		certificates = raw(virtual.CTLogs())
	}
	if what.timestamps {
		authorities = virtual.TimestampingAuthorities()
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, virtual.FulcioCertificateAuthorities(), certificates, authorities, logs)
	if err != nil {
		t.Fatal(err)
	}
	data, err := trusted.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// keyless is an authority with the identity of the builder.
func keyless(t *testing.T, trusted []byte, change func(*v1alpha1.SignatureAuthority)) *Authority {
	t.Helper()
	spec := v1alpha1.SignatureAuthority{Name: "ci", Type: v1alpha1.SignatureKeyless,
		Keyless: &v1alpha1.KeylessAuthority{Issuer: issuer, Subject: builder, TrustedRootName: "sigstore"}}
	if change != nil {
		change(&spec)
	}
	authority, err := NewAuthority(&spec, trusted)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

func keyed(t *testing.T, name string, key crypto.Signer) *Authority {
	t.Helper()
	authority, err := NewAuthority(&v1alpha1.SignatureAuthority{Name: name, Type: v1alpha1.SignatureKey,
		Key: &v1alpha1.KeyAuthority{PublicKey: oci.PublicPEM(t, key)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return authority
}

// keyedBundle is a bundle by a key.
func keyedBundle(t *testing.T, key *ecdsa.PrivateKey, statement []byte) []byte {
	const kind = "application/vnd.in-toto+json"
	encoded := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(statement), statement)
	return asJSON(t, object{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": object{"publicKey": object{"hint": "x"}},
		"dsseEnvelope":         object{"payload": statement, "payloadType": kind, "signatures": []object{{"sig": oci.Sign(t, key, encoded)}}},
	})
}

// fileBundle is a bundle by a key, of a file: it says nothing of what it signs.
func fileBundle(t *testing.T, key *ecdsa.PrivateKey, file []byte) []byte {
	t.Helper()
	digest := sha256.Sum256(file)
	return asJSON(t, object{
		"mediaType":            "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": object{"publicKey": object{"hint": "x"}},
		"messageSignature":     object{"messageDigest": object{"algorithm": "SHA2_256", "digest": digest[:]}, "signature": oci.Sign(t, key, file)},
	})
}

// keylessLayer is a signature by an identity, of the older form.
func keylessLayer(t *testing.T, virtual *ca.VirtualSigstore, identity string, payload []byte, stamped bool) oci.Layer {
	t.Helper()
	entity, err := virtual.SignWithVersion(identity, issuer, payload, "v0.1")
	if err != nil {
		t.Fatal(err)
	}
	parts := take(t, entity)
	entry := parts.entry.TransparencyLogEntry()
	l := oci.Layer{Payload: payload, Annotations: map[string]string{
		annotationSignature:   base64.StdEncoding.EncodeToString(parts.signature),
		annotationCertificate: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: parts.certificate.Raw})),
		annotationLog: string(asJSON(t, object{
			"SignedEntryTimestamp": promise(t, virtual, parts.entry),
			"Payload": object{
				"body": entry.GetCanonicalizedBody(), "integratedTime": entry.GetIntegratedTime(),
				"logIndex": entry.GetLogIndex(), "logID": hex.EncodeToString(entry.GetLogId().GetKeyId()),
			},
		})),
	}}
	if stamped {
		l.Annotations[annotationTimestamp] = string(asJSON(t, object{"SignedRFC3161Timestamp": parts.timestamp}))
	}
	return l
}

// keylessBundle is a bundle by an identity.
func keylessBundle(t *testing.T, virtual *ca.VirtualSigstore, identity string, statement []byte, change func(material object)) []byte {
	t.Helper()
	entity, err := virtual.AttestAtTime(identity, issuer, statement, time.Now().Add(5*time.Minute), true)
	if err != nil {
		t.Fatal(err)
	}
	parts := take(t, entity)
	entry := parts.entry.TransparencyLogEntry()
	proof := entry.GetInclusionProof()
	logged := object{
		"logIndex": entry.GetLogIndex(), "logId": object{"keyId": entry.GetLogId().GetKeyId()},
		"kindVersion":       object{"kind": entry.GetKindVersion().GetKind(), "version": entry.GetKindVersion().GetVersion()},
		"integratedTime":    entry.GetIntegratedTime(),
		"inclusionPromise":  object{"signedEntryTimestamp": promise(t, virtual, parts.entry)},
		"canonicalizedBody": entry.GetCanonicalizedBody(),
		"inclusionProof": object{
			"logIndex": proof.GetLogIndex(), "treeSize": proof.GetTreeSize(), "rootHash": proof.GetRootHash(),
			"hashes": proof.GetHashes(), "checkpoint": object{"envelope": proof.GetCheckpoint().GetEnvelope()},
		},
	}
	material := object{
		"certificate": object{"rawBytes": parts.certificate.Raw}, "tlogEntries": []object{logged},
		"timestampVerificationData": object{"rfc3161Timestamps": []object{{"signedTimestamp": parts.timestamp}}},
	}
	if change != nil {
		change(material)
	}
	return asJSON(t, object{
		"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial": material,
		"dsseEnvelope": object{"payload": statement, "payloadType": "application/vnd.in-toto+json", "signatures": []object{{"sig": parts.signature}}},
	})
}

// promise is the log's signature on an entry.
func promise(t *testing.T, virtual *ca.VirtualSigstore, logged *tlog.Entry) []byte {
	t.Helper()
	entry := logged.TransparencyLogEntry()
	signature, err := virtual.RekorSignPayload(tlog.RekorPayload{
		Body:           base64.StdEncoding.EncodeToString(entry.GetCanonicalizedBody()),
		IntegratedTime: entry.GetIntegratedTime(), LogIndex: entry.GetLogIndex(),
		LogID: hex.EncodeToString(entry.GetLogId().GetKeyId()),
	})
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

type parts struct {
	signature, timestamp []byte
	certificate          *x509.Certificate
	entry                *tlog.Entry
}

func take(t *testing.T, entity verify.SignedEntity) parts {
	t.Helper()
	content, err := entity.SignatureContent()
	if err != nil {
		t.Fatal(err)
	}
	material, err := entity.VerificationContent()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := entity.TlogEntries()
	if err != nil {
		t.Fatal(err)
	}
	timestamps, err := entity.Timestamps()
	if err != nil {
		t.Fatal(err)
	}
	return parts{content.Signature(), timestamps[0], material.Certificate(), entries[0]}
}

func asJSON(t *testing.T, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
