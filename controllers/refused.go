package controllers

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// overdue is how long a child that is wanted may be missing before the API server
// is asked whether it would take it at all. A child that is simply not created yet
// is there much sooner.
const overdue = 3 * time.Second

// observeRefusals asks the API server, without writing anything, why the children
// of a candidate are still missing: a value that only it can judge, a quota, an
// admission policy of others. Its answer is what the author of the release has to
// hear, instead of the same create tried again and again.
func (r *TrackReconciler) observeRefusals(ctx context.Context, w *world, _ reading) error {
	release := w.candidate()
	if release == nil || release.Sealed == nil || release.Obstacle != nil || w.Now.Sub(w.state().Candidate.StartTime.Time) < overdue {
		return nil
	}
	answers := rollout.Ask(w.Observation)
	if blocked := answers.Blocked(); blocked != nil && blocked.Gate == "RequiredTracksPromoted" {
		return nil // None is wanted yet.
	}
	missing, err := w.overdueChildren(release, answers)
	if err != nil {
		return err
	}
	for _, object := range missing {
		err := r.Create(ctx, object, client.DryRunAll, client.FieldOwner(fieldManager))
		if refuses(err) {
			release.Obstacle = &rollout.Obstacle{Gate: "ChildrenAccepted", Reason: "ChildRefused",
				Message: fmt.Sprintf("the API server refuses a child of the release: %s", err)}
			return nil
		}
	}
	return nil
}

// overdueChildren are those that should be there for a while.
func (w *world) overdueChildren(release *rollout.Release, answers rollout.Answers) ([]client.Object, error) {
	seal := w.seals[release.Name]
	jobs, err := w.overdueJobs(release, seal, answers)
	if err != nil || slices.ContainsFunc(answers.Unpassed(), func(t rollout.TestRun) bool { return t.BeforePods }) {
		return jobs, err // nothing else is wanted yet
	}
	create := rollout.CreateChildren{Release: release.Name}
	for _, c := range release.Spec.Components {
		size := rollout.Size{Component: c.Name, Replicas: c.Replicas}
		if c.Autoscaling != nil {
			size.Least, size.Most = c.Autoscaling.MinReplicas, c.Autoscaling.MaxReplicas
		}
		create.Sizes = append(create.Sizes, size)
	}
	children, err := missingChildren(seal, release.Components, create)
	return append(children, jobs...), err
}

// overdueJobs are the test Jobs that nothing but their own refusal can hold up. Those
// before the pods stand on nothing but the seal.
func (w *world) overdueJobs(release *rollout.Release, seal *resources.Seal, answers rollout.Answers) ([]client.Object, error) {
	since := w.steadySince(release)
	steady := !since.IsZero() && w.Now.Sub(since) >= overdue
	seen := map[string]bool{}
	for _, job := range release.Jobs {
		seen[job.Name] = true
	}
	var missing []client.Object
	for _, due := range w.dueJobs(release, seen, answers) {
		if !due.BeforePods && !steady {
			continue
		}
		job, err := seal.Job(due.Test, w.state().Candidate.Attempt, due.WeightPercent, 0)
		if err != nil {
			return nil, err
		}
		missing = append(missing, job)
	}
	return missing, nil
}

// steadySince is since when the candidate's pods are available and its weight is
// confirmed; zero while they are not.
func (w *world) steadySince(release *rollout.Release) time.Time {
	if !ready(release) {
		return time.Time{}
	}
	since := w.state().Candidate.StartTime.Time
	for _, c := range release.Components {
		if c.AvailableChange.After(since) {
			since = c.AvailableChange
		}
	}
	for _, route := range w.state().Routes {
		if route.VerifiedTime == nil {
			return time.Time{}
		}
		if route.VerifiedTime.After(since) {
			since = route.VerifiedTime.Time
		}
	}
	return since
}

// refuses says whether the API server will give the same answer again.
func refuses(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsBadRequest(err)
}
