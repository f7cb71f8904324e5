package world

import (
	"fmt"
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

// Planner is one operator: its cache, what it is thinking of, and how far it got.
type Planner struct {
	World *World
	// Compute is rollout.Compute, or a test's wrapping of it.
	Compute func(rollout.Observation) rollout.Plan
	cache   Objects
	// seen is what the present plan was made from; nil without one.
	seen *rollout.Observation
	// objects are those that were seen, with their resourceVersions.
	objects Objects
	plan    rollout.Plan
	live    bool
	writes  []write
}

// write is one write of one object. conflict: the world has moved on.
type write struct {
	line string
	do   func() (conflict bool, err error)
}

// NewPlanner makes a planner whose cache is up to date.
func NewPlanner(w *World, compute func(rollout.Observation) rollout.Plan) *Planner {
	p := &Planner{World: w, Compute: compute}
	p.Sync()
	return p
}

// Sync brings kinds of the cache up to date: all without any.
func (p *Planner) Sync(which ...Kind) {
	for kind := range kinds {
		if len(which) == 0 || slices.Contains(which, kind) {
			p.cache.sync(&p.World.Objects, kind)
		}
	}
}

// Crash forgets everything but the cache, which a restart reads anew.
func (p *Planner) Crash() {
	p.seen, p.writes = nil, nil
	p.Sync()
}

// Idle says whether there is no plan to be carried out.
func (p *Planner) Idle() bool { return p.seen == nil }

// Think makes a plan from the cache, or, live, from the world as it is.
func (p *Planner) Think(live bool) rollout.Plan {
	p.objects = copyOf(&p.cache)
	if live {
		p.objects = copyOf(&p.World.Objects)
	}
	o := p.World.observe(&p.objects)
	p.seen, p.live, p.writes = &o, live, nil
	p.plan = p.Compute(o)
	switch {
	case p.plan.Append != nil:
	case p.plan.Confirm && !live:
		return p.Think(true)
	case len(p.plan.Do) > 0:
		p.writes = append(p.writes, p.confirm())
		for _, action := range p.plan.Do {
			p.writes = append(p.writes, p.expand(action)...)
		}
	default:
		p.seen = nil
	}
	return p.plan
}

// Act carries out one write of the plan. It answers with a line that tells of it,
// "" when nothing was written; err is a rule of the world that was broken.
func (p *Planner) Act() (string, error) {
	if p.seen == nil {
		return "", nil
	}
	if entry := p.plan.Append; entry != nil {
		if entry.Confirm && !p.live {
			p.Think(true)
			return "", nil
		}
		if decidedLive(entry) && !p.live {
			return "", fmt.Errorf("%s of %s was decided on a cache alone", entry.Event, entry.Release.Name)
		}
		o := *p.seen
		p.seen = nil
		line, err := p.World.append(o, *entry)
		if line != "" {
			// A process never reads a log that lacks what it wrote itself.
			p.Sync(Records)
		}
		return line, err
	}
	next := p.writes[0]
	p.writes = p.writes[1:]
	p.World.noteTraffic()
	conflict, err := next.do()
	if conflict || len(p.writes) == 0 {
		p.seen, p.writes = nil, nil
	}
	if conflict || err != nil || next.line == "" {
		return "", err
	}
	p.World.Writes++
	p.World.noteTraffic()
	return next.line, p.World.Check()
}

// decidedLive: what is decided again on live reads before it is appended.
func decidedLive(entry *rollout.Entry) bool {
	switch entry.Event {
	case v1alpha1.EventAttemptOpened:
		return true
	case v1alpha1.EventPublished:
		return entry.Reason == "Template"
	case v1alpha1.EventTestFinished:
		return entry.Release.Test.Outcome != v1alpha1.TestPassed
	}
	return entry.Event.IsVerdict() && entry.Event != v1alpha1.EventPromoted
}

// append creates the record of the next sequence number, if nobody else has.
func (w *World) append(o rollout.Observation, entry rollout.Entry) (string, error) {
	if entry.Pruned != nil {
		entry.Pruned.KeptDigest = ledger.KeptDigest(w.Records, entry.Pruned.BeforeSequence)
	}
	spec := ledger.Chain(TrackName, o.Log.Head, entry, o.Now)
	if n := len(w.Records); n > 0 && spec.Sequence != w.Records[n-1].Spec.Sequence+1 {
		return "", nil
	}
	if err := w.checkEntry(o, &spec); err != nil {
		return "", err
	}
	record := ledger.Record(Namespace, spec)
	record.UID, record.ResourceVersion = w.uid(), "1"
	w.Records = append(slices.Clip(w.Records), *record)
	w.history = append(slices.Clip(w.history), *record)
	w.noteRecord(&record.Spec)
	w.Writes++
	return w.recordLine(&record.Spec), w.Check()
}
