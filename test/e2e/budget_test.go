//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// What a blue/green rollout of one component without tests may write, and how long
// a settled track is watched.
const (
	objectBudget = 16
	statusBudget = 8
	quiet        = time.Minute
)

// writesSince are the operator's writes in the namespace, from the API server's audit
// log.
func (w *world) writesSince(ctx context.Context, since time.Time) []harness.Write {
	GinkgoHelper()
	user, err := w.OperatorUser(ctx)
	Expect(err).NotTo(HaveOccurred())
	writes, err := w.Writes(user, w.namespace, since)
	Expect(err).NotTo(HaveOccurred())
	return writes
}

// untilQuiet waits until nothing is written any more: what may wait to be written
// with others waits for 10 s at the most.
func (w *world) untilQuiet(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func() []harness.Write { return w.writesSince(ctx, time.Now().Add(-11*time.Second)) }).
		WithTimeout(patience).WithPolling(2 * time.Second).Should(BeEmpty())
}

// promote rolls a release out and waits until its track is settled.
func (w *world) promote(ctx context.Context, version string) {
	GinkgoHelper()
	w.create(ctx, w.NewRelease(w.namespace, version))
	w.untilVerdict(ctx, version, v1alpha1.EventPromoted)
	w.untilSettled(ctx, version)
}

// retireFirst rolls out a third release: the second stays warm, the first is retired.
func (w *world) retireFirst(ctx context.Context) {
	GinkgoHelper()
	w.promote(ctx, "3.0.0")
	w.untilGone(ctx, "1.0.0")
	w.untilSettled(ctx, "3.0.0")
	w.untilQuiet(ctx)
}

func skipWithoutAuditLog(w *world) {
	if w.AuditLog == "" {
		Skip("STRATA_AUDIT_LOG names no audit log to count in")
	}
}

// It counts, and a restart of the operator by another story would add.
var _ = alone("a blue/green rollout costs few writes",
	Label("budget"), func(ctx context.Context, w *world) {
		w.goLiveUnasked(ctx, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		w.promote(ctx, "2.0.0")
		if w.AuditLog != "" {
			w.untilQuiet(ctx) // what is written late of one rollout is not counted with the next
		}
	}, func(ctx context.Context, w *world) {
		skipWithoutAuditLog(w)
		w.startLoad(ctx, 30)
		start := time.Now()
		w.retireFirst(ctx)

		var objects, statuses []harness.Write
		for _, write := range w.writesSince(ctx, start) {
			if write.Subresource == "status" {
				statuses = append(statuses, write)
			} else {
				objects = append(objects, write)
			}
		}
		w.note("a blue/green rollout: %d writes of objects, %d of status", len(objects), len(statuses))
		Expect(objects).NotTo(BeEmpty(), "the audit log tells nothing")
		Expect(len(objects)).To(BeNumerically("<=", objectBudget), "writes of objects:\n%s", lines(objects))
		Expect(len(statuses)).To(BeNumerically("<=", statusBudget), "writes of status:\n%s", lines(statuses))
	})

// Not serial: other stories kill and restart the operator meanwhile, which is no
// reason to write either.
var _ = story("a settled track is written nothing",
	early, Label("budget"), func(ctx context.Context, w *world) {
		skipWithoutAuditLog(w)
		w.goLive(ctx, 30, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		w.promote(ctx, "2.0.0")
		w.retireFirst(ctx)
		Expect(w.writesSince(ctx, time.Time{})).NotTo(BeEmpty(), "the audit log tells nothing")

		settled := time.Now()
		time.Sleep(quiet)
		idle := w.writesSince(ctx, settled)
		w.note("settled for %s: %d writes", quiet, len(idle))
		Expect(idle).To(BeEmpty(), "writes of a settled track:\n%s", lines(idle))
	})

func lines(writes []harness.Write) string {
	var b strings.Builder
	for _, write := range writes {
		fmt.Fprintln(&b, " ", write)
	}
	return b.String()
}
