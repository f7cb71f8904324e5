package providers_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/istio"
	"github.com/strata-release/strata/controllers/traffic/legs"
	"github.com/strata-release/strata/controllers/traffic/traefik"
)

var update = flag.Bool("update", false, "write the golden files anew")

// legRoute is a router whose objects have legs, and a route of its type.
type legRoute struct {
	name   string
	router legs.Router
	route  v1alpha1.Route
}

func legRoutes() []legRoute {
	public := func(route v1alpha1.Route) v1alpha1.Route {
		route.Name, route.ComponentName, route.PortName = "public", "web", "http"
		return route
	}
	return []legRoute{
		{"istio", istio.Router, public(v1alpha1.Route{Type: v1alpha1.RouteIstio, Istio: &v1alpha1.IstioRoute{
			Name: "shop", Hosts: []string{"shop.example.com"}, Gateways: []string{"istio-system/public"},
		}})},
		{"istio-delegate", istio.Router, public(v1alpha1.Route{Type: v1alpha1.RouteIstio, Istio: &v1alpha1.IstioRoute{Name: "shop"}})},
		{"traefik", traefik.Router, public(v1alpha1.Route{Type: v1alpha1.RouteTraefik, Traefik: &v1alpha1.TraefikRoute{Name: "shop", StickyCookieName: "shop"}})},
	}
}

// legged is such a route over an API in memory, with a clock.
type legged struct {
	*testing.T
	legRoute
	*legs.Provider
	api  client.Client
	now  time.Time
	told strings.Builder
}

func playLegs(t *testing.T, m legRoute) *legged {
	t.Helper()
	p := &legged{T: t, legRoute: m, api: playedAPI(t), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	p.Provider = legs.New(m.router, p.api, p.api, p.api, func() time.Time { return p.now })
	return p
}

// serves gives releases a Service, and one ready endpoint or none.
func (p *legged) serves(ready bool, releases ...string) {
	p.Helper()
	for _, release := range releases {
		meta := metav1.ObjectMeta{Namespace: "shop", Name: release + "-web", Labels: map[string]string{discoveryv1.LabelServiceName: release + "-web"}}
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: meta,
			Ports:      []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](8080)}},
			Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		}
		err := errors.Join(
			client.IgnoreAlreadyExists(p.api.Create(p.Context(), &corev1.Service{ObjectMeta: meta})),
			client.IgnoreNotFound(p.api.Delete(p.Context(), slice.DeepCopy())), p.api.Create(p.Context(), slice))
		if err != nil {
			p.Fatal(err)
		}
	}
}

func (p *legged) see() traffic.Observed {
	p.Helper()
	seen, err := p.Observe(p.Context(), anyPort, p.route)
	if err != nil {
		p.Fatal(err)
	}
	return seen
}

func (p *legged) live() *unstructured.Unstructured {
	p.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(p.router.Kind)
	if err := p.api.Get(p.Context(), types.NamespacedName{Namespace: "shop", Name: "shop"}, object); err != nil {
		p.Fatal(err)
	}
	return object
}

// apply a record once.
func (p *legged) apply(sequence int64, want ...any) {
	p.Helper()
	if _, err := p.Apply(p.Context(), anyPort, p.route, rollout.WriteRoute{Route: "public", Weights: shares(want...), Sequence: sequence}, p.see()); err != nil {
		p.Fatal(err)
	}
}

// carry tells what a record makes of the object, which is one write at most.
func (p *legged) carry(what string, sequence int64, want ...any) {
	p.Helper()
	p.apply(sequence, want...)
	object := p.live()
	version := object.GetResourceVersion()
	if p.apply(sequence, want...); p.live().GetResourceVersion() != version {
		p.Errorf("record %d is written twice", sequence)
	}
	text, err := yaml.Marshal(map[string]any{"metadata": map[string]any{"annotations": object.GetAnnotations(), "labels": object.GetLabels()}, "spec": object.Object["spec"]})
	if err != nil {
		p.Fatal(err)
	}
	fmt.Fprintf(&p.told, "# record %d: %s\n%s %s\n    %s\n\n", sequence, what, p.router.Kind.Kind, object.GetName(), strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\n    "))
}

// TestRolloutByLegs keeps every object that is written through a rollout, a rollback, an
// abort, and the death of releases that have weight. The deletion of a track writes none.
func TestRolloutByLegs(t *testing.T) {
	for _, m := range legRoutes() {
		t.Run(m.name, func(t *testing.T) {
			p := playLegs(t, m)
			p.serves(true, "shop-1")
			p.carry("the first release", 2, "shop-1", 100)
			p.serves(false, "shop-2")
			p.carry("shop-2 has a Service", 5, "shop-1", 100, "shop-2", 0)
			p.serves(true, "shop-2")
			p.carry("shop-2 at 20", 6, "shop-1", 80, "shop-2", 20)
			p.serves(false, "shop-2")
			p.carry("shop-2 has no endpoints any more", 6, "shop-1", 80, "shop-2", 20)
			p.serves(true, "shop-2")
			p.carry("shop-2 is back", 6, "shop-1", 80, "shop-2", 20)
			p.serves(false, "shop-1")
			p.carry("shop-1 has no endpoints any more", 6, "shop-1", 80, "shop-2", 20)
			p.serves(true, "shop-1")
			p.carry("shop-2 at 100, shop-1 is kept warm", 8, "shop-1", 0, "shop-2", 100)
			p.carry("rolled back to shop-1", 11, "shop-1", 100, "shop-2", 0)
			p.carry("shop-2 is retired", 13, "shop-1", 100)
			p.serves(true, "shop-3")
			p.carry("shop-3 at 20", 15, "shop-1", 80, "shop-3", 20)
			p.carry("shop-3 is aborted", 17, "shop-1", 100, "shop-3", 0)
			golden := filepath.Join("testdata", m.name+".golden")
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
				t.Errorf("other objects are written; if it is meant, go test ./controllers/traffic/providers -run ByLegs -update. Now:\n%s", p.told.String())
			}
		})
	}
}

// threeLegs are what the tests of what is told have a record say.
var threeLegs = []any{"shop-1", 80, "shop-2", 20, "shop-3", 0}

// What the planner is told of a route is what the record says, and when it counts.
func TestLegsAreTold(t *testing.T) {
	for _, m := range legRoutes() {
		t.Run(m.name, func(t *testing.T) {
			p := playLegs(t, m)
			if got := p.see().Route; got.Reason != traffic.ReasonMissing || got.Presence != rollout.Missing {
				t.Errorf("without an object: %+v", got)
			}
			p.serves(true, "shop-1", "shop-2")
			p.apply(6, threeLegs...)
			got := p.see().Route
			if !got.Verified || !got.Current || got.Sequence != 6 || !slices.Equal(got.Weights, shares(threeLegs...)) || !got.SettleTime.After(p.now) {
				t.Errorf("as it was written: %+v", got)
			}
			p.now = p.now.Add(time.Minute)
			if again := p.see().Route; !again.SettleTime.Equal(got.SettleTime) || again.SettleTime.After(p.now) {
				t.Errorf("it has settled: %+v", again)
			}
			left, err := p.Leftovers(t.Context(), anyPort, nil)
			if err != nil || len(left) != 1 || !left[0].Route.Orphaned || !slices.Equal(left[0].Route.Weights, got.Weights) || !left[0].Route.SettleTime.IsZero() {
				t.Errorf("left of a former spec: %+v, %v", left, err)
			}
			if left, err = p.Leftovers(t.Context(), anyPort, []v1alpha1.Route{p.route}); err != nil || len(left) != 0 {
				t.Errorf("it is in the spec: %+v, %v", left, err)
			}
		})
	}
}

// A release that is left out still has the weight of the record, and that is not all there is
// to it.
func TestDeadLegsAreTold(t *testing.T) {
	for _, m := range legRoutes() {
		t.Run(m.name, func(t *testing.T) {
			p := playLegs(t, m)
			look := func(current, verified bool, says string) {
				t.Helper()
				got := p.see().Route
				if got.Current != current || got.Verified != verified || !strings.Contains(got.Message, says) || !slices.Equal(got.Weights, shares(threeLegs...)) {
					t.Errorf("%+v, want current %t, verified %t, %q", got, current, verified, says)
				}
				if !verified && got.Reason != traffic.ReasonNotResolved && current {
					t.Errorf("the reason is %s", got.Reason)
				}
			}
			p.serves(true, "shop-1", "shop-2")
			p.apply(6, threeLegs...)
			p.serves(false, "shop-1")
			look(false, true, "is put right")
			p.apply(6, threeLegs...)
			look(true, false, "shop-1 has no ready endpoints")
			p.serves(false, "shop-2") // Nobody can serve, and it stays as it is.
			look(true, false, "shop-1 has no ready endpoints")
			p.serves(true, "shop-1", "shop-2")
			look(false, false, "is put right")
			p.apply(6, threeLegs...)
			look(true, true, "")
			if err := p.api.Delete(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-2-web"}}); err != nil {
				t.Fatal(err)
			}
			look(true, false, "Service shop-2-web, which does not exist")
		})
	}
}

// The port of a release that is gone is the one that the object has for it; without one
// nothing is written.
func TestLegsOfReleasesThatAreGone(t *testing.T) {
	for _, m := range legRoutes() {
		t.Run(m.name, func(t *testing.T) {
			p := playLegs(t, m)
			p.serves(true, "shop-1", "shop-2")
			p.apply(2, "shop-1", 100)
			gone := anyPort
			gone.Port = func(string, string, string) (v1alpha1.ComponentPort, bool) { return v1alpha1.ComponentPort{}, false }
			seen, err := p.Observe(t.Context(), gone, p.route)
			if err != nil || !seen.Route.Current {
				t.Errorf("%+v, %v", seen.Route, err)
			}
			write := rollout.WriteRoute{Route: "public", Weights: shares("shop-1", 80, "shop-2", 20), Sequence: 3}
			if _, err = p.Apply(t.Context(), gone, p.route, write, seen); err == nil || !strings.Contains(err.Error(), "shop-2 has no port http") {
				t.Errorf("written: %v", err)
			}
		})
	}
}

// What somebody edits is seen, told, and put right without a change of weights. What may lead
// elsewhere proves nothing.
func TestEditedLegsArePutRight(t *testing.T) {
	type edit func(object *unstructured.Unstructured, spec map[string]any, legs []any)
	leg := func(change func(leg map[string]any)) edit {
		return func(_ *unstructured.Unstructured, _ map[string]any, legs []any) { change(legs[1].(map[string]any)) }
	}
	annotated := func(weights map[string]string) edit {
		return func(o *unstructured.Unstructured, _ map[string]any, _ []any) {
			weights[v1alpha1.AnnotationSequence] = "6"
			o.SetAnnotations(weights)
		}
	}
	leads := map[string]edit{
		"a weight":            leg(func(leg map[string]any) { leg["weight"] = int64(1) }),
		"a weight too large":  leg(func(leg map[string]any) { leg["weight"] = int64(1 << 40) }),
		"no weight":           leg(func(leg map[string]any) { delete(leg, "weight") }),
		"another namespace":   leg(func(leg map[string]any) { leg["namespace"], leg["destination"] = "theirs", nil }),
		"a leg that is none":  func(_ *unstructured.Unstructured, _ map[string]any, legs []any) { legs[1] = "shop-2-web" },
		"what is noted":       annotated(map[string]string{v1alpha1.AnnotationWeights: `[{"releaseName":"shop-1","weightPercent":100}]`}),
		"no note":             annotated(map[string]string{}),
		"a note that is none": annotated(map[string]string{v1alpha1.AnnotationWeights: `{"shop-1": 100}`}),
		"another kind of rule": func(_ *unstructured.Unstructured, spec map[string]any, _ []any) {
			spec["mirroring"], spec["tcp"] = "theirs", []any{}
		},
		"a rule twice": func(_ *unstructured.Unstructured, spec map[string]any, _ []any) {
			rules, _ := spec["http"].([]any)
			spec["http"], spec["mirroring"] = append(rules, rules...), "theirs"
		},
		"more of a rule": func(_ *unstructured.Unstructured, spec map[string]any, _ []any) {
			spec["mirroring"] = "theirs"
			if rules, ok := spec["http"].([]any); ok {
				rules[0].(map[string]any)["mirror"] = map[string]any{"host": "theirs"}
			}
		},
		"no spec": func(o *unstructured.Unstructured, _ map[string]any, _ []any) { o.Object["spec"] = map[string]any{} },
	}
	others := map[string]edit{
		"a port": leg(func(leg map[string]any) {
			to, inside := leg["destination"].(map[string]any)
			if !inside {
				leg["port"] = int64(81)
				return
			}
			to["port"] = map[string]any{"number": int64(81)}
		}),
		"how a release is spoken to": leg(func(leg map[string]any) { leg["serversTransport"] = "theirs" }),
	}
	for _, m := range legRoutes() {
		for what, change := range leads {
			t.Run(m.name+" "+what, func(t *testing.T) { putRight(t, m, change, false) })
		}
		for what, change := range others {
			t.Run(m.name+" "+what, func(t *testing.T) { putRight(t, m, change, true) })
		}
	}
}

func putRight(t *testing.T, m legRoute, edit func(*unstructured.Unstructured, map[string]any, []any), verified bool) {
	t.Helper()
	p := playLegs(t, m)
	p.serves(true, "shop-1", "shop-2")
	p.apply(6, "shop-1", 80, "shop-2", 20)
	before, live := p.live(), p.live()
	edit(live, live.Object["spec"].(map[string]any), legsIn(live))
	if err := p.api.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	if got := p.see().Route; got.Current || got.Verified != verified {
		t.Errorf("not seen: %+v", got)
	}
	p.apply(6, "shop-1", 80, "shop-2", 20)
	live = p.live()
	live.SetResourceVersion(before.GetResourceVersion())
	live.SetGeneration(before.GetGeneration())
	if fmt.Sprint(live.Object) != fmt.Sprint(before.Object) {
		t.Errorf("left as %v\nwant %v", live.Object, before.Object)
	}
}

// legsIn finds the list of legs in an object of any of the routers.
func legsIn(object *unstructured.Unstructured) []any {
	if rules, ok, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "http"); ok {
		return rules.([]any)[0].(map[string]any)["route"].([]any)
	}
	services, _, _ := unstructured.NestedFieldNoCopy(object.Object, "spec", "weighted", "services")
	return services.([]any)
}

var _ = Describe("A route object with legs", func() {
	for _, m := range legRoutes() {
		serve := func(ctx context.Context, w *world, t traffic.Track, releases ...string) {
			GinkgoHelper()
			for _, release := range releases {
				meta := metav1.ObjectMeta{Namespace: t.Namespace, Name: release + "-web", Labels: map[string]string{v1alpha1.LabelTrack: t.Name, discoveryv1.LabelServiceName: release + "-web"}}
				Expect(w.direct.Create(ctx, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80}}}})).To(Succeed())
				Expect(w.direct.Create(ctx, &discoveryv1.EndpointSlice{
					ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4, Ports: []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](8080)}},
					Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}}},
				})).To(Succeed())
			}
		}

		It("is stored by the API server as it was written: "+m.name, func(ctx context.Context) {
			w, t := suite, track(suite.namespace(ctx), "shop")
			serve(ctx, w, t, "shop-1", "shop-2")
			Expect(w.write(ctx, t, m.route, 2, shares("shop-1", 100))).To(Succeed())
			stored := func() *unstructured.Unstructured {
				GinkgoHelper()
				object := &unstructured.Unstructured{}
				object.SetGroupVersionKind(m.router.Kind)
				Expect(w.direct.Get(ctx, types.NamespacedName{Namespace: t.Namespace, Name: "shop"}, object)).To(Succeed())
				return object
			}
			Eventually(func(g Gomega) {
				g.Expect(w.write(ctx, t, m.route, 3, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
				legs, ok := m.router.Read(stored().Object["spec"].(map[string]any))
				g.Expect(ok).To(BeTrue())
				g.Expect(legs).To(HaveLen(2), "the cache has heard of the endpoints")
			}).Should(Succeed())
			Expect(w.fresh(ctx, t, m.route)[0].Route).To(And(HaveField("Current", true), HaveField("Verified", true), HaveField("Weights", shares("shop-1", 80, "shop-2", 20))))

			before := stored()
			Expect(w.write(ctx, t, m.route, 3, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
			Expect(stored().GetResourceVersion()).To(Equal(before.GetResourceVersion()), "nothing differs, nothing is written")
			settles := w.fresh(ctx, t, m.route)[0].Route.SettleTime
			Expect(w.write(ctx, t, m.route, 4, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
			Expect(stored().GetGeneration()).To(Equal(before.GetGeneration()), "a stamp is nothing that the router takes over")
			Expect(w.fresh(ctx, t, m.route)[0].Route).To(And(HaveField("SettleTime", settles), HaveField("Sequence", int64(4))))
			Expect(w.write(ctx, t, m.route, 5, shares("shop-2", 100))).To(Succeed())
			Expect(stored().GetGeneration()).To(BeNumerically(">", before.GetGeneration()))
			Expect(w.fresh(ctx, t, m.route)[0].Route.SettleTime).To(BeTemporally(">", settles))

			asked := w.askedFor(t)
			edited := stored()
			edited.SetFinalizers([]string{"example.com/router"})
			Expect(w.direct.Update(ctx, edited)).To(Succeed())
			Eventually(func() int { return w.askedFor(t) }).Should(BeNumerically(">", asked))
			left := w.observe(ctx, t)
			Expect(left).To(HaveLen(1))
			Expect(left[0].Route).To(And(HaveField("Orphaned", true), HaveField("Weights", shares("shop-2", 100))))
			edited = stored()
			edited.SetFinalizers(nil)
			Expect(w.direct.Update(ctx, edited)).To(Succeed())
		})
	}

	It("waits, where the cluster lacks its kind, until that is served", func(ctx context.Context) {
		w := startWorld(nil)
		tracks := map[string]traffic.Track{}
		for _, m := range legRoutes() {
			t := track(w.namespace(ctx), "shop")
			tracks[m.name] = t
			seen := w.observe(ctx, t, m.route)
			Expect(seen[0].Route).To(And(HaveField("Presence", rollout.Missing), HaveField("Reason", m.router.Missing), HaveField("Message", ContainSubstring(m.router.Install))))
			_, err := w.registry.Apply(ctx, t, []v1alpha1.Route{m.route}, seen, rollout.WriteRoute{Route: "public", Weights: shares("shop-1", 100), Sequence: 1})
			Expect(err).To(MatchError(ContainSubstring(m.router.Install)))
		}
		_, err := envtest.InstallCRDs(w.config, envtest.CRDInstallOptions{Paths: []string{legCRDs}})
		Expect(err).NotTo(HaveOccurred())
		for _, m := range legRoutes() {
			t := tracks[m.name]
			Eventually(func() string { return w.observe(ctx, t, m.route)[0].Route.Reason }).Should(Equal(traffic.ReasonMissing))
			Expect(w.askedFor(t)).To(BeNumerically(">", 0))
			Expect(w.write(ctx, t, m.route, 1, shares("shop-1", 100))).To(Succeed())
			Expect(w.fresh(ctx, t, m.route)[0].Object).NotTo(BeNil())
		}
	})
})
