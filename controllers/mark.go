package controllers

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// mark writes the mark of a held release; nil removes it. It is a merge patch under
// the resourceVersion that was observed: a typed object would not be the one that
// its author wrote.
func (r *TrackReconciler) mark(ctx context.Context, w *world, release string, value any) error {
	note := w.note
	observed := latest(note, w.release(release))
	if note.behind(observed) {
		return fmt.Errorf("mark ImmutableRelease %s: %w", release, errBehind)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": observed.ResourceVersion,
		"labels":          map[string]any{v1alpha1.LabelHeld: value},
	}})
	if err != nil {
		return fmt.Errorf("encode the mark of ImmutableRelease %s: %w", release, err)
	}
	marked := &v1alpha1.ImmutableRelease{}
	marked.Namespace, marked.Name = w.Namespace, release
	err = r.Patch(ctx, marked, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldManager))
	if err == nil {
		note.wrote(observed)
	}
	return wrap(err, "mark ImmutableRelease %s/%s", w.Namespace, release)
}
