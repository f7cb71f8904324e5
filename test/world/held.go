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

// checkHeld: weight rises onto no release that could be deleted the moment after.
func (w *World) checkHeld(name string) error {
	r := w.Releases[name]
	if r == nil || r.Held != 0 || w.unmarked[name] || !w.isLive(r) {
		return nil
	}
	return fmt.Errorf("%s gets weight and is not held", name)
}

func (w *World) isLive(r *Release) bool {
	return slices.ContainsFunc(w.Head().Live, func(l v1alpha1.LiveRelease) bool { return l.UID == r.UID })
}

// CheckMarks holds for a world at rest: who serves, stands by or is pinned is held,
// and nobody else.
func (w *World) CheckMarks() error {
	state := w.Head()
	for name, r := range w.Releases {
		live, stable := w.isLive(r), state.Stable != nil && state.Stable.UID == r.UID
		pinned := w.Track.Spec.ReleaseName == name
		must := !w.TrackGone && (pinned || stable || live && weightOf(state, name) > 0)
		if must && r.Held == 0 {
			return fmt.Errorf("%s serves or is pinned, and is not held", name)
		}
		if r.Held != 0 && (w.TrackGone || !live && !pinned && w.listedBy(name) == "") {
			return fmt.Errorf("%s is held for nothing", name)
		}
	}
	return nil
}
