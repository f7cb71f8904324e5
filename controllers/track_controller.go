package controllers

import (
	"context"
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// rereadAfter is how soon the world is read again after somebody else was faster.
const rereadAfter = 200 * time.Millisecond

// A write of this process comes back by a watch, within settleTime on a healthy cluster,
// and what a router says to it within routerTime: until then there is nothing new to
// report, and two statuses of each object become one.
const (
	settleTime  = 400 * time.Millisecond
	routerTime  = 2 * time.Second
	maxRestless = 3 * time.Second
)

// lostLogRetry is how soon a track is looked at again whose log is behind what its
// objects were written for.
const lostLogRetry = 5 * time.Second

// errManyTurns ends a reconcile that does not come to rest; it is tried again
// later.
var errManyTurns = errors.New("the track did not come to rest")

// maxTurns bounds the records that one reconcile appends before others get their
// turn.
const maxTurns = 32

// Reconcile moves one track as far as it goes without waiting, and reports.
func (r *TrackReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	w, plan, err := r.move(ctx, request.NamespacedName)
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return ctrl.Result{}, nil // in a namespace that is being deleted nothing is done
	}
	if w.unread {
		return ctrl.Result{}, errors.Join(err, r.reportUnread(ctx, w, err))
	}
	if isStale(err) && !r.tooRestless(w) {
		log.FromContext(ctx).V(1).Info("somebody else was faster", "reason", err.Error())
		return ctrl.Result{RequeueAfter: rereadAfter}, nil
	}
	if wait := restless(w, plan); err == nil && wait > 0 && !r.tooRestless(w) {
		return ctrl.Result{RequeueAfter: wait}, nil
	}
	w.note.rest(w.state().Candidate != nil)
	due, reportErr := r.report(ctx, w, plan, err)
	if err == nil && isStale(reportErr) {
		return ctrl.Result{RequeueAfter: rereadAfter}, nil
	}
	if err == nil {
		err = reportErr
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: nextLook(plan, w.Now, due)}, nil
}

// restless is when to look again because the next event is about to come: something was
// written just now, or a record was, whose consequences follow; 0 where nothing is. A
// record of a leader whose clock is ahead may be of any age.
func restless(w *world, plan rollout.Plan) time.Duration {
	if len(plan.Do) > 0 {
		return settleTime
	}
	if w.Log.Head == nil {
		return 0
	}
	age := w.Now.Sub(w.Log.Head.Time.Time)
	if age < 0 || age >= routerTime {
		return 0
	}
	if age < settleTime {
		return settleTime
	}
	if reason, _, carried, _ := rollout.Ask(w.Observation).Carried(); !carried && reason == traffic.ReasonNotReported {
		return routerTime - age
	}
	return 0
}

// tooRestless says whether a track that writes something each time, or is told each
// time that somebody else was faster, has done so for long enough that people should
// hear of it.
func (r *TrackReconciler) tooRestless(w *world) bool {
	note := w.note
	if note.restlessSince.IsZero() {
		note.restlessSince = w.Now
	}
	return w.Now.Sub(note.restlessSince) > maxRestless
}

// nextLook is how long until the plan, or a report that waits, asks to be looked
// at again; 0 when neither does.
func nextLook(plan rollout.Plan, now, due time.Time) time.Duration {
	if due.IsZero() {
		return plan.After
	}
	wait := max(due.Sub(now), time.Millisecond)
	if plan.After == 0 {
		return wait
	}
	return min(plan.After, wait)
}

// move appends records and carries them out until there is nothing to do but
// wait. Each turn observes anew.
func (r *TrackReconciler) move(ctx context.Context, key types.NamespacedName) (*world, rollout.Plan, error) {
	var how reading
	var w *world
	for range maxTurns {
		var err error
		w, err = r.observe(ctx, key, how)
		if err != nil {
			w.unread = true
			return w, rollout.Plan{}, err
		}
		plan := rollout.Compute(w.Observation)
		if r.now().Sub(w.Now) > rollout.MaxThought {
			return w, plan, errSlept
		}
		switch needed := past(plan); {
		case needed > w.past:
			how.past = needed
		case plan.Stale:
			plan.After = lostLogRetry
			return w, plan, nil
		case plan.Append != nil:
			record, err := r.append(ctx, w, *plan.Append)
			if err != nil {
				return w, plan, err
			}
			how = reading{appended: append(how.appended, *record), sealed: how.sealed}
		default:
			err := r.apply(ctx, w, plan.Do)
			if err != nil || !slices.ContainsFunc(plan.Do, seals) {
				return w, plan, err
			}
			how.sealed = append(how.sealed, w.prepared.seal)
		}
	}
	w.unread = true
	return w, rollout.Plan{}, errManyTurns
}

// past is how much a plan needs to be read past the cache, before anything comes of it.
func past(plan rollout.Plan) scope {
	switch {
	case plan.Stale || plan.Confirm:
		return everything
	case plan.Append == nil || !plan.Append.Confirm:
		return nothing
	case plan.Append.OfIntent:
		return intent
	}
	return everything
}

func seals(action rollout.Action) bool {
	_, ok := action.(rollout.SealRelease)
	return ok
}
