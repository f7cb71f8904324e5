package plugin

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/validation"
	"github.com/strata-release/strata/controllers/snapshot"
)

func diffCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:               "diff R1 R2",
		Short:             "Show what differs between two releases: images, configuration, templates, tests, sizes",
		Example:           `  kubectl strata diff shop-1-4-1 shop-1-4-2`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: s.completeNames(2, &v1alpha1.ImmutableReleaseList{}),
	}
	out := outputFlag(command, "text", "json", "yaml")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		before, err := s.stored(c.Context(), args[0])
		if err != nil {
			return err
		}
		after, err := s.stored(c.Context(), args[1])
		if err != nil {
			return err
		}
		d, err := differenceOf(before, after)
		if err != nil {
			return err
		}
		if done, err := out.write(s.Streams.Out, d); done || err != nil {
			return err
		}
		fmt.Fprint(s.Streams.Out, d.text(styleOf(s.Streams.Out)))
		return nil
	}
	return command
}

// stored is a release as the API server has it: Go does not tell "0.5" from "500m".
func (s *session) stored(ctx context.Context, name string) (*unstructured.Unstructured, error) {
	if err := s.connect(); err != nil {
		return nil, err
	}
	release := &unstructured.Unstructured{}
	release.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ImmutableRelease"))
	err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, release)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("namespace %s has no release %s: kubectl strata releases lists what there is", s.namespace, name)
	}
	return release, wrap(err, "read release %s", name)
}

// difference of two releases.
type difference struct {
	Before string `json:"before"`
	After  string `json:"after"`
	// SameContent: it is the same software, whatever else differs.
	SameContent bool      `json:"sameContent"`
	Sections    []section `json:"sections,omitempty"`
}

type section struct {
	Title   string   `json:"title"`
	Changes []change `json:"changes"`
}

// change of a field; Old or New is empty where there is no such field.
type change struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

// sections of a difference, in the order in which people ask; the first that fits has
// the field.
var sections = []struct {
	title string
	is    *regexp.Regexp
}{
	{"images", regexp.MustCompile(`^spec\.components.*\.(image|reference)$`)},
	{"tests", regexp.MustCompile(`^(order of )?spec\.tests`)},
	{"sizes", regexp.MustCompile(`^spec\.components\[[^]]*\]\.(replicas|autoscaling|disruption)`)},
	{"templates", regexp.MustCompile(`^(order of )?spec\.components`)},
	{"release", regexp.MustCompile(``)},
}

func differenceOf(before, after *unstructured.Unstructured) (*difference, error) {
	d := &difference{Before: before.GetName(), After: after.GetName()}
	var texts [2][]byte
	var digests [2]string
	for i, release := range []*unstructured.Unstructured{before, after} {
		var err error
		if texts[i], err = json.Marshal(release.Object); err != nil {
			return nil, fmt.Errorf("encode release %s: %w", release.GetName(), err)
		}
		if digests[i], err = contentDigest(release); err != nil {
			return nil, err
		}
	}
	d.SameContent = digests[0] == digests[1]
	changes, err := validation.SpecChanges(texts[0], texts[1])
	if err != nil {
		return nil, err
	}
	config, err := configChanges(before, after)
	if err != nil {
		return nil, err
	}
	for i, s := range sections {
		var found []change
		changes = slices.DeleteFunc(changes, func(c validation.Change) bool {
			fits := s.is.MatchString(c.Path)
			if fits {
				found = append(found, change{Field: c.Path, Old: c.Old, New: c.New})
			}
			return fits
		})
		d.add(s.title, found)
		if i == 0 {
			d.add("configuration", config)
		}
	}
	return d, nil
}

func (d *difference) add(title string, changes []change) {
	if len(changes) > 0 {
		d.Sections = append(d.Sections, section{Title: title, Changes: changes})
	}
}

// configChanges are the ConfigMaps and Secrets that one of the releases reads alone.
func configChanges(before, after *unstructured.Unstructured) ([]change, error) {
	var reads [2][]string
	for i, stored := range []*unstructured.Unstructured{before, after} {
		release := &v1alpha1.ImmutableRelease{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(stored.Object, release); err != nil {
			return nil, fmt.Errorf("read release %s: %w", stored.GetName(), err)
		}
		for _, ref := range snapshot.References(&release.Spec) {
			reads[i] = append(reads[i], string(ref.Kind)+" "+ref.Name)
		}
	}
	var changes []change
	for _, name := range reads[0] {
		if !slices.Contains(reads[1], name) {
			changes = append(changes, change{Field: name, Old: "read"})
		}
	}
	for _, name := range reads[1] {
		if !slices.Contains(reads[0], name) {
			changes = append(changes, change{Field: name, New: "read"})
		}
	}
	return changes, nil
}

func (d *difference) text(st style) string {
	var b strings.Builder
	switch {
	case len(d.Sections) == 0:
		fmt.Fprintf(&b, "%s and %s are the same\n", d.Before, d.After)
	case d.SameContent:
		fmt.Fprintf(&b, "%s and %s are the same software\n", d.Before, d.After)
	}
	for i, s := range d.Sections {
		if i > 0 || d.SameContent {
			b.WriteByte('\n')
		}
		fmt.Fprintln(&b, st.paint(bold, s.Title))
		for _, c := range s.Changes {
			fmt.Fprintf(&b, "  %s\n", oneLine(c.Field))
			if c.Old != "" {
				fmt.Fprintf(&b, "    %s\n", st.paint(red, "- "+oneLine(c.Old)))
			}
			if c.New != "" {
				fmt.Fprintf(&b, "    %s\n", st.paint(green, "+ "+oneLine(c.New)))
			}
		}
	}
	return b.String()
}
