package rollout

import (
	"cmp"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// publish records that a release is created from spec.releaseTemplate: its version is one
// that the track never had, as far as releases and the log tell. From then on the version
// has this content, and whatever becomes of its release, there is no second one.
func (v view) publish() *Entry {
	t := v.Track.Template
	if t == nil || t.ContentDigest == "" || t.Taken != "" || v.ofVersion(t.Version) != nil || v.hadVersion(t.Version) {
		return nil
	}
	e := v.note(v1alpha1.EventPublished, "Template", fmt.Sprintf("spec.releaseTemplate has version %s, which the track never had: release %s is created", t.Version, t.ReleaseName))
	e.Actor = cmp.Or(t.RequestedBy, v.Actor)
	e.Release = &v1alpha1.RecordedRelease{
		Name: t.ReleaseName, Version: t.Version, CreationTime: metav1.NewTime(v.now().Time),
		ContentDigest: t.ContentDigest, RequestedBy: t.RequestedBy, Pinned: v.Track.Spec.ReleaseName != "",
	}
	e.State.Published = &v1alpha1.PublishedRelease{Name: t.ReleaseName, Version: t.Version, Pending: true}
	e.Confirm = true
	return e
}

// ofVersion is a release object that has a version; nil where none has.
func (v view) ofVersion(version string) *Release {
	for i := range v.Releases {
		if v.Releases[i].Spec.Version == version {
			return &v.Releases[i]
		}
	}
	return nil
}

// hadVersion says whether the log knows of a version: a release of it was published by a
// template, tried, sealed or passed over, or it was in the template when the records were
// lost.
func (v view) hadVersion(version string) bool {
	_, decided := v.Log.Verdicts[version]
	p := v.state.Published
	return decided || v.Log.ContentDigests[version] != "" || v.Log.Attempts[version] > 0 || p != nil && p.Version == version
}

// pending is what the newest record still wants created; nil for nothing. A template that
// went, or has another version by now, cannot be made any more.
func (v view) pending() *v1alpha1.PublishedRelease {
	p, t := v.state.Published, v.Track.Template
	if p == nil || !p.Pending || t == nil || t.Version != p.Version || v.ofVersion(p.Version) != nil {
		return nil
	}
	return p
}

// createRelease comes last: nothing else waits for what the API server may refuse.
func (v view) createRelease() []Action {
	p, t := v.pending(), v.Track.Template
	if p == nil || t.Taken != "" || t.ContentDigest == "" || t.ContentDigest != v.Log.ContentDigests[p.Version] {
		return nil
	}
	return []Action{CreateRelease{Release: t.ReleaseName, Version: t.Version, ContentDigest: t.ContentDigest}}
}

// noteCreated lets every record tell that the release is there: once it was seen, it is not
// created again.
func (v view) noteCreated(state *v1alpha1.TrackState) {
	if p := state.Published; p != nil && p.Pending && v.ofVersion(p.Version) != nil {
		state.Published = &v1alpha1.PublishedRelease{Name: p.Name, Version: p.Version}
	}
}

// recordCreated tells it by a record of its own where no other one does.
func (v view) recordCreated() *Entry {
	p := v.state.Published
	if p == nil || !p.Pending {
		return nil
	}
	r := v.ofVersion(p.Version)
	if r == nil {
		return nil
	}
	return v.about(r, v1alpha1.EventPublished, "Created", fmt.Sprintf("release %s of spec.releaseTemplate is there", r.Name))
}

// Standing of spec.releaseTemplate: the reasons of the condition Published.
const (
	ReasonPublished     = "ReleasePublished"
	ReasonPublishing    = "Publishing"
	ReasonVersionReused = "VersionReused"
	ReasonNameTaken     = "NameTaken"
	ReasonReleaseGone   = "ReleaseGone"
)

// template says how spec.releaseTemplate stands; an empty reason: there is none.
func (v view) template() (reason, message string) {
	t := v.Track.Template
	if t == nil {
		return "", ""
	}
	const raise = "change it, and raise its version"
	had := v.Log.ContentDigests[t.Version]
	switch r := v.release(t.Of); {
	case r != nil && t.Differs != "":
		return ReasonVersionReused, fmt.Sprintf("spec.releaseTemplate has version %s and other content than release %s of that version: %s; a version has one content for ever: raise it", t.Version, r.Name, t.Differs)
	case r != nil && v.verdict(r).IsNegative():
		return ReasonPublished, fmt.Sprintf("%s is the release of spec.releaseTemplate, and ended as %s: %s, or ask for a ReleaseAction Retry", r.Name, v.verdict(r), raise)
	case r != nil && !v.isStable(r) && v.verdict(r) != "":
		return ReasonPublished, fmt.Sprintf("%s is the release of spec.releaseTemplate, and another one serves since: to go back to it, set spec.releaseName, or ask for a ReleaseAction Rollback", r.Name)
	case r != nil:
		return ReasonPublished, r.Name + " is the release of spec.releaseTemplate"
	case t.ContentDigest != "" && had != "" && t.ContentDigest != had:
		return ReasonVersionReused, fmt.Sprintf("spec.releaseTemplate has version %s, which had another content in this track (%s, now %s), and has that for ever: raise it", t.Version, had, t.ContentDigest)
	case v.hadVersion(t.Version) && v.pending() == nil:
		return ReasonReleaseGone, fmt.Sprintf("spec.releaseTemplate has version %s, whose release is gone, and no version is created twice: raise it to have its content again", t.Version)
	case t.Taken != "":
		return ReasonNameTaken, fmt.Sprintf("the release of version %s would be %s, %s: give spec.releaseTemplate another version", t.Version, t.ReleaseName, t.Taken)
	}
	return ReasonPublishing, fmt.Sprintf("release %s of spec.releaseTemplate is to be created", t.ReleaseName)
}

// notPublished: the template asks for what cannot be created, until somebody changes it.
func notPublished(v view) *v1alpha1.BlockedBy {
	reason, message := v.template()
	if reason != ReasonVersionReused && reason != ReasonNameTaken {
		return nil
	}
	return &v1alpha1.BlockedBy{Gate: "Desired", Reason: reason, Message: message}
}
