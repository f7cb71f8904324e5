package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

func waitCommand(s *session) *cobra.Command {
	var condition, release string
	var timeout time.Duration
	command := s.trackArgument(&cobra.Command{
		Use:   "wait [TRACK]",
		Short: "Wait for a release to be promoted: exit code 0 promoted, 1 failed, 2 timed out",
		Example: `  kubectl apply -f shop-1-4-2.yaml
  kubectl strata wait shop --release shop-1-4-2 --for promoted --timeout 30m`,
	})
	command.Flags().StringVar(&condition, "for", "promoted", "what to wait for: promoted")
	command.Flags().StringVar(&release, "release", "", "the release; default: the pinned one, else the newest")
	command.Flags().DurationVar(&timeout, "timeout", 30*time.Minute, "how long to wait")
	command.RunE = func(c *cobra.Command, args []string) error {
		if condition != "promoted" {
			return fmt.Errorf("--for %q: promoted is what can be waited for", condition)
		}
		track, err := s.track(c.Context(), args)
		if err != nil {
			return err
		}
		if release == "" {
			if release, err = s.awaited(c.Context(), track); err != nil {
				return err
			}
		}
		return s.awaitPromotion(c.Context(), track.Name, release, timeout)
	}
	return command
}

// awaited is the release that a track should serve in the end.
func (s *session) awaited(ctx context.Context, track *v1alpha1.ReleaseTrack) (string, error) {
	if track.Spec.ReleaseName != "" {
		return track.Spec.ReleaseName, nil
	}
	releases, err := s.releases(ctx, track.Name)
	if err == nil && len(releases) == 0 {
		err = fmt.Errorf("track %s has no release to wait for: publish one, or name it with --release", track.Name)
	}
	if err != nil {
		return "", err
	}
	return releases[0].Name, nil
}

// awaitPromotion tells on ErrOut what is waited for, and on Out what came of it.
func (s *session) awaitPromotion(ctx context.Context, track, name string, timeout time.Duration) error {
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	told := ""
	var seen types.UID
	kinds := []watched{{&v1alpha1.ImmutableReleaseList{}, s.ofTrack(track)}, {&v1alpha1.ReleaseTrackList{}, []client.ListOption{client.InNamespace(s.namespace)}}}
	err := s.until(waiting, kinds, nil, func() (bool, error) {
		release := &v1alpha1.ImmutableRelease{}
		err := s.client.Get(waiting, client.ObjectKey{Namespace: s.namespace, Name: name}, release)
		switch {
		case apierrors.IsNotFound(err) && seen != "", err == nil && seen != "" && release.UID != seen:
			return false, no("%s was deleted while it was waited for", name)
		case apierrors.IsNotFound(err):
			return s.progress(&told, name+" does not exist yet"), nil
		case err != nil:
			return false, fmt.Errorf("read release %s: %w", name, err)
		case release.Spec.TrackName != track:
			return false, fmt.Errorf("%s is a release of track %s, not of %s", name, release.Spec.TrackName, track)
		}
		seen = release.UID
		there := &v1alpha1.ReleaseTrack{}
		if err := s.client.Get(waiting, client.ObjectKey{Namespace: s.namespace, Name: track}, there); client.IgnoreNotFound(err) != nil {
			return false, fmt.Errorf("read track %s: %w", track, err)
		}
		return s.verdict(release, there.Status.CandidateReleaseName == name, &told)
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return &answer{code: codeTimeout, text: fmt.Sprintf("%s was not promoted within %s: %s", name, timeout, orNone(told, "nothing is known of it"))}
	}
	return err
}

// verdict says what came of a release. While it is open, an attempt of it goes on, or its track
// has not been told yet: the verdict is the one of the attempt before, or what is looked at
// next would not go with it.
func (s *session) verdict(release *v1alpha1.ImmutableRelease, open bool, told *string) (bool, error) {
	ready := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady)
	reason, message := "", "the operator has not looked at it yet"
	if ready != nil {
		reason, message = ready.Reason, oneLine(ready.Message)
	}
	switch verdict := release.Status.LastVerdict; {
	case open && reason != "":
	case verdict == v1alpha1.EventPromoted:
		fmt.Fprintf(s.Streams.Out, "%s is promoted\n", release.Name)
		return true, nil
	case verdict != "":
		return false, no("%s was not promoted: attempt %d ended as %s: %s", release.Name, release.Status.Attempt, verdict, message)
	case reason == "":
		return s.progress(told, message), nil
	}
	return s.progress(told, fmt.Sprintf("%d %%, %s: %s", release.Status.WeightPercent, reason, message)), nil
}

// progress tells what is new, and that it is not done.
func (s *session) progress(told *string, text string) bool {
	if *told != text {
		fmt.Fprintln(s.Streams.ErrOut, text)
		*told = text
	}
	return false
}
