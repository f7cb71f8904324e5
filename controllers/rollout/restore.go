package rollout

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
)

// restore lets what the log says of a release hold for the object that came back in its
// place, before anything else is decided: it has the name and version, and with it came
// the seal whose digest was recorded. So what was promoted once is known again, and
// nothing else is. An attempt that was open is closed first: its gates held of other
// objects.
func (v view) restore() *Entry {
	for i := range v.Releases {
		r := &v.Releases[i]
		former := v.formerly(r)
		if former == "" {
			continue
		}
		e := v.about(r, v1alpha1.EventRestored, "CameBack",
			fmt.Sprintf("%s came back as another object, with the seal that was recorded: it is what it was", r.Name))
		e.Release.FormerUID = former
		if stable := e.State.Stable; stable != nil && stable.UID == former {
			stable.UID = r.UID
		}
		for j := range e.State.Live {
			if live := &e.State.Live[j]; live.UID == former {
				// Stamped on all that it owns: a late writer knows of other objects.
				live.UID, live.Sequence = r.UID, v.next()
			}
		}
		e.Confirm = true
		return e
	}
	return nil
}

// formerly is the UID by which the log knows a release that came back; "" for one that
// did not, or that is known by its own.
func (v view) formerly(r *Release) types.UID {
	recorded := v.Log.Digests[r.Spec.Version]
	switch {
	case r.Deleting || !r.Ownerless || v.isLive(r):
		return ""
	case recorded.ReleaseName != r.Name || recorded.UID == r.UID || recorded.Digest != r.Sealed.Digest:
		return ""
	}
	if c := v.state.Candidate; c != nil && c.Name == r.Name {
		return "" // The attempt is closed first.
	}
	return recorded.UID
}

// takeOver what came back without an owner: all of what is live, and the seal of what
// the log knows. Children of what is not live go, as those with an owner do. What is to be
// held is marked before: an owner that goes takes with it all that it owns, and from its
// mark on nobody can delete it.
func (v view) takeOver() []Action {
	var do []Action
	if v.Log.Broken != "" {
		return nil
	}
	for i := range v.Releases {
		r := &v.Releases[i]
		live := v.isLive(r)
		known := v.Log.Digests[r.Spec.Version].UID == r.UID
		if r.Deleting || r.Sealed == nil || !live && !known {
			continue
		}
		if since, held := v.heldSince(r); held && r.Held < max(since, 1) {
			continue
		}
		if r.Ownerless || live && r.hasOwnerless() {
			do = append(do, TakeOver{Release: r.Name, Sequence: v.head()})
		}
	}
	return do
}

func (r *Release) hasOwnerless() bool {
	for _, c := range r.Components {
		if c.Ownerless {
			return true
		}
	}
	return false
}

// mayReturn: the log has a release of that name live under another UID. Until that one is
// retired, what runs under its name may be what serves.
func (v view) mayReturn(r *Release) bool {
	ref := v.liveRef(r.Name)
	return ref != nil && ref.UID != r.UID
}

// differs says in what something that came back without an owner is not what the
// release would make of it; "" for nothing. It is left alone.
func (r *Release) differs() string {
	if r.Differs != "" {
		return r.Differs
	}
	for _, c := range r.Components {
		if c.Differs != "" {
			return c.Differs
		}
	}
	return ""
}

// isDifferent: a release has the name of what serves, is another object, and is not what
// came back with it. An attempt under that name would have no gate that can hold, and
// what serves would be forgotten for it.
func (v view) isDifferent(r *Release) bool {
	ref := v.baselineRef()
	return ref != nil && ref.Name == r.Name && ref.UID != r.UID && r.differs() != ""
}

// differentStable: what serves came back, and not as it was.
func differentStable(v view) *v1alpha1.BlockedBy {
	ref := v.baselineRef()
	if ref == nil {
		return nil
	}
	r := v.release(ref.Name)
	if r == nil || r.Deleting || r.differs() == "" {
		return nil
	}
	return &v1alpha1.BlockedBy{
		Gate: "Desired", Reason: "RestoredDiffers",
		Message: fmt.Sprintf("%s serves, and is not taken over as it came back: %s. It is left alone and serves on: restore that as it was, or publish a new release", r.Name, r.differs()),
	}
}
