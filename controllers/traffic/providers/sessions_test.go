package providers_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/gatewayapi"
)

// bound is a route whose clients stay with the release that they met.
func bound(hostname string) v1alpha1.Route {
	route := httpRoute(hostname)
	route.GatewayAPI.StickyCookieName = "shop"
	return route
}

// dropping is an API in memory that knows no sessions, and drops what is said of them; lost,
// where it is not nil, is its answer to every dry run. dryRuns counts those.
type dropping struct {
	client.Client
	drops   bool
	lost    error
	dryRuns int
	writes  int
}

func playDropping(t *testing.T) *dropping {
	t.Helper()
	api := &dropping{}
	drop := func(object client.Object) {
		switch o := object.(type) {
		case *gatewayv1.HTTPRoute:
			for i := range o.Spec.Rules {
				if api.drops {
					o.Spec.Rules[i].SessionPersistence = nil
				}
			}
		case *unstructured.Unstructured:
			if api.drops {
				o.Object["spec"] = map[string]any{"rules": []any{map[string]any{}}}
			}
		}
	}
	api.Client = interceptor.NewClient(playedAPI(t).(client.WithWatch), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			dry := len((&client.CreateOptions{}).ApplyOptions(options).DryRun) > 0
			if dry {
				api.dryRuns++
			} else {
				api.writes++
			}
			if dry && api.lost != nil {
				return api.lost
			}
			if !dry {
				drop(o)
				return c.Create(ctx, o, options...)
			}
			err := c.Create(ctx, o, options...)
			drop(o)
			return err
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
			api.writes++
			drop(o)
			return c.Update(ctx, o, options...)
		},
	})
	return api
}

// binding is a route whose clients are to stay, and who writes it.
type binding struct {
	*testing.T
	api      *dropping
	now      time.Time
	provider *gatewayapi.Provider
	route    v1alpha1.Route
}

func (b *binding) see() rollout.Route {
	b.Helper()
	seen, err := b.provider.Observe(b.Context(), anyPort, b.route)
	if err != nil {
		b.Fatal(err)
	}
	return seen.Route
}

func (b *binding) write(sequence int64, weights ...any) {
	b.Helper()
	seen, err := b.provider.Observe(b.Context(), anyPort, b.route)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := b.provider.Apply(b.Context(), anyPort, b.route, rollout.WriteRoute{Route: "public", Weights: shares(weights...), Sequence: sequence}, seen); err != nil {
		b.Fatal(err)
	}
}

func (b *binding) cookie() string {
	b.Helper()
	object := &gatewayv1.HTTPRoute{}
	if err := b.api.Get(b.Context(), types.NamespacedName{Namespace: "shop", Name: "shop-public"}, object); err != nil {
		b.Fatal(err)
	}
	if sessions := object.Spec.Rules[0].SessionPersistence; sessions != nil {
		return ptr.Deref(sessions.SessionName, "")
	}
	return ""
}

// expect that a cookie is there or not, that the route is what is asked for, and that
// nothing more is written.
func (b *binding) expect(what, want string, kept bool, sequence int64, weights ...any) {
	b.Helper()
	if got := b.cookie(); got != want {
		b.Errorf("%s: cookie %q, want %q", what, got, want)
	}
	seen, writes := b.see(), b.api.writes
	if !seen.Current || (seen.Unkept == "") != kept || seen.Unwatched == kept {
		b.Errorf("%s: %+v", what, seen)
	}
	for range 3 {
		b.now = b.now.Add(time.Minute)
		if b.write(sequence, weights...); b.api.writes != writes {
			b.Errorf("%s: written again", what)
		}
	}
}

func TestRoutesBindClientsOnlyWhereTheClusterKeepsThat(t *testing.T) {
	api := playDropping(t)
	b := &binding{T: t, api: api, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), route: bound("shop.example.com")}
	b.provider = gatewayapi.New(api, api, func() time.Time { return b.now })
	b.write(1, "shop-1", 100)
	b.expect("one release", "", true, 1, "shop-1", 100)
	b.write(2, "shop-1", 100, "shop-2", 0)
	b.expect("a candidate without weight", "", true, 2, "shop-1", 100, "shop-2", 0)
	if api.dryRuns != 1 {
		t.Errorf("%d dry runs of a cluster that keeps it", api.dryRuns)
	}
	b.write(3, "shop-1", 80, "shop-2", 20)
	b.expect("a candidate with weight", "shop", true, 3, "shop-1", 80, "shop-2", 20)
	b.write(4, "shop-1", 50, "shop-2", 50)
	b.expect("with more", "shop", true, 4, "shop-1", 50, "shop-2", 50)
	if api.dryRuns != 2 {
		t.Errorf("%d dry runs until the cookie was first written", api.dryRuns)
	}
	b.write(5, "shop-1", 50, "shop-2", 50, "shop-0", 0)
	b.expect("somebody without weight", "", true, 5, "shop-1", 50, "shop-2", 50, "shop-0", 0)
	b.write(6, "shop-1", 100, "shop-2", 0)
	b.expect("gone back", "", true, 6, "shop-1", 100, "shop-2", 0)

	// The CRDs are replaced: what was believed is asked again before the cookie is written.
	api.drops = true
	b.write(7, "shop-1", 80, "shop-2", 20)
	b.expect("dropped", "", false, 7, "shop-1", 80, "shop-2", 20)
	seen := b.see()
	for _, says := range []string{`spec.traffic.routes[public].gatewayAPI.stickyCookieName: "shop": `, "rules[].sessionPersistence", "experimental channel", "or take stickyCookieName out"} {
		if !strings.Contains(seen.Unkept, says) {
			t.Errorf("%q does not say %q", seen.Unkept, says)
		}
	}
	asked := api.dryRuns
	for range 5 {
		b.see()
	}
	if api.dryRuns != asked {
		t.Errorf("asked %d times at once", api.dryRuns-asked)
	}
	onlooker := anyPort
	onlooker.Onlooker = true
	b.now = b.now.Add(time.Minute)
	if seen, err := b.provider.Observe(t.Context(), onlooker, b.route); err != nil || seen.Route.Unkept != "" || api.dryRuns != asked {
		t.Errorf("an onlooker asks: %v %v", seen.Route, err)
	}

	api.drops, b.now = false, b.now.Add(time.Minute)
	if seen := b.see(); seen.Current || seen.Unkept != "" {
		t.Errorf("the cluster keeps it again: %+v", seen)
	}
	b.write(7, "shop-1", 80, "shop-2", 20)
	b.expect("kept again", "shop", true, 7, "shop-1", 80, "shop-2", 20)

	// A cache that heard of it while the CRDs were changed lacks what the API server has.
	behind := interceptor.NewClient(api.Client.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, options ...client.GetOption) error {
			err := c.Get(ctx, key, o, options...)
			if route, ok := o.(*gatewayv1.HTTPRoute); ok && err == nil {
				route.Spec.Rules[0].SessionPersistence = nil
			}
			return err
		},
	})
	asked = api.dryRuns
	b.provider = gatewayapi.New(behind, api, func() time.Time { return b.now })
	b.expect("a cache that is behind", "shop", true, 7, "shop-1", 80, "shop-2", 20)
	if api.dryRuns != asked {
		t.Error("what is shown is asked for")
	}
}

// TestRoutesWhoseClusterTellsNothing: nobody knows whether clients would be bound. Then what
// serves is led on, and back, and no candidate forward.
func TestRoutesWhoseClusterTellsNothing(t *testing.T) {
	api := playDropping(t)
	api.lost = errors.New("a webhook is down")
	provider := gatewayapi.New(api, api, time.Now)
	route := bound("shop.example.com")
	for sequence, c := range []struct {
		weights []v1alpha1.ReleaseWeight
		fails   bool
	}{{shares("shop-1", 100), false}, {shares("shop-1", 80, "shop-2", 20), true}, {shares("shop-1", 100, "shop-2", 0), false}} {
		seen, err := provider.Observe(t.Context(), anyPort, route)
		if err != nil || !strings.Contains(seen.Route.Unkept, "a webhook is down") {
			t.Fatalf("observed %+v: %v", seen.Route, err)
		}
		_, err = provider.Apply(t.Context(), anyPort, route, rollout.WriteRoute{Route: "public", Weights: c.weights, Sequence: int64(sequence + 1)}, seen)
		if (err != nil) != c.fails {
			t.Errorf("%v: %v", c.weights, err)
		}
	}
}

var _ = Describe("A route whose clients stay with the release that they met", func() {
	stored := func(ctx context.Context, w *world, t traffic.Track) *gatewayv1.HTTPRoute {
		GinkgoHelper()
		object := &gatewayv1.HTTPRoute{}
		Expect(w.direct.Get(ctx, types.NamespacedName{Namespace: t.Namespace, Name: "shop-public"}, object)).To(Succeed())
		return object
	}

	It("does without that where the API server drops it, says so, and fights over nothing", func(ctx context.Context) {
		w := suite
		t := track(w.namespace(ctx), "shop")
		route := bound("dropped.example.com")
		Expect(w.observe(ctx, t, route)[0].Route).To(And(HaveField("Presence", rollout.Missing), HaveField("Reason", traffic.ReasonMissing),
			HaveField("Unkept", ContainSubstring("no rules[].sessionPersistence"))))
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		Expect(w.write(ctx, t, route, 2, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
		written := stored(ctx, w, t)
		Expect(written.Spec.Rules[0].SessionPersistence).To(BeNil())
		for range 3 {
			Expect(w.fresh(ctx, t, route)[0].Route).To(And(HaveField("Current", true), HaveField("Weights", shares("shop-1", 80, "shop-2", 20)),
				HaveField("Unkept", ContainSubstring("install the experimental channel"))))
			Expect(w.write(ctx, t, route, 2, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
		}
		Expect(stored(ctx, w, t).ResourceVersion).To(Equal(written.ResourceVersion))
		var all gatewayv1.HTTPRouteList
		Expect(w.direct.List(ctx, &all, client.InNamespace(t.Namespace))).To(Succeed())
		Expect(all.Items).To(HaveLen(1), "who asks by a dry run leaves something behind")
	})

	It("has it from when the CRDs are those of the experimental channel, and as long as they are", func(ctx context.Context) {
		w := startWorld(gatewayCRDs("standard"))
		t := track(w.namespace(ctx), "shop")
		route, now := bound("kept.example.com"), time.Now()
		provider := gatewayapi.New(w.manager.GetClient(), w.manager.GetAPIReader(), func() time.Time { return now })
		w.registry = traffic.Registry{v1alpha1.RouteGatewayAPI: provider}
		// later observes when the API server would be asked again.
		later := func() rollout.Route {
			now = now.Add(time.Minute)
			return w.fresh(ctx, t, route)[0].Route
		}
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100, "shop-2", 0))).To(Succeed())
		Expect(later().Unkept).NotTo(BeEmpty())

		_, err := envtest.InstallCRDs(w.config, envtest.CRDInstallOptions{Paths: gatewayCRDs("experimental")})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() string { return later().Unkept }).Should(BeEmpty())
		Expect(w.write(ctx, t, route, 2, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
		Expect(stored(ctx, w, t).Spec.Rules[0].SessionPersistence).To(Equal(&gatewayv1.SessionPersistence{
			SessionName: ptr.To("shop"), Type: ptr.To(gatewayv1.CookieBasedSessionPersistence),
		}))
		Expect(later()).To(And(HaveField("Current", true), HaveField("Unkept", BeEmpty())), "what the API server fills in is no difference")
		written := stored(ctx, w, t)
		Expect(w.write(ctx, t, route, 2, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
		Expect(stored(ctx, w, t).ResourceVersion).To(Equal(written.ResourceVersion))

		By("and frees them when the rollout ends, either way")
		Expect(w.write(ctx, t, route, 3, shares("shop-1", 100, "shop-2", 0))).To(Succeed())
		Expect(stored(ctx, w, t).Spec.Rules[0].SessionPersistence).To(BeNil())
		Expect(w.write(ctx, t, route, 4, shares("shop-1", 50, "shop-2", 50))).To(Succeed())
		Expect(stored(ctx, w, t).Spec.Rules[0].SessionPersistence).NotTo(BeNil())

		By("and when the CRDs lose it, nobody fights over it")
		_, err = envtest.InstallCRDs(w.config, envtest.CRDInstallOptions{Paths: gatewayCRDs("standard")})
		Expect(err).NotTo(HaveOccurred())
		Eventually(later).Should(And(HaveField("Unkept", Not(BeEmpty())), HaveField("Current", true)))
		written = stored(ctx, w, t)
		Expect(written.Spec.Rules[0].SessionPersistence).To(BeNil())
		Expect(w.write(ctx, t, route, 4, shares("shop-1", 50, "shop-2", 50))).To(Succeed())
		Expect(stored(ctx, w, t).ResourceVersion).To(Equal(written.ResourceVersion))
		Expect(w.write(ctx, t, route, 5, shares("shop-1", 100))).To(Succeed(), "it can still be led back")
	})
})
