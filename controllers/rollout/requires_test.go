package rollout_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// signedPromotion: a track elsewhere is not read: what a release brings along, signed
// there, is what counts. One that lacks it is deleted, published again and tried by a
// Retry; how long nobody brought it counts for nothing.
func signedPromotion(t *testing.T) {
	s := serving(t, track(warm(0, 0)))
	there := v1alpha1.RequiredTrack{Namespace: "staging", TrackName: "shop", PublicKey: "staging's key"}
	requires(there)(&s.Track.Spec)
	bring := func(signature, content string) func(*v1alpha1.ImmutableReleaseSpec) {
		return func(spec *v1alpha1.ImmutableReleaseSpec) {
			spec.Promotions = []v1alpha1.SignedPromotion{{
				Namespace: there.Namespace, TrackName: there.TrackName, ContentDigest: content, Sequence: 42, Digest: "sha256:record",
				Time: metav1.NewTime(world.Start), Signature: signature,
			}}
		}
	}
	again := func(signature, content string) {
		s.user("delete release shop-2", func() { s.Delete("shop-2") })
		s.pass(time.Hour)
		s.publish("shop-2", release("2.0", bring(signature, content)), fine())
		s.ask(v1alpha1.ActionRetry, "shop-2")
		s.pass(time.Hour)
	}
	s.publish("shop-2", release("2.0"), fine())
	s.pass(time.Hour)
	again("somebody else's key", "sha256:2.0-")
	again(there.PublicKey, "sha256:other")
	again(there.PublicKey, "sha256:2.0-")
	for _, record := range s.Records {
		if record.Spec.Event == v1alpha1.EventWeightSet && record.Spec.Release.Name == "shop-2" {
			want := []v1alpha1.RecordedPromotion{{Namespace: "staging", TrackName: "shop", Sequence: 42, Digest: "sha256:record", KeyDigest: there.PublicKey}}
			if diff := cmp.Diff(want, record.Spec.Release.Promotions); diff != "" {
				t.Errorf("record %d (-want +got):\n%s", record.Spec.Sequence, diff)
			}
		}
	}
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
		"not proven": {0, told(func(r *rollout.RequiredTrack) {
			*r = rollout.RequiredTrack{RequiredTrack: staging, Unproven: "spec.promotions of the release has none of it"}
		}),
			"NotProvenThere", "no promotion on track staging/shop is proven: spec.promotions of the release has none of it: have it signed there by kubectl strata promote --sign-key, delete the release, publish it again with what was signed, and ask for a Retry; or correct spec.requires"},
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
