package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/policy"
)

// deploymentHandler answers for changes of Deployments and of their size. The
// policies refuse the same; this holds where they have been taken away.
type deploymentHandler struct {
	operator guards.Identity
	// reader is cached; live is asked for a namespace that it has not seen yet.
	reader, live client.Reader
}

// whose is what of an object tells whose it is: a Deployment, or a Scale.
type whose struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Status   struct {
		// Selector is a string on a Scale.
		Selector string `json:"selector"`
	} `json:"status"`
}

// Handle refuses every change of what belongs to a release, and says what it was.
func (h *deploymentHandler) Handle(ctx context.Context, req admission.Request) admission.Response {
	if h.operator.Is(req.UserInfo) {
		return admission.Allowed("")
	}
	var old whose
	if err := json.Unmarshal(req.OldObject.Raw, &old); err != nil {
		return unreadable(req, err)
	}
	release := releaseOf(&old)
	if release == "" {
		return admission.Allowed("")
	}
	changes, err := validation.InPlaceChanges(req.OldObject.Raw, req.Object.Raw)
	if err != nil {
		return unreadable(req, err)
	}
	if len(changes) == 0 {
		return admission.Allowed("")
	}
	if req.SubResource == "scale" && req.Resource.Resource == "deployments" {
		effective, err := policy.Read(ctx, h.reader, h.live, req.Namespace)
		if err != nil {
			return unanswerable(err)
		}
		if slices.Contains(effective.Writers(), policy.MayScale(req.UserInfo.Username)) {
			return admission.Allowed("")
		}
	}
	rule, what := ruleDeployment, "Deployment "+old.Metadata.Name
	switch {
	case req.SubResource == "scale":
		rule, what = ruleScale, "the size of "+old.Metadata.Name
	case strings.HasPrefix(changes[0].Path, "metadata."):
		rule = ruleMetadata
	}
	return admission.Denied(fmt.Sprintf("%s: %s belongs to release %s, and a release never changes (%s). Publish a new ImmutableRelease "+
		"with the change; its track rolls it out. To go back to an earlier release, create a ReleaseAction with action Rollback. Changed:%s",
		rule, what, release, wayOf(req), validation.Summarize(changes)))
}

// wayOf tells the route that a request took.
func wayOf(req admission.Request) string {
	way := string(req.Operation) + " " + req.Resource.Resource
	if req.SubResource != "" {
		way += "/" + req.SubResource
	}
	return way
}

// releaseOf names the release that owns an object, or, for a Scale, the one in the
// selector of its pods; "" for none.
func releaseOf(object *whose) string {
	for _, owner := range object.Metadata.OwnerReferences {
		if owner.Kind == "ImmutableRelease" && strings.HasPrefix(owner.APIVersion, v1alpha1.ReservedPrefix) {
			return owner.Name
		}
	}
	selector, err := labels.Parse(object.Status.Selector)
	if err != nil {
		return ""
	}
	name, _ := selector.RequiresExactMatch(v1alpha1.LabelRelease)
	return name
}

// sameObject says whether an update changes nothing but the status; false for a
// creation.
func sameObject(req admission.Request) (bool, error) {
	if len(req.OldObject.Raw) == 0 {
		return false, nil
	}
	changes, err := validation.InPlaceChanges(req.OldObject.Raw, req.Object.Raw)
	return len(changes) == 0, err
}
