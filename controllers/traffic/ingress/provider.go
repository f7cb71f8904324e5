// Package ingress is the traffic provider of routes of type Ingress. Dialect ALB, that of the
// AWS Load Balancer Controller, has one Ingress for each route of the track, owned whole by the
// operator, and one write of it moves all weights (alb.go):
//
//	Ingress <name>
//	  class, rules, tls            as the track's spec says
//	  backend of every path        the action of the route's name, port use-annotation
//	  alb.ingress.kubernetes.io/actions.<route>: a target group for Service R-C of each
//	                               release, with its weight in percent
//
// A release is listed there before it has pods (rollout/listing.go), so that these get the
// readiness gate of their target group. It counts as listed once settleSeconds have passed
// since this process first saw it listed.
//
// Dialect NGINX, that of ingress-nginx, has two Ingresses for each route of the track, owned
// whole by the operator:
//
//	Ingress <name>                 the primary
//	  class, rules, tls            as the track's spec says
//	  backend of every path        Service R-C of the release that has the most
//	Ingress <name>-canary          beside it, while another release has a share or may get one
//	  the same class and rules     Service R-C of that release
//	  nginx.ingress.kubernetes.io/canary: "true", canary-weight: its share, canary-weight-total: "100"
//	annotation strata.dev/sequence on both: the record that they were written for
//
// One write cannot move both, and so a move may take several; next (legs.go) says which
// comes when, and why no request is lost in between. Each is made by an Apply of its own,
// from what was observed then: an operator that dies after any of them is followed by one
// that goes on from there, or withdraws.
//
// What proves a write. Nothing in an Ingress says which generation its controller has
// taken over. So a write counts once all of this holds:
//
//   - both have an address in status.loadBalancer: the controller of their class has taken
//     them (in a generation before, maybe);
//   - the Services that they lead to exist; that these have ready endpoints is asked before a
//     weight is raised, in the same observation;
//   - the primary need not move any more;
//   - settleSeconds have passed since this process first saw both Ingresses as they are.
//     After a restart they begin anew, but for what a record says was confirmed before.
//
// The last is a wait and no proof: docs/traffic/ingress-nginx.md says what it must cover.
package ingress

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// DefaultSettle is settleSeconds of a route that does not say. ingress-nginx syncs three
// times in ten seconds at most, reloads, and then each worker looks once a second.
const DefaultSettle = 10 * time.Second

// agedAfter is the age of an Ingress by which another one that is made is younger: times
// of creation are whole seconds.
const agedAfter = 2 * time.Second

// Provider reads and writes Ingresses.
type Provider struct {
	// client reads from the cache, which holds what carries the operator's labels.
	client client.Client
	// live reads from the API server.
	live client.Reader
	now  func() time.Time

	waiting traffic.Waiting
	others  others

	// sights of the Ingresses of a route, by the primary's name.
	sights traffic.Sights
	// listings of those with dialect ALB, likewise.
	listings listings

	mu sync.Mutex
	// noCanary are the names of canaries that were not there on a live read, and that
	// this process has not created since.
	noCanary map[types.NamespacedName]bool
}

// New makes the provider; now is the clock. It reads by Indexes and by those of
// traffic.SetupIndexes.
func New(client client.Client, live client.Reader, now func() time.Time) *Provider {
	return &Provider{client: client, live: live, now: now, noCanary: map[types.NamespacedName]bool{}}
}

var _ traffic.Provider = &Provider{}

// Sources implements traffic.Provider.
func (p *Provider) Sources(c cache.Cache) []source.Source {
	return []source.Source{source.Kind[client.Object](c, &networkingv1.Ingress{}, p.Handler())}
}

// Handler asks for the track of an Ingress, and for the tracks that wait for what it
// claims, or did until now.
func (p *Provider) Handler() handler.EventHandler { return p.waiting.Handler(byClaim) }

// pair are the two Ingresses of a route, as they were read; nil while they are missing.
type pair struct {
	primary, canary *networkingv1.Ingress
	// taken: the canary's name is somebody else's.
	taken bool
	legs
	// settleTime is when what was written last is taken to be in force.
	settleTime time.Time
}

// Observe implements traffic.Provider.
func (p *Provider) Observe(ctx context.Context, t traffic.Track, route v1alpha1.Route) (traffic.Observed, error) {
	facts := rollout.Route{Name: route.Name, Type: route.Type}
	if !supported(route) {
		facts.Reason = traffic.ReasonUnsupported
		facts.Message = "routes of type Ingress need ingress.dialect NGINX or ALB: this operator knows no other"
		return traffic.Observed{Route: facts}, nil
	}
	key := types.NamespacedName{Namespace: t.Namespace, Name: route.Ingress.Name}
	primary := &networkingv1.Ingress{}
	found, err := traffic.Find(ctx, p.client, p.live, key, primary)
	if err != nil {
		return traffic.Observed{}, fmt.Errorf("get Ingress %s: %w", key, err)
	}
	if found && !traffic.Owned(primary, t, route.Name) {
		facts.Presence, facts.Reason, facts.Message = rollout.Foreign, traffic.ReasonNameTaken, taken(key)
		return traffic.Observed{Route: facts}, nil
	}
	both := pair{}
	switch {
	case found && byAction(route):
		return p.observeALB(ctx, t, route, primary)
	case byAction(route):
		p.sawAt(key, nil, nil)
		return p.observeMissing(ctx, t, route, both)
	case found:
		both.primary = primary
	}
	if both.canary, both.taken, err = p.findCanary(ctx, t, route); err != nil {
		return traffic.Observed{}, err
	}
	if err := p.complete(ctx, &both, key, route.PortName, settleOf(route)); err != nil {
		return traffic.Observed{}, err
	}
	if both.primary == nil {
		return p.observeMissing(ctx, t, route, both)
	}
	return p.observeOurs(ctx, t, route, both)
}

func supported(route v1alpha1.Route) bool {
	return route.Ingress != nil && (route.Ingress.Dialect == v1alpha1.DialectNGINX || byAction(route))
}

// byAction says whether a route has dialect ALB.
func byAction(route v1alpha1.Route) bool { return route.Ingress.Dialect == v1alpha1.DialectALB }

func settleOf(route v1alpha1.Route) time.Duration {
	switch {
	case route.Ingress.SettleSeconds != nil:
		return time.Duration(*route.Ingress.SettleSeconds) * time.Second
	case byAction(route):
		return DefaultSettleALB
	}
	return DefaultSettle
}

func taken(key types.NamespacedName) string {
	return fmt.Sprintf("Ingress %s is not of this route: it is left as it is; delete or rename it, or name another in the route", key)
}

// findCanary asks the API server once where the cache has no canary: a settled route has
// none, and is not to cost a request each time.
func (p *Provider) findCanary(ctx context.Context, t traffic.Track, route v1alpha1.Route) (canary *networkingv1.Ingress, taken bool, err error) {
	key := types.NamespacedName{Namespace: t.Namespace, Name: canaryName(route.Ingress.Name)}
	canary = &networkingv1.Ingress{}
	err = p.client.Get(ctx, key, canary, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) && !p.isAbsent(key) {
		err = p.live.Get(ctx, key, canary)
	}
	switch {
	case apierrors.IsNotFound(err):
		p.setAbsent(key, true)
		return nil, false, nil
	case err != nil:
		return nil, false, fmt.Errorf("get Ingress %s: %w", key, err)
	case !traffic.Owned(canary, t, route.Name):
		return nil, true, nil
	}
	p.setAbsent(key, false)
	return canary, false, nil
}

func (p *Provider) isAbsent(key types.NamespacedName) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.noCanary[key]
}

func (p *Provider) setAbsent(key types.NamespacedName, absent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if absent {
		p.noCanary[key] = true
	} else {
		delete(p.noCanary, key)
	}
}

// complete reads the legs of a pair, and since when they are as they are.
func (p *Provider) complete(ctx context.Context, both *pair, key types.NamespacedName, portName string, settle time.Duration) error {
	both.legs = readLegs(both.primary, both.canary)
	if both.primary != nil {
		ready, err := p.ready(ctx, both.primary, portName)
		if err != nil {
			return err
		}
		both.alive = ready > 0
	}
	both.settleTime = p.sawAt(key, both.primary, both.canary).Add(settle)
	both.settled, both.aged = !p.now().Before(both.settleTime), true
	for _, live := range both.there() {
		both.aged = both.aged && !p.now().Before(live.CreationTimestamp.Add(agedAfter))
	}
	return nil
}

// ready is the fewest ready endpoints that a Service has which an Ingress leads to.
func (p *Provider) ready(ctx context.Context, live *networkingv1.Ingress, portName string) (int, error) {
	fewest := -1
	for _, backend := range backendsOf(live) {
		if backend.Service == nil {
			return 0, nil
		}
		pods, err := traffic.ReadyPods(ctx, p.client, live.Namespace, backend.Service.Name, portName)
		if err != nil {
			return 0, err
		}
		if fewest < 0 || len(pods) < fewest {
			fewest = len(pods)
		}
	}
	return max(fewest, 0), nil
}

// sawAt is since when this process knows the Ingresses of a route as they are.
func (p *Provider) sawAt(key types.NamespacedName, primary, canary *networkingv1.Ingress) time.Time {
	look := ""
	if primary != nil || canary != nil {
		look = lookOf(primary) + " " + lookOf(canary)
	}
	return p.sights.Since(key, look, p.now())
}

// lookOf is all of an Ingress that its controller goes by, as a hash: the stamp is not of
// it, nor what others annotate.
func lookOf(live *networkingv1.Ingress) string {
	if live == nil {
		return ""
	}
	annotations := maps.Clone(live.Annotations)
	maps.DeleteFunc(annotations, func(key, _ string) bool { return !ofDialect(key) })
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %q", live.UID, live.Generation, annotations))
	return hex.EncodeToString(sum[:8])
}

func (p *Provider) observeMissing(ctx context.Context, t traffic.Track, route v1alpha1.Route, both pair) (traffic.Observed, error) {
	facts := rollout.Route{
		Name: route.Name, Type: route.Type, Weights: both.weights(), Reason: traffic.ReasonMissing,
		Message: fmt.Sprintf("Ingress %s/%s does not exist yet", t.Namespace, route.Ingress.Name),
	}
	rival, err := p.rival(ctx, t, claimsOf(*route.Ingress), nil)
	if err != nil {
		return traffic.Observed{}, err
	}
	if rival != nil {
		// Somebody else's traffic: nothing is created, as with a name that is taken.
		facts.Presence, facts.Reason, facts.Message = rollout.Foreign, traffic.ReasonConflict, rival.message()
	}
	return observed(facts, both), nil
}

func observed(facts rollout.Route, both pair) traffic.Observed {
	seen := traffic.Observed{Route: facts}
	if both.primary != nil {
		seen.Object = both.primary
	}
	if both.canary != nil {
		seen.Beside = both.canary
	}
	return seen
}

func (p *Provider) observeOurs(ctx context.Context, t traffic.Track, route v1alpha1.Route, both pair) (traffic.Observed, error) {
	facts, err := p.factsOf(ctx, both, route)
	if err != nil {
		return traffic.Observed{}, err
	}
	asked, rival, err := p.asked(ctx, t, route, both.primary)
	if err != nil {
		return traffic.Observed{}, err
	}
	change, lacking := p.repair(t, asked, both)
	due := both.moving() && (both.settled || !both.alive) || both.canary != nil && !both.fit && both.aged
	facts.Current = change == nil && lacking == "" && !due && goes(both, t)
	switch {
	case rival != nil:
		facts.Reason, facts.Message = traffic.ReasonConflict, rival.message()
		// What the primary claims itself may be another's by now. Then its weights mean
		// nothing.
		if rival.holds(claimsOfLive(both.primary)) {
			facts.Verified = false
		}
	case lacking != "":
		facts.Reason, facts.Message = traffic.ReasonNoPort, fmt.Sprintf("release %s has no port %s of component %s", lacking, route.PortName, route.ComponentName)
	case change != nil:
		facts.Reason, facts.Message = traffic.ReasonChanged, fmt.Sprintf("Ingress %s/%s is not what the track asks for, and is put right", t.Namespace, change.name)
	case both.taken:
		facts.Verified, facts.Reason = false, traffic.ReasonNameTaken
		facts.Message = taken(types.NamespacedName{Namespace: t.Namespace, Name: canaryName(route.Ingress.Name)})
	}
	return observed(facts, both), nil
}

func goes(both pair, t traffic.Track) bool {
	return traffic.Goes(both.primary, t) && (both.canary == nil || traffic.Goes(both.canary, t))
}

// asked is what a route asks for. While somebody else holds what it claims, it keeps the
// claim that it has, so that weights can still move.
func (p *Provider) asked(ctx context.Context, t traffic.Track, route v1alpha1.Route, live *networkingv1.Ingress) (v1alpha1.Route, *rival, error) {
	rival, err := p.rival(ctx, t, claimsOf(*route.Ingress), live)
	if rival == nil || err != nil {
		return route, nil, err
	}
	kept := *route.Ingress
	if group := live.Annotations[albGroup]; group != "" {
		kept.Annotations = maps.Clone(kept.Annotations)
		if kept.Annotations == nil {
			kept.Annotations = map[string]v1alpha1.AnnotationValue{}
		}
		kept.Annotations[albGroup] = v1alpha1.AnnotationValue(group)
	}
	kept.ClassName, kept.Rules = ptr.Deref(live.Spec.IngressClassName, ""), nil
	for _, rule := range live.Spec.Rules {
		made := v1alpha1.IngressRule{Host: rule.Host}
		if rule.HTTP != nil {
			for _, path := range rule.HTTP.Paths {
				made.Paths = append(made.Paths, v1alpha1.IngressPath{Path: path.Path, PathType: string(ptr.Deref(path.PathType, ""))})
			}
		}
		kept.Rules = append(kept.Rules, made)
	}
	route.Ingress = &kept
	return route, rival, nil
}

// factsOf is what the Ingresses say by themselves, whatever the track asks for.
func (p *Provider) factsOf(ctx context.Context, both pair, route v1alpha1.Route) (rollout.Route, error) {
	facts := rollout.Route{
		Name: route.Name, Type: v1alpha1.RouteIngress, Presence: rollout.Ours, Weights: both.weights(),
		Sequence: resources.StampOf(both.primary), SettleTime: both.settleTime,
	}
	facts.Newest = facts.Sequence
	if both.canary != nil {
		stamp := resources.StampOf(both.canary)
		facts.Sequence, facts.Newest = min(facts.Sequence, stamp), max(facts.Newest, stamp)
	}
	reason, message, err := p.doubt(ctx, both)
	facts.Reason, facts.Message, facts.Verified = reason, message, reason == ""
	return facts, err
}

// doubt says why the Ingresses do not prove what they say; "" when they do, once they have
// settled.
func (p *Provider) doubt(ctx context.Context, both pair) (reason, message string, err error) {
	if reason, message = p.doubtTaken(ctx, both.primary, both.settled); reason != "" {
		return reason, message, nil
	}
	class := ptr.Deref(both.primary.Spec.IngressClassName, "")
	for _, live := range both.there() {
		missing, err := p.serviceMissing(ctx, live)
		if err != nil {
			return "", "", err
		}
		if missing != "" {
			return traffic.ReasonNotResolved, fmt.Sprintf("Ingress %s/%s leads to Service %s, which does not exist", live.Namespace, live.Name, missing), nil
		}
	}
	if canary := both.canary; canary != nil && len(canary.Status.LoadBalancer.Ingress) == 0 {
		return traffic.ReasonNotReported, fmt.Sprintf("Ingress %s/%s has no address in status.loadBalancer: the controller of IngressClass %s has not taken it yet", canary.Namespace, canary.Name, class), nil
	}
	if both.canary != nil && !both.fit {
		return traffic.ReasonSettling, fmt.Sprintf("Ingress %s/%s is not younger than its primary, and is made anew", both.canary.Namespace, both.canary.Name), nil
	}
	if both.moving() {
		return traffic.ReasonSettling, fmt.Sprintf("the canary has all requests; Ingress %s/%s follows it", both.primary.Namespace, both.primary.Name), nil
	}
	return "", "", nil
}

// doubtTaken says why the controller of an Ingress may not have taken it at all.
func (p *Provider) doubtTaken(ctx context.Context, live *networkingv1.Ingress, settled bool) (reason, message string) {
	class, taken := ptr.Deref(live.Spec.IngressClassName, ""), len(live.Status.LoadBalancer.Ingress) > 0
	if (!taken || !settled) && p.classMissing(ctx, class) {
		return traffic.ReasonClassMissing, fmt.Sprintf("IngressClass %s does not exist: install its controller, or correct className", class)
	}
	if !taken {
		return traffic.ReasonNotReported, fmt.Sprintf("Ingress %s/%s has no address in status.loadBalancer: the controller of IngressClass %s has not taken it yet, or publishes no status",
			live.Namespace, live.Name, class)
	}
	return "", ""
}

// serviceMissing names a Service that an Ingress leads to and that is not there.
func (p *Provider) serviceMissing(ctx context.Context, live *networkingv1.Ingress) (string, error) {
	for _, backend := range backendsOf(live) {
		if backend.Service == nil {
			continue
		}
		missing, err := p.isMissing(ctx, types.NamespacedName{Namespace: live.Namespace, Name: backend.Service.Name})
		if err != nil {
			return "", err
		}
		if missing {
			return backend.Service.Name, nil
		}
	}
	return "", nil
}

func (p *Provider) isMissing(ctx context.Context, service types.NamespacedName) (bool, error) {
	err := p.client.Get(ctx, service, &corev1.Service{}, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("get Service %s: %w", service, err)
	}
	return false, nil
}

// classMissing says of an Ingress that nobody takes why that is. An error leaves it open:
// the route is not verified for that.
func (p *Provider) classMissing(ctx context.Context, name string) bool {
	class := &metav1.PartialObjectMetadata{}
	class.SetGroupVersionKind(networkingv1.SchemeGroupVersion.WithKind("IngressClass"))
	return apierrors.IsNotFound(p.live.Get(ctx, types.NamespacedName{Name: name}, class))
}
