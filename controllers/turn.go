package controllers

import (
	"context"
	"errors"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/builder"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

// errTurnGone is the error of taking a place that somebody else took since it was seen free.
var errTurnGone = errors.New("another rollout has taken the place")

// observeTurn asks how a sealed candidate without weight stands among other rollouts.
func (r *TrackReconciler) observeTurn(_ context.Context, w *world, _ reading) error {
	release := w.candidate()
	if w.track == nil || w.Track.Deleting || release == nil || release.Sealed == nil || w.weightOf(release.Name) > 0 {
		return nil
	}
	r.fleet.Tell(w.Namespace, w.Log.Head) // What was read past the cache, the watch may not have told yet.
	w.Turn = r.fleet.Turn(w.key, int(w.policy.MaxRollouts()), w.Now, rollout.Ask(w.Observation).MayTakeTurn())
	if w.policyUnread != nil {
		w.Turn.Unread, w.Turn.Come = w.policyUnread.Error(), false
	}
	return nil
}

// appendInTurn appends a record. A place among the rollouts under way is kept until the
// record that takes it is there.
func (r *TrackReconciler) appendInTurn(ctx context.Context, w *world, spec v1alpha1.ReleaseRecordSpec) (*v1alpha1.ReleaseRecord, error) {
	takes := spec.Event == v1alpha1.EventTurnTaken && spec.Reason == rollout.ReasonTurnCome
	if takes && !r.fleet.Take(w.key, w.Now) {
		return nil, errTurnGone
	}
	record, err := ledger.Append(ctx, r.Client, w.Namespace, spec)
	if err != nil {
		switch status := apierrors.APIStatus(nil); {
		case !takes:
		case errors.As(err, &status) && status.Status().Code < http.StatusInternalServerError:
			r.fleet.Return(w.key)
		default: // It may be there for all that: the next look, past the cache, tells.
			w.note.head = spec.Sequence
		}
		return nil, err
	}
	r.fleet.Tell(record.Namespace, &record.Spec)
	return record, nil
}

// watchTurns feeds what is known of other rollouts, and asks for the tracks whose turn has
// come. Their first events are in before any track is moved.
func (r *TrackReconciler) watchTurns(b *builder.Builder) *builder.Builder {
	return b.
		Watches(&v1alpha1.ReleaseRecord{}, r.fleet.Records()).
		Watches(&v1alpha1.ReleaseTrack{}, r.fleet.Tracks()).
		WatchesRawSource(r.fleet.Source())
}
