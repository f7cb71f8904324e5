//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

// records of the story's track, oldest first.
func (w *world) records(ctx context.Context) []v1alpha1.ReleaseRecord {
	GinkgoHelper()
	records, err := w.Records(ctx, w.namespace, harness.TrackName)
	Expect(err).NotTo(HaveOccurred())
	return records
}

// recordsOf a version with one of the events; all its records without any.
func (w *world) recordsOf(ctx context.Context, version string, events ...v1alpha1.RecordEvent) []v1alpha1.ReleaseRecord {
	GinkgoHelper()
	var found []v1alpha1.ReleaseRecord
	for _, r := range w.records(ctx) {
		if r.Spec.Release == nil || r.Spec.Release.Version != version {
			continue
		}
		if len(events) == 0 {
			found = append(found, r)
		}
		for _, event := range events {
			if r.Spec.Event == event {
				found = append(found, r)
			}
		}
	}
	return found
}

// lines are the records of versions, one after the other, but for when they were retired:
// that depends on who comes after them.
func (w *world) lines(ctx context.Context, versions ...string) string {
	GinkgoHelper()
	var lines strings.Builder
	for _, version := range versions {
		for _, r := range w.recordsOf(ctx, version) {
			if r.Spec.Event != v1alpha1.EventRetired && r.Spec.Event != v1alpha1.EventPruned {
				fmt.Fprintf(&lines, "%s %s %s %s\n", r.Spec.Release.Name, r.Spec.Event, r.Spec.Reason, weightsText(harness.Weights(r)))
			}
		}
	}
	return lines.String()
}

// untilRecord waits for the newest record of a version with the event.
func (w *world) untilRecord(ctx context.Context, version string, event v1alpha1.RecordEvent) v1alpha1.ReleaseRecord {
	GinkgoHelper()
	var newest v1alpha1.ReleaseRecord
	Eventually(ctx, func(g Gomega) {
		found := w.recordsOf(ctx, version, event)
		g.Expect(found).NotTo(BeEmpty(), "no record %s of %s", event, version)
		newest = found[len(found)-1]
	}).WithTimeout(patience).Should(Succeed())
	return newest
}

// untilVerdict waits for the end of a version's attempt, and expects how it ended.
func (w *world) untilVerdict(ctx context.Context, version string, want v1alpha1.RecordEvent) v1alpha1.ReleaseRecord {
	GinkgoHelper()
	var verdict *v1alpha1.ReleaseRecord
	Eventually(ctx, func(g Gomega) {
		for _, r := range w.recordsOf(ctx, version) {
			if r.Spec.Event.IsVerdict() {
				verdict = &r
			}
		}
		g.Expect(verdict).NotTo(BeNil(), "no verdict on %s", version)
	}).WithTimeout(patience).Should(Succeed())
	Expect(verdict.Spec.Event).To(Equal(want), "verdict on %s: %s", version, verdict.Spec.Message)
	return *verdict
}

// untilWeight waits until the routers are recorded to carry a weight of a version.
func (w *world) untilWeight(ctx context.Context, version string, percent int32) v1alpha1.ReleaseRecord {
	GinkgoHelper()
	var verified v1alpha1.ReleaseRecord
	Eventually(ctx, func(g Gomega) {
		all := w.records(ctx)
		g.Expect(all).NotTo(BeEmpty())
		verified = all[len(all)-1]
		g.Expect(harness.Weights(verified)).To(HaveKeyWithValue(harness.ReleaseName(version), percent))
		for _, route := range verified.Spec.State.Routes {
			g.Expect(route.VerifiedTime).NotTo(BeNil())
		}
	}).WithTimeout(patience).Should(Succeed())
	return verified
}

// untilSettled waits until the track is Ready with the version as stable.
func (w *world) untilSettled(ctx context.Context, version string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		track, err := w.Track(ctx, w.namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionReady)).To(HavePrefix("Ready=True Settled"))
		g.Expect(track.Status.StableReleaseName).To(Equal(harness.ReleaseName(version)))
		g.Expect(track.Status.ObservedGeneration).To(Equal(track.Generation))
	}).WithTimeout(patience).Should(Succeed())
}

// answer is what test/app says of itself.
type answer struct {
	Version string            `json:"version"`
	Pod     string            `json:"pod"`
	Config  string            `json:"config"`
	Calls   map[string]answer `json:"calls"`
}

// ask sends one request of its own to the story's hostname, over a new connection, with
// headers "Name: value".
func (w *world) ask(ctx context.Context, path string, headers ...string) (answer, error) {
	return w.askHost(ctx, harness.Host(w.namespace), path, headers...)
}

// askHost is the same under another hostname.
func (w *world) askHost(ctx context.Context, host, path string, headers ...string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.GatewayURL+path, nil)
	if err != nil {
		return answer{}, err
	}
	request.Host, request.Close = host, true
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return answer{}, err
	}
	if response.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("%s: %s", response.Status, body)
	}
	var got answer
	return got, json.Unmarshal(body, &got)
}

// untilAnswers waits until a version answers on the wire.
func (w *world) untilAnswers(ctx context.Context, version string) {
	GinkgoHelper()
	if w.calls {
		w.untilAnyAnswer(ctx, version)
		return
	}
	Eventually(ctx, func(g Gomega) {
		got, err := w.ask(ctx, "/")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got.Version).To(Equal(version))
	}).WithTimeout(patience).Should(Succeed())
}

// settleTime is what a gateway may take from the report of a weight to all of its
// workers having it.
const settleTime = time.Second

// sampleRate is how many requests a second are asked at least while a share is measured.
const sampleRate = 300

// enough requests show a share.
const enough = 2000

// expectShare waits for 2,000 requests after settleTime and expects that version
// answered percent of them, within 2 points.
func (w *world) expectShare(ctx context.Context, version string, percent float64) {
	GinkgoHelper()
	w.load.SetRate(max(sampleRate, w.rate))
	defer func() { w.load.SetRate(w.rate) }()
	from := time.Now().Add(settleTime)
	var window load.Results
	Eventually(ctx, func() int {
		window = w.load.Since(from)
		return len(window)
	}).WithTimeout(30 * time.Second).Should(BeNumerically(">=", enough))
	w.expectShareOf(window.Last(enough), version, percent)
}

func (w *world) expectShareOf(window load.Results, version string, percent float64) {
	GinkgoHelper()
	share := window.Share(version)
	w.note("%s asked to serve %.0f %%: served %.2f %% of %d requests", version, percent, share, len(window))
	Expect(share).To(BeNumerically("~", percent, 2), "share of %s: %v", version, window.Versions())
}

// expectShares looks at every step of the story: of the first 2,000 requests once its
// weights were confirmed, each release answered its share. A step that was over before is
// none to look at.
func (w *world) expectShares(ctx context.Context) {
	GinkgoHelper()
	records, asked := w.records(ctx), w.load.Results()
	for i, r := range records {
		weights := harness.Weights(r)
		if r.Spec.Event != v1alpha1.EventWeightVerified || len(weights) < 2 {
			continue
		}
		var end time.Time
		for _, later := range records[i+1:] {
			if end.IsZero() && !maps.Equal(harness.Weights(later), weights) {
				end = later.Spec.Time.Time
			}
		}
		if window := asked.Between(r.Spec.Time.Add(settleTime), end); len(window) >= enough {
			w.expectShareOf(window[:enough], r.Spec.Release.Version, float64(weights[r.Spec.Release.Name]))
		}
	}
}

// expectOnly: since then, every request was answered by the version. It waits until there
// has been a second of them.
func (w *world) expectOnly(version string, since time.Time) {
	GinkgoHelper()
	time.Sleep(time.Until(since.Add(time.Second)))
	Expect(w.load.Since(since).Versions()).To(HaveLen(1))
	Expect(w.load.Since(since).Share(version)).To(Equal(100.0))
}

// pods are the identities of a version's pods, which all are ready.
func (w *world) pods(ctx context.Context, version string) []string {
	GinkgoHelper()
	pods, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	return harness.PodIdentities(pods)
}

// untilGone waits until a version has no pods.
func (w *world) untilGone(ctx context.Context, version string) {
	GinkgoHelper()
	Eventually(ctx, func() []string { return w.pods(ctx, version) }).WithTimeout(patience).Should(BeEmpty())
}

// weightsSet are the weights of a version that records set, in order, verdicts
// left out.
func (w *world) weightsSet(ctx context.Context, version string) []int32 {
	GinkgoHelper()
	var weights []int32
	for _, r := range w.recordsOf(ctx, version, v1alpha1.EventWeightSet) {
		weights = append(weights, harness.Weights(r)[harness.ReleaseName(version)])
	}
	return weights
}

// expectIntactLog: the chain of the story's records verifies.
func (w *world) expectIntactLog(ctx context.Context) {
	GinkgoHelper()
	Expect(ledger.Verify(w.records(ctx))).To(Succeed())
}
