package rollout_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// withProbe gives every route one.
func withProbe(spec *v1alpha1.ReleaseTrackSpec) {
	for i := range spec.Traffic.Routes {
		spec.Traffic.Routes[i].Probe = &v1alpha1.RouteProbe{URL: "http://gateway.example/", Hostname: "shop.example", MarkerHeader: "X-Release"}
	}
}

// stolen: a release answers what is another's.
func stolen(by string) func(*rollout.Probe) {
	return func(p *rollout.Probe) { p.Answers = map[string]int32{by: p.Requests} }
}

func probed(t *testing.T) {
	s := serving(t, track(steps(20, 50), withProbe))
	s.publish("shop-2", release("2.0", tested("each", v1alpha1.EveryStep)), fine())
	s.untilWeight("shop-2", 20)
	s.user("another route takes all requests", func() { s.Probed = stolen("shop-1") })
	s.pass(3 * time.Minute)
	s.user("that route is gone, and all answers are of before", func() { s.Probed = func(p *rollout.Probe) { p.Sequence = 1 } })
	s.pass(time.Minute)
	s.user("it is asked again", func() { s.Probed = nil })
	s.untilWeight("shop-2", 100)
	s.user("the gateway cannot be reached", func() {
		s.Probed = func(p *rollout.Probe) { p.Answers, p.Lost, p.Trouble = nil, p.Requests, "it cannot be connected to" }
	})
	s.pass(3 * time.Minute)
	s.user("it can", func() { s.Probed = nil })
	s.run()
	s.end()
}

func probedInVain(t *testing.T) {
	s := serving(t, track(steps(20, 50), withProbe))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 50)
	s.user("another route takes all requests", func() { s.Probed = stolen("shop-1") })
	s.run()
	s.end()
}

// probeKeepsNobody: who goes back, and who is trusted, waits for no probe.
func probeKeepsNobody(t *testing.T) {
	s := serving(t, track(steps(20, 50), warm(1, 86400), withProbe))
	s.publishAll("2")
	s.user("nothing that a gateway answers is right any more", func() { s.Probed = stolen("shop-9") })
	for _, trusted := range []string{"shop-1", "shop-2"} {
		s.pin(trusted)
		s.untilStable(trusted)
	}
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.pass(time.Minute)
	s.ask(v1alpha1.ActionRetry, "shop-2")
	s.untilWeight("shop-2", 20)
	s.pass(time.Minute)
	s.ask(v1alpha1.ActionAbort, "shop-2", attempt(s.Head().Candidate.Attempt))
	s.pin("shop-1")
	s.run()
	s.end()
}

func doubts(requests, tolerance int32, weights []v1alpha1.ReleaseWeight, p rollout.Probe) (reason, message string) {
	route := v1alpha1.Route{Name: "public", Probe: &v1alpha1.RouteProbe{
		URL: "http://gateway.example/", MarkerHeader: "X-Release", Requests: &requests, TolerancePoints: &tolerance,
	}}
	p.Requests = requests
	return p.Doubt(route, weights)
}

func shares(percent int32) []v1alpha1.ReleaseWeight {
	return []v1alpha1.ReleaseWeight{{ReleaseName: "shop-1", WeightPercent: 100 - percent}, {ReleaseName: "shop-2", WeightPercent: percent}}
}

// A gateway that leads each request by chance passes but for one probe in a million.
func TestProbesOfARightGatewayPass(t *testing.T) {
	for _, requests := range []int32{20, 50, 100, 500, 2000} {
		for _, percent := range []int32{1, 2, 5, 10, 20, 50, 80, 99} {
			wrong := 0.0
			for got := int32(0); got <= requests; got++ {
				shown := rollout.Probe{Answers: map[string]int32{"shop-1": requests - got, "shop-2": got}}
				if reason, _ := doubts(requests, 1, shares(percent), shown); reason != "" {
					wrong += binomial(int(requests), int(got), float64(percent)/100)
				}
			}
			if wrong > 1e-6 {
				t.Errorf("%d requests at %d %%: fails by chance with probability %g", requests, percent, wrong)
			}
		}
	}
}

func binomial(n, k int, p float64) float64 {
	lgamma := func(x int) float64 { v, _ := math.Lgamma(float64(x + 1)); return v }
	return math.Exp(lgamma(n) - lgamma(k) - lgamma(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

func TestDoubtsOfProbes(t *testing.T) {
	for name, c := range map[string]struct {
		requests, tolerance, percent int32
		shown                        rollout.Probe
		says                         string
	}{
		"as asked":          {500, 5, 20, rollout.Probe{Answers: map[string]int32{"shop-1": 400, "shop-2": 100}}, ""},
		"within chance":     {500, 1, 20, rollout.Probe{Answers: map[string]int32{"shop-1": 360, "shop-2": 140}}, ""},
		"within tolerance":  {500, 30, 20, rollout.Probe{Answers: map[string]int32{"shop-1": 300, "shop-2": 200}}, ""},
		"too many":          {500, 5, 20, rollout.Probe{Answers: map[string]int32{"shop-1": 340, "shop-2": 160}}, "shop-2 answered 160 of 500 requests, and 100 are asked for: see what else leads to http://gateway.example/"},
		"none of a few":     {500, 1, 5, rollout.Probe{Answers: map[string]int32{"shop-1": 500}}, "shop-2 answered 0 of 500 requests, and 25 are asked for"},
		"too few":           {500, 5, 20, rollout.Probe{Answers: map[string]int32{"shop-1": 500}}, "shop-2 answered 0 of 500 requests"},
		"all of it":         {500, 5, 100, rollout.Probe{Answers: map[string]int32{"shop-2": 480, "shop-1": 20}}, ""},
		"not all of it":     {500, 5, 100, rollout.Probe{Answers: map[string]int32{"shop-2": 470, "shop-1": 30}}, "30 of 500 requests were answered by releases without weight"},
		"of another":        {500, 5, 20, rollout.Probe{Answers: map[string]int32{"shop-1": 300, "shop-2": 100, "shop-0": 100}}, "100 of 500 requests were answered by releases without weight"},
		"names nothing":     {500, 5, 20, rollout.Probe{Answers: map[string]int32{"shop-1": 300, "shop-2": 100}, Trouble: "the last has status 404"}, "100 of 500 answers name no release of the track in X-Release (the last has status 404)"},
		"lost":              {500, 5, 20, rollout.Probe{Lost: 500, Trouble: "not within 5s"}, "500 of 500 requests had no answer (not within 5s): see that http://gateway.example/ can be reached from the operator"},
		"told to onlookers": {500, 5, 20, rollout.Probe{Told: &v1alpha1.BlockedBy{Reason: "AsTold", Message: "in words"}}, "in words"},
	} {
		reason, message := doubts(c.requests, c.tolerance, shares(c.percent), c.shown)
		if (reason == "") != (c.says == "") || !strings.Contains(message, c.says) {
			t.Errorf("%s: %s %q", name, reason, message)
		}
	}
	// What was not asked to its end shows nothing.
	few := rollout.Probe{Requests: 3, Answers: map[string]int32{"shop-1": 2, "shop-2": 1}}
	if reason, _ := few.Doubt(v1alpha1.Route{Probe: &v1alpha1.RouteProbe{}}, shares(33)); reason != rollout.ReasonProbing {
		t.Errorf("three requests show %q", reason)
	}
}
