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

// Serial: it counts, and a restart of the operator by another story would add.
var _ = story("a blue/green rollout costs few writes, and a settled track none",
	Serial, Label("serial", "budget"), func(ctx context.Context, w *world) {
		if w.AuditLog == "" {
			Skip("STRATA_AUDIT_LOG names no audit log to count in")
		}
		user, err := w.OperatorUser(ctx)
		Expect(err).NotTo(HaveOccurred())
		w.goLive(ctx, 40, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
		time.Sleep(2 * time.Second)

		By("a third release: the second stays warm, the first is retired")
		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "3.0.0"))
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventPromoted)
		w.untilGone(ctx, "1.0.0")
		w.untilSettled(ctx, "3.0.0")
		time.Sleep(5 * time.Second)
		settled := time.Now()

		writes, err := w.Writes(user, w.namespace, start)
		Expect(err).NotTo(HaveOccurred())
		var objects, statuses []harness.Write
		for _, write := range writes {
			if write.Subresource == "status" {
				statuses = append(statuses, write)
			} else {
				objects = append(objects, write)
			}
		}
		Expect(writes).NotTo(BeEmpty(), "no write of %s in the audit log", user)
		w.note("a blue/green rollout: %d writes of objects, %d of status", len(objects), len(statuses))
		Expect(len(objects)).To(BeNumerically("<=", objectBudget), "writes of objects:\n%s", lines(objects))
		Expect(len(statuses)).To(BeNumerically("<=", statusBudget), "writes of status:\n%s", lines(statuses))

		By("nothing happens: nothing is written")
		time.Sleep(quiet)
		idle, err := w.Writes(user, w.namespace, settled)
		Expect(err).NotTo(HaveOccurred())
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
