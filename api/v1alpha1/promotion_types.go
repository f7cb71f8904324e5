package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// SignedPromotion says that the log of a track of another cluster has a record by which
// a content became stable there, signed with a key of that cluster. It tells what was so
// when it was signed, and nothing of what was decided there since.
type SignedPromotion struct {
	// namespace of that track. 1 to 63 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace"`

	// trackName is the name of that track. 1 to 40 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z]([-a-z0-9]*[a-z0-9])?$`
	TrackName string `json:"trackName"`

	// contentDigest is what was promoted: sha256: and 64 hexadecimal digits.
	//
	// +required
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	ContentDigest string `json:"contentDigest"`

	// sequence is the place of that record in its log, from 1.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	Sequence int64 `json:"sequence"`

	// digest of that record, by which it is found in an export of the log: sha256: and
	// 64 hexadecimal digits.
	//
	// +required
	// +kubebuilder:validation:MaxLength=71
	// +kubebuilder:validation:Pattern=`^sha256:[0-9a-f]{64}$`
	Digest string `json:"digest"`

	// time of that record, to the second.
	//
	// +required
	Time metav1.Time `json:"time"`

	// signature over all the rest, in base64: with the preamble "strata/1 promotion" and
	// a line feed, in canonical JSON (RFC 8785), by ECDSA or RSA with SHA-256, or by
	// Ed25519. 1 to 2048 characters.
	//
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9+/]+={0,2}$`
	Signature string `json:"signature"`
}

// RecordedPromotion is a promotion on another track by which a release passed.
type RecordedPromotion struct {
	// namespace of that track.
	//
	// +required
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// trackName is the name of that track.
	//
	// +required
	// +kubebuilder:validation:MaxLength=40
	TrackName string `json:"trackName"`

	// sequence of the record of that track's log which promoted the content.
	//
	// +required
	// +kubebuilder:validation:Minimum=1
	Sequence int64 `json:"sequence"`

	// digest of that record. Unset: its log is in this cluster.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Digest string `json:"digest,omitempty"`

	// keyDigest is sha256 over the public key (PKIX, DER) with which that was signed.
	// Unset: the log is in this cluster, and was read.
	//
	// +optional
	// +kubebuilder:validation:MaxLength=128
	KeyDigest string `json:"keyDigest,omitempty"`
}
