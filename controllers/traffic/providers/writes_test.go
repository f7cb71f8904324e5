package providers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/gatewayapi"
	"github.com/strata-release/strata/controllers/traffic/ingress"
	"github.com/strata-release/strata/controllers/traffic/istio"
	"github.com/strata-release/strata/controllers/traffic/legs"
	"github.com/strata-release/strata/controllers/traffic/service"
	"github.com/strata-release/strata/controllers/traffic/traefik"
)

// played is a provider over an API that is played in memory, and a route of its type.
type played struct {
	*testing.T
	traffic.Provider
	api   client.Client
	route v1alpha1.Route
	// object is the route's, once read.
	object client.Object
}

// each plays every provider.
func each(t *testing.T, check func(p played)) {
	public := func(kind string) v1alpha1.Route {
		return v1alpha1.Route{Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI, GatewayAPI: &v1alpha1.GatewayAPIRoute{
			Kind: kind, ParentRefs: []gatewayv1.ParentReference{{Name: "public"}},
		}}
	}
	internal := v1alpha1.Route{Name: "internal", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteService, Service: &v1alpha1.ServiceRoute{Name: "shop-web"}}
	t.Run("gatewayapi", func(t *testing.T) {
		api := playedAPI(t)
		check(played{t, gatewayapi.New(api, api, time.Now), api, public(gatewayapi.KindHTTPRoute), &gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-public"}}})
	})
	t.Run("gatewayapi of calls", func(t *testing.T) {
		api := playedAPI(t)
		check(played{t, gatewayapi.New(api, api, time.Now), api, public(gatewayapi.KindGRPCRoute), &gatewayv1.GRPCRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-public"}}})
	})
	t.Run("ingress", func(t *testing.T) {
		api := playedAPI(t)
		edge := v1alpha1.Route{Name: "edge", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteIngress, Ingress: &v1alpha1.IngressRoute{
			Dialect: v1alpha1.DialectNGINX, Name: "shop", ClassName: "nginx", Rules: []v1alpha1.IngressRule{{Host: "shop.example.com"}},
		}}
		check(played{t, ingress.New(api, api, time.Now), api, edge, &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}}})
	})
	for _, m := range legRoutes() {
		t.Run(m.name, func(t *testing.T) {
			api := playedAPI(t)
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(m.router.Kind)
			object.SetNamespace("shop")
			object.SetName("shop")
			check(played{t, legs.New(m.router, api, api, api, time.Now), api, m.route, object})
		})
	}
	t.Run("service", func(t *testing.T) {
		api := playedAPI(t)
		check(played{t, service.New(api, api), api, internal, &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-web"}}})
	})
}

func playedAPI(t *testing.T) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	builder := fake.NewClientBuilder().WithScheme(scheme)
	for _, router := range []legs.Router{traefik.Router, istio.Router} {
		scheme.AddKnownTypeWithName(router.Kind, &unstructured.Unstructured{})
		scheme.AddKnownTypeWithName(router.Kind.GroupVersion().WithKind(router.Kind.Kind+"List"), &unstructured.UnstructuredList{})
		if err := router.Indexes(t.Context(), indexer{builder}); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		clientgoscheme.AddToScheme(scheme), gatewayv1.Install(scheme),
		traffic.SetupIndexes(t.Context(), indexer{builder}), gatewayapi.Indexes(t.Context(), indexer{builder}), ingress.Indexes(t.Context(), indexer{builder}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return builder.Build()
}

// indexer registers indexes with a played API.
type indexer struct{ *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	i.WithIndex(object, field, extract)
	return nil
}

// anyPort is a track whose releases all have the port.
var anyPort = traffic.Track{Namespace: "shop", Name: "shop", Port: func(string, string, string) (v1alpha1.ComponentPort, bool) {
	return v1alpha1.ComponentPort{Name: "http", Port: 80}, true
}}

func (p played) observe() traffic.Observed {
	p.Helper()
	observed, err := p.Observe(p.Context(), anyPort, p.route)
	if err != nil {
		p.Fatal(err)
	}
	return observed
}

func (p played) write(release string, sequence int64, observed traffic.Observed) error {
	_, err := p.Apply(p.Context(), anyPort, p.route, rollout.WriteRoute{
		Route: p.route.Name, Sequence: sequence, Weights: []v1alpha1.ReleaseWeight{{ReleaseName: release, WeightPercent: 100}},
	}, observed)
	return err
}

// expect holds the object against a release and a stamp, and answers with its
// resourceVersion.
func (p played) expect(release string, sequence int64) (resourceVersion string) {
	p.Helper()
	observed := p.observe()
	if w := observed.Route.Weights; len(w) != 1 || w[0].ReleaseName != release || observed.Route.Sequence != sequence {
		p.Errorf("%+v, want %s by record %d", observed.Route, release, sequence)
	}
	return observed.Object.GetResourceVersion()
}

// A route is written once for a record, with its stamp, and never for an older one.
func TestRoutesAreStamped(t *testing.T) {
	each(t, func(p played) {
		if err := p.write("shop-1", 5, p.observe()); err != nil {
			p.Fatal(err)
		}
		before := p.expect("shop-1", 5)
		if err := p.write("shop-1", 5, p.observe()); err != nil || p.expect("shop-1", 5) != before {
			p.Errorf("written, and nothing differs: %v", err)
		}
		if err := p.write("shop-1", 6, p.observe()); err != nil {
			p.Error(err)
		}
		p.expect("shop-1", 6)
		if err := p.write("shop-2", 5, p.observe()); !traffic.IsStale(err) {
			p.Errorf("the record is older than the stamp: %v", err)
		}
		p.expect("shop-1", 6)
	})
}

// A route is written as it was observed, or not at all.
func TestRoutesAreWrittenAsObserved(t *testing.T) {
	each(t, func(p played) {
		if err := p.write("shop-1", 5, p.observe()); err != nil {
			p.Fatal(err)
		}
		late := p.observe()
		if err := p.write("shop-2", 6, p.observe()); err != nil {
			p.Fatal(err)
		}
		if err := p.write("shop-3", 7, late); !traffic.IsStale(err) {
			p.Errorf("it was written by somebody else: %v", err)
		}
		p.expect("shop-2", 6)
	})
}

// An object of the route's name that is somebody else's is never written.
func TestRoutesOfOthersAreLeftAlone(t *testing.T) {
	each(t, func(p played) {
		if err := p.api.Create(p.Context(), p.object); err != nil {
			p.Fatal(err)
		}
		before := p.object.GetResourceVersion()
		observed := p.observe()
		if observed.Route.Presence != rollout.Foreign || observed.Route.Reason != traffic.ReasonNameTaken {
			p.Errorf("%+v", observed.Route)
		}
		if err := p.write("shop-1", 5, observed); !errors.Is(err, traffic.ErrForeign) {
			p.Error(err)
		}
		if err := p.api.Get(p.Context(), client.ObjectKeyFromObject(p.object), p.object); err != nil || p.object.GetResourceVersion() != before || resources.StampOf(p.object) != 0 {
			p.Errorf("it was written: %+v, %v", p.object, err)
		}
	})
}

// A stable Service is proven by its endpoints: at its port, they are those of the
// release that it selects, and ready. Unknown is not ready.
func TestRoutesOfServicesAreProvenByEndpoints(t *testing.T) {
	each(t, func(p played) {
		if p.route.Service == nil {
			return
		}
		slice := func(service string, ready *bool) {
			p.Helper()
			s := &discoveryv1.EndpointSlice{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
				Ports:      []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](80)}},
				Endpoints: []discoveryv1.Endpoint{{
					Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ready},
					TargetRef: &corev1.ObjectReference{UID: types.UID("pod")},
				}},
			}
			if err := errors.Join(client.IgnoreNotFound(p.api.Delete(p.Context(), s.DeepCopy())), p.api.Create(p.Context(), s)); err != nil {
				p.Fatal(err)
			}
		}
		if err := p.write("shop-1", 5, p.observe()); err != nil {
			p.Fatal(err)
		}
		slice("shop-1-web", ptr.To(true))
		if got := p.observe().Route; got.Verified || got.Reason != traffic.ReasonEndpointsBehind {
			p.Errorf("without endpoints: %+v", got)
		}
		slice("shop-web", nil)
		if p.observe().Route.Verified {
			p.Error("proven by an endpoint that nobody calls ready")
		}
		slice("shop-web", ptr.To(true))
		if got := p.observe().Route; !got.Verified {
			p.Errorf("not proven by the same endpoints: %+v", got)
		}
	})
}
