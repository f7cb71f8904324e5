package admission

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/admission/validation"
)

// trackHandler answers for tracks that are created or changed.
type trackHandler struct {
	decoder  admission.Decoder
	operator guards.Identity
}

// Handle refuses a spec that could not work. A spec that stays as it is passes:
// a check that is newer than the track must not keep its labels from changing.
func (h *trackHandler) Handle(_ context.Context, req admission.Request) admission.Response {
	track := &v1alpha1.ReleaseTrack{}
	if err := h.decoder.Decode(req, track); err != nil {
		return unreadable(req, err)
	}
	if req.Operation != admissionv1.Update {
		errs := validation.ReservedMetadata(track, nil, reservedBy(req, h.operator))
		return answer(req, append(errs, validation.ValidateTrack(track)...))
	}
	old := &v1alpha1.ReleaseTrack{}
	if err := h.decoder.DecodeRaw(req.OldObject, old); err != nil {
		return unreadable(req, err)
	}
	errs := validation.ReservedMetadata(track, old, reservedBy(req, h.operator))
	if !equality.Semantic.DeepEqual(track.Spec, old.Spec) {
		errs = append(errs, validation.ValidateTrack(track)...)
	}
	return answer(req, errs)
}
