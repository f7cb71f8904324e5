package plugin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/snapshot"
)

// made are the objects that a release is sealed and built as.
func made(release *v1alpha1.ImmutableRelease) []string {
	var list []string
	for _, ref := range snapshot.References(&release.Spec) {
		list = append(list, fmt.Sprintf("%s, an immutable copy of %s", ref.Kind, ref.Name))
	}
	list = append(list, "ControllerRevision "+resources.SealName(release.Name))
	for i := range release.Spec.Components {
		c := &release.Spec.Components[i]
		child := resources.ChildName(release.Name, c.Name)
		if len(c.Ports) > 0 {
			list = append(list, "Service "+child)
		}
		list = append(list, fmt.Sprintf("Deployment %s of %d pods", child, c.Replicas))
		if c.Autoscaling != nil {
			list = append(list, fmt.Sprintf("HorizontalPodAutoscaler %s, %d to %d pods", child, c.Autoscaling.MinReplicas, c.Autoscaling.MaxReplicas))
		}
		if c.Disruption != nil {
			list = append(list, "PodDisruptionBudget "+child)
		}
	}
	return list
}

// path is what a release has to go through on a track, be it the first of it; tests alone
// where the track is not known.
func path(spec *v1alpha1.ImmutableReleaseSpec, track *v1alpha1.ReleaseTrack, first bool) []string {
	tests := func(when v1alpha1.TestPhase) string {
		var names []string
		for _, t := range spec.Tests {
			if t.When == when {
				names = append(names, t.Name)
			}
		}
		return strings.Join(names, ", ")
	}
	var list []string
	add := func(condition bool, format string, args ...any) {
		if condition {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	before, traffic, every, after := tests(v1alpha1.BeforePods), tests(v1alpha1.BeforeTraffic), tests(v1alpha1.EveryStep), tests(v1alpha1.AfterPromotion)
	if track != nil {
		for _, r := range track.Spec.Requires {
			list = append(list, fmt.Sprintf("wait until the same content is promoted on %s/%s", r.Namespace, r.TrackName))
		}
	}
	add(before != "", "tests before the pods: %s", before)
	add(true, "pods")
	add(traffic != "", "tests before traffic: %s", traffic)
	if track == nil {
		add(every != "", "tests at every step: %s", every)
		add(after != "", "tests at 100 %%: %s", after)
		return list
	}
	list = append(list, stepsOf(track, first, every)...)
	add(after != "", "tests at 100 %%: %s", after)
	if r := track.Spec.Rollout; r != nil && r.BakeSeconds != nil && *r.BakeSeconds > 0 {
		add(true, "bake for %s", time.Duration(*r.BakeSeconds)*time.Second)
	}
	return list
}

func stepsOf(track *v1alpha1.ReleaseTrack, first bool, tests string) []string {
	var steps []v1alpha1.RolloutStep
	if track.Spec.Rollout != nil {
		steps = slices.Clone(track.Spec.Rollout.Steps)
	}
	if len(steps) == 0 || steps[len(steps)-1].WeightPercent < 100 {
		steps = append(steps, v1alpha1.RolloutStep{WeightPercent: 100})
	}
	if first || track.Spec.Traffic == nil || len(track.Spec.Traffic.Routes) == 0 {
		// All at once: what asks for an approval does so all the same.
		all := v1alpha1.RolloutStep{WeightPercent: 100}
		for _, step := range steps {
			if step.Approval == v1alpha1.ApprovalRequired {
				all.Approval = step.Approval
			}
		}
		steps = []v1alpha1.RolloutStep{all}
	}
	var list []string
	for _, step := range steps {
		text := fmt.Sprintf("%d %%", step.WeightPercent)
		if step.Approval == v1alpha1.ApprovalRequired {
			text += " after an approval"
		}
		if step.HoldSeconds != nil && *step.HoldSeconds > 0 {
			text += fmt.Sprintf(", held for %s", time.Duration(*step.HoldSeconds)*time.Second)
		}
		if tests != "" {
			text += ", tests: " + tests
		}
		list = append(list, text)
	}
	return list
}
