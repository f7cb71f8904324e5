//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

// benchmark is the label of what measures, and is not told with the stories.
const benchmark = "benchmark"

// What make bench-rollback measures: a release is promoted and rolled back again, so
// often, under load. Of each rollback, how long after the action was created the weights
// were written, and from when on every new connection reached the release before.
var _ = Describe("A rollback to a warm release", Serial, func() {
	for _, kind := range []struct {
		name   string
		router v1alpha1.RouteType
		calls  bool
	}{
		{"HTTPRoute", v1alpha1.RouteGatewayAPI, false},
		{"GRPCRoute", v1alpha1.RouteGatewayAPI, true},
		{"TraefikService", v1alpha1.RouteTraefik, false},
	} {
		It("takes this long by "+kind.name, Label(benchmark), SpecTimeout(time.Hour), func(ctx SpecContext) {
			times := 100
			if asked := os.Getenv("ROLLBACKS"); asked != "" {
				var err error
				times, err = strconv.Atoi(asked)
				Expect(err).NotTo(HaveOccurred(), "ROLLBACKS is a number")
			}
			by := *environment
			by.Router, by.GRPC = kind.router, kind.calls
			w := openIn(ctx, &by, []string{benchmark})
			DeferCleanup(w.close)
			w.hear(ctx, func(ctx context.Context, w *world) { w.rollBackAgainAndAgain(ctx, kind.name, times) })
		})
	}
})

func (w *world) rollBackAgainAndAgain(ctx context.Context, kind string, times int) {
	GinkgoHelper()
	if w.Router == v1alpha1.RouteTraefik {
		w.create(ctx, harness.IngressRoute(w.namespace))
	}
	track := w.NewTrack(w.namespace)
	var protocol []harness.ReleaseOption
	if w.calls {
		protocol = append(protocol, harness.H2C)
	}
	w.create(ctx, track, w.NewRelease(w.namespace, "1.0.0", protocol...))
	w.untilVerdict(ctx, "1.0.0", v1alpha1.EventPromoted)
	w.untilAnyAnswer(ctx, "1.0.0")
	w.load = w.asking(ctx, load.Options{Rate: 150, MaxDuration: time.Hour})
	w.create(ctx, w.NewRelease(w.namespace, "2.0.0", protocol...))
	w.allow(ctx, "ann", "rollback")
	w.allow(ctx, "bob", "retry")
	before := w.pods(ctx, "1.0.0")

	var written, onTheWire []time.Duration
	for i := range times {
		if i > 0 {
			again := harness.NewAction(w.namespace, fmt.Sprintf("again-%d", i), "bob", v1alpha1.ActionRetry, harness.ReleaseName("2.0.0"))
			Expect(w.as(ctx, "bob", again)).To(Succeed())
		}
		Eventually(ctx, func() int { return len(w.recordsOf(ctx, "2.0.0", v1alpha1.EventPromoted)) }).WithTimeout(patience).Should(Equal(i + 1))
		time.Sleep(2 * settleTime)

		intent := time.Now()
		back := harness.NewAction(w.namespace, fmt.Sprintf("back-%d", i), "ann", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0"))
		Expect(w.as(ctx, "ann", back)).To(Succeed())
		var states []harness.RouteState
		Eventually(ctx, func() ([]harness.RouteState, error) {
			var err error
			states, err = w.routes.Since(intent)
			return states, err
		}).WithPolling(20 * time.Millisecond).ShouldNot(BeEmpty())
		written = append(written, states[0].Time.Sub(intent))
		time.Sleep(time.Until(intent.Add(2500 * time.Millisecond)))
		done, all := w.load.Since(intent).NewConnections().AllFrom("1.0.0")
		Expect(all).To(BeTrue(), "new connections still reach 2.0.0")
		onTheWire = append(onTheWire, done.Sub(intent))
	}
	Expect(w.pods(ctx, "1.0.0")).To(Equal(before), "the same pods served each time")
	w.note("%s, %d rollbacks: intent to weights written %s; to every new connection %s", kind, times, percentiles(written), percentiles(onTheWire))
}

// percentiles by the nearest rank.
func percentiles(all []time.Duration) string {
	slices.Sort(all)
	at := func(percent int) time.Duration { return all[(len(all)*percent+99)/100-1].Round(time.Millisecond) }
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, longest %s", at(50), at(90), at(99), at(100))
}
