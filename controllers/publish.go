package controllers

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// patience is how long a change that alters no one's next move (a count of ready
// pods, the wording of a message) may wait to be written with others.
const patience = 10 * time.Second

// published is the status that this process wrote last to an object. It keeps a
// cache that is behind from having the same written twice; nothing is decided
// from it.
type published struct {
	time time.Time
	// object as it was written; nil once the cache has caught up with it.
	object client.Object
	// behind are the resourceVersions that it superseded: a cache that shows one of
	// them has not caught up yet.
	behind []string
}

// latest is the object as this process last wrote it, where the cache still shows
// what was before.
func latest[T client.Object](note *notebook, cached T) T {
	p, ok := note.reports[cached.GetUID()]
	if !ok || p.object == nil {
		return cached
	}
	if slices.Contains(p.behind, cached.GetResourceVersion()) {
		return p.object.DeepCopyObject().(T)
	}
	note.reports[cached.GetUID()] = published{time: p.time}
	return cached
}

// publish writes a status that differs, at once if it is urgent, else when it has
// not been written for a while. due is when to come back for it; zero when
// nothing is left to write. It is written under the resourceVersion that it was
// computed from: what an operator that was paused thinks of the past is a conflict.
// after may share all but its status with before: the answer is read into another object.
func (r *TrackReconciler) publish(ctx context.Context, note *notebook, before, after client.Object, urgent bool, now time.Time) (wrote bool, due time.Time, err error) {
	if p, known := note.reports[after.GetUID()]; known && !urgent && now.Before(p.time.Add(patience)) {
		return false, p.time.Add(patience), nil
	}
	written := statusAlone(after).DeepCopyObject().(client.Object)
	if err := r.Status().Patch(ctx, written, statusPatch(before), client.FieldOwner(fieldManager)); err != nil {
		return false, time.Time{}, client.IgnoreNotFound(err)
	}
	behind := append(slices.Clone(note.reports[after.GetUID()].behind), before.GetResourceVersion())
	note.reports[after.GetUID()] = published{time: now, object: written, behind: behind}
	return true, time.Time{}, nil
}

// statusPatch makes of a status the difference to the one before. An object without any
// gets all of it, zeros included: a weight of 0 is something to show.
func statusPatch(before client.Object) client.Patch {
	if observedGeneration(before) != 0 {
		return client.MergeFromWithOptions(statusAlone(before), client.MergeFromWithOptimisticLock{})
	}
	return wholeStatus{before.GetResourceVersion()}
}

// statusAlone is an object of one of our kinds without its spec, which would be copied and
// encoded, twice, to find that it does not differ: pod templates are large. It shares the
// status.
func statusAlone(object client.Object) client.Object {
	which := metav1.ObjectMeta{
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: object.GetUID(), ResourceVersion: object.GetResourceVersion(),
	}
	switch o := object.(type) {
	case *v1alpha1.ReleaseTrack:
		return &v1alpha1.ReleaseTrack{ObjectMeta: which, Status: o.Status}
	case *v1alpha1.ImmutableRelease:
		return &v1alpha1.ImmutableRelease{ObjectMeta: which, Status: o.Status}
	case *v1alpha1.ReleaseAction:
		return &v1alpha1.ReleaseAction{ObjectMeta: which, Status: o.Status}
	}
	return object.DeepCopyObject().(client.Object)
}

// wholeStatus is the patch that writes all of a status, to the object that has the
// resourceVersion.
type wholeStatus struct{ resourceVersion string }

func (wholeStatus) Type() types.PatchType { return types.MergePatchType }

func (w wholeStatus) Data(after client.Object) ([]byte, error) {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(after)
	if err != nil {
		return nil, fmt.Errorf("encode status of %s: %w", after.GetName(), err)
	}
	return json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": w.resourceVersion},
		"status":   object["status"],
	})
}

func observedGeneration(object client.Object) int64 {
	switch o := object.(type) {
	case *v1alpha1.ReleaseTrack:
		return o.Status.ObservedGeneration
	case *v1alpha1.ImmutableRelease:
		return o.Status.ObservedGeneration
	}
	return 0
}

// urgentForTrack says whether people or tools act on the difference.
func urgentForTrack(before, after *v1alpha1.ReleaseTrackStatus) bool {
	return before.StableReleaseName != after.StableReleaseName ||
		before.CandidateReleaseName != after.CandidateReleaseName ||
		before.WeightPercent != after.WeightPercent ||
		before.ObservedGeneration != after.ObservedGeneration ||
		reasonOf(before.Conditions, v1alpha1.ConditionReady) != reasonOf(after.Conditions, v1alpha1.ConditionReady) ||
		!sameStatuses(before.Conditions, after.Conditions, v1alpha1.ConditionReady, v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling, v1alpha1.ConditionAvailable)
}

// urgentForRelease likewise.
func urgentForRelease(before, after *v1alpha1.ImmutableReleaseStatus) bool {
	return before.WeightPercent != after.WeightPercent ||
		before.Attempt != after.Attempt ||
		before.LastVerdict != after.LastVerdict ||
		before.ObservedGeneration != after.ObservedGeneration ||
		!reflect.DeepEqual(outcomes(before.Tests), outcomes(after.Tests)) ||
		!sameStatuses(before.Conditions, after.Conditions, v1alpha1.ConditionReady, v1alpha1.ConditionStalled, v1alpha1.ConditionSealed, v1alpha1.ConditionTestsPassed)
}

func outcomes(tests []v1alpha1.TestStatus) map[string]v1alpha1.TestOutcome {
	all := map[string]v1alpha1.TestOutcome{}
	for _, t := range tests {
		all[t.JobName] = t.Outcome
	}
	return all
}

func sameStatuses(before, after []metav1.Condition, kinds ...string) bool {
	for _, kind := range kinds {
		was, is := meta.FindStatusCondition(before, kind), meta.FindStatusCondition(after, kind)
		if (was == nil) != (is == nil) || was != nil && was.Status != is.Status {
			return false
		}
	}
	return true
}

func reasonOf(conditions []metav1.Condition, kind string) string {
	if c := meta.FindStatusCondition(conditions, kind); c != nil {
		return c.Reason
	}
	return ""
}
