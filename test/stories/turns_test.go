package stories

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// limit makes a policy of the story: so many rollouts are under way at once.
func (w *world) limit(ctx context.Context, rollouts int32) {
	GinkgoHelper()
	policy := &v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}, Spec: v1alpha1.ReleasePolicySpec{
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
		MaxRollouts:       &rollouts,
	}}
	w.create(ctx, policy)
	DeferCleanup(func(ctx SpecContext) { Expect(w.Client.Delete(ctx, policy)).To(Succeed()) })
}

// lane is a track of workers, beside others.
func (w *world) lane(name string) *v1alpha1.ReleaseTrack {
	track := w.track(harness.Rollout(func(r *v1alpha1.RolloutSpec) { r.BakeSeconds = ptr.To[int32](2) }))
	track.Name, track.Spec.Traffic.Routes = name, nil
	return track
}

func (w *world) laneRelease(name, version string) *v1alpha1.ImmutableRelease {
	release := w.release(version, harness.Replicas(1))
	release.Name, release.Spec.TrackName = name+"-"+release.Name, name
	return release
}

// turns are the records that take a turn, or end an attempt, of all tracks in their order.
func (w *world) turns(ctx context.Context) []v1alpha1.ReleaseRecordSpec {
	GinkgoHelper()
	list := &v1alpha1.ReleaseRecordList{}
	Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
	var all []v1alpha1.ReleaseRecordSpec
	for _, record := range list.Items {
		if e := record.Spec.Event; e == v1alpha1.EventTurnTaken || e.IsVerdict() {
			all = append(all, record.Spec)
		}
	}
	slices.SortFunc(all, func(a, b v1alpha1.ReleaseRecordSpec) int {
		return cmp.Or(a.Time.Compare(b.Time.Time), cmp.Compare(a.Event, b.Event))
	})
	return all
}

var _ = story("of many releases that are published at once no more are under way than a policy says, also when the operator is restarted, and the next begins when one ends", func(ctx context.Context, w *world) {
	const lanes, most = 6, 2
	w.limit(ctx, most)
	for i := range lanes {
		name := fmt.Sprintf("lane%d", i)
		w.create(ctx, w.lane(name), w.laneRelease(name, "1.0.0"))
	}
	waiting := func(g Gomega) (waits int) {
		tracks := &v1alpha1.ReleaseTrackList{}
		g.Expect(w.Client.List(ctx, tracks, client.InNamespace(w.namespace))).To(Succeed())
		for _, track := range tracks.Items {
			if b := track.Status.BlockedBy; b != nil && b.Gate == "TurnTaken" {
				g.Expect(b.Message).To(MatchRegexp(`^2 of 2 rollouts of the namespace are under way \(lane\d, lane\d\): the next begins when one ends, and (this one is next|1 track is before this one|\d tracks are before this one)$`))
				waits++
			}
		}
		return waits
	}
	Eventually(ctx, func(g Gomega) { g.Expect(waiting(g)).To(Equal(lanes - most)) }).Should(Succeed())
	w.restartOperator()

	stable := func() (n int) {
		for _, record := range w.turns(ctx) {
			if record.Event == v1alpha1.EventPromoted {
				n++
			}
		}
		return n
	}
	Eventually(ctx, stable).WithTimeout(time.Minute).Should(Equal(lanes))

	under, freed, gaps := 0, time.Time{}, []time.Duration{}
	for _, record := range w.turns(ctx) {
		if record.Event == v1alpha1.EventTurnTaken {
			under++
			if !freed.IsZero() {
				gaps = append(gaps, record.Time.Sub(freed))
			}
		} else {
			under, freed = under-1, record.Time.Time
		}
		Expect(under).To(BeNumerically("<=", most), "%s of %s", record.Event, record.TrackName)
	}
	Expect(gaps).To(HaveLen(lanes - most))
	slices.Sort(gaps)
	// Without being told, one would look at its turn every 10 s at the most.
	Expect(gaps[len(gaps)/2]).To(BeNumerically("<", 3*time.Second), "between the end of one and the begin of the next: %v", gaps)
})
