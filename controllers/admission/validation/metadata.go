package validation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Author is who makes a request.
type Author struct {
	Username string
	// Operator: it is the operator itself, to whom the reserved prefix belongs.
	Operator bool
	// Publishes: the release of a template, by changing it.
	Publishes bool
}

// ReservedMetadata refuses labels and annotations with the reserved prefix that
// an author other than the operator adds, changes or removes. old is nil for an
// object that is created.
func ReservedMetadata(object, old metav1.Object, author Author) field.ErrorList {
	if author.Operator {
		return nil
	}
	var oldLabels, oldAnnotations map[string]string
	if old != nil {
		oldLabels, oldAnnotations = old.GetLabels(), old.GetAnnotations()
	}
	path := field.NewPath("metadata")
	errs := reservedChanges(object.GetLabels(), oldLabels, path.Child("labels"))
	annotations := maps.Clone(object.GetAnnotations())
	if (old == nil || author.Publishes) && annotations[v1alpha1.AnnotationRequestedBy] == author.Username {
		// The API server's own stamp, and true.
		delete(annotations, v1alpha1.AnnotationRequestedBy)
		oldAnnotations = maps.Clone(oldAnnotations)
		delete(oldAnnotations, v1alpha1.AnnotationRequestedBy)
	}
	return append(errs, reservedChanges(annotations, oldAnnotations, path.Child("annotations"))...)
}

// reservedTemplateMetadata refuses the reserved prefix in a template.
func reservedTemplateMetadata(meta *metav1.ObjectMeta, path *field.Path) field.ErrorList {
	errs := reservedChanges(meta.Labels, nil, path.Child("labels"))
	return append(errs, reservedChanges(meta.Annotations, nil, path.Child("annotations"))...)
}

func reservedChanges(now, old map[string]string, path *field.Path) field.ErrorList {
	keys := map[string]bool{}
	for key := range now {
		keys[key] = true
	}
	for key := range old {
		keys[key] = true
	}
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		value, has := now[key]
		before, had := old[key]
		if !strings.HasPrefix(key, v1alpha1.ReservedPrefix) || (has == had && value == before) {
			continue
		}
		const rule = "keys that begin with " + v1alpha1.ReservedPrefix + " are the operator's"
		if had {
			errs = append(errs, field.Invalid(path.Key(key), value, fmt.Sprintf("%s: leave %q as it is", rule, before)))
		} else {
			errs = append(errs, field.Invalid(path.Key(key), value, rule+": leave it out"))
		}
	}
	return errs
}
