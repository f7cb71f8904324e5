package admission

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/validation"
)

// policyHandler answers for policies.
type policyHandler struct{ decoder admission.Decoder }

// Handle refuses the kind for as long as nothing acts on it.
func (h *policyHandler) Handle(_ context.Context, req admission.Request) admission.Response {
	policy := &v1alpha1.ReleasePolicy{}
	if err := h.decoder.Decode(req, policy); err != nil {
		return unreadable(req, err)
	}
	return answer(req, validation.CheckSupported("ReleasePolicy", policy))
}
