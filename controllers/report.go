package controllers

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/metrics"
	"github.com/strata-release/strata/controllers/rollout"
)

// report writes the statuses of the track, its releases and its actions, each
// once and only where it differs, and then tells of what changed.
func (r *TrackReconciler) report(ctx context.Context, w *world, plan rollout.Plan, failure error) error {
	f := findings{world: w, plan: plan, failure: failure}
	for i := range w.releases {
		if err := r.reportRelease(ctx, f, &w.releases[i]); err != nil {
			return err
		}
	}
	if w.track == nil {
		metrics.ForgetTrack(w.Namespace, w.TrackName)
		r.log.Forget(w.key)
		r.heads.Delete(w.key)
		return nil
	}
	if err := r.reportTrack(ctx, f); err != nil {
		return err
	}
	return r.reportActions(ctx, w)
}

// findings are all that statuses are made of.
type findings struct {
	*world
	plan rollout.Plan
	// failure is the error that stopped the apply, if one did.
	failure error
}

// blocked is what keeps the track from moving on, the error of a write first.
func (f findings) blocked() *v1alpha1.BlockedBy {
	if f.failure != nil {
		return &v1alpha1.BlockedBy{Gate: "Apply", Reason: "ApplyFailed", Message: bound(f.failure.Error())}
	}
	if f.plan.Stale {
		return &v1alpha1.BlockedBy{Gate: "Log", Reason: "RecordsLost",
			Message: "objects of the track carry a newer record than its log has: nothing is decided until the log is restored"}
	}
	return f.plan.Blocked
}

func (r *TrackReconciler) reportRelease(ctx context.Context, f findings, release *v1alpha1.ImmutableRelease) error {
	before := release.DeepCopy()
	f.releaseStatus(release)
	if reflect.DeepEqual(before.Status, release.Status) {
		return nil
	}
	if err := r.Status().Patch(ctx, release, client.MergeFrom(before), client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("report ImmutableRelease %s/%s: %w", release.Namespace, release.Name, client.IgnoreNotFound(err))
	}
	r.tellRelease(before, release)
	return nil
}

func (r *TrackReconciler) reportTrack(ctx context.Context, f findings) error {
	before := f.track.DeepCopy()
	f.trackStatus(f.track)
	count(f, before)
	if reflect.DeepEqual(before.Status, f.track.Status) {
		return nil
	}
	if err := r.Status().Patch(ctx, f.track, client.MergeFrom(before), client.FieldOwner(fieldManager)); err != nil {
		return fmt.Errorf("report ReleaseTrack %s: %w", f.key, client.IgnoreNotFound(err))
	}
	r.tellTrack(before, f.track)
	return nil
}

// count keeps the metrics of the track.
func count(f findings, before *v1alpha1.ReleaseTrack) {
	metrics.SetWeight(f.Namespace, f.TrackName, f.track.Status.WeightPercent)
	gate, reason := "", ""
	if blocked := f.blocked(); blocked != nil {
		gate, reason = blocked.Gate, blocked.Reason
	}
	metrics.SetBlocked(f.Namespace, f.TrackName, gate, reason)
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(f.track.Status.Conditions, v1alpha1.ConditionReady)
	if was != nil && was.Reason != is.Reason {
		metrics.ObserveStage(was.Reason, f.Now.Sub(was.LastTransitionTime.Time))
	}
}

// reportActions says what came of the actions that a record names.
func (r *TrackReconciler) reportActions(ctx context.Context, w *world) error {
	for i := range w.actions {
		action := &w.actions[i]
		sequence, answered := w.Log.Actions[action.Name]
		record := w.record(sequence)
		if !answered || record == nil || action.Status.RecordSequence == sequence {
			continue
		}
		before := action.DeepCopy()
		action.Status = v1alpha1.ReleaseActionStatus{
			Outcome: v1alpha1.ActionDone, RecordSequence: sequence,
			Message: fmt.Sprintf("%s: %s", record.Event, record.Message),
		}
		if record.Event == v1alpha1.EventRefused {
			action.Status.Outcome = v1alpha1.ActionRefused
		}
		if err := r.Status().Patch(ctx, action, client.MergeFrom(before), client.FieldOwner(fieldManager)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("report ReleaseAction %s/%s: %w", action.Namespace, action.Name, err)
		}
		r.tellAction(action)
	}
	return nil
}

func (w *world) record(sequence int64) *v1alpha1.ReleaseRecordSpec {
	for i := range w.records {
		if w.records[i].Spec.Sequence == sequence {
			return &w.records[i].Spec
		}
	}
	return nil
}

// conditions collects the conditions of one object at one time.
type conditions struct {
	list       *[]metav1.Condition
	generation int64
	now        time.Time
}

func (c conditions) set(kind string, status metav1.ConditionStatus, reason, message string) {
	meta.SetStatusCondition(c.list, metav1.Condition{
		Type: kind, Status: status, Reason: cmp.Or(reason, kind), Message: bound(message),
		ObservedGeneration: c.generation, LastTransitionTime: metav1.NewTime(c.now),
	})
}

func (c conditions) setIf(kind string, holds bool, reason, message string) {
	status := metav1.ConditionFalse
	if holds {
		status = metav1.ConditionTrue
	}
	c.set(kind, status, reason, message)
}

// maxMessage keeps messages within what people read.
const maxMessage = 2048

func bound(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return message[:maxMessage] + " ..."
}
