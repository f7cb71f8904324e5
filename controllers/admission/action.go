package admission

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/policy"
)

// actionHandler answers for actions that are created or changed.
type actionHandler struct {
	decoder  admission.Decoder
	operator guards.Identity
	// reader is cached; live is asked before something is said not to exist.
	reader, live client.Reader
	// writer asks the API server for access reviews.
	writer client.Writer
}

// Handle refuses an action that is not its requester's own, that the requester
// may not ask for, or that is about nothing.
func (h *actionHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	action := &v1alpha1.ReleaseAction{}
	if err := h.decoder.Decode(req, action); err != nil {
		return unreadable(req, err)
	}
	if req.Operation == admissionv1.Update {
		return h.update(req, action)
	}
	errs := validation.ReservedMetadata(action, nil, reservedBy(req, h.operator))
	errs = append(errs, validation.ValidateAction(action, req.UserInfo.Username)...)
	if len(errs) > 0 {
		return answer(req, errs)
	}
	allowed, err := mayDo(ctx, h.writer, req, action.Spec.TrackName, validation.Verb(action.Spec.Action))
	if err != nil {
		return unanswerable(err)
	}
	if !allowed {
		return admission.Denied(fmt.Sprintf("user %q needs the verb %q on releasetracks.%s/%s in namespace %q",
			req.UserInfo.Username, validation.Verb(action.Spec.Action), v1alpha1.GroupVersion.Group, action.Spec.TrackName, req.Namespace))
	}
	errs, err = h.missing(ctx, req.Namespace, action)
	if err == nil && action.Spec.Action == v1alpha1.ActionBreakGlass {
		var effective policy.Effective
		effective, err = policy.Read(ctx, h.reader, h.live, req.Namespace)
		errs = append(errs, effective.CheckBreakGlass(&action.Spec, req.UserInfo.Groups)...)
	}
	if err != nil {
		return unanswerable(err)
	}
	return answer(req, errs)
}

func (h *actionHandler) update(req admission.Request, action *v1alpha1.ReleaseAction) admission.Response {
	old := &v1alpha1.ReleaseAction{}
	if err := h.decoder.DecodeRaw(req.OldObject, old); err != nil {
		return unreadable(req, err)
	}
	if response := explainChange(req); !response.Allowed {
		return response
	}
	return answer(req, validation.ReservedMetadata(action, old, reservedBy(req, h.operator)))
}

// mayDo asks the authorizer whether the user has a verb on a track.
func mayDo(ctx context.Context, writer client.Writer, req admission.Request, track, verb string) (bool, error) {
	return may(ctx, writer, req, authorizationv1.ResourceAttributes{
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: "releasetracks",
		Namespace: req.Namespace, Name: track, Verb: verb,
	})
}

// may asks the authorizer whether the user may do that.
func may(ctx context.Context, writer client.Writer, req admission.Request, what authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: req.UserInfo.Username, UID: req.UserInfo.UID, Groups: req.UserInfo.Groups,
		Extra:              map[string]authorizationv1.ExtraValue{},
		ResourceAttributes: &what,
	}}
	for key, values := range req.UserInfo.Extra {
		review.Spec.Extra[key] = authorizationv1.ExtraValue(values)
	}
	if err := writer.Create(ctx, review); err != nil {
		return false, fmt.Errorf("review the access of %s: %w", req.UserInfo.Username, err)
	}
	return review.Status.Allowed, nil
}

// missing names what the action is about and is not there. An abort may be about
// a release whose object is gone.
func (h *actionHandler) missing(ctx context.Context, namespace string, action *v1alpha1.ReleaseAction) (field.ErrorList, error) {
	spec, path := &action.Spec, field.NewPath("spec")
	var track v1alpha1.ReleaseTrack
	found, err := h.get(ctx, types.NamespacedName{Namespace: namespace, Name: spec.TrackName}, &track)
	if err != nil {
		return nil, err
	}
	if !found {
		return field.ErrorList{field.NotFound(path.Child("trackName"), spec.TrackName)}, nil
	}
	if spec.Action == v1alpha1.ActionAbort {
		return nil, nil
	}
	var rel v1alpha1.ImmutableRelease
	found, err = h.get(ctx, types.NamespacedName{Namespace: namespace, Name: spec.ReleaseName}, &rel)
	switch {
	case err != nil:
		return nil, err
	case !found:
		return field.ErrorList{field.NotFound(path.Child("releaseName"), spec.ReleaseName)}, nil
	case rel.Spec.TrackName != spec.TrackName:
		return field.ErrorList{field.Invalid(path.Child("releaseName"), spec.ReleaseName,
			fmt.Sprintf("is a release of track %s, not of %s", rel.Spec.TrackName, spec.TrackName))}, nil
	}
	return nil, nil
}

// get reads from the cache, and live what the cache does not have.
func (h *actionHandler) get(ctx context.Context, key types.NamespacedName, object client.Object) (bool, error) {
	err := h.reader.Get(ctx, key, object)
	if apierrors.IsNotFound(err) {
		err = h.live.Get(ctx, key, object)
	}
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read %s: %w", key, err)
	}
	return true, nil
}
