package plugin

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

func releasesCommand(s *session) *cobra.Command {
	command := s.trackArgument(&cobra.Command{
		Use:   "releases [TRACK]",
		Short: "List the releases of a track, or of all tracks of the namespace, the newest first",
	})
	out := outputFlag(command, "table", "wide", "json", "yaml", "name")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		releases, tracks, err := s.allReleases(c.Context(), args)
		if err != nil {
			return err
		}
		list, err := named(releases)
		if err != nil {
			return err
		}
		if done, err := out.write(s.Streams.Out, list); done || err != nil {
			return err
		}
		if out.format == "name" {
			for i := range releases {
				fmt.Fprintln(s.Streams.Out, releases[i].Name)
			}
			return nil
		}
		if len(releases) == 0 {
			fmt.Fprintf(s.Streams.ErrOut, "No releases in namespace %s.\n", s.namespace)
			return nil
		}
		return s.releaseTable(releases, tracks, out.format == "wide")
	}
	return command
}

// allReleases of one track, or of the namespace; and the tracks that are there.
func (s *session) allReleases(ctx context.Context, args []string) ([]v1alpha1.ImmutableRelease, map[string]*v1alpha1.ReleaseTrack, error) {
	tracks := map[string]*v1alpha1.ReleaseTrack{}
	if len(args) > 0 {
		track, err := s.track(ctx, args)
		if err != nil {
			return nil, nil, err
		}
		tracks[track.Name] = track
		releases, err := s.releases(ctx, track.Name)
		return releases, tracks, err
	}
	if err := s.connect(); err != nil {
		return nil, nil, err
	}
	var list v1alpha1.ImmutableReleaseList
	if err := s.client.List(ctx, &list, client.InNamespace(s.namespace)); err != nil {
		return nil, nil, fmt.Errorf("list the releases of namespace %s: %w", s.namespace, err)
	}
	sortReleases(list.Items)
	for i := range list.Items {
		name := list.Items[i].Spec.TrackName
		if tracks[name] != nil {
			continue
		}
		track := &v1alpha1.ReleaseTrack{}
		err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, track)
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, nil, fmt.Errorf("read track %s: %w", name, err)
		}
		tracks[name] = track
	}
	return list.Items, tracks, nil
}

func (s *session) releaseTable(releases []v1alpha1.ImmutableRelease, tracks map[string]*v1alpha1.ReleaseTrack, wide bool) error {
	headings := []string{"NAME", "TRACK", "VERSION", "ROLE", "WEIGHT", "READY", "STAGE", "VERDICT", "AGE"}
	if wide {
		headings = append(headings, "ATTEMPT", "PUBLISHED BY", "CONTENT", "MESSAGE")
	}
	var rows [][]string
	for i := range releases {
		r := &releases[i]
		var reason, message string
		if ready := meta.FindStatusCondition(r.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
			reason, message = ready.Reason, ready.Message
		}
		row := []string{
			r.Name, r.Spec.TrackName, r.Spec.Version, roleOf(tracks[r.Spec.TrackName], r), fmt.Sprintf("%d%%", r.Status.WeightPercent),
			r.Status.ReadyComponents, reason, string(r.Status.LastVerdict), age(s.Now(), r.CreationTimestamp.Time),
		}
		if wide {
			row = append(row, strconv.Itoa(int(r.Status.Attempt)), r.Annotations[v1alpha1.AnnotationRequestedBy], r.Status.ContentDigest, message)
		}
		rows = append(rows, row)
	}
	return table(s.Streams.Out, headings, rows)
}
