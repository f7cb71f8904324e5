package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/ledger"
)

// releaseHandler answers for releases that are created or changed.
type releaseHandler struct {
	decoder  admission.Decoder
	operator guards.Identity
	published
}

// published judges what somebody publishes, as an object or by the template of a track.
type published struct {
	versions *versions
	policies *policies
}

// Handle refuses what could not work, a version that is taken, and every change
// of a spec.
func (h *releaseHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	rel := &v1alpha1.ImmutableRelease{}
	if err := h.decoder.Decode(req, rel); err != nil {
		return unreadable(req, err)
	}
	if req.Operation == admissionv1.Update {
		old := &v1alpha1.ImmutableRelease{}
		if err := h.decoder.DecodeRaw(req.OldObject, old); err != nil {
			return unreadable(req, err)
		}
		if response := explainChange(req); !response.Allowed {
			return response
		}
		return answer(req, validation.ReservedMetadata(rel, old, reservedBy(req, h.operator)))
	}
	errs := append(validation.ReservedMetadata(rel, nil, reservedBy(req, h.operator)), validation.ValidateRelease(rel)...)
	if len(errs) > 0 {
		return answer(req, errs)
	}
	content, err := sentContent(req.Object.Raw)
	if err != nil {
		return unreadable(req, err)
	}
	errs, warnings, err := h.judge(ctx, req, rel, content)
	if err != nil {
		return unanswerable(err)
	}
	track := &v1alpha1.ReleaseTrack{}
	err = h.versions.cached.Get(ctx, client.ObjectKey{Namespace: rel.Namespace, Name: rel.Spec.TrackName}, track)
	if client.IgnoreNotFound(err) != nil {
		return unanswerable(err)
	}
	return answer(req, errs).WithWarnings(append(warnings, unproven(track, rel, content)...)...)
}

// judge says what other releases, and the policies of the namespace, have against a
// release of that content.
func (p published) judge(ctx context.Context, req admission.Request, rel *v1alpha1.ImmutableRelease, content string) (field.ErrorList, []string, error) {
	errs := validation.ValidatePromotions(rel, content)
	taken, err := p.versions.takenBy(ctx, rel, content)
	if err != nil {
		return nil, nil, err
	}
	if taken != "" {
		errs = append(errs, field.Invalid(field.NewPath("spec", "version"), rel.Spec.Version, fmt.Sprintf(
			"release %s of track %s has this version with other content: give this release another version",
			taken, rel.Spec.TrackName)))
	}
	denied, warnings, err := p.policies.judge(ctx, req, &rel.Spec)
	return append(errs, denied...), warnings, err
}

// unproven warns of a release that lacks a promotion which its track asks for: nothing can
// be added to it later. It is no more than a warning: a release that was promoted here
// once needs none.
func unproven(track *v1alpha1.ReleaseTrack, rel *v1alpha1.ImmutableRelease, content string) []string {
	var warnings []string
	for _, required := range track.Spec.Requires {
		if required.PublicKey == "" {
			continue
		}
		if _, _, err := ledger.Proven(required, rel.Spec.Promotions, content); err != nil {
			warnings = append(warnings, fmt.Sprintf("track %s requires a promotion on %s/%s, and none is proven: %s: unless it was promoted here before, this release waits in vain; publish it by kubectl strata promote --sign-key",
				track.Name, required.Namespace, required.TrackName, err))
		}
	}
	return warnings
}

// reservedBy says who asks, for what is reserved.
func reservedBy(req admission.Request, operator guards.Identity) validation.Author {
	return validation.Author{Username: req.UserInfo.Username, Operator: operator.Is(req.UserInfo)}
}

// explainHandler says in words what the schema is about to refuse: a changed spec of a
// release, an action or a record, a changed template of the same version, and images by
// tag. It decides nothing; see guards.Explaining.
type explainHandler struct{ decoder admission.Decoder }

// Handle explains. What it cannot read it leaves to the schema.
func (h *explainHandler) Handle(_ context.Context, req admission.Request) admission.Response {
	if req.Kind.Kind == "ReleaseTrack" {
		return h.explainTrack(req)
	}
	if req.Operation == admissionv1.Update {
		return explainChange(req)
	}
	rel := &v1alpha1.ImmutableRelease{}
	if err := h.decoder.Decode(req, rel); err != nil {
		return admission.Allowed("")
	}
	return answer(req, validation.ValidateRelease(rel))
}

// explainChange allows an unchanged spec, and refuses a changed one with the
// difference. It compares what was sent, not what Go makes of it.
func explainChange(req admission.Request) admission.Response {
	changes, err := validation.SpecChanges(req.OldObject.Raw, req.Object.Raw)
	if err != nil {
		return unreadable(req, err)
	}
	if len(changes) == 0 {
		return admission.Allowed("")
	}
	rule, instead := ruleSpec, "create another ReleaseAction"
	switch req.Kind.Kind {
	case "ImmutableRelease":
		next, err := validation.SuggestName(req.OldObject.Raw, req.Object.Raw)
		if err != nil {
			return unreadable(req, err)
		}
		instead = "publish a new ImmutableRelease, for example " + next
	case "ReleaseRecord":
		rule, instead = ruleRecord, "to ask for something, create a ReleaseAction"
	}
	return frozen(req, rule, "spec", fmt.Sprintf("spec is immutable: %s. Changed:%s", instead, validation.Summarize(changes)))
}
