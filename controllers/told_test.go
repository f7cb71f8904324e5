package controllers

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	played "github.com/strata-release/strata/test/world"
)

var update = flag.Bool("update", false, "write the golden transcripts anew")

// told is a world of the planner's tests as its users read of it: the statuses are
// made at every look, held to what they must never say, and told where they differ,
// with the events that come of it.
type told struct {
	*testing.T
	*played.World
	planner  *played.Planner
	track    *v1alpha1.ReleaseTrack
	releases map[types.UID]*v1alpha1.ImmutableRelease
	lines    []string
	// said is the last event of each object.
	said map[string]notice
}

func newTold(t *testing.T, spec v1alpha1.ReleaseTrackSpec) *told {
	t.Helper()
	w := played.New(spec)
	return &told{
		T: t, World: w, planner: played.NewPlanner(w, rollout.Compute),
		track:    &v1alpha1.ReleaseTrack{ObjectMeta: metav1.ObjectMeta{Name: played.TrackName, Generation: 1}},
		releases: map[types.UID]*v1alpha1.ImmutableRelease{}, said: map[string]notice{},
	}
}

func (s *told) tell(format string, args ...any) {
	at := s.Now.Sub(played.Start).Round(time.Second)
	s.lines = append(s.lines, fmt.Sprintf("%9s %s", at, fmt.Sprintf(format, args...)))
}

func (s *told) fail(format string, args ...any) {
	s.Helper()
	s.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(s.lines, "\n"))
}

// user does something and tells of it.
func (s *told) user(does string, do func()) {
	s.tell("> %s", does)
	do()
}

// look makes the statuses of the present moment. They are those of a loop that has
// come to rest where the plan has nothing to do.
func (s *told) look() rollout.Plan {
	s.Helper()
	o := s.Observe()
	plan := rollout.Compute(o)
	s.track.Spec = o.Track.Spec
	w := &world{Observation: o, track: s.track, places: map[string]int{}}
	for i := range o.Releases {
		r := &o.Releases[i]
		release := s.releases[r.UID]
		if release == nil {
			release = &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Name: r.Name, UID: r.UID, Generation: 1}}
			s.releases[r.UID] = release
		}
		release.Spec = *r.Spec
		w.places[r.Name], w.releases = i, append(w.releases, *release)
	}
	f := findingsOf(w, plan, nil)
	idle := plan.Append == nil && len(plan.Do) == 0
	s.lookAtTrack(f, idle)
	for i := range w.releases {
		s.lookAtRelease(f, &w.releases[i])
	}
	return plan
}

func (s *told) lookAtTrack(f findings, idle bool) {
	s.Helper()
	after := s.track.DeepCopy()
	f.trackStatus(after)
	result := s.kstatus("ReleaseTrack", after, after.Status.Conditions)
	if trouble := trackTrouble(f, after, result, idle); trouble != "" {
		s.fail("the track is %s: %s\nbut %s", result.Status, result.Message, trouble)
	}
	if !idle {
		return
	}
	s.hear("track", trackNotices(&s.track.Status, &after.Status), trackNotices(&after.Status, &after.Status))
	s.differs("track", s.track.Status.Conditions, after.Status.Conditions, result)
	s.track = after
}

func (s *told) lookAtRelease(f findings, release *v1alpha1.ImmutableRelease) {
	s.Helper()
	after := release.DeepCopy()
	f.releaseStatus(after)
	result := s.kstatus("ImmutableRelease", after, after.Status.Conditions)
	if trouble := releaseTrouble(f, after, result); trouble != "" {
		s.fail("%s is %s: %s\nbut %s", release.Name, result.Status, result.Message, trouble)
	}
	if f.plan.Append != nil || len(f.plan.Do) > 0 {
		return
	}
	s.hear(release.Name, releaseNotices(&release.Status, &after.Status), releaseNotices(&after.Status, &after.Status))
	s.differs(release.Name, release.Status.Conditions, after.Status.Conditions, result)
	s.releases[release.UID] = after
}

// kstatus is what the library reads, and with it what it does not check itself.
func (s *told) kstatus(kind string, object client.Object, conditions []metav1.Condition) *status.Result {
	s.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		s.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	result, err := status.Compute(u)
	if err != nil {
		s.Fatal(err)
	}
	if meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled) && meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling) {
		s.fail("%s %s is both stalled and reconciling", kind, object.GetName())
	}
	for _, c := range conditions {
		if c.ObservedGeneration != object.GetGeneration() || len(c.Message) > maxMessage {
			s.fail("condition %s of %s: %+v", c.Type, object.GetName(), c)
		}
	}
	return result
}

// hear tells of events. They are a pure diff: nothing new, nothing said; and nothing is
// said twice in a row.
func (s *told) hear(object string, news, none []notice) {
	s.Helper()
	if len(none) > 0 {
		s.fail("nothing has changed, and yet the %s tells of %+v", object, none)
	}
	for _, n := range news {
		if s.said[object] == n {
			s.fail("the %s repeats itself: %+v", object, n)
		}
		s.said[object] = n
		mark := "event"
		if n.warning {
			mark = "warning"
		}
		s.tell("%-7s %s %s: %s", object, mark, n.reason, n.message)
	}
}

// differs tells of what is read of an object at first sight, where it has changed.
func (s *told) differs(object string, before, after []metav1.Condition, result *status.Result) {
	now := meta.FindStatusCondition(after, v1alpha1.ConditionReady)
	was := meta.FindStatusCondition(before, v1alpha1.ConditionReady)
	if was == nil || was.Reason != now.Reason || was.Message != now.Message || was.Status != now.Status {
		s.tell("%-7s %s, %s: %s", object, result.Status, now.Reason, now.Message)
	}
}

// run lets time pass, at most d, until nothing happens any more, or a condition holds.
func (s *told) run(d time.Duration, reached func() bool) {
	s.Helper()
	for end := s.Now.Add(d); !reached(); {
		s.planner.Sync()
		s.look()
		s.planner.Think(false)
		acted := false
		for !s.planner.Idle() {
			line, err := s.planner.Act()
			if err != nil {
				s.fail("%v", err)
			}
			acted = acted || line != ""
		}
		if len(s.Step()) > 0 || acted {
			continue
		}
		next, ok := s.NextStep()
		if after := s.look().After; after > 0 && (!ok || s.Now.Add(after).Before(next)) {
			next, ok = s.Now.Add(after), true
		}
		if !ok || next.After(end) {
			return
		}
		s.Now = next
	}
}

func (s *told) rest() {
	s.Helper()
	s.run(100*24*time.Hour, func() bool { return false })
}

func (s *told) untilWeight(release string, percent int32) {
	s.Helper()
	s.run(24*time.Hour, func() bool {
		for _, route := range s.Head().Routes {
			if slices.Contains(route.Weights, v1alpha1.ReleaseWeight{ReleaseName: release, WeightPercent: percent}) && route.VerifiedTime != nil {
				return true
			}
		}
		return false
	})
}

// end: at rest nothing claims to be on its way, unless it waits for somebody.
func (s *told) end() {
	s.Helper()
	s.rest()
	waits := s.track.Status.BlockedBy
	if s.kstatus("ReleaseTrack", s.track, s.track.Status.Conditions).Status == status.InProgressStatus &&
		!slices.Contains([]string{"Approved", "RequiredTracksPromoted"}, waits.Gate) {
		s.fail("nothing happens any more, and yet the track is in progress: %+v", waits)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Releases)) {
		release := s.releases[s.Releases[name].UID]
		if s.kstatus("ImmutableRelease", release, release.Status.Conditions).Status != status.InProgressStatus {
			continue
		}
		ready := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady)
		if candidate := s.Head().Candidate; ready.Reason != "Waiting" && (candidate == nil || candidate.UID != release.UID) {
			s.fail("nothing happens any more, and yet %s is in progress: %s", name, ready.Message)
		}
	}
}

func (s *told) golden(name string) {
	s.Helper()
	s.end()
	file, got := filepath.Join("testdata", name+".golden"), strings.Join(s.lines, "\n")+"\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			s.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		s.Fatalf("%v; write it by go test ./controllers -update", err)
	}
	if string(want) != got {
		s.Errorf("%s differs; see the change by go test ./controllers -update and git diff:\n%s", file, got)
	}
}
