package ingress

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// DefaultSettleALB is settleSeconds of a route with dialect ALB that does not say: its
// controller asks an API of the cloud several times for each write.
const DefaultSettleALB = 30 * time.Second

// Annotations of the AWS Load Balancer Controller.
const (
	albPrefix     = "alb.ingress.kubernetes.io/"
	albActions    = albPrefix + "actions."
	albGroup      = albPrefix + "group.name"
	albTargetType = albPrefix + "target-type"
	albAttributes = albPrefix + "target-group-attributes"
	// albByAction is the port of a backend whose name is that of an action.
	albByAction = "use-annotation"

	delayAttribute = "deregistration_delay.timeout_seconds"
)

// ownAttributes are how attributes of target groups begin that the operator writes itself. A
// target that is sticky by itself wants its rule to be so too, whatever its weight.
var ownAttributes = []string{delayAttribute, "stickiness."}

// action is what an annotation says of where requests go.
type action struct {
	Type    string  `json:"type"`
	Forward forward `json:"forwardConfig"`
}

type forward struct {
	Targets    []target   `json:"targetGroups"`
	Stickiness stickiness `json:"targetGroupStickinessConfig"`
}

// target is the target group of a Service.
type target struct {
	Service string `json:"serviceName"`
	Port    int32  `json:"servicePort"`
	Weight  int32  `json:"weight"`
}

type stickiness struct {
	Enabled bool  `json:"enabled"`
	Seconds int32 `json:"durationSeconds,omitempty"`
}

// isALB says whether an Ingress has an action for its route.
func isALB(live *networkingv1.Ingress) bool {
	_, has := live.Annotations[albActions+live.Labels[v1alpha1.LabelRoute]]
	return has
}

// readAction finds the weights in the action of an Ingress. sound is false where it leads
// elsewhere too, or cannot be read.
func readAction(live *networkingv1.Ingress) (read action, weights []v1alpha1.ReleaseWeight, sound bool) {
	route := live.Labels[v1alpha1.LabelRoute]
	sound = json.Unmarshal([]byte(live.Annotations[albActions+route]), &read) == nil && read.Type == "forward"
	for _, t := range read.Forward.Targets {
		release, _, ok := resources.SplitChildName(t.Service)
		if !ok {
			sound = false
			continue
		}
		weights = append(weights, v1alpha1.ReleaseWeight{ReleaseName: release, WeightPercent: min(max(t.Weight, 0), 100)})
	}
	for _, backend := range backendsOf(live) {
		sound = sound && backend.Service != nil && backend.Service.Name == route && backend.Service.Port.Name == albByAction
	}
	return read, weights, sound && len(weights) > 0
}

// renderAction leads the requests of a route to releases by their weights. lacking names a
// release that has no such port, and of which live, which may be nil, does not tell it either.
func renderAction(t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, live *networkingv1.Ingress) (made leg, lacking string, err error) {
	asked := action{Type: "forward"}
	sticks := route.Ingress.StickinessSeconds != nil && len(weights) > 1
	for _, w := range weights {
		service := resources.ChildName(w.ReleaseName, route.ComponentName)
		port, ok := targetPort(t, route, w.ReleaseName, service, live)
		if !ok {
			return leg{}, w.ReleaseName, nil
		}
		asked.Forward.Targets = append(asked.Forward.Targets, target{Service: service, Port: port, Weight: w.WeightPercent})
		// A cookie goes before the weight: whoever has that of a release without weight would
		// be led there.
		sticks = sticks && w.WeightPercent > 0
	}
	if sticks {
		asked.Forward.Stickiness = stickiness{Enabled: true, Seconds: *route.Ingress.StickinessSeconds}
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return leg{}, "", fmt.Errorf("render the action of route %s: %w", route.Name, err)
	}
	made = renderRules(route, networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{
		Name: route.Name, Port: networkingv1.ServiceBackendPort{Name: albByAction},
	}})
	made.addAsked(route)
	made.annotations[albActions+route.Name] = string(text)
	made.annotations[albTargetType] = "ip" // Nodes as targets would hide which pods are healthy.
	made.annotations[albAttributes] = attributes(made.annotations[albAttributes], route.Ingress.DeregistrationDelaySeconds)
	return made, "", nil
}

// attributes of target groups: what the track asks for, and the delay.
func attributes(asked string, delay *int32) string {
	var all []string
	for _, one := range strings.Split(asked, ",") {
		one = strings.TrimSpace(one)
		if one != "" && !slices.ContainsFunc(ownAttributes, func(own string) bool { return strings.HasPrefix(one, own) }) {
			all = append(all, one)
		}
	}
	seconds := ptr.Deref(delay, int32(rollout.DefaultDeregistrationDelay/time.Second))
	return strings.Join(append(all, delayAttribute+"="+strconv.Itoa(int(seconds))), ",")
}

func targetPort(t traffic.Track, route v1alpha1.Route, release, service string, live *networkingv1.Ingress) (int32, bool) {
	if port, ok := t.Port(release, route.ComponentName, route.PortName); ok {
		return port.Port, true
	}
	if live == nil {
		return 0, false
	}
	read, _, _ := readAction(live)
	i := slices.IndexFunc(read.Forward.Targets, func(t target) bool { return t.Service == service })
	if i < 0 {
		return 0, false
	}
	return read.Forward.Targets[i].Port, true
}

// observeALB is Observe of a route with dialect ALB whose Ingress is there.
func (p *Provider) observeALB(ctx context.Context, t traffic.Track, route v1alpha1.Route, live *networkingv1.Ingress) (traffic.Observed, error) {
	facts, err := p.factsOfAction(ctx, route.Name, live, settleOf(route))
	if err != nil {
		return traffic.Observed{}, err
	}
	asked, rival, err := p.asked(ctx, t, route, live)
	if err != nil {
		return traffic.Observed{}, err
	}
	wanted, lacking, err := renderAction(t, asked, facts.Weights, live)
	if err != nil {
		return traffic.Observed{}, err
	}
	facts.Current = lacking == "" && len(facts.Weights) > 0 && wanted.same(live) && traffic.Goes(live, t)
	switch {
	case rival != nil:
		facts.Reason, facts.Message = traffic.ReasonConflict, rival.message()
		facts.Verified = facts.Verified && !rival.holds(claimsOfLive(live))
	case lacking != "":
		facts.Reason, facts.Message = traffic.ReasonNoPort, fmt.Sprintf("release %s has no port %s of component %s", lacking, route.PortName, route.ComponentName)
	case !facts.Current:
		facts.Reason, facts.Message = traffic.ReasonChanged, fmt.Sprintf("Ingress %s/%s is not what the track asks for, and is put right", t.Namespace, live.Name)
	}
	return traffic.Observed{Route: facts, Object: live}, nil
}

// factsOfAction is what an Ingress says by itself, whatever the track asks for.
func (p *Provider) factsOfAction(ctx context.Context, route string, live *networkingv1.Ingress, settle time.Duration) (rollout.Route, error) {
	key := client.ObjectKeyFromObject(live)
	read, weights, sound := readAction(live)
	facts := rollout.Route{
		Name: route, Type: v1alpha1.RouteIngress, Presence: rollout.Ours, Weights: weights, Sequence: resources.StampOf(live),
		SettleTime: p.sawAt(key, live, nil).Add(settle), ListedTime: p.listings.since(key, live.UID, read, p.now()).Add(settle),
	}
	var err error
	if facts.Reason, facts.Message = p.doubtTaken(ctx, live, !p.now().Before(facts.SettleTime)); facts.Reason == "" {
		facts.Reason, facts.Message, err = p.doubtTargets(ctx, live, read, sound)
	}
	facts.Verified = facts.Reason == ""
	return facts, err
}

// doubtTargets: an action that cannot be read, or that leads to a Service that is not there,
// keeps its controller from taking over anything at all.
func (p *Provider) doubtTargets(ctx context.Context, live *networkingv1.Ingress, read action, sound bool) (reason, message string, err error) {
	if !sound {
		return traffic.ReasonChanged, fmt.Sprintf("Ingress %s/%s was changed by somebody else", live.Namespace, live.Name), nil
	}
	for _, t := range read.Forward.Targets {
		missing, err := p.isMissing(ctx, types.NamespacedName{Namespace: live.Namespace, Name: t.Service})
		if err != nil {
			return "", "", err
		}
		if missing {
			return traffic.ReasonNotResolved, fmt.Sprintf("Ingress %s/%s leads to Service %s, which does not exist", live.Namespace, live.Name, t.Service), nil
		}
	}
	return "", "", nil
}

// applyALB is Apply of a route with dialect ALB.
func (p *Provider) applyALB(ctx context.Context, t traffic.Track, route v1alpha1.Route, write rollout.WriteRoute, live *networkingv1.Ingress) (client.Object, error) {
	asked := route
	if live != nil {
		if err := traffic.CheckStamp(resources.StampOf(live), write.Sequence); err != nil {
			return nil, fmt.Errorf("write Ingress %s/%s: %w", live.Namespace, live.Name, err)
		}
		var err error
		if asked, _, err = p.asked(ctx, t, route, live); err != nil {
			return nil, err
		}
	}
	wanted, lacking, err := renderAction(t, asked, write.Weights, live)
	switch due := (change{name: route.Ingress.Name, live: live, leg: &wanted}); {
	case err != nil:
		return nil, err
	case lacking != "":
		return nil, fmt.Errorf("render Ingress %s/%s: release %s has no port %s of component %s", t.Namespace, route.Ingress.Name, lacking, route.PortName, route.ComponentName)
	case live == nil:
		return nil, p.create(ctx, t, route, write, due)
	case wanted.same(live) && resources.StampOf(live) == write.Sequence && traffic.Goes(live, t):
		return nil, nil
	default:
		return live, p.update(ctx, t, route, write, due)
	}
}

// listings is since when this process knows the Services of actions to be listed. Its zero
// value is empty.
type listings struct {
	mu   sync.Mutex
	seen map[types.NamespacedName]map[string]time.Time
}

// since is since when all Services of an action are listed in an object.
func (l *listings) since(key types.NamespacedName, uid types.UID, read action, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last time.Time
	listed := map[string]time.Time{}
	for _, t := range read.Forward.Targets {
		name := string(uid) + " " + t.Service
		at, known := l.seen[key][name]
		if !known {
			at = now
		}
		if listed[name] = at; at.After(last) {
			last = at
		}
	}
	if l.seen == nil {
		l.seen = map[types.NamespacedName]map[string]time.Time{}
	}
	if len(listed) == 0 {
		delete(l.seen, key)
	} else if !maps.Equal(l.seen[key], listed) {
		l.seen[key] = listed
	}
	return last
}
