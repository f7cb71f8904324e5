package controllers

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	played "github.com/strata-release/strata/test/world"
)

// trackTrouble is why the status of a track must not be what kstatus reads of it; "" when
// it may. idle: there is nothing to be written.
func trackTrouble(f findings, track *v1alpha1.ReleaseTrack, result *status.Result, idle bool) string {
	state := f.state()
	_, _, carried, any := f.answers.Carried()
	underWay := state.Candidate != nil || f.recalled() != nil || any && !carried
	log := f.Log.Broken != "" || f.plan.Stale
	switch {
	case result.Status == status.CurrentStatus && underWay:
		return "something is under way"
	case result.Status == status.FailedStatus && idle && state.Candidate != nil && !log:
		return "an attempt is open"
	case result.Status == status.InProgressStatus && log:
		return "nothing is decided while the log is broken"
	case result.Status != status.CurrentStatus && result.Message == "":
		return "it does not say why"
	case idle:
		return blockedTrouble(track, result)
	}
	return ""
}

// blockedTrouble: at rest it is blocked, and says by what, or it is Current.
func blockedTrouble(track *v1alpha1.ReleaseTrack, result *status.Result) string {
	blocked := track.Status.BlockedBy
	switch {
	case result.Status == status.CurrentStatus && blocked != nil:
		return "it is blocked by " + blocked.Message
	case result.Status != status.CurrentStatus && (blocked == nil || blocked.Message == ""):
		return "blockedBy is empty"
	}
	return ""
}

// releaseTrouble likewise.
func releaseTrouble(f findings, release *v1alpha1.ImmutableRelease, result *status.Result) string {
	state, facts := f.state(), f.facts(release.Name)
	isStable := state.Stable != nil && state.Stable.UID == release.UID
	isCandidate := state.Candidate != nil && state.Candidate.UID == release.UID
	verdict := f.answers.VerdictOf(facts)
	switch {
	case isCandidate && result.Status != status.InProgressStatus && f.logTrouble() == nil:
		return "its attempt is open"
	case isCandidate && result.Status == status.InProgressStatus && f.logTrouble() != nil:
		return "nothing is decided while the log is broken"
	case isStable && !isCandidate && result.Status != status.CurrentStatus:
		return "it is stable"
	case verdict.IsNegative() && !isStable && !isCandidate && !f.isRecalled(facts) && result.Status != status.FailedStatus:
		return fmt.Sprintf("its attempt ended as %s", verdict)
	case result.Status != status.CurrentStatus && result.Message == "":
		return "it does not say why"
	}
	return ""
}

func shopTrack(changes ...func(*v1alpha1.ReleaseTrackSpec)) v1alpha1.ReleaseTrackSpec {
	spec := v1alpha1.ReleaseTrackSpec{
		Rollout: &v1alpha1.RolloutSpec{
			Steps:                   []v1alpha1.RolloutStep{{WeightPercent: 20, HoldSeconds: ptr.To[int32](30)}},
			BakeSeconds:             ptr.To[int32](60),
			ProgressDeadlineSeconds: ptr.To[int32](120),
		},
		Traffic: &v1alpha1.TrafficSpec{Routes: []v1alpha1.Route{{
			Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI, GatewayAPI: &v1alpha1.GatewayAPIRoute{Kind: "HTTPRoute"},
		}}},
	}
	for _, change := range changes {
		change(&spec)
	}
	return spec
}

// publish creates a release of component web, with a test before it takes traffic.
func (s *told) publish(n int, script played.Script) {
	name, version := fmt.Sprintf("shop-%d", n), fmt.Sprintf("%d.0", n)
	s.user("publish "+name, func() {
		s.Publish(name, v1alpha1.ImmutableReleaseSpec{
			TrackName: played.TrackName, ReleaseTemplate: v1alpha1.ReleaseTemplate{
				Version:    version,
				Components: []v1alpha1.Component{{Name: "web", Replicas: 2, Ports: []v1alpha1.ComponentPort{{Name: "http", Port: 80}}}},
				Tests:      []v1alpha1.ReleaseTest{{Name: "smoke", When: v1alpha1.BeforeTraffic, DeadlineSeconds: ptr.To[int32](60)}},
			},
		}, script)
	})
}

func (s *told) ask(action v1alpha1.ActionType, release string, weight int32) {
	spec := v1alpha1.ReleaseActionSpec{Action: action, ReleaseName: release}
	if c := s.Head().Candidate; c != nil {
		spec.Attempt = &c.Attempt
	}
	if weight > 0 {
		spec.WeightPercent = &weight
	}
	s.user(fmt.Sprintf("%s %s", action, release), func() { s.Ask(spec) })
}

func well() played.Script { return played.Script{ReadyAfter: 5 * time.Second} }

func failing() played.Script {
	return played.Script{ReadyAfter: 5 * time.Second, Tests: map[string]played.TestScript{"smoke": {After: 3 * time.Second, Fails: true, Message: "exit code 1: the basket is empty"}}}
}

func broken() played.Script {
	return played.Script{ReadyAfter: -1, Trouble: "CrashLoopBackOff: exit code 3: no database"}
}

// What is read of a track and its releases, from their first moment to the end, and
// the events of it: one transcript a story.
func TestWhatIsTold(t *testing.T) {
	staging := v1alpha1.RequiredTrack{Namespace: "staging", TrackName: "shop"}
	serving := func(s *told) { s.publish(1, well()); s.rest(); s.lines = nil }
	both := func(s *told) { serving(s); s.publish(2, well()); s.rest(); s.lines = nil }
	for name, c := range map[string]struct {
		spec v1alpha1.ReleaseTrackSpec
		play func(*told)
	}{
		"goes-live":     {shopTrack(), func(s *told) { s.publish(1, well()); s.rest(); s.publish(2, well()) }},
		"test-fails":    {shopTrack(), func(s *told) { serving(s); s.publish(2, failing()) }},
		"never-ready":   {shopTrack(), func(s *told) { serving(s); s.publish(2, broken()) }},
		"first-fails":   {shopTrack(), func(s *told) { s.publish(1, failing()); s.rest(); s.publish(2, well()) }},
		"rolled-back":   {shopTrack(), func(s *told) { both(s); s.ask(v1alpha1.ActionRollback, "shop-1", 0) }},
		"stable-breaks": {shopTrack(), func(s *told) { serving(s); s.user("shop-1 breaks", func() { s.Break("shop-1", "OOMKilled") }) }},
		"rolled-back-cold": {shopTrack(func(spec *v1alpha1.ReleaseTrackSpec) {
			spec.Retention = &v1alpha1.RetentionSpec{WarmReleases: ptr.To[int32](0)}
		}), func(s *told) { both(s); s.ask(v1alpha1.ActionRollback, "shop-1", 0) }},
		"pin-rolled-back": {shopTrack(), func(s *told) {
			both(s)
			s.user("pin shop-2", func() { s.Track.Spec.ReleaseName = "shop-2" })
			s.ask(v1alpha1.ActionRollback, "shop-1", 0)
			s.rest()
			s.user("pin shop-1", func() { s.Track.Spec.ReleaseName = "shop-1" })
		}},
		"pin-missing": {shopTrack(), func(s *told) {
			serving(s)
			s.user("pin shop-9", func() { s.Track.Spec.ReleaseName = "shop-9" })
			s.publish(2, well())
		}},
		"approval": {shopTrack(), func(s *told) {
			serving(s)
			s.user("20 needs an approval", func() { s.Track.Spec.Rollout.Steps[0].Approval = v1alpha1.ApprovalRequired })
			s.publish(2, well())
			s.rest()
			s.ask(v1alpha1.ActionApprove, "shop-2", 20)
		}},
		"required": {shopTrack(), func(s *told) {
			serving(s)
			s.user("staging/shop is required", func() { s.Track.Spec.Requires = []v1alpha1.RequiredTrack{staging} })
			s.publish(2, well())
			s.rest()
			s.user("promoted in staging", func() { s.Decide(staging, "2.0", s.Content("shop-2"), v1alpha1.EventPromoted) })
		}},
		"router-down": {shopTrack(), func(s *told) {
			both(s)
			s.user("the router is down", func() { s.RouterDown = true })
			s.ask(v1alpha1.ActionRollback, "shop-1", 0)
			s.run(time.Minute, func() bool { return false })
			s.user("the router is up", func() { s.RouterDown = false })
		}},
		"superseded": {shopTrack(), func(s *told) {
			serving(s)
			s.publish(2, well())
			s.untilWeight("shop-2", 20)
			s.publish(3, well())
		}},
		"log-broken": {shopTrack(), func(s *told) {
			serving(s)
			s.publish(2, well())
			s.untilWeight("shop-2", 20)
			s.user("record 3 is edited", func() {
				s.EditRecord(3, func(spec *v1alpha1.ReleaseRecordSpec) { spec.Message = "nothing happened" })
			})
			s.publish(3, well())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTold(t, c.spec)
			c.play(s)
			s.golden(name)
		})
	}
}

// In random worlds nothing is ever Current while something is under way, nor in
// progress when nothing happens any more.
func TestKstatusOfRandomWorlds(t *testing.T) {
	for seed := range uint64(60) {
		s := newTold(t, shopTrack())
		random := rand.New(rand.NewPCG(seed, 7))
		s.tell("world %d", seed)
		for range 12 {
			s.randomUser(random)
			s.run(time.Duration(random.IntN(90))*time.Second, func() bool { return false })
		}
		s.RouterDown = false
		s.end()
	}
}

func (s *told) randomUser(random *rand.Rand) {
	n := len(s.Scripts) + 1
	some := fmt.Sprintf("shop-%d", 1+random.IntN(n))
	switch random.IntN(12) {
	case 0, 1, 2:
		s.publish(n, well())
	case 3:
		s.publish(n, failing())
	case 4:
		s.publish(n, broken())
	case 5, 6:
		s.ask(v1alpha1.ActionRollback, some, 0)
	case 7:
		s.ask(v1alpha1.ActionRetry, some, 0)
	case 8:
		s.ask(v1alpha1.ActionAbort, some, 0)
	case 9:
		pin := []string{"", "", some}[random.IntN(3)]
		s.user("pin "+pin, func() { s.Track.Spec.ReleaseName = pin })
	case 10:
		s.user("the router stops or starts", func() { s.RouterDown = !s.RouterDown })
	case 11:
		if s.Scripts[some] != nil && random.IntN(2) == 0 {
			s.user(some+" breaks", func() { s.Break(some, "OOMKilled") })
		} else if s.Scripts[some] != nil {
			s.user(some+" is deleted", func() { delete(s.Releases, some) })
		}
	}
}
