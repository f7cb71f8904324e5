package signatures

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/sigstore/sigstore-go/pkg/verify"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/registry"
)

// Reasons of what is refused here.
const (
	// ReasonMissing: the image has no signature at all.
	ReasonMissing = "SignatureMissing"
	// ReasonInvalid: it has, and none by an authority.
	ReasonInvalid = "SignatureInvalid"
	// ReasonNoAuthority: no authority may sign this image.
	ReasonNoAuthority = "NoAuthority"
)

// signType is what the statement in a bundle calls a signature of an image.
const signType = "https://sigstore.dev/cosign/sign/v1"

// Verify returns the evidence of the first signature of an image by one of the
// authorities. The error is a *registry.Error, Unknown if what was not read could have
// been that signature.
func Verify(ctx context.Context, source Source, image name.Digest, authorities []*Authority) (*v1alpha1.ImageSignature, error) {
	repository := image.Context().Name()
	if path, isHub := strings.CutPrefix(repository, "index.docker.io/"); isHub {
		repository = "docker.io/" + path // as people write it
	}
	covering := slices.DeleteFunc(slices.Clone(authorities), func(a *Authority) bool { return !a.covers(repository) })
	if len(covering) == 0 {
		return nil, refused(ReasonNoAuthority, "no authority of the policy may sign images of %s: add it to the images of one, or use another image", repository)
	}
	beside := find(ctx, source, image)
	why := beside.bad
	for _, candidate := range beside.found {
		for _, authority := range covering {
			evidence, err := authority.verify(candidate, image)
			if err == nil {
				return evidence, nil
			}
			why = append(why, fmt.Sprintf("%s: %s", authority.name, err))
		}
	}
	switch {
	case beside.unknown != nil:
		return nil, beside.unknown
	case len(why) == 0:
		return nil, refused(ReasonMissing, "%s has no signature: sign it with cosign, as one of %s", image.Name(), names(covering))
	}
	return nil, refused(ReasonInvalid, "%s has no signature of %s: %s", image.Name(), names(covering), summary(why))
}

// verify believes a signature, or says why not.
func (a *Authority) verify(candidate found, image name.Digest) (*v1alpha1.ImageSignature, error) {
	over, err := hex.DecodeString(strings.TrimPrefix(image.DigestStr(), "sha256:"))
	if err != nil {
		return nil, err
	}
	artifact := verify.WithArtifactDigest("sha256", over)
	if candidate.payload != nil {
		artifact = verify.WithArtifact(bytes.NewReader(candidate.payload))
	}
	result, err := a.verifier.Verify(candidate, verify.NewPolicy(artifact, a.identity))
	if err != nil {
		return nil, err
	}
	// From here on the payload, or the statement, is the authority's own words.
	if err := candidate.isOf(image, result); err != nil {
		return nil, err
	}
	return a.evidence(candidate, image, result)
}

// isOf says whether what was signed is that this is the image.
func (f found) isOf(image name.Digest, result *verify.VerificationResult) error {
	if f.payload == nil {
		switch {
		case result.Statement == nil:
			return errors.New("it is of a file, and does not say that it is a signature of an image")
		case result.Statement.GetPredicateType() != signType:
			return fmt.Errorf("it attests %s, and is no signature of the image", result.Statement.GetPredicateType())
		}
		return nil // over this digest: that was verified
	}
	var signed payload
	if err := json.Unmarshal(f.payload, &signed); err != nil {
		return errors.New("what it signs cannot be read")
	}
	if signed.Critical.Image.Digest != image.DigestStr() {
		return fmt.Errorf("it is of another image, %s", signed.Critical.Image.Digest)
	}
	if !slices.Contains(imageTypes, signed.Critical.Type) {
		return fmt.Errorf("it is of type %q, and no signature of an image", signed.Critical.Type)
	}
	return nil
}

func (a *Authority) evidence(candidate found, image name.Digest, result *verify.VerificationResult) (*v1alpha1.ImageSignature, error) {
	evidence := &v1alpha1.ImageSignature{Authority: a.name, Digest: image.DigestStr(), Format: candidate.format, KeyDigest: a.keyDigest}
	if result.Signature != nil && result.Signature.Certificate != nil {
		evidence.Issuer = result.Signature.Certificate.Issuer
		evidence.Subject = result.Signature.Certificate.SubjectAlternativeName
	}
	if len(result.VerifiedTimestamps) > 0 {
		evidence.Time = &metav1.Time{Time: result.VerifiedTimestamps[0].Timestamp.UTC()}
	}
	if !a.logged {
		return evidence, nil
	}
	entries, err := candidate.TlogEntries()
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 {
		return nil, fmt.Errorf("it has %d log entries, and so it is not known which one was verified", len(entries))
	}
	index := entries[0].LogIndex()
	evidence.LogIndex, evidence.LogID = &index, hex.EncodeToString([]byte(entries[0].LogKeyID()))
	return evidence, nil
}

func refused(reason, format string, args ...any) error {
	return &registry.Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func names(authorities []*Authority) string {
	var all []string
	for _, a := range authorities {
		all = append(all, a.name)
	}
	return strings.Join(all, ", ")
}

// summary bounds what others' signatures can put into a message.
func summary(why []string) string {
	const most, longest = 4, 200
	var all []string
	for i, text := range why {
		if i == most {
			all = append(all, fmt.Sprintf("and %d more", len(why)-most))
			break
		}
		if len(text) > longest {
			text = strings.ToValidUTF8(text[:longest], "") + "..."
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}
