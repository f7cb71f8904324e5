package gatewayapi

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/controllers/traffic"
)

// discoveryInterval is how often a cluster without the Gateway API is asked
// whether it has it by now: one GET, by the leader alone. No watch that the
// operator may hold tells it.
const discoveryInterval = 10 * time.Second

// served is which kinds the cluster does not serve. A kind is taken to be served
// until it is known not to be.
type served struct{ absent sync.Map }

func (s *served) missing(k *kind) bool {
	_, absent := s.absent.Load(k.name)
	return absent
}

func (s *served) set(k *kind, absent bool) {
	if absent {
		s.absent.Store(k.name, true)
	} else {
		s.absent.Delete(k.name)
	}
}

var errKindMissing = errors.New("the cluster does not serve this kind of route")

func kindMissing(err error) bool {
	return errors.Is(err, errKindMissing) || traffic.KindMissing(err)
}

// Sources implements traffic.Provider: a watch for each kind of route object, which
// starts when the cluster serves it, be that before the operator or long after.
func (p *Provider) Sources(c cache.Cache) []source.Source {
	sources := make([]source.Source, 0, len(kinds))
	for _, k := range kinds {
		sources = append(sources, &routeSource{provider: p, kind: k, cache: c})
	}
	return sources
}

// routeSource watches one kind. Unlike source.Kind it does not hold up, or end,
// a manager in a cluster without the kind.
type routeSource struct {
	provider *Provider
	kind     *kind
	cache    cache.Cache
	// started is nil where the kind was missing when the controller started.
	started source.SyncingSource
}

func (s *routeSource) String() string { return s.kind.name + " source" }

// Start implements source.Source. The controller calls it once.
func (s *routeSource) Start(ctx context.Context, q traffic.Queue) error {
	served, err := s.served()
	if served {
		s.started, err = s.watch(ctx, q)
		return err
	}
	// Unknown is not missing: observing fails, and is tried again, until it is known.
	s.provider.served.set(s.kind, err == nil)
	go s.await(ctx, q)
	return nil
}

// WaitForSync implements source.SyncingSource.
func (s *routeSource) WaitForSync(ctx context.Context) error {
	if s.started == nil {
		return nil
	}
	return s.started.WaitForSync(ctx)
}

// served asks the API server whether it has the kind.
func (s *routeSource) served() (bool, error) {
	gvk := gatewayKind(s.kind.name)
	_, err := s.provider.client.RESTMapper().RESTMapping(gvk.GroupKind(), gvk.Version)
	if kindMissing(err) {
		return false, nil
	}
	return err == nil, err
}

// watch indexes the kind, then watches it.
func (s *routeSource) watch(ctx context.Context, q traffic.Queue) (source.SyncingSource, error) {
	if err := s.kind.index(ctx, s.cache); err != nil {
		return nil, err
	}
	kind := source.Kind(s.cache, s.kind.object(), s.provider.Handler())
	return kind, kind.Start(ctx, q)
}

// Indexes registers the indexes that the provider reads by, for all kinds.
func Indexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, k := range kinds {
		if err := k.index(ctx, indexer); err != nil {
			return err
		}
	}
	return nil
}

func (k *kind) index(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, k.object(), indexClaim, byClaim); err != nil {
		return fmt.Errorf("index %ss by claim: %w", k.name, err)
	}
	if err := indexer.IndexField(ctx, k.object(), traffic.IndexTrack, traffic.ByTrack); err != nil {
		return fmt.Errorf("index %ss by track: %w", k.name, err)
	}
	return nil
}

// await looks for the kind until the cluster serves it, then watches it and asks
// for the tracks that wait for it.
func (s *routeSource) await(ctx context.Context, q traffic.Queue) {
	err := wait.PollUntilContextCancel(ctx, discoveryInterval, false, func(context.Context) (bool, error) {
		served, err := s.served()
		if err == nil && !served {
			s.provider.served.set(s.kind, true)
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
		log.FromContext(ctx).Error(err, s.kind.name+"s are served now, but cannot be watched: routes of this kind wait for a restart")
		return
	}
	s.provider.served.set(s.kind, false)
	log.FromContext(ctx).Info(s.kind.name+"s are served now", "reason", "GatewayAPIFound")
	s.provider.waiting.Wake(q, s.kind.name)
}

// Handler asks for the track of a route object, and for the tracks that wait for
// what it claims, or did until now.
func (p *Provider) Handler() handler.EventHandler { return p.waiting.Handler(byClaim) }
