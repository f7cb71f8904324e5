package world

import (
	"fmt"
	"slices"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Delete removes a release object, as users may: a held one is refused.
func (w *World) Delete(release string) bool {
	if r := w.Releases[release]; r == nil || r.Held != 0 {
		return false
	}
	delete(w.Releases, release)
	return true
}

// Unmark takes the mark off a release, as nobody can but who switches the guards off.
func (w *World) Unmark(release string) {
	w.changeRelease(release, func(r *Release) { r.Held = 0 })
	w.unmarked[release] = true
}

func (w *World) changeRelease(name string, change func(*Release)) {
	changed := *w.Releases[name]
	change(&changed)
	changed.Version = w.next()
	w.Releases[name] = &changed
}

// mark puts the mark of a record on a release; 0 lifts it.
func (p *Planner) mark(release string, sequence int64) write {
	w, seen := p.World, p.objects.Releases[release]
	line := "hold " + release
	if sequence == 0 {
		line = "let go of " + release
	}
	return write{line, func() (bool, error) {
		if w.Releases[release] == nil || w.Releases[release].Version != seen.Version {
			return true, nil
		}
		if sequence == 0 {
			if err := w.mayLetGo(release); err != nil {
				return false, err
			}
		}
		w.changeRelease(release, func(r *Release) { r.Held = sequence })
		delete(w.unmarked, release)
		return false, nil
	}}
}

// mayLetGo: nothing that any route object lists, or that had weight less than
// drainSeconds ago, can be deleted; but a track that is gone holds nothing.
func (w *World) mayLetGo(release string) error {
	if w.TrackGone {
		return nil
	}
	if route := w.listedBy(release); route != "" {
		return fmt.Errorf("let go of %s, which route object %s lists", release, route)
	}
	return w.mayBreak(release, "let go of "+release)
}

// listedBy names a route object that lists a release; "" for none.
func (w *World) listedBy(release string) string {
	for _, route := range w.Routes {
		if slices.ContainsFunc(route.Weights, func(s v1alpha1.ReleaseWeight) bool { return s.ReleaseName == release }) && !route.Foreign {
			return route.Name
		}
	}
	return ""
}

// deleteRelease deletes an object that was seen to be idle: nothing may need it.
func (p *Planner) deleteRelease(release string) write {
	w, seen := p.World, p.objects.Releases[release]
	return write{"delete release " + release, func() (bool, error) {
		r := w.Releases[release]
		if r == nil || r.Version != seen.Version {
			return true, nil
		}
		if r.Owner != "" || r.Held != 0 || w.Track.Spec.ReleaseName == release && p.seen.Track.Spec.ReleaseName == release {
			return false, fmt.Errorf("delete release %s, which is pinned, held by record %d or owned by %q", release, r.Held, r.Owner)
		}
		if !w.decided(r.Spec.Version) {
			return false, fmt.Errorf("delete release %s, which was never tried", release)
		}
		delete(w.Releases, release)
		return false, w.mayLetGo(release)
	}}
}

// CheckHistory holds for a world at rest: of the releases that nothing needs, no more
// are left than the limit, what others own left out. Where a router cannot tell what it
// carries, nothing is known to be needed no more.
func (w *World) CheckHistory() error {
	if w.TrackGone || w.unknown() || w.Track.Spec.Retention == nil || w.Track.Spec.Retention.HistoryLimit == nil {
		return nil
	}
	idle, tried := 0, map[string]int{}
	for _, r := range w.Releases {
		tried[r.Spec.Version]++
	}
	for name, r := range w.Releases {
		if r.Owner == "" && r.Held == 0 && !w.serves(name) && w.decided(r.Spec.Version) && tried[r.Spec.Version] == 1 && w.Track.Spec.ReleaseName != name {
			idle++
		}
	}
	if limit := int(*w.Track.Spec.Retention.HistoryLimit); idle > limit {
		return fmt.Errorf("%d releases are idle, and the limit is %d", idle, limit)
	}
	return nil
}

// serves: a live release has the name, or a route object lists it.
func (w *World) serves(name string) bool {
	live := slices.ContainsFunc(w.Head().Live, func(l v1alpha1.LiveRelease) bool { return l.Name == name })
	return live || w.listedBy(name) != ""
}

// decided: the records say how a version fared.
func (w *World) decided(version string) bool {
	return slices.ContainsFunc(w.history, func(r v1alpha1.ReleaseRecord) bool {
		return (r.Spec.Event.IsVerdict() || r.Spec.Event == v1alpha1.EventAdopted) && r.Spec.Release.Version == version
	})
}

// checkHeld: weight rises onto no release that could be deleted the moment after.
func (w *World) checkHeld(name string) error {
	r := w.Releases[name]
	if r == nil || r.Held != 0 || w.unmarked[name] || !w.isLive(r) {
		return nil
	}
	return fmt.Errorf("%s gets weight and is not held", name)
}

// unknown: a route object refers to what is not there, and so no router reports on it.
func (w *World) unknown() bool {
	for _, route := range w.Routes {
		if !route.Foreign && w.unresolved(route) != "" {
			return true
		}
	}
	return false
}

func (w *World) isLive(r *Release) bool {
	return slices.ContainsFunc(w.Head().Live, func(l v1alpha1.LiveRelease) bool { return l.UID == r.UID })
}

// CheckMarks holds for a world at rest: who serves, stands by or is pinned is held,
// and nobody else, unless a router cannot tell what it carries.
func (w *World) CheckMarks() error {
	state := w.Head()
	for name, r := range w.Releases {
		live, stable := w.isLive(r), state.Stable != nil && state.Stable.UID == r.UID
		pinned := w.Track.Spec.ReleaseName == name
		must := !w.TrackGone && (pinned || stable || live && weightOf(state, name) > 0)
		if must && r.Held == 0 {
			return fmt.Errorf("%s serves or is pinned, and is not held", name)
		}
		if r.Held != 0 && (w.TrackGone || !live && !pinned && w.listedBy(name) == "" && !w.unknown()) {
			return fmt.Errorf("%s is held for nothing", name)
		}
	}
	return nil
}
