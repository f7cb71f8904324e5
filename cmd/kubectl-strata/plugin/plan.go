package plugin

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/snapshot"
)

func planCommand(s *session) *cobra.Command {
	var files []string
	var offline bool
	command := &cobra.Command{
		Use:   "plan -f FILE",
		Short: "Say what would become of the releases and tracks in files; nothing is written",
		Long: `Say what would become of the releases and tracks in files; nothing is written.

Files are checked as lint does; then the API server is asked, as for kubectl apply with a
dry run, and the planner, which decisions would follow at once.`,
		Example: `  kubectl strata plan -f shop-1-4-3.yaml
  kubectl strata plan -f shop/ --offline`,
		Args: cobra.NoArgs,
	}
	filesFlag(command, &files)
	command.Flags().BoolVar(&offline, "offline", false, "ask no cluster")
	out := outputFlag(command, "text", "json", "yaml")
	command.RunE = func(c *cobra.Command, _ []string) error {
		if err := out.check(); err != nil {
			return err
		}
		together, found, err := s.lint(c.Context(), files)
		if err != nil {
			return err
		}
		var plans []*planned
		if len(found) == 0 { // What is wrong is not asked for.
			if plans, err = s.plan(c.Context(), together, offline); err != nil {
				return err
			}
		}
		done, err := out.write(s.Streams.Out, map[string]any{"findings": found, "objects": plans})
		if err != nil {
			return err
		}
		refused := len(found)
		if !done {
			for _, f := range found {
				fmt.Fprintln(s.Streams.Out, f)
			}
		}
		for i, p := range plans {
			if p.Outcome == outcomeRefused {
				refused++
			}
			if !done {
				p.write(s, i > 0)
			}
		}
		switch {
		case refused > 0:
			return no("%d of what was found would be refused, or would not work", refused)
		case len(plans) == 0:
			return fmt.Errorf("%s has no release and no track: name their files", strings.Join(files, ", "))
		}
		return nil
	}
	return command
}

// Outcomes of applying an object.
const (
	outcomeUnasked   = "Valid"
	outcomeCreated   = "WouldBeCreated"
	outcomeChanged   = "WouldBeChanged"
	outcomeUnchanged = "Unchanged"
	outcomeRefused   = "WouldBeRefused"
)

// planned is what would become of one object.
type planned struct {
	Object  string `json:"object"`
	Outcome string `json:"outcome"`
	// Refusal is the API server's own.
	Refusal       string   `json:"refusal,omitempty"`
	ContentDigest string   `json:"contentDigest,omitempty"`
	Changes       []change `json:"changes,omitempty"`
	// Makes are the objects that the operator would create; Reads what it would freeze.
	Makes []string `json:"makes,omitempty"`
	Reads []string `json:"reads,omitempty"`
	// Path is what the release has to go through, in order.
	Path []string `json:"path,omitempty"`
	// Next are the records that would be appended at once.
	Next []string `json:"next,omitempty"`
	// first: nothing was promoted on the track yet, and so there are no steps.
	first bool
}

// plan answers for releases and tracks, tracks first.
func (s *session) plan(ctx context.Context, all *set, offline bool) ([]*planned, error) {
	if !offline {
		if err := s.connect(); err != nil {
			return nil, err
		}
	}
	var plans []*planned
	for _, track := range all.tracks {
		p := &planned{Object: track.document.name(), Outcome: outcomeUnasked}
		if !offline {
			if err := s.tryApply(ctx, track.document.object, p); err != nil {
				return nil, err
			}
		}
		plans = append(plans, p)
	}
	for _, release := range all.releases {
		p, err := s.planRelease(ctx, release, all.tracks, offline)
		if err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	return plans, nil
}

func (s *session) planRelease(ctx context.Context, release both[v1alpha1.ImmutableRelease], tracks []both[v1alpha1.ReleaseTrack], offline bool) (*planned, error) {
	p := &planned{Object: release.document.name(), Outcome: outcomeUnasked}
	var err error
	if p.ContentDigest, err = contentDigest(release.document.object); err != nil {
		return nil, err
	}
	p.Makes = made(release.object)
	for _, ref := range snapshot.References(&release.object.Spec) {
		p.Reads = append(p.Reads, string(ref.Kind)+" "+ref.Name)
	}
	var track *v1alpha1.ReleaseTrack
	for _, t := range tracks {
		if t.object.Namespace == release.object.Namespace && t.object.Name == release.object.Spec.TrackName {
			track = t.object
		}
	}
	if release.inTemplate {
		p.Object += ", of the template of ReleaseTrack " + release.object.Spec.TrackName
	}
	if !offline {
		if err := s.tryRelease(ctx, release, p); err != nil {
			return nil, err
		}
		if err := s.missing(ctx, release.document.object.GetNamespace(), p); err != nil {
			return nil, err
		}
		if err := s.foresee(ctx, release, &track, p); err != nil {
			return nil, err
		}
	}
	p.Path = path(&release.object.Spec, track, p.first)
	return p, nil
}

func (p *planned) write(s *session, more bool) {
	out, st := s.Streams.Out, styleOf(s.Streams.Out)
	if more {
		fmt.Fprintln(out)
	}
	words := map[string]string{
		outcomeUnasked: "valid", outcomeCreated: "would be created", outcomeChanged: "would be changed",
		outcomeUnchanged: "is there, unchanged", outcomeRefused: "would be refused",
	}
	fmt.Fprintf(out, "%s: %s\n", st.paint(bold, p.Object), words[p.Outcome])
	if p.Refusal != "" {
		fmt.Fprintf(out, "  %s\n", strings.ReplaceAll(p.Refusal, "\n", "\n  "))
		return
	}
	for _, c := range p.Changes {
		fmt.Fprintf(out, "  %s: %s -> %s\n", oneLine(c.Field), orNone(oneLine(c.Old), "(nothing)"), orNone(oneLine(c.New), "(nothing)"))
	}
	if p.ContentDigest != "" {
		fmt.Fprintf(out, "  content %s\n", p.ContentDigest)
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"reads", p.Reads}, {"makes", p.Makes}, {"goes through", p.Path}, {"is recorded at once", p.Next}} {
		if len(part.lines) == 0 {
			continue
		}
		fmt.Fprintf(out, "  %s\n", st.paint(dim, part.title))
		for _, line := range part.lines {
			fmt.Fprintf(out, "    %s\n", line)
		}
	}
}
