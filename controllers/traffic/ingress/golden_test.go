package ingress

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

var update = flag.Bool("update", false, "write the golden file anew")

const golden = "testdata/rollout.golden"

// nginxRoute and albRoute ask for all that the dialects have.
func nginxRoute() *v1alpha1.IngressRoute {
	return &v1alpha1.IngressRoute{
		Dialect: v1alpha1.DialectNGINX, Name: "shop", ClassName: "nginx",
		Rules: []v1alpha1.IngressRule{{Host: "shop.example.com", Paths: []v1alpha1.IngressPath{{Path: "/", PathType: "Prefix"}, {Path: "/healthz", PathType: "Exact"}}}},
		TLS:   []v1alpha1.IngressTLS{{Hosts: []string{"shop.example.com"}, SecretName: "shop-tls"}},
		Annotations: map[string]v1alpha1.AnnotationValue{
			"cert-manager.io/cluster-issuer": "public", nginxPrefix + "proxy-body-size": "8m", nginxAffinity: "cookie",
		},
	}
}

func albRoute() *v1alpha1.IngressRoute {
	return &v1alpha1.IngressRoute{
		Dialect: v1alpha1.DialectALB, Name: "shop", ClassName: "alb", StickinessSeconds: ptr.To[int32](600), DeregistrationDelaySeconds: ptr.To[int32](60),
		Rules: []v1alpha1.IngressRule{{Host: "shop.example.com", Paths: []v1alpha1.IngressPath{{Path: "/", PathType: "Prefix"}, {Path: "/healthz", PathType: "Exact"}}}},
		TLS:   []v1alpha1.IngressTLS{{Hosts: []string{"shop.example.com"}, SecretName: "shop-tls"}},
		Annotations: map[string]v1alpha1.AnnotationValue{
			albPrefix + "scheme": "internet-facing", albPrefix + "healthcheck-path": "/healthz", "team": "shop",
			albAttributes: "load_balancing.algorithm.type=least_outstanding_requests",
		},
	}
}

// indexer registers indexes with a played API.
type indexer struct{ *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	i.WithIndex(object, field, extract)
	return nil
}

// played is a route over an API in memory, with a clock.
type played struct {
	t     *testing.T
	told  strings.Builder
	now   time.Time
	route v1alpha1.Route
	*Provider
}

func play(t *testing.T, asked *v1alpha1.IngressRoute) *played {
	t.Helper()
	p := &played{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	builder := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
			o.SetCreationTimestamp(metav1.NewTime(p.now))
			p.tell("create", o)
			return c.Create(ctx, o, options...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
			p.tell("update", o)
			return c.Update(ctx, o, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			fmt.Fprintf(&p.told, "delete Ingress %s\n", o.GetName())
			return c.Delete(ctx, o, options...)
		},
	})
	for _, err := range []error{traffic.SetupIndexes(t.Context(), indexer{builder}), Indexes(t.Context(), indexer{builder})} {
		if err != nil {
			t.Fatal(err)
		}
	}
	api := builder.Build()
	p.Provider = New(api, api, func() time.Time { return p.now })
	p.route = v1alpha1.Route{Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteIngress, Ingress: asked}
	return p
}

func (p *played) tell(verb string, o client.Object) {
	live, isIngress := o.(*networkingv1.Ingress)
	if !isIngress {
		return // What the test makes itself.
	}
	text, err := yaml.Marshal(map[string]any{"metadata": map[string]any{"annotations": live.Annotations, "labels": live.Labels}, "spec": live.Spec})
	if err != nil {
		p.t.Fatal(err)
	}
	fmt.Fprintf(&p.told, "%s Ingress %s\n    %s\n", verb, live.Name, strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    "))
}

// everyPort is a track whose releases all have the port.
var everyPort = traffic.Track{Namespace: "shop", Name: "shop", Port: func(string, string, string) (v1alpha1.ComponentPort, bool) {
	return v1alpha1.ComponentPort{Name: "http", Port: 80}, true
}}

// carry out a record until nothing is written any more, and let it settle.
func (p *played) carry(what string, sequence int64, want ...any) {
	p.t.Helper()
	p.now = p.now.Add(time.Minute)
	if _, err := p.Observe(p.t.Context(), everyPort, p.route); err != nil {
		p.t.Fatal(err)
	}
	p.now = p.now.Add(time.Minute) // What was there before has settled.
	fmt.Fprintf(&p.told, "\n# record %d: %s\n", sequence, what)
	for range 8 {
		seen, err := p.Observe(p.t.Context(), everyPort, p.route)
		if err != nil {
			p.t.Fatal(err)
		}
		before := p.told.Len()
		if _, err = p.Apply(p.t.Context(), everyPort, p.route, rollout.WriteRoute{Route: "public", Weights: weights(want...), Sequence: sequence}, seen); err != nil {
			p.t.Fatal(err)
		}
		if p.told.Len() == before {
			return
		}
	}
	p.t.Fatalf("record %d: no end of it", sequence)
}

// TestRollout keeps every object that is written through a rollout, a rollback and an
// abort. The deletion of a track writes none.
func TestRollout(t *testing.T) {
	p := play(t, nginxRoute())
	p.carry("the first release", 2, "shop-1", 100)
	p.carry("shop-2 has a Service", 5, "shop-1", 100, "shop-2", 0)
	p.carry("shop-2 at 20", 6, "shop-1", 80, "shop-2", 20)
	p.carry("shop-2 at 100, shop-1 is kept warm", 8, "shop-1", 0, "shop-2", 100)
	p.carry("rolled back to shop-1", 11, "shop-1", 100, "shop-2", 0)
	p.carry("shop-2 is retired", 13, "shop-1", 100)
	p.carry("shop-3 has a Service", 14, "shop-1", 100, "shop-3", 0)
	p.carry("shop-3 at 20", 15, "shop-1", 80, "shop-3", 20)
	p.carry("shop-3 is aborted", 17, "shop-1", 100, "shop-3", 0)
	p.carry("shop-3 is retired", 19, "shop-1", 100)
	p.compare(golden)
}

// compare what was written with a golden file.
func (p *played) compare(file string) {
	p.t.Helper()
	got := strings.TrimLeft(p.told.String(), "\n")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	if got != string(want) {
		p.t.Errorf("other objects are written; if it is meant, go test ./controllers/traffic/ingress -update. Now:\n%s", got)
	}
}

// What somebody edits is seen, told, and put right without a change of weights.
func TestEditsAreFoundAndPutRight(t *testing.T) {
	for _, name := range []string{"shop", "shop-canary"} {
		for what, edit := range map[string]func(*networkingv1.Ingress){
			"a rule": func(o *networkingv1.Ingress) { o.Spec.Rules[0].Host = "other.example.com" },
			"a path": func(o *networkingv1.Ingress) { o.Spec.Rules[0].HTTP.Paths[1].Backend.Service.Name = "theirs" },
			"an annotation of the dialect": func(o *networkingv1.Ingress) {
				o.Annotations[nginxPrefix+"canary-by-header"] = "x-preview"
			},
			"a weight": func(o *networkingv1.Ingress) { o.Annotations[nginxCanary], o.Annotations[nginxWeight] = "true", "90" },
			"not a canary": func(o *networkingv1.Ingress) {
				delete(o.Annotations, nginxCanary)
				o.Annotations[nginxPrefix+"x"] = "y"
			},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				p := play(t, nginxRoute())
				p.carry("the first release", 2, "shop-1", 100)
				p.carry("shop-2 at 20", 6, "shop-1", 80, "shop-2", 20)
				live := &networkingv1.Ingress{}
				if err := p.client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: name}, live); err != nil {
					t.Fatal(err)
				}
				before := live.DeepCopy()
				edit(live)
				if err := p.client.Update(t.Context(), live); err != nil {
					t.Fatal(err)
				}
				seen, err := p.Observe(t.Context(), everyPort, p.route)
				if err != nil {
					t.Fatal(err)
				}
				if seen.Route.Current && slices.Equal(seen.Route.Weights, weights("shop-1", 80, "shop-2", 20)) {
					t.Errorf("not seen: %+v", seen.Route)
				}
				p.carry("again", 7, "shop-1", 80, "shop-2", 20)
				if err := p.client.Get(t.Context(), types.NamespacedName{Namespace: "shop", Name: name}, live); err != nil {
					t.Fatal(err)
				}
				delete(live.Annotations, v1alpha1.AnnotationSequence)
				delete(before.Annotations, v1alpha1.AnnotationSequence)
				if !equality.Semantic.DeepEqual(live.Spec, before.Spec) || !maps.Equal(live.Annotations, before.Annotations) {
					t.Errorf("left as %v %v", live.Annotations, live.Spec)
				}
			})
		}
	}
}
