package rollout_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

func (e *explorer) names() []string { return slices.Sorted(maps.Keys(e.Releases)) }

func (e *explorer) anyRelease() string {
	if names := e.names(); len(names) > 0 {
		return oneOf(e, names...)
	}
	return "shop-0"
}

func (e *explorer) publish() {
	n := len(e.Scripts) + 1
	if e.chance(15) {
		n = 1 + e.random.IntN(n)
	}
	name := fmt.Sprintf("shop-%d", n)
	if _, there := e.Releases[name]; there {
		return
	}
	spec, script := e.drawRelease(n)
	e.tell("> publish %s, version %s", name, spec.Version)
	e.Publish(name, spec, script)
	if len(e.Track.Spec.Requires) > 0 && e.chance(60) {
		e.decideElsewhere(name)
	}
	if e.chance(20) {
		e.Releases[name].Owner = "Argo CD"
	}
}

// editTemplate writes the next version into the track, or one that was there, also with
// other content, as admission would refuse; or takes the template away.
func (e *explorer) editTemplate() {
	if e.chance(10) {
		e.tell("> no template")
		e.SetTemplate(nil, world.Script{})
		return
	}
	n := len(e.Scripts) + 1
	if e.chance(25) {
		n = 1 + e.random.IntN(n)
	}
	spec, script := e.drawRelease(n)
	e.tell("> template of version %s", spec.Version)
	e.SetTemplate(&spec.ReleaseTemplate, script)
}

// drawRelease is the n-th release, and how it behaves.
func (e *explorer) drawRelease(n int) (v1alpha1.ImmutableReleaseSpec, world.Script) {
	spec := release(fmt.Sprintf("%d.0", n), with(e.components()...))
	script := world.Script{ReadyAfter: time.Duration(1+e.random.IntN(9)) * time.Second, Tests: map[string]world.TestScript{}}
	if e.chance(8) {
		script.ReadyAfter = -1
	}
	if e.chance(6) {
		script.Obstacle = &rollout.Obstacle{Gate: "Sealed", Reason: "ConfigUnexpected", Message: "ConfigMap settings has another content"}
	}
	if e.chance(5) {
		spec.Version = "1.0"
		script.Content = fmt.Sprintf("shop-%d", n)
	}
	if e.chance(40) {
		tested("smoke", v1alpha1.BeforeTraffic)(&spec)
		script.Tests["smoke"] = e.testScript()
	}
	if e.chance(40) {
		tested("probe", v1alpha1.EveryStep)(&spec)
		script.Tests["probe"] = e.testScript()
	}
	if e.chance(30) {
		tested("migrate", v1alpha1.BeforePods)(&spec)
		script.Tests["migrate"] = e.testScript()
	}
	if e.chance(30) {
		tested("verify", v1alpha1.AfterPromotion)(&spec)
		script.Tests["verify"] = e.testScript()
	}
	for i := range spec.Tests {
		spec.Tests[i].DeadlineSeconds = ptr(int32(30))
	}
	return spec, script
}

// components of a release: web, often autoscaled, api, and often a worker.
func (e *explorer) components() []v1alpha1.Component {
	web := component("web", 2)
	if e.chance(40) {
		web = autoscaled(web, int32(1+e.random.IntN(3)), int32(3+e.random.IntN(5)))
	}
	all := []v1alpha1.Component{web, component("api", 1)}
	if e.chance(40) {
		all = append(all, worker("queue"))
	}
	if e.chance(20) {
		cron := component("cron", 1)
		cron.Activation = v1alpha1.ActivationAtFullWeight
		all = append(all, cron)
	}
	return all
}

// editCapacity: users override sizes, and take that back.
func (e *explorer) editCapacity(spec *v1alpha1.ReleaseTrackSpec) {
	spec.Capacity, spec.Rollout.Capacity = nil, oneOf(e, v1alpha1.CapacityFull, "", v1alpha1.CapacityProportional)
	for _, name := range []string{"web", "queue"} {
		if e.chance(30) {
			spec.Capacity = append(spec.Capacity, v1alpha1.ComponentCapacity{ComponentName: name, Replicas: int32(1 + e.random.IntN(6))})
		}
	}
}

func (e *explorer) testScript() world.TestScript {
	return world.TestScript{After: time.Duration(1+e.random.IntN(9)) * time.Second, Hangs: e.chance(5), Fails: e.chance(15)}
}

// user does something: what users do every day, and what they should not.
func (e *explorer) user() {
	name := e.anyRelease()
	if e.chance(6) {
		e.restore()
		return
	}
	if len(e.Track.Spec.Requires) > 0 && e.chance(20) {
		e.decideElsewhere(name)
		return
	}
	switch n := e.random.IntN(100); {
	case n < 23:
		e.publish()
	case n < 27:
		e.editTemplate()
	case n < 30:
		e.enter(name)
	case n < 55:
		e.ask(name)
	case n < 63:
		e.Track.Spec.ReleaseName = oneOf(e, "", "", name, "shop-9")
		e.tell("> pin %q", e.Track.Spec.ReleaseName)
	case n < 83:
		e.changePods(name)
	case n < 85:
		e.deleteRelease(name)
	case n < 86:
		e.loseRecords()
	case n < 88:
		e.RouterDown = !e.RouterDown
		e.tell("> router down: %t", e.RouterDown)
	case n < 95:
		e.editTrack()
	case n < 96:
		e.tell("> delete the HTTPRoute")
		delete(e.Routes, "shop-public")
	case n < 97:
		e.decideElsewhere(name)
	case n < 98:
		e.tell("> delete a Deployment of %s, and its autoscaler", name)
		delete(e.Deployments, name+"-web")
		delete(e.Autoscalers, name+"-web")
	default:
		e.tell("> delete a Service of %s", name)
		delete(e.Services, name+"-web")
	}
}

// changePods: they break, are well again, or one of them is lost.
func (e *explorer) changePods(name string) {
	if len(e.Releases) == 0 {
		return
	}
	switch n := e.random.IntN(20); {
	case n < 10:
		e.tell("> %s breaks", name)
		e.Break(name, "CrashLoopBackOff")
	case n < 18:
		e.tell("> %s is well again, and has its configuration", name)
		e.Heal(name)
		e.Scripts[name].Obstacle = nil
	default:
		e.tell("> %s loses a pod", name)
		e.Lose(name, "Unschedulable")
	}
}

// editTrack: users change what a track says, also while an attempt is open.
func (e *explorer) editTrack() {
	switch n := e.random.IntN(14); {
	case n < 4:
		e.tell("> other steps")
		e.editSteps(&e.Track.Spec)
	case n < 8:
		e.editPolicies(&e.Track.Spec)
		r := e.Track.Spec.Rollout
		e.tell("> other policies: %s %s %s", r.FailurePolicy, r.SupersedePolicy, r.AdvancePolicy)
	case n < 9:
		e.Track.Spec.DeletionPolicy = oneOf(e, v1alpha1.DeletionDelete, v1alpha1.DeletionOrphan)
		e.tell("> routes that go with the track: %s", e.Track.Spec.DeletionPolicy)
	case n < 12:
		e.editRoutes(&e.Track.Spec)
		e.tell("> other routes: %d", len(e.Track.Spec.Traffic.Routes))
	default:
		e.editCapacity(&e.Track.Spec)
		e.tell("> other capacity: %v, %q", e.Track.Spec.Capacity, e.Track.Spec.Rollout.Capacity)
	}
}

// staging is the track that random worlds require, if any.
var staging = v1alpha1.RequiredTrack{Namespace: "staging", TrackName: "shop"}

// decideElsewhere: a release is promoted on another track, mostly, or with another
// content, or is spoken against there; or that track is no longer required.
func (e *explorer) decideElsewhere(name string) {
	if len(e.Releases) == 0 {
		return
	}
	if e.chance(10) {
		e.Track.Spec.Requires = oneOf(e, nil, []v1alpha1.RequiredTrack{staging})
		e.tell("> required tracks: %d", len(e.Track.Spec.Requires))
		return
	}
	content, verdict := e.Content(name), oneOf(e, v1alpha1.EventPromoted, v1alpha1.EventPromoted, v1alpha1.EventPromoted, v1alpha1.EventRolledBack, v1alpha1.EventFailed)
	if e.chance(10) {
		content = "sha256:other"
	}
	version := e.Releases[name].Spec.Version
	e.tell("> in staging, version %s: %s, %s", version, verdict, content)
	e.Decide(staging, version, content, verdict)
}

// restore brings all releases back as other objects, or one of them.
func (e *explorer) restore() {
	names := e.names()
	if len(names) > 0 && e.chance(40) {
		names = []string{oneOf(e, names...)}
	}
	e.tell("> %v come back without owners", names)
	e.Restore(names...)
}

// loseRecords of a track with a route: without any object that was written for a
// record, it is a new one.
func (e *explorer) loseRecords() {
	if len(e.Routes) == 0 {
		return
	}
	e.tell("> the records are lost, and the operator starts again")
	e.LoseRecords()
	for _, p := range e.planners {
		p.Crash()
	}
}

// deleteRelease is refused for what is held, as long as the guards are on.
func (e *explorer) deleteRelease(name string) {
	switch r := e.Releases[name]; {
	case r == nil:
	case r.Held != 0 && e.chance(30):
		e.tell("> take the mark off %s", name)
		e.Unmark(name)
	case e.chance(60):
		e.tell("> delete %s: %t", name, e.Delete(name))
	default:
		e.tell("> delete %s, the guards being off", name)
		delete(e.Releases, name)
	}
}

// ask is for what makes sense most of the time, and for anything else.
func (e *explorer) ask(name string) {
	spec := v1alpha1.ReleaseActionSpec{Action: v1alpha1.ActionRollback, ReleaseName: name}
	c, promoted := e.Head().Candidate, e.promoted()
	switch {
	case e.chance(10):
		spec.Action = oneOf(e, v1alpha1.ActionRetry, v1alpha1.ActionAbort, v1alpha1.ActionApprove, v1alpha1.ActionSkipHold)
	case len(promoted) > 0 && e.chance(60):
		spec.ReleaseName = oneOf(e, promoted...)
	case c != nil:
		spec.Action, spec.ReleaseName, spec.Attempt = oneOf(e, v1alpha1.ActionApprove, v1alpha1.ActionAbort, v1alpha1.ActionSkipHold), c.Name, &c.Attempt
	default:
		spec.Action = v1alpha1.ActionRetry
	}
	if spec.Action == v1alpha1.ActionApprove || spec.Action == v1alpha1.ActionSkipHold {
		spec.WeightPercent = ptr(oneOf(e, int32(20), 50, 100))
	}
	if routes := e.Head().Routes; spec.Action == v1alpha1.ActionSkipHold && c != nil && len(routes) > 0 && e.chance(80) {
		spec.WeightPercent = ptr(weightOf(e.Head(), c.Name))
	}
	e.tell("> %s %s", spec.Action, spec.ReleaseName)
	e.Ask(spec)
}

// enter the pods that are open to somebody, or have some opened.
func (e *explorer) enter(name string) {
	for _, line := range e.Opened.Lines {
		if fields := strings.Fields(line); e.chance(70) {
			in := e.Enter(fields[1], "web", 1+e.random.IntN(2))
			e.tell("> enter a pod of %s by %s: %t", fields[0], fields[1], in)
			return
		}
	}
	spec := v1alpha1.ReleaseActionSpec{
		Action: v1alpha1.ActionBreakGlass, ReleaseName: name, Requester: oneOf(e, "ann", "bob"), DurationSeconds: ptr(int32(60 + e.random.IntN(300))),
	}
	e.tell("> %s %s", spec.Action, spec.ReleaseName)
	e.Ask(spec)
}

// promoted are releases that became stable once and are not now.
func (e *explorer) promoted() []string {
	var names []string
	for i := range e.Records {
		stable, now := e.Records[i].Spec.State.Stable, e.Head().Stable
		if stable != nil && stable.UID != now.UID && !slices.Contains(names, stable.Name) {
			names = append(names, stable.Name)
		}
	}
	return names
}
