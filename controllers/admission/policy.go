package admission

import (
	"context"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/validation"
)

// policyHandler answers for policies.
type policyHandler struct{ decoder admission.Decoder }

// Handle refuses a policy that nothing can be held to. A spec that stays as it is
// passes: a check that is newer than the policy must not keep its labels from changing.
func (h *policyHandler) Handle(_ context.Context, req admission.Request) admission.Response {
	policy := &v1alpha1.ReleasePolicy{}
	if err := h.decoder.Decode(req, policy); err != nil {
		return unreadable(req, err)
	}
	if len(req.OldObject.Raw) > 0 {
		old := &v1alpha1.ReleasePolicy{}
		if err := h.decoder.DecodeRaw(req.OldObject, old); err != nil {
			return unreadable(req, err)
		}
		if equality.Semantic.DeepEqual(policy.Spec, old.Spec) {
			return admission.Allowed("")
		}
	}
	return answer(req, validation.ValidatePolicy(policy))
}
