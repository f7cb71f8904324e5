package ingress

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// TestALBRollout keeps every object that is written through a rollout, a rollback, an abort
// and a rollback to a release that is listed anew. The deletion of a track writes none.
func TestALBRollout(t *testing.T) {
	p := play(t, albRoute())
	p.carry("the first release", 2, "shop-1", 100)
	p.carry("shop-2 has a Service, and no pods yet", 5, "shop-1", 100, "shop-2", 0)
	p.carry("shop-2 at 20", 6, "shop-1", 80, "shop-2", 20)
	p.carry("shop-2 at 50", 7, "shop-1", 50, "shop-2", 50)
	p.carry("shop-2 at 100, shop-1 is kept warm", 8, "shop-1", 0, "shop-2", 100)
	p.carry("rolled back to shop-1", 11, "shop-1", 100, "shop-2", 0)
	p.carry("shop-2 is retired", 13, "shop-1", 100)
	p.carry("shop-3 has a Service, and no pods yet", 14, "shop-1", 100, "shop-3", 0)
	p.carry("shop-3 at 20", 15, "shop-1", 80, "shop-3", 20)
	p.carry("shop-3 is aborted", 17, "shop-1", 100, "shop-3", 0)
	p.carry("shop-3 is retired", 19, "shop-1", 100)
	p.carry("nobody is sticky any more, shop-4 has a Service", 20, "shop-1", 100, "shop-4", 0)
	p.compare("testdata/alb.golden")
}

// ingress is the route's, as it is stored.
func (p *played) ingress() *networkingv1.Ingress {
	p.t.Helper()
	live := &networkingv1.Ingress{}
	if err := p.client.Get(p.t.Context(), types.NamespacedName{Namespace: "shop", Name: "shop"}, live); err != nil {
		p.t.Fatal(err)
	}
	return live
}

// look observes the route.
func (p *played) look() rollout.Route {
	p.t.Helper()
	seen, err := p.Observe(p.t.Context(), everyPort, p.route)
	if err != nil {
		p.t.Fatal(err)
	}
	return seen.Route
}

// service makes the Service of a release.
func (p *played) service(release string) {
	p.t.Helper()
	if err := p.client.Create(p.t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: release + "-web"}}); err != nil {
		p.t.Fatal(err)
	}
}

// taken publishes the address of the Ingress, whose class is there.
func (p *played) taken() {
	p.t.Helper()
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: p.route.Ingress.ClassName}}
	if err := p.client.Create(p.t.Context(), class); err != nil {
		p.t.Fatal(err)
	}
	live := p.ingress()
	live.Status.LoadBalancer.Ingress = []networkingv1.IngressLoadBalancerIngress{{Hostname: "shop.elb.example.com"}}
	if err := p.client.Status().Update(p.t.Context(), live); err != nil {
		p.t.Fatal(err)
	}
}

func TestAnActionIsProven(t *testing.T) {
	p := play(t, albRoute())
	p.service("shop-1")
	p.carry("the first release", 2, "shop-1", 100)
	if is := p.look(); is.Verified || is.Reason != traffic.ReasonClassMissing {
		t.Errorf("its class is missing: %+v", is)
	}
	p.taken()
	if is := p.look(); !is.Verified || !is.Current {
		t.Errorf("it has an address, and its Service is there: %+v", is)
	}
	p.carry("shop-2 is listed", 5, "shop-1", 100, "shop-2", 0)
	if is := p.look(); is.Verified || is.Reason != traffic.ReasonNotResolved || !strings.Contains(is.Message, "Service shop-2-web") {
		t.Errorf("a Service is missing: %+v", is)
	}
	p.service("shop-2")
	if is := p.look(); !is.Verified {
		t.Errorf("all are there: %+v", is)
	}
}

// What is newly listed counts as listed once it was given time; what was before, at once.
func TestAListingTakesTime(t *testing.T) {
	p := play(t, albRoute())
	p.carry("the first release", 2, "shop-1", 100)
	p.carry("shop-2 is listed", 5, "shop-1", 100, "shop-2", 0)
	listed := p.now
	if is := p.look(); !is.ListedTime.Equal(listed.Add(DefaultSettleALB)) {
		t.Errorf("listed at %s, counts from %s", listed, is.ListedTime)
	}
	p.now = p.now.Add(time.Hour)
	p.carry("shop-2 at 20", 6, "shop-1", 80, "shop-2", 20)
	written := p.now
	if is := p.look(); !is.ListedTime.Equal(listed.Add(DefaultSettleALB)) || !is.SettleTime.Equal(written.Add(DefaultSettleALB)) {
		t.Errorf("a weight lists nobody anew: %+v", is)
	}
	p.carry("shop-2 goes", 7, "shop-1", 100)
	if is := p.look(); is.ListedTime.After(listed) {
		t.Errorf("who goes makes nobody wait: %+v", is)
	}
	p.carry("shop-2 is listed again", 8, "shop-1", 100, "shop-2", 0)
	if is := p.look(); !is.ListedTime.Equal(p.now.Add(DefaultSettleALB)) {
		t.Errorf("listed again at %s, counts from %s", p.now, is.ListedTime)
	}
}

// Cookies go before weights: no client is bound while anybody without weight is listed.
func TestNoCookieLeadsToWhoHasNoWeight(t *testing.T) {
	for _, c := range []struct {
		weights []v1alpha1.ReleaseWeight
		want    stickiness
	}{
		{weights("a", 100), stickiness{}},
		{weights("a", 100, "b", 0), stickiness{}},
		{weights("a", 80, "b", 20), stickiness{Enabled: true, Seconds: 600}},
		{weights("a", 80, "b", 20, "c", 0), stickiness{}},
	} {
		made, _, err := renderAction(everyPort, v1alpha1.Route{Name: "public", ComponentName: "web", PortName: "http", Ingress: albRoute()}, c.weights, nil)
		var read action
		if err != nil || json.Unmarshal([]byte(made.annotations[albActions+"public"]), &read) != nil {
			t.Fatal(err, made)
		}
		if read.Forward.Stickiness != c.want {
			t.Errorf("%v: %+v", c.weights, read.Forward.Stickiness)
		}
	}
}

func TestAttributes(t *testing.T) {
	for _, c := range []struct {
		asked string
		delay *int32
		want  string
	}{
		{"", nil, "deregistration_delay.timeout_seconds=300"},
		{"slow_start.duration_seconds=30", ptr.To[int32](0), "slow_start.duration_seconds=30,deregistration_delay.timeout_seconds=0"},
		// Admission refuses these; the route's own fields hold all the same.
		{" stickiness.enabled=true, deregistration_delay.timeout_seconds=5 ,a=b", ptr.To[int32](60), "a=b,deregistration_delay.timeout_seconds=60"},
	} {
		if got := attributes(c.asked, c.delay); got != c.want {
			t.Errorf("%q: %q", c.asked, got)
		}
	}
}

// What somebody edits is seen, told, and put right without a change of weights.
func TestEditsOfAnActionAreFoundAndPutRight(t *testing.T) {
	key := albActions + "public"
	for what, edit := range map[string]func(*networkingv1.Ingress){
		"a rule":   func(o *networkingv1.Ingress) { o.Spec.Rules[0].Host = "other.example.com" },
		"a path":   func(o *networkingv1.Ingress) { o.Spec.Rules[0].HTTP.Paths[1].Backend.Service.Name = "theirs" },
		"a port":   func(o *networkingv1.Ingress) { o.Spec.Rules[0].HTTP.Paths[1].Backend.Service.Port.Name = "http" },
		"a weight": func(o *networkingv1.Ingress) { o.Annotations[key] = strings.Replace(o.Annotations[key], "20", "90", 1) },
		"a Service": func(o *networkingv1.Ingress) {
			o.Annotations[key] = strings.Replace(o.Annotations[key], "shop-2-web", "theirs", 1)
		},
		"no action":  func(o *networkingv1.Ingress) { delete(o.Annotations, key) },
		"nonsense":   func(o *networkingv1.Ingress) { o.Annotations[key] = "{" },
		"a response": func(o *networkingv1.Ingress) { o.Annotations[key] = `{"type":"fixed-response"}` },
		"nodes":      func(o *networkingv1.Ingress) { o.Annotations[albTargetType] = "instance" },
		"a delay":    func(o *networkingv1.Ingress) { o.Annotations[albAttributes] = "deregistration_delay.timeout_seconds=0" },
		"a condition": func(o *networkingv1.Ingress) {
			o.Annotations[albPrefix+"conditions.public"] = `[{"field":"http-header"}]`
		},
	} {
		t.Run(what, func(t *testing.T) {
			p := play(t, albRoute())
			p.service("shop-1")
			p.service("shop-2")
			p.carry("the first release", 2, "shop-1", 100)
			p.carry("shop-2 at 20", 6, "shop-1", 80, "shop-2", 20)
			p.taken()
			before := p.ingress()
			live := before.DeepCopy()
			edit(live)
			if err := p.client.Update(t.Context(), live); err != nil {
				t.Fatal(err)
			}
			if is := p.look(); is.Current && slices.Equal(is.Weights, weights("shop-1", 80, "shop-2", 20)) {
				t.Errorf("not seen: %+v", is)
			}
			p.carry("again", 7, "shop-1", 80, "shop-2", 20)
			live = p.ingress()
			delete(live.Annotations, v1alpha1.AnnotationSequence)
			delete(before.Annotations, v1alpha1.AnnotationSequence)
			if !equality.Semantic.DeepEqual(live.Spec, before.Spec) || !maps.Equal(live.Annotations, before.Annotations) {
				t.Errorf("left as %v %v", live.Annotations, live.Spec)
			}
		})
	}
}

// What the controller writes of an Ingress stays, and costs no write.
func TestTheControllersOwnStays(t *testing.T) {
	p := play(t, albRoute())
	p.service("shop-1")
	p.carry("the first release", 2, "shop-1", 100)
	live := p.ingress()
	live.Finalizers, live.Annotations["someone.example.com/note"] = []string{"ingress.k8s.aws/resources"}, "kept"
	if err := p.client.Update(t.Context(), live); err != nil {
		t.Fatal(err)
	}
	p.taken()
	if is := p.look(); !is.Current || !is.Verified {
		t.Errorf("%+v", is)
	}
	p.carry("shop-2 is listed", 5, "shop-1", 100, "shop-2", 0)
	if live = p.ingress(); len(live.Finalizers) != 1 || live.Annotations["someone.example.com/note"] != "kept" {
		t.Errorf("%v %v", live.Finalizers, live.Annotations)
	}
}

// Ingresses of one load balancer must not claim the same; others may.
func TestClaimsOfALoadBalancer(t *testing.T) {
	alone, grouped := albRoute(), albRoute()
	grouped.Annotations[albGroup] = "shops"
	if claims := claimsOf(*alone); len(claims) > 0 {
		t.Errorf("it has a load balancer of its own: %v", claims)
	}
	want := []string{"alb/shops|shop.example.com||Prefix", "alb/shops|shop.example.com|/healthz|Exact"}
	if claims := claimsOf(*grouped); !slices.Equal(claims, want) {
		t.Errorf("%v", claims)
	}
	p := play(t, grouped)
	p.carry("the first release", 2, "shop-1", 100)
	if claims := claimsOfLive(p.ingress()); !slices.Equal(claims, want) {
		t.Errorf("as stored: %v", claims)
	}
}

// The Ingress of a route that is gone is still observed.
func TestALeftAction(t *testing.T) {
	p := play(t, albRoute())
	p.service("shop-1")
	p.service("shop-2")
	p.carry("the first release", 2, "shop-1", 100)
	p.carry("shop-2 is listed", 5, "shop-1", 100, "shop-2", 0)
	p.taken()
	left, err := p.Leftovers(t.Context(), everyPort, nil)
	if err != nil || len(left) != 1 {
		t.Fatal(left, err)
	}
	is := left[0].Route
	if !is.Orphaned || !is.Verified || is.Name != "public" || !is.SettleTime.IsZero() || !is.ListedTime.IsZero() || !slices.Equal(is.Weights, weights("shop-1", 100, "shop-2", 0)) {
		t.Errorf("%+v", is)
	}
	if left, err := p.Leftovers(t.Context(), everyPort, []v1alpha1.Route{p.route}); err != nil || len(left) > 0 {
		t.Errorf("%v %v", left, err)
	}
}
