package admission

import (
	"fmt"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// maxErrors is how many errors one refusal lists.
const maxErrors = 20

// Rules of the table of guarded routes under which requests are refused here too.
const (
	ruleSpec       = "STRATA-002"
	ruleTemplate   = "STRATA-047"
	ruleRecords    = "STRATA-005"
	ruleRecord     = "STRATA-006"
	ruleDeployment = "STRATA-010"
	ruleMetadata   = "STRATA-011"
	ruleScale      = "STRATA-012"
	ruleDebug      = "STRATA-019"
	ruleEntered    = "STRATA-050"
)

// answer allows a request without errors, and refuses one with errors as the API
// server refuses its own: 422, with a cause for each field.
func answer(req admission.Request, errs field.ErrorList) admission.Response {
	if len(errs) == 0 {
		return admission.Allowed("")
	}
	if more := len(errs) - maxErrors; more > 0 {
		errs = append(errs[:maxErrors:maxErrors], field.InternalError(nil, fmt.Errorf("and %d errors more", more)))
	}
	status := apierrors.NewInvalid(schema.GroupKind{Group: req.Kind.Group, Kind: req.Kind.Kind}, req.Name, errs).ErrStatus
	response := admission.Denied("")
	response.Result = &status
	return response
}

// frozen refuses the change of what never changes, under a rule of the table and as a
// policy does: a 403 with the object, the route, and what to do instead. No value would be
// right: kubectl apply --force, say, deletes what it is told is invalid.
func frozen(req admission.Request, rule, path, message string) admission.Response {
	response := admission.Denied(fmt.Sprintf("%s: %s %s (%s): %s", rule, req.Kind.Kind, req.Name, wayOf(req), message))
	response.Result.Details = &metav1.StatusDetails{
		Group: req.Kind.Group, Kind: req.Kind.Kind, Name: req.Name,
		Causes: []metav1.StatusCause{{Type: metav1.CauseTypeForbidden, Field: path, Message: message}},
	}
	return response
}

// unreadable says that a request is not an object of its kind.
func unreadable(req admission.Request, err error) admission.Response {
	return admission.Errored(http.StatusBadRequest, fmt.Errorf("read %s %s: %w", req.Kind.Kind, req.Name, err))
}

// unanswerable says that what the answer depends on could not be read: the
// request is refused, and may be made again.
func unanswerable(err error) admission.Response {
	return admission.Errored(http.StatusInternalServerError, err)
}
