package plugin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/operator"
)

// session is one run of the command: who asks which cluster, and where the answer goes.
type session struct {
	Options
	flags *genericclioptions.ConfigFlags
	// client and namespace are set by connect.
	client    client.WithWatch
	namespace string
}

// connect finds the cluster and the namespace that the flags name.
func (s *session) connect() error {
	if s.client != nil {
		return nil
	}
	namespace, _, err := s.flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config, err := s.flags.ToRESTConfig()
	if err != nil {
		return fmt.Errorf("read the kubeconfig: %w", err)
	}
	config.QPS, config.Burst, config.UserAgent = 50, 100, "kubectl-strata/"+s.Version
	scheme, err := operator.Scheme()
	if err != nil {
		return err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("reach the cluster: %w", err)
	}
	s.client, s.namespace = c, namespace
	return nil
}

// track is the one that the first argument names, or the only one of the namespace.
func (s *session) track(ctx context.Context, args []string) (*v1alpha1.ReleaseTrack, error) {
	if err := s.connect(); err != nil {
		return nil, err
	}
	var all v1alpha1.ReleaseTrackList
	if len(args) > 0 {
		track := &v1alpha1.ReleaseTrack{}
		err := s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: args[0]}, track)
		if !apierrors.IsNotFound(err) {
			return track, wrap(err, "read track %s", args[0])
		}
	}
	if err := s.client.List(ctx, &all, client.InNamespace(s.namespace)); err != nil {
		return nil, fmt.Errorf("list the tracks of namespace %s: %w", s.namespace, err)
	}
	var names []string
	for i := range all.Items {
		names = append(names, all.Items[i].Name)
	}
	switch {
	case len(args) == 0 && len(names) == 1:
		return &all.Items[0], nil
	case len(names) == 0:
		return nil, fmt.Errorf("namespace %s has no track: choose another with -n", s.namespace)
	case len(args) == 0:
		return nil, fmt.Errorf("namespace %s has several tracks: name one of %s", s.namespace, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("namespace %s has no track %s: it has %s", s.namespace, args[0], strings.Join(names, ", "))
}

// ofTrack selects the objects of our own kinds that name a track.
func (s *session) ofTrack(name string) []client.ListOption {
	return []client.ListOption{client.InNamespace(s.namespace), client.MatchingFields{"spec.trackName": name}}
}

// releases of a track, the newest first, as the operator orders them.
func (s *session) releases(ctx context.Context, track string) ([]v1alpha1.ImmutableRelease, error) {
	var list v1alpha1.ImmutableReleaseList
	if err := s.client.List(ctx, &list, s.ofTrack(track)...); err != nil {
		return nil, fmt.Errorf("list the releases of track %s: %w", track, err)
	}
	sortReleases(list.Items)
	return list.Items, nil
}

func sortReleases(releases []v1alpha1.ImmutableRelease) {
	slices.SortFunc(releases, func(a, b v1alpha1.ImmutableRelease) int {
		return cmp.Or(
			cmp.Compare(a.Spec.TrackName, b.Spec.TrackName),
			b.CreationTimestamp.Compare(a.CreationTimestamp.Time),
			cmp.Compare(b.Spec.Version, a.Spec.Version), cmp.Compare(b.Name, a.Name))
	})
}

// records of a track, the oldest first.
func (s *session) records(ctx context.Context, track string) ([]v1alpha1.ReleaseRecord, error) {
	var list v1alpha1.ReleaseRecordList
	if err := s.client.List(ctx, &list, s.ofTrack(track)...); err != nil {
		return nil, fmt.Errorf("list the records of track %s: %w", track, err)
	}
	sortRecords(list.Items)
	return list.Items, nil
}

// logName is the track whose log the first argument names: it may outlive the track.
func (s *session) logName(ctx context.Context, args []string) (string, error) {
	track, err := s.track(ctx, args)
	if err == nil {
		return track.Name, nil
	}
	if len(args) == 0 || s.client == nil {
		return "", err
	}
	if records, failed := s.records(ctx, args[0]); failed != nil || len(records) == 0 {
		return "", err
	}
	return args[0], nil
}

func sortRecords(records []v1alpha1.ReleaseRecord) {
	slices.SortFunc(records, func(a, b v1alpha1.ReleaseRecord) int {
		return cmp.Or(cmp.Compare(a.Spec.Sequence, b.Spec.Sequence), cmp.Compare(a.Name, b.Name))
	})
}

// trackArgument is the argument of commands that are about a track.
func (s *session) trackArgument(command *cobra.Command) *cobra.Command {
	command.Args = cobra.MaximumNArgs(1)
	command.ValidArgsFunction = s.completeNames(1, &v1alpha1.ReleaseTrackList{})
	return command
}

// wrap gives an error its noun; nil stays nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
