package admission

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/controllers/admission/guards"
)

// recordHandler answers for records: they are the operator's.
type recordHandler struct{ operator guards.Identity }

// Handle refuses everybody else, but for what changes nothing.
func (h *recordHandler) Handle(_ context.Context, req admission.Request) admission.Response {
	if h.operator.Is(req.UserInfo) {
		return admission.Allowed("")
	}
	if unchanged, err := sameObject(req); err != nil {
		return unreadable(req, err)
	} else if unchanged {
		return admission.Allowed("")
	}
	return admission.Denied("records are the log of their track and are written by the operator alone; to ask for something, create a ReleaseAction")
}
