package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// reportActions says what came of the actions that a record names.
func (r *TrackReconciler) reportActions(ctx context.Context, w *world) error {
	for i := range w.actions {
		before := latest(w.note, &w.actions[i])
		named, answered := w.Log.Actions[before.Name]
		sequence := named.Sequence
		record := w.record(sequence)
		if !answered && !before.CreationTimestamp.After(w.Log.ActionsSince) && before.Status.Outcome == "" && !w.isOpen(before.Name) {
			if err := r.reportAction(ctx, w, before, forgottenAction); err != nil {
				return err
			}
		}
		if !answered || record == nil || before.Status.RecordSequence == sequence {
			continue
		}
		status := actionStatus(before, record)
		status.Uses = before.Status.Uses
		if status.RecordSequence != 0 {
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
	if _, _, err := r.publish(ctx, w.note, before, after, true, w.Now); err != nil {
		return fmt.Errorf("report ReleaseAction %s/%s: %w", before.Namespace, before.Name, err)
	}
	r.tell(after, actionNotices(after, w.accessRecords(before)))
	return nil
}

// accessRecords are those of a BreakGlass that its status does not tell of yet.
func (w *world) accessRecords(action *v1alpha1.ReleaseAction) []*v1alpha1.ReleaseRecordSpec {
	var list []*v1alpha1.ReleaseRecordSpec
	for i := range w.records {
		spec := &w.records[i].Spec
		if spec.Event == v1alpha1.EventBreakGlass && spec.ActionName == action.Name && spec.Sequence > action.Status.RecordSequence {
			list = append(list, spec)
		}
	}
	slices.SortFunc(list, func(a, b *v1alpha1.ReleaseRecordSpec) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return list
}

// reportEnded says of what was open that it ended with its track, once the pods that were
// entered are gone.
func (r *TrackReconciler) reportEnded(ctx context.Context, w *world) error {
	for i := range w.actions {
		before := &w.actions[i]
		if before.Status.Outcome != "" || len(w.Entered) > 0 || !w.isOpen(before.Name) {
			continue
		}
		status := before.Status
		status.Outcome, status.Message = v1alpha1.ActionDone, "the track was deleted, and with it all access ended"
		if err := r.reportAction(ctx, w, before, status); err != nil {
			return err
		}
	}
	return nil
}

// isOpen says whether the newest record has what an action opened.
func (w *world) isOpen(action string) bool {
	return slices.ContainsFunc(w.state().Opened, func(o v1alpha1.OpenedAccess) bool { return o.ActionName == action })
}

// actionStatus is what came of an action, as the newest record that names it tells;
// without an outcome while it is being carried out, or open. Names are never used twice: a
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
	case spec.Event == v1alpha1.EventBreakGlass && spec.Reason != rollout.ReasonClosed:
		status.Outcome = ""
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
