package ledger

import (
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Promotion is what the log of a track tells of the promotion of a version, to be signed.
// It fails, with the reason, unless that version is promoted, with that content, and
// nothing speaks against it since.
func Promotion(namespace, version, contentDigest string, records []v1alpha1.ReleaseRecord) (v1alpha1.SignedPromotion, error) {
	log := Read(records)
	promoted, verdict := log.Promotions[version], log.Verdicts[version].Event
	switch {
	case log.Broken != "":
		return v1alpha1.SignedPromotion{}, fmt.Errorf("the log does not verify: %s", log.Broken)
	case promoted.Sequence == 0:
		return v1alpha1.SignedPromotion{}, fmt.Errorf("the log has no promotion of version %s", version)
	case verdict.IsNegative():
		return v1alpha1.SignedPromotion{}, fmt.Errorf("version %s ended as %s since it was promoted", version, verdict)
	case log.ContentDigests[version] != contentDigest:
		return v1alpha1.SignedPromotion{}, fmt.Errorf("the log has content %s for version %s, and the release has %s", log.ContentDigests[version], version, contentDigest)
	}
	for i := range records {
		if spec := &records[i].Spec; spec.Sequence == promoted.Sequence {
			return v1alpha1.SignedPromotion{
				Namespace: namespace, TrackName: spec.TrackName, ContentDigest: contentDigest,
				Sequence: spec.Sequence, Digest: spec.Digest, Time: metav1.NewTime(spec.Time.Time).Rfc3339Copy(),
			}, nil
		}
	}
	return v1alpha1.SignedPromotion{}, fmt.Errorf("the log has no record %d", promoted.Sequence)
}

// Proven finds, among the promotions of a release, the one on a track that is elsewhere
// which was signed with the key of that track: of the release's own content, or else of
// another. It answers with the digest of the key, too, and fails, with the reason, where
// none is.
func Proven(required v1alpha1.RequiredTrack, promotions []v1alpha1.SignedPromotion, contentDigest string) (*v1alpha1.SignedPromotion, string, error) {
	key, err := NewVerifier([]byte(required.PublicKey))
	if err != nil {
		return nil, "", fmt.Errorf("the public key in spec.requires cannot be used: %w", err)
	}
	why := errors.New("spec.promotions of the release has none of it")
	var other *v1alpha1.SignedPromotion
	for i := range promotions {
		p := &promotions[i]
		switch {
		case p.Namespace != required.Namespace || p.TrackName != required.TrackName:
		case key.VerifyPromotion(*p) != nil:
			why = fmt.Errorf("spec.promotions[%d] of the release is not signed with the key %s", i, key.KeyDigest)
		case p.ContentDigest == contentDigest:
			return p, key.KeyDigest, nil
		default:
			other = p
		}
	}
	if other != nil {
		return other, key.KeyDigest, nil
	}
	return nil, "", why
}
