package harness

import (
	"context"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Records are the log of a track, oldest first.
func (e *Environment) Records(ctx context.Context, namespace, track string) ([]v1alpha1.ReleaseRecord, error) {
	var list v1alpha1.ReleaseRecordList
	if err := e.Client.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list records of %s: %w", namespace, err)
	}
	records := slices.DeleteFunc(list.Items, func(r v1alpha1.ReleaseRecord) bool { return r.Spec.TrackName != track })
	slices.SortFunc(records, func(a, b v1alpha1.ReleaseRecord) int { return int(a.Spec.Sequence - b.Spec.Sequence) })
	return records, nil
}

// Weights are the shares that a record sets on its first route, by release; zeros
// are left out.
func Weights(r v1alpha1.ReleaseRecord) map[string]int32 {
	weights := map[string]int32{}
	if len(r.Spec.State.Routes) > 0 {
		for _, w := range r.Spec.State.Routes[0].Weights {
			if w.WeightPercent > 0 {
				weights[w.ReleaseName] = w.WeightPercent
			}
		}
	}
	return weights
}

// RecordLine is one line about a record.
func RecordLine(r v1alpha1.ReleaseRecord) string {
	about := "-"
	if r.Spec.Release != nil {
		about = fmt.Sprintf("%s #%d", r.Spec.Release.Name, r.Spec.Release.Attempt)
	}
	return fmt.Sprintf("%3d %s %-15s %-14s %-18s %v %s", r.Spec.Sequence, r.Spec.Time.Format("15:04:05.000"),
		r.Spec.Event, about, r.Spec.Reason, Weights(r), r.Spec.Message)
}

// Track reads the shop's track.
func (e *Environment) Track(ctx context.Context, namespace string) (*v1alpha1.ReleaseTrack, error) {
	track := &v1alpha1.ReleaseTrack{}
	if err := e.Client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: TrackName}, track); err != nil {
		return nil, fmt.Errorf("get track %s/%s: %w", namespace, TrackName, err)
	}
	return track, nil
}

// Release reads the release of a version.
func (e *Environment) Release(ctx context.Context, namespace, version string) (*v1alpha1.ImmutableRelease, error) {
	release := &v1alpha1.ImmutableRelease{}
	key := types.NamespacedName{Namespace: namespace, Name: ReleaseName(version)}
	if err := e.Client.Get(ctx, key, release); err != nil {
		return nil, fmt.Errorf("get release %s: %w", key, err)
	}
	return release, nil
}

// Pods are the pods of a version that are not leaving, by name.
func (e *Environment) Pods(ctx context.Context, namespace, version string) ([]corev1.Pod, error) {
	var list corev1.PodList
	err := e.Client.List(ctx, &list, client.InNamespace(namespace),
		client.MatchingLabels{v1alpha1.LabelRelease: ReleaseName(version)}, client.HasLabels{v1alpha1.LabelComponent})
	if err != nil {
		return nil, fmt.Errorf("list pods of %s in %s: %w", version, namespace, err)
	}
	return slices.DeleteFunc(list.Items, func(p corev1.Pod) bool { return p.DeletionTimestamp != nil }), nil
}

// PodIdentities are the UIDs of pods with their restarts: equal lists mean the
// same pods, never restarted in between.
func PodIdentities(pods []corev1.Pod) []string {
	var identities []string
	for _, pod := range pods {
		restarts := int32(0)
		for _, status := range pod.Status.ContainerStatuses {
			restarts += status.RestartCount
		}
		identities = append(identities, fmt.Sprintf("%s restarts=%d", pod.UID, restarts))
	}
	slices.Sort(identities)
	return identities
}

// Jobs are the test Jobs of a version.
func (e *Environment) Jobs(ctx context.Context, namespace, version string) ([]batchv1.Job, error) {
	var list batchv1.JobList
	err := e.Client.List(ctx, &list, client.InNamespace(namespace),
		client.MatchingLabels{v1alpha1.LabelRelease: ReleaseName(version)})
	if err != nil {
		return nil, fmt.Errorf("list Jobs of %s in %s: %w", version, namespace, err)
	}
	return list.Items, nil
}

// ConditionLine is one line about a condition; "" when it is not there.
func ConditionLine(conditions []metav1.Condition, kind string) string {
	c := meta.FindStatusCondition(conditions, kind)
	if c == nil {
		return ""
	}
	return fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
}

// Describe is all that is known of a story's namespace, for a failed story: the
// log, the conditions, the pods, Jobs and events.
func (e *Environment) Describe(ctx context.Context, namespace string) string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	var tracks v1alpha1.ReleaseTrackList
	var releases v1alpha1.ImmutableReleaseList
	var pods corev1.PodList
	var jobs batchv1.JobList
	var events corev1.EventList
	for _, list := range []client.ObjectList{&tracks, &releases, &pods, &jobs, &events} {
		if err := e.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
			say("list %T: %v", list, err)
		}
	}
	for _, t := range tracks.Items {
		say("track %s: stable %q, candidate %q at %d, blocked by %+v", t.Name, t.Status.StableReleaseName,
			t.Status.CandidateReleaseName, t.Status.WeightPercent, t.Status.BlockedBy)
		for _, c := range t.Status.Conditions {
			say("  %s", ConditionLine(t.Status.Conditions, c.Type))
		}
		records, err := e.Records(ctx, namespace, t.Name)
		if err != nil {
			say("  %v", err)
		}
		for _, r := range records {
			say("  %s", RecordLine(r))
		}
	}
	for _, r := range releases.Items {
		say("release %s", r.Name)
		for _, c := range r.Status.Conditions {
			say("  %s", ConditionLine(r.Status.Conditions, c.Type))
		}
	}
	for _, j := range jobs.Items {
		say("job %s: %d succeeded, %d failed %v", j.Name, j.Status.Succeeded, j.Status.Failed, j.Status.Conditions)
	}
	for _, p := range pods.Items {
		say("pod %s: %s %v", p.Name, p.Status.Phase, p.Status.ContainerStatuses)
	}
	for _, event := range events.Items {
		if event.Type != corev1.EventTypeNormal {
			say("event %s %s/%s: %s", event.Reason, event.InvolvedObject.Kind, event.InvolvedObject.Name, event.Message)
		}
	}
	return b.String()
}
