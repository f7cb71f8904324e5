package simulation

import (
	"fmt"
	"time"

	"github.com/strata-release/strata/controllers"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic/probe"
)

// probeTime is how long the gateway is asked.
const probeTime = 3 * time.Second

// probes are what a process asks through the gateway.
type probes struct {
	controllers.Probes
	p *process
	// asked is since when, by the question.
	asked map[string]time.Time
}

// Ask answers by the wire, once there was time to ask.
func (r *probes) Ask(q probe.Question) *rollout.Probe {
	w, question := r.p.w, fmt.Sprint(q.Sequence, " ", q.Object)
	since, asked := r.asked[question]
	if !asked {
		r.asked = map[string]time.Time{question: w.Now}
		r.p.wakeAfter(probeTime)
		return nil
	}
	if w.Now.Before(since.Add(probeTime)) {
		return nil
	}
	shown := &rollout.Probe{Sequence: q.Sequence, Requests: rollout.ProbeRequests(q.Route.Probe), Answers: map[string]int32{}}
	for _, share := range w.wire[resources.RouteName(TrackName, q.Route.Name)] {
		shown.Answers[share.ReleaseName] += share.WeightPercent * shown.Requests / 100
	}
	return shown
}
