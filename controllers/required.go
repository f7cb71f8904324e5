package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// indexRequires is the index of tracks by the tracks that they require.
const indexRequires = "spec.requires"

// observeRequired asks the logs of the tracks that this one requires, and what was signed
// of those that are elsewhere, for a sealed candidate without weight alone. What cannot
// be read is a fact, not an error.
func (r *TrackReconciler) observeRequired(ctx context.Context, w *world, _ reading) error {
	release := w.candidate()
	if w.track == nil || release == nil || release.Sealed == nil || w.weightOf(release.Name) > 0 {
		return nil
	}
	for _, required := range w.track.Spec.Requires {
		if required.PublicKey != "" {
			w.Required = append(w.Required, proven(required, release))
			continue
		}
		w.Required = append(w.Required, r.readRequired(ctx, required, release.Spec.Version))
	}
	return nil
}

// proven is what the promotions in the spec of a release tell of a track that is
// elsewhere.
func proven(required v1alpha1.RequiredTrack, release *rollout.Release) rollout.RequiredTrack {
	told := rollout.RequiredTrack{RequiredTrack: required}
	promotion, keyDigest, err := ledger.Proven(required, release.Spec.Promotions, release.Sealed.ContentDigest)
	if err != nil {
		told.Unproven = err.Error()
		return told
	}
	told.ContentDigest, told.PromotedTime, told.Verdict = promotion.ContentDigest, promotion.Time.Time, v1alpha1.EventPromoted
	told.Sequence, told.Digest, told.KeyDigest = promotion.Sequence, promotion.Digest, keyDigest
	return told
}

func (r *TrackReconciler) readRequired(ctx context.Context, required v1alpha1.RequiredTrack, version string) rollout.RequiredTrack {
	told := rollout.RequiredTrack{RequiredTrack: required}
	records := &v1alpha1.ReleaseRecordList{}
	if err := r.List(ctx, records, traffic.Indexed(required.Namespace, indexTrackName, required.TrackName)); err != nil {
		told.Unread = err.Error()
		return told
	}
	known := r.log.Read(types.NamespacedName{Namespace: required.Namespace, Name: required.TrackName}, records.Items)
	told.ContentDigest = known.ContentDigests[version]
	told.PromotedTime, told.Sequence = known.Promotions[version].Time, known.Promotions[version].Sequence
	told.Verdict = known.Verdicts[version].Event
	told.Unread = known.Broken
	return told
}

// WatchRequired asks for the tracks that require the one which a verdict, or anything
// else that makes a release stable, is about.
func WatchRequired(reader client.Reader) Watch {
	return Watch{
		Object: &v1alpha1.ReleaseRecord{},
		Handler: handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, object client.Object) []reconcile.Request {
			return requiring(ctx, reader, object.(*v1alpha1.ReleaseRecord))
		}),
		Predicates: []predicate.Predicate{predicate.NewPredicateFuncs(func(object client.Object) bool {
			event := object.(*v1alpha1.ReleaseRecord).Spec.Event
			return event.IsVerdict() || event == v1alpha1.EventAdopted
		})},
	}
}

func requiring(ctx context.Context, reader client.Reader, record *v1alpha1.ReleaseRecord) []reconcile.Request {
	tracks := &v1alpha1.ReleaseTrackList{}
	key := types.NamespacedName{Namespace: record.Namespace, Name: record.Spec.TrackName}
	if err := reader.List(ctx, tracks, traffic.Indexed("", indexRequires, key.String())); err != nil {
		log.FromContext(ctx).Error(err, "list the tracks that require another", "track", key)
		return nil
	}
	var requests []reconcile.Request
	for i := range tracks.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&tracks.Items[i])})
	}
	return requests
}

func byRequired(object client.Object) []string {
	var names []string
	for _, required := range object.(*v1alpha1.ReleaseTrack).Spec.Requires {
		names = append(names, types.NamespacedName{Namespace: required.Namespace, Name: required.TrackName}.String())
	}
	return names
}
