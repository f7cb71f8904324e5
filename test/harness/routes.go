package harness

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic/traefik"
)

// RouteState is a route object as it was at one generation.
type RouteState struct {
	Time       time.Time
	Generation int64
	// Weights by the name of the backend Service; backends at 0 included.
	Weights map[string]int32
}

func (s RouteState) String() string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(s.Weights)) {
		parts = append(parts, fmt.Sprintf("%s:%d", name, s.Weights[name]))
	}
	return fmt.Sprintf("%s generation %d {%s}", s.Time.Format("15:04:05.000"), s.Generation, strings.Join(parts, " "))
}

// RouteHistory watches the HTTPRoutes and GRPCRoutes of a namespace, or its TraefikServices,
// and keeps every state that their specs had, but for previews of their own.
type RouteHistory struct {
	mu     sync.Mutex
	states []RouteState
	broken error
	ended  bool
	// watchers are one for each kind.
	watchers []watch.Interface
}

// WatchRoutes begins a history; it ends with ctx or Stop.
func (e *Environment) WatchRoutes(ctx context.Context, namespace string) (*RouteHistory, error) {
	h := &RouteHistory{}
	kinds := []client.ObjectList{&gatewayv1.HTTPRouteList{}, &gatewayv1.GRPCRouteList{}}
	if e.Router == v1alpha1.RouteTraefik {
		services := &unstructured.UnstructuredList{}
		services.SetGroupVersionKind(traefik.Router.Kind)
		kinds = []client.ObjectList{services}
	}
	for _, kind := range kinds {
		watcher, err := e.Client.Watch(ctx, kind, client.InNamespace(namespace))
		if err != nil {
			h.Stop()
			return nil, fmt.Errorf("watch the routes of %s, %T: %w", namespace, kind, err)
		}
		h.watchers = append(h.watchers, watcher)
		go h.follow(ctx, watcher)
	}
	return h, nil
}

func (h *RouteHistory) follow(ctx context.Context, watcher watch.Interface) {
	seen := map[string]int64{}
	for event := range watcher.ResultChan() {
		route, ok := event.Object.(client.Object)
		var weights map[string]int32
		if ok {
			weights = weightsOf(route)
		}
		if weights == nil {
			h.fail(fmt.Errorf("watch of routes: %v", event.Object))
			return
		}
		if event.Type == watch.Deleted || strings.HasSuffix(route.GetName(), "-preview") || seen[string(route.GetUID())] == route.GetGeneration() {
			continue
		}
		seen[string(route.GetUID())] = route.GetGeneration()
		h.keep(RouteState{Time: time.Now(), Generation: route.GetGeneration(), Weights: weights})
	}
	if ctx.Err() == nil {
		h.fail(errors.New("the watch of routes ended"))
	}
}

// weightsOf a route object by Service: those of the first rule, after which a preview may
// have its own; nil where the object is no route.
func weightsOf(object client.Object) map[string]int32 {
	weights := map[string]int32{}
	note := func(backend gatewayv1.BackendRef) { weights[string(backend.Name)] = ptr.Deref(backend.Weight, 1) }
	switch route := object.(type) {
	case *gatewayv1.HTTPRoute:
		for _, rule := range route.Spec.Rules[:min(1, len(route.Spec.Rules))] {
			for _, backend := range rule.BackendRefs {
				note(backend.BackendRef)
			}
		}
	case *gatewayv1.GRPCRoute:
		for _, rule := range route.Spec.Rules[:min(1, len(route.Spec.Rules))] {
			for _, backend := range rule.BackendRefs {
				note(backend.BackendRef)
			}
		}
	case *unstructured.Unstructured:
		spec, _, _ := unstructured.NestedMap(route.Object, "spec")
		legs, ok := traefik.Router.Read(spec)
		if !ok {
			return nil
		}
		for _, leg := range legs {
			weights[leg.Service] = int32(leg.Weight)
		}
	default:
		return nil
	}
	return weights
}

func (h *RouteHistory) keep(s RouteState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, s)
}

func (h *RouteHistory) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended {
		h.broken = err
	}
}

// Stop ends the watches.
func (h *RouteHistory) Stop() {
	h.mu.Lock()
	h.ended = true
	h.mu.Unlock()
	for _, watcher := range h.watchers {
		watcher.Stop()
	}
}

// Since are the states that were seen at t or later, in order; the error says that
// some may be missing.
func (h *RouteHistory) Since(t time.Time) ([]RouteState, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	states := slices.Clone(h.states)
	return slices.DeleteFunc(states, func(s RouteState) bool { return s.Time.Before(t) }), h.broken
}

// Moves are the states in which positive weights differ from the state before.
func Moves(states []RouteState) []RouteState {
	var moves []RouteState
	for _, s := range states {
		if len(moves) == 0 || !maps.Equal(positive(moves[len(moves)-1].Weights), positive(s.Weights)) {
			moves = append(moves, s)
		}
	}
	return moves
}

func positive(weights map[string]int32) map[string]int32 {
	kept := maps.Clone(weights)
	maps.DeleteFunc(kept, func(_ string, weight int32) bool { return weight == 0 })
	return kept
}
