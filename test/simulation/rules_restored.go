package simulation

import (
	"fmt"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

// checkRestored: a release that came back has the name, the version, the content and the
// very seal that was recorded last, whose object it is not; and nothing but its UID is another one
// after it.
func (w *World) checkRestored(p *process, before v1alpha1.TrackState, spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Event != v1alpha1.EventRestored {
		return nil
	}
	about := spec.Release
	seen := p.seen.release(about.UID)
	if seen == nil || seen.Name != about.Name || seen.Spec.Version != about.Version {
		return fmt.Errorf("the release was not seen")
	}
	if contentDigest(&seen.Spec) != about.ContentDigest {
		return fmt.Errorf("it has another content")
	}
	if r := w.recorded(about.Version); r == nil || r.Name != about.Name || r.Digest != about.Digest || r.UID != about.FormerUID || r.UID == about.UID {
		return fmt.Errorf("no record tells of it: %+v", r)
	}
	if err := p.seen.sealCameBack(about); err != nil {
		return err
	}
	want, is := *before.DeepCopy(), *spec.State.DeepCopy()
	if want.Stable != nil && want.Stable.UID == about.FormerUID {
		want.Stable.UID = about.UID
	}
	for i := range want.Live {
		if want.Live[i].UID == about.FormerUID {
			want.Live[i].UID, want.Live[i].Sequence = about.UID, spec.Sequence
		}
	}
	for _, state := range []*v1alpha1.TrackState{&want, &is} {
		state.Published = nil // Told by every record.
		for i := range state.Live {
			state.Live[i].Sizes = nil // Measured at every record.
		}
	}
	if !equality.Semantic.DeepEqual(want, is) {
		return fmt.Errorf("it changes more than a UID: %+v", spec.State)
	}
	return nil
}

// sealCameBack: a seal without an owner was seen, and it is the one that was recorded.
func (s *seen) sealCameBack(about *v1alpha1.RecordedRelease) error {
	seal, _ := s.lists[revisions].get(resources.SealName(about.Name)).(*appsv1.ControllerRevision)
	if seal == nil || len(seal.OwnerReferences) > 0 {
		return fmt.Errorf("no seal without an owner was seen")
	}
	sealed, err := resources.ParseSeal(seal)
	if err == nil && sealed.Digest != about.Digest {
		err = fmt.Errorf("its seal is another one")
	}
	return err
}

// recorded is the release of a version as it was decided about last.
func (w *World) recorded(version string) *v1alpha1.RecordedRelease {
	all := each[v1alpha1.ReleaseRecord](&w.store, records)
	for i := len(all) - 2; i >= 0; i-- {
		event, about := all[i].Spec.Event, all[i].Spec.Release
		decided := event.IsVerdict() || event == v1alpha1.EventRestored || event == v1alpha1.EventAdopted
		if decided && about.Version == version {
			return about
		}
	}
	return nil
}

// takenOver says whether a write gives an owner to what had none, and changes nothing
// else.
func takenOver(write written) bool {
	if write.before == nil || write.after == nil || len(write.before.GetOwnerReferences()) > 0 || len(write.after.GetOwnerReferences()) == 0 {
		return false
	}
	return reflect.DeepEqual(unowned(write.before), unowned(write.after))
}

// unowned is an object without owner and stamp.
func unowned(object client.Object) client.Object {
	copied := object.DeepCopyObject().(client.Object)
	copied.SetOwnerReferences(nil)
	copied.SetResourceVersion("")
	annotations := copied.GetAnnotations()
	delete(annotations, v1alpha1.AnnotationSequence)
	if len(annotations) == 0 {
		copied.SetAnnotations(nil)
	}
	return copied
}

// checkOwned: an owner is never changed, and what gets one is, but for that, as it was; and
// where that serves, it cannot be deleted by then.
func (w *World) checkOwned(write written) {
	if write.before == nil || write.after == nil || reflect.DeepEqual(write.before.GetOwnerReferences(), write.after.GetOwnerReferences()) {
		return
	}
	if !takenOver(write) {
		w.violate("TakenOver", "%s: it is not as it came back", write)
	}
	state := w.head()
	release := on[v1alpha1.ImmutableRelease](&w.store, releases, write.object().GetLabels()[v1alpha1.LabelRelease])
	if release != nil && state.Stable != nil && state.Stable.UID == release.UID && resources.HeldBy(release) == 0 && metav1.IsControlledBy(write.after, release) {
		w.violate("TakenOver", "%s: its release, which is stable, has no mark", write)
	}
}

// checkRestOwned: at rest what is live, and its seal, have their owner.
func (w *World) checkRestOwned() {
	state := w.head()
	for _, r := range each[v1alpha1.ImmutableRelease](&w.store, releases) {
		if !isLive(state, r) {
			continue
		}
		for _, k := range []kind{revisions, deployments, services, autoscalers, budgets} {
			for _, object := range w.shelves[k] {
				if object.GetLabels()[v1alpha1.LabelRelease] == r.Name && len(object.GetOwnerReferences()) == 0 {
					w.violate("TakenOver", "at rest %s %s of %s has no owner", k, object.GetName(), r.Name)
				}
			}
		}
	}
	if stable := state.Stable; stable != nil && w.cameBack(*stable) {
		w.violate("Restored", "at rest %s, which is stable, came back and is not known", stable.Name)
	}
}

// cameBack says whether a release is there with its seal, and under another UID. One
// with another content is not what came back, though it has taken the name.
func (w *World) cameBack(was v1alpha1.ReleaseRef) bool {
	r := on[v1alpha1.ImmutableRelease](&w.store, releases, was.Name)
	seal := on[appsv1.ControllerRevision](&w.store, revisions, resources.SealName(was.Name))
	return r != nil && r.UID != was.UID && r.Spec.Version == was.Version && contentDigest(&r.Spec) == w.memory.contents[was.Version] &&
		seal != nil && metav1.GetControllerOfNoCopy(seal) == nil
}
