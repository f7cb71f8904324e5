package simulation

import (
	"maps"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// backup is what somebody keeps of the namespace: no statuses, no owners, no pods and
// Jobs, and of what users wrote nothing of the operator's.
type backup struct {
	objects []client.Object
	memory  memory
}

// backedUp are the kinds that a backup has, in the order in which they come back: the
// track comes last, and so nothing is decided before.
var backedUp = []kind{records, configMaps, secrets, revisions, services, deployments, autoscalers, budgets, httpRoutes, ingresses, traefikServices, releases, tracks}

// backUp takes a backup, restore brings it back; most of the time at once, as an
// operator finds it that was away for both. None is taken of what somebody has changed:
// that is not known for what it was, and is left alone (controllers/restored.go).
func (w *World) backUp() {
	if w.tampered() {
		return
	}
	if w.backup == nil || w.chance(60) {
		w.tell("> backup")
		w.backup = &backup{memory: w.memory.copy()}
		for _, k := range backedUp {
			for _, object := range w.shelves[k] {
				w.backup.objects = append(w.backup.objects, plain(object))
			}
		}
	}
	if w.chance(70) {
		w.restore()
	}
}

// plain is an object as a backup has it.
func plain(object client.Object) client.Object {
	copied := object.DeepCopyObject().(client.Object)
	copied.SetOwnerReferences(nil)
	clearStatus(copied)
	if release, ok := copied.(*v1alpha1.ImmutableRelease); ok {
		release.Labels = nil
	}
	return copied
}

// restore deletes the namespace, and makes it again as it was at the backup. Some
// children come late.
func (w *World) restore() {
	w.tell("> the namespace is deleted, and restored")
	for k := range elsewhere {
		for _, object := range slices.Clone(w.shelves[k]) {
			w.mustRemove(k, object.GetName())
		}
	}
	for _, k := range []kind{configMaps, secrets} {
		for _, object := range slices.Clone(w.shelves[k]) {
			w.mustRemove(k, object.GetName())
		}
	}
	w.terminate()
	clear(w.wire)
	w.edge, w.legs, w.alb = edge{}, legged{}, balancer{}
	w.memory, w.late = w.backup.memory.copy(), nil
	for _, object := range w.backup.objects {
		if k := kindOf(object); k >= deployments && k != revisions && k < elsewhere && w.chance(10) {
			w.late = append(w.late, object)
			continue
		}
		w.comeBack(object)
	}
}

// terminate lets what operators were about to write arrive, and be refused, while the
// namespace is deleted. That takes longer than any operator thinks, or its watches are
// behind: what is written after it is decided anew, by who knows that all is gone.
func (w *World) terminate() {
	was := w.fair
	w.terminating, w.fair = true, true
	for _, p := range w.processes {
		if p.asleep = 0; p.busy {
			p.goOn()
		}
		for k := range kinds {
			p.catchUp(k, len(w.history[k]))
		}
	}
	w.terminating, w.fair = false, was
	w.Now = w.Now.Add(rollout.MaxThought + time.Second)
}

// comeBack creates what was backed up, unless its name is taken by now.
func (w *World) comeBack(object client.Object) {
	if w.shelves[kindOf(object)].get(object.GetName()) == nil {
		w.mustCreate(object.DeepCopyObject().(client.Object))
	}
}

// comeLate brings back what a restore has left out so far.
func (w *World) comeLate() {
	for _, object := range w.late {
		w.tell("> %s %s comes back too", kindOf(object), object.GetName())
		w.comeBack(object)
	}
	w.late = nil
}

// letGo deletes a release and leaves what it owns, and then creates it again, as who
// takes Strata away from a cluster and brings it back does.
func (w *World) letGo(name string) {
	if w.tampered() {
		return
	}
	release := w.shelves[releases].get(name)
	if release == nil {
		return
	}
	w.tell("> %s is deleted, what it owns is left, and it is created again", name)
	w.noteTraffic()
	for k := range kinds {
		for _, object := range slices.Clone(w.shelves[k]) {
			if metav1.IsControlledBy(object, release) {
				left := object.DeepCopyObject().(client.Object)
				left.SetOwnerReferences(nil)
				w.mustUpdate(left)
			}
		}
	}
	w.mustRemove(releases, name)
	w.mustCreate(plain(release))
}

// copy of a memory, in which nothing that is noted later is seen.
func (m *memory) copy() memory {
	copied := *m
	copied.weights = map[string]map[string]bool{}
	for route, weights := range m.weights {
		copied.weights[route] = maps.Clone(weights)
	}
	copied.trafficked = map[string]time.Time{}
	copied.contents, copied.verdicts = maps.Clone(m.contents), maps.Clone(m.verdicts)
	copied.skipped, copied.carriedOut = maps.Clone(m.skipped), maps.Clone(m.carriedOut)
	copied.stable = slices.Clone(m.stable)
	return copied
}

// noteRestored: what was stable is known by another UID.
func (m *memory) noteRestored(about *v1alpha1.RecordedRelease) {
	for _, ref := range m.stable {
		if ref.UID == about.FormerUID {
			ref.UID = about.UID
			m.stable = append(m.stable, ref)
		}
	}
}
