// Package providers is the list of all traffic providers. The next one is entered
// here, and nowhere else.
package providers

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/gatewayapi"
	"github.com/strata-release/strata/controllers/traffic/service"
)

// New makes the registry, and the cache indexes that providers read by. It is
// called before the manager starts; the scheme of the manager must know the
// Gateway API, the cluster need not. Whoever reconciles tracks watches the
// registry's Sources, and Services and EndpointSlices, by the label strata.dev/track.
func New(ctx context.Context, m manager.Manager) (traffic.Registry, error) {
	if err := traffic.SetupIndexes(ctx, m.GetFieldIndexer()); err != nil {
		return nil, err
	}
	return traffic.Registry{
		v1alpha1.RouteGatewayAPI: gatewayapi.New(m.GetClient(), m.GetAPIReader()),
		v1alpha1.RouteService:    service.New(m.GetClient(), m.GetAPIReader()),
	}, nil
}
