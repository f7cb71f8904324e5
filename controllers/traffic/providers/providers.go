// Package providers is the list of all traffic providers. The next one is entered
// here, and nowhere else.
package providers

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/gatewayapi"
	"github.com/strata-release/strata/controllers/traffic/ingress"
	"github.com/strata-release/strata/controllers/traffic/istio"
	"github.com/strata-release/strata/controllers/traffic/legs"
	"github.com/strata-release/strata/controllers/traffic/service"
	"github.com/strata-release/strata/controllers/traffic/traefik"
)

// New makes the registry, and the cache indexes that providers read by. It is
// called before the manager starts; the scheme of the manager must know the
// Gateway API, the cluster need not. Whoever reconciles tracks watches the
// registry's Sources, and Services and EndpointSlices, by the label strata.dev/track.
func New(ctx context.Context, m manager.Manager) (traffic.Registry, error) {
	if err := traffic.SetupIndexes(ctx, m.GetFieldIndexer()); err != nil {
		return nil, err
	}
	if err := ingress.Indexes(ctx, m.GetFieldIndexer()); err != nil {
		return nil, err
	}
	// The manager's client reads what has no Go type from the API server.
	return over(m.GetCache(), m.GetClient(), m.GetAPIReader()), nil
}

// Indexing is a client that can be told what to index.
type Indexing interface {
	client.Client
	client.FieldIndexer
}

// Look makes the registry for somebody who looks on, without a manager and its caches:
// c reads from the API server, and finds by all indexes of the providers.
func Look(ctx context.Context, c Indexing) (traffic.Registry, error) {
	if err := traffic.SetupIndexes(ctx, c); err != nil {
		return nil, err
	}
	if err := gatewayapi.Indexes(ctx, c); err != nil {
		return nil, err
	}
	if err := ingress.Indexes(ctx, c); err != nil {
		return nil, err
	}
	for _, router := range []legs.Router{traefik.Router, istio.Router} {
		if err := router.Indexes(ctx, c); err != nil {
			return nil, err
		}
	}
	return over(c, c, c), nil
}

func over(cached client.Reader, c client.Client, live client.Reader) traffic.Registry {
	return traffic.Registry{
		v1alpha1.RouteGatewayAPI: gatewayapi.New(c, live, time.Now),
		v1alpha1.RouteIngress:    ingress.New(c, live, time.Now),
		v1alpha1.RouteTraefik:    traefik.New(cached, c, live, time.Now),
		v1alpha1.RouteIstio:      istio.New(cached, c, live, time.Now),
		v1alpha1.RouteService:    service.New(c, live),
	}
}
