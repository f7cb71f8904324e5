package controllers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/debug"
	"github.com/strata-release/strata/controllers/fleet"
	"github.com/strata-release/strata/controllers/images"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/probe"
)

// Indexes of the cache: by the track that an object names, so that the work of a
// reconcile does not grow with the namespace. indexTrackName is a selectable
// field of the kinds too, and so works against the API server as well.
const (
	indexTrackName  = "spec.trackName"
	indexTrackLabel = "metadata.labels." + v1alpha1.LabelTrack
)

// indexSelected is an index of the Services of tracks, by the release whose pods they
// select: anyRelease where their selector names none.
const (
	indexSelected = "spec.selector." + v1alpha1.LabelRelease
	anyRelease    = "*"
)

// Retries after an error, by exponential backoff with jitter between these.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// Images answers what is known of the images of releases: images.Checker, which works
// while it runs, and asks by its source for the tracks that it has an answer for.
type Images interface {
	manager.Runnable
	Ask(question images.Question) images.Answer
	Source() source.Source
}

// Probes answer who answers the requests of routes that have a probe: probe.Prober, which
// works while it runs, and asks by its source for the tracks that it has an answer for.
type Probes interface {
	manager.Runnable
	Ask(question probe.Question) *rollout.Probe
	Source() source.Source
}

// Options of the reconciler.
type Options struct {
	// Traffic holds the provider of each type of route.
	Traffic traffic.Registry
	// SnapshotKey keys the digests of Secrets, so that they tell nothing of the
	// content.
	SnapshotKey []byte
	// Images checks the images of releases where policies ask for that; nil: nobody does.
	Images Images
	// Probes ask through gateways; nil: nothing is ever shown of a route that has a probe.
	Probes Probes
	// Actor is the operator's own user name, for the records that no human asked
	// for: system:serviceaccount:<namespace>:<name>.
	Actor string
	// MaxConcurrentReconciles is the number of tracks worked on at once; 0 means 4.
	MaxConcurrentReconciles int
	// MaxRollouts is how many rollouts may be under way at once in all namespaces; 0: any
	// number, as far as policies let it.
	MaxRollouts int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Looks remember what came of each look at a track, for people; nil: nobody asks.
	Looks *debug.Looks
}

// TrackReconciler moves tracks.
type TrackReconciler struct {
	client.Client
	// live reads past the cache.
	live     client.Reader
	recorder events.EventRecorder
	options  Options
	now      func() time.Time
	// log reads records, hashing each once.
	log   *ledger.Reader
	fleet *fleet.Book
	notes notebooks
}

// New makes a reconciler that reads from the cache behind c, past it by live, and
// relies on Indexes and Watches: Setup sees to them.
func New(c client.Client, live client.Reader, recorder events.EventRecorder, options Options) *TrackReconciler {
	r := &TrackReconciler{Client: c, live: live, recorder: recorder, options: options, now: options.Now, log: ledger.NewReader(), fleet: fleet.New(options.MaxRollouts)}
	if r.now == nil {
		r.now = time.Now
	}
	return r
}

// Setup adds the reconciler, its indexes and its watches to a manager.
func Setup(mgr ctrl.Manager, options Options) error {
	if err := Indexes(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return err
	}
	concurrent := options.MaxConcurrentReconciles
	if concurrent == 0 {
		concurrent = 4
	}
	b := ctrl.NewControllerManagedBy(mgr).
		Named("track").
		For(&v1alpha1.ReleaseTrack{}, builder.WithPredicates(ofInterest)).
		WithOptions(controller.Options{MaxConcurrentReconciles: concurrent, RateLimiter: RateLimiter()})
	for _, watch := range append(Watches(), WatchRequired(mgr.GetClient())) {
		b = b.Watches(watch.Object, watch.Handler, builder.WithPredicates(watch.Predicates...))
	}
	b = watchPolicies(b, mgr.GetClient())
	for _, routes := range options.Traffic.Sources(mgr.GetCache()) {
		b = b.WatchesRawSource(routes)
	}
	if options.Images != nil {
		if err := mgr.Add(options.Images); err != nil {
			return fmt.Errorf("add the check of images: %w", err)
		}
		b = b.WatchesRawSource(options.Images.Source())
	}
	if options.Probes != nil {
		if err := mgr.Add(options.Probes); err != nil {
			return fmt.Errorf("add the probes: %w", err)
		}
		b = b.WatchesRawSource(options.Probes.Source())
	}
	tracks := New(mgr.GetClient(), mgr.GetAPIReader(), mgr.GetEventRecorder("strata"), options)
	b = tracks.watchTurns(b)
	var r reconcile.Reconciler = tracks
	if options.Looks != nil {
		r = options.Looks.Keep(r)
	}
	if err := b.Complete(r); err != nil {
		return fmt.Errorf("set up the controller of tracks: %w", err)
	}
	return nil
}

// RateLimiter is how a track is tried again after errors: each time after twice as long,
// and up to half of that earlier, so that tracks that failed together do not come back
// together.
func RateLimiter() workqueue.TypedRateLimiter[reconcile.Request] {
	return jittered{workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry)}
}

type jittered struct {
	workqueue.TypedRateLimiter[reconcile.Request]
}

// When implements workqueue.TypedRateLimiter.
func (j jittered) When(request reconcile.Request) time.Duration {
	tries, wait := j.NumRequeues(request), j.TypedRateLimiter.When(request)
	return wait - spread(fmt.Sprintf("%s %d", request, tries), wait/2)
}

// Watch is a kind whose changes ask for the track that they are about.
type Watch struct {
	Object     client.Object
	Handler    handler.EventHandler
	Predicates []predicate.Predicate
}

// Watches are those beside tracks themselves and what the providers of routes watch.
func Watches() []Watch {
	toTrack := handler.EnqueueRequestsFromMapFunc(trackOf)
	all := []Watch{
		{&v1alpha1.ImmutableRelease{}, toTrack, []predicate.Predicate{ofInterest}},
		{&v1alpha1.ReleaseRecord{}, toTrack, nil},
		{&v1alpha1.ReleaseAction{}, toTrack, []predicate.Predicate{ofInterest}},
	}
	for _, child := range children() {
		all = append(all, Watch{Object: child, Handler: toTrack})
	}
	for _, bound := range bounds() {
		all = append(all, Watch{bound, toTrack, []predicate.Predicate{written}})
	}
	return all
}

// written passes what somebody wrote. An autoscaler reports what it measures every few
// seconds, and nothing is decided from that.
var written = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	before, after := asWritten(e.ObjectOld), asWritten(e.ObjectNew)
	return !equality.Semantic.DeepEqual(before, after)
}}

// asWritten is an object without what changes with its status.
func asWritten(object client.Object) client.Object {
	plain := object.DeepCopyObject().(client.Object)
	plain.SetResourceVersion("")
	plain.SetManagedFields(nil)
	switch o := plain.(type) {
	case *autoscalingv2.HorizontalPodAutoscaler:
		o.Status = autoscalingv2.HorizontalPodAutoscalerStatus{}
	case *policyv1.PodDisruptionBudget:
		o.Status = policyv1.PodDisruptionBudgetStatus{}
	}
	return plain
}

// OfInterest is the predicate of the watch of tracks.
func OfInterest() predicate.Predicate { return ofInterest }

// ofInterest passes what changes a decision, or the mark of a held release, and an
// object that has lost its status: nothing is decided from it, but people miss it.
var ofInterest = predicate.Or(
	predicate.GenerationChangedPredicate{},
	predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetLabels()[v1alpha1.LabelHeld] != e.ObjectNew.GetLabels()[v1alpha1.LabelHeld]
	}},
	predicate.NewPredicateFuncs(func(object client.Object) bool {
		if action, ok := object.(*v1alpha1.ReleaseAction); ok {
			return action.Status.Outcome == ""
		}
		return observedGeneration(object) == 0
	}),
)

// children are the kinds that releases own. All carry the label of their track.
func children() []client.Object {
	return []client.Object{
		&appsv1.Deployment{}, &appsv1.ControllerRevision{}, &batchv1.Job{},
		&corev1.Service{}, &corev1.Pod{}, &discoveryv1.EndpointSlice{},
	}
}

// bounds are the kinds that releases own and that bound their size. They carry the
// label too.
func bounds() []client.Object {
	return []client.Object{&autoscalingv2.HorizontalPodAutoscaler{}, &policyv1.PodDisruptionBudget{}}
}

// Cached are empty lists of the kinds that the cache holds.
func Cached() []client.ObjectList {
	return []client.ObjectList{
		&v1alpha1.ReleaseTrackList{}, &v1alpha1.ImmutableReleaseList{}, &v1alpha1.ReleaseRecordList{}, &v1alpha1.ReleaseActionList{},
		&appsv1.DeploymentList{}, &appsv1.ControllerRevisionList{}, &batchv1.JobList{},
		&corev1.ServiceList{}, &corev1.PodList{}, &discoveryv1.EndpointSliceList{},
		&autoscalingv2.HorizontalPodAutoscalerList{}, &policyv1.PodDisruptionBudgetList{},
	}
}

// Indexes registers the indexes that the reconciler reads by. It is called once,
// before the cache starts.
func Indexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, object := range []client.Object{&v1alpha1.ImmutableRelease{}, &v1alpha1.ReleaseRecord{}, &v1alpha1.ReleaseAction{}} {
		if err := indexer.IndexField(ctx, object, indexTrackName, byTrackName); err != nil {
			return fmt.Errorf("index %T by track: %w", object, err)
		}
	}
	if err := indexer.IndexField(ctx, &v1alpha1.ReleaseTrack{}, indexRequires, byRequired); err != nil {
		return fmt.Errorf("index tracks by what they require: %w", err)
	}
	if err := indexer.IndexField(ctx, &corev1.Service{}, indexSelected, bySelected); err != nil {
		return fmt.Errorf("index Services by what they select: %w", err)
	}
	for _, object := range slices.Concat(children(), bounds()) {
		if err := indexer.IndexField(ctx, object, indexTrackLabel, byTrackLabel); err != nil {
			return fmt.Errorf("index %T by track: %w", object, err)
		}
	}
	return nil
}

func bySelected(object client.Object) []string {
	selector := object.(*corev1.Service).Spec.Selector
	if len(selector) == 0 {
		return nil
	}
	return []string{cmp.Or(selector[v1alpha1.LabelRelease], anyRelease)}
}

func byTrackLabel(object client.Object) []string {
	if name := object.GetLabels()[v1alpha1.LabelTrack]; name != "" {
		return []string{name}
	}
	return nil
}

func byTrackName(object client.Object) []string {
	switch o := object.(type) {
	case *v1alpha1.ImmutableRelease:
		return []string{o.Spec.TrackName}
	case *v1alpha1.ReleaseRecord:
		return []string{o.Spec.TrackName}
	case *v1alpha1.ReleaseAction:
		return []string{o.Spec.TrackName}
	}
	return nil
}

// trackOf names the track that an object is about.
func trackOf(_ context.Context, object client.Object) []reconcile.Request {
	names := byTrackName(object)
	if names == nil {
		names = byTrackLabel(object)
	}
	if len(names) == 0 {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: names[0]}}}
}
