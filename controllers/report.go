package controllers

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/metrics"
	"github.com/strata-release/strata/controllers/rollout"
)

// report writes the statuses of the track, its releases and its actions, each
// once and only where it differs, and then tells of what changed. due is when to
// come back for what may wait; zero when all is written.
func (r *TrackReconciler) report(ctx context.Context, w *world, plan rollout.Plan, failure error) (due time.Time, err error) {
	f := findings{world: w, plan: plan, failure: failure}
	r.notes.of(w.key).keep(w.reported())
	for i := range w.releases {
		end, err := r.reportRelease(ctx, f, &w.releases[i])
		if err != nil {
			return due, err
		}
		due = sooner(due, end)
	}
	if w.track == nil {
		r.forget(w)
		return due, nil
	}
	end, err := r.reportTrack(ctx, f)
	if err != nil {
		return due, err
	}
	return sooner(due, end), r.reportActions(ctx, w)
}

// forget drops what this process remembers of a track that is gone.
func (r *TrackReconciler) forget(w *world) {
	metrics.ForgetTrack(w.Namespace, w.TrackName)
	r.log.Forget(w.key)
	if len(w.releases) == 0 {
		r.notes.forget(w.key)
	}
}

// reported are the objects that have a status to report.
func (w *world) reported() map[types.UID]bool {
	exists := map[types.UID]bool{}
	if w.track != nil {
		exists[w.track.UID] = true
	}
	for i := range w.releases {
		exists[w.releases[i].UID] = true
	}
	for i := range w.actions {
		exists[w.actions[i].UID] = true
	}
	return exists
}

func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
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

func (r *TrackReconciler) reportRelease(ctx context.Context, f findings, release *v1alpha1.ImmutableRelease) (due time.Time, err error) {
	before := latest(r.notes.of(f.key), release)
	after := before.DeepCopy()
	f.releaseStatus(after)
	if reflect.DeepEqual(before.Status, after.Status) {
		return due, nil
	}
	wrote, due, err := r.publish(ctx, r.notes.of(f.key), before, after, urgentForRelease(&before.Status, &after.Status), f.Now)
	if wrote {
		r.tell(after, releaseNotices(&before.Status, &after.Status))
	}
	return due, wrap(err, "report ImmutableRelease %s/%s", release.Namespace, release.Name)
}

func (r *TrackReconciler) reportTrack(ctx context.Context, f findings) (due time.Time, err error) {
	before := latest(r.notes.of(f.key), f.track)
	after := before.DeepCopy()
	f.trackStatus(after)
	count(f, before, after)
	if reflect.DeepEqual(before.Status, after.Status) {
		return due, nil
	}
	wrote, due, err := r.publish(ctx, r.notes.of(f.key), before, after, urgentForTrack(&before.Status, &after.Status), f.Now)
	if wrote {
		r.tell(after, trackNotices(&before.Status, &after.Status))
	}
	return due, wrap(err, "report ReleaseTrack %s", f.key)
}

// count keeps the metrics of the track.
func count(f findings, before, after *v1alpha1.ReleaseTrack) {
	metrics.SetWeight(f.Namespace, f.TrackName, after.Status.WeightPercent)
	gate, reason := "", ""
	if blocked := f.blocked(); blocked != nil {
		gate, reason = blocked.Gate, blocked.Reason
	}
	metrics.SetBlocked(f.Namespace, f.TrackName, gate, reason)
	was := meta.FindStatusCondition(before.Status.Conditions, v1alpha1.ConditionReady)
	is := meta.FindStatusCondition(after.Status.Conditions, v1alpha1.ConditionReady)
	if was != nil && was.Reason != is.Reason {
		metrics.ObserveStage(was.Reason, f.Now.Sub(was.LastTransitionTime.Time))
	}
}

// reportActions says what came of the actions that a record names.
func (r *TrackReconciler) reportActions(ctx context.Context, w *world) error {
	for i := range w.actions {
		before := latest(r.notes.of(w.key), &w.actions[i])
		sequence, answered := w.Log.Actions[before.Name]
		record := w.record(sequence)
		if !answered || record == nil || before.Status.RecordSequence == sequence {
			continue
		}
		after := before.DeepCopy()
		after.Status = v1alpha1.ReleaseActionStatus{
			Outcome: v1alpha1.ActionDone, RecordSequence: sequence,
			Message: bound(fmt.Sprintf("%s: %s", record.Event, record.Message)),
		}
		if record.Event == v1alpha1.EventRefused {
			after.Status.Outcome = v1alpha1.ActionRefused
		}
		if _, _, err := r.publish(ctx, r.notes.of(w.key), before, after, true, w.Now); err != nil {
			return fmt.Errorf("report ReleaseAction %s/%s: %w", before.Namespace, before.Name, err)
		}
		r.tell(after, actionNotices(after))
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
