package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
)

// deploymentHandler answers for changes of Deployments and of their size. The
// policies refuse the same; this holds where they have been taken away.
type deploymentHandler struct{ operator guards.Identity }

// content is what of an object may not change: a Deployment's or a Scale's.
type content struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Spec     any               `json:"spec"`
	Status   struct {
		// Selector is a string on a Scale.
		Selector string `json:"selector"`
	} `json:"status"`
}

// Handle refuses every change of what belongs to a release.
func (h *deploymentHandler) Handle(_ context.Context, req admission.Request) admission.Response {
	if h.operator.Is(req.UserInfo) {
		return admission.Allowed("")
	}
	var now, old content
	for data, into := range map[*content][]byte{&now: req.Object.Raw, &old: req.OldObject.Raw} {
		if err := json.Unmarshal(into, data); err != nil {
			return unreadable(req, err)
		}
	}
	release := releaseOf(&old)
	if release == "" || same(&now, &old) {
		return admission.Allowed("")
	}
	what := "Deployment " + old.Metadata.Name
	if req.SubResource == "scale" {
		what = "the size of " + what
	}
	return admission.Denied(fmt.Sprintf("%s belongs to release %s, and a release never changes. Publish a new ImmutableRelease "+
		"with the change; its track rolls it out. To go back to an earlier release, create a ReleaseAction with action Rollback.", what, release))
}

// releaseOf names the release that an object belongs to, by its label, its owner,
// or, for a Scale, the selector of its pods; "" for none.
func releaseOf(object *content) string {
	if name := object.Metadata.Labels[v1alpha1.LabelRelease]; name != "" {
		return name
	}
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

func same(a, b *content) bool {
	return equality.Semantic.DeepEqual(a.Spec, b.Spec) && sameMetadata(&a.Metadata, &b.Metadata)
}

// sameMetadata compares what users write of an object's metadata.
func sameMetadata(a, b *metav1.ObjectMeta) bool {
	return equality.Semantic.DeepEqual(a.Labels, b.Labels) && equality.Semantic.DeepEqual(a.Annotations, b.Annotations) &&
		equality.Semantic.DeepEqual(a.OwnerReferences, b.OwnerReferences) && equality.Semantic.DeepEqual(a.Finalizers, b.Finalizers)
}

// sameObject says whether an update changes nothing; false for a creation.
func sameObject(req admission.Request) (bool, error) {
	if len(req.OldObject.Raw) == 0 {
		return false, nil
	}
	var now, old content
	if err := json.Unmarshal(req.Object.Raw, &now); err != nil {
		return false, err
	}
	if err := json.Unmarshal(req.OldObject.Raw, &old); err != nil {
		return false, err
	}
	return same(&now, &old), nil
}
