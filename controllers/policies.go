package controllers

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/images"
	"github.com/strata-release/strata/controllers/policy"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// observePolicies reads what the policies of the namespace ask for. That they cannot be
// read is a fact: it keeps a release from being sealed, and nobody from going back.
func (r *TrackReconciler) observePolicies(ctx context.Context, w *world, _ reading) error {
	if w.track != nil {
		w.policy, w.policyUnread = policy.Read(ctx, r.Client, r.live, w.Namespace)
		// While nobody knows who may scale, no size is taken from whoever does.
		w.Track.Scaled = w.policyUnread != nil || w.policy.MayWriteSizes()
		asked := w.policy.Approvals()
		w.Track.Approvals = rollout.Approvals{
			Count: asked.Count, RequesterExcluded: asked.Requester == v1alpha1.RequesterExcluded,
			Valid: time.Duration(asked.ValidSeconds) * time.Second,
		}
		if w.policyUnread != nil {
			w.Track.Approvals.Unread = w.policyUnread.Error()
		}
	}
	return nil
}

// judge holds a release to the policies of its namespace, once, before it is sealed:
// those that are there now, whatever there was when it was admitted. The evidence goes
// into the seal; a sealed release is never judged again, and so a registry that is down
// keeps nobody from going back.
func (r *TrackReconciler) judge(w *world, release *v1alpha1.ImmutableRelease, seal *resources.Seal) error {
	if w.policyUnread != nil {
		return &undecided{unsealable{"PoliciesUnread", w.policyUnread.Error()}}
	}
	if denied, _ := w.policy.Check(&release.Spec); len(denied) > 0 {
		return &unsealable{"PolicyDenied", denied.ToAggregate().Error() + ": publish a release that keeps to it"}
	}
	if !w.policy.AsksRegistries() {
		return nil
	}
	if r.options.Images == nil {
		return &unsealable{"ImagesNotChecked", "policies ask for a check of images, and this operator does not make it"}
	}
	answer := r.options.Images.Ask(images.Question{Track: w.key, Release: release.UID, Spec: &release.Spec, Policy: w.policy})
	switch answer.Outcome {
	case images.Pending:
		return &undecided{unsealable{"CheckingImages", "the registries are asked about the images of " + release.Name}}
	case images.Unknown:
		return &undecided{unsealable{answer.Reason, answer.Message}}
	case images.Refused:
		return &unsealable{answer.Reason, answer.Message}
	}
	seal.Witness(answer.Signatures, answer.Platforms, answer.Warnings)
	return nil
}

// vouchedFor says whether a seal without an owner need not be judged: no policy asks, or
// a record tells that the release was sealed. A seal that somebody left under the name
// of a new release is no way past the policies. Without any record nothing is tried.
func (w *world) vouchedFor(release *rollout.Release) bool {
	asks := w.policyUnread != nil || len(w.policy.Names()) > 0
	return !asks || w.Log.Head == nil || w.Log.Digests[release.Spec.Version].ReleaseName == release.Name
}

// staleTime is when a release becomes older than policies let one that serves become;
// zero: never.
func (f findings) staleTime(release *rollout.Release) time.Time {
	age := f.policy.MaxAgeSeconds()
	if age == 0 || f.weightOf(release.Name) == 0 {
		return time.Time{}
	}
	return release.CreationTime.Add(time.Duration(age) * time.Second)
}

// releaseStale is said where a policy asks, and of what serves. What policies could not
// be read for stays as it was said.
func (f findings) releaseStale(c conditions, release *rollout.Release) {
	switch end := f.staleTime(release); {
	case f.policyUnread != nil:
	case end.IsZero():
		c.remove(v1alpha1.ConditionStale)
	case f.Now.Before(end):
		c.setIf(v1alpha1.ConditionStale, false, "Fresh", "old enough to be Stale at "+end.UTC().Format(time.RFC3339))
	default:
		c.setIf(v1alpha1.ConditionStale, true, "TooOld", fmt.Sprintf(
			"serves, and is older since %s than the %d s that policies allow: build it anew from patched images, and publish that as a new release",
			end.UTC().Format(time.RFC3339), f.policy.MaxAgeSeconds()))
	}
}

// nextStale is when the first release that serves becomes stale; zero: none will.
func (f findings) nextStale() time.Time {
	var next time.Time
	for i := range f.Releases {
		if end := f.staleTime(&f.Releases[i]); end.After(f.Now) {
			next = sooner(next, end)
		}
	}
	return next
}

// watchPolicies asks for every track when a policy changes, and for those of a namespace
// when its labels do, or what is said there to be open.
func watchPolicies(b *builder.Builder, reader client.Reader) *builder.Builder {
	all := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request { return tracksIn(ctx, reader) })
	within := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, namespace client.Object) []reconcile.Request {
		return tracksIn(ctx, reader, client.InNamespace(namespace.GetName()))
	})
	return b.
		Watches(&v1alpha1.ReleasePolicy{}, all, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WatchesMetadata(policy.NamespaceMetadata(), within, builder.WithPredicates(predicate.Or(predicate.LabelChangedPredicate{}, accessChanged)))
}

func tracksIn(ctx context.Context, reader client.Reader, options ...client.ListOption) []reconcile.Request {
	tracks := &v1alpha1.ReleaseTrackList{}
	if err := reader.List(ctx, tracks, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		log.FromContext(ctx).Error(err, "list the tracks that policies are about")
		return nil
	}
	var requests []reconcile.Request
	for i := range tracks.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&tracks.Items[i])})
	}
	return requests
}
