package rollout

import (
	"fmt"
	"strings"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// gate is a named check that must hold before weight rises. Its answer is what
// the user reads.
type gate struct {
	name  string
	check func(view) (reason, message string, blocked bool)
}

// gates, in the order in which a release passes them. The first that blocks is
// reported. Absence of a result is never a pass.
var gates = []gate{
	{"Sealed", gateSealed},
	{"RequiredTracksPromoted", gateRequiredTracksPromoted},
	{"TurnTaken", gateTurnTaken},
	{"NamesFree", gateNamesFree},
	{"RoutesFree", gateRoutesFree},
	{"BackendsExist", gateBackendsExist},
	{"NoForeignSelector", gateNoForeignSelector},
	{"BeforePodsPassed", gateBeforePodsPassed},
	{"RoutesListed", gateRoutesListed},
	{"AsSealed", gateAsSealed},
	{"TargetsChecked", gateTargetsChecked},
	{"PodsAvailable", gatePodsAvailable},
	{"EndpointsReady", gateEndpointsReady},
	{"CapacityReady", gateCapacityReady},
	{"RouteVerified", gateRouteVerified},
	{"TestsPassed", gateTestsPassed},
	{"HoldOver", gateHoldOver},
	{"Approved", gateApproved},
	{"AdvanceAllowed", gateAdvanceAllowed},
	{"NoRollback", gateNoRollback},
}

// blocked is what keeps weight from rising: that the candidate has failed and is
// held, else the first gate that blocks; nil when nothing does.
func (v view) blocked() *v1alpha1.BlockedBy {
	if held := v.held(); held != nil {
		return held
	}
	return v.firstGate()
}

// firstGate is the first gate that blocks the candidate; nil when all hold. No view that
// has a candidate is changed, and so each is asked once.
func (v view) firstGate() *v1alpha1.BlockedBy {
	if !v.first.asked {
		*v.first = firstGate{asked: true, blocks: v.askGates()}
	}
	return v.first.blocks
}

// firstGate is an answer of the function.
type firstGate struct {
	asked  bool
	blocks *v1alpha1.BlockedBy
}

func (v view) askGates() *v1alpha1.BlockedBy {
	for _, g := range gates {
		if reason, message, blocked := g.check(v); blocked {
			return &v1alpha1.BlockedBy{Gate: g.name, Reason: reason, Message: message}
		}
	}
	return nil
}

// reaches says whether every gate in front of one holds: that is what the tests which
// it asks for stand on.
func (v view) reaches(gate string) bool {
	for _, g := range gates {
		if g.name == gate {
			return true
		}
		if _, _, blocked := g.check(v); blocked {
			return false
		}
	}
	return false
}

// machineGates wait for the cluster; the others for tests, time, people and other
// tracks.
var machineGates = []string{"Sealed", "NamesFree", "RoutesFree", "BackendsExist", "NoForeignSelector", "BeforePodsPassed", "RoutesListed", "AsSealed", "TargetsChecked", "PodsAvailable", "EndpointsReady", "CapacityReady", "RouteVerified"}

func gateSealed(v view) (string, string, bool) {
	if v.candidate.Sealed != nil {
		return "", "", false
	}
	if o := v.candidate.Obstacle; o != nil && o.Gate == "Sealed" {
		return o.Reason, o.Message, true
	}
	return "Sealing", "freezing the configuration of " + v.candidate.Name, true
}

func gateNamesFree(v view) (string, string, bool) {
	if o := v.candidate.Obstacle; o != nil && o.Gate != "Sealed" {
		return o.Reason, o.Message, true
	}
	for _, c := range v.candidate.Components {
		kind := ""
		switch Foreign {
		case c.Service:
			kind = "Service"
		case c.Deployment:
			kind = "Deployment"
		case c.Autoscaler:
			kind = "HorizontalPodAutoscaler"
		case c.Disruption:
			kind = "PodDisruptionBudget"
		default:
			continue
		}
		why := ""
		if c.Differs != "" {
			why = " (" + c.Differs + ")"
		}
		return "NameTaken", fmt.Sprintf("%s %s-%s is not of this release%s and is left alone: remove it, or publish the release under another name",
			kind, v.candidate.Name, c.Name, why), true
	}
	for _, j := range v.candidate.Jobs {
		if j.Presence == Foreign {
			return "NameTaken", foreignJob(j), true
		}
	}
	return "", "", false
}

func foreignJob(j Job) string {
	why := ""
	if j.Message != "" {
		why = " (" + j.Message + ")"
	}
	return fmt.Sprintf("Job %s is not of this release%s and is left alone: remove it, or publish the release under another name", j.Name, why)
}

func gateRoutesFree(v view) (string, string, bool) {
	for _, route := range v.routes {
		seen := v.observedRoute(route.Name)
		if seen == nil {
			continue
		}
		if seen.Unkept != "" {
			return ReasonSessions, seen.Unkept, true
		}
		if seen.Presence == Foreign || seen.Reason == "RouteConflict" {
			reason, message, _ := routeReason(seen, "RouteConflict", "the object for route "+route.Name+" belongs to somebody else and is left alone: remove it, or change the route")
			return reason, message, true
		}
	}
	return "", "", false
}

// gateBackendsExist asks for every route of the track: one that was added under
// way is taken over after the promotion. At weight it asks only for those in force.
func gateBackendsExist(v view) (string, string, bool) {
	routes := v.Track.routes()
	if v.weight() > 0 {
		routes = v.routes
	}
	for _, route := range routes {
		if !v.candidate.hasPort(route) {
			return "BackendMissing", v.candidate.noBackend(route), true
		}
	}
	return "", "", false
}

// noBackend says why the release cannot be the backend of a route.
func (r *Release) noBackend(route v1alpha1.Route) string {
	if c := r.specOf(route.ComponentName); c != nil && atFullWeight(c) && len(c.Ports) > 0 {
		return fmt.Sprintf("route %s goes to component %s, which in %s runs at 100 %% alone and so cannot take a first request: publish a release whose component has activation Immediate, or change the route",
			route.Name, route.ComponentName, r.Name)
	}
	return fmt.Sprintf("route %s goes to port %s of component %s, which %s does not have: publish a release that has it, or change the route",
		route.Name, route.PortName, route.ComponentName, r.Name)
}

func gateNoForeignSelector(v view) (string, string, bool) {
	for _, c := range v.candidate.Components {
		if len(c.ForeignSelectors) > 0 {
			return "ForeignSelector", fmt.Sprintf("Service %s selects the pods of component %s, which would get traffic past the gates: change that Service's selector, or the labels in the template",
				strings.Join(c.ForeignSelectors, ", "), c.Name), true
		}
	}
	return "", "", false
}

func gatePodsAvailable(v view) (string, string, bool) {
	if len(v.candidate.Components) == 0 {
		return "PodsNotAvailable", "the Deployments are not there yet", true
	}
	for _, c := range v.candidate.Components {
		if !v.standing(c) {
			return "PodsNotAvailable", podsMessage(c, v.enough(v.candidate, c.Name)), true
		}
	}
	return "", "", false
}

// standing says whether a component of the candidate has the pods that its author
// asked for, if it should run now. No more than it is to have: none may be on its way
// out.
func (v view) standing(c Component) bool {
	spec := v.candidate.specOf(c.Name)
	if c.Deployment != Ours || !v.marked(v.candidate) {
		return false
	}
	if !v.runs(v.candidate, c.Name) {
		return true
	}
	return v.up(v.candidate, c) && c.AvailableReplicas >= v.enough(v.candidate, c.Name) && (spec.Autoscaling != nil || v.Track.Scaled || c.Replicas <= v.own(spec))
}

func podsMessage(c Component, want int32) string {
	message := fmt.Sprintf("component %s has %d of %d pods available", c.Name, c.AvailableReplicas, want)
	if c.AvailableReplicas >= want {
		message += ", and its Deployment is about to be brought up to date"
	}
	if c.Trouble != "" {
		message += ": " + c.Trouble
	}
	return message
}

func gateEndpointsReady(v view) (string, string, bool) {
	for _, c := range v.candidate.Components {
		if len(v.candidate.specOf(c.Name).Ports) == 0 {
			continue
		}
		if c.Service == Missing {
			return "EndpointsNotReady", fmt.Sprintf("Service %s-%s is not there yet", v.candidate.Name, c.Name), true
		}
		enough := v.enough(v.candidate, c.Name)
		if !v.runs(v.candidate, c.Name) || c.Service == Ours && c.ReadyEndpoints >= enough {
			continue
		}
		return "EndpointsNotReady", fmt.Sprintf("Service %s-%s has %d of %d ready endpoints", v.candidate.Name, c.Name, c.ReadyEndpoints, enough), true
	}
	if len(v.routes) > 0 && v.Now.Before(v.settleEnd()) {
		return "EndpointsSettling", fmt.Sprintf("all endpoints are ready; the routers get %s to learn of them", settle), true
	}
	return "", "", false
}

// settleEnd is when the candidate's endpoints were ready for long enough.
func (v view) settleEnd() time.Time { return v.candidate.availabilityChange().Add(settle) }

// gateRouteVerified: the routers carry the present weights, know the candidate as a
// backend already, and have shown it where a route has a probe. Before any promotion there
// is nothing to carry.
func gateRouteVerified(v view) (string, string, bool) {
	if !v.heldBack() {
		if reason, message, ok := v.carried(); !ok {
			return reason, message, true
		}
		if v.unverified() {
			return "RouteNotVerified", "the routers carry the weights; the record of it follows", true
		}
	}
	for _, route := range v.routes {
		seen := v.observedRoute(route.Name)
		if seen == nil || seen.Presence == Missing && seen.Reason != "" && seen.Reason != "RouteMissing" {
			reason, message, _ := routeReason(seen, "RouteUnknown", "route "+route.Name+" was not observed")
			return reason, message, true
		}
		begun := v.routeState(route.Name) != nil
		if begun && seen.Presence == Ours && !allOrNothing(route) && !listed(seen.Weights, v.candidate.Name) {
			return "BackendNotListed", "route " + route.Name + " does not list the release as a backend yet", true
		}
	}
	return v.unproven()
}

func listed(weights []v1alpha1.ReleaseWeight, name string) bool {
	for _, w := range weights {
		if w.ReleaseName == name {
			return true
		}
	}
	return false
}

// gateBeforePodsPassed: what prepares the world for the release, a migration say, is
// done before any pod of it is there.
func gateBeforePodsPassed(v view) (string, string, bool) { return v.notPassed(true) }

func gateTestsPassed(v view) (string, string, bool) { return v.notPassed(false) }

// notPassed is the first due test that has not passed: of those before the pods, or
// of the others.
func (v view) notPassed(beforePods bool) (string, string, bool) {
	for _, t := range v.dueTests() {
		result := v.result(t)
		switch {
		case t.beforePods != beforePods:
		case result == nil:
			return "TestNotRun", fmt.Sprintf("test %s%s has not started", t.name, t.at()), true
		case result.Outcome == v1alpha1.TestRunning:
			return "TestRunning", v.runningMessage(t, *result), true
		case result.Outcome != v1alpha1.TestPassed:
			return "TestFailed", fmt.Sprintf("test %s%s failed: %s", t.name, t.at(), result.Message), true
		}
	}
	return "", "", false
}

func gateHoldOver(v view) (string, string, bool) {
	if v.weight() == 0 {
		return "", "", false
	}
	end := v.holdEnd()
	if end.IsZero() {
		return "Holding", "the hold begins when the routers have confirmed the weight", true
	}
	if !v.Now.Before(end) {
		return "", "", false
	}
	until := end.UTC().Format(time.RFC3339)
	if v.weight() == 100 {
		return "Baking", "at 100 %, baking until " + until, true
	}
	return "Holding", fmt.Sprintf("at %d %%, held until %s", v.weight(), until), true
}

// gateAdvanceAllowed: a paused track raises no weight. On one without routes the
// promotion is the only step there is.
func gateAdvanceAllowed(v view) (string, string, bool) {
	if !v.paused() {
		return "", "", false
	}
	next := fmt.Sprintf("the step to %d %%", v.nextStep().weight)
	if v.nextStep().promotion {
		next = "the promotion of " + v.candidate.Name
	}
	return "Paused", "the track is paused: set spec.rollout.advancePolicy to Automatic, and " + next + " follows", true
}

// paused says whether the candidate has to stay at the weight that it has.
func (v view) paused() bool {
	return v.Track.rollout().AdvancePolicy == v1alpha1.AdvancePaused && v.weight() < 100
}

// gateNoRollback: while a Rollback brings its release up, nothing rises against it.
func gateNoRollback(v view) (string, string, bool) {
	live := v.recalling()
	if live == nil {
		return "", "", false
	}
	return "RollbackUnderWay", fmt.Sprintf("%s is brought up for action %s; no weight rises until it serves, or that is given up", live.Name, live.Recall.ActionName), true
}
