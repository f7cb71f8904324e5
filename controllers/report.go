package controllers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/metrics"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// report writes the statuses of the track, its releases and its actions, each
// once and only where it differs, and then tells of what changed. A status that is
// refused keeps no other from being written. due is when to come back for what may
// wait; zero when all is written.
func (r *TrackReconciler) report(ctx context.Context, w *world, plan rollout.Plan, failure error) (due time.Time, err error) {
	f := findingsOf(w, plan, failure)
	w.note.keep(w.reported())
	for i := range w.releases {
		end, failed := r.reportRelease(ctx, f, &w.releases[i])
		due, err = sooner(due, end), errors.Join(err, failed)
	}
	if w.track == nil {
		r.forget(w)
		return due, errors.Join(err, r.reportEnded(ctx, w))
	}
	end, failed := r.reportTrack(ctx, f)
	due = sooner(sooner(sooner(due, w.stale.next), w.copiesDue), f.nextStale())
	return sooner(due, end), errors.Join(err, failed, r.reportActions(ctx, w))
}

// reportUnread says that the world could not be read, once that has lasted for a
// while: on the track, and on the releases that were under way. Nothing else is
// said: nothing else is known.
func (r *TrackReconciler) reportUnread(ctx context.Context, w *world, failure error) error {
	if !r.tooRestless(w) {
		return nil
	}
	var errs error
	for i := range w.releases {
		before := latest(w.note, &w.releases[i])
		after := before.DeepCopy()
		if s := &after.Status; s.ObservedGeneration == 0 || meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReconciling) {
			s.ObservedGeneration = after.Generation
			unread(conditions{list: &s.Conditions, generation: after.Generation, now: w.Now}, failure)
			errs = errors.Join(errs, r.publishUnread(ctx, w, before, after, reflect.DeepEqual(before.Status, after.Status)))
		}
	}
	if w.track == nil {
		return errs
	}
	before := latest(w.note, w.track)
	after := before.DeepCopy()
	s := &after.Status
	s.BlockedBy = &v1alpha1.BlockedBy{Gate: "Observe", Reason: "ObserveFailed", Message: bound(failure.Error())}
	c := conditions{list: &s.Conditions, generation: after.Generation, now: w.Now}
	c.set(v1alpha1.ConditionRolloutBlocked, metav1.ConditionTrue, "ObserveFailed", failure.Error())
	if s.ObservedGeneration != after.Generation || meta.IsStatusConditionTrue(s.Conditions, v1alpha1.ConditionReconciling) || decidedOpen(w.state()) {
		unread(c, failure)
	}
	return errors.Join(errs, r.publishUnread(ctx, w, before, after, reflect.DeepEqual(before.Status, after.Status)))
}

// decidedOpen says whether the newest record leaves something to be done.
func decidedOpen(state v1alpha1.TrackState) bool {
	return state.Candidate != nil ||
		slices.ContainsFunc(state.Live, func(live v1alpha1.LiveRelease) bool { return live.Recall != nil }) ||
		slices.ContainsFunc(state.Routes, func(route v1alpha1.RouteState) bool { return route.VerifiedTime == nil })
}

// unread: nobody knows how far it is.
func unread(c conditions, failure error) {
	c.set(v1alpha1.ConditionReady, metav1.ConditionFalse, "ObserveFailed", failure.Error())
	c.set(v1alpha1.ConditionReconciling, metav1.ConditionTrue, "ObserveFailed", failure.Error())
	c.set(v1alpha1.ConditionStalled, metav1.ConditionFalse, "ObserveFailed", "")
}

func (r *TrackReconciler) publishUnread(ctx context.Context, w *world, before, after client.Object, same bool) error {
	if same {
		return nil
	}
	_, _, err := r.publish(ctx, w.note, before, after, true, w.Now)
	return wrap(err, "report %T %s/%s", after, after.GetNamespace(), after.GetName())
}

// forget drops what this process remembers of a track that is gone.
func (r *TrackReconciler) forget(w *world) {
	metrics.ForgetTrack(w.Namespace, w.TrackName)
	r.log.Forget(w.key)
	r.fleet.Exists(w.key, false)
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
	// answers of the planner's rules: one look for all statuses.
	answers rollout.Answers
}

func findingsOf(w *world, plan rollout.Plan, failure error) findings {
	return findings{world: w, plan: plan, failure: failure, answers: rollout.Ask(w.Observation)}
}

// blocked is what keeps the track from moving on: the error of a write, a log that
// tells nothing, a gate, what only a human can mend, a router.
func (f findings) blocked() *v1alpha1.BlockedBy {
	if f.failure != nil {
		return &v1alpha1.BlockedBy{Gate: "Apply", Reason: "ApplyFailed", Message: bound(f.failure.Error())}
	}
	if f.plan.Stale && f.plan.Stalled != nil {
		return f.plan.Stalled
	}
	if f.plan.Stale {
		return &v1alpha1.BlockedBy{Gate: "Log", Reason: "RecordsLost",
			Message: fmt.Sprintf("objects of the track carry stamps of newer records than record %d, the last that is there: nothing is decided until the ReleaseRecords are restored", f.sequence())}
	}
	if f.plan.Blocked != nil {
		return f.plan.Blocked
	}
	if f.plan.Stalled != nil {
		return f.plan.Stalled
	}
	if reason, message, carried, any := f.answers.Carried(); any && !carried {
		return &v1alpha1.BlockedBy{Gate: "RouteVerified", Reason: cmp.Or(reason, "RouteNotVerified"),
			Message: cmp.Or(message, "every route carries the weights of the newest record; the record of it follows")}
	}
	return nil
}

// sequence number of the newest record; 0 before the first.
func (f findings) sequence() int64 {
	if f.Log.Head == nil {
		return 0
	}
	return f.Log.Head.Sequence
}

func (r *TrackReconciler) reportRelease(ctx context.Context, f findings, release *v1alpha1.ImmutableRelease) (due time.Time, err error) {
	before := latest(f.note, release)
	after := &v1alpha1.ImmutableRelease{TypeMeta: before.TypeMeta, ObjectMeta: before.ObjectMeta, Spec: before.Spec, Status: *before.Status.DeepCopy()}
	f.releaseStatus(after)
	if reflect.DeepEqual(before.Status, after.Status) {
		return due, nil
	}
	wrote, due, err := r.publish(ctx, f.note, before, after, urgentForRelease(&before.Status, &after.Status), f.Now)
	if wrote {
		r.tell(after, releaseNotices(&before.Status, &after.Status))
	}
	return due, wrap(err, "report ImmutableRelease %s/%s", release.Namespace, release.Name)
}

func (r *TrackReconciler) reportTrack(ctx context.Context, f findings) (due time.Time, err error) {
	before := latest(f.note, f.track)
	after := &v1alpha1.ReleaseTrack{TypeMeta: before.TypeMeta, ObjectMeta: before.ObjectMeta, Spec: before.Spec, Status: *before.Status.DeepCopy()}
	f.trackStatus(after)
	count(f, f.note, after)
	if reflect.DeepEqual(before.Status, after.Status) {
		return due, nil
	}
	wrote, due, err := r.publish(ctx, f.note, before, after, urgentForTrack(&before.Status, &after.Status), f.Now)
	if wrote {
		r.tell(after, trackNotices(&before.Status, &after.Status))
	}
	return due, wrap(err, "report ReleaseTrack %s", f.key)
}

// count keeps the metrics of the track. Since when it is in its stage is remembered
// by this process alone: a stage that began before it is not measured.
func count(f findings, note *notebook, after *v1alpha1.ReleaseTrack) {
	metrics.SetWeight(f.Namespace, f.TrackName, after.Status.WeightPercent)
	gate, reason := "", ""
	if blocked := f.blocked(); blocked != nil {
		gate, reason = blocked.Gate, blocked.Reason
	}
	metrics.SetBlocked(f.Namespace, f.TrackName, gate, reason)
	stage := reasonOf(after.Status.Conditions, v1alpha1.ConditionReady)
	if note.stage == stage {
		return
	}
	if !note.stageSince.IsZero() {
		metrics.ObserveStage(note.stage, f.Now.Sub(note.stageSince))
	}
	if note.stage != "" {
		note.stageSince = f.Now
	}
	note.stage = stage
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

// remove drops a condition that most objects never had.
func (c conditions) remove(kind string) {
	if meta.FindStatusCondition(*c.list, kind) != nil {
		meta.RemoveStatusCondition(c.list, kind)
	}
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

func bound(message string) string { return resources.Bound(message, maxMessage) }
