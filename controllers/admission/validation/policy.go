package validation

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"strings"

	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
)

// leastRSABits is the shortest RSA key that may sign.
const leastRSABits = 2048

// maxWritersBytes is how long AnnotationWriters may become: the annotations of an object
// share 256 KiB, and the API server reads them at every write that is judged by them.
const maxWritersBytes = 64 << 10

// ValidatePolicy says what is wrong with a policy beyond its schema; nothing for one
// that can be kept to. Whether a trusted root is there is not looked at: it may follow.
func ValidatePolicy(p *v1alpha1.ReleasePolicy) field.ErrorList {
	spec, path := &p.Spec, field.NewPath("spec")
	errs := CheckSupported("ReleasePolicy", p)
	if spec.NamespaceSelector == nil {
		errs = append(errs, field.Required(path.Child("namespaceSelector"), "say which namespaces, {} for all"))
	}
	errs = append(errs, metav1validation.ValidateLabelSelector(spec.NamespaceSelector, metav1validation.LabelSelectorValidationOptions{}, path.Child("namespaceSelector"))...)
	if size := len(strings.Join(policy.WriterLines(spec.Writers), "\n")); size > maxWritersBytes {
		errs = append(errs, field.Forbidden(path.Child("writers"), fmt.Sprintf(
			"what they may do takes %d bytes on each namespace, and must take %d at most: list fewer annotations and images", size, maxWritersBytes)))
	}
	if spec.Signatures == nil {
		return errs
	}
	for i := range spec.Signatures.Authorities {
		errs = append(errs, validateAuthority(&spec.Signatures.Authorities[i], path.Child("signatures", "authorities").Index(i))...)
	}
	return errs
}

func validateAuthority(authority *v1alpha1.SignatureAuthority, path *field.Path) field.ErrorList {
	if key := authority.Key; key != nil {
		if problem := wrongKey(key.PublicKey); problem != "" {
			return field.ErrorList{field.Invalid(path.Child("key", "publicKey"), shorten(key.PublicKey), problem)}
		}
	}
	if keyless := authority.Keyless; keyless != nil {
		issuer, err := url.Parse(keyless.Issuer)
		if err != nil || issuer.Scheme != "https" || issuer.Host == "" {
			return field.ErrorList{field.Invalid(path.Child("keyless", "issuer"), keyless.Issuer, "must be the https address of the issuer of identities")}
		}
	}
	return nil
}

// wrongKey says why a text is not one public key that can verify signatures.
func wrongKey(text string) string {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" || len(strings.TrimSpace(string(rest))) > 0 {
		return "must be one public key in PEM, as in cosign.pub: name each further key apart"
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return "is no public key: " + err.Error()
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return ""
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < leastRSABits {
			return fmt.Sprintf("is an RSA key of %d bits, and must have %d at least", bits, leastRSABits)
		}
		return ""
	}
	return fmt.Sprintf("is a key of type %T: use ECDSA, Ed25519 or RSA", key)
}

// shorten keeps a message readable.
func shorten(text string) string {
	const longest = 64
	if len(text) <= longest {
		return text
	}
	return text[:longest] + "..."
}
