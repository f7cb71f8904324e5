package world

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// Step does what the cluster's own controllers have to do now: pods become ready,
// Jobs finish, routers carry what they were told, what has lost its owner goes. It
// answers with a line for each change, in a fixed order.
func (w *World) Step() []string {
	changes := w.autoscale()
	for _, name := range slices.Sorted(maps.Keys(w.Deployments)) {
		if d := w.Deployments[name]; !d.ReadyAt.IsZero() && !w.Now.Before(d.ReadyAt) {
			w.changeDeployment(name, func(d *Deployment) {
				d.Ready, d.ReadyAt, d.ShortSince = d.Replicas, time.Time{}, time.Time{}
				if !d.Available {
					d.Available, d.Change = true, w.Now
				}
			})
			changes = append(changes, "pods of "+name+" are ready")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
		if end, ok := w.jobEnd(w.Jobs[name]); ok && !w.Now.Before(end) {
			changes = append(changes, w.finishJob(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Routes)) {
		if end, ok := w.carryTime(w.Routes[name]); ok && !w.Now.Before(end) {
			w.noteTraffic()
			w.changeRoute(name, func(r *RouteObject) { r.Carried, r.CarriedGeneration = r.Weights, r.Generation })
			w.noteTraffic()
			changes = append(changes, "wire "+name+": "+Shares(w.Routes[name].Carried))
		}
	}
	return append(append(changes, w.collect()...), w.endPods()...)
}

// NextStep is when Step has something to do next; ok is false for never.
func (w *World) NextStep() (next time.Time, ok bool) {
	earlier := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, d := range w.Deployments {
		if !d.ReadyAt.IsZero() {
			earlier(d.ReadyAt)
		}
	}
	for _, j := range w.Jobs {
		if end, ok := w.jobEnd(j); ok {
			earlier(end)
		}
	}
	for _, r := range w.Routes {
		if end, ok := w.carryTime(r); ok {
			earlier(end)
		}
	}
	for _, pod := range w.Entered {
		if !pod.Gone.IsZero() {
			earlier(pod.Gone)
		}
	}
	return next, !next.IsZero()
}

func (w *World) script(release string) Script {
	if s := w.Scripts[release]; s != nil {
		return *s
	}
	return Script{}
}

func (w *World) testScript(j *Job) TestScript {
	tests := w.script(j.Release).Tests
	if j.WeightPercent != nil {
		if s, ok := tests[j.Test+"@"+strconv.Itoa(int(*j.WeightPercent))]; ok {
			return s
		}
	}
	if s, ok := tests[j.Test]; ok {
		return s
	}
	return TestScript{After: 10 * time.Second}
}

func (w *World) jobEnd(j *Job) (time.Time, bool) {
	s := w.testScript(j)
	if j.Owner == "" || s.Hangs || j.Succeeded || j.Failed {
		return time.Time{}, false
	}
	return j.Created.Add(s.After), true
}

func (w *World) finishJob(name string) string {
	j, s := *w.Jobs[name], w.testScript(w.Jobs[name])
	j.Finished, j.Message = w.Now, s.Message
	j.Failed, j.Succeeded = s.Fails, !s.Fails
	w.Jobs[name] = &j
	if s.Fails {
		return "Job " + name + " fails"
	}
	return "Job " + name + " succeeds"
}

func (w *World) carryTime(r *RouteObject) (time.Time, bool) {
	if r.Foreign || w.RouterDown || r.CarriedGeneration == r.Generation {
		return time.Time{}, false
	}
	return r.WriteTime.Add(w.RouterDelay), true
}

// collect removes what has lost its owner. The seal goes with the release.
func (w *World) collect() []string {
	owners := map[string]bool{"": true, string(nobody): true}
	for _, r := range w.Releases {
		owners[string(r.UID)] = true
	}
	var changes []string
	for _, name := range slices.Sorted(maps.Keys(w.Deployments)) {
		if !owners[string(w.Deployments[name].Owner)] {
			delete(w.Deployments, name)
			changes = append(changes, "garbage: Deployment "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Services)) {
		if !owners[string(w.Services[name].Owner)] {
			delete(w.Services, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.Jobs)) {
		if !owners[string(w.Jobs[name].Owner)] {
			delete(w.Jobs, name)
		}
	}
	maps.DeleteFunc(w.Autoscalers, func(_ string, a *Autoscaler) bool { return !owners[string(a.Owner)] })
	maps.DeleteFunc(w.Disruptions, func(_ string, d *Disruption) bool { return !owners[string(d.Owner)] })
	for _, name := range slices.Sorted(maps.Keys(w.Routes)) {
		if w.TrackGone && w.Routes[name].Owned {
			delete(w.Routes, name)
			changes = append(changes, "garbage: route object "+name)
		}
	}
	maps.DeleteFunc(w.Seals, func(_ string, s *Seal) bool { return !owners[string(s.Owner)] })
	return changes
}

// noteTraffic notes who may get requests at this moment. Of a route that its users
// took away from the track only the object counts: how long its router takes to
// follow is theirs.
func (w *World) noteTraffic() {
	named := map[string]bool{}
	for _, spec := range w.specRoutes() {
		named[routeObjectName(spec)] = true
	}
	for name, r := range w.Routes {
		if r.Foreign {
			continue
		}
		shares := r.Weights
		if named[name] {
			shares = append(slices.Clone(shares), r.Carried...)
		}
		for _, s := range shares {
			if s.WeightPercent > 0 {
				w.trafficked[s.ReleaseName] = w.Now
			}
		}
	}
}
