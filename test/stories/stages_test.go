package stories

import (
	"context"
	"sync"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

// holdSeconds of the step that the rollout below waits at.
const holdSeconds = 3

// throughEveryStage takes 2.0.0 from its creation to its promotion, and stops at
// every stage, where kstatus must read what is under way, for something to happen.
func (w *world) throughEveryStage(ctx context.Context, at func(stage string)) {
	GinkgoHelper()
	w.startOperator()
	track := w.track(harness.Steps(harness.Step(20, holdSeconds)))
	w.goLive(ctx, track, w.release("1.0.0"))
	w.patch(ctx, track, `{"spec":{"rollout":{"bakeSeconds":2}}}`)
	before := w.pods(ctx, "1.0.0")
	w.untilStage(ctx, "Settled", at)
	w.PlayPods(w.namespace, podsOf("2.0.0", cluster.Pods{Unready: true}))
	w.PlayTests(w.namespace, func(*batchv1.Job) cluster.Test { return cluster.Test{Hangs: true} })

	w.create(ctx, w.release("2.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "settings"), w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.untilStage(ctx, "Preparing", at)
	w.create(ctx, w.configMap("settings", "hello"))
	w.restartOperator() // Else it looks again after 10 s.
	w.untilStage(ctx, "Provisioning", at)
	w.PlayPods(w.namespace, podsOf("2.0.0", cluster.Pods{}))
	w.untilStage(ctx, "Testing", at)
	w.PlayTests(w.namespace, func(*batchv1.Job) cluster.Test { return cluster.Test{} })
	verified := w.untilWeight(ctx, "2.0.0", 20).Spec.Time
	w.untilStage(ctx, "Shifting", at)
	w.expectNextStep(ctx, verified.Add(holdSeconds*time.Second))
	w.untilStage(ctx, "Baking", at)
	w.untilSettled(ctx, "2.0.0")
	w.untilStage(ctx, "Settled", at)

	By("nothing of this changed what became of it")
	w.expectIntact(ctx)
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "1.0.0:80 2.0.0:20", "2.0.0:100"}))
	Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventAttemptOpened)).To(HaveLen(1))
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventTestStarted)).To(HaveLen(1))
	set := w.recordsOf(ctx, "2.0.0", v1alpha1.EventWeightSet)
	Expect(set).To(HaveLen(2))
	Expect(set[1].Spec.Time.Time).To(BeTemporally(">=", verified.Add(holdSeconds*time.Second)), "the hold was cut short")
}

// expectNextStep: while the track is at 20 %, it tells when that ends.
func (w *world) expectNextStep(ctx context.Context, end time.Time) {
	GinkgoHelper()
	track, err := w.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	if next := track.Status.NextStepTime; next != nil && track.Status.WeightPercent == 20 {
		Expect(next.Time).To(BeTemporally("==", end.Truncate(time.Second)), "the hold began anew")
	}
}

func (w *world) untilStage(ctx context.Context, stage string, at func(string)) {
	GinkgoHelper()
	By(stage)
	w.untilTrack(ctx, v1alpha1.ConditionReady, MatchRegexp("Ready=(True|False) "+stage))
	want := status.InProgressStatus
	if stage == "Settled" {
		want = status.CurrentStatus
	}
	w.expectKstatus(ctx, "ReleaseTrack", "shop", want)
	w.expectKstatus(ctx, "ImmutableRelease", "shop-1-0-0", status.CurrentStatus)
	if len(w.ours(ctx)) == 3 {
		w.expectKstatus(ctx, "ImmutableRelease", "shop-2-0-0", want)
	}
	at(stage)
}

var _ = It("at every stage the operator restarts, or statuses are wiped, or a second operator begins: the same end, one log, and no clock begins anew", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
	restarted, wiped, doubled := open(ctx), open(ctx), open(ctx)
	var group sync.WaitGroup
	for _, tell := range []func(){
		func() { restarted.throughEveryStage(ctx, func(string) { restarted.restartOperator() }) },
		func() { wiped.throughEveryStage(ctx, func(string) { wiped.loseStatuses(ctx) }) },
		func() {
			doubled.startOperator()
			doubled.throughEveryStage(ctx, func(string) {
				for len(doubled.operators) < 2 {
					doubled.startOperator()
				}
			})
		},
	} {
		group.Go(func() {
			defer GinkgoRecover()
			tell()
		})
	}
	group.Wait()
})

// loseStatuses of all tracks and releases: they come back.
func (w *world) loseStatuses(ctx context.Context) {
	GinkgoHelper()
	w.wipeStatuses(ctx)
	Eventually(ctx, func(g Gomega) {
		for _, object := range w.ours(ctx) {
			conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(len(conditions)).To(BeNumerically(">=", 6), "%s %s", object.GetKind(), object.GetName())
		}
	}).WithTimeout(10 * time.Second).Should(Succeed())
}

// expectKstatus: what GitOps tools take an object's health from.
func (w *world) expectKstatus(ctx context.Context, kind, name string, want status.Status) {
	GinkgoHelper()
	Eventually(ctx, func() (status.Status, error) {
		object := &unstructured.Unstructured{}
		object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
		w.get(ctx, object, name)
		result, err := status.Compute(object)
		if err != nil {
			return "", err
		}
		return result.Status, nil
	}).Should(Equal(want), "%s %s", kind, name)
}

// ours are the tracks and releases of the story.
func (w *world) ours(ctx context.Context) []unstructured.Unstructured {
	GinkgoHelper()
	var all []unstructured.Unstructured
	for _, kind := range []string{"ReleaseTrackList", "ImmutableReleaseList"} {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
		Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
		all = append(all, list.Items...)
	}
	return all
}

// wipeStatuses leaves no track and no release any status, as a restore does.
func (w *world) wipeStatuses(ctx context.Context) {
	GinkgoHelper()
	for _, object := range w.ours(ctx) {
		wipe := client.RawPatch("application/merge-patch+json", []byte(`{"status":null}`))
		Expect(w.Client.Status().Patch(ctx, &object, wipe)).To(Succeed())
		Expect(object.Object["status"]).To(BeNil())
	}
}
