package admission

import (
	"context"
	"encoding/json"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/resources"
)

// changesTemplate says whether a request writes a template that its track did not have.
func changesTemplate(req admission.Request, track *v1alpha1.ReleaseTrack) (bool, error) {
	if track.Spec.ReleaseTemplate == nil {
		return false, nil
	}
	if req.Operation != admissionv1.Update {
		return true, nil
	}
	changes, same, err := validation.TemplateChanges(req.OldObject.Raw, req.Object.Raw)
	return len(changes) > 0 || !same, err
}

// judgeTemplate judges a template that is new as if its author published the release: the
// operator, who will, has the right to publish any. What is wrong is said of the track.
func (h *trackHandler) judgeTemplate(ctx context.Context, req admission.Request, track, old *v1alpha1.ReleaseTrack) admission.Response {
	if response := explainTemplate(req); !response.Allowed {
		return response
	}
	allowed, err := may(ctx, h.policies.writer, req, authorizationv1.ResourceAttributes{
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Resource: "immutablereleases",
		Namespace: req.Namespace, Verb: "create",
	})
	if err != nil {
		return unanswerable(err)
	}
	if !allowed {
		return admission.Denied(fmt.Sprintf("user %q needs the verb \"create\" on immutablereleases.%s in namespace %q to change spec.releaseTemplate: it creates a release",
			req.UserInfo.Username, v1alpha1.GroupVersion.Group, req.Namespace))
	}
	if errs := validation.ValidateTemplate(track); len(errs) > 0 {
		return answer(req, errs)
	}
	rel := resources.TemplateRelease(track)
	spec, err := validation.TemplateSpec(req.Object.Raw)
	if err != nil {
		return unreadable(req, err)
	}
	content, err := contentOf(spec)
	if err != nil {
		return unreadable(req, err)
	}
	taken, err := h.takenName(ctx, rel, old, spec)
	if err != nil {
		return unanswerable(err)
	}
	errs, warnings, err := h.judge(ctx, req, rel, content)
	if err != nil {
		return unanswerable(err)
	}
	for i := range warnings {
		warnings[i] = validation.PathInTemplate(warnings[i])
	}
	return answer(req, validation.InTemplate(append(taken, errs...))).WithWarnings(append(warnings, unproven(track, rel, content)...)...)
}

// takenName says whose the name is that the release would get, if it is another one's, or
// in what the release differs that has it already. spec is that of the release in JSON.
func (h *trackHandler) takenName(ctx context.Context, rel *v1alpha1.ImmutableRelease, old *v1alpha1.ReleaseTrack, spec []byte) (field.ErrorList, error) {
	refuse := func(format string, args ...any) (field.ErrorList, error) {
		return field.ErrorList{field.Invalid(field.NewPath("spec", "version"), rel.Spec.Version, fmt.Sprintf(format, args...))}, nil
	}
	if old != nil && old.Spec.ReleaseTemplate != nil {
		before := resources.TemplateRelease(old)
		if before.Name == rel.Name && before.Spec.Version != rel.Spec.Version {
			return refuse("its release would be %s, as that of version %s: give it a version that makes another name", rel.Name, before.Spec.Version)
		}
	}
	stored, err := h.versions.stored(ctx, client.ObjectKeyFromObject(rel))
	if err != nil || stored == nil {
		return nil, err
	}
	there, err := json.Marshal(stored.Object)
	if err != nil {
		return nil, fmt.Errorf("encode release %s: %w", rel.Name, err)
	}
	is := &v1alpha1.ImmutableRelease{}
	if err := json.Unmarshal(there, is); err != nil {
		return nil, fmt.Errorf("decode release %s: %w", rel.Name, err)
	}
	switch {
	case is.Spec.TrackName != rel.Spec.TrackName:
		return refuse("its release would be %s, which is a release of track %s: give it another version", rel.Name, is.Spec.TrackName)
	case is.Spec.Version != rel.Spec.Version:
		return refuse("its release would be %s, as that of version %s: give it a version that makes another name", rel.Name, is.Spec.Version)
	}
	changes, err := validation.SpecChanges(there, fmt.Appendf(nil, `{"spec":%s}`, spec))
	if err != nil {
		return nil, fmt.Errorf("compare with release %s: %w", rel.Name, err)
	}
	if len(changes) == 0 {
		return nil, nil
	}
	for i := range changes {
		changes[i].Path = validation.PathInTemplate(changes[i].Path)
	}
	return refuse("release %s has this version with other content, and a version has one content for ever: raise version, for example to %s. Changed:%s",
		rel.Name, validation.NextVersion(rel.Spec.Version), validation.Summarize(changes))
}

// explainTrack allows what is not about the template.
func (h *explainHandler) explainTrack(req admission.Request) admission.Response {
	if req.Operation == admissionv1.Update {
		if response := explainTemplate(req); !response.Allowed {
			return response
		}
	}
	track := &v1alpha1.ReleaseTrack{}
	if err := h.decoder.Decode(req, track); err != nil {
		return admission.Allowed("")
	}
	return answer(req, validation.ValidateTemplate(track))
}

// explainTemplate refuses a template of the same version with other content, with the
// difference. It compares what was sent, not what Go makes of it.
func explainTemplate(req admission.Request) admission.Response {
	if req.Operation != admissionv1.Update {
		return admission.Allowed("")
	}
	changes, same, err := validation.TemplateChanges(req.OldObject.Raw, req.Object.Raw)
	if err != nil {
		return unreadable(req, err)
	}
	if !same || len(changes) == 0 {
		return admission.Allowed("")
	}
	var track v1alpha1.ReleaseTrack
	if err := json.Unmarshal(req.Object.Raw, &track); err != nil {
		return unreadable(req, err)
	}
	version := track.Spec.ReleaseTemplate.Version
	return frozen(req, ruleTemplate, "spec.releaseTemplate", fmt.Sprintf("version %s has one content for ever: raise spec.releaseTemplate.version with every change, for example to %s. Changed:%s",
		version, validation.NextVersion(version), validation.Summarize(changes)))
}
