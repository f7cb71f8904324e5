package rollout

import (
	"fmt"
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Some routers have to list a release before it has pods: an Application Load Balancer, of
// an Ingress with dialect ALB. Its controller gives pods the readiness gate of their target
// group as they are created, and only those whose Service the route lists; and it checks the
// health of targets only in groups that a route lists. So
//
//	Services -> listed at weight 0, and taken over -> Deployments -> ... -> weight
//
// and what was not listed gets weight only after it was, at weight 0.

// listsFirst says whether the router of a route has to list a release before it has pods.
func listsFirst(route v1alpha1.Route) bool {
	return route.Ingress != nil && route.Ingress.Dialect == v1alpha1.DialectALB
}

// unlisted says why a release without weight gets no pods yet: a route that has to list it
// first does not, or its router was not seen to have taken that over. What has nobody to wait
// for is not asked: before any weight there is no route object, and with a baseline that is
// gone the router may be unable to take anything over.
func (v view) unlisted(r *Release) (reason, message string, blocked bool) {
	for _, route := range v.routes {
		state, seen := v.routeState(route.Name), v.observedRoute(route.Name)
		if !listsFirst(route) || state == nil || len(state.Weights) == 0 || !r.hasPort(route) || v.takenOver(seen, r.Name) {
			continue
		}
		if (seen == nil || !seen.Verified) && v.heldBack() {
			continue
		}
		reason, message = "BackendNotListed", fmt.Sprintf("route %s does not list %s yet, or its router is given time to take that over: pods get their readiness gates only after that", route.Name, r.Name)
		if seen != nil && seen.Reason != "" {
			reason, message = seen.Reason, seen.Message
		}
		return reason, message, true
	}
	return "", "", false
}

// takenOver says whether a router lists a release, and was seen to know that.
func (v view) takenOver(seen *Route, name string) bool {
	return seen != nil && seen.Presence == Ours && seen.Verified && listed(seen.Weights, name) && !v.Now.Before(seen.ListedTime)
}

// raisesOntoListed says whether no release gets its first weight of a route before its router
// knows it. Where nobody has any, as in an object that is created, nobody is served yet.
func (v view) raisesOntoListed(route v1alpha1.Route, seen *Route, want []v1alpha1.ReleaseWeight) bool {
	if !listsFirst(route) || len(positive(seen.Weights)) == 0 {
		return true
	}
	return !slices.ContainsFunc(want, func(w v1alpha1.ReleaseWeight) bool {
		fresh := w.WeightPercent > 0 && share(seen.Weights, w.ReleaseName) == 0
		return fresh && !(listed(seen.Weights, w.ReleaseName) && !v.Now.Before(seen.ListedTime))
	})
}

// leadsAstray says whether a router that binds clients to what they met leaves out a release
// without weight while several have some: else the cookie of a former rollout would lead
// there. What is about to get weight is listed all the same.
func (v view) leadsAstray(route v1alpha1.Route, state v1alpha1.RouteState, live v1alpha1.LiveRelease) bool {
	return bindsClients(route) && len(positive(state.Weights)) > 1 &&
		live.Recall == nil && weightIn(v.state.Routes, live.Name) == 0
}

// bindsClients says whether the router of a route keeps clients by their cookie on a release
// that is listed, whatever its weight. The Gateway API demands that.
func bindsClients(route v1alpha1.Route) bool {
	return route.Ingress != nil && route.Ingress.StickinessSeconds != nil || route.GatewayAPI != nil && route.GatewayAPI.StickyCookieName != ""
}

// ReasonSessions: a track wants clients to stay with the release that they met, and the
// cluster does not keep what a route object says of that.
const ReasonSessions = "SessionPersistenceMissing"

// unkept: what a track asks of its routes is dropped.
func unkept(v view) *v1alpha1.BlockedBy {
	for _, route := range v.Routes {
		if route.Unkept != "" {
			return &v1alpha1.BlockedBy{Gate: "RoutesFree", Reason: ReasonSessions, Message: route.Unkept}
		}
	}
	return nil
}

// gateRoutesListed: routers that have to know a release before it has pods do.
func gateRoutesListed(v view) (string, string, bool) {
	if v.weight() > 0 || !v.candidate.missesPods() {
		return "", "", false
	}
	return v.unlisted(v.candidate)
}

// gateTargetsChecked: the pods that get the first weight of such a route are ready only while
// its load balancer finds them healthy. With a baseline that is dead nobody waits for that.
func gateTargetsChecked(v view) (string, string, bool) {
	if v.weight() > 0 || v.baseline == nil || !v.canServe(v.baseline) {
		return "", "", false
	}
	for _, route := range v.routes {
		state, c := v.routeState(route.Name), v.candidate.component(route.ComponentName)
		if listsFirst(route) && state != nil && len(state.Weights) > 0 && c != nil && c.Ungated != "" {
			return "ReadinessGateMissing", fmt.Sprintf("Pod %s has no readiness gate of its load balancer, and nothing tells when that can send it requests: label the namespace elbv2.k8s.aws/pod-readiness-gate-inject=enabled, see to it that the controller's webhook answers, and ask for a Retry after the pods are gone",
				c.Ungated), true
		}
	}
	return "", "", false
}
