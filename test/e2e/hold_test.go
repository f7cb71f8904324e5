//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// wipeStatus empties an object's status: as the administrator, or where that is
// refused as the operator itself, whose next life then finds nothing.
func (w *world) wipeStatus(ctx context.Context, object client.Object) {
	GinkgoHelper()
	wipe := client.RawPatch("application/merge-patch+json", []byte(`{"status":null}`))
	err := w.Client.Status().Patch(ctx, object, wipe)
	if apierrors.IsForbidden(err) {
		user, userErr := w.OperatorUser(ctx)
		Expect(userErr).NotTo(HaveOccurred())
		inPod := map[string][]string{}
		for _, key := range []string{"pod-name", "pod-uid", "node-name"} {
			inPod["authentication.kubernetes.io/"+key] = []string{"story"}
		}
		operator, clientErr := w.As(user, inPod, "system:serviceaccounts", "system:authenticated")
		Expect(clientErr).NotTo(HaveOccurred())
		err = operator.Status().Patch(ctx, object, wipe)
	}
	Expect(err).NotTo(HaveOccurred())
}

var _ = story("the clock of a hold survives a killed operator and a wiped status, and is shortened by neither",
	early, Label("going-live", "scenario-5"), func(ctx context.Context, w *world) {
		// Longer than the Lease of an operator that was killed keeps the next one waiting.
		const hold = 30 * time.Second
		w.goLive(ctx, 40, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, int32(hold/time.Second)))), w.NewRelease(w.namespace, "1.0.0"))
		release := w.NewRelease(w.namespace, "2.0.0")
		w.create(ctx, release)

		w.untilWeight(ctx, "2.0.0", 20)
		time.Sleep(6 * time.Second)
		Expect(w.KillOperator(ctx)).To(Succeed())
		track, err := w.Track(ctx, w.namespace)
		Expect(err).NotTo(HaveOccurred())
		w.wipeStatus(ctx, track)
		w.wipeStatus(ctx, release)

		w.untilWeight(ctx, "2.0.0", 100)
		verified := w.recordsOf(ctx, "2.0.0", v1alpha1.EventWeightVerified)[0]
		next := w.recordsOf(ctx, "2.0.0", v1alpha1.EventWeightSet)[1]
		held := next.Spec.Time.Sub(verified.Spec.Time.Time)
		w.note("held %s of %s asked for", held.Round(time.Millisecond), hold)
		// A clock that began anew would have taken 6 s more than the whole hold.
		Expect(held).To(BeNumerically(">=", hold))
		Expect(held).To(BeNumerically("<", hold+5*time.Second))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
	})
