package controllers

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// releaseStatus fills in the status of one release.
func (f findings) releaseStatus(release *v1alpha1.ImmutableRelease) {
	s, facts := &release.Status, f.facts(release.Name)
	s.ObservedGeneration = release.Generation
	s.WeightPercent = f.weightOf(release.Name)
	// What the log says of a version is not about another release that names it too.
	if f.answers.Claimant(facts) == nil {
		s.Attempt = f.Log.Attempts[release.Spec.Version]
		s.LastVerdict = f.Log.Verdicts[release.Spec.Version].Event
		if tests := f.testStatuses(facts); tests != nil {
			s.Tests = tests
		}
		// The seal of a release that is not live is not read. Its records tell of it, also
		// where nobody came to report it while it was.
		if sealed := f.Log.Digests[release.Spec.Version]; sealed.UID == release.UID {
			s.Digest, s.ContentDigest = sealed.Digest, f.Log.ContentDigests[release.Spec.Version]
		}
	}
	if facts.Sealed != nil {
		s.Digest, s.ContentDigest = facts.Sealed.Digest, facts.Sealed.ContentDigest
	}
	s.Components, s.ReadyComponents = f.componentStatuses(facts)

	c := conditions{list: &s.Conditions, generation: release.Generation, now: f.Now}
	f.releaseReady(c, facts)
	f.releaseSealed(c, facts, s.Digest)
	f.releaseAvailable(c, facts)
	f.releaseTested(c, facts, s.Tests)
	c.setIf(v1alpha1.ConditionServing, s.WeightPercent > 0, servingReason(s.WeightPercent), fmt.Sprintf("%d %% of the traffic", s.WeightPercent))
	f.releaseStale(c, facts)
	f.releaseDrifted(c, facts)
}

func servingReason(weight int32) string {
	if weight > 0 {
		return "HasWeight"
	}
	return "NoWeight"
}

// releaseReady tells what becomes of the release: True when it serves, or was
// passed on from; False on its way, and with Stalled when it will not get there.
func (f findings) releaseReady(c conditions, release *rollout.Release) {
	reason, message, state := f.standing(release)
	c.setIf(v1alpha1.ConditionReady, state == arrived, reason, message)
	c.setIf(v1alpha1.ConditionReconciling, state == underWay, reason, message)
	c.setIf(v1alpha1.ConditionStalled, state == stuck, reason, message)
}

type progress int

const (
	underWay progress = iota
	arrived
	stuck
)

func (f findings) standing(release *rollout.Release) (reason, message string, state progress) {
	records := f.state()
	verdict := f.answers.VerdictOf(release)
	wasStable := verdict == v1alpha1.EventPromoted || f.wasStable(release)
	switch {
	case f.track == nil:
		return "TrackNotFound", "there is no ReleaseTrack " + f.TrackName + ": create it, and the release is taken up", underWay
	case records.Candidate != nil && records.Candidate.UID == release.UID:
		return f.candidateStanding()
	case records.Stable != nil && records.Stable.UID == release.UID:
		return "Stable", "serves as stable", arrived
	case records.Stable != nil && records.Stable.Name == release.Name && release.Differs != "":
		return "RestoredDiffers", "is not what serves under its name: " + release.Differs, stuck
	case f.answers.Claimant(release) != nil:
		return "VersionReused", fmt.Sprintf("version %s is that of %s: publish this content under a version of its own",
			release.Spec.Version, f.answers.Claimant(release).Name), stuck
	case f.isRecalled(release):
		return "Recalling", f.recallMessage(release), underWay
	case verdict.IsNegative():
		v := f.Log.Verdicts[release.Spec.Version]
		return string(verdict), fmt.Sprintf("attempt %d ended as %s: %s; publish a new release, or ask for a ReleaseAction Retry of this one",
			v.Attempt, verdict, v.Message), stuck
	case verdict == v1alpha1.EventSuperseded:
		return "Superseded", f.Log.Verdicts[release.Spec.Version].Message, arrived
	case wasStable && f.isLive(release):
		return "Standby", "was stable, and still has its pods", arrived
	case wasStable:
		return "Retired", "was stable, and has no pods any more", arrived
	}
	return f.waiting(release)
}

func (f findings) wasStable(release *rollout.Release) bool {
	p, ok := f.Log.Promotions[release.Spec.Version]
	return ok && p.UID == release.UID
}

// logTrouble is why nothing is decided about the track at all, whatever it waits for;
// nil where the log can be relied on.
func (f findings) logTrouble() *v1alpha1.BlockedBy {
	switch {
	case f.plan.Stalled != nil && f.plan.Stalled.Gate == "Log":
		return f.plan.Stalled
	case f.plan.Stale:
		return f.blocked()
	}
	return nil
}

func (f findings) candidateStanding() (reason, message string, state progress) {
	if stalled := cmp.Or(f.plan.Stalled, f.logTrouble()); stalled != nil {
		return stalled.Reason, stalled.Message, stuck
	}
	if blocked := f.blocked(); blocked != nil {
		return blocked.Reason, blocked.Message, underWay
	}
	if stalled := f.plan.Stalled; stalled != nil && !f.plan.Stale {
		return stalled.Reason, stalled.Message, stuck
	}
	return string(f.plan.Stage), f.movingMessage(), underWay
}

// waiting is what a release hears that is neither under way nor decided about.
func (f findings) waiting(release *rollout.Release) (reason, message string, state progress) {
	trouble, recalled := f.logTrouble(), f.recalled()
	switch pin, c := f.track.Spec.ReleaseName, f.state().Candidate; {
	case trouble != nil:
		return trouble.Reason, trouble.Message, stuck
	case pin != "" && pin != release.Name:
		return "Waiting", "the track is pinned to " + pin + ": change or remove its spec.releaseName, and this release is taken up", underWay
	case c != nil && f.plan.Stalled != nil:
		return "Waiting", fmt.Sprintf("waits for attempt %d of %s: %s", c.Attempt, c.Name, f.plan.Stalled.Message), stuck
	case c != nil && f.answers.Waits():
		return "Waiting", fmt.Sprintf("waits for attempt %d of %s, which is at %d %% and finishes first", c.Attempt, c.Name, f.weightOf(c.Name)), underWay
	case c != nil:
		return "Waiting", fmt.Sprintf("waits for the end of attempt %d of %s", c.Attempt, c.Name), underWay
	case recalled != nil:
		return "Waiting", "waits for the end of the Rollback to " + recalled.Name, underWay
	case f.failure != nil:
		return "Waiting", "waits for its turn: " + f.failure.Error(), underWay
	}
	return "NotDesired", "the track has come to a verdict about a later release: publish this content again under a new version, or pin this release in the track's spec.releaseName", stuck
}

func (f findings) recalled() *v1alpha1.LiveRelease {
	for i, live := range f.state().Live {
		if live.Recall != nil {
			return &f.state().Live[i]
		}
	}
	return nil
}

func (f findings) isRecalled(release *rollout.Release) bool {
	live := f.recalled()
	return live != nil && live.UID == release.UID
}

func (f findings) recallMessage(release *rollout.Release) string {
	message := "is brought up again for action " + f.recalled().Recall.ActionName
	if lacks := f.answers.Unserved(release); lacks != "" {
		message += ": " + lacks
	}
	return message
}

func (f findings) releaseSealed(c conditions, release *rollout.Release, digest string) {
	switch {
	case release.Sealed != nil || digest != "":
		reason, message := f.sealedWords(c, release)
		c.set(v1alpha1.ConditionSealed, metav1.ConditionTrue, reason, message)
	case release.Obstacle != nil:
		c.set(v1alpha1.ConditionSealed, metav1.ConditionFalse, release.Obstacle.Reason, release.Obstacle.Message)
	default:
		c.set(v1alpha1.ConditionSealed, metav1.ConditionFalse, "NotSealed", "is sealed when its attempt opens")
	}
}

func (f findings) releaseAvailable(c conditions, release *rollout.Release) {
	if !f.isLive(release) || len(release.Components) == 0 {
		c.set(v1alpha1.ConditionAvailable, metav1.ConditionFalse, "NoPods", "has no pods")
		return
	}
	if shortage := f.answers.Shortage(release); shortage != "" {
		c.set(v1alpha1.ConditionAvailable, metav1.ConditionFalse, "PodsNotAvailable", shortage)
		return
	}
	c.set(v1alpha1.ConditionAvailable, metav1.ConditionTrue, "PodsAvailable", "every component is available")
}

func (f findings) releaseTested(c conditions, release *rollout.Release, tests []v1alpha1.TestStatus) {
	if len(release.Spec.Tests) == 0 {
		c.set(v1alpha1.ConditionTestsPassed, metav1.ConditionTrue, "NoTests", "the release has no tests")
		return
	}
	passed := 0
	for _, t := range tests {
		if t.Outcome == v1alpha1.TestFailed {
			c.set(v1alpha1.ConditionTestsPassed, metav1.ConditionFalse, "TestFailed", fmt.Sprintf("test %s failed: %s", t.Name, t.Message))
			return
		}
		if t.Outcome == v1alpha1.TestPassed {
			passed++
		}
	}
	if f.wasStable(release) {
		c.set(v1alpha1.ConditionTestsPassed, metav1.ConditionTrue, "TestsPassed", "every test passed")
		return
	}
	c.set(v1alpha1.ConditionTestsPassed, metav1.ConditionUnknown, "TestsNotFinished", fmt.Sprintf("%d runs of tests passed so far", passed))
}

// componentStatuses of a release, and how many of them are available.
func (f findings) componentStatuses(release *rollout.Release) (statuses []v1alpha1.ComponentStatus, ready string) {
	available := 0
	for i := range release.Spec.Components {
		spec := &release.Spec.Components[i]
		status := v1alpha1.ComponentStatus{Name: spec.Name, Images: imagesOf(spec)}
		for _, c := range release.Components {
			if c.Name == spec.Name && c.Deployment == rollout.Ours {
				status.Replicas, status.ReadyReplicas = c.Replicas, c.ReadyReplicas
				if c.Available {
					available++
				}
			}
		}
		statuses = append(statuses, status)
	}
	return statuses, fmt.Sprintf("%d/%d", available, len(statuses))
}

func imagesOf(component *v1alpha1.Component) []v1alpha1.ContainerImage {
	var images []v1alpha1.ContainerImage
	for _, container := range component.Template.Spec.Containers {
		_, digest, _ := strings.Cut(container.Image, "@")
		images = append(images, v1alpha1.ContainerImage{Container: container.Name, Digest: digest})
	}
	return images
}

// testStatuses of the newest attempt; nil when the log does not tell.
func (f findings) testStatuses(release *rollout.Release) []v1alpha1.TestStatus {
	var statuses []v1alpha1.TestStatus
	for _, t := range f.Log.Tests[release.Spec.Version] {
		start := metav1.NewTime(t.StartTime.Time)
		status := v1alpha1.TestStatus{
			Name: t.Name, WeightPercent: t.WeightPercent, Outcome: t.Outcome,
			JobName: t.JobName, StartTime: &start, Message: t.Message,
		}
		if t.CompletionTime != nil {
			status.CompletionTime = metaTime(&t.CompletionTime.Time)
		}
		statuses = append(statuses, status)
	}
	return statuses
}

func metaTime(t *time.Time) *metav1.Time {
	if t == nil {
		return nil
	}
	converted := metav1.NewTime(t.Truncate(time.Second))
	return &converted
}
