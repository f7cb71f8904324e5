package rollout_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

var (
	worlds    = flag.Int("worlds", 2000, "how many random worlds to explore")
	onlyWorld = flag.Uint64("world", 0, "explore this world alone, and tell of it")
)

// TestExplore lets two planners with caches of different age, users and a cluster
// act in random order, a write at a time. What must never break is held after
// every write; then the world turns fair, and must come to rest.
func TestExplore(t *testing.T) {
	if *onlyWorld != 0 {
		e := explore(t, *onlyWorld)
		t.Log("\n" + strings.Join(e.lines, "\n"))
		return
	}
	// Worlds are short-lived garbage: memory is cheaper here than collecting it.
	percent := debug.SetGCPercent(800)
	t.Cleanup(func() { debug.SetGCPercent(percent) })
	for part := range runtime.GOMAXPROCS(0) {
		t.Run(fmt.Sprintf("part %d", part+1), func(t *testing.T) {
			t.Parallel()
			records, writes := 0, 0
			for seed := part; seed < *worlds && !t.Failed(); seed += runtime.GOMAXPROCS(0) {
				e := explore(t, uint64(seed+1))
				records, writes = records+len(e.Records), writes+e.Writes
			}
			t.Logf("%d records, %d writes", records, writes)
		})
	}
}

// explorer is one random world.
type explorer struct {
	*world.World
	t        *testing.T
	seed     uint64
	random   *rand.Rand
	planners [2]*world.Planner
	lines    []string
	computed int
	// asleep is for how many turns the second planner sleeps.
	asleep int
}

func explore(t *testing.T, seed uint64) *explorer {
	e := &explorer{t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 7))}
	e.World = world.New(e.track())
	switch seed % 4 { // No dice: the other worlds stay as they were.
	case 0:
		e.Track.Spec.Retention.ActionSeconds = ptr(int32(20))
	case 1:
		e.Track.Approvals.Valid = 20 * time.Second
	case 2:
		e.Turn = busy(int(seed/4)%4, 7*time.Second)
	}
	for i := range e.planners {
		e.planners[i] = world.NewPlanner(e.World, e.compute)
	}
	e.publish()
	if e.chance(80) && !e.fair() {
		return e
	}
	e.tell("-- the world is unfair now")
	for range 200 + e.random.IntN(400) {
		if !e.act() {
			return e
		}
	}
	e.RouterDown = false
	e.planners[0].Crash()
	e.tell("-- the world is fair now")
	e.fair()
	return e
}

// compute is Compute, held to its purity every now and then.
func (e *explorer) compute(o rollout.Observation) rollout.Plan {
	e.computed++
	if e.computed%64 == 0 {
		return pure(e.t)(o)
	}
	return rollout.Compute(o)
}

func (e *explorer) tell(format string, args ...any) {
	e.lines = append(e.lines, fmt.Sprintf("%9s ", e.Now.Sub(world.Start).Round(time.Second))+fmt.Sprintf(format, args...))
}

func (e *explorer) fail(err error) bool {
	if err != nil {
		e.t.Errorf("world %d (go test -run TestExplore -world %d): %v\n%s", e.seed, e.seed, err, strings.Join(e.lines, "\n"))
	}
	return err == nil
}

func (e *explorer) chance(percent int) bool { return e.random.IntN(100) < percent }

func oneOf[T any](e *explorer, all ...T) T { return all[e.random.IntN(len(all))] }

func (e *explorer) track() v1alpha1.ReleaseTrackSpec {
	spec := track(warm(max(0, int32(e.random.IntN(4))-1), int32(30*e.random.IntN(4))))
	spec.Rollout = &v1alpha1.RolloutSpec{
		BakeSeconds:             ptr(int32(e.random.IntN(3) * 10)),
		ProgressDeadlineSeconds: ptr(int32(60)),
		FailureSeconds:          ptr(int32(20)),
	}
	if e.chance(30) {
		spec.Retention.HistoryLimit = ptr(int32(e.random.IntN(3)))
	}
	if e.chance(50) {
		spec.Retention.RecordLimit = ptr(int32(5 + e.random.IntN(15)))
	}
	spec.Traffic.DrainSeconds = ptr(int32(5 * e.random.IntN(3)))
	e.editPolicies(&spec)
	e.editSteps(&spec)
	e.editRoutes(&spec)
	if e.chance(10) {
		spec.Requires = []v1alpha1.RequiredTrack{staging}
	}
	if e.chance(30) {
		e.editCapacity(&spec)
	}
	return spec
}

func (e *explorer) editSteps(spec *v1alpha1.ReleaseTrackSpec) {
	spec.Rollout.Steps = nil
	for _, w := range []int32{20, 50, 100} {
		if !e.chance(60) {
			continue
		}
		step := v1alpha1.RolloutStep{WeightPercent: w, HoldSeconds: ptr(int32(e.random.IntN(3) * 5))}
		if e.chance(10) {
			step.Approval = v1alpha1.ApprovalRequired
		}
		spec.Rollout.Steps = append(spec.Rollout.Steps, step)
	}
}

func (e *explorer) editPolicies(spec *v1alpha1.ReleaseTrackSpec) {
	r := spec.Rollout
	r.FailurePolicy, r.SupersedePolicy, r.AdvancePolicy = "", "", ""
	if e.chance(25) {
		r.FailurePolicy = v1alpha1.FailureHold
	}
	if e.chance(25) {
		r.SupersedePolicy = v1alpha1.SupersedeQueue
	}
	if e.chance(15) {
		r.AdvancePolicy = v1alpha1.AdvancePaused
	}
}

func (e *explorer) editRoutes(spec *v1alpha1.ReleaseTrackSpec) {
	spec.Traffic.Routes = nil
	if e.chance(90) {
		public := gatewayRoute("public", "web")
		if e.chance(20) {
			public = albRoute("public", "web")
			public.Ingress.DeregistrationDelaySeconds = ptr(int32(5 * e.random.IntN(3)))
			if e.chance(40) {
				public.Ingress.StickinessSeconds = ptr(int32(600))
			}
		}
		spec.Traffic.Routes = append(spec.Traffic.Routes, public)
	}
	if e.chance(40) {
		spec.Traffic.Routes = append(spec.Traffic.Routes, serviceRoute("internal", "api"))
	}
}

// act does one thing; false: a rule was broken.
func (e *explorer) act() bool {
	p := e.awake()
	switch n := e.random.IntN(100); {
	case n < 20:
		p.Sync(world.Kind(e.random.IntN(5)))
	case n < 35:
		p.Sync()
	case n < 76:
		for range 1 + e.random.IntN(3) {
			if !e.write(p) {
				return false
			}
		}
	case n < 77:
		p.Crash()
		e.tell("one of the planners crashes")
	case n < 88:
		for _, change := range e.Step() {
			e.tell("~ %s", change)
		}
		e.load()
	case n < 97:
		e.Now = e.Now.Add(time.Duration(1+e.random.IntN(5)) * time.Second)
	case e.chance(8):
		e.breakSnapshots()
	default:
		e.user()
	}
	return true
}

// breakSnapshots of a release, or all are again what was sealed.
func (e *explorer) breakSnapshots() {
	names := slices.Sorted(maps.Keys(e.Seals))
	if len(names) == 0 {
		return
	}
	name := oneOf(e, names...)
	var broken []rollout.Snapshot
	for _, source := range []string{"keys", "words"} {
		if e.chance(50) {
			broken = append(broken, copyOf(name, source, oneOf(e, "", "", "it differs in data[word]"), e.chance(50)))
		}
	}
	e.tell("> of the snapshots of %s are broken: %v", name, broken)
	e.BreakSnapshots(name, broken...)
}

// load: every now and then an autoscaler wants another size.
func (e *explorer) load() {
	names := slices.Sorted(maps.Keys(e.Autoscalers))
	if len(names) > 0 && e.chance(20) {
		e.tell("~ %s", e.Load(oneOf(e, names...), int32(1+e.random.IntN(8))))
	}
}

// awake is the planner whose turn it is. The second one often falls asleep with a
// plan in its hands, and wakes up when the first has moved on.
func (e *explorer) awake() *world.Planner {
	e.asleep--
	if e.asleep > 0 || e.chance(65) {
		return e.planners[0]
	}
	if !e.planners[1].Idle() && e.chance(25) {
		e.asleep = e.random.IntN(120)
	}
	return e.planners[1]
}

// write lets a planner go on: think, or make its next write.
func (e *explorer) write(p *world.Planner) bool {
	if p.Idle() {
		p.Think(false)
		return true
	}
	line, err := p.Act()
	if line != "" {
		e.tell("planner %d: %s", slices.Index(e.planners[:], p), line)
	}
	return e.fail(err)
}

// fair: users rest, the router reports, one planner is left and sees everything.
// The world must come to rest, and stay so however long one waits.
func (e *explorer) fair() bool {
	p := e.planners[0]
	began := e.sequence()
	for range 2000 {
		p.Sync()
		plan := p.Think(false)
		if plan.Stale && e.RestoreRecords() {
			e.tell("> the records are restored")
			continue
		}
		if plan.Stale {
			return e.fail(fmt.Errorf("stale on a fresh look"))
		}
		acted := false
		for !p.Idle() {
			line, err := p.Act()
			if line != "" {
				e.tell("fair: %s", line)
				acted = true
			}
			if !e.fail(err) {
				return false
			}
		}
		changes := e.Step()
		for _, change := range changes {
			e.tell("~ %s", change)
		}
		if acted || len(changes) > 0 {
			continue
		}
		next, ok := e.NextStep()
		if after := plan.After; after > 0 && (!ok || e.Now.Add(after).Before(next)) {
			next, ok = e.Now.Add(after), true
		}
		if !ok {
			return e.rest(began)
		}
		e.Now = next
	}
	return e.fail(fmt.Errorf("no end of it"))
}

// sequence is the number of the newest record.
func (e *explorer) sequence() int64 {
	if n := len(e.Records); n > 0 {
		return e.Records[n-1].Spec.Sequence
	}
	return 0
}

func (e *explorer) rest(began int64) bool {
	s := story{t: e.t, World: e.World}
	if grew := e.sequence() - began; grew > 120 {
		return e.fail(fmt.Errorf("%d records on the way to rest", grew))
	}
	return e.fail(s.settled()) && e.fail(e.CheckLog()) && e.fail(e.CheckMarks()) && e.fail(e.CheckHistory()) && e.fail(e.CheckAccess()) && e.fail(e.ended()) && e.fail(e.AtRest())
}

// ended: in a fair world every attempt comes to its end, unless it waits for people,
// or for another track; and one that has failed and is held says that nothing moves.
func (e *explorer) ended() error {
	plan, c, policies := rollout.Compute(e.Observe()), e.Head().Candidate, e.Track.Spec.Rollout
	if c == nil {
		return nil
	}
	if b := plan.Blocked; b != nil {
		paused := b.Gate == "AdvanceAllowed" && policies.AdvancePolicy == v1alpha1.AdvancePaused
		changed := b.Gate == "AsSealed" && plan.Stage == rollout.Stalled
		held := b.Gate == "NotFailed" && policies.FailurePolicy == v1alpha1.FailureHold && plan.Stage == rollout.Stalled
		if b.Gate == "Approved" || b.Gate == "RequiredTracksPromoted" || paused || held || changed {
			return nil
		}
	}
	return fmt.Errorf("%s has an open attempt without end: %+v", c.Name, plan.Blocked)
}
