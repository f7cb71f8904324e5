package signatures

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore-go/pkg/bundle"
)

// The older form: a layer is what was signed, and its annotations are the signature
// and what proves it.
const (
	payloadType           = "application/vnd.dev.cosign.simplesigning.v1+json"
	annotationSignature   = "dev.cosignproject.cosign/signature"
	annotationCertificate = "dev.sigstore.cosign/certificate"
	annotationLog         = "dev.sigstore.cosign/bundle"
	annotationTimestamp   = "dev.sigstore.cosign/rfc3161timestamp"
)

// payload is what was signed.
type payload struct {
	Critical struct {
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
		Type string `json:"type"`
	} `json:"critical"`
}

// imageTypes are what a payload calls a signature of an image.
var imageTypes = []string{"cosign container image signature", "atomic container signature", signType}

// loggedAt is the promise of a log, as the older form keeps it.
type loggedAt struct {
	SignedEntryTimestamp []byte `json:"SignedEntryTimestamp"`
	Payload              struct {
		Body           []byte `json:"body"`
		IntegratedTime int64  `json:"integratedTime"`
		LogIndex       int64  `json:"logIndex"`
		LogID          string `json:"logID"`
	} `json:"Payload"`
}

// object is JSON.
type object = map[string]any

// readLegacy makes a bundle of the older form, so that there is one way to verify.
func readLegacy(annotations map[string]string, payload []byte) (*bundle.Bundle, error) {
	signature, err := base64.StdEncoding.DecodeString(annotations[annotationSignature])
	if err != nil || len(signature) == 0 {
		return nil, errors.New("it has no signature in base64")
	}
	material := object{}
	if err := readCertificate(annotations[annotationCertificate], material); err != nil {
		return nil, err
	}
	if err := readLog(annotations[annotationLog], material); err != nil {
		return nil, err
	}
	if err := readTimestamp(annotations[annotationTimestamp], material); err != nil {
		return nil, err
	}
	digest := sha256.Sum256(payload)
	data, err := json.Marshal(object{
		"mediaType":            bundleType + "+json;version=0.1",
		"verificationMaterial": material,
		"messageSignature": object{
			"messageDigest": object{"algorithm": "SHA2_256", "digest": digest[:]},
			"signature":     signature,
		},
	})
	if err != nil {
		return nil, err
	}
	read := &bundle.Bundle{}
	return read, json.Unmarshal(data, read)
}

func readCertificate(text string, material object) error {
	if text == "" {
		material["publicKey"] = object{"hint": ""}
		return nil
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New("its certificate is not PEM")
	}
	material["x509CertificateChain"] = object{"certificates": []object{{"rawBytes": block.Bytes}}}
	return nil
}

func readLog(text string, material object) error {
	if text == "" {
		return nil
	}
	var logged loggedAt
	if err := json.Unmarshal([]byte(text), &logged); err != nil {
		return fmt.Errorf("its log entry cannot be read: %w", err)
	}
	var kind struct {
		Kind    string `json:"kind"`
		Version string `json:"apiVersion"`
	}
	if err := json.Unmarshal(logged.Payload.Body, &kind); err != nil {
		return fmt.Errorf("the body of its log entry cannot be read: %w", err)
	}
	id, err := hex.DecodeString(logged.Payload.LogID)
	if err != nil {
		return fmt.Errorf("its log cannot be read: %w", err)
	}
	material["tlogEntries"] = []object{{
		"logIndex":          logged.Payload.LogIndex,
		"logId":             object{"keyId": id},
		"kindVersion":       object{"kind": kind.Kind, "version": kind.Version},
		"integratedTime":    logged.Payload.IntegratedTime,
		"inclusionPromise":  object{"signedEntryTimestamp": logged.SignedEntryTimestamp},
		"canonicalizedBody": logged.Payload.Body,
	}}
	return nil
}

func readTimestamp(text string, material object) error {
	if text == "" {
		return nil
	}
	var stamped struct {
		SignedRFC3161Timestamp []byte `json:"SignedRFC3161Timestamp"`
	}
	if err := json.Unmarshal([]byte(text), &stamped); err != nil {
		return fmt.Errorf("its timestamp cannot be read: %w", err)
	}
	material["timestampVerificationData"] = object{"rfc3161Timestamps": []object{{"signedTimestamp": stamped.SignedRFC3161Timestamp}}}
	return nil
}
