package world

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// SetTemplate writes spec.releaseTemplate, and how the release of it will behave; nil
// takes the template away.
func (w *World) SetTemplate(template *v1alpha1.ReleaseTemplate, script Script) {
	w.Track.Spec.ReleaseTemplate, w.TemplateScript = template, script
}

// wanted is the release that the template asks for; nil without one.
func (w *World) wanted() *Release {
	template := w.Track.Spec.ReleaseTemplate
	if template == nil {
		return nil
	}
	return &Release{
		Name: resources.ReleaseName(TrackName, template.Version),
		Spec: &v1alpha1.ImmutableReleaseSpec{TrackName: TrackName, ReleaseTemplate: *template.DeepCopy()},
	}
}

func (w *World) observeTemplate(c *Objects) *rollout.Template {
	wanted := w.wanted()
	if wanted == nil {
		return nil
	}
	t := &rollout.Template{ReleaseName: wanted.Name, Version: wanted.Spec.Version, RequestedBy: w.TemplateScript.RequestedBy}
	var of *Release
	for _, name := range slices.Sorted(maps.Keys(c.Releases)) {
		r := c.Releases[name]
		if r.Spec.Version == t.Version && (of == nil || of.Name != wanted.Name && (name == wanted.Name || r.Created.Before(of.Created))) {
			of = r
		}
	}
	if of != nil {
		t.Of = of.Name
		if !equality.Semantic.DeepEqual(of.Spec, wanted.Spec) || w.script(of.Name).Content != w.TemplateScript.Content {
			t.Differs = "its content"
		}
		return t
	}
	if r := c.Releases[wanted.Name]; r != nil {
		t.Taken = "which is that of version " + r.Spec.Version
		return t
	}
	t.ContentDigest = contentDigest(wanted, w.TemplateScript)
	return t
}

// createRelease creates the release of the template. It must be recorded, and the only one
// of its version, as far as was seen.
func (p *Planner) createRelease(a rollout.CreateRelease) write {
	w, seen := p.World, p.objects.Releases
	return write{"create ImmutableRelease " + a.Release, func() (bool, error) {
		wanted := w.wanted()
		if wanted == nil || w.Releases[a.Release] != nil || contentDigest(wanted, w.TemplateScript) != a.ContentDigest {
			return true, nil
		}
		for _, r := range seen {
			if r.Spec.Version == a.Version {
				return false, fmt.Errorf("create release %s of version %s, which %s has", a.Release, a.Version, r.Name)
			}
		}
		if had := w.logOf(w.Records).ContentDigests[a.Version]; had != a.ContentDigest || wanted.Name != a.Release || wanted.Spec.Version != a.Version {
			return false, fmt.Errorf("create release %s of version %s, of which no record tells", a.Release, a.Version)
		}
		w.Publish(a.Release, *wanted.Spec, w.TemplateScript)
		return false, nil
	}}
}

// checkPublished: by a template, a version is created that was never tried or sealed; its release
// is there by the time that a record says so.
func (w *World) checkPublished(spec *v1alpha1.ReleaseRecordSpec) error {
	if spec.Reason == "Created" {
		if r := w.Releases[spec.Release.Name]; r == nil && spec.State.Published.Pending {
			return fmt.Errorf("it is not there")
		}
		return nil
	}
	for i := range w.history {
		// A version that somebody asked about, and that was never tried, is new all the same.
		told := &w.history[i].Spec
		if r := told.Release; r != nil && r.Version == spec.Release.Version && (told.Event.IsVerdict() || r.Attempt > 0 || r.ContentDigest != "") {
			return fmt.Errorf("record %d tells of its version", w.history[i].Spec.Sequence)
		}
	}
	return nil
}
