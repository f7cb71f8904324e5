package simulation

import (
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Outcome of a world.
type Outcome struct {
	Choices Choices
	Failed  *Violation
	Lines   []string
	Records int
	Writes  int
}

// Run plays the world of a seed.
func Run(seed uint64) Outcome { return play(seeded(seed), false) }

// Replay plays the world of choices, and tells of it.
func Replay(choices Choices) Outcome { return play(scripted(choices), true) }

func play(d *dice, telling bool) Outcome {
	w := newWorld(d, telling)
	defer w.end()
	w.build()
	if d.chance(40) {
		w.settle()
	}
	if w.failed == nil {
		w.unfair()
	}
	if w.failed == nil {
		w.makeFair()
		w.settle()
	}
	w.checkShared()
	return Outcome{Choices: d.drawn, Failed: w.failed, Lines: w.lines, Records: len(w.shelves[records]), Writes: w.Writes}
}

// drawLength is how many steps an unfair world has: most worlds are short, so that many
// are played, and some are long.
func (w *World) drawLength() int {
	if w.chance(12) {
		return w.between(40, 120)
	}
	return w.between(10, 40)
}

// unfair lets anything happen, a step at a time.
func (w *World) unfair() {
	w.tell("-- the world is unfair now")
	w.fair = false
	if w.asksForSessions() && w.chance(20) {
		w.changeCRDs()
	}
	for range w.drawLength() {
		if !w.next() || w.failed != nil {
			break
		}
		w.step()
	}
	w.wakeAll()
}

// step is one thing that happens.
func (w *World) step() {
	p := w.anyProcess()
	switch n := w.draw(100); {
	case n < 40:
		for range 1 + w.draw(6) {
			w.move(p)
		}
	case n < 50:
		for k := range kinds {
			p.catchUp(k, len(w.history[k]))
		}
	case n < 60:
		p.hearSome()
	case n < 74:
		for range 1 + w.draw(6) {
			w.control()
		}
	case n < 83:
		w.pass()
	case n < 85:
		w.tamper(w.anyRelease())
	case n < 90:
		w.calm(p)
	case n < 97:
		w.user()
	case n < 98:
		w.restart(p)
	default:
		w.disturb()
	}
}

// anyProcess is one that is awake, if there is one.
func (w *World) anyProcess() *process {
	for _, p := range w.processes {
		p.asleep = max(0, p.asleep-1)
	}
	second := len(w.processes) > 1 && w.chance(40)
	for i, p := range w.processes {
		other := w.processes[len(w.processes)-1-i]
		if p.asleep == 0 && (second == (i == 1) || other.asleep > 0) {
			return p
		}
	}
	return w.processes[0]
}

// mayDoze lets one of two operators fall asleep on a write that it is about to make,
// long enough for the other one to move the track on.
func (w *World) mayDoze(p *process) {
	if w.fair || len(w.processes) < 2 || w.processes[0].asleep+w.processes[1].asleep > 0 || !w.chance(30) {
		return
	}
	p.asleep = w.between(3, 30)
	w.tell("%s: falls asleep", p.name)
}

// calm is a while in which nothing is in the way of one operator, and nothing is heard
// of another one.
func (w *World) calm(p *process) {
	w.tell("-- %s goes on for a while", p.name)
	w.fair = true
	for range 5 + w.draw(40) {
		if w.failed != nil {
			break
		}
		if w.proceed(p) {
			continue
		}
		w.checkIdleLegs(p)
		if !w.passTo(w.nextDue(), time.Minute) {
			break
		}
	}
	w.fair = false
}

// proceed lets an operator that has heard of everything, or else the cluster, do what
// is next; false: nothing is due. The cluster does not wait for an operator: much of it
// may happen before that looks.
func (w *World) proceed(p *process) bool {
	for k := range kinds {
		p.catchUp(k, len(w.history[k]))
	}
	if !p.busy && w.ahead < w.lead && w.control() {
		w.ahead++
		return true
	}
	w.ahead = 0
	if p.due() {
		p.goOn()
		return true
	}
	return w.control()
}

// passTo lets time go by until something is due, unless that is too far away.
func (w *World) passTo(next time.Time, most time.Duration) bool {
	if next.IsZero() || next.Sub(w.Now) > most {
		return false
	}
	w.Now = next
	return true
}

// wakeAll lets those that sleep make the write that they were about to make.
func (w *World) wakeAll() {
	for _, p := range w.processes {
		if p.asleep > 0 && w.failed == nil {
			p.asleep = 0
			w.tell("%s: wakes up", p.name)
			w.move(p)
		}
	}
}

// move lets a process make its next request, or begin a reconcile that is due.
func (w *World) move(p *process) {
	if p.due() && w.failed == nil {
		p.goOn()
	}
}

// hearSome lets the caches of a process grow apart.
func (p *process) hearSome() {
	k := kind(p.w.draw(int(kinds)))
	switch pick(p.w.dice, 0, 1, 2) {
	case 0:
		p.catchUp(k, len(p.w.history[k]))
	case 1:
		p.catchUp(k, 1)
	default:
		p.relist(k)
		p.queued = true // An event that is told twice.
	}
}

// pass lets time go by, at most until something is due.
func (w *World) pass() {
	next := w.nextDue()
	switch pick(w.dice, 0, 1, 2) {
	case 0:
		w.passTo(next, time.Hour)
	case 1:
		w.Now = w.Now.Add(time.Duration(1+w.draw(1000)) * time.Millisecond)
	default:
		w.Now = w.Now.Add(time.Duration(1+w.draw(5)) * time.Second)
	}
}

// nextDue is when something is due that is not due yet; zero: nothing is.
func (w *World) nextDue() time.Time {
	var next time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && t.After(w.Now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, p := range w.processes {
		earlier(p.wake)
	}
	for _, t := range w.tasks {
		earlier(t.due)
	}
	return next
}

// restart kills a process, wherever it is, and starts another one.
func (w *World) restart(p *process) {
	for i := range w.processes {
		if w.processes[i] == p {
			w.tell("%s is killed", p.name)
			p.stop()
			w.processes[i] = w.start(p.name)
		}
	}
}

// makeFair: users rest, the router reports, and the one operator that is left sees
// everything.
func (w *World) makeFair() {
	w.tell("-- the world is fair now")
	w.fair = true
	w.routerDown, w.registryDown, w.noSessions = false, false, false
	w.comeLate()
	if slices.ContainsFunc(routesOf(w.track()), func(r v1alpha1.Route) bool { return r.GatewayAPI != nil && r.GatewayAPI.AttachTo != nil }) {
		w.ownFront()
	}
	w.end()
	w.processes = []*process{w.start("one")}
	w.wakeGateway()
}

// A fair world comes to rest within these.
const (
	maxTurns   = 1500
	maxRecords = 120
	// restAfter is how long nothing is written by then: a settled track looks at its
	// configuration now and then.
	restAfter = 2 * time.Hour
)

// settle lets the world go on, with nothing in its way, until it rests. Only what a
// watch tells, and the time that the loop asked for, lets the loop look again.
func (w *World) settle() {
	w.fair, w.wrote = true, w.Now
	p, began := w.processes[0], len(w.shelves[records])
	for range maxTurns {
		if w.failed != nil {
			return
		}
		if w.proceed(p) {
			continue
		}
		w.checkIdleLegs(p)
		next := w.nextDue()
		if next.Sub(w.wrote) > restAfter || !w.passTo(next, 2*restAfter) {
			w.rest(p, len(w.shelves[records])-began)
			return
		}
	}
	w.violate("Settles", "no end of it")
}

// rest: nothing is left to do, and nothing is done however often one looks.
func (w *World) rest(p *process, grew int) {
	if grew > maxRecords {
		w.violate("Settles", "%d records on the way to rest", grew)
	}
	w.checkRest()
	writes, lookers := w.Writes, []*process{p}
	if w.careful {
		lookers = append(lookers, w.start("another"))
	}
	for _, p := range lookers {
		w.Now = w.Now.Add(time.Minute)
		p.queued = true
		for range 3 {
			if p.due() {
				p.goOn()
			}
		}
		if p != w.processes[0] {
			p.stop()
		}
	}
	if w.Writes != writes && w.failed == nil {
		w.violate("NoWriteAtRest", "a settled track is written to: %s\n%s", w.memory.last, cmp.Diff(w.memory.last.before, w.memory.last.after))
	}
}

// othersAwaited: a human is asked, or another track, and there is something to ask.
// While a human is asked, pods that are there wait, whatever else comes in their way.
func (w *World) othersAwaited() bool {
	track, state := w.track(), w.head()
	if state.Candidate == nil || track.Status.BlockedBy == nil {
		return false
	}
	pace, weight := paceOf(track), weightOf(state, state.Candidate.Name)
	approval := slices.ContainsFunc(pace.Steps, func(s v1alpha1.RolloutStep) bool { return s.Approval == v1alpha1.ApprovalRequired })
	paused := pace.AdvancePolicy == v1alpha1.AdvancePaused && weight < 100
	switch track.Status.BlockedBy.Gate {
	case "Approved":
		return approval
	case "AdvanceAllowed":
		return paused
	case "NamesFree", "RoutesFree", "BackendsExist", "NoForeignSelector":
		return weight == 0 && (approval || paused)
	case "NotFailed":
		return pace.FailurePolicy == v1alpha1.FailureHold && weight > 0
	case "RequiredTracksPromoted":
		return len(track.Spec.Requires) > 0 && weight == 0
	}
	return false
}

// obstructed: routes were changed to what a candidate with weight cannot serve, and it
// waits for people, who are told that it is stuck.
func (w *World) obstructed() bool {
	track, state := w.track(), w.head()
	if state.Candidate == nil || track.Status.BlockedBy == nil || weightOf(state, state.Candidate.Name) == 0 {
		return false
	}
	gate := track.Status.BlockedBy.Gate
	return gate == "RoutesFree" || gate == "BackendsExist"
}
