package rollout

import "slices"

// decisions, in the order in which they are taken: who is who, people, what ends
// an attempt, then what brings one forward, then tidying. Each answers with the
// record that it wants, or nil.
var decisions = []struct {
	name   string
	decide func(view) *Entry
}{
	{"restore", view.restore},
	{"finishRecall", view.finishRecall},
	{"answer", view.answer},
	{"closeSuperseded", view.closeSuperseded},
	{"finishTest", view.finishTest},
	{"startTest", view.startTest},
	{"fail", view.fail},
	{"verifyWeights", view.verifyWeights},
	{"withdraw", view.withdraw},
	{"recordDrift", view.recordDrift},
	{"takeRoutes", view.takeRoutes},
	{"publish", view.publish},
	{"openAttempt", view.openAttempt},
	{"yieldTurn", view.yieldTurn},
	{"takeTurn", view.takeTurn},
	{"raiseWeight", view.raiseWeight},
	{"promote", view.promote},
	{"passOver", view.passOver},
	{"recordCreated", view.recordCreated},
	{"retire", view.retire},
	{"recordUse", view.recordUse},
	{"closeAccess", view.closeAccess},
	{"prune", view.prune},
}

// Compute is the decision about a track: the next record to append, or, when
// there is none, what the newest record still wants done. It is total and
// deterministic, and depends on nothing but its argument.
func Compute(o Observation) Plan {
	v := look(o)
	if v.Track == nil {
		do := slices.Concat(v.detachRoutes(), v.liftAllMarks(), v.writeAccess(), v.withUses().replacePods())
		return Plan{Stage: Settled, Do: do, Confirm: len(do) > 0}
	}
	if v.Track.Deleting {
		return Plan{Stage: Settled}
	}
	plan := v.outlook()
	if v.stale() {
		plan.Append = v.adopt()
		plan.Stale = plan.Append == nil
		return plan
	}
	if v.Log.Broken == "" {
		for _, d := range decisions {
			if e := d.decide(v); e != nil {
				v.noteSizes(&e.State)
				v.noteCreated(&e.State)
				plan.Append = e
				return plan
			}
		}
	}
	plan.Do = v.carryOut()
	return plan
}

// stale says whether the world has been moved on by a record that the log, as it
// was read, does not have.
func (v view) stale() bool { return v.lastStamp() > v.head() }

// lastStamp is the newest record that any object of the track was written for.
func (v view) lastStamp() int64 {
	var last int64
	for _, route := range v.Routes {
		last = max(last, route.Sequence, route.Newest)
	}
	for _, r := range v.Releases {
		last = max(last, r.Held)
		for _, c := range r.Components {
			last = max(last, c.Sequence, c.ServiceSequence, c.AutoscalerSequence)
			for _, d := range c.Drifts {
				last = max(last, d.Sequence)
			}
		}
	}
	return last
}
