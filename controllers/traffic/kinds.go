package traffic

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// discoveryInterval is how often a cluster without a kind is asked whether it has it by
// now: one GET, by the leader alone. No watch that the operator may hold tells it.
const discoveryInterval = 10 * time.Second

// Absent is which kinds the cluster does not serve, by name. A kind is taken to be served
// until it is known not to be. Its zero value is empty.
type Absent struct{ kinds sync.Map }

// Has says whether a kind is known to be missing.
func (a *Absent) Has(kind string) bool {
	_, absent := a.kinds.Load(kind)
	return absent
}

func (a *Absent) set(kind string, absent bool) {
	if absent {
		a.kinds.Store(kind, true)
	} else {
		a.kinds.Delete(kind)
	}
}

// errKindMissing is KindMissing of a kind that is known to be.
var errKindMissing = errors.New("the cluster does not serve this kind of route")

// Find is Find, but that it asks nobody for a kind that is known to be missing.
func (a *Absent) Find(ctx context.Context, kind string, cached, live client.Reader, key client.ObjectKey, into client.Object) (found bool, err error) {
	if a.Has(kind) {
		return false, errKindMissing
	}
	return Find(ctx, cached, live, key, into)
}

// KindSource watches a kind of route object that the cluster may lack: from the start, or
// from when it is served. Unlike source.Kind it does not hold up, or end, a manager in a
// cluster without the kind.
type KindSource struct {
	Kind   schema.GroupVersionKind
	Object client.Object
	Mapper meta.RESTMapper
	Cache  cache.Cache
	// Index registers the indexes of the kind.
	Index   func(ctx context.Context, indexer client.FieldIndexer) error
	Handler handler.EventHandler
	// Absent learns of the kind, and Waiting holds the tracks that wait for it, both by
	// the kind's name.
	Absent  *Absent
	Waiting *Waiting
	// Found is the reason under which it is logged that the kind is served now.
	Found string

	// started is nil where the kind was missing when the controller started.
	started source.SyncingSource
}

var _ source.SyncingSource = &KindSource{}

func (s *KindSource) String() string { return s.Kind.Kind + " source" }

// Start implements source.Source. The controller calls it once.
func (s *KindSource) Start(ctx context.Context, q Queue) error {
	served, err := s.served()
	if served {
		s.started, err = s.watch(ctx, q)
		return err
	}
	// Unknown is not missing: observing fails, and is tried again, until it is known.
	s.Absent.set(s.Kind.Kind, err == nil)
	go s.await(ctx, q)
	return nil
}

// WaitForSync implements source.SyncingSource.
func (s *KindSource) WaitForSync(ctx context.Context) error {
	if s.started == nil {
		return nil
	}
	return s.started.WaitForSync(ctx)
}

// served asks the API server whether it has the kind.
func (s *KindSource) served() (bool, error) {
	_, err := s.Mapper.RESTMapping(s.Kind.GroupKind(), s.Kind.Version)
	if KindMissing(err) {
		return false, nil
	}
	return err == nil, err
}

// watch indexes the kind, then watches it.
func (s *KindSource) watch(ctx context.Context, q Queue) (source.SyncingSource, error) {
	if err := s.Index(ctx, s.Cache); err != nil {
		return nil, err
	}
	kind := source.Kind(s.Cache, s.Object, s.Handler)
	return kind, kind.Start(ctx, q)
}

// await looks for the kind until the cluster serves it, then watches it and asks for the
// tracks that wait for it.
func (s *KindSource) await(ctx context.Context, q Queue) {
	err := wait.PollUntilContextCancel(ctx, discoveryInterval, false, func(context.Context) (bool, error) {
		served, err := s.served()
		if err == nil && !served {
			s.Absent.set(s.Kind.Kind, true)
		}
		return served, nil
	})
	if err != nil {
		return // The manager ends.
	}
	kind, err := s.watch(ctx, q)
	if err == nil {
		err = kind.WaitForSync(ctx)
	}
	if err != nil {
		log.FromContext(ctx).Error(err, s.Kind.Kind+"s are served now, but cannot be watched: routes of this kind wait for a restart")
		return
	}
	s.Absent.set(s.Kind.Kind, false)
	log.FromContext(ctx).Info(s.Kind.Kind+"s are served now", "reason", s.Found)
	s.Waiting.Wake(q, s.Kind.Kind)
}
