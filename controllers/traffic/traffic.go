// Package traffic moves requests between releases: it reads what the routers
// carry, and makes them carry what the newest record of a track says. It decides
// nothing: weights come from the planner, facts go to it.
//
//	spec.traffic.routes[*].type     Registry      Provider
//	  GatewayAPI  ----------------> [type] -----> traffic/gatewayapi: HTTPRoute, GRPCRoute
//	  Ingress     ----------------> [type] -----> traffic/ingress: an Ingress and its canary
//	  Traefik     ----------------> [type] -----> traffic/traefik: a TraefikService
//	  Istio       ----------------> [type] -----> traffic/istio: a VirtualService
//	  Service     ----------------> [type] -----> traffic/service: a stable Service
//	  the next one ---------------> [type] -----> a package of its own
//
// Each provider lives in a package of its own and is entered in one place,
// package providers. A provider owns whole objects, found by the labels
// strata.dev/track and strata.dev/route; an object of the same name without them
// is somebody else's and never touched, but for a route that the track attaches to. Objects carry no owner reference, and the
// application serves on when its track is deleted; unless the track asks for the
// contrary: then it owns them, and the garbage collector needs no operator.
//
// Every write carries the resourceVersion of the object that was observed, and
// stamps it with the sequence number of the record that justifies it. A write
// that would change nothing is not made.
package traffic

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// FieldManager is the name under which the operator writes.
const FieldManager = "strata"

// Track is what a provider has to know of the track that a route belongs to.
type Track struct {
	Namespace string
	Name      string
	// Owner is the UID of the track where its routes go with it; "" where they stay.
	Owner types.UID
	// Candidate is the release with the open attempt; "" for none.
	Candidate string
	// Onlooker: whoever asks may read it and no more. No dry run is made for them.
	Onlooker bool
	// Port is the port of a component of a release of this track, by the port's
	// name. ok is false where the release is gone, or has no such component or port.
	Port func(release, component, port string) (p v1alpha1.ComponentPort, ok bool)
}

// Observed is a route as it was read: the facts for the planner, and the object
// that they were read from, under whose resourceVersion it is written.
type Observed struct {
	Route rollout.Route
	// Object is nil while the route object is missing. It is shared with the
	// cache: read only.
	Object client.Object
	// Beside is the second object of a route that has two, a preview's too; nil while it is
	// missing.
	Beside client.Object
}

// Provider is one kind of router.
type Provider interface {
	// Observe reads what the router carries for a route of the track's spec. A
	// missing kind, a parent that refuses or a silent gateway is a fact in
	// Route.Reason and Route.Message, not an error; errors are of the API server.
	Observe(ctx context.Context, t Track, route v1alpha1.Route) (Observed, error)

	// Apply brings the route nearer to carrying the weights, by at most one write: it
	// creates an object that is missing, or writes or deletes one under the
	// resourceVersion that was observed, and then gives that back as it was observed.
	// Where nothing differs it writes nothing. A route of two objects may take several,
	// after each of which the router does what was asked for before or is asked for now.
	// See IsStale and ErrForeign for its errors.
	Apply(ctx context.Context, t Track, route v1alpha1.Route, write rollout.WriteRoute, observed Observed) (written client.Object, err error)

	// Leftovers reads the route objects of the track, found by their labels, that
	// the spec no longer names. Their Route.Orphaned is set.
	Leftovers(ctx context.Context, t Track, routes []v1alpha1.Route) ([]Observed, error)

	// Sources are the watches that ask for the track of a route object when it
	// changes. Services and EndpointSlices are not among them: the controller of
	// tracks watches those anyway.
	Sources(cache cache.Cache) []source.Source
}

// Detacher is a provider that can lead users' own routes.
type Detacher interface {
	// Detach gives a route back that the spec no longer names, under the resourceVersion
	// that was observed: it leads to where its author had it lead.
	Detach(ctx context.Context, observed Observed) (written client.Object, err error)
}

// Registry holds the provider of each type of route.
type Registry map[v1alpha1.RouteType]Provider

// ErrForeign is the error of a write to a route whose name, or whose traffic, is
// somebody else's.
var ErrForeign = errors.New("the route is somebody else's")

// errStale is the error of a write that an older record justifies than the one
// that the object was last written for.
var errStale = errors.New("the object was written for a newer record")

// CheckStamp refuses a write for a record older than the object's stamp.
func CheckStamp(stamp, sequence int64) error {
	if stamp > sequence {
		return fmt.Errorf("stamp %d, record %d: %w", stamp, sequence, errStale)
	}
	return nil
}

// IsStale says whether a write failed because the world has moved on since it was
// observed: read again, decide anew.
func IsStale(err error) bool {
	return errors.Is(err, errStale) || apierrors.IsConflict(err) ||
		apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
}

// Observe reads every route of the spec, in the order of the spec, and after them
// the route objects left of a former spec.
func (r Registry) Observe(ctx context.Context, t Track, routes []v1alpha1.Route) ([]Observed, error) {
	all := make([]Observed, 0, len(routes))
	for _, route := range routes {
		provider, ok := r[route.Type]
		if !ok {
			all = append(all, unsupported(route))
			continue
		}
		observed, err := provider.Observe(ctx, t, route)
		if err != nil {
			return nil, fmt.Errorf("observe route %s of track %s/%s: %w", route.Name, t.Namespace, t.Name, err)
		}
		all = append(all, observed)
	}
	for _, routeType := range r.types() {
		left, err := r[routeType].Leftovers(ctx, t, routes)
		if err != nil {
			return nil, fmt.Errorf("observe former %s routes of track %s/%s: %w", routeType, t.Namespace, t.Name, err)
		}
		all = append(all, left...)
	}
	return all, nil
}

// Apply carries out one WriteRoute against what Observe returned, as Provider.Apply does.
func (r Registry) Apply(ctx context.Context, t Track, routes []v1alpha1.Route, all []Observed, write rollout.WriteRoute) (written client.Object, err error) {
	for i, route := range routes {
		if route.Name != write.Route {
			continue
		}
		provider, ok := r[route.Type]
		if !ok || i >= len(all) {
			return nil, fmt.Errorf("apply route %s: type %s is not supported", route.Name, route.Type)
		}
		written, err := provider.Apply(ctx, t, route, write, all[i])
		if err != nil {
			return nil, fmt.Errorf("apply route %s of track %s/%s: %w", route.Name, t.Namespace, t.Name, err)
		}
		return written, nil
	}
	return nil, fmt.Errorf("apply route %s: track %s/%s has no such route", write.Route, t.Namespace, t.Name)
}

// Detach carries out one DetachRoute against what Observe returned, as Detacher.Detach does.
func (r Registry) Detach(ctx context.Context, observed Observed) (written client.Object, err error) {
	detacher, ok := r[observed.Route.Type].(Detacher)
	if !ok || observed.Object == nil {
		return nil, fmt.Errorf("detach from %s: routes of type %s are not attached to", observed.Route.Attached, observed.Route.Type)
	}
	written, err = detacher.Detach(ctx, observed)
	if err != nil {
		return nil, fmt.Errorf("detach route %s: %w", observed.Route.Name, err)
	}
	return written, nil
}

// Sources are the watches of all providers.
func (r Registry) Sources(cache cache.Cache) []source.Source {
	var all []source.Source
	for _, routeType := range r.types() {
		all = append(all, r[routeType].Sources(cache)...)
	}
	return all
}
