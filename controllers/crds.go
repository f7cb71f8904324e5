package controllers

import (
	"context"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/api/v1alpha1"
)

// indexHeld finds the releases that are held.
const indexHeld = "metadata.labels." + v1alpha1.LabelHeld

// crds are those of Strata: with any of them, what serves or its log would go.
var crds = []string{
	"immutablereleases." + v1alpha1.GroupVersion.Group,
	"releasetracks." + v1alpha1.GroupVersion.Group,
	"releaserecords." + v1alpha1.GroupVersion.Group,
	"releaseactions." + v1alpha1.GroupVersion.Group,
	"releasepolicies." + v1alpha1.GroupVersion.Group,
}

// CRDReconciler marks the CRDs of Strata while any release is held. It writes when
// the first is, and when none is any more.
type CRDReconciler struct {
	client.Client
	// live reads past the cache.
	live client.Reader
	// marked is what was seen or written last; nil until the CRDs were looked at.
	marked *bool
}

// SetupCRDs adds the reconciler to a manager.
func SetupCRDs(mgr ctrl.Manager) error {
	if err := IndexHeld(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return err
	}
	all := reconcile.Request{NamespacedName: types.NamespacedName{Name: v1alpha1.GroupVersion.Group}}
	r := NewCRDs(mgr.GetClient(), mgr.GetAPIReader())
	err := ctrl.NewControllerManagedBy(mgr).Named("crds").
		Watches(&v1alpha1.ImmutableRelease{}, handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
			return []reconcile.Request{all}
		}), builder.WithPredicates(markChanged)).
		WatchesRawSource(source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			queue.Add(all) // Whatever went while nobody looked.
			return nil
		})).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the controller of CRDs: %w", err)
	}
	return nil
}

// NewCRDs makes a reconciler that finds held releases by IndexHeld.
func NewCRDs(c client.Client, live client.Reader) *CRDReconciler {
	return &CRDReconciler{Client: c, live: live}
}

// IndexHeld registers the index of held releases.
func IndexHeld(ctx context.Context, indexer client.FieldIndexer) error {
	err := indexer.IndexField(ctx, &v1alpha1.ImmutableRelease{}, indexHeld, func(object client.Object) []string {
		if isMarked(object) {
			return []string{"true"}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("index held releases: %w", err)
	}
	return nil
}

// markChanged passes releases that are held from now on, or no longer.
var markChanged = predicate.Funcs{
	CreateFunc: func(e event.CreateEvent) bool { return isMarked(e.Object) },
	UpdateFunc: func(e event.UpdateEvent) bool { return isMarked(e.ObjectOld) != isMarked(e.ObjectNew) },
	DeleteFunc: func(e event.DeleteEvent) bool { return isMarked(e.Object) },
}

func isMarked(object client.Object) bool {
	_, marked := object.GetLabels()[v1alpha1.LabelHeld]
	return marked
}

// Reconcile marks the CRDs, or takes their marks off.
func (r *CRDReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	held := &v1alpha1.ImmutableReleaseList{}
	if err := r.List(ctx, held, client.MatchingFields{indexHeld: "true"}, client.Limit(1), client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("list held releases: %w", err)
	}
	wanted := len(held.Items) > 0
	if r.marked != nil && *r.marked == wanted {
		return ctrl.Result{}, nil
	}
	for _, name := range crds {
		if err := r.mark(ctx, name, wanted); err != nil {
			return ctrl.Result{}, err
		}
	}
	r.marked = &wanted
	return ctrl.Result{}, nil
}

func (r *CRDReconciler) mark(ctx context.Context, name string, wanted bool) error {
	crd := &metav1.PartialObjectMetadata{}
	crd.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	err := r.live.Get(ctx, client.ObjectKey{Name: name}, crd)
	if err != nil || isMarked(crd) == wanted {
		return wrap(client.IgnoreNotFound(err), "read CustomResourceDefinition %s", name)
	}
	patch := `{"metadata":{"labels":{"` + v1alpha1.LabelHeld + `":"true"}}}`
	if !wanted {
		patch = `{"metadata":{"labels":{"` + v1alpha1.LabelHeld + `":null}}}`
	}
	err = r.Patch(ctx, crd, client.RawPatch(types.MergePatchType, []byte(patch)), client.FieldOwner(fieldManager))
	return wrap(client.IgnoreNotFound(err), "mark CustomResourceDefinition %s", name)
}
