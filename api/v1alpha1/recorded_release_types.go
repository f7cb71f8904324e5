package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// RecordedRelease is the release that a record is about, in the words that
// outlive the release object.
type RecordedRelease struct {
	// name of the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// uid of the release: a re-created object of the same name has another. Empty in the
	// record Published that comes before its creation.
	//
	// +required
	UID types.UID `json:"uid"`

	// formerUID is, in a record Restored, the UID of the object that the release was
	// before. Unset in all others.
	//
	// +optional
	FormerUID types.UID `json:"formerUID,omitempty"`

	// creationTime of the release; in that record, the time at which it was decided.
	//
	// +required
	CreationTime metav1.Time `json:"creationTime"`

	// version of the release.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Version string `json:"version"`

	// attempt that the record belongs to, from 1. Unset: none was made.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	Attempt int32 `json:"attempt,omitempty"`

	// digest of what runs. Unset: the release was not sealed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// contentDigest of the software. Unset: the release was not sealed.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	ContentDigest string `json:"contentDigest,omitempty"`

	// requestedBy is the user who created the release. Unset: not known.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	RequestedBy string `json:"requestedBy,omitempty"`

	// pinned says whether the track named the release in its spec.
	//
	// +optional
	Pinned bool `json:"pinned,omitempty"`

	// source of the release in version control. Unset: not known.
	//
	// +optional
	Source *ReleaseSource `json:"source,omitempty"`

	// images of the release, at most 2048.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2048
	Images []RecordedImage `json:"images,omitempty"`

	// snapshots of its configuration, at most 2048.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=2048
	Snapshots []SnapshotDigest `json:"snapshots,omitempty"`

	// promotions elsewhere by which the release passed what its track requires, at most
	// 16. Unset: nothing is required, or it is not asked any more.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Promotions []RecordedPromotion `json:"promotions,omitempty"`

	// test that the record is about. Unset: it is about none.
	//
	// +optional
	Test *TestResult `json:"test,omitempty"`
}

// RecordedImage is an image reference of a release, by digest.
type RecordedImage struct {
	// component that uses the image. Unset: a test does.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Component string `json:"component,omitempty"`

	// container that uses the image.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Container string `json:"container"`

	// image by digest.
	//
	// +required
	// +kubebuilder:validation:MaxLength=512
	Image string `json:"image"`

	// signatures by which the image passed what the policies of the namespace ask for,
	// at most 16. Unset: none was asked for, or there was none and policies let it pass.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Signatures []ImageSignature `json:"signatures,omitempty"`

	// platformDigests are those under which a node may report the image, beside its own,
	// at most 256. Unset: no registry was asked, or the image has one platform.
	//
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=256
	// +kubebuilder:validation:items:MaxLength=128
	PlatformDigests []string `json:"platformDigests,omitempty"`
}

// SignatureFormat is how a signature is stored beside its image.
//
// +kubebuilder:validation:Enum=Bundle;Tag
type SignatureFormat string

const (
	// SignatureBundle is a Sigstore bundle that refers to the image.
	SignatureBundle SignatureFormat = "Bundle"
	// SignatureTag is a manifest under the tag sha256-<digest>.sig.
	SignatureTag SignatureFormat = "Tag"
)

// ImageSignature is the evidence of a signature, as it was verified once, when the
// release was sealed.
type ImageSignature struct {
	// authority of the policy whose signature it is.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Authority string `json:"authority"`

	// digest that was signed: the image's own.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest"`

	// format is how the signature is stored: Bundle or Tag.
	//
	// +required
	Format SignatureFormat `json:"format"`

	// keyDigest is sha256 over the public key (PKIX, DER) that it was made with. Unset:
	// it was made with a certificate.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	KeyDigest string `json:"keyDigest,omitempty"`

	// issuer of the identity in the certificate. Unset: it was made with a key.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Issuer string `json:"issuer,omitempty"`

	// subject is the identity in the certificate. Unset: it was made with a key.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	Subject string `json:"subject,omitempty"`

	// logIndex is the entry of the transparency log. Unset: it is in none that the
	// trusted root names.
	//
	// +optional
	// +kubebuilder:validation:Minimum=0
	LogIndex *int64 `json:"logIndex,omitempty"`

	// logID names that log: 64 hexadecimal digits, sha256 over its key. Unset: see
	// logIndex.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=64
	LogID string `json:"logID,omitempty"`

	// time of the signature, as a log or a timestamp authority witnessed it. Unset:
	// neither did.
	//
	// +optional
	Time *metav1.Time `json:"time,omitempty"`
}

// SnapshotDigest is the content that a ConfigMap or Secret was frozen with. The
// digest of a Secret is keyed, so that it tells nothing of the content.
type SnapshotDigest struct {
	// kind of the object: ConfigMap or Secret.
	//
	// +required
	Kind ConfigKind `json:"kind"`

	// name of the live object.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// copy is the name of the frozen object.
	//
	// +required
	// +kubebuilder:validation:MaxLength=253
	Copy string `json:"copy"`

	// digest of the content.
	//
	// +required
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest"`
}
