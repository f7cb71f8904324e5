package controllers

import (
	"context"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// Look observes a track as the operator does, for somebody who may read it and no more.
// It writes nothing, also no dry run. What the operator alone can find out (whether the
// configuration can be frozen, what registries say, what the API server would refuse) it
// has in the operator's own words, from the status of the track. c reads from the API
// server, and finds by the indexes of the providers in routes.
func Look(ctx context.Context, c client.Client, routes traffic.Registry, key types.NamespacedName, now func() time.Time) (rollout.Observation, error) {
	r := New(c, c, nil, Options{Traffic: routes, Now: now})
	how := reading{past: everything, onlooker: true}
	w := &world{key: key, note: r.notes.of(key), past: how.past}
	w.Now, w.Namespace, w.TrackName = r.now(), key.Namespace, key.Name
	for _, read := range []func(context.Context, *world, reading) error{
		r.observeTrack, r.observePolicies, r.observeReleases, r.observeTemplate, r.observeLog, r.observeActions,
		r.observeChildren, r.observePodless, observeTold, r.observeRequired, r.observeSelectors, r.observeRoutes, observeShown,
	} {
		if err := read(ctx, w, how); err != nil {
			return w.Observation, err
		}
	}
	w.ReadTime = r.now()
	return w.Observation, nil
}

// observeTold takes from the status what keeps the candidate from being sealed or built.
func observeTold(_ context.Context, w *world, _ reading) error {
	release := w.candidate()
	if w.track == nil || release == nil || release.Obstacle != nil || w.track.Status.CandidateReleaseName != release.Name {
		return nil
	}
	switch told := w.track.Status.BlockedBy; {
	case told == nil:
	case told.Gate == "Sealed" && release.Sealed == nil:
		release.Obstacle = &rollout.Obstacle{Gate: "Sealed", Reason: told.Reason, Message: told.Message}
	case told.Gate == "TurnTaken":
		w.Turn.Told = told.Message
	case told.Reason == "ChildRefused" && release.Sealed != nil:
		release.Obstacle = &rollout.Obstacle{Gate: "ChildrenAccepted", Reason: told.Reason, Message: told.Message}
	}
	return nil
}

// observeShown takes from the status what probes have shown, and what the cluster drops.
func observeShown(_ context.Context, w *world, _ reading) error {
	told, dropped := &v1alpha1.BlockedBy{}, ""
	if w.track != nil && w.track.Status.BlockedBy != nil && slices.Contains([]string{rollout.ReasonProbing, rollout.ReasonShare}, w.track.Status.BlockedBy.Reason) {
		told = w.track.Status.BlockedBy
	}
	if w.track != nil && w.track.Status.BlockedBy != nil && w.track.Status.BlockedBy.Reason == rollout.ReasonSessions {
		dropped = w.track.Status.BlockedBy.Message
	}
	for i := range w.Routes {
		w.Routes[i].Probe, w.Routes[i].Unkept = &rollout.Probe{Told: told}, dropped
	}
	return nil
}
