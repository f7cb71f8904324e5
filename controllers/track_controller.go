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
)

// rereadAfter is how soon the world is read again after somebody else was faster.
const rereadAfter = 200 * time.Millisecond

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
	if w == nil || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return ctrl.Result{}, err
	}
	if isStale(err) {
		log.FromContext(ctx).V(1).Info("somebody else was faster", "reason", err.Error())
		return ctrl.Result{RequeueAfter: rereadAfter}, nil
	}
	if reportErr := r.report(ctx, w, plan, err); err == nil {
		err = reportErr
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{RequeueAfter: plan.After}, nil
}

// move appends records and carries them out until there is nothing to do but
// wait. Each turn observes anew.
func (r *TrackReconciler) move(ctx context.Context, key types.NamespacedName) (*world, rollout.Plan, error) {
	how := reading{}
	for range maxTurns {
		w, err := r.observe(ctx, key, how)
		if err != nil {
			return nil, rollout.Plan{}, err
		}
		plan := rollout.Compute(w.Observation)
		switch {
		case !w.live && (plan.Stale || plan.Append != nil && plan.Append.Confirm):
			how.live = true
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
	return nil, rollout.Plan{}, errManyTurns
}

func seals(action rollout.Action) bool {
	_, ok := action.(rollout.SealRelease)
	return ok
}
