package fleet

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/api/v1alpha1"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Source asks for the tracks whose turn has come, at once.
func (b *Book) Source() source.Source {
	return source.Func(func(_ context.Context, q queue) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.wake = func(key types.NamespacedName) { q.Add(reconcile.Request{NamespacedName: key}) }
		b.wakeNext(types.NamespacedName{})
		return nil
	})
}

// Records is what listens to the watch of records. It asks for no track itself.
func (b *Book) Records() handler.EventHandler {
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, _ queue) {
			b.Tell(e.Object.GetNamespace(), &e.Object.(*v1alpha1.ReleaseRecord).Spec)
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ queue) {
			b.Untell(e.Object.GetNamespace(), &e.Object.(*v1alpha1.ReleaseRecord).Spec)
		},
	}
}

// Tracks is what listens to the watch of tracks, likewise. A track that is being deleted
// holds no place: nothing is done about it any more.
func (b *Book) Tracks() handler.EventHandler {
	tell := func(track client.Object, exists bool) {
		b.Exists(client.ObjectKeyFromObject(track), exists && track.GetDeletionTimestamp().IsZero())
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, _ queue) { tell(e.Object, true) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, _ queue) { tell(e.ObjectNew, true) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ queue) { tell(e.Object, false) },
	}
}
