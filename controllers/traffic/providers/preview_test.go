package providers_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/gatewayapi"
	"github.com/strata-release/strata/controllers/traffic/ingress"
	"github.com/strata-release/strata/controllers/traffic/istio"
)

// previewed is a route with a preview over an API in memory, with a clock.
type previewed struct {
	*testing.T
	traffic.Provider
	api   client.Client
	route v1alpha1.Route
	track traffic.Track
	now   time.Time
	told  strings.Builder
}

func playPreview(t *testing.T, route v1alpha1.Route) *previewed {
	t.Helper()
	p := &previewed{T: t, api: playedAPI(t), route: route, track: anyPort, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	p.route.Name, p.route.ComponentName, p.route.PortName = "public", "web", "http"
	p.api = interceptor.NewClient(p.api.(client.WithWatch), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			o.SetCreationTimestamp(metav1.NewTime(p.now))
			return c.Create(ctx, o, options...)
		},
	})
	now := func() time.Time { return p.now }
	switch route.Type {
	case v1alpha1.RouteGatewayAPI:
		p.Provider = gatewayapi.New(p.api, p.api, time.Now)
	case v1alpha1.RouteIngress:
		p.Provider = ingress.New(p.api, p.api, now)
	default:
		p.Provider = istio.New(p.api, p.api, p.api, now)
	}
	for _, release := range []string{"shop-1", "shop-2"} {
		meta := metav1.ObjectMeta{Namespace: "shop", Name: release + "-web", Labels: map[string]string{discoveryv1.LabelServiceName: release + "-web"}}
		err := errors.Join(p.api.Create(t.Context(), &corev1.Service{ObjectMeta: meta}), p.api.Create(t.Context(), &discoveryv1.EndpointSlice{
			ObjectMeta: meta, Ports: []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](8080)}},
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}}},
		}))
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *previewed) see() traffic.Observed {
	p.Helper()
	seen, err := p.Observe(p.Context(), p.track, p.route)
	if err != nil {
		p.Fatal(err)
	}
	return seen
}

// carry out a record for as long as anything is written, and tell of all route objects.
func (p *previewed) carry(what, candidate string, sequence int64, want ...any) {
	p.Helper()
	p.track.Candidate = candidate
	objects := ""
	for range 8 {
		p.see()
		p.now = p.now.Add(time.Minute)
		write := rollout.WriteRoute{Route: "public", Weights: shares(want...), Sequence: sequence}
		if _, err := p.Apply(p.Context(), p.track, p.route, write, p.see()); err != nil {
			p.Fatal(err)
		}
		before := objects
		if objects = p.objects(); objects == before {
			break
		}
	}
	if got := p.see().Route; !got.Current {
		p.Errorf("%s: not what the track asks for: %+v", what, got)
	}
	fmt.Fprintf(&p.told, "# record %d: %s\n%s\n", sequence, what, objects)
}

// objects are all route objects, as YAML.
func (p *previewed) objects() string {
	p.Helper()
	virtual := &unstructured.UnstructuredList{}
	virtual.SetGroupVersionKind(istio.Router.Kind.GroupVersion().WithKind(istio.Router.Kind.Kind + "List"))
	var text strings.Builder
	for _, list := range []client.ObjectList{&gatewayv1.HTTPRouteList{}, &gatewayv1.GRPCRouteList{}, &networkingv1.IngressList{}, virtual} {
		if err := p.api.List(p.Context(), list); err != nil {
			p.Fatal(err)
		}
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(list)
		if err != nil {
			p.Fatal(err)
		}
		items, _, err := unstructured.NestedSlice(content, "items")
		if err != nil {
			p.Fatal(err)
		}
		for _, item := range items {
			object := unstructured.Unstructured{Object: item.(map[string]any)}
			shown, err := yaml.Marshal(map[string]any{"annotations": object.GetAnnotations(), "spec": object.Object["spec"]})
			if err != nil {
				p.Fatal(err)
			}
			fmt.Fprintf(&text, "%s\n    %s\n", object.GetName(), strings.ReplaceAll(strings.TrimSpace(string(shown)), "\n", "\n    "))
		}
	}
	return text.String()
}

// previews are routes by what they are called here.
func previews() map[string]v1alpha1.Route {
	gateway := func(kind string, preview v1alpha1.RoutePreview) v1alpha1.Route {
		return v1alpha1.Route{Type: v1alpha1.RouteGatewayAPI, Preview: &preview, GatewayAPI: &v1alpha1.GatewayAPIRoute{
			Kind: kind, ParentRefs: []gatewayv1.ParentReference{{Name: "public"}}, Hostnames: []gatewayv1.Hostname{"shop.example.com"},
		}}
	}
	nginx := func(preview v1alpha1.RoutePreview) v1alpha1.Route {
		return v1alpha1.Route{Type: v1alpha1.RouteIngress, Preview: &preview, Ingress: &v1alpha1.IngressRoute{
			Dialect: v1alpha1.DialectNGINX, Name: "shop", ClassName: "nginx", Rules: []v1alpha1.IngressRule{{Host: "shop.example.com"}},
		}}
	}
	mesh := func(preview v1alpha1.RoutePreview) v1alpha1.Route {
		return v1alpha1.Route{Type: v1alpha1.RouteIstio, Preview: &preview, Istio: &v1alpha1.IstioRoute{Name: "shop", Hosts: []string{"shop.example.com"}}}
	}
	header, cookie := v1alpha1.RoutePreview{HeaderName: "X-Preview"}, v1alpha1.RoutePreview{CookieName: "preview"}
	hosted := v1alpha1.RoutePreview{Hostname: "next.example.com"}
	return map[string]v1alpha1.Route{
		"http-cookie": gateway("HTTPRoute", cookie), "http-hostname": gateway("HTTPRoute", hosted), "grpc-hostname": gateway("GRPCRoute", hosted),
		"nginx-header": nginx(header), "nginx-cookie": nginx(cookie), "istio-header": mesh(header), "istio-cookie": mesh(cookie),
	}
}

// TestPreviews keeps all objects of a route through a rollout and an abort: a preview comes
// with the candidate, and goes with its attempt.
func TestPreviews(t *testing.T) {
	for name, route := range previews() {
		t.Run(name, func(t *testing.T) {
			p := playPreview(t, route)
			p.carry("shop-1 is stable", "", 2, "shop-1", 100)
			settled := p.objects()
			p.carry("shop-2 has a Service", "shop-2", 3, "shop-1", 100, "shop-2", 0)
			p.carry("shop-2 at 20", "shop-2", 4, "shop-1", 80, "shop-2", 20)
			p.carry("shop-2 is aborted", "", 5, "shop-1", 100, "shop-2", 0)
			p.carry("shop-2 is retired", "", 6, "shop-1", 100)
			if now := p.objects(); strings.ReplaceAll(now, `sequence: "6"`, `sequence: "2"`) != strings.ReplaceAll(settled, `sequence: "3"`, `sequence: "2"`) {
				t.Errorf("something is left:\n%s", now)
			}
			golden := filepath.Join("testdata", "preview-"+name+".golden")
			if *update {
				if err := os.WriteFile(golden, []byte(p.told.String()), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if p.told.String() != string(want) {
				t.Errorf("other objects are written; if it is meant, go test ./controllers/traffic/providers -run Previews -update. Now:\n%s", p.told.String())
			}
		})
	}
}

// The object of a preview that somebody has changed is put right; one of its name that is
// somebody else's, and a hostname of another track, keep it away, and are said.
func TestPreviewsByHostnameOfOthers(t *testing.T) {
	candidate := []any{"shop-1", 100, "shop-2", 0}
	previewOf := func(p *previewed) *gatewayv1.HTTPRoute {
		p.Helper()
		live := &gatewayv1.HTTPRoute{}
		if err := p.api.Get(p.Context(), client.ObjectKey{Namespace: "shop", Name: "shop-public-preview"}, live); err != nil {
			p.Fatal(err)
		}
		return live
	}
	p := playPreview(t, previews()["http-hostname"])
	p.carry("shop-2 has a Service", "shop-2", 3, candidate...)
	edited := previewOf(p)
	edited.Spec.Hostnames = []gatewayv1.Hostname{"shop.example.com"}
	if err := p.api.Update(t.Context(), edited); err != nil {
		t.Fatal(err)
	}
	if got := p.see().Route; got.Current {
		t.Errorf("edited: %+v", got)
	}
	p.carry("again", "shop-2", 3, candidate...)
	if got := previewOf(p).Spec.Hostnames; len(got) != 1 || got[0] != "next.example.com" {
		t.Errorf("left at %v", got)
	}
	// No route of the track is left over, as long as it names the route; then both are.
	for routes, want := range map[int]int{1: 0, 0: 2} {
		left, err := p.Leftovers(t.Context(), p.track, []v1alpha1.Route{p.route}[:routes])
		if err != nil || len(left) != want {
			t.Errorf("%d routes named: %v left over, %v", routes, left, err)
		}
	}

	for reason, there := range map[string]*gatewayv1.HTTPRoute{
		traffic.ReasonNameTaken: {ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-public-preview"}},
		traffic.ReasonConflict: {
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "other-public", Labels: map[string]string{v1alpha1.LabelTrack: "other", v1alpha1.LabelRoute: "public"}},
			Spec: gatewayv1.HTTPRouteSpec{
				CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "public"}}},
				Hostnames:       []gatewayv1.Hostname{"next.example.com"}, Rules: []gatewayv1.HTTPRouteRule{{}},
			},
		},
	} {
		p := playPreview(t, previews()["http-hostname"])
		if err := p.api.Create(t.Context(), there); err != nil {
			t.Fatal(err)
		}
		version := there.ResourceVersion
		p.carry("shop-1 is stable", "", 2, "shop-1", 100)
		p.track.Candidate = "shop-2"
		for range 4 {
			if _, err := p.Apply(t.Context(), p.track, p.route, rollout.WriteRoute{Route: "public", Weights: shares(candidate...), Sequence: 3}, p.see()); err != nil {
				t.Fatal(err)
			}
		}
		if got := p.see().Route; got.Current || got.Reason != reason || !strings.Contains(got.Message, "preview") {
			t.Errorf("%s: %+v", reason, got)
		}
		if err := p.api.Get(t.Context(), client.ObjectKeyFromObject(there), there); err != nil || there.ResourceVersion != version {
			t.Errorf("%s: what is there was written: %v", reason, err)
		}
		p.carry("shop-2 is aborted", "", 4, "shop-1", 100, "shop-2", 0)
	}
}
