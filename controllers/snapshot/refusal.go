package snapshot

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// Reasons for which configuration is not frozen.
const (
	// ReasonConfigMissing: a template names an object that is not there (yet).
	ReasonConfigMissing = "ConfigMissing"
	// ReasonRotatingSecret: something renews the Secret, and the author has not said
	// whether the release keeps today's content or follows.
	ReasonRotatingSecret = "RotatingSecret"
	// ReasonTokenSecret: a ServiceAccount token is an identity, not configuration.
	ReasonTokenSecret = "TokenSecret"
	// ReasonConfigUnexpected: the content is not the one that spec.config.expect waits for.
	ReasonConfigUnexpected = "ConfigUnexpected"
	// ReasonConfigTooLarge: a copy could not be stored.
	ReasonConfigTooLarge = "ConfigTooLarge"
)

// Refusal is why a release cannot be sealed yet, in words for its author.
type Refusal struct {
	Reason  string
	Message string
}

func (r *Refusal) Error() string { return r.Reason + ": " + r.Message }

// Obstacle is the refusal as a fact for the decision.
func (r *Refusal) Obstacle() *rollout.Obstacle {
	return &rollout.Obstacle{Gate: "Sealed", Reason: r.Reason, Message: r.Message}
}

func missing(spec *v1alpha1.ImmutableReleaseSpec, references []Reference, sources Sources) error {
	var names []string
	for _, ref := range references {
		found := sources.ConfigMaps[ref.Name] != nil
		if ref.Kind == v1alpha1.SecretKind {
			found = sources.Secrets[ref.Name] != nil
		}
		if !found {
			names = append(names, string(ref.Kind)+" "+ref.Name+contentOf(spec, ref))
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &Refusal{ReasonConfigMissing, fmt.Sprintf(
		"the templates of the release name %s, which the namespace does not have: create it, and the release goes on", strings.Join(names, ", "))}
}

// contentOf says which content of a missing object is waited for.
func contentOf(spec *v1alpha1.ImmutableReleaseSpec, ref Reference) string {
	if wanted := expected(spec, ref); wanted != "" {
		return " (with content " + wanted + ")"
	}
	return ""
}

// unfit says why a Secret cannot be frozen as it is.
func unfit(ref Reference, source *corev1.Secret) error {
	if source.Type == corev1.SecretTypeServiceAccountToken {
		return &Refusal{ReasonTokenSecret, fmt.Sprintf(
			"Secret %s holds a ServiceAccount token, which is an identity and no configuration: "+
				"use a projected serviceAccountToken volume, or list it under spec.config.dynamic", ref.Name)}
	}
	who := rotatedBy(source)
	if who == "" || ref.Declared {
		return nil
	}
	return &Refusal{ReasonRotatingSecret, fmt.Sprintf(
		"Secret %s is renewed by others (%s): list it in a new release under spec.config.dynamic to follow it, "+
			"or under spec.config.frozen to keep today's content for as long as the release lives", ref.Name, who)}
}

// rotatedBy says who is known to renew a Secret; "" when nobody is.
func rotatedBy(source *corev1.Secret) string {
	if source.Type == corev1.SecretTypeTLS {
		return "its type is " + string(corev1.SecretTypeTLS)
	}
	for i := range source.OwnerReferences {
		owner := &source.OwnerReferences[i]
		if rotates(owner) {
			return fmt.Sprintf("it is owned by %s %s", owner.Kind, owner.Name)
		}
	}
	for _, mark := range rotationMarks {
		if _, ok := source.Annotations[mark]; ok {
			return "annotation " + mark
		}
		if _, ok := source.Labels[mark]; ok {
			return "label " + mark
		}
	}
	return ""
}

// rotators are the API groups whose objects renew the Secrets that they own.
var rotators = []string{
	"cert-manager.io", "external-secrets.io", "secrets.hashicorp.com", "ricoberger.de",
	"onepassword.com", "secrets.doppler.com", "secrets.infisical.com",
	"secrets-store.csi.x-k8s.io", "crossplane.io", "services.k8s.aws",
}

// rotationMarks are labels and annotations of those that renew Secrets which they
// do not own.
var rotationMarks = []string{
	"cert-manager.io/certificate-name",
	"reconcile.external-secrets.io/managed",
	"reconcile.external-secrets.io/data-hash",
	"secrets-store.csi.k8s.io/managed",
	"service.beta.openshift.io/originating-service-name",
	"reloader.stakater.com/last-reloaded-from",
}

// rotates says whether an owner renews the Secret. A controller of a group that
// is not listed may: only a SealedSecret is known to change with its author alone.
func rotates(owner *metav1.OwnerReference) bool {
	group, _, _ := strings.Cut(owner.APIVersion, "/")
	if slices.ContainsFunc(rotators, func(r string) bool { return group == r || strings.HasSuffix(group, "."+r) }) {
		return true
	}
	return owner.Controller != nil && *owner.Controller && group != "bitnami.com"
}

func tooLarge(ref Reference, size int) error {
	if size <= maxDataBytes {
		return nil
	}
	return &Refusal{ReasonConfigTooLarge, fmt.Sprintf(
		"%s %s holds %d bytes, of %d at most in one object: split it", ref.Kind, ref.Name, size, maxDataBytes)}
}

// unexpected compares the plain digest of a content with spec.config.expect. That
// of a Secret is not told: whoever reads it could guess a short one.
func unexpected(rel *v1alpha1.ImmutableRelease, ref Reference, digest string) error {
	wanted, has := expected(&rel.Spec, ref), strings.TrimPrefix(digest, "sha256:")
	if wanted == "" || wanted == has {
		return nil
	}
	other := "another content"
	if ref.Kind == v1alpha1.ConfigMapKind {
		other = "content " + has
	}
	return &Refusal{ReasonConfigUnexpected, fmt.Sprintf(
		"%s %s has %s, and spec.config.expect waits for %s: apply the %s that this release was made for, and the release goes on",
		ref.Kind, ref.Name, other, wanted, ref.Kind)}
}

// expected is the plain digest, as hexadecimal digits, of the content that a release
// waits for; "" where any will do.
func expected(spec *v1alpha1.ImmutableReleaseSpec, ref Reference) string {
	if spec.Config == nil {
		return ""
	}
	for _, expected := range spec.Config.Expect {
		if expected.Kind == ref.Kind && expected.Name == ref.Name {
			return expected.SHA256
		}
	}
	return ""
}
