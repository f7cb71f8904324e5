package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

func requires(tracks ...v1alpha1.RequiredTrack) func(*v1alpha1.ReleaseTrackSpec) {
	return func(spec *v1alpha1.ReleaseTrackSpec) { spec.Requires = tracks }
}

// requiredTrack: a release waits, longer than any deadline, for its content to be
// promoted in staging, and costs no pod until then. Going back does not ask there.
func requiredTrack(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	requires(staging)(&s.Track.Spec)
	decide := func(verdict v1alpha1.RecordEvent, content string) {
		s.user("in staging version 2.0 ends as "+string(verdict)+", with content "+content, func() { s.Decide(staging, "2.0", content, verdict) })
	}
	s.publish("shop-2", release("2.0", tested("smoke", v1alpha1.BeforeTraffic)), fine())
	s.pass(time.Hour)
	decide(v1alpha1.EventFailed, s.Content("shop-2"))
	s.pass(time.Hour)
	decide(v1alpha1.EventPromoted, "sha256:other")
	s.pass(time.Hour)
	decide(v1alpha1.EventPromoted, s.Content("shop-2"))
	s.run()
	decide(v1alpha1.EventRolledBack, s.Content("shop-2"))
	s.ask(v1alpha1.ActionRollback, "shop-1")
	s.run()
	s.end()
}

// TestRequiredTracks: what counts as promoted on another track, and in what words a
// release waits for it.
func TestRequiredTracks(t *testing.T) {
	noon := world.Start
	const content = "sha256:2.0-"
	told := func(change func(*rollout.RequiredTrack)) func(*rollout.Observation) {
		return func(o *rollout.Observation) {
			there := rollout.RequiredTrack{RequiredTrack: staging, ContentDigest: content, PromotedTime: noon, Verdict: v1alpha1.EventPromoted}
			change(&there)
			o.Required = []rollout.RequiredTrack{there}
		}
	}
	for name, c := range map[string]struct {
		at              int32
		change          func(*rollout.Observation)
		reason, message string
	}{
		"promoted":             {0, told(func(*rollout.RequiredTrack) {}), "", ""},
		"came back there":      {0, told(func(r *rollout.RequiredTrack) { r.Verdict = v1alpha1.EventSuperseded }), "", ""},
		"adopted there":        {0, told(func(r *rollout.RequiredTrack) { r.Verdict = "" }), "", ""},
		"with weight":          {20, told(func(r *rollout.RequiredTrack) { r.Verdict = v1alpha1.EventRolledBack }), "", ""},
		"was stable here once": {0, func(o *rollout.Observation) { o.Log.Promotions["2.0"] = rollout.Promotion{UID: candidate(o).UID} }, "", ""},
		"no longer required":   {0, func(o *rollout.Observation) { o.Track.Spec.Requires = nil }, "", ""},
		"not read": {0, func(o *rollout.Observation) { o.Required = nil },
			"RequiredTrackUnread", "the log of track staging/shop is about to be read"},
		"another one was read": {0, told(func(r *rollout.RequiredTrack) { r.TrackName = "other" }),
			"RequiredTrackUnread", "the log of track staging/shop is about to be read"},
		"cannot be read": {0, told(func(r *rollout.RequiredTrack) { r.Unread = "record 3 was edited" }),
			"RequiredTrackUnread", "the log of track staging/shop tells nothing: record 3 was edited; it is read again every 10s"},
		"never tried": {0, told(func(r *rollout.RequiredTrack) { *r = rollout.RequiredTrack{RequiredTrack: staging} }),
			"NotPublishedThere", "version 2.0 was never tried on track staging/shop: publish it there first; it goes on here by itself once it is promoted there"},
		"under way": {0, told(func(r *rollout.RequiredTrack) { r.PromotedTime, r.Verdict = time.Time{}, "" }),
			"NotPromotedThere", "version 2.0 is not promoted on track staging/shop yet: it goes on here by itself once it is"},
		"superseded": {0, told(func(r *rollout.RequiredTrack) { r.PromotedTime, r.Verdict = time.Time{}, v1alpha1.EventSuperseded }),
			"NotPromotedThere", "version 2.0 is not promoted on track staging/shop yet: it goes on here by itself once it is"},
		"passed over": {0, told(func(r *rollout.RequiredTrack) {
			*r = rollout.RequiredTrack{RequiredTrack: staging, Verdict: v1alpha1.EventSuperseded}
		}),
			"NotPromotedThere", "version 2.0 is not promoted on track staging/shop yet: it goes on here by itself once it is"},
		"another content": {0, told(func(r *rollout.RequiredTrack) { r.ContentDigest = "sha256:a" }),
			"OtherContentThere", "version 2.0 has another content on track staging/shop (sha256:a, here sha256:2.0-): publish one content on both, under a new version"},
		"rolled back": {0, told(func(r *rollout.RequiredTrack) { r.Verdict = v1alpha1.EventRolledBack }),
			"NegativeThere", "version 2.0 ended as RolledBack on track staging/shop: publish a version that works there, or have it tried again there by a ReleaseAction Retry"},
	} {
		t.Run(name, func(t *testing.T) {
			o := candidateAt(t, c.at)
			o.Track.Spec.Requires = []v1alpha1.RequiredTrack{staging}
			c.change(&o)
			plan := rollout.Compute(o)
			switch blocked := plan.Blocked; {
			case c.reason == "" && blocked != nil:
				t.Errorf("blocked by %+v", *blocked)
			case c.reason == "" && plan.Append == nil:
				t.Error("nothing blocks, and yet the weight stays")
			case c.reason != "" && (blocked == nil || blocked.Gate != "RequiredTracksPromoted" || blocked.Reason != c.reason || blocked.Message != c.message):
				t.Errorf("blocked by %+v\nwant %s: %s", blocked, c.reason, c.message)
			}
		})
	}
}
