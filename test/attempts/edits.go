package attempts

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// fieldManager is the operator's own: who applies under it by force owns what the
// operator owns.
const fieldManager = "strata"

// edit is one change of an object.
type edit struct {
	what   string
	change func(map[string]any)
	// invalid: the API's own validation may refuse it.
	invalid bool
	// removes: something is taken away. Who applies what is not there takes away only
	// what nobody else applied.
	removes bool
}

// set writes a value at a path of maps.
func set(value any, path ...string) edit {
	return edit{what: strings.Join(path, ".") + " = " + text(value), change: func(object map[string]any) {
		if err := unstructured.SetNestedField(object, value, path...); err != nil {
			panic(err) // the path leads through something that is no map
		}
	}}
}

// invalid is an edit that the API's own validation may refuse.
func invalid(e edit) edit {
	e.invalid = true
	return e
}

// unset removes what stands at a path.
func unset(path ...string) edit {
	return edit{what: "no " + strings.Join(path, "."), removes: true, change: func(object map[string]any) { unstructured.RemoveNestedField(object, path...) }}
}

// metadataEdits are what nobody may do to the metadata of what a release owns.
func metadataEdits() []edit {
	return []edit{
		set("checkout", "metadata", "labels", "team"),
		set("hello", "metadata", "annotations", "note"),
		{what: "another finalizer", change: func(object map[string]any) {
			object["metadata"].(map[string]any)["finalizers"] = []any{"example.com/stay"}
		}},
		unset("metadata", "ownerReferences"),
	}
}

// patchTypes are the ways to send an edit.
var patchTypes = []types.PatchType{types.JSONPatchType, types.MergePatchType, types.StrategicMergePatchType, types.ApplyPatchType, "update"}

// withoutStrategicMerge are the API groups of custom resources, and of CRDs.
var withoutStrategicMerge = []string{v1alpha1.GroupVersion.Group, "gateway.networking.k8s.io", "traefik.io", "networking.istio.io", "apiextensions.k8s.io"}

// edits tries each edit in every way.
func (w *World) edits(row string, o object, rules []string, mentions string, edits []edit, subresources ...string) []Attempt {
	if o.name == "" {
		return nil
	}
	var list []Attempt
	for _, e := range edits {
		for _, patchType := range patchTypes {
			if patchType == types.StrategicMergePatchType && slices.Contains(withoutStrategicMerge, o.resource.Group) {
				continue
			}
			list = append(list, Attempt{
				Row: row, What: fmt.Sprintf("%s of %s by %s %s", e.what, o, patchName(patchType), strings.Join(subresources, "/")),
				rules: rules, mentions: mentions, invalid: e.invalid, nothing: e.removes && patchType == types.ApplyPatchType, of: &o,
				edit: func(ctx context.Context, live *unstructured.Unstructured, dryRun []string) error {
					return w.edit(ctx, o, live, e, patchType, dryRun, subresources)
				},
			})
		}
	}
	return list
}

func patchName(patchType types.PatchType) string {
	name := strings.TrimPrefix(string(patchType), "application/")
	return strings.TrimSuffix(strings.TrimSuffix(name, "+json"), "+yaml")
}

func (w *World) edit(ctx context.Context, o object, live *unstructured.Unstructured, e edit, patchType types.PatchType, dryRun, subresources []string) error {
	if seen := seen(subresources); seen != nil {
		var err error
		if live, err = w.objects(o).Get(ctx, o.name, metav1.GetOptions{}, seen...); err != nil {
			return fmt.Errorf("get %s: %w", o, err)
		}
	}
	changed := live.DeepCopy()
	e.change(changed.Object)
	if patchType == "update" {
		_, err := w.objects(o).Update(ctx, changed, metav1.UpdateOptions{DryRun: dryRun, FieldManager: fieldManager}, subresources...)
		return err
	}
	data, err := patch(live, changed, patchType)
	if err != nil {
		return err
	}
	options := metav1.PatchOptions{DryRun: dryRun, FieldManager: fieldManager}
	if patchType == types.ApplyPatchType {
		options.Force = ptr.To(true)
	}
	_, err = w.objects(o).Patch(ctx, o.name, patchType, data, options, subresources...)
	return err
}

// seen are the subresources that are read as something of their own; the others are
// seen as their object.
func seen(subresources []string) []string {
	if len(subresources) == 1 && subresources[0] == "scale" {
		return subresources
	}
	return nil
}

// patch is the difference of two versions of an object.
func patch(live, changed *unstructured.Unstructured, patchType types.PatchType) ([]byte, error) {
	switch patchType {
	case types.ApplyPatchType:
		applied := changed.DeepCopy()
		for _, field := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"} {
			unstructured.RemoveNestedField(applied.Object, "metadata", field)
		}
		return json.Marshal(applied.Object)
	case types.JSONPatchType:
		type operation struct {
			Op    string `json:"op"`
			Path  string `json:"path"`
			Value any    `json:"value,omitempty"`
		}
		operations := []operation{}
		for field, value := range changed.Object {
			if text(value) != text(live.Object[field]) {
				operations = append(operations, operation{"add", "/" + field, value})
			}
		}
		for field := range live.Object {
			if _, kept := changed.Object[field]; !kept {
				operations = append(operations, operation{"remove", "/" + field, nil})
			}
		}
		return json.Marshal(operations)
	}
	return client.MergeFrom(live).Data(changed)
}

// deletions are the ways to delete an object: alone, with others, and without what
// it owns.
func (w *World) deletions(row string, o object, rules []string, mentions, selector string) []Attempt {
	if o.name == "" {
		return nil
	}
	attempt := func(what string, try func(ctx context.Context, options metav1.DeleteOptions) error) Attempt {
		return Attempt{Row: row, What: what + " " + o.String(), rules: rules, mentions: mentions, of: &o,
			try: func(ctx context.Context, dryRun []string) error {
				return try(ctx, metav1.DeleteOptions{DryRun: dryRun})
			}}
	}
	list := []Attempt{
		attempt("delete", func(ctx context.Context, options metav1.DeleteOptions) error {
			return w.objects(o).Delete(ctx, o.name, options)
		}),
		attempt("delete --cascade=orphan", func(ctx context.Context, options metav1.DeleteOptions) error {
			options.PropagationPolicy = ptr.To(metav1.DeletePropagationOrphan)
			return w.objects(o).Delete(ctx, o.name, options)
		}),
		attempt("delete --force", func(ctx context.Context, options metav1.DeleteOptions) error {
			options.GracePeriodSeconds = ptr.To[int64](0)
			return w.objects(o).Delete(ctx, o.name, options)
		}),
	}
	// The API server has no way to delete Services by their labels.
	if selector != "" {
		list = append(list, attempt("deletecollection with", func(ctx context.Context, options metav1.DeleteOptions) error {
			return w.objects(o).DeleteCollection(ctx, options, metav1.ListOptions{LabelSelector: selector})
		}))
	}
	return list
}

// creation is a way to create something.
func (w *World) creation(row, what string, rules []string, mentions string, o object, body map[string]any, subresources ...string) Attempt {
	return Attempt{Row: row, What: what, rules: rules, mentions: mentions, try: func(ctx context.Context, dryRun []string) error {
		created := &unstructured.Unstructured{Object: body}
		created = created.DeepCopy()
		if created.GetAPIVersion() == "" {
			created.SetAPIVersion(o.resource.GroupVersion().String())
			created.SetKind(o.kind)
		}
		if o.name != "" {
			created.SetName(o.name)
		}
		_, err := w.objects(o).Create(ctx, created, metav1.CreateOptions{DryRun: dryRun, FieldManager: fieldManager}, subresources...)
		return err
	}}
}
