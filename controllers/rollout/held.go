package rollout

// markHeld marks the releases that must not be deleted, before weight rises onto
// them. One that became live again is marked anew, by a record that a late writer
// who would still lift its mark cannot have seen.
func (v view) markHeld() []Action {
	if v.Log.Head == nil {
		return nil
	}
	var do []Action
	for i := range v.Releases {
		r := &v.Releases[i]
		if since, held := v.heldSince(r); held && !r.Deleting && (r.Held == 0 || r.Held < since) {
			do = append(do, MarkHeld{Release: r.Name, Sequence: v.head()})
		}
	}
	return do
}

// liftMarks of releases that are neither live nor pinned, once no router can still
// send them anything.
func (v view) liftMarks() []Action {
	if v.Log.Head == nil {
		return nil
	}
	var do []Action
	for i := range v.Releases {
		r := &v.Releases[i]
		if _, held := v.heldSince(r); held || r.Held == 0 || r.Deleting || v.isLive(r) || !v.clear(r.Name) {
			continue
		}
		do = append(do, LiftMark{Release: r.Name})
	}
	return do
}

// liftAllMarks: the track is gone, and holds nothing any more.
func (v view) liftAllMarks() []Action {
	var do []Action
	for i := range v.Releases {
		if r := &v.Releases[i]; r.Held != 0 && !r.Deleting {
			do = append(do, LiftMark{Release: r.Name})
		}
	}
	return do
}

// heldSince says whether a release must not be deleted (it is pinned, a route object
// points at it, or it is live and has weight, might have it, is about to get it back
// or is kept warm for that), and which record made it live. One that only drains
// keeps the mark that it has until it is retired.
func (v view) heldSince(r *Release) (sequence int64, held bool) {
	ref := v.liveRef(r.Name)
	pointedAt := v.pointedAt(r.Name) && (ref == nil || ref.UID == r.UID)
	held = v.Track.Spec.ReleaseName == r.Name || pointedAt
	for _, live := range v.state.Live {
		if live.UID == r.UID {
			serves := v.isStable(r) || live.ZeroTime == nil || live.Recall != nil || weightIn(v.state.Routes, r.Name) > 0
			return live.Sequence, held || serves || v.keptWarm(live)
		}
	}
	return 0, held
}
