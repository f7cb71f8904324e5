package traffic

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Queue is where tracks are asked for.
type Queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Waiting remembers which tracks wait for something, a claim to become free or a kind
// to be served, by its name. It holds hints only: Observe finds anew each time what is
// in the way. Its zero value is empty.
type Waiting struct {
	mu     sync.Mutex
	tracks map[string]map[types.NamespacedName]bool
}

// Add notes that a track waits.
func (w *Waiting) Add(what string, t Track) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tracks == nil {
		w.tracks = map[string]map[types.NamespacedName]bool{}
	}
	if w.tracks[what] == nil {
		w.tracks[what] = map[types.NamespacedName]bool{}
	}
	w.tracks[what][types.NamespacedName{Namespace: t.Namespace, Name: t.Name}] = true
}

// Wake asks for the tracks that wait for any of these, and forgets that they do.
func (w *Waiting) Wake(q Queue, what ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range what {
		for track := range w.tracks[name] {
			q.Add(reconcile.Request{NamespacedName: track})
		}
		delete(w.tracks, name)
	}
}

// Handler asks for the track of a route object, and for the tracks that wait for what it
// claims, or did until now.
func (w *Waiting) Handler(claims func(client.Object) []string) handler.EventHandler {
	own := func(object client.Object, q Queue) {
		if track := object.GetLabels()[v1alpha1.LabelTrack]; track != "" {
			q.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: track}})
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q Queue) { own(e.Object, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q Queue) {
			own(e.ObjectNew, q)
			if e.ObjectNew.GetGeneration() != e.ObjectOld.GetGeneration() {
				w.Wake(q, claims(e.ObjectOld)...)
			}
		},
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q Queue) {
			own(e.Object, q)
			w.Wake(q, claims(e.Object)...)
		},
	}
}
