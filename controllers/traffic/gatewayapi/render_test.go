package gatewayapi

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic"
)

var update = flag.Bool("update", false, "write the golden files anew")

// shop is a track whose releases have web at port 80, but shop-9 at 8080.
func shop() traffic.Track {
	return traffic.Track{Namespace: "shop", Name: "shop", Port: func(release, component, port string) (v1alpha1.ComponentPort, bool) {
		switch {
		case component != "web" || port != "http" || release == "shop-gone":
			return v1alpha1.ComponentPort{}, false
		case release == "shop-9":
			return v1alpha1.ComponentPort{Name: "http", Port: 8080}, true
		}
		return v1alpha1.ComponentPort{Name: "http", Port: 80}, true
	}}
}

func public(spec v1alpha1.GatewayAPIRoute) v1alpha1.Route {
	if spec.Kind == "" {
		spec.Kind = KindHTTPRoute
	}
	if spec.ParentRefs == nil {
		spec.ParentRefs = []gatewayv1.ParentReference{{Name: "public", Namespace: ptr.To[gatewayv1.Namespace]("infra")}}
	}
	return v1alpha1.Route{Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI, GatewayAPI: &spec}
}

func weights(pairs ...any) []v1alpha1.ReleaseWeight {
	var all []v1alpha1.ReleaseWeight
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, v1alpha1.ReleaseWeight{ReleaseName: pairs[i].(string), WeightPercent: int32(pairs[i+1].(int))})
	}
	return all
}

func checkoutRules() []v1alpha1.GatewayAPIRule {
	return []v1alpha1.GatewayAPIRule{{
		Matches: []gatewayv1.HTTPRouteMatch{{
			Path:    &gatewayv1.HTTPPathMatch{Value: ptr.To("/checkout")},
			Headers: []gatewayv1.HTTPHeaderMatch{{Name: "X-Shop", Value: "1"}},
		}},
		Filters: []gatewayv1.HTTPRouteFilter{{
			Type:                  gatewayv1.HTTPRouteFilterRequestHeaderModifier,
			RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{{Name: "X-Via", Value: "strata"}}},
		}},
		Timeouts: &gatewayv1.HTTPRouteTimeouts{Request: ptr.To[gatewayv1.Duration]("10s")},
	}, {
		Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: ptr.To("/old")}}},
		Filters: []gatewayv1.HTTPRouteFilter{{
			Type:            gatewayv1.HTTPRouteFilterRequestRedirect,
			RequestRedirect: &gatewayv1.HTTPRequestRedirectFilter{Hostname: ptr.To[gatewayv1.PreciseHostname]("new.example.com")},
		}},
	}}
}

func TestRender(t *testing.T) {
	byHeader := &v1alpha1.RoutePreview{HeaderName: "X-Preview"}
	cases := map[string]struct {
		route     v1alpha1.GatewayAPIRoute
		weights   []v1alpha1.ReleaseWeight
		preview   *v1alpha1.RoutePreview
		candidate string
	}{
		"preview": {
			route:   v1alpha1.GatewayAPIRoute{Rules: checkoutRules()},
			weights: weights("shop-1", 100, "shop-9", 0), preview: byHeader, candidate: "shop-9",
		},
		"preview-of-calls": {
			route:   v1alpha1.GatewayAPIRoute{Kind: KindGRPCRoute, GRPCRules: cartRules()},
			weights: weights("shop-1", 80, "shop-9", 20), preview: &v1alpha1.RoutePreview{HeaderName: "x-preview", HeaderValue: "next"}, candidate: "shop-9",
		},
		"no-preview-without-candidate": {weights: weights("shop-1", 100, "shop-9", 0), preview: byHeader},
		"no-preview-before-service":    {weights: weights("shop-1", 100), preview: byHeader, candidate: "shop-9"},
		"everything-to-one":            {weights: weights("shop-1", 100)},
		"listed-before-weight":         {weights: weights("shop-1", 100, "shop-9", 0)},
		"rules-share-backends": {
			route:   v1alpha1.GatewayAPIRoute{Hostnames: []gatewayv1.Hostname{"shop.example.com"}, Rules: checkoutRules()},
			weights: weights("shop-1", 80, "shop-9", 20),
		},
		"clients-bound": {
			route:   v1alpha1.GatewayAPIRoute{Rules: checkoutRules(), StickyCookieName: "shop"},
			weights: weights("shop-1", 80, "shop-9", 20), preview: byHeader, candidate: "shop-9",
		},
		"clients-free-at-100": {
			route:   v1alpha1.GatewayAPIRoute{StickyCookieName: "shop"},
			weights: weights("shop-9", 100),
		},
		"clients-free-of-no-weight": {
			route:   v1alpha1.GatewayAPIRoute{StickyCookieName: "shop"},
			weights: weights("shop-1", 80, "shop-9", 20, "shop-2", 0),
		},
		"calls-to-one": {route: v1alpha1.GatewayAPIRoute{Kind: KindGRPCRoute}, weights: weights("shop-1", 100)},
		"calls-share-backends": {
			route:   v1alpha1.GatewayAPIRoute{Kind: KindGRPCRoute, Hostnames: []gatewayv1.Hostname{"shop.example.com"}, GRPCRules: cartRules()},
			weights: weights("shop-1", 80, "shop-9", 20),
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			track, route := shop(), public(c.route)
			track.Candidate, route.Preview = c.candidate, c.preview
			object, lacking := render(track, route, c.weights, cookieOf(route, c.weights), nil)
			if lacking != "" {
				t.Fatal("lacking", lacking)
			}
			got, err := yaml.Marshal(specOf(object))
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("rendered:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// specOf is what a golden file holds.
func specOf(object routeObject) any {
	switch object := object.raw().(type) {
	case *gatewayv1.HTTPRoute:
		return object.Spec
	case *gatewayv1.GRPCRoute:
		return object.Spec
	}
	return nil
}

func cartRules() []v1alpha1.GatewayAPIGRPCRule {
	return []v1alpha1.GatewayAPIGRPCRule{{
		Matches: []gatewayv1.GRPCRouteMatch{{
			Method:  &gatewayv1.GRPCMethodMatch{Service: ptr.To("shop.Cart")},
			Headers: []gatewayv1.GRPCHeaderMatch{{Name: "X-Shop", Value: "1"}},
		}},
		Filters: []gatewayv1.GRPCRouteFilter{{
			Type:                  gatewayv1.GRPCRouteFilterRequestHeaderModifier,
			RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{{Name: "X-Via", Value: "strata"}}},
		}},
	}, {
		Matches: []gatewayv1.GRPCRouteMatch{{Method: &gatewayv1.GRPCMethodMatch{Service: ptr.To("shop.Stock"), Method: ptr.To("Reserve")}}},
	}}
}

func TestRenderOfReleaseThatIsGone(t *testing.T) {
	route := public(v1alpha1.GatewayAPIRoute{})
	if _, lacking := render(shop(), route, weights("shop-1", 50, "shop-gone", 50), "", nil); lacking != "shop-gone" {
		t.Errorf("lacking %q, want shop-gone", lacking)
	}
	live := objectWith(t, weights("shop-1", 100))
	live.Spec.Rules[0].BackendRefs[0].Name = "shop-gone-web"
	live.Spec.Rules[0].BackendRefs[0].Port = ptr.To[gatewayv1.PortNumber](8081)
	object, lacking := render(shop(), route, weights("shop-gone", 100), "", httpRoute{live})
	if lacking != "" {
		t.Fatal("lacking", lacking)
	}
	if port := *object.backends()[0].Port; port != 8081 {
		t.Errorf("port %d, want the 8081 that the object has", port)
	}
}

// objectWith is the HTTPRoute that carries the weights.
func objectWith(t *testing.T, w []v1alpha1.ReleaseWeight) *gatewayv1.HTTPRoute {
	t.Helper()
	rendered, lacking := render(shop(), public(v1alpha1.GatewayAPIRoute{}), w, "", nil)
	if lacking != "" {
		t.Fatal("lacking", lacking)
	}
	object := rendered.raw().(*gatewayv1.HTTPRoute)
	object.Namespace, object.Name, object.Generation = "shop", "shop-public", 7
	return object
}

func TestWeightsAreReadAsWritten(t *testing.T) {
	cases := map[string]struct {
		edit func(*gatewayv1.HTTPRoute)
		want []v1alpha1.ReleaseWeight
	}{
		"zeros included":                    {func(*gatewayv1.HTTPRoute) {}, weights("shop-1", 100, "shop-9", 0)},
		"a weight left out is 1":            {func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs[1].Weight = nil }, weights("shop-1", 100, "shop-9", 1)},
		"a Service of another kind of name": {func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs[0].Name = "legacy" }, weights("shop-9", 0)},
		"a Service of another namespace": {func(r *gatewayv1.HTTPRoute) {
			r.Spec.Rules[0].BackendRefs[0].Namespace = ptr.To[gatewayv1.Namespace]("x")
		}, weights("shop-9", 0)},
		"no backends": {func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs = nil }, nil},
		"rules that disagree: the most of each": {func(r *gatewayv1.HTTPRoute) {
			second := *r.Spec.Rules[0].DeepCopy()
			second.BackendRefs[0].Weight, second.BackendRefs[1].Weight = ptr.To[int32](40), ptr.To[int32](60)
			r.Spec.Rules = append(r.Spec.Rules, second)
		}, weights("shop-1", 100, "shop-9", 60)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			object := objectWith(t, weights("shop-1", 100, "shop-9", 0))
			c.edit(object)
			got := weightsOf(httpRoute{object})
			if len(got) != len(c.want) {
				t.Fatalf("weights %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Fatalf("weights %v, want %v", got, c.want)
				}
			}
		})
	}
}

// TestPreviewIsNoWeight: who is reached by a header has what the other rules say, the object
// asks for the preview, and without it for what it did before.
func TestPreviewIsNoWeight(t *testing.T) {
	track := shop()
	track.Candidate = "shop-9"
	for kind, route := range map[string]v1alpha1.Route{
		KindHTTPRoute: public(v1alpha1.GatewayAPIRoute{Rules: checkoutRules()}),
		KindGRPCRoute: public(v1alpha1.GatewayAPIRoute{Kind: KindGRPCRoute, GRPCRules: cartRules()}),
	} {
		plain, _ := render(track, route, weights("shop-1", 80, "shop-9", 20), "", nil)
		route.Preview = &v1alpha1.RoutePreview{HeaderName: "x-preview"}
		shown, _ := render(track, route, weights("shop-1", 80, "shop-9", 20), "", nil)
		if got := weightsOf(shown); !slices.Equal(got, weights("shop-1", 80, "shop-9", 20)) {
			t.Errorf("%s: weights %v", kind, got)
		}
		if shown.asksFor(plain) || plain.asksFor(shown) || !plain.asksFor(shown.leadingTo(plain.backends()[:2], "")) {
			t.Errorf("%s: the preview makes no difference, or stays", kind)
		}
		if again := plain.withSpec(shown); !again.asksFor(shown) || !again.withSpec(plain).asksFor(plain) {
			t.Errorf("%s: the spec of another one is not taken with its preview", kind)
		}
		// A rule of which not every match asks for the header is for everybody.
		switch object := shown.raw().(type) {
		case *gatewayv1.HTTPRoute:
			last := &object.Spec.Rules[len(object.Spec.Rules)-1]
			last.Matches = append(last.Matches, gatewayv1.HTTPRouteMatch{})
		case *gatewayv1.GRPCRoute:
			last := &object.Spec.Rules[len(object.Spec.Rules)-1]
			last.Matches = append(last.Matches, gatewayv1.GRPCRouteMatch{})
		}
		if got := weightsOf(shown); share(got, "shop-9") != 100 {
			t.Errorf("%s: the preview is for everybody, and shop-9 has weights %v", kind, got)
		}
	}
}

func share(all []v1alpha1.ReleaseWeight, release string) int32 {
	for _, w := range all {
		if w.ReleaseName == release {
			return w.WeightPercent
		}
	}
	return 0
}
