package plugin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/resources"
)

func lintCommand(s *session) *cobra.Command {
	var files []string
	command := &cobra.Command{
		Use:     "lint -f FILE",
		Short:   "Say what is wrong with releases and tracks in files, without a cluster",
		Example: `  kubectl strata lint -f shop/`,
		Args:    cobra.NoArgs,
	}
	filesFlag(command, &files)
	out := outputFlag(command, "text", "json", "yaml")
	command.RunE = func(c *cobra.Command, _ []string) error {
		if err := out.check(); err != nil {
			return err
		}
		together, found, err := s.lint(c.Context(), files)
		if err != nil {
			return err
		}
		done, err := out.write(s.Streams.Out, map[string]any{"findings": found})
		if err != nil {
			return err
		}
		if !done {
			for _, f := range found {
				fmt.Fprintln(s.Streams.Out, f)
			}
		}
		switch {
		case len(found) > 0:
			return no("%d of what was found would be refused, or would not work", len(found))
		case together.checked == 0:
			return fmt.Errorf("%s has no object of Strata: name the files of releases and tracks", strings.Join(files, ", "))
		case !done:
			fmt.Fprintf(s.Streams.Out, "%d objects of Strata: nothing is wrong with them\n", together.checked)
		}
		return nil
	}
	return command
}

func filesFlag(command *cobra.Command, files *[]string) {
	command.Flags().StringSliceVarP(files, "filename", "f", nil, "file or directory, - for standard input; may be given several times")
}

// finding is one thing that is wrong.
type finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Object  string `json:"object"`
	Field   string `json:"field"`
	Problem string `json:"problem"`
}

func (f finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s: %s", f.File, f.Line, f.Object, f.Field, f.Problem)
}

// lint reads files, and says all that is wrong with what they have of Strata, by itself
// and among each other.
func (s *session) lint(ctx context.Context, files []string) (*set, []finding, error) {
	documents, err := s.readDocuments(files)
	if err != nil {
		return nil, nil, err
	}
	known, err := schemas()
	if err != nil {
		return nil, nil, err
	}
	var found []finding
	note := func(d document, errs ...*field.Error) {
		for _, err := range errs {
			found = append(found, finding{File: d.file, Line: d.line(err.Field), Object: d.name(), Field: err.Field, Problem: problem(err)})
		}
	}
	together := &set{}
	for _, d := range documents {
		if !d.isOurs() {
			continue
		}
		note(d, together.check(ctx, known, d)...)
	}
	together.checkBackends(note)
	slices.SortStableFunc(found, func(a, b finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Field, b.Field))
	})
	return together, found, nil
}

// set are the documents that were checked, by what they may not share.
type set struct {
	checked  int
	names    map[string]document
	versions map[string]string
	tracks   []both[v1alpha1.ReleaseTrack]
	releases []both[v1alpha1.ImmutableRelease]
}

// both is a document, and what it says. inTemplate: it is the release of a track's template,
// and stands in the document of that track.
type both[T any] struct {
	document   document
	object     *T
	inTemplate bool
}

// templateOf is the release that a track creates; nil without a template.
func templateOf(d document, track *v1alpha1.ReleaseTrack) *both[v1alpha1.ImmutableRelease] {
	release := resources.TemplateRelease(track)
	spec, found, err := unstructured.NestedMap(d.object.Object, "spec", "releaseTemplate")
	if release == nil || !found || err != nil {
		return nil
	}
	spec["trackName"] = track.Name
	object := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ImmutableRelease"))
	object.SetNamespace(track.Namespace)
	object.SetName(release.Name)
	return &both[v1alpha1.ImmutableRelease]{document{d.file, d.root, object}, release, true}
}

// at puts what was said of a release to where it is written.
func (b both[T]) at(errs ...*field.Error) field.ErrorList {
	if b.inTemplate {
		return validation.InTemplate(errs)
	}
	return errs
}

func (t *set) check(ctx context.Context, known map[string]*schema, d document) field.ErrorList {
	t.checked++
	gvk := d.object.GroupVersionKind()
	if gvk.Version != v1alpha1.GroupVersion.Version || known[gvk.Kind] == nil {
		return field.ErrorList{field.NotSupported(field.NewPath("apiVersion"), gvk.GroupVersion().String()+" "+gvk.Kind, []string{v1alpha1.GroupVersion.String()})}
	}
	stored := known[gvk.Kind].check(ctx, d.object)
	said, unread := t.say(d)
	switch {
	case unread != nil && len(stored) > 0:
		return stored // What has a wrong type cannot be read any further; the schema has said so.
	case unread != nil:
		return field.ErrorList{field.Invalid(field.NewPath("spec"), d.object.GetName(), unread.Error())}
	}
	// Where both have something to say of a field, words are better than a pattern.
	stored = slices.DeleteFunc(stored, func(e *field.Error) bool {
		return slices.ContainsFunc(said, func(other *field.Error) bool { return other.Field == e.Field })
	})
	return append(append(stored, said...), t.checkUnique(d)...)
}

// say is what the webhook would say of an object.
func (t *set) say(d document) (field.ErrorList, error) {
	convert := func(into runtime.Object) error {
		return runtime.DefaultUnstructuredConverter.FromUnstructured(d.object.Object, into)
	}
	author := validation.Author{}
	switch d.object.GetKind() {
	case "ImmutableRelease":
		release := &v1alpha1.ImmutableRelease{}
		if err := convert(release); err != nil {
			return nil, err
		}
		t.releases = append(t.releases, both[v1alpha1.ImmutableRelease]{document: d, object: release})
		return append(validation.ReservedMetadata(release, nil, author), validation.ValidateRelease(release)...), nil
	case "ReleaseTrack":
		track := &v1alpha1.ReleaseTrack{}
		if err := convert(track); err != nil {
			return nil, err
		}
		t.tracks = append(t.tracks, both[v1alpha1.ReleaseTrack]{document: d, object: track})
		if template := templateOf(d, track); template != nil {
			t.releases = append(t.releases, *template)
		}
		return slices.Concat(validation.ReservedMetadata(track, nil, author), validation.ValidateTrack(track), validation.ValidateTemplate(track)), nil
	case "ReleaseAction":
		action := &v1alpha1.ReleaseAction{}
		if err := convert(action); err != nil {
			return nil, err
		}
		return validation.ValidateAction(action, action.Spec.Requester), nil
	}
	return nil, nil
}

// checkUnique: one name, one object; one version, one content.
func (t *set) checkUnique(d document) field.ErrorList {
	if t.names == nil {
		t.names, t.versions = map[string]document{}, map[string]string{}
	}
	var errs field.ErrorList
	key := d.object.GetKind() + " " + d.object.GetNamespace() + "/" + d.object.GetName()
	if other, ok := t.names[key]; ok {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), d.object.GetName(), fmt.Sprintf(
			"%s:%d has an object of this name too: give one of them another", other.file, other.line("metadata.name"))))
	}
	t.names[key] = d
	if len(t.releases) == 0 || t.releases[len(t.releases)-1].document.root != d.root {
		return errs
	}
	of := t.releases[len(t.releases)-1]
	release := of.object
	digest, err := contentDigest(of.document.object)
	if err != nil {
		return append(errs, of.at(field.Invalid(field.NewPath("spec"), release.Name, err.Error()))...)
	}
	version := fmt.Sprintf("%s/%s %s", release.Namespace, release.Spec.TrackName, release.Spec.Version)
	if other, ok := t.versions[version]; ok && other != digest {
		errs = append(errs, of.at(field.Invalid(field.NewPath("spec", "version"), release.Spec.Version, "another release of this track has this version with other content: one version has one content, so give this release another"))...)
	}
	t.versions[version] = digest
	return append(errs, of.at(validation.ValidatePromotions(release, digest)...)...)
}

// checkBackends: a release has what the routes of its track, if that is among the
// documents, go to.
func (t *set) checkBackends(note func(document, ...*field.Error)) {
	for _, release := range t.releases {
		for _, track := range t.tracks {
			same := release.object.Namespace == track.object.Namespace && release.object.Spec.TrackName == track.object.Name
			if !same || track.object.Spec.Traffic == nil {
				continue
			}
			for _, route := range track.object.Spec.Traffic.Routes {
				if !hasPort(&release.object.Spec, route) {
					note(release.document, release.at(field.Invalid(field.NewPath("spec", "components"), release.object.Name, fmt.Sprintf(
						"route %s of track %s goes to port %s of component %s, which this release does not have: add it, or change the route",
						route.Name, track.object.Name, route.PortName, route.ComponentName)))...)
				}
			}
		}
	}
}

func hasPort(spec *v1alpha1.ImmutableReleaseSpec, route v1alpha1.Route) bool {
	return slices.ContainsFunc(spec.Components, func(c v1alpha1.Component) bool {
		return c.Name == route.ComponentName && slices.ContainsFunc(c.Ports, func(p v1alpha1.ComponentPort) bool { return p.Name == route.PortName })
	})
}
