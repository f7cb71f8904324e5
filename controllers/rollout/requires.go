package rollout

import (
	"fmt"
	"slices"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
)

// gateRequiredTracksPromoted: the very content of the candidate was promoted on every
// track that this one requires, and nothing has spoken against it there since. It is
// asked once the seal tells the content, and before a pod is spent; with weight, no
// more. Going back to a trusted release depends on no other track.
func gateRequiredTracksPromoted(v view) (string, string, bool) {
	if v.weight() > 0 || v.candidate.Sealed == nil || v.trusted(v.candidate) {
		return "", "", false
	}
	for _, required := range v.Track.Spec.Requires {
		if reason, message := v.lacksPromotion(required); reason != "" {
			return reason, message, true
		}
	}
	return "", "", false
}

// lacksPromotion says why the candidate does not count as promoted on a required
// track; "" when it does.
func (v view) lacksPromotion(required v1alpha1.RequiredTrack) (reason, message string) {
	there := "track " + required.Namespace + "/" + required.TrackName
	version, told := v.candidate.Spec.Version, v.told(required)
	switch {
	case told == nil:
		return "RequiredTrackUnread", "the log of " + there + " is about to be read"
	case told.Unproven != "":
		return "NotProvenThere", fmt.Sprintf("no promotion on %s is proven: %s: have it signed there by kubectl strata promote --sign-key, delete the release, publish it again with what was signed, and ask for a Retry; or correct spec.requires", there, told.Unproven)
	case told.Unread != "":
		return "RequiredTrackUnread", fmt.Sprintf("the log of %s tells nothing: %s; it is read again every %s", there, told.Unread, lookAgain)
	case told.ContentDigest == "" && told.Verdict == "":
		return "NotPublishedThere", fmt.Sprintf("version %s was never tried on %s: publish it there first; it goes on here by itself once it is promoted there", version, there)
	case told.ContentDigest != "" && told.ContentDigest != v.candidate.Sealed.ContentDigest:
		return "OtherContentThere", fmt.Sprintf("version %s has another content on %s (%s, here %s): publish one content on both, under a new version",
			version, there, told.ContentDigest, v.candidate.Sealed.ContentDigest)
	case told.Verdict.IsNegative():
		return "NegativeThere", fmt.Sprintf("version %s ended as %s on %s: publish a version that works there, or have it tried again there by a ReleaseAction Retry", version, told.Verdict, there)
	case told.PromotedTime.IsZero() || told.ContentDigest == "":
		return "NotPromotedThere", fmt.Sprintf("version %s is not promoted on %s yet: it goes on here by itself once it is", version, there)
	}
	return "", ""
}

// told is what the log of a required track tells; nil before it was read.
func (v view) told(required v1alpha1.RequiredTrack) *RequiredTrack {
	i := slices.IndexFunc(v.Required, func(told RequiredTrack) bool { return told.RequiredTrack == required })
	if i < 0 {
		return nil
	}
	return &v.Required[i]
}

// promotions are those on other tracks by which the candidate passes, while that is asked.
func (v view) promotions() []v1alpha1.RecordedPromotion {
	var passed []v1alpha1.RecordedPromotion
	for _, required := range v.Track.Spec.Requires {
		told := v.told(required)
		if told == nil || told.Sequence == 0 {
			continue
		}
		if reason, _ := v.lacksPromotion(required); reason == "" {
			passed = append(passed, v1alpha1.RecordedPromotion{
				Namespace: required.Namespace, TrackName: required.TrackName, Sequence: told.Sequence, Digest: told.Digest, KeyDigest: told.KeyDigest,
			})
		}
	}
	return passed
}

// requiredTime is when the last of the required tracks promoted the candidate's
// content. Until then nothing could be provisioned, and so deadlines count from it.
func (v view) requiredTime() time.Time {
	var last time.Time
	for _, required := range v.Track.Spec.Requires {
		if told := v.told(required); told != nil {
			last = later(last, told.PromotedTime)
		}
	}
	return last
}

// unreadTracks says whether the log of a required track could not be read.
func (v view) unreadTracks() bool {
	return slices.ContainsFunc(v.Required, func(told RequiredTrack) bool { return told.Unread != "" })
}
