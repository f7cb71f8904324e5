package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/policy"
)

// NamespaceReconciler notes on namespaces what admission has to know about them: a
// policy of the API server sees the object, the user and the namespace, and nothing
// else. It writes what differs, and nobody else may (STRATA-054).
type NamespaceReconciler struct {
	client.Client
	// live reads past the cache.
	live client.Reader
}

// SetupNamespaces adds the reconciler to a manager.
func SetupNamespaces(mgr ctrl.Manager) error {
	r := NewNamespaces(mgr.GetClient(), mgr.GetAPIReader())
	all := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, _ client.Object) []reconcile.Request { return r.all(ctx) })
	err := ctrl.NewControllerManagedBy(mgr).Named("namespaces").
		WatchesMetadata(policy.NamespaceMetadata(), &handler.EnqueueRequestForObject{}, builder.WithPredicates(noteChanged)).
		Watches(&v1alpha1.ReleasePolicy{}, all, builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&v1alpha1.ReleaseTrack{}, handler.EnqueueRequestsFromMapFunc(namespaceOf), builder.WithPredicates(comesOrGoes)).
		Complete(r)
	if err != nil {
		return fmt.Errorf("set up the controller of namespaces: %w", err)
	}
	return nil
}

// NewNamespaces makes a reconciler that reads from the cache behind c, and past it by
// live.
func NewNamespaces(c client.Client, live client.Reader) *NamespaceReconciler {
	return &NamespaceReconciler{Client: c, live: live}
}

// namespaceOf an object.
func namespaceOf(_ context.Context, object client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: object.GetNamespace()}}}
}

// comesOrGoes passes what was not there, or is not any more.
var comesOrGoes = predicate.Funcs{UpdateFunc: func(event.UpdateEvent) bool { return false }}

// noteChanged passes what policies select by, and what is noted.
var noteChanged = predicate.Or(predicate.LabelChangedPredicate{}, predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	was, is := e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations()
	return was[v1alpha1.AnnotationWriters] != is[v1alpha1.AnnotationWriters] || was[v1alpha1.AnnotationTracked] != is[v1alpha1.AnnotationTracked]
}})

func (r *NamespaceReconciler) all(ctx context.Context) []reconcile.Request {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(policy.NamespaceMetadata().GroupVersionKind())
	if err := r.List(ctx, list, client.UnsafeDisableDeepCopy); err != nil {
		log.FromContext(ctx).Error(err, "list the namespaces that policies are about")
		return nil
	}
	var requests []reconcile.Request
	for i := range list.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
	}
	return requests
}

// Reconcile notes whether a namespace has a track and who else may write in it, and guards
// it where a policy denies interactive access. Where there is nothing to guard, nothing is
// noted.
func (r *NamespaceReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	if slices.Contains(guards.Unguarded, request.Name) {
		return ctrl.Result{}, nil
	}
	namespace := policy.NamespaceMetadata()
	if err := r.Get(ctx, request.NamespacedName, namespace); err != nil {
		return ctrl.Result{}, wrap(client.IgnoreNotFound(err), "read namespace %s", request.Name)
	}
	tracks := &v1alpha1.ReleaseTrackList{}
	if err := r.List(ctx, tracks, client.InNamespace(request.Name), client.Limit(1), client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("list the tracks of namespace %s: %w", request.Name, err)
	}
	tracked := ""
	if len(tracks.Items) > 0 {
		tracked = string(namespace.UID)
	}
	if err := noteOn(ctx, r.Client, namespace, v1alpha1.AnnotationTracked, tracked); err != nil {
		return ctrl.Result{}, err
	}
	effective, err := policy.Read(ctx, r.Client, r.live, request.Name)
	if err != nil {
		return ctrl.Result{}, err
	}
	if err := noteOn(ctx, r.Client, namespace, v1alpha1.AnnotationWriters, strings.Join(effective.Writers(), "\n")); err != nil {
		return ctrl.Result{}, err
	}
	return ctrl.Result{}, r.guard(ctx, namespace, effective, tracked != "")
}

// guard puts the guard label on a namespace that has a track, where a policy denies
// interactive access, and takes away what it put there. What people put there stays.
func (r *NamespaceReconciler) guard(ctx context.Context, namespace *metav1.PartialObjectMetadata, effective policy.Effective, tracked bool) error {
	is, guarded := namespace.Labels[v1alpha1.LabelGuarded]
	if guarded && is != v1alpha1.GuardedByPolicy {
		return nil
	}
	value := ""
	if mode, _ := effective.InteractiveAccess(); mode == v1alpha1.PolicyDeny && tracked {
		value = v1alpha1.GuardedByPolicy
	}
	return writeOn(ctx, r.Client, namespace, "labels", namespace.Labels, v1alpha1.LabelGuarded, value)
}

// noteOn makes an annotation of a namespace say this, "" for taking it away. The
// namespace is as it was observed: it is written only where that says something else,
// and is still the newest.
func noteOn(ctx context.Context, c client.Client, namespace *metav1.PartialObjectMetadata, key, value string) error {
	return writeOn(ctx, c, namespace, "annotations", namespace.Annotations, key, value)
}

func writeOn(ctx context.Context, c client.Client, namespace *metav1.PartialObjectMetadata, field string, now map[string]string, key, value string) error {
	noted, is := now[key]
	if noted == value && is == (value != "") || namespace.DeletionTimestamp != nil {
		return nil
	}
	var note any
	if value != "" {
		note = value
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": namespace.ResourceVersion, field: map[string]any{key: note},
	}})
	if err != nil {
		return fmt.Errorf("write %s as JSON: %w", key, err)
	}
	err = c.Patch(ctx, namespace, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(fieldManager))
	return wrap(client.IgnoreNotFound(err), "note %s on namespace %s", key, namespace.Name)
}
