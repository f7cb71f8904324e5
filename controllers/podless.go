package controllers

import (
	"context"
	"strings"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// observePodless finds out why a test Job of the candidate has no pod: a quota, a
// missing ServiceAccount, an admission policy of others. A Deployment says so in its
// status; of a Job only events tell. It asks for those of a Job that has been without
// a pod for a while, and so nearly never.
func (r *TrackReconciler) observePodless(ctx context.Context, w *world, _ reading) error {
	release := w.candidate()
	if release == nil {
		return nil
	}
	for i := range release.Jobs {
		job := &release.Jobs[i]
		if job.Presence != rollout.Ours || job.Succeeded || len(w.podsOf(release.Name, job.Test, job.UID)) > 0 {
			continue
		}
		job.Podless = true
		if w.Now.Sub(job.CreationTime) < overdue {
			continue
		}
		if why := r.failedCreate(ctx, w, job); why != "" {
			job.Message = resources.Bound(strings.TrimPrefix(job.Message+": "+why, ": "), maxMessage)
		}
	}
	return nil
}

// failedCreate is what the newest event says of why a Job's pod cannot be created;
// "" when none does. Events that cannot be read cost words, and nothing else.
func (r *TrackReconciler) failedCreate(ctx context.Context, w *world, job *rollout.Job) string {
	events := &eventsv1.EventList{}
	err := r.live.List(ctx, events, client.InNamespace(w.Namespace), client.MatchingFields{
		"regarding.uid": string(job.UID), "reason": "FailedCreate",
	})
	if err != nil {
		log.FromContext(ctx).V(1).Info("events cannot be read", "job", job.Name, "reason", err.Error())
		return ""
	}
	var newest time.Time
	note := ""
	for i := range events.Items {
		if at := lastSeen(&events.Items[i]); note == "" || at.After(newest) {
			newest, note = at, events.Items[i].Note
		}
	}
	return resources.FailedCreate(note)
}

// lastSeen is when an event was last told, by whichever of the ways there are.
func lastSeen(event *eventsv1.Event) time.Time {
	at := event.CreationTimestamp.Time
	for _, other := range []time.Time{event.EventTime.Time, event.DeprecatedLastTimestamp.Time} {
		if other.After(at) {
			at = other
		}
	}
	if event.Series != nil && event.Series.LastObservedTime.After(at) {
		at = event.Series.LastObservedTime.Time
	}
	return at
}
