package gatewayapi

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/controllers/traffic"
)

// Sources implements traffic.Provider: a watch for each kind of route object, which
// starts when the cluster serves it, be that before the operator or long after.
func (p *Provider) Sources(c cache.Cache) []source.Source {
	sources := make([]source.Source, 0, len(kinds))
	for _, k := range kinds {
		sources = append(sources, &traffic.KindSource{
			Kind: gatewayKind(k.name), Object: k.object(), Mapper: p.client.RESTMapper(), Cache: c,
			Index: k.index, Handler: p.Handler(), Absent: &p.absent, Waiting: &p.waiting, Found: "GatewayAPIFound",
		})
	}
	return sources
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

// Handler asks for the track of a route object, and for the tracks that wait for
// what it claims, or did until now.
func (p *Provider) Handler() handler.EventHandler { return p.waiting.Handler(byClaim) }
