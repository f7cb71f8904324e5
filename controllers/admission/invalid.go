package admission

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/policy"
)

// invalidHandler says of a rule what the API server is about to call invalid, with a 422
// and nothing of the release; see guards.Explaining. It decides nothing, and what it cannot
// read it leaves to the API server.
type invalidHandler struct {
	rule guards.Rule
	// reader is cached; live is asked for a namespace that it has not seen yet.
	reader, live client.Reader
}

// Handle refuses a change with the difference.
func (h *invalidHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	var old whose
	if err := json.Unmarshal(req.OldObject.Raw, &old); err != nil {
		return admission.Allowed("")
	}
	compare := validation.InPlaceChanges
	if req.SubResource == "status" {
		compare = validation.StatusChanges
	}
	changes, err := compare(req.OldObject.Raw, req.Object.Raw)
	if err != nil || len(changes) == 0 {
		return admission.Allowed("")
	}
	if req.SubResource == "resize" {
		effective, err := policy.Read(ctx, h.reader, h.live, req.Namespace)
		if err != nil || slices.Contains(effective.Writers(), policy.MayResize(req.UserInfo.Username)) {
			return admission.Allowed("")
		}
	}
	return frozen(req, h.rule.ID, changes[0].Path, fmt.Sprintf("%s (release %s). %s Changed:%s",
		h.rule.Says, cmp.Or(old.Metadata.Labels[v1alpha1.LabelRelease], releaseOf(&old)), h.rule.Instead, told(req, changes)))
}

// told are changes in words; of configuration the names of what differs, and no value.
func told(req admission.Request, changes []validation.Change) string {
	if req.Kind.Kind != "ConfigMap" && req.Kind.Kind != "Secret" {
		return validation.Summarize(changes)
	}
	return validation.Paths(changes)
}
