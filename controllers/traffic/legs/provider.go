// Package legs is what those traffic providers have in common whose route is one object of
// a kind that the cluster may lack, and whose router confirms nothing and spoils requests
// that it has no endpoints for. A package of each router says how its object is written and
// read: see Router.
//
//	annotation strata.dev/weights   what the newest record says: shop-1 80, shop-2 20
//	spec                            a leg for each release that has weight and ready endpoints
//	annotation strata.dev/sequence  that record
//
// A leg stands only while its release can serve. What a leg that does not stand would have
// goes to those that do: a release that dies costs no requests but those that meet it before
// the object is written, and gets its own share again when it is back. That is no decision:
// the planner sees the weights that were recorded, and that one of them is not resolved, and
// decides what becomes of the release. Where nobody can serve, the object stays as it is.
//
// What proves a write. Such an object has no status. So a write counts once it was read back
// as it was asked for, every release that has weight has a leg, the Services of all legs
// exist, and settleSeconds have passed since this process first saw the object so. After a
// restart they begin anew, but for what a record says was confirmed before. The last is a
// wait and no proof.
package legs

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// Router is how one router is told where requests go.
type Router struct {
	Type v1alpha1.RouteType
	// Kind of the route object.
	Kind schema.GroupVersionKind
	// Missing is the reason of a route whose kind the cluster lacks, and Install what to do.
	Missing, Install string
	// Asked is the name of the object that a route asks for, and how long it is given;
	// ok is false where the route is not of this type.
	Asked func(route v1alpha1.Route) (name string, settle time.Duration, ok bool)
	// Render makes the spec of the object, which leads to the legs; and some requests to the
	// preview, where that is not nil.
	Render func(route v1alpha1.Route, legs []Leg, preview *Leg) map[string]any
	// Read finds the legs in a spec, but for that of a preview. ok is false where it leads elsewhere too, or says of
	// a leg what no leg says; legs are then those that it may lead to.
	Read func(spec map[string]any) (legs []Leg, ok bool)
}

// Provider reads and writes the route objects of one router.
type Provider struct {
	router Router
	// cached reads from the cache, which holds what carries the operator's labels.
	cached client.Reader
	client client.Client
	// live reads from the API server.
	live client.Reader
	now  func() time.Time

	absent  traffic.Absent
	waiting traffic.Waiting
	sights  traffic.Sights
}

// New makes the provider of a router; now is the clock. Its Sources must be started for the
// indexes that Observe reads by.
func New(router Router, cached client.Reader, c client.Client, live client.Reader, now func() time.Time) *Provider {
	return &Provider{router: router, cached: cached, client: c, live: live, now: now}
}

var _ traffic.Provider = &Provider{}

func (p *Provider) object() *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(p.router.Kind)
	return object
}

// Sources implements traffic.Provider: a watch that starts when the cluster serves the kind.
func (p *Provider) Sources(c cache.Cache) []source.Source {
	return []source.Source{&traffic.KindSource{
		Kind: p.router.Kind, Object: p.object(), Mapper: p.client.RESTMapper(), Cache: c,
		Index: p.router.Indexes, Handler: p.Handler(), Absent: &p.absent, Waiting: &p.waiting, Found: string(p.router.Type) + "Found",
	}}
}

// Indexes registers the index that the provider reads by.
func (r Router) Indexes(ctx context.Context, indexer client.FieldIndexer) error {
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(r.Kind)
	if err := indexer.IndexField(ctx, object, traffic.IndexTrack, traffic.ByTrack); err != nil {
		return fmt.Errorf("index %ss by track: %w", r.Kind.Kind, err)
	}
	return nil
}

// Handler asks for the track of a route object.
func (p *Provider) Handler() handler.EventHandler {
	return p.waiting.Handler(func(client.Object) []string { return nil })
}

// Observe implements traffic.Provider.
func (p *Provider) Observe(ctx context.Context, t traffic.Track, route v1alpha1.Route) (traffic.Observed, error) {
	facts := rollout.Route{Name: route.Name, Type: route.Type}
	name, settle, ok := p.router.Asked(route)
	if !ok {
		facts.Reason, facts.Message = traffic.ReasonUnsupported, fmt.Sprintf("the route names no %s", p.router.Kind.Kind)
		return traffic.Observed{Route: facts}, nil
	}
	key, live := types.NamespacedName{Namespace: t.Namespace, Name: name}, p.object()
	found, err := p.absent.Find(ctx, p.router.Kind.Kind, p.cached, p.live, key, live)
	switch {
	case traffic.KindMissing(err):
		facts.Reason, facts.Message = p.router.Missing, fmt.Sprintf("the cluster does not serve %s of %s: %s", p.router.Kind.Kind, p.router.Kind.GroupVersion(), p.router.Install)
		p.waiting.Add(p.router.Kind.Kind, t)
		return traffic.Observed{Route: facts}, nil
	case err != nil:
		return traffic.Observed{}, fmt.Errorf("get %s %s: %w", p.router.Kind.Kind, key, err)
	case !found:
		p.sights.Since(key, "", p.now())
		facts.Reason, facts.Message = traffic.ReasonMissing, fmt.Sprintf("%s %s does not exist yet", p.router.Kind.Kind, key)
		return traffic.Observed{Route: facts}, nil
	case !traffic.Owned(live, t, route.Name):
		facts.Presence, facts.Reason = rollout.Foreign, traffic.ReasonNameTaken
		facts.Message = fmt.Sprintf("%s %s is not of this route: it is left as it is; delete or rename it, or name another in the route", p.router.Kind.Kind, key)
		return traffic.Observed{Route: facts}, nil
	}
	carried := p.read(live)
	facts, err = p.factsOf(ctx, live, carried)
	if err != nil {
		return traffic.Observed{}, err
	}
	facts.SettleTime = p.sights.Since(key, fmt.Sprint(live.GetUID(), live.GetGeneration()), p.now()).Add(settle)
	wanted, lacking, err := p.wanted(ctx, t, route, facts.Weights, carried)
	if err != nil {
		return traffic.Observed{}, err
	}
	facts.Current = lacking == "" && carried.sound && same(wanted, live) && traffic.Goes(live, t)
	switch {
	case lacking != "":
		facts.Reason, facts.Message = traffic.ReasonNoPort, noPort(lacking, route)
	case !facts.Current:
		facts.Reason, facts.Message = traffic.ReasonChanged, fmt.Sprintf("%s %s is not what the track asks for, and is put right", p.router.Kind.Kind, key)
	}
	return traffic.Observed{Route: facts, Object: live}, nil
}

// carried is what an object says.
type carried struct {
	legs []Leg
	// asked is what it says of the record; what its legs say, where nobody can tell.
	asked []v1alpha1.ReleaseWeight
	// sound: the legs are a part of what is asked for, and it leads nowhere else.
	sound bool
}

func (p *Provider) read(live *unstructured.Unstructured) carried {
	var c carried
	spec, _ := live.Object["spec"].(map[string]any)
	c.legs, c.sound = p.router.Read(spec)
	c.asked = noted(live.GetAnnotations()[v1alpha1.AnnotationWeights])
	if c.sound = c.sound && partOf(c.asked, weightsOf(c.legs)); !c.sound {
		c.asked = weightsOf(c.legs)
	}
	return c
}

// factsOf is what an object says by itself, whatever the track asks for.
func (p *Provider) factsOf(ctx context.Context, live *unstructured.Unstructured, c carried) (rollout.Route, error) {
	facts := rollout.Route{
		Name: live.GetLabels()[v1alpha1.LabelRoute], Type: p.router.Type, Presence: rollout.Ours,
		Sequence: resources.StampOf(live), Weights: c.asked,
	}
	reason, message, err := p.doubt(ctx, live, c)
	facts.Reason, facts.Message, facts.Verified = reason, message, reason == ""
	return facts, err
}

// doubt says why an object does not carry what it was asked for, however long one waits;
// "" where it does.
func (p *Provider) doubt(ctx context.Context, live *unstructured.Unstructured, c carried) (reason, message string, err error) {
	name := fmt.Sprintf("%s %s/%s", p.router.Kind.Kind, live.GetNamespace(), live.GetName())
	if !c.sound {
		return traffic.ReasonChanged, name + " was changed by somebody else", nil
	}
	for _, leg := range c.legs {
		err := p.cached.Get(ctx, types.NamespacedName{Namespace: live.GetNamespace(), Name: leg.Service}, &corev1.Service{})
		if apierrors.IsNotFound(err) {
			return traffic.ReasonNotResolved, fmt.Sprintf("%s leads to Service %s, which does not exist", name, leg.Service), nil
		}
		if err != nil {
			return "", "", fmt.Errorf("get Service %s/%s: %w", live.GetNamespace(), leg.Service, err)
		}
	}
	if out := leftOut(c.asked, weightsOf(c.legs)); out != "" {
		return traffic.ReasonNotResolved, fmt.Sprintf("release %s has no ready endpoints: %s leaves it out, and the others have its share", out, name), nil
	}
	return "", "", nil
}

func noPort(release string, route v1alpha1.Route) string {
	return fmt.Sprintf("release %s has no port %s of component %s", release, route.PortName, route.ComponentName)
}
