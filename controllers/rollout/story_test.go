package rollout_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

var update = flag.Bool("update", false, "write the golden transcripts anew")

// A story is a rollout told as a transcript, one line for everything that
// happens: what users do (>), records (#), writes, what the cluster does (~), and
// the stage or the gate that blocks whenever they change (=).
type story struct {
	t *testing.T
	*world.World
	// planner makes all writes; nil: a new one is started for each.
	planner *world.Planner
	lines   []string
	// outlook is the last stage and gate that were told, standing what was of the template.
	outlook, standing string
}

func newStory(t *testing.T, spec v1alpha1.ReleaseTrackSpec) *story {
	t.Helper()
	w := world.New(spec)
	return &story{t: t, World: w, planner: world.NewPlanner(w, pure(t))}
}

// pure is Compute, held to it: the same observation gives the same plan, and is
// left as it was.
func pure(t *testing.T) func(rollout.Observation) rollout.Plan {
	return func(o rollout.Observation) rollout.Plan {
		t.Helper()
		before := clone(o)
		plan := rollout.Compute(o)
		if !reflect.DeepEqual(before, o) {
			t.Fatalf("Compute changed its observation")
		}
		if again := rollout.Compute(before); !reflect.DeepEqual(plan, again) {
			t.Fatalf("the same observation gave two plans:\n%+v\n%+v", plan, again)
		}
		return plan
	}
}

func (s *story) tell(mark, format string, args ...any) {
	at := s.Now.Sub(world.Start).Round(time.Second)
	s.lines = append(s.lines, fmt.Sprintf("%9s %s %s", at, mark, fmt.Sprintf(format, args...)))
}

// user does something and tells of it.
func (s *story) user(does string, do func()) {
	s.tell(">", "%s", does)
	do()
}

func (s *story) publish(name string, spec v1alpha1.ImmutableReleaseSpec, script world.Script) {
	s.user("publish "+name+", version "+spec.Version, func() { s.Publish(name, spec, script) })
}

func (s *story) pin(name string) {
	does := "pin " + name
	if name == "" {
		does = "remove the pin"
	}
	s.user(does, func() { s.Track.Spec.ReleaseName = name })
}

func (s *story) ask(action v1alpha1.ActionType, release string, change ...func(*v1alpha1.ReleaseActionSpec)) {
	spec := v1alpha1.ReleaseActionSpec{Action: action, ReleaseName: release}
	for _, c := range change {
		c(&spec)
	}
	s.user(fmt.Sprintf("%s %s", action, release), func() { s.Ask(spec) })
}

func attempt(n int32) func(*v1alpha1.ReleaseActionSpec) {
	return func(a *v1alpha1.ReleaseActionSpec) { a.Attempt = &n }
}

func weight(n int32) func(*v1alpha1.ReleaseActionSpec) {
	return func(a *v1alpha1.ReleaseActionSpec) { a.WeightPercent = &n }
}

// run lets time pass until nothing happens any more.
func (s *story) run() {
	s.t.Helper()
	s.until("quiet", 100*24*time.Hour, func() bool { return false })
}

// pass lets an amount of time pass.
func (s *story) pass(d time.Duration) {
	s.t.Helper()
	end := s.Now.Add(d)
	s.until("time", d, func() bool { return false })
	s.Now = end
}

// untilWeight lets time pass until a release has a weight, verified.
func (s *story) untilWeight(release string, percent int32) {
	s.t.Helper()
	s.untilState(fmt.Sprintf("%s at %d", release, percent), func(state v1alpha1.TrackState) bool {
		for _, r := range state.Routes {
			for _, share := range r.Weights {
				if share.ReleaseName == release && share.WeightPercent == percent && r.VerifiedTime != nil {
					return true
				}
			}
		}
		return false
	})
}

func (s *story) untilState(what string, reached func(v1alpha1.TrackState) bool) {
	s.t.Helper()
	if !s.until(what, 24*time.Hour, func() bool { return reached(s.Head()) }) {
		s.t.Fatalf("never reached: %s\n%s", what, s.transcript())
	}
}

// until lets time pass, at most d, until a condition holds, and says whether it
// did. The planner makes one write after the other, each on a fresh look.
func (s *story) until(what string, d time.Duration, reached func() bool) bool {
	s.t.Helper()
	end := s.Now.Add(d)
	for range 5000 {
		if reached() {
			return true
		}
		if s.once() {
			continue
		}
		next, ok := s.nextMoment()
		if !ok || next.After(end) {
			return reached()
		}
		s.Now = next
	}
	s.t.Fatalf("%s: no end of it\n%s", what, s.transcript())
	return false
}

// once makes one write, or lets the cluster do what is due; false: neither.
func (s *story) once() bool {
	s.t.Helper()
	planner := s.planner
	if planner == nil {
		planner = world.NewPlanner(s.World, rollout.Compute)
	}
	planner.Sync()
	plan := planner.Think(false)
	if plan.Stale {
		s.t.Fatalf("stale on a fresh look\n%s", s.transcript())
	}
	s.see(plan)
	wrote := false
	for !planner.Idle() && (s.planner != nil || !wrote) {
		line, err := planner.Act()
		if line != "" {
			s.tell(mark(line), "%s", strings.TrimPrefix(line, "#"))
			wrote = true
		}
		if err != nil {
			s.t.Fatalf("broken: %v\n%s", err, s.transcript())
		}
	}
	if wrote {
		return true
	}
	changes := s.Step()
	for _, change := range changes {
		s.tell("~", "%s", change)
	}
	return len(changes) > 0
}

func mark(line string) string {
	if strings.HasPrefix(line, "#") {
		return "#"
	}
	return " "
}

// see tells of the stage and the gate that blocks, when they have changed.
func (s *story) see(plan rollout.Plan) {
	outlook := string(plan.Stage)
	if b := plan.Blocked; b != nil {
		outlook += fmt.Sprintf(", %s: %s: %s", b.Gate, b.Reason, b.Message)
	}
	if b := plan.Stalled; b != nil {
		outlook += fmt.Sprintf(", %s: %s: %s", b.Gate, b.Reason, b.Message)
	}
	if plan.Append == nil && outlook != s.outlook {
		s.outlook = outlook
		s.tell("=", "%s", outlook)
	}
	reason, message := rollout.Ask(s.Observe()).Template()
	if standing := reason + ": " + message; plan.Append == nil && reason != "" && standing != s.standing {
		s.standing = standing
		s.tell("=", "template, %s", standing)
	}
}

// nextMoment is when time alone changes something: for the cluster, or by what
// the plan says.
func (s *story) nextMoment() (time.Time, bool) {
	next, ok := s.NextStep()
	if after := rollout.Compute(s.Observe()).After; after > 0 && (!ok || s.Now.Add(after).Before(next)) {
		next, ok = s.Now.Add(after), true
	}
	if ok && next.Before(s.Now) {
		s.t.Fatalf("the past is due: %s\n%s", next, s.transcript())
	}
	return next, ok
}

func (s *story) transcript() string { return strings.Join(s.lines, "\n") + "\n" }

// end holds what must be true of a world in which nothing happens any more, and
// compares the transcript with the golden one.
func (s *story) end() {
	s.t.Helper()
	for _, err := range []error{s.settled(), s.CheckLog(), s.CheckMarks(), s.CheckHistory(), s.CheckAccess()} {
		if err != nil {
			s.t.Errorf("%v\n%s", err, s.transcript())
		}
	}
	golden(s.t, s.transcript())
}

// settled: nothing is left to do, now or later, however long one waits.
func (s *story) settled() error {
	for _, wait := range []time.Duration{0, time.Minute, 24 * time.Hour, 3650 * 24 * time.Hour} {
		o := s.Observe()
		o.Now = o.Now.Add(wait)
		plan := rollout.Compute(o)
		if plan.Append != nil || len(plan.Do) > 0 {
			return fmt.Errorf("not settled after %s: %+v %+v", wait, plan.Append, plan.Do)
		}
		if plan.After != 0 && plan.Stage == rollout.Settled {
			return fmt.Errorf("settled, and yet looks again after %s", plan.After)
		}
	}
	return nil
}

func golden(t *testing.T, got string) {
	t.Helper()
	file := filepath.Join("testdata", strings.ReplaceAll(strings.TrimPrefix(t.Name(), "TestStories/"), "/", "_")+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; write it by go test ./controllers/rollout -update", err)
	}
	if string(want) != got {
		t.Errorf("%s differs; see the change by go test ./controllers/rollout -update and git diff\n%s", file, firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range w {
		if i >= len(g) || w[i] != g[i] {
			other := "(the end)"
			if i < len(g) {
				other = g[i]
			}
			return fmt.Sprintf("line %d\n  want %s\n  got  %s", i+1, w[i], other)
		}
	}
	return "more lines than expected: " + g[len(w)-1]
}
