package debug

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Looks remember what came of the last look at each track. They are for people: nothing
// is decided from them.
type Looks struct {
	byTrack sync.Map
	now     func() time.Time
}

// NewLooks is empty.
func NewLooks() *Looks { return &Looks{now: time.Now} }

// look at a track.
type look struct {
	ended time.Time
	took  time.Duration
	// next is when the track is looked at again, whatever happens; zero: when something does.
	next time.Time
	err  error
}

// Keep makes a reconciler of another, whose looks are remembered.
func (l *Looks) Keep(r reconcile.Reconciler) reconcile.Reconciler {
	return reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		began := l.now()
		result, err := r.Reconcile(ctx, request)
		this := look{ended: l.now(), err: err}
		this.took = this.ended.Sub(began)
		if result.RequeueAfter > 0 {
			this.next = this.ended.Add(result.RequeueAfter)
		}
		l.byTrack.Store(request.NamespacedName, this)
		return result, err
	})
}

func (l *Looks) of(track types.NamespacedName) (look, bool) {
	found, ok := l.byTrack.Load(track)
	if !ok {
		return look{}, false
	}
	return found.(look), true
}

// forget all tracks but those that are there.
func (l *Looks) forget(there map[types.NamespacedName]bool) {
	l.byTrack.Range(func(track, _ any) bool {
		if !there[track.(types.NamespacedName)] {
			l.byTrack.Delete(track)
		}
		return true
	})
}
