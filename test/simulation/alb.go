package simulation

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/test/world"
)

// The Ingress with an action that tracks of the world name.
const (
	albName    = "shop-alb"
	albActions = "alb.ingress.kubernetes.io/actions."
	// albHealthy is how long a load balancer checks a target before that is healthy.
	albHealthy = time.Second
	albGate    = "target-health.elbv2.k8s.aws/"
)

// balancer is the AWS Load Balancer Controller with its load balancer. It takes over what it
// was told within edgeSettles, as nothing in an Ingress says; but nothing at all of an action
// that leads to a Service which is not there, beside others.
type balancer struct {
	// has is what it goes by; next what it takes over when due, zero: nothing.
	has, next albAction
	due       time.Time
	// since is from when on it checks the targets of a release.
	since map[string]time.Time
}

// albAction is what an action says.
type albAction struct {
	weights []v1alpha1.ReleaseWeight
	// sticky: cookies go before weights.
	sticky bool
}

func (a albAction) lists(release string) bool {
	return slices.ContainsFunc(a.weights, func(s v1alpha1.ReleaseWeight) bool { return s.ReleaseName == release })
}

// byALB says whether an Ingress has an action.
func byALB(o *networkingv1.Ingress) bool { return o.Name == albName }

// actionOf an Ingress, nil for none.
func actionOf(o *networkingv1.Ingress) albAction {
	var read albAction
	if o == nil {
		return read
	}
	var action struct {
		ForwardConfig struct {
			TargetGroups []struct {
				ServiceName string
				Weight      int32
			}
			TargetGroupStickinessConfig struct{ Enabled bool }
		}
	}
	for key, text := range o.Annotations {
		if strings.HasPrefix(key, albActions) {
			must(json.Unmarshal([]byte(text), &action))
		}
	}
	for _, t := range action.ForwardConfig.TargetGroups {
		read.weights = append(read.weights, v1alpha1.ReleaseWeight{ReleaseName: releaseOf(t.ServiceName), WeightPercent: t.Weight})
	}
	read.sticky = action.ForwardConfig.TargetGroupStickinessConfig.Enabled
	return read
}

// tellALB: the Ingress was changed.
func (w *World) tellALB() {
	w.playALB()
	w.alb.next = actionOf(on[networkingv1.Ingress](&w.store, ingresses, albName))
	if w.alb.due.IsZero() {
		w.alb.due = w.Now.Add(w.routerDelay)
	}
}

// playALB lets the controller take over what is due.
func (w *World) playALB() {
	b := &w.alb
	if b.due.IsZero() || w.Now.Before(b.due) || len(b.next.weights) > 1 && !w.targetsThere(b.next) {
		return
	}
	if world.Backends(b.next.weights) != world.Backends(b.has.weights) {
		w.tell("~ wire %s: %s", albName, world.Backends(b.next.weights))
	}
	before := b.has
	b.has, b.due = b.next, time.Time{}
	for _, s := range b.has.weights {
		if before.lists(s.ReleaseName) {
			continue
		}
		if b.since == nil {
			b.since = map[string]time.Time{}
		}
		b.since[s.ReleaseName] = w.Now
		w.wakePods(s.ReleaseName) // Its targets are new: none is healthy yet.
	}
}

func (w *World) targetsThere(action albAction) bool {
	for _, s := range action.weights {
		if w.shelves[services].get(resources.ChildName(s.ReleaseName, "web")) == nil {
			return false
		}
	}
	return true
}

// gate gives a pod its readiness gate as it is created, if its Service has a target group.
func (w *World) gate(pod *corev1.Pod) {
	w.playALB()
	if pod.Labels[v1alpha1.LabelComponent] == "web" && w.alb.has.lists(pod.Labels[v1alpha1.LabelRelease]) {
		pod.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(albGate + pod.Labels[v1alpha1.LabelRelease])}}
	}
}

// targetHealthy says whether the gate of a pod is open: it has none, its target group is gone,
// or its load balancer has found it healthy. Until then it is looked at again.
func (w *World) targetHealthy(pod *corev1.Pod) bool {
	release := pod.Labels[v1alpha1.LabelRelease]
	if len(pod.Spec.ReadinessGates) == 0 {
		return true
	}
	w.playALB()
	healthy := w.alb.since[release].Add(albHealthy)
	if !w.alb.has.lists(release) || !w.Now.Before(healthy) {
		return true
	}
	w.do(kubelet, pod.Name, healthy)
	return false
}

// checkALB: the action carries what a record has set, after each write; weight is raised only
// onto what has ready endpoints, as the writer saw them, and what the load balancer knows; and
// no cookie of a former rollout leads to a release without weight.
func (w *World) checkALB(p *process, write written) {
	w.checkRoute(p, write)
	if write.after == nil {
		return
	}
	now, before := actionOf(write.after.(*networkingv1.Ingress)), albAction{}
	if was, ok := write.before.(*networkingv1.Ingress); ok {
		before = actionOf(was)
	}
	if len(now.weights) > 5 {
		w.violate("Listed", "%s: an action has at most 5 target groups", write)
	}
	w.playALB()
	for _, s := range now.weights {
		if now.sticky && s.WeightPercent == 0 {
			w.violate("Sticky", "%s: cookies may lead to %s", write, s.ReleaseName)
		}
		if s.WeightPercent > 0 && sum(before.weights) > 0 && shareOf(before.weights, s.ReleaseName) == 0 && !w.alb.has.lists(s.ReleaseName) {
			w.violate("Listed", "%s: %s gets its first weight, and the load balancer does not know it", write, s.ReleaseName)
		}
	}
}

// checkListed: before a release without weight gets pods, the load balancer knows it; unless
// what serves is down or deleted, as the writer saw it, or the Ingress is gone.
func (w *World) checkListed(p *process, write written, r *v1alpha1.ImmutableRelease) {
	state := p.seen.state()
	i := slices.IndexFunc(state.Live, func(l v1alpha1.LiveRelease) bool { return l.UID == r.UID })
	if i < 0 || state.Live[i].ZeroTime == nil || write.after.(*appsv1.Deployment).Labels[v1alpha1.LabelComponent] != "web" {
		return
	}
	for _, spec := range routesOf(p.seen.track) {
		if spec.Ingress == nil || spec.Ingress.Dialect != v1alpha1.DialectALB {
			continue
		}
		for _, route := range state.Routes {
			if route.Name != spec.Name || len(route.Weights) == 0 || !w.serves(p, route) {
				continue
			}
			if w.playALB(); !w.alb.has.lists(r.Name) {
				w.violate("Listed", "%s: the load balancer knows %s, and its pods get no readiness gates", write, world.Backends(w.alb.has.weights))
			}
		}
	}
}

// serves says whether all that has weight by a route is there and has ready endpoints, as a
// writer saw it.
func (w *World) serves(p *process, route v1alpha1.RouteState) bool {
	for _, s := range route.Weights {
		there := p.seen.lists[releases].get(s.ReleaseName) != nil
		if s.WeightPercent > 0 && (!there || p.seen.endpoints(resources.ChildName(s.ReleaseName, "web")) == 0) {
			return false
		}
	}
	return true
}

// checkRestALB: at rest the action says what the newest record says.
func (w *World) checkRestALB(state v1alpha1.RouteState) {
	object := on[networkingv1.Ingress](&w.store, ingresses, albName)
	if says := actionOf(object).weights; object != nil && world.Shares(says) != world.Shares(state.Weights) {
		w.violate("Carried", "%s has %s, and the newest record says %s", albName, world.Shares(says), world.Shares(state.Weights))
	}
}
