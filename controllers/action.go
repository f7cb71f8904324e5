package controllers

import (
	"context"
	"fmt"

	"github.com/strata-release/strata/api/v1alpha1"
)

// reportActions says what came of the actions that a record names.
func (r *TrackReconciler) reportActions(ctx context.Context, w *world) error {
	for i := range w.actions {
		before := latest(r.notes.of(w.key), &w.actions[i])
		sequence, answered := w.Log.Actions[before.Name]
		record := w.record(sequence)
		if !answered && !before.CreationTimestamp.After(w.Log.ActionsSince) && before.Status.Outcome == "" {
			if err := r.reportAction(ctx, w, before, forgottenAction); err != nil {
				return err
			}
		}
		if !answered || record == nil || before.Status.RecordSequence == sequence {
			continue
		}
		if status := actionStatus(before, record); status.Outcome != "" {
			if err := r.reportAction(ctx, w, before, status); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgottenAction is what is said of an action that may have been carried out.
var forgottenAction = v1alpha1.ReleaseActionStatus{
	Outcome: v1alpha1.ActionRefused,
	Message: "the records that would tell whether this was done are gone: ask for it again by another action",
}

func (r *TrackReconciler) reportAction(ctx context.Context, w *world, before *v1alpha1.ReleaseAction, status v1alpha1.ReleaseActionStatus) error {
	after := before.DeepCopy()
	after.Status = status
	if _, _, err := r.publish(ctx, r.notes.of(w.key), before, after, true, w.Now); err != nil {
		return fmt.Errorf("report ReleaseAction %s/%s: %w", before.Namespace, before.Name, err)
	}
	r.tell(after, actionNotices(after))
	return nil
}

// actionStatus is what came of an action, as the newest record that names it tells;
// without an outcome while it is being carried out. Names are never used twice: a
// record that was there before the action answers another one.
func actionStatus(action *v1alpha1.ReleaseAction, record *v1alpha1.ReleaseRecord) v1alpha1.ReleaseActionStatus {
	spec := &record.Spec
	status := v1alpha1.ReleaseActionStatus{
		Outcome: v1alpha1.ActionDone, RecordSequence: spec.Sequence,
		Message: bound(fmt.Sprintf("%s: %s", spec.Event, spec.Message)),
	}
	switch {
	case record.CreationTimestamp.Before(&action.CreationTimestamp):
		status.Outcome = v1alpha1.ActionRefused
		status.Message = fmt.Sprintf("another action had this name, and record %d is its answer: create the action under a name of its own", spec.Sequence)
	case spec.Event == v1alpha1.EventRefused:
		status.Outcome = v1alpha1.ActionRefused
	case spec.Event == v1alpha1.EventRecalled:
		return v1alpha1.ReleaseActionStatus{}
	}
	return status
}

func (w *world) record(sequence int64) *v1alpha1.ReleaseRecord {
	for i := range w.records {
		if w.records[i].Spec.Sequence == sequence {
			return &w.records[i]
		}
	}
	return nil
}
