package admission

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/admission/validation"
)

// trackHandler answers for tracks that are created or changed.
type trackHandler struct {
	decoder  admission.Decoder
	operator guards.Identity
	published
}

// Handle refuses a spec that could not work. A spec that stays as it is passes:
// a check that is newer than the track must not keep its labels from changing. So does a
// template.
func (h *trackHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	track := &v1alpha1.ReleaseTrack{}
	if err := h.decoder.Decode(req, track); err != nil {
		return unreadable(req, err)
	}
	var old *v1alpha1.ReleaseTrack
	if req.Operation == admissionv1.Update {
		old = &v1alpha1.ReleaseTrack{}
		if err := h.decoder.DecodeRaw(req.OldObject, old); err != nil {
			return unreadable(req, err)
		}
	}
	template, err := changesTemplate(req, track)
	if err != nil {
		return unreadable(req, err)
	}
	author := reservedBy(req, h.operator)
	author.Publishes = template
	var errs field.ErrorList
	if old == nil {
		errs = append(validation.ReservedMetadata(track, nil, author), validation.ValidateTrack(track)...)
	} else {
		errs = validation.ReservedMetadata(track, old, author)
		if !equality.Semantic.DeepEqual(track.Spec, old.Spec) {
			errs = append(errs, validation.ValidateTrack(track)...)
		}
	}
	if len(errs) > 0 || !template {
		return answer(req, errs)
	}
	return h.judgeTemplate(ctx, req, track, old)
}
