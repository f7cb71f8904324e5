package controllers

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
)

// maxNote keeps a note within what an event may hold: 1 KiB.
const maxNote = 1000

// notice is one Kubernetes event to be.
type notice struct {
	warning bool
	reason  string
	action  string
	message string
	// related is what else it is about; nil: nothing.
	related runtime.Object
}

// trackNotices are what people should hear of: a pure diff of two statuses.
func trackNotices(before, after *v1alpha1.ReleaseTrackStatus) []notice {
	var notices []notice
	if before.CandidateReleaseName != after.CandidateReleaseName && after.CandidateReleaseName != "" {
		notices = append(notices, notice{reason: "AttemptOpened", action: "Rollout", message: after.CandidateReleaseName + " is the candidate"})
	}
	moved := before.WeightPercent != after.WeightPercent && (after.WeightPercent > 0 || before.CandidateReleaseName == after.CandidateReleaseName)
	if moved && after.CandidateReleaseName != "" {
		notices = append(notices, notice{reason: "WeightSet", action: "Shift", message: fmt.Sprintf("%s is at %d %%", after.CandidateReleaseName, after.WeightPercent)})
	}
	if before.StableReleaseName != after.StableReleaseName {
		notices = append(notices, notice{reason: "StableChanged", action: "Promote", message: fmt.Sprintf("%s serves as stable", after.StableReleaseName)})
	}
	available := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionAvailable)
	if was := meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionAvailable); was != nil && available != nil && was.Status != available.Status {
		notices = append(notices, notice{warning: available.Status == metav1.ConditionFalse, reason: available.Reason, action: "Serve", message: available.Message})
	}
	stalled := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionStalled)
	isStalled := stalled != nil && stalled.Status == metav1.ConditionTrue
	if isStalled && !sameCondition(before.Conditions, *stalled) {
		notices = append(notices, notice{warning: true, reason: stalled.Reason, action: "Rollout", message: stalled.Message})
	}
	notices = append(notices, publishedNotices(before, after)...)
	if b := after.BlockedBy; b != nil && !isTold(after, isStalled && b.Reason == stalled.Reason) && (before.BlockedBy == nil || before.BlockedBy.Reason != b.Reason) {
		notices = append(notices, notice{reason: b.Reason, action: "Gate", message: b.Message})
	}
	return notices
}

// publishedNotices: a template that stalls its track is told with that.
func publishedNotices(before, after *v1alpha1.ReleaseTrackStatus) []notice {
	published := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionPublished)
	if published == nil || published.Reason != rollout.ReasonReleaseGone || sameCondition(before.Conditions, *published) {
		return nil
	}
	return []notice{{warning: true, reason: published.Reason, action: "Publish", message: published.Message}}
}

// isTold says whether what a track waits for is no news: it is told as what stalls the
// track, or is a router that lets go of a release which had its last traffic long ago.
func isTold(after *v1alpha1.ReleaseTrackStatus, asStalled bool) bool {
	return asStalled || after.CandidateReleaseName == "" && after.BlockedBy.Gate == "RouteVerified"
}

func sameCondition(before []metav1.Condition, now metav1.Condition) bool {
	was := meta.FindStatusCondition(before, now.Type)
	return was != nil && was.Status == now.Status && was.Reason == now.Reason
}

// releaseNotices likewise.
func releaseNotices(before, after *v1alpha1.ImmutableReleaseStatus) []notice {
	var notices []notice
	if before.Digest == "" && after.Digest != "" {
		notices = append(notices, notice{reason: "Sealed", action: "Seal", message: "sealed as " + after.Digest})
	}
	sealed := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionSealed)
	if sealed != nil && sealed.Reason == reasonConfigStale && !sameCondition(before.Conditions, *sealed) {
		notices = append(notices, notice{reason: sealed.Reason, action: "Seal", message: sealed.Message})
	}
	stale := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionStale)
	if stale != nil && stale.Status == metav1.ConditionTrue && !sameCondition(before.Conditions, *stale) {
		notices = append(notices, notice{warning: true, reason: v1alpha1.ConditionStale, action: "Age", message: stale.Message})
	}
	drifted, was := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionDrifted), meta.FindStatusCondition(before.Conditions, v1alpha1.ConditionDrifted)
	if drifted != nil && tellsOfDrift(drifted) && (was == nil || was.Message != drifted.Message) {
		notices = append(notices, notice{warning: true, reason: v1alpha1.ConditionDrifted, action: "Repair", message: drifted.Message})
	}
	outcomes := map[string]v1alpha1.TestOutcome{}
	for _, t := range before.Tests {
		outcomes[t.JobName] = t.Outcome
	}
	for _, t := range after.Tests {
		if outcomes[t.JobName] == t.Outcome {
			continue
		}
		notices = append(notices, notice{
			warning: t.Outcome == v1alpha1.TestFailed, reason: "Test" + string(t.Outcome), action: "Test",
			message: fmt.Sprintf("test %s (Job %s): %s %s", t.Name, t.JobName, t.Outcome, t.Message),
		})
	}
	ready := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionReady)
	if before.LastVerdict != after.LastVerdict && after.LastVerdict != "" {
		message := string(after.LastVerdict)
		if ready != nil {
			message = ready.Message
		}
		notices = append(notices, notice{warning: after.LastVerdict.IsNegative(), reason: string(after.LastVerdict), action: "Verdict", message: message})
	}
	return notices
}

// tellsOfDrift says whether something differs from the seal, or did and was put right.
func tellsOfDrift(drifted *metav1.Condition) bool {
	return drifted.Status == metav1.ConditionTrue || drifted.Reason == "Repaired"
}

// actionNotices likewise; access is what its status does not tell of: every use is told.
// Events that differ in their message alone become one; each of these is about a record.
func actionNotices(action *v1alpha1.ReleaseAction, access []*v1alpha1.ReleaseRecordSpec) []notice {
	var notices []notice
	for _, record := range access {
		notices = append(notices, notice{
			warning: record.Reason == rollout.ReasonEntered, reason: "BreakGlass" + record.Reason, action: string(action.Spec.Action),
			message: fmt.Sprintf("release %s, %s: %s", record.Release.Name, record.Actor, record.Message),
			related: &v1alpha1.ReleaseRecord{ObjectMeta: metav1.ObjectMeta{
				Namespace: action.Namespace, Name: resources.RecordName(action.Spec.TrackName, record.Sequence),
			}},
		})
	}
	if len(notices) > 0 {
		return notices
	}
	return []notice{{
		warning: action.Status.Outcome == v1alpha1.ActionRefused,
		reason:  string(action.Status.Outcome), action: string(action.Spec.Action), message: action.Status.Message,
	}}
}

func (r *TrackReconciler) tell(object runtime.Object, notices []notice) {
	for _, n := range notices {
		kind := corev1.EventTypeNormal
		if n.warning {
			kind = corev1.EventTypeWarning
		}
		r.recorder.Eventf(object, n.related, kind, n.reason, n.action, "%s", resources.Bound(n.message, maxNote))
	}
}
