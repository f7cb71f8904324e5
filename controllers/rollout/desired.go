package rollout

import (
	"cmp"
	"strings"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// desired is the release that the track should serve; nil: none, or stable
// although its object is gone.
//
// With a pin, the pinned release, unless its verdict is negative. Without one:
// a candidate at 100 (it finishes its bake), or any under Queue, else the newest
// release, unless it, its version or a later one has had its verdict already. So an
// old release that comes back is never deployed by mistake.
func (v view) desired() *Release {
	if v.Track.Spec.ReleaseName != "" {
		return v.desiredByPin()
	}
	if v.candidate != nil && v.finishesFirst() {
		return v.candidate
	}
	newest := v.newest()
	if newest == nil || v.decidedAbout(newest) {
		return v.stable()
	}
	return newest
}

// finishesFirst: a newer release waits for the candidate.
func (v view) finishesFirst() bool {
	return v.weight() == 100 || v.Track.rollout().SupersedePolicy == v1alpha1.SupersedeQueue
}

func (v view) desiredByPin() *Release {
	pinned := v.pinned()
	switch {
	case pinned == nil && v.candidate != nil:
		return v.candidate
	case pinned == nil:
		return v.stable()
	case v.verdict(pinned).IsNegative() || v.claimant(pinned) != nil || v.isDifferent(pinned):
		return v.stable()
	}
	return pinned
}

func (v view) pinned() *Release {
	r := v.release(v.Track.Spec.ReleaseName)
	if r == nil || r.Deleting {
		return nil
	}
	return r
}

func (v view) stable() *Release {
	if v.state.Stable == nil {
		return nil
	}
	return v.object(*v.state.Stable)
}

// claimant is another release that has the version of r already: the one that the
// log knows by it, else the older one. A version has one content for ever, and so
// r is never deployed; nil when the version is its own.
func (v view) claimant(r *Release) *Release {
	if !v.shared[r.Spec.Version] {
		return nil
	}
	for i := range v.Releases {
		other := &v.Releases[i]
		if other.UID == r.UID || other.Deleting || other.Spec.Version != r.Spec.Version {
			continue
		}
		if v.known(r) == v.known(other) {
			older := cmp.Or(other.CreationTime.Compare(r.CreationTime), strings.Compare(other.Name, r.Name)) < 0
			if older {
				return other
			}
		} else if v.known(other) {
			return other
		}
	}
	return nil
}

func sharedVersions(releases []Release) map[string]bool {
	if len(releases) < 2 {
		return nil
	}
	shared, seen := map[string]bool{}, make(map[string]bool, len(releases))
	for i := range releases {
		version := releases[i].Spec.Version
		if seen[version] {
			shared[version] = true
		}
		seen[version] = true
	}
	return shared
}

// known says whether the log knows the version as that of this very object.
func (v view) known(r *Release) bool {
	return v.isCandidate(r) || v.isStable(r) || v.promoted(r) || v.Log.Verdicts[r.Spec.Version].UID == r.UID
}

// newest by creation time, then version, then name, of those whose version is
// their own.
func (v view) newest() *Release {
	var newest *Release
	for i := range v.Releases {
		r := &v.Releases[i]
		if r.Deleting || v.claimant(r) != nil {
			continue
		}
		if newest == nil || v.compareAge(r, newest) > 0 {
			newest = r
		}
	}
	return newest
}

// latest is the release object that was created last, whatever its version; of two
// of one second, as newest has it.
func (v view) latest() *Release {
	var latest *Release
	for i := range v.Releases {
		r := &v.Releases[i]
		if !r.Deleting && (latest == nil || cmp.Or(
			r.CreationTime.Compare(latest.CreationTime),
			strings.Compare(r.Spec.Version, latest.Spec.Version),
			strings.Compare(r.Name, latest.Name)) > 0) {
			latest = r
		}
	}
	return latest
}

func (v view) compareAge(a, b *Release) int {
	return cmp.Or(
		v.creationTime(a).Compare(v.creationTime(b)),
		strings.Compare(a.Spec.Version, b.Spec.Version),
		strings.Compare(a.Name, b.Name))
}

// creationTime of a release whose version has a verdict is the one recorded
// there: re-creating the object makes no version newer.
func (v view) creationTime(r *Release) time.Time {
	if verdict, ok := v.Log.Verdicts[r.Spec.Version]; ok {
		return verdict.CreationTime
	}
	return r.CreationTime
}

// decidedAbout says whether an unpinned release must not be tried: a verdict
// names it, its version, or a release created later; or the records that would tell
// are lost. An attempt that a Retry opened is beyond that.
func (v view) decidedAbout(r *Release) bool {
	if v.isCandidate(r) && v.state.Candidate.Retry {
		return false
	}
	if v.verdict(r) != "" || v.forgotten(r) {
		return true
	}
	return v.decidedLater(r) != ""
}

// decidedLater is the newest release that has a verdict, if it was created later; ""
// if it was not.
func (v view) decidedLater(r *Release) string {
	newest, name := v.creationTime(r), ""
	for _, verdict := range v.Log.Verdicts {
		later := verdict.CreationTime.After(newest) || name != "" && verdict.CreationTime.Equal(newest) && verdict.ReleaseName > name
		if v.counts(verdict) && later {
			newest, name = verdict.CreationTime, verdict.ReleaseName
		}
	}
	return name
}

// verdict of a release is that of its newest attempt; "" while that is open, or
// before any.
func (v view) verdict(r *Release) v1alpha1.RecordEvent {
	verdict, ok := v.Log.Verdicts[r.Spec.Version]
	if !ok || !v.counts(verdict) {
		return ""
	}
	if v.isCandidate(r) && v.state.Candidate.Attempt > verdict.Attempt {
		return ""
	}
	return verdict.Event
}

// counts: a Superseded while a pin was set does not count once it is gone.
func (v view) counts(verdict Verdict) bool {
	return verdict.Event != v1alpha1.EventSuperseded || !verdict.Pinned || v.Track.Spec.ReleaseName != ""
}

// trusted releases were promoted, and nothing has spoken against them since: they
// serve again without tests or steps.
func (v view) trusted(r *Release) bool {
	p, ok := v.Log.Promotions[r.Spec.Version]
	return ok && p.UID == r.UID && !v.Log.Verdicts[r.Spec.Version].Event.IsNegative()
}
