package rollout

import (
	"fmt"
	"math"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Reasons of the gate RouteVerified, where a route has a probe.
const (
	// ReasonProbing: nobody has been asked yet who answers.
	ReasonProbing = "ShareNotProbed"
	// ReasonShare: others answer than the weights say.
	ReasonShare = "ShareNotObserved"
)

// What holds where a probe says nothing.
const (
	DefaultProbeRequests  int32 = 500
	DefaultProbeTolerance int32 = 5
)

// ProbeRequests is how many requests a probe makes.
func ProbeRequests(p *v1alpha1.RouteProbe) int32 { return valueOr(p.Requests, DefaultProbeRequests) }

func valueOr(value *int32, otherwise int32) int32 {
	if value == nil {
		return otherwise
	}
	return *value
}

// unproven says whether a route has still to show by a probe that it carries the weight of
// the candidate. What is trusted, or has nothing better to go back to below 100, waits for
// none: who goes back, or away from the dead, is not kept.
func (v view) unproven() (reason, message string, unproven bool) {
	if v.weight() == 0 || v.trusted(v.candidate) || v.weight() < 100 && v.unheld() {
		return "", "", false
	}
	for _, route := range v.routes {
		state, seen := v.routeState(route.Name), v.observedRoute(route.Name)
		if route.Probe == nil || state == nil || len(state.Weights) == 0 {
			continue
		}
		var shown *Probe
		if seen != nil && seen.Probe != nil && (seen.Probe.Told != nil || seen.Probe.Sequence >= state.SetSequence) {
			shown = seen.Probe
		}
		if shown == nil {
			return ReasonProbing, fmt.Sprintf("route %s: %d requests to %s are to show who answers", route.Name, ProbeRequests(route.Probe), route.Probe.URL), true
		}
		if reason, message := shown.Doubt(route, state.Weights); reason != "" {
			return reason, message, true
		}
	}
	return "", "", false
}

// Doubt says in what the answers are not those of the weights of a route that has a probe;
// an empty reason: in nothing that chance could not do.
func (p Probe) Doubt(route v1alpha1.Route, weights []v1alpha1.ReleaseWeight) (reason, message string) {
	if p.Told != nil {
		return p.Told.Reason, p.Told.Message
	}
	if p.Requests < ProbeRequests(route.Probe) {
		return ReasonProbing, fmt.Sprintf("route %s: %d of %d requests were made", route.Name, p.Requests, ProbeRequests(route.Probe))
	}
	named, unasked := int32(0), p.Requests
	for _, n := range p.Answers {
		named += n
	}
	for _, w := range weights {
		if w.WeightPercent > 0 {
			unasked -= p.Answers[w.ReleaseName]
		}
	}
	probe := route.Probe
	lookAt := fmt.Sprintf("see what else leads to %s, and what the gateway says of the route", probe.URL)
	if probe.Hostname != "" {
		lookAt = fmt.Sprintf("see what else leads to %s as %s, and what the gateway says of the route", probe.URL, probe.Hostname)
	}
	tolerance := (valueOr(probe.TolerancePoints, DefaultProbeTolerance)*p.Requests + 99) / 100
	if unasked > tolerance {
		nameless := p.Requests - named - p.Lost
		switch {
		case p.Lost >= max(nameless, 1):
			return ReasonShare, fmt.Sprintf("route %s: %d of %d requests had no answer (%s): see that %s can be reached from the operator", route.Name, p.Lost, p.Requests, p.Trouble, probe.URL)
		case nameless > 0:
			return ReasonShare, fmt.Sprintf("route %s: %d of %d answers name no release of the track in %s (%s): %s, and that the application sets the header to STRATA_RELEASE",
				route.Name, nameless, p.Requests, probe.MarkerHeader, p.Trouble, lookAt)
		}
		return ReasonShare, fmt.Sprintf("route %s: %d of %d requests were answered by releases without weight: %s", route.Name, unasked, p.Requests, lookAt)
	}
	for i := len(weights) - 1; i >= 0; i-- { // The candidate comes last.
		w := weights[i]
		asked, got := w.WeightPercent*p.Requests/100, p.Answers[w.ReleaseName]
		off := max(got-asked, asked-got) > tolerance && chance(p.Requests, w.WeightPercent, got) < wrongly/2
		if w.WeightPercent > 0 && off {
			return ReasonShare, fmt.Sprintf("route %s: %s answered %d of %d requests, and %d are asked for: %s", route.Name, w.ReleaseName, got, p.Requests, asked, lookAt)
		}
	}
	return "", ""
}

// wrongly is how often a gateway that is right, and leads each request by lot, may be
// taken for one that is not.
const wrongly = 1e-6

// chance is how probable it is that of so many requests, each of which reaches a release
// with a probability of percent, no more reach it than those, or no fewer where they are
// more than the mean. It is the tail of a binomial distribution.
func chance(requests, percent, got int32) float64 {
	if percent <= 0 || percent >= 100 {
		return 0
	}
	n, p, step := float64(requests), float64(percent)/100, -1.0
	if float64(got) > n*p {
		step = 1
	}
	factorial := func(x float64) float64 { log, _ := math.Lgamma(x + 1); return log }
	sum := 0.0
	for k := float64(got); k >= 0 && k <= n && sum < wrongly; k += step {
		sum += math.Exp(factorial(n) - factorial(k) - factorial(n-k) + k*math.Log(p) + (n-k)*math.Log1p(-p))
	}
	return sum
}

func notProbed(v view) (string, string, bool) {
	end := v.probeDeadline()
	if end.IsZero() || v.Now.Before(end) {
		return "", "", false
	}
	reason, message, _ := v.unproven()
	return reason, fmt.Sprintf("%d %% not shown by a probe within %s: %s", v.weight(), v.Track.progressDeadline(), message), true
}

// probeDeadline is when a weight that no probe has shown is a failure; zero while none is
// to show it.
func (v view) probeDeadline() time.Time {
	confirmed := v.verifiedTime()
	if _, _, unproven := v.unproven(); !unproven || confirmed.IsZero() {
		return time.Time{}
	}
	return later(later(confirmed, v.state.Candidate.StartTime.Time), v.candidate.availabilityChange()).Add(v.Track.progressDeadline())
}
