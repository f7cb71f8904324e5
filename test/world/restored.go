package world

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// nobody is the owner of what came back without one.
const nobody types.UID = "nobody"

// Restore makes the releases of those names other objects, as a backup brings them
// back: what they own has no owner any more, and is as it was otherwise.
func (w *World) Restore(names ...string) {
	for _, name := range names {
		former := w.Releases[name]
		w.Releases[name] = &Release{Name: name, UID: w.uid(), Version: w.next(), Created: w.Now.Truncate(time.Second), Spec: former.Spec}
		if s := w.Seals[name]; s != nil && s.Owner == former.UID {
			w.Seals[name] = &Seal{Owner: nobody, Sealed: s.Sealed}
		}
		for _, c := range former.Spec.Components {
			w.disown(resources.ChildName(name, c.Name), former.UID, nobody, 0)
		}
	}
}

// disown gives the children of a name another owner, and the stamp if it is not 0.
func (w *World) disown(name string, from, to types.UID, sequence int64) {
	if d := w.Deployments[name]; d != nil && d.Owner == from {
		w.changeDeployment(name, func(d *Deployment) { d.Owner, d.Sequence = to, max(d.Sequence, sequence) })
	}
	if s := w.Services[name]; s != nil && s.Owner == from {
		w.Services[name] = &Service{Name: s.Name, Owner: to, Version: w.next(), Sequence: max(s.Sequence, sequence)}
	}
	if a := w.Autoscalers[name]; a != nil && a.Owner == from {
		changed := *a
		changed.Owner, changed.Version, changed.Sequence = to, w.next(), max(a.Sequence, sequence)
		w.Autoscalers[name] = &changed
	}
	if d := w.Disruptions[name]; d != nil && d.Owner == from {
		w.Disruptions[name] = &Disruption{Name: d.Name, Owner: to, Version: w.next()}
	}
}

// cameBack says whether a seal without an owner may be that of a release.
func cameBack(r *Release, s *Seal, log rollout.Log, live bool) bool {
	version := r.Spec.Version
	return s.Owner == nobody && (live || log.Head == nil || log.Digests[version].ReleaseName == r.Name || log.Verdicts[version].ReleaseName == r.Name)
}

// takeOver writes the owner into the children one by one, and into the seal last, once
// that was read past the cache.
func (p *Planner) takeOver(a rollout.TakeOver) []write {
	w, r := p.World, p.objects.Releases[a.Release]
	writes := []write{{do: func() (bool, error) { return w.Releases[r.Name] == nil || w.Releases[r.Name].UID != r.UID, nil }}}
	for _, c := range r.Spec.Components {
		name := resources.ChildName(r.Name, c.Name)
		if !slices.Contains(p.objects.ownersOf(name), nobody) {
			continue
		}
		seen := p.objects.versionsOf(name)
		writes = append(writes, write{"take over " + name, func() (bool, error) {
			if !maps.Equal(seen, w.versionsOf(name)) {
				return true, nil
			}
			w.disown(name, nobody, r.UID, a.Sequence)
			return false, nil
		}})
	}
	if s := p.objects.Seals[r.Name]; s != nil && s.Owner == nobody {
		writes = append(writes, write{"take over the seal of " + r.Name, func() (bool, error) {
			if now := w.Seals[r.Name]; now == nil || now.Owner != nobody {
				return true, nil
			}
			w.Seals[r.Name] = &Seal{Owner: r.UID, Sealed: s.Sealed}
			return false, nil
		}})
	}
	return writes
}

// ownedObject is a child of a release.
type ownedObject interface{ owned() (types.UID, int64) }

func (o *Objects) ownersOf(name string) []types.UID {
	var owners []types.UID
	o.eachOf(name, func(_ string, c ownedObject) {
		owner, _ := c.owned()
		owners = append(owners, owner)
	})
	return owners
}

func (o *Objects) versionsOf(name string) map[string]int64 {
	versions := map[string]int64{}
	o.eachOf(name, func(kind string, c ownedObject) { _, versions[kind] = c.owned() })
	return versions
}

func (o *Objects) eachOf(name string, do func(kind string, c ownedObject)) {
	if d := o.Deployments[name]; d != nil {
		do("Deployment", d)
	}
	if s := o.Services[name]; s != nil {
		do("Service", s)
	}
	if a := o.Autoscalers[name]; a != nil {
		do("HorizontalPodAutoscaler", a)
	}
	if d := o.Disruptions[name]; d != nil {
		do("PodDisruptionBudget", d)
	}
}

// checkRestored: the release was seen with the name, version and digest that were recorded of
// another object, and its seal came with it.
func (w *World) checkRestored(o rollout.Observation, spec *v1alpha1.ReleaseRecordSpec) error {
	about := spec.Release
	if !slices.ContainsFunc(o.Releases, func(r rollout.Release) bool {
		return r.Name == about.Name && r.UID == about.UID && r.Ownerless && r.Sealed.Digest == about.Digest
	}) {
		return fmt.Errorf("it was not seen to come back")
	}
	for i := len(w.history) - 1; i >= 0; i-- {
		event, was := w.history[i].Spec.Event, w.history[i].Spec.Release
		decided := event.IsVerdict() || event == v1alpha1.EventRestored || event == v1alpha1.EventAdopted
		if decided && was.Version == about.Version {
			if was.Name != about.Name || was.Digest != about.Digest || was.UID != about.FormerUID || was.UID == about.UID {
				return fmt.Errorf("record %d tells of another: %+v", w.history[i].Spec.Sequence, was)
			}
			return nil
		}
	}
	return fmt.Errorf("no record tells of it")
}
