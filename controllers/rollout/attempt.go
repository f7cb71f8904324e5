package rollout

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// about makes a record about a release, with the newest record's state for the
// caller to change.
func (v view) about(r *Release, event v1alpha1.RecordEvent, reason, message string) *Entry {
	recorded := &v1alpha1.RecordedRelease{
		Name: r.Name, UID: r.UID, Version: r.Spec.Version,
		CreationTime: metav1.NewTime(v.creationTime(r)),
		Attempt:      v.Log.Attempts[r.Spec.Version],
		RequestedBy:  r.RequestedBy,
		Pinned:       v.Track.Spec.ReleaseName != "",
		Source:       r.Spec.Source.DeepCopy(),
	}
	if s := r.Sealed; s != nil {
		recorded.Digest, recorded.ContentDigest = s.Digest, s.ContentDigest
		recorded.Images, recorded.Snapshots = s.Images, s.Snapshots
		if v.isCandidate(r) {
			recorded.Promotions = v.promotions()
		}
	}
	e := v.note(event, reason, message)
	e.Release = recorded
	return e
}

// aboutRef is about for a release whose object may be gone. Where no verdict tells
// when it was created, the start of its attempt stands for that: a release of its
// version that comes back is no newer than what was published since.
func (v view) aboutRef(ref v1alpha1.ReleaseRef, event v1alpha1.RecordEvent, reason, message string) *Entry {
	if r := v.object(ref); r != nil {
		return v.about(r, event, reason, message)
	}
	e := v.note(event, reason, message)
	e.Release = &v1alpha1.RecordedRelease{
		Name: ref.Name, UID: ref.UID, Version: ref.Version,
		Attempt: v.Log.Attempts[ref.Version],
		Pinned:  v.Track.Spec.ReleaseName != "",
	}
	if recorded := v.Log.Digests[ref.Version]; recorded.UID == ref.UID {
		e.Release.Digest = recorded.Digest
	}
	if verdict, ok := v.Log.Verdicts[ref.Version]; ok {
		e.Release.CreationTime = metav1.NewTime(verdict.CreationTime)
	} else if c := v.state.Candidate; c != nil && c.UID == ref.UID {
		e.Release.CreationTime = metav1.NewTime(c.StartTime.Time)
	}
	return e
}

// note makes a record about the track alone.
func (v view) note(event v1alpha1.RecordEvent, reason, message string) *Entry {
	return &Entry{Event: event, Reason: reason, Message: message, Actor: v.Actor, State: *v.state.DeepCopy()}
}

// openAttempt opens one for the desired release: it is not stable, and no other
// attempt is open. A Rollback under way comes first: what it leaves is the release
// that serves now, not one that was published a moment ago.
func (v view) openAttempt() *Entry {
	if v.state.Candidate != nil || v.recalling() != nil {
		return nil
	}
	desired := v.desired()
	if desired == nil || v.isStable(desired) {
		return nil
	}
	e := v.open(desired, "Desired", fmt.Sprintf("%s is the release that the track should serve", desired.Name), false)
	e.OfIntent = true
	return e
}

func (v view) open(r *Release, reason, message string, retry bool) *Entry {
	e := v.about(r, v1alpha1.EventAttemptOpened, reason, message)
	e.Release.Attempt++
	e.State.Candidate = &v1alpha1.CandidateState{
		ReleaseRef: r.ref(), Attempt: e.Release.Attempt, StartTime: v.now(), Retry: retry,
	}
	e.State.Tests, e.State.Approvals, e.State.SkippedHolds = nil, nil, nil
	e.Confirm = true
	v.revive(&e.State, r.ref(), nil)
	return e
}

// revive makes a release live. One that was not has had no weight since. It takes
// the place of a deleted release of its name: weights are by name, and the pods of
// that one went with its object.
func (v view) revive(state *v1alpha1.TrackState, ref v1alpha1.ReleaseRef, recall *v1alpha1.Recall) {
	for i := range state.Live {
		if state.Live[i].UID == ref.UID {
			state.Live[i].Recall = recall
			return
		}
	}
	zero := v.now()
	state.Live = slices.DeleteFunc(state.Live, func(live v1alpha1.LiveRelease) bool { return live.Name == ref.Name })
	state.Live = append(state.Live, v1alpha1.LiveRelease{ReleaseRef: ref, Sequence: v.next(), ZeroTime: &zero, Recall: recall})
}

// closeSuperseded closes the attempt of a candidate that is no longer desired,
// or whose object is gone or replaced by another.
func (v view) closeSuperseded() *Entry {
	c := v.state.Candidate
	if c == nil {
		return nil
	}
	reason, message := "", ""
	switch desired := v.desired(); {
	case v.candidate == nil:
		reason, message = "ReleaseGone", "the release object is gone or was replaced by another"
	case v.candidate.Deleting:
		reason, message = "ReleaseGone", "the release object is being deleted"
	case desired == nil || desired.UID != c.UID:
		reason, message = "NoLongerDesired", "the track should serve something else now"
		if desired != nil {
			message = "the track should serve " + desired.Name + " now"
		}
	default:
		return nil
	}
	return v.close(v1alpha1.EventSuperseded, reason, message)
}

// close ends the open attempt. Weight goes back in the same record, if there is a
// baseline that can take it; else it stays, until one can.
func (v view) close(event v1alpha1.RecordEvent, reason, message string) *Entry {
	e := v.aboutRef(v.state.Candidate.ReleaseRef, event, reason, message)
	e.Release.Attempt = v.state.Candidate.Attempt
	e.State.Candidate = nil
	e.Confirm = true
	if to := v.fallback(); to != nil && v.weight() > 0 && v.canServe(v.baseline) {
		v.moveAll(&e.State, *to)
	}
	return e
}

// passOver gives releases that were never tried, because a newer one was desired,
// their verdict, also where that one is gone by now, and those whose records are lost.
// A pin passes nothing over.
func (v view) passOver() *Entry {
	if v.Track.Spec.ReleaseName != "" {
		return nil
	}
	newest := v.newest()
	if newest == nil {
		return nil
	}
	for i := range v.Releases {
		r := &v.Releases[i]
		forgotten := v.forgotten(r)
		if r.Deleting || v.verdict(r) != "" || v.claimant(r) != nil || v.isCandidate(r) || v.isStable(r) {
			continue
		}
		by := v.decidedLater(r)
		if v.compareAge(r, newest) < 0 {
			by = newest.Name
		}
		if by == "" && !forgotten {
			continue
		}
		e := v.about(r, v1alpha1.EventSuperseded, "PassedOver", by+" is newer")
		if forgotten {
			e.Reason, e.Message = "RecordsLost", "how it fared is not known any more: try it by a ReleaseAction Retry, or pin it"
		}
		e.Confirm = true
		return e
	}
	return nil
}

func microTime(t time.Time) metav1.MicroTime { return metav1.NewMicroTime(t) }
