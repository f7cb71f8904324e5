// Package metrics holds what Strata counts for Prometheus.
//
//	strata_rollouts_total{namespace,track,verdict}       attempts that ended, by how
//	strata_stage_duration_seconds{stage}                 time that rollouts spend in a stage
//	strata_track_weight_percent{namespace,track}         share of the candidate, 100 when settled
//	strata_track_blocked{namespace,track,gate,reason}    1 while the gate keeps weight from rising
//	strata_rollout_turns{state}                          rollouts of a limit: UnderWay, and Waiting for their turn
//	strata_drift_total{namespace,track}                  objects of releases that were found changed
//	strata_guard_drift_total{kind,name}                  policies and webhook configurations that were found changed
//	strata_guards_left                                   of them, those that differ and are left: who writes them does not stop; none while nobody compares them
//	strata_webhook_certificate_expiry_timestamp_seconds  when the certificate ends that the webhook is served by
//	strata_api_writes_total{verb,resource}               requests that change something in the cluster
//
// Labels are bounded: a track has one series of weight, one at most of blocked
// and one for each verdict, and all of them go with the track. No release, pod or
// message is ever a label. The cost of a call does not depend on the number of
// tracks.
package metrics

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/strata-release/strata/api/v1alpha1"
)

// verdicts are all values that the label verdict can have.
var verdicts = []v1alpha1.RecordEvent{
	v1alpha1.EventPromoted,
	v1alpha1.EventFailed,
	v1alpha1.EventAborted,
	v1alpha1.EventRolledBack,
	v1alpha1.EventSuperseded,
}

var (
	rollouts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "strata_rollouts_total",
		Help: "Attempts of releases that ended, by verdict.",
	}, []string{"namespace", "track", "verdict"})

	drifts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "strata_drift_total",
		Help: "Objects of releases that were found not to be as sealed.",
	}, []string{"namespace", "track"})

	guardDrifts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "strata_guard_drift_total",
		Help: "Policies and webhook configurations of Strata that were found not to be as installed.",
	}, []string{"kind", "name"})

	guardsLeft = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "strata_guards_left",
		Help: "Policies and webhook configurations of Strata that are not as installed, and are left because they are written again and again.",
	}, nil)

	certificateExpiry = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "strata_webhook_certificate_expiry_timestamp_seconds",
		Help: "When the certificate ends that the webhook is served by, in seconds since 1970.",
	}, nil)

	stages = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "strata_stage_duration_seconds",
		Help:    "Time that a rollout spent in a stage.",
		Buckets: []float64{.1, .5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600},
	}, []string{"stage"})

	weights = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "strata_track_weight_percent",
		Help: "Share of traffic of the release that the track moves to, as recorded; 100 when settled.",
	}, []string{"namespace", "track"})

	blocks = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "strata_track_blocked",
		Help: "1 while the gate keeps the weight of the track's candidate from rising.",
	}, []string{"namespace", "track", "gate", "reason"})
)

var turns = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "strata_rollout_turns",
	Help: "Rollouts of those that a limit is for, by state: under way, or waiting for their turn.",
}, []string{"state"})

// blocking remembers the one blocked series of each track, so that the next
// call removes exactly that one.
var blocking = struct {
	sync.Mutex
	series map[trackKey]gateKey
}{series: map[trackKey]gateKey{}}

type (
	trackKey struct{ namespace, name string }
	gateKey  struct{ gate, reason string }
)

// Register adds all series to a registry. It fails when they are there already.
func Register(registry prometheus.Registerer) error {
	for _, collector := range []prometheus.Collector{rollouts, drifts, guardDrifts, guardsLeft, certificateExpiry, stages, weights, blocks, turns, writes} {
		if err := registry.Register(collector); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// RecordVerdict counts an attempt that ended. Records that are no verdict are
// not counted.
func RecordVerdict(namespace, track string, verdict v1alpha1.RecordEvent) {
	if verdict.IsVerdict() {
		rollouts.WithLabelValues(namespace, track, string(verdict)).Inc()
	}
}

// RecordDrift counts an object of a release that was found changed.
func RecordDrift(namespace, track string) { drifts.WithLabelValues(namespace, track).Inc() }

// RecordGuardDrift counts a guard that was found changed.
func RecordGuardDrift(kind, name string) { guardDrifts.WithLabelValues(kind, name).Inc() }

// SetGuardsLeft says how many guards differ and are left.
func SetGuardsLeft(count int) { guardsLeft.WithLabelValues().Set(float64(count)) }

// ForgetGuardsLeft takes the series away: nobody compares the guards.
func ForgetGuardsLeft() { guardsLeft.Reset() }

// SetCertificateExpiry says when the certificate ends that this replica serves.
func SetCertificateExpiry(end time.Time) {
	certificateExpiry.WithLabelValues().Set(float64(end.Unix()))
}

// ObserveStage counts the time that a rollout spent in a stage it has left.
func ObserveStage(stage string, duration time.Duration) {
	stages.WithLabelValues(stage).Observe(duration.Seconds())
}

// SetTurns says how many rollouts are under way, and how many wait, where a limit is.
func SetTurns(underWay, waiting int) {
	turns.WithLabelValues("UnderWay").Set(float64(underWay))
	turns.WithLabelValues("Waiting").Set(float64(waiting))
}

// SetWeight sets the share, 0 to 100, of the release that a track moves to.
func SetWeight(namespace, track string, percent int32) {
	weights.WithLabelValues(namespace, track).Set(float64(percent))
}

// SetBlocked says which gate keeps a track from advancing, and why; with an
// empty gate, that none does.
func SetBlocked(namespace, track, gate, reason string) {
	key, now := trackKey{namespace, track}, gateKey{gate, reason}
	blocking.Lock()
	defer blocking.Unlock()
	before, was := blocking.series[key]
	if was && before == now {
		return
	}
	if was {
		blocks.DeleteLabelValues(namespace, track, before.gate, before.reason)
		delete(blocking.series, key)
	}
	if gate != "" {
		blocks.WithLabelValues(namespace, track, gate, reason).Set(1)
		blocking.series[key] = now
	}
}

// ForgetTrack removes every series of a track that is gone.
func ForgetTrack(namespace, track string) {
	for _, verdict := range verdicts {
		rollouts.DeleteLabelValues(namespace, track, string(verdict))
	}
	drifts.DeleteLabelValues(namespace, track)
	weights.DeleteLabelValues(namespace, track)
	SetBlocked(namespace, track, "", "")
}
