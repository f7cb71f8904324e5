package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

func statusCommand(s *session) *cobra.Command {
	var all, watch bool
	command := s.trackArgument(&cobra.Command{
		Use:   "status [TRACK]",
		Short: "Show a track as a tree: releases, components, pods, tests, weights and what it waits for",
		Example: `  kubectl strata status shop
  kubectl strata status shop --watch`,
	})
	command.Flags().BoolVarP(&all, "all", "A", false, "show idle releases too")
	command.Flags().BoolVarP(&watch, "watch", "w", false, "go on showing it as it changes")
	out := outputFlag(command, "tree", "json", "yaml")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		if watch && out.format != "tree" {
			return fmt.Errorf("--watch shows a tree: leave out --output %s", out.format)
		}
		track, err := s.track(c.Context(), args)
		if err != nil {
			return err
		}
		if watch {
			return s.live(c.Context(), track.Name, all)
		}
		view, err := s.view(c.Context(), track.Name, all)
		if err != nil {
			return err
		}
		if done, err := out.write(s.Streams.Out, view); done || err != nil {
			return err
		}
		_, err = fmt.Fprint(s.Streams.Out, view.tree(styleOf(s.Streams.Out), s.Now()))
		return err
	}
	return command
}

// trackView is a track with all that belongs to it, as the operator reports it.
type trackView struct {
	Namespace         string              `json:"namespace"`
	Name              string              `json:"name"`
	Stage             string              `json:"stage,omitempty"`
	Message           string              `json:"message,omitempty"`
	Stable            string              `json:"stableReleaseName,omitempty"`
	Candidate         string              `json:"candidateReleaseName,omitempty"`
	Attempt           int32               `json:"attempt,omitempty"`
	NextWeightPercent int32               `json:"nextWeightPercent,omitempty"`
	NextStepTime      *metav1.Time        `json:"nextStepTime,omitempty"`
	BlockedBy         *v1alpha1.BlockedBy `json:"blockedBy,omitempty"`
	Releases          []releaseView       `json:"releases,omitempty"`
	// Idle releases that are not shown.
	Idle int `json:"idleReleases,omitempty"`
	// Unseen says what the asking user may not see.
	Unseen string `json:"unseen,omitempty"`
}

type releaseView struct {
	Name          string                `json:"name"`
	Version       string                `json:"version"`
	Role          string                `json:"role"`
	WeightPercent int32                 `json:"weightPercent"`
	Reason        string                `json:"reason,omitempty"`
	Message       string                `json:"message,omitempty"`
	Verdict       string                `json:"lastVerdict,omitempty"`
	Components    []componentView       `json:"components,omitempty"`
	Tests         []v1alpha1.TestStatus `json:"tests,omitempty"`
}

type componentView struct {
	Name          string    `json:"name"`
	Replicas      int32     `json:"replicas"`
	ReadyReplicas int32     `json:"readyReplicas"`
	Pods          []podView `json:"pods,omitempty"`
}

type podView struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	Phase string `json:"phase"`
	// Trouble is why it is not ready, in its own words.
	Trouble string `json:"trouble,omitempty"`
}

// Roles that a release has on its track.
const (
	roleStable    = "stable"
	roleCandidate = "candidate"
	roleServing   = "serving"
	roleWarm      = "warm"
	roleIdle      = "idle"
)

func roleOf(track *v1alpha1.ReleaseTrack, release *v1alpha1.ImmutableRelease) string {
	switch {
	case release.Name == track.Status.CandidateReleaseName:
		return roleCandidate
	case release.Name == track.Status.StableReleaseName:
		return roleStable
	case release.Status.WeightPercent > 0:
		return roleServing
	case slices.ContainsFunc(release.Status.Components, func(c v1alpha1.ComponentStatus) bool { return c.Replicas > 0 }):
		return roleWarm
	}
	return roleIdle
}

// view reads all that a tree shows.
func (s *session) view(ctx context.Context, name string, all bool) (*trackView, error) {
	track, err := s.track(ctx, []string{name})
	if err != nil {
		return nil, err
	}
	releases, err := s.releases(ctx, name)
	if err != nil {
		return nil, err
	}
	view := &trackView{
		Namespace: s.namespace, Name: name,
		Stable: track.Status.StableReleaseName, Candidate: track.Status.CandidateReleaseName,
		NextWeightPercent: track.Status.StepWeightPercent, NextStepTime: track.Status.NextStepTime,
		BlockedBy: track.Status.BlockedBy,
	}
	if ready := meta.FindStatusCondition(track.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		view.Stage, view.Message = ready.Reason, ready.Message
	}
	pods := &corev1.PodList{}
	err = s.client.List(ctx, pods, client.InNamespace(s.namespace), client.MatchingLabels{v1alpha1.LabelTrack: name})
	switch {
	case apierrors.IsForbidden(err):
		view.Unseen = "pods: you may not list them in namespace " + s.namespace
	case err != nil:
		return nil, fmt.Errorf("list the pods of track %s: %w", name, err)
	}
	for i := range releases {
		role := roleOf(track, &releases[i])
		if role == roleCandidate {
			view.Attempt = releases[i].Status.Attempt
		}
		if role == roleIdle && !all && !underWay(&releases[i]) {
			view.Idle++
			continue
		}
		view.Releases = append(view.Releases, releaseViewOf(&releases[i], role, pods.Items))
	}
	return view, nil
}

// underWay: there is no verdict yet, and so it is the next to be looked for.
func underWay(release *v1alpha1.ImmutableRelease) bool { return release.Status.LastVerdict == "" }

func releaseViewOf(release *v1alpha1.ImmutableRelease, role string, pods []corev1.Pod) releaseView {
	view := releaseView{
		Name: release.Name, Version: release.Spec.Version, Role: role,
		WeightPercent: release.Status.WeightPercent, Verdict: string(release.Status.LastVerdict), Tests: release.Status.Tests,
	}
	if ready := meta.FindStatusCondition(release.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		view.Reason, view.Message = ready.Reason, ready.Message
	}
	for _, c := range release.Status.Components {
		component := componentView{Name: c.Name, Replicas: c.Replicas, ReadyReplicas: c.ReadyReplicas}
		for i := range pods {
			labels := pods[i].Labels
			if labels[v1alpha1.LabelRelease] == release.Name && labels[v1alpha1.LabelComponent] == c.Name {
				component.Pods = append(component.Pods, podViewOf(&pods[i]))
			}
		}
		slices.SortFunc(component.Pods, func(a, b podView) int { return strings.Compare(a.Name, b.Name) })
		view.Components = append(view.Components, component)
	}
	return view
}

func podViewOf(pod *corev1.Pod) podView {
	view := podView{Name: pod.Name, Phase: string(pod.Status.Phase)}
	if pod.DeletionTimestamp != nil {
		view.Phase = "Terminating"
	}
	for _, condition := range pod.Status.Conditions {
		view.Ready = view.Ready || condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	}
	if !view.Ready {
		view.Trouble = strings.TrimSuffix(resources.Trouble([]*corev1.Pod{pod}), " (1 of 1 pods)")
	}
	return view
}
