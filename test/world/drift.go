package world

import (
	"slices"

	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// Tamper changes a Deployment past the guards.
func (w *World) Tamper(name, difference, writer string) {
	w.changeDeployment(name, func(d *Deployment) {
		d.Changed = &rollout.Drift{Kind: "Deployment", Name: name, Difference: difference, Writer: writer}
	})
}

// TamperPod lets a pod of a Deployment run something else.
func (w *World) TamperPod(name, pod, difference, writer string) {
	w.changeDeployment(name, func(d *Deployment) {
		d.Pods = append(slices.Clone(d.Pods), rollout.Drift{Kind: "Pod", Name: pod, Difference: difference, Writer: writer, CreationTime: w.Now})
	})
}

// mutate is what a webhook does to a Deployment that is created.
func (w *World) mutate(d *Deployment) {
	if difference := w.script(d.Release).Mutated; difference != "" {
		d.Changed = &rollout.Drift{Kind: "Deployment", Name: d.Name, Difference: difference, Mutated: true}
	}
}

// observeDrifts of a Deployment that its release owns.
func observeDrifts(d *Deployment, r *Release) []rollout.Drift {
	if d.Owner != r.UID {
		return nil
	}
	if d.Changed != nil {
		changed := *d.Changed
		changed.Sequence = d.Sequence
		return []rollout.Drift{changed}
	}
	return slices.Clone(d.Pods)
}

func (p *Planner) repairChild(a rollout.RepairChild) write {
	w, name := p.World, resources.ChildName(a.Release, a.Component)
	seen := p.objects.Deployments[name]
	return write{"repair " + a.Kind + " " + name, func() (bool, error) {
		if w.Deployments[name] == nil || w.Deployments[name].Version != seen.Version {
			return true, nil
		}
		w.changeDeployment(name, func(d *Deployment) { d.Changed, d.Sequence = nil, a.Sequence })
		return false, nil
	}}
}

func (p *Planner) replacePod(a rollout.ReplacePod) write {
	w := p.World
	return write{"replace Pod " + a.Name, func() (bool, error) {
		for name, d := range w.Deployments {
			if i := slices.IndexFunc(d.Pods, func(pod rollout.Drift) bool { return pod.Name == a.Name }); i >= 0 {
				w.changeDeployment(name, func(d *Deployment) { d.Pods = slices.Delete(slices.Clone(d.Pods), i, i+1) })
				return false, nil
			}
		}
		return true, nil
	}}
}

// BreakSnapshots makes snapshots of a release something else than what was sealed; none: all are
// what they were.
func (w *World) BreakSnapshots(release string, broken ...rollout.Snapshot) {
	seal := *w.Seals[release]
	seal.Broken = broken
	w.Seals[release] = &seal
}

func (p *Planner) makeSnapshots(a rollout.MakeSnapshots) write {
	return write{"make what is missing of the snapshots of " + a.Release, func() (bool, error) {
		seal := p.World.Seals[a.Release]
		if seal == nil {
			return true, nil
		}
		p.World.BreakSnapshots(a.Release, slices.DeleteFunc(slices.Clone(seal.Broken), func(s rollout.Snapshot) bool { return s.Known && s.Difference == "" })...)
		return false, nil
	}}
}
