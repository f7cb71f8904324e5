package stories

import (
	"context"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// records of the story's track, oldest first.
func (w *world) records(ctx context.Context) []v1alpha1.ReleaseRecord {
	GinkgoHelper()
	records, err := w.Records(ctx, w.namespace, harness.TrackName)
	Expect(err).NotTo(HaveOccurred())
	return records
}

// recordsOf a version with an event.
func (w *world) recordsOf(ctx context.Context, version string, event v1alpha1.RecordEvent) []v1alpha1.ReleaseRecord {
	GinkgoHelper()
	return slices.DeleteFunc(w.records(ctx), func(r v1alpha1.ReleaseRecord) bool {
		return r.Spec.Release == nil || r.Spec.Release.Version != version || r.Spec.Event != event
	})
}

// untilRecord waits for a record of a version with the event, and gives the newest.
func (w *world) untilRecord(ctx context.Context, version string, event v1alpha1.RecordEvent) v1alpha1.ReleaseRecord {
	GinkgoHelper()
	var found []v1alpha1.ReleaseRecord
	Eventually(ctx, func() int {
		found = w.recordsOf(ctx, version, event)
		return len(found)
	}).Should(BeNumerically(">", 0), "no record %s of %s", event, version)
	return found[len(found)-1]
}

// untilVerdict waits until the newest verdict on a version's n-th attempt is the
// one that is wanted.
func (w *world) untilVerdict(ctx context.Context, version string, n int32, want v1alpha1.RecordEvent) v1alpha1.ReleaseRecord {
	GinkgoHelper()
	var verdict v1alpha1.ReleaseRecord
	Eventually(ctx, func() v1alpha1.RecordEvent {
		for _, r := range w.records(ctx) {
			if about := r.Spec.Release; about != nil && about.Version == version && about.Attempt == n && r.Spec.Event.IsVerdict() {
				verdict = r
			}
		}
		return verdict.Spec.Event
	}).Should(Equal(want), "the verdict on attempt %d of %s", n, version)
	return verdict
}

// untilSettled waits until the track is Ready with the version as stable.
func (w *world) untilSettled(ctx context.Context, version string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		track, err := w.Track(ctx, w.namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(track.Status.StableReleaseName).To(Equal(harness.ReleaseName(version)))
		g.Expect(track.Status.CandidateReleaseName).To(BeEmpty())
		g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionReady)).To(HavePrefix("Ready=True Settled"))
		g.Expect(track.Status.ObservedGeneration).To(Equal(track.Generation))
	}).Should(Succeed())
}

// untilServed waits until the public route carries these weights, verified.
func (w *world) untilServed(ctx context.Context, weights string) {
	GinkgoHelper()
	Eventually(ctx, func() string { return w.weights(ctx) }).Should(Equal(weights))
	w.untilTrack(ctx, v1alpha1.ConditionTrafficShifted, HavePrefix("TrafficShifted=True"))
}

// untilTrack waits for a condition of the track, given as "Type=Status Reason:
// message".
func (w *world) untilTrack(ctx context.Context, kind string, matches OmegaMatcher) {
	GinkgoHelper()
	Eventually(ctx, func() (string, error) {
		track, err := w.Track(ctx, w.namespace)
		if err != nil {
			return "", err
		}
		return harness.ConditionLine(track.Status.Conditions, kind), nil
	}).Should(matches)
}

// untilRelease waits for a condition of a release, given likewise.
func (w *world) untilRelease(ctx context.Context, version, kind string, matches OmegaMatcher) {
	GinkgoHelper()
	Eventually(ctx, func() (string, error) {
		release, err := w.Release(ctx, w.namespace, version)
		if err != nil {
			return "", err
		}
		return harness.ConditionLine(release.Status.Conditions, kind), nil
	}).Should(matches)
}

// untilWeight waits until the public route is recorded to carry a weight of a
// version.
func (w *world) untilWeight(ctx context.Context, version string, percent int32) v1alpha1.ReleaseRecord {
	GinkgoHelper()
	var newest v1alpha1.ReleaseRecord
	Eventually(ctx, func(g Gomega) {
		records := w.records(ctx)
		g.Expect(records).NotTo(BeEmpty())
		newest = records[len(records)-1]
		g.Expect(harness.Weights(newest)).To(HaveKeyWithValue(harness.ReleaseName(version), percent))
		g.Expect(newest.Spec.State.Routes[0].VerifiedTime).NotTo(BeNil())
	}).Should(Succeed())
	return newest
}

// untilGone waits until a version has no Deployment left.
func (w *world) untilGone(ctx context.Context, version string) {
	GinkgoHelper()
	Eventually(ctx, func() []appsv1.Deployment { return w.deployments(ctx, version) }).Should(BeEmpty())
}

func (w *world) deployments(ctx context.Context, version string) []appsv1.Deployment {
	GinkgoHelper()
	list := &appsv1.DeploymentList{}
	Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelRelease: harness.ReleaseName(version)})).To(Succeed())
	return list.Items
}

// route is the HTTPRoute of the story's track.
func (w *world) route(ctx context.Context) *gatewayv1.HTTPRoute {
	GinkgoHelper()
	route := &gatewayv1.HTTPRoute{}
	w.get(ctx, route, harness.TrackName+"-public")
	return route
}

// weights that the HTTPRoute carries now, as "1.0.0:80 2.0.0:20".
func (w *world) weights(ctx context.Context) string {
	GinkgoHelper()
	weights := map[string]int32{}
	for _, rule := range w.route(ctx).Spec.Rules {
		for _, backend := range rule.BackendRefs {
			weights[string(backend.Name)] = *backend.Weight
		}
	}
	return weightsText(weights)
}

// weightsText leaves zeros out.
func weightsText(weights map[string]int32) string {
	var parts []string
	for name, weight := range weights {
		if weight > 0 {
			parts = append(parts, fmt.Sprintf("%s:%d", versionOf(name), weight))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// events of a log, in order.
func events(records []v1alpha1.ReleaseRecord) []v1alpha1.RecordEvent {
	var all []v1alpha1.RecordEvent
	for _, r := range records {
		all = append(all, r.Spec.Event)
	}
	return all
}

// pods of a version that are not leaving, by UID.
func (w *world) pods(ctx context.Context, version string) []string {
	GinkgoHelper()
	pods, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	return harness.PodIdentities(pods)
}
