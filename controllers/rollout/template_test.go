package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/test/world"
)

// edit writes spec.releaseTemplate.
func (s *story) edit(version string, changes ...func(*v1alpha1.ImmutableReleaseSpec)) {
	spec, script := release(version, changes...), fine()
	script.RequestedBy = "ann"
	s.user("edit spec.releaseTemplate: version "+version, func() { s.SetTemplate(&spec.ReleaseTemplate, script) })
}

// template: a new version is created and goes live as any other; the same again is
// nothing to do; what runs stays when the template goes.
func template(t *testing.T) {
	s := newStory(t, track(warm(0, 0)))
	s.edit("1.0")
	s.run()
	s.edit("1.0")
	s.run()
	s.edit("1.1", with(component("web", 3)))
	s.run()
	s.user("remove spec.releaseTemplate", func() { s.SetTemplate(nil, world.Script{}) })
	s.run()
	s.end()
}

// templatePinned: under a pin too a release is created, and waits; a record says that it
// is there.
func templatePinned(t *testing.T) {
	s := serving(t, track())
	s.pin("shop-1")
	s.edit("1.1")
	s.run()
	s.user("delete shop-1-1: "+map[bool]string{true: "done", false: "refused"}[s.Delete("shop-1-1")], func() {})
	s.run()
	s.pin("")
	s.run()
	s.end()
}

// templateUnderWay: the next version replaces the one that is under way, and one that is
// gone before it was created is none.
func templateUnderWay(t *testing.T) {
	s := serving(t, track(steps(20, 50)))
	s.edit("1.1")
	s.untilWeight("shop-1-1", 20)
	s.edit("1.2")
	s.run()
	s.edit("1.1")
	s.run()
	s.end()
}

// templateReleaseDeleted: what was created once is not created again, whatever became of
// it: the log knows.
func templateReleaseDeleted(t *testing.T) {
	s := serving(t, track(warm(0, 0), func(spec *v1alpha1.ReleaseTrackSpec) { spec.Retention.HistoryLimit = ptr(int32(0)) }))
	s.user("the image of version 1.1 cannot be pulled", func() {})
	s.edit("1.1")
	s.TemplateScript.ReadyAfter = -1
	s.run()
	if s.Releases["shop-1-1"] != nil {
		t.Errorf("shop-1-1 failed long ago, and is there\n%s", s.transcript())
	}
	s.edit("1.2")
	s.run()
	s.edit("1.1")
	s.run()
	s.end()
}

// templateContentDiffers: what admission did not see is said, and what serves serves on.
func templateContentDiffers(t *testing.T) {
	s := newStory(t, track(warm(0, 0)))
	s.edit("1.0")
	s.run()
	s.edit("1.0", with(component("web", 5)))
	s.run()
	s.edit("1.1")
	s.run()
	s.user("delete shop-1-0", func() { s.Delete("shop-1-0") })
	s.edit("1.0")
	s.TemplateScript.Content = "other"
	s.run()
	s.end()
}

// templateNameTaken: 1.1 and 1-1 would be releases of one name.
func templateNameTaken(t *testing.T) {
	s := newStory(t, track())
	s.edit("1.1")
	s.run()
	s.edit("1-1")
	s.pass(time.Minute)
	s.edit("1.2")
	s.run()
	s.end()
}

// templateRecordsLost: whether a version had a release is not known either, and it is not
// tried by itself.
func templateRecordsLost(t *testing.T) {
	s := serving(t, track(warm(0, 0), func(spec *v1alpha1.ReleaseTrackSpec) { spec.Retention.HistoryLimit = ptr(int32(0)) }))
	s.edit("1.1")
	s.TemplateScript.ReadyAfter = -1
	s.run()
	s.user("all records are lost", s.LoseRecords)
	s.run()
	s.pass(time.Minute)
	s.edit("1.2")
	s.run()
	s.end()
}

// A template is published once it was read, and nothing stands against it.
func TestPublish(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*rollout.Observation)
		want   v1alpha1.RecordEvent
	}{
		"a new version":     {func(*rollout.Observation) {}, v1alpha1.EventPublished},
		"it was not read":   {func(o *rollout.Observation) { o.Track.Template.ContentDigest = "" }, ""},
		"its name is taken": {func(o *rollout.Observation) { o.Track.Template.Taken = "which is a release of track other" }, ""},
		"it was sealed":     {func(o *rollout.Observation) { o.Log.ContentDigests = map[string]string{"1.1": "sha256:1"} }, ""},
		"it was passed over": {func(o *rollout.Observation) {
			o.Log.Verdicts = map[string]rollout.Verdict{"1.1": {Event: v1alpha1.EventSuperseded}}
		}, ""},
		"it was tried":         {func(o *rollout.Observation) { o.Log.Attempts = map[string]int32{"1.1": 1} }, ""},
		"the log is broken":    {func(o *rollout.Observation) { o.Log.Broken = "record 1 was edited" }, ""},
		"the track is deleted": {func(o *rollout.Observation) { o.Track.Deleting = true }, ""},
		"there is no template": {func(o *rollout.Observation) { o.Track.Template = nil }, ""},
	} {
		o := rollout.Observation{Now: world.Start, Actor: world.Actor, Track: &rollout.Track{
			Spec: track(), Template: &rollout.Template{ReleaseName: "shop-1-1", Version: "1.1", RequestedBy: "ann", ContentDigest: "sha256:1"},
		}}
		test.change(&o)
		got := v1alpha1.RecordEvent("")
		if e := rollout.Compute(o).Append; e != nil {
			got = e.Event
			if e.Actor != "ann" || !e.Confirm || !e.State.Published.Pending || e.Release.ContentDigest != "sha256:1" {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if got != test.want {
			t.Errorf("%s: the record %q, want %q", name, got, test.want)
		}
	}
}

// What was recorded is created, until it was seen, and nothing else.
func TestCreateRelease(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(*rollout.Observation)
		creates bool
		stalled string
	}{
		"what was recorded": {func(*rollout.Observation) {}, true, ""},
		"other content":     {func(o *rollout.Observation) { o.Track.Template.ContentDigest = "sha256:2" }, false, "VersionReused"},
		"it was not read":   {func(o *rollout.Observation) { o.Track.Template.ContentDigest = "" }, false, ""},
		"another version":   {func(o *rollout.Observation) { o.Track.Template.Version = "1.2"; o.Track.Template.Taken = "x" }, false, "NameTaken"},
		"its name is taken": {func(o *rollout.Observation) { o.Track.Template.Taken = "x" }, false, "NameTaken"},
		"the template went": {func(o *rollout.Observation) { o.Track.Template = nil }, false, ""},
		"it was seen":       {func(o *rollout.Observation) { o.Log.Head.State.Published.Pending = false }, false, ""},
		"the log is broken": {func(o *rollout.Observation) { o.Log.Broken = "record 1 was edited" }, false, "LogBroken"},
	} {
		o := rollout.Observation{Now: world.Start, Actor: world.Actor, Track: &rollout.Track{
			Spec: track(), Template: &rollout.Template{ReleaseName: "shop-1-1", Version: "1.1", ContentDigest: "sha256:1"},
		}, Log: rollout.Log{
			Head:           &v1alpha1.ReleaseRecordSpec{Sequence: 1, State: v1alpha1.TrackState{Published: &v1alpha1.PublishedRelease{Name: "shop-1-1", Version: "1.1", Pending: true}}},
			ContentDigests: map[string]string{"1.1": "sha256:1"},
		}}
		test.change(&o)
		plan := rollout.Compute(o)
		created := len(plan.Do) == 1 && plan.Do[0] == rollout.Action(rollout.CreateRelease{Release: "shop-1-1", Version: "1.1", ContentDigest: "sha256:1"})
		if plan.Append != nil || created != test.creates || !test.creates && len(plan.Do) > 0 {
			t.Errorf("%s: %+v %+v", name, plan.Append, plan.Do)
		}
		if got := plan.Stalled; (got == nil) != (test.stalled == "") || got != nil && got.Reason != test.stalled {
			t.Errorf("%s: stalled as %+v, want %q", name, got, test.stalled)
		}
	}
}
