package gatewayapi

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic"
)

// Sessions keep a client with the release that it met, by a cookie. The Gateway API wants a
// session kept on a backend that is listed, whatever its weight: so a rule has sessions only
// while several releases have weight and none without is listed. Whoever goes back, or is at
// 100, frees all by the same write.
//
// The field is one of the experimental channel: of other CRDs the API server drops it without
// a word. So it is asked, by a dry run, before any candidate gets weight, and again before the
// field is first written. What is dropped is not asked for: nobody fights over it.

// askAgain is how soon an API server that drops sessions is asked again.
const askAgain = 10 * time.Second

// sessions is what the API server was last seen to do with sessions. Its zero value knows
// nothing.
type sessions struct {
	mu    sync.Mutex
	asked time.Time
	kept  bool
}

// cookieOf a route with these weights is the one that its clients are bound by; "" where
// they are free.
func cookieOf(route v1alpha1.Route, weights []v1alpha1.ReleaseWeight) string {
	if len(weights) < 2 || slices.ContainsFunc(weights, func(w v1alpha1.ReleaseWeight) bool { return w.WeightPercent == 0 }) {
		return ""
	}
	return route.GatewayAPI.StickyCookieName
}

// keeps asks the API server whether it would store sessions. That it does is believed from
// then on, unless it is to be asked afresh; that it does not, for a while.
func (p *Provider) keeps(ctx context.Context, namespace string, afresh bool) (bool, error) {
	p.sessions.mu.Lock()
	since, kept := p.now().Sub(p.sessions.asked), p.sessions.kept
	p.sessions.mu.Unlock()
	if kept && !afresh || !kept && since < askAgain {
		return kept, nil
	}
	asked := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"rules": []any{
		map[string]any{"sessionPersistence": map[string]any{"sessionName": "asked"}},
	}}}}
	asked.SetGroupVersionKind(gatewayKind(KindHTTPRoute))
	asked.SetNamespace(namespace)
	asked.SetGenerateName("strata-asks-")
	if err := p.client.Create(ctx, asked, client.DryRunAll, client.FieldOwner(traffic.FieldManager)); err != nil {
		return false, fmt.Errorf("ask, by a dry run, whether HTTPRoutes keep sessionPersistence: %w", err)
	}
	rules, _, err := unstructured.NestedSlice(asked.Object, "spec", "rules")
	if err != nil {
		return false, fmt.Errorf("read the answer to a dry run of an HTTPRoute with sessionPersistence: %w", err)
	}
	if len(rules) != 1 {
		return false, fmt.Errorf("the answer to a dry run of an HTTPRoute with one rule has %d", len(rules))
	}
	rule, _ := rules[0].(map[string]any)
	_, kept = rule["sessionPersistence"]
	p.sessions.mu.Lock()
	defer p.sessions.mu.Unlock()
	p.sessions.asked, p.sessions.kept = p.now(), kept
	return kept, nil
}

// bound is an object that should bind its clients as the API server has it, where it does not.
// A cache that heard of it while the CRDs were changed lacks what they did not have before,
// until it hears of the object again.
func (p *Provider) bound(ctx context.Context, route v1alpha1.Route, cached routeObject) (routeObject, error) {
	if cookieOf(route, weightsOf(cached)) == "" || cached.cookie() != "" {
		return cached, nil
	}
	live := kindOf(route).object()
	err := p.live.Get(ctx, client.ObjectKeyFromObject(cached), live)
	if apierrors.IsNotFound(err) {
		return cached, nil // The cache will hear of that.
	}
	if err != nil {
		return nil, fmt.Errorf("get %s %s/%s: %w", cached.kind(), cached.GetNamespace(), cached.GetName(), err)
	}
	return view(live), nil
}

// unkept says why a route that wants its clients bound does not get that; "" where it does,
// as an object that shows a cookie does, or wants none. live is nil where there is no object
// yet. For somebody who looks on nobody is asked.
func (p *Provider) unkept(ctx context.Context, t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, live routeObject) string {
	name := route.GatewayAPI.StickyCookieName
	if name == "" || t.Onlooker || live != nil && live.cookie() != "" {
		return ""
	}
	kept, err := p.keeps(ctx, t.Namespace, cookieOf(route, weights) != "")
	if kept {
		return ""
	}
	what := fmt.Sprintf("spec.traffic.routes[%s].gatewayAPI.stickyCookieName: %q: ", route.Name, name)
	if err != nil {
		return what + "no candidate gets weight before it is known that the cluster keeps sessions, and that is asked again: " + err.Error()
	}
	return what + "HTTPRoutes of this cluster have no rules[].sessionPersistence, and the API server drops it without a word: install the experimental channel of the Gateway API's CRDs, 1.1 or later, and a gateway that implements it; or take stickyCookieName out"
}

// cookieFor a write is the one that it binds clients by; "" where they are to be free, or the
// cluster would drop it.
func (p *Provider) cookieFor(ctx context.Context, t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, live routeObject) (string, error) {
	cookie := cookieOf(route, weights)
	if cookie == "" || live != nil && live.cookie() == cookie {
		return cookie, nil
	}
	kept, err := p.keeps(ctx, t.Namespace, true)
	if !kept {
		cookie = ""
	}
	return cookie, err
}

// cookie implements routeObject.
func (r httpRoute) cookie() string {
	for _, rule := range r.lasting() {
		if rule.SessionPersistence != nil && rule.SessionPersistence.SessionName != nil {
			return *rule.SessionPersistence.SessionName
		}
	}
	return ""
}

// cookie implements routeObject: calls have none.
func (grpcRoute) cookie() string { return "" }
