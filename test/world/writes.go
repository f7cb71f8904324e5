package world

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// confirm reads the newest record past the cache, before anything is created.
func (p *Planner) confirm() write {
	return write{do: func() (bool, error) { return last(p.objects.Records) != last(p.World.Records), nil }}
}

func last(records []v1alpha1.ReleaseRecord) int64 {
	if len(records) == 0 {
		return 0
	}
	return records[len(records)-1].Spec.Sequence
}

func (p *Planner) expand(action rollout.Action) []write { //nolint:gocyclo // a line for each action
	switch a := action.(type) {
	case rollout.WriteRoute:
		return []write{p.writeRoute(a)}
	case rollout.DetachRoute:
		return []write{p.detachRoute(a)}
	case rollout.SealRelease:
		return []write{p.seal(a)}
	case rollout.TakeOver:
		return p.takeOver(a)
	case rollout.CreateChildren:
		return p.createChildren(a)
	case rollout.BoundAutoscaler:
		return []write{p.boundAutoscaler(a)}
	case rollout.ScaleComponent:
		return []write{p.scale(a)}
	case rollout.MarkService:
		return []write{p.markService(a)}
	case rollout.RepairChild:
		return []write{p.repairChild(a)}
	case rollout.MakeSnapshots:
		return []write{p.makeSnapshots(a)}
	case rollout.ReplacePod:
		return []write{p.replacePod(a)}
	case rollout.CreateJob:
		return []write{p.createJob(a)}
	case rollout.DeleteJobs:
		return p.deleteJobs(a)
	case rollout.DeleteChildren:
		return p.deleteChildren(a)
	case rollout.WriteAccess:
		return []write{p.writeAccess(a)}
	case rollout.DeletePod:
		return []write{p.deletePod(a)}
	case rollout.MarkHeld:
		return []write{p.mark(a.Release, a.Sequence)}
	case rollout.LiftMark:
		return []write{p.mark(a.Release, 0)}
	case rollout.CreateRelease:
		return []write{p.createRelease(a)}
	case rollout.DeleteRelease:
		return []write{p.deleteRelease(a.Release)}
	case rollout.DeleteRecords:
		return p.deleteRecords(a)
	case rollout.DeleteAction:
		return []write{p.deleteAction(a.Name)}
	}
	panic(fmt.Sprintf("no such action: %T", action))
}

func (p *Planner) seal(a rollout.SealRelease) write {
	w, r := p.World, p.objects.Releases[a.Release]
	return write{"seal " + a.Release, func() (bool, error) {
		if w.Seals[a.Release] != nil {
			return true, nil
		}
		content := contentDigest(r, w.script(a.Release))
		w.Seals[a.Release] = &Seal{Owner: r.UID, Sealed: rollout.Sealed{Digest: content + "-" + r.Name, ContentDigest: content, Time: w.Now}}
		return false, nil
	}}
}

func (p *Planner) createChildren(a rollout.CreateChildren) []write {
	w, r, observation := p.World, p.objects.Releases[a.Release], p.seen
	var writes []write
	for _, c := range r.Spec.Components {
		name := resources.ChildName(r.Name, c.Name)
		if len(c.Ports) == 0 || p.objects.Services[name] != nil {
			continue
		}
		writes = append(writes, write{"create Service " + name, func() (bool, error) {
			if w.Services[name] != nil {
				return true, nil
			}
			w.Services[name] = &Service{Name: name, Owner: r.UID, Version: w.next(), Sequence: a.Sequence}
			return false, nil
		}})
	}
	for _, c := range r.Spec.Components {
		if name := resources.ChildName(r.Name, c.Name); c.Disruption != nil && p.objects.Disruptions[name] == nil {
			writes = append(writes, write{"create PodDisruptionBudget " + name, func() (bool, error) {
				if w.Disruptions[name] != nil {
					return true, nil
				}
				w.Disruptions[name] = &Disruption{Name: name, Owner: r.UID, Version: w.next()}
				return false, nil
			}})
		}
	}
	if a.WithoutPods {
		return writes
	}
	for i, c := range r.Spec.Components {
		name, size := resources.ChildName(r.Name, c.Name), a.Sizes[i].Replicas
		if p.objects.Deployments[name] != nil {
			continue
		}
		seen := p.seen
		writes = append(writes, write{fmt.Sprintf("create Deployment %s (%d)", name, size), func() (bool, error) {
			if w.Deployments[name] != nil {
				return true, nil
			}
			if err := w.mayHavePods(observation, r); err != nil {
				return false, fmt.Errorf("create Deployment %s: %w", name, err)
			}
			d := &Deployment{
				Name: name, Release: r.Name, Component: c.Name, Owner: r.UID, Version: w.next(),
				Sequence: a.Sequence, Change: w.Now, Ungated: w.NoGates || !w.knows(w.specRoutes(), r.Name, c.Name),
			}
			w.resize(d, size)
			w.mutate(d)
			w.Deployments[name] = d
			return false, checkSize(seen, r, &c, size)
		}})
	}
	for i, c := range r.Spec.Components {
		name, size := resources.ChildName(r.Name, c.Name), a.Sizes[i]
		if c.Autoscaling == nil || p.objects.Autoscalers[name] != nil {
			continue
		}
		writes = append(writes, write{fmt.Sprintf("create HorizontalPodAutoscaler %s (%d to %d)", name, size.Least, size.Most), func() (bool, error) {
			if w.Autoscalers[name] != nil {
				return true, nil
			}
			w.Autoscalers[name] = &Autoscaler{
				Name: name, Release: r.Name, Component: c.Name, Owner: r.UID, Version: w.next(),
				Sequence: a.Sequence, Min: size.Least, Max: size.Most,
			}
			return false, nil
		}})
	}
	return writes
}

func (p *Planner) boundAutoscaler(a rollout.BoundAutoscaler) write {
	w, name := p.World, resources.ChildName(a.Release, a.Component)
	seen, observation := p.objects.Autoscalers[name], p.seen
	line := fmt.Sprintf("bound HorizontalPodAutoscaler %s: %d to %d", name, a.Least, a.Most)
	return write{line, func() (bool, error) {
		if w.Autoscalers[name] == nil || w.Autoscalers[name].Version != seen.Version {
			return true, nil
		}
		bound := *seen
		bound.Min, bound.Max, bound.Sequence, bound.Version = a.Least, a.Most, a.Sequence, w.next()
		w.Autoscalers[name] = &bound
		return false, checkBounds(observation, a)
	}}
}

func (p *Planner) scale(a rollout.ScaleComponent) write {
	w, name := p.World, resources.ChildName(a.Release, a.Component)
	seen, observation, r := p.objects.Deployments[name], p.seen, p.objects.Releases[a.Release]
	line := fmt.Sprintf("scale Deployment %s to %d", name, a.Replicas)
	if seen.Replicas == a.Replicas {
		line = "mark Deployment " + name
	}
	return write{line, func() (bool, error) {
		if w.Deployments[name] == nil || w.Deployments[name].Version != seen.Version {
			return true, nil
		}
		if err := w.mayShrink(observation, a, seen); err != nil {
			return false, err
		}
		w.changeDeployment(name, func(d *Deployment) {
			d.Sequence = a.Sequence
			w.resize(d, a.Replicas)
		})
		return false, checkSize(observation, r, specOf(r, a.Component), a.Replicas)
	}}
}

func (p *Planner) markService(a rollout.MarkService) write {
	w, name := p.World, resources.ChildName(a.Release, a.Component)
	seen := p.objects.Services[name]
	return write{"mark Service " + name, func() (bool, error) {
		if w.Services[name] == nil || w.Services[name].Version != seen.Version {
			return true, nil
		}
		marked := *seen
		marked.Sequence, marked.Version = a.Sequence, w.next()
		w.Services[name] = &marked
		return false, nil
	}}
}

func (p *Planner) createJob(a rollout.CreateJob) write {
	w, r, observation := p.World, p.objects.Releases[a.Release], p.seen
	name := resources.JobName(a.Release, a.Test, a.Attempt, a.WeightPercent)
	return write{"create Job " + name, func() (bool, error) {
		if w.Jobs[name] != nil {
			return true, nil
		}
		if err := w.checkTurn(observation, observation.Log.Head.State); err != nil {
			return false, fmt.Errorf("create Job %s: %w", name, err)
		}
		w.Jobs[name] = &Job{
			Name: name, Release: a.Release, Test: a.Test, UID: w.uid(), Owner: r.UID,
			Attempt: a.Attempt, WeightPercent: a.WeightPercent, Created: w.Now.Truncate(time.Second),
		}
		return false, nil
	}}
}

func (p *Planner) deleteJobs(a rollout.DeleteJobs) []write {
	w := p.World
	var writes []write
	for _, name := range a.Names {
		seen := p.objects.Jobs[name]
		writes = append(writes, write{"delete Job " + name, func() (bool, error) {
			if j := w.Jobs[name]; j == nil || j.UID != seen.UID {
				return true, nil
			}
			delete(w.Jobs, name)
			return false, nil
		}})
	}
	return writes
}

// deleteChildren deletes what was seen, autoscalers and Deployments first, under the
// resourceVersion that was seen.
func (p *Planner) deleteChildren(a rollout.DeleteChildren) []write {
	w, r := p.World, p.objects.Releases[a.Release]
	mayBreak := func(what string) error { return w.mayBreak(r.Name, what) }
	free := func(string) error { return nil }
	return slices.Concat(
		deleteEach(r, "HorizontalPodAutoscaler", p.objects.Autoscalers, w.Autoscalers, free),
		deleteEach(r, "Deployment", p.objects.Deployments, w.Deployments, mayBreak),
		deleteEach(r, "PodDisruptionBudget", p.objects.Disruptions, w.Disruptions, free),
		deleteEach(r, "Service", p.objects.Services, w.Services, mayBreak),
	)
}

// child is an object of a component.
type child interface {
	comparable
	owned() (owner types.UID, version int64)
}

func (a *Autoscaler) owned() (types.UID, int64) { return a.Owner, a.Version }
func (d *Deployment) owned() (types.UID, int64) { return d.Owner, d.Version }
func (d *Disruption) owned() (types.UID, int64) { return d.Owner, d.Version }
func (s *Service) owned() (types.UID, int64)    { return s.Owner, s.Version }

// deleteEach deletes the objects of one kind that a release was seen to own.
func deleteEach[T child](r *Release, kind string, seen, now map[string]T, may func(what string) error) []write {
	var writes []write
	for _, c := range r.Spec.Components {
		name := resources.ChildName(r.Name, c.Name)
		object, there := seen[name]
		if !there {
			continue
		}
		owner, version := object.owned()
		if owner != r.UID && owner != nobody {
			continue
		}
		what := "delete " + kind + " " + name
		writes = append(writes, write{what, func() (bool, error) {
			present, there := now[name]
			if !there {
				return true, nil
			}
			if _, v := present.owned(); v != version {
				return true, nil
			}
			delete(now, name)
			return false, may(what)
		}})
	}
	return writes
}

func (p *Planner) writeRoute(a rollout.WriteRoute) write {
	w := p.World
	routes := w.specRoutes()
	i := slices.IndexFunc(routes, func(r v1alpha1.Route) bool { return r.Name == a.Route })
	if i < 0 {
		return write{do: func() (bool, error) {
			return false, fmt.Errorf("write of route %s, which the track does not name", a.Route)
		}}
	}
	spec := *routes[i].DeepCopy()
	name := routeObjectName(spec)
	seen, observation := p.objects.Routes[name], p.seen
	weights := a.Weights
	if spec.Type == v1alpha1.RouteService {
		weights = slices.DeleteFunc(slices.Clone(weights), func(s v1alpha1.ReleaseWeight) bool { return s.WeightPercent == 0 })
	}
	return write{fmt.Sprintf("route %s: %s (record %d)", a.Route, Backends(weights), a.Sequence), func() (bool, error) {
		now := w.Routes[name]
		if seen == nil != (now == nil) || seen != nil && seen.Version != now.Version {
			return true, nil
		}
		if err := w.checkRouteWrite(observation, seen, spec, weights); err != nil {
			return false, err
		}
		if now == nil {
			now = &RouteObject{Name: name}
		}
		next := *now
		if next.Generation == 0 || Backends(next.Weights) != Backends(weights) || !sameRoute(next.Spec, spec) {
			next.Generation, next.WriteTime = next.Generation+1, w.Now
		}
		next.Spec, next.Weights, next.Sequence, next.Version = spec, weights, a.Sequence, w.next()
		next.Owned = w.ownsRoutes() && !next.Users
		w.Routes[name] = &next
		return false, nil
	}}
}

func (p *Planner) detachRoute(a rollout.DetachRoute) write {
	w := p.World
	name := strings.TrimPrefix(a.Object, "HTTPRoute ")
	seen := p.objects.Routes[name]
	return write{fmt.Sprintf("route %s: give %s back", a.Route, a.Object), func() (bool, error) {
		now := w.Routes[name]
		if now == nil || seen.Version != now.Version {
			return true, nil
		}
		if !now.Users {
			return false, fmt.Errorf("give %s back, which is the operator's own", a.Object)
		}
		w.Routes[name] = &RouteObject{Name: name, Users: true, Version: w.next(), Generation: now.Generation + 1, WriteTime: w.Now}
		return false, nil
	}}
}
