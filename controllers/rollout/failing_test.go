package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

func beforeTrafficFails(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"smoke": {After: 20 * time.Second, Fails: true, Message: "exit code 1: want 200, got 500"}}})
	s.run()
	s.end()
}

func everyStepFails(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"probe@50": {After: 20 * time.Second, Fails: true, Message: "exit code 1: 7 of 300 requests failed"}}})
	s.run()
	s.end()
}

func neverReady(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), world.Script{ReadyAfter: -1, Trouble: "ImagePullBackOff: no such image"})
	s.run()
	s.end()
}

func unavailableWithWeight(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 50)
	s.pass(5 * time.Second)
	s.user("shop-2 breaks for a moment", func() { s.Break("shop-2", "CrashLoopBackOff: exit code 137") })
	s.pass(30 * time.Second)
	s.user("it is well again", func() { s.Heal("shop-2") })
	s.pass(20 * time.Second)
	s.user("and breaks for good", func() { s.Break("shop-2", "CrashLoopBackOff: exit code 137") })
	s.run()
	s.end()
}

// lacksAPod: what is available may lack a pod for as long as pods may take to come up.
func lacksAPod(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", with(component("web", 4))), fine())
	s.untilWeight("shop-2", 20)
	s.user("the node of one pod is lost", func() { s.Lose("shop-2", "Unschedulable: 0/3 nodes are available") })
	s.pass(5 * time.Minute)
	s.user("the pod is on another", func() { s.Heal("shop-2") })
	s.untilWeight("shop-2", 50)
	s.user("and lost again", func() { s.Lose("shop-2", "Unschedulable: 0/3 nodes are available") })
	s.run()
	s.end()
}

func testHangs(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"smoke": {Hangs: true}}})
	s.run()
	s.end()
}

func jobVanishes(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.untilState("test started", func(state v1alpha1.TrackState) bool { return len(state.Tests) > 0 })
	s.user("delete its Job", func() { delete(s.Jobs, "shop-2-smoke-1") })
	s.run()
	s.end()
}

func jobReplaced(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.untilState("test started", func(state v1alpha1.TrackState) bool { return len(state.Tests) > 0 })
	s.user("replace its Job by one that has succeeded", func() {
		j := *s.Jobs["shop-2-smoke-1"]
		j.UID, j.Succeeded = "forged", true
		s.Jobs["shop-2-smoke-1"] = &j
	})
	s.run()
	s.end()
}

func routerNeverVerifies(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("the router stops to report", func() { s.RouterDown = true })
	s.pass(20 * time.Minute)
	s.user("it is back, and gone again right after the next write", func() { s.RouterDown = false })
	s.untilState("set to 50", func(state v1alpha1.TrackState) bool {
		return len(state.Routes[0].Weights) == 2 && state.Routes[0].Weights[1].WeightPercent == 50
	})
	s.user("the router stops to report", func() { s.RouterDown = true })
	s.run()
	s.user("it is back", func() { s.RouterDown = false })
	s.run()
	s.end()
}

// deadBaselineAtVerdict: the weights stay where they are, and are withdrawn once
// the baseline serves again.
func deadBaselineAtVerdict(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"probe@20": {After: 30 * time.Second, Fails: true, Message: "exit code 1"}}})
	s.untilWeight("shop-2", 20)
	s.user("shop-1 breaks", func() { s.Break("shop-1", "CrashLoopBackOff") })
	s.run()
	s.user("shop-1 is well again", func() { s.Heal("shop-1") })
	s.run()
	s.end()
}

// baselineDiesBeforeWrite: weights that wait for a dead baseline do not keep the
// next release from going live.
func baselineDiesBeforeWrite(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"probe@20": {After: 30 * time.Second, Fails: true, Message: "exit code 1"}}})
	s.untilState("failed", func(v1alpha1.TrackState) bool {
		return s.Records[len(s.Records)-1].Spec.Event == v1alpha1.EventFailed
	})
	s.user("shop-1 breaks before the weights are written", func() { s.Break("shop-1", "CrashLoopBackOff") })
	s.pass(time.Minute)
	s.publish("shop-3", release("3.0"), fine())
	s.run()
	s.end()
}

func routeOfSomebodyElse(t *testing.T) {
	s := newStory(t, track())
	s.user("somebody has an HTTPRoute shop-public", func() { s.Routes["shop-public"] = &world.RouteObject{Name: "shop-public", Foreign: true} })
	s.publish("shop-1", release("1.0"), fine())
	s.pass(5 * time.Minute)
	s.user("it is removed", func() { delete(s.Routes, "shop-public") })
	s.run()
	s.end()
}

func foreignSelector(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), world.Script{ReadyAfter: 5 * time.Second, ForeignSelectors: []string{"legacy"}})
	s.pass(time.Minute)
	s.user("the other Service selects something else now", func() { s.Scripts["shop-2"].ForeignSelectors = nil })
	s.run()
	s.end()
}

func nameTaken(t *testing.T) {
	s := serving(t, track())
	s.user("somebody has a Service shop-2-web", func() { s.Services["shop-2-web"] = &world.Service{Name: "shop-2-web"} })
	s.publish("shop-2", release("2.0"), fine())
	s.pass(time.Minute)
	s.user("it is removed", func() { delete(s.Services, "shop-2-web") })
	s.run()
	s.end()
}

func obstacle(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), world.Script{ReadyAfter: 5 * time.Second, Obstacle: &rollout.Obstacle{Gate: "Sealed", Reason: "ConfigMissing", Message: "ConfigMap shop-settings does not exist"}})
	s.pass(time.Minute)
	s.user("the ConfigMap is there now", func() { s.Scripts["shop-2"].Obstacle = nil })
	s.untilStable("shop-2")
	s.publish("shop-3", release("3.0"), world.Script{Obstacle: &rollout.Obstacle{Gate: "Sealed", Reason: "ConfigMissing", Message: "ConfigMap shop-settings does not exist"}})
	s.run()
	s.end()
}

// registryDown: an outage of a registry lasts as long as it does, and the release has
// its time once it is sealed.
func registryDown(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), world.Script{ReadyAfter: 5 * time.Second, Obstacle: &rollout.Obstacle{
		Gate: "Sealed", Reason: "RegistryUnreachable", Message: "registry.example.com does not answer", Unknown: true}})
	s.pass(3 * time.Hour)
	s.user("it answers", func() { s.Scripts["shop-2"].Obstacle = nil })
	s.untilStable("shop-2")
	s.publish("shop-3", release("3.0"), world.Script{ReadyAfter: -1, Trouble: "CrashLoopBackOff", Obstacle: &rollout.Obstacle{
		Gate: "Sealed", Reason: "RegistryUnreachable", Message: "registry.example.com does not answer", Unknown: true}})
	s.pass(time.Hour)
	s.user("it answers, and the pods do not come up", func() { s.Scripts["shop-3"].Obstacle = nil })
	s.run()
	s.end()
}

func backendMissing(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0", with(component("api", 1))), fine())
	s.run()
	s.end()
}

func versionReused(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-1b", release("1.0"), world.Script{ReadyAfter: 5 * time.Second, Content: "other"})
	s.run()
	s.pin("shop-1b")
	s.run()
	s.pin("")
	s.run()
	s.end()
}

func releaseDeleted(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0"), fine())
	s.untilWeight("shop-2", 20)
	s.user("delete shop-2", func() { delete(s.Releases, "shop-2") })
	s.run()
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.ask(v1alpha1.ActionRetry, "shop-2")
	s.run()
	s.end()
}

// trackDeleted: it holds nothing any more; one of its name goes on from there.
func trackDeleted(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.untilStable("shop-2")
	s.deleteRelease("shop-1")
	s.user("delete the track", func() { s.TrackGone = true })
	s.run()
	s.deleteRelease("shop-1")
	s.user("create the track again", func() { s.TrackGone = false })
	s.run()
	s.deleteRelease("shop-2")
	s.end()
}

// pinnedIsHeld: also while it has no traffic. What drains after a failure is held
// until it is retired.
func pinnedIsHeld(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)),
		world.Script{ReadyAfter: 5 * time.Second, Tests: map[string]world.TestScript{"probe": {After: 5 * time.Second, Fails: true}}})
	s.pin("shop-2")
	s.run()
	s.deleteRelease("shop-2")
	s.pin("")
	s.run()
	s.deleteRelease("shop-2")
	s.run()
	s.end()
}

// recordsLost: what serves is stable, what stood by drains, and what nobody remembers
// is neither tried nor asked for again.
func recordsLost(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.untilStable("shop-2")
	s.publish("shop-3", release("3.0"), fine())
	s.untilWeight("shop-3", 100)
	s.ask(v1alpha1.ActionRollback, "shop-2")
	s.pass(10 * time.Second)
	s.lines = nil
	s.user("all records are lost", s.LoseRecords)
	s.run()
	s.ask(v1alpha1.ActionRetry, "shop-3")
	s.untilStable("shop-3")
	s.run()
	s.end()
}

// historyLimit: the oldest idle releases go, but neither one that is owned nor one
// that is pinned; one that comes back is not deployed.
func historyLimit(t *testing.T) {
	s := serving(t, track(warm(0, 0), func(spec *v1alpha1.ReleaseTrackSpec) { spec.Retention.HistoryLimit = ptr(int32(1)) }))
	for _, n := range []string{"2", "3", "4", "5"} {
		s.publish("shop-"+n, release(n+".0"), fine())
		if n == "2" {
			s.user("Argo CD owns shop-2", func() { s.Releases["shop-2"].Owner = "Argo CD" })
		}
		s.untilStable("shop-" + n)
	}
	s.lines = nil
	s.run()
	s.publish("shop-1", release("1.0"), fine())
	s.run()
	s.pin("shop-1")
	s.run()
	s.end()
}

// finishedActions: they go when their time is over, each by itself; what is still carried
// out stays, and so does what waits.
func finishedActions(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	s.Track.Spec.Retention.ActionSeconds = ptr(int32(3600))
	s.publishAll("2")
	s.run()
	s.ask(v1alpha1.ActionAbort, "shop-2", attempt(1))
	s.pass(time.Minute)
	s.ask(v1alpha1.ActionBreakGlass, "shop-2", lasting(7200))
	s.Scripts["shop-1"].ReadyAfter = 2 * time.Hour
	s.user("a pod may take half a day", func() { s.Track.Spec.Rollout.ProgressDeadlineSeconds = ptr(int32(43200)) })
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// recordLimit: the oldest records go, many at a time; an old version that comes back
// has its verdict all the same.
func recordLimit(t *testing.T) {
	s := serving(t, track(warm(0, 0), func(spec *v1alpha1.ReleaseTrackSpec) { spec.Retention.RecordLimit = ptr(int32(10)) }))
	for _, n := range []string{"2", "3"} {
		s.publish("shop-"+n, release(n+".0"), fine())
		s.untilStable("shop-" + n)
	}
	s.user("delete shop-1", func() { s.Delete("shop-1") })
	s.lines = nil
	s.run()
	s.publish("shop-1", release("1.0"), fine())
	s.run()
	s.end()
}

// routesGoWithTheTrack where it says so; what has pods keeps them.
func routesGoWithTheTrack(t *testing.T) {
	s := serving(t, track())
	s.user("routes go with the track from now on", func() { s.Track.Spec.DeletionPolicy = v1alpha1.DeletionDelete })
	s.run()
	s.user("delete the track", func() { s.TrackGone = true })
	s.run()
	s.user("create the track again", func() { s.TrackGone = false })
	s.run()
	s.end()
}

// deleteRelease is what a user may try.
func (s *story) deleteRelease(name string) {
	deleted := s.Delete(name)
	s.tell(">", "delete %s: %s", name, map[bool]string{true: "done", false: "refused, it is held"}[deleted])
}

func stableDeleted(t *testing.T) {
	s := serving(t, track())
	s.user("delete shop-1, which only the guards being off allows", func() { delete(s.Releases, "shop-1") })
	s.run()
	s.publish("shop-1", release("1.0"), fine())
	s.run()
	s.ask(v1alpha1.ActionRetry, "shop-1")
	s.run()
	s.end()
}

// stableDeletedAndPassed: a router that cannot find the Service of what is gone does
// not keep the next release from serving.
func stableDeletedAndPassed(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.user("delete shop-1, which only the guards being off allows", func() { delete(s.Releases, "shop-1") })
	s.run()
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.end()
}

// stableDeletedUnderWay: the candidate is good, and the route names what is gone by the
// time that its test has passed.
func stableDeletedUnderWay(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.publish("shop-2", release("2.0", tested("probe", v1alpha1.EveryStep)), plays("probe", world.TestScript{After: 20 * time.Second}))
	s.untilWeight("shop-2", 20)
	s.user("delete shop-1, which only the guards being off allows", func() { delete(s.Releases, "shop-1") })
	s.run()
	s.end()
}

// stableDownWithoutRoute: a route that was lost waits for the pods, and the track says
// that it does.
func stableDownWithoutRoute(t *testing.T) {
	s := serving(t, track())
	s.user("shop-1 breaks", func() { s.Break("shop-1", "CrashLoopBackOff") })
	s.user("delete the HTTPRoute", func() { delete(s.Routes, "shop-public") })
	s.run()
	s.user("shop-1 is well again", func() { s.Heal("shop-1") })
	s.run()
	s.end()
}

// passedOverByDeleted: a release that was passed over stays so when the newer one is
// deleted, and is told.
func passedOverByDeleted(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.Now = s.Now.Add(time.Second)
	s.publish("shop-3", release("3.0"), fine())
	s.once()
	s.user("delete shop-3", func() { delete(s.Releases, "shop-3") })
	s.run()
	s.end()
}

// firstDeletedAt100: nothing was promoted yet, and what has all the weight is gone.
func firstDeletedAt100(t *testing.T) {
	s := newStory(t, track())
	s.publish("shop-1", release("1.0"), fine())
	s.untilWeight("shop-1", 100)
	s.user("delete shop-1", func() { delete(s.Releases, "shop-1") })
	s.run()
	s.publish("shop-2", release("2.0"), fine())
	s.run()
	s.end()
}

// passedOverAfterAPin: what a pin superseded does not count once the pin is gone; what
// a newer release does, counts.
func passedOverAfterAPin(t *testing.T) {
	s := serving(t, track())
	s.publish("shop-2", release("2.0"), fine())
	s.once()
	s.pin("shop-1")
	s.run()
	s.Now = s.Now.Add(time.Second)
	s.publish("shop-3", release("3.0"), fine())
	s.pin("")
	s.run()
	s.end()
}
