//go:build e2e

package e2e

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

var scenario32 = Label("living-with-it", "scenario-32")

var _ = story("a second track that claims the same route stalls, and the first serves on", scenario32,
	func(ctx context.Context, w *world) {
		w.goLive(ctx, 30, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		var routes gatewayv1.HTTPRouteList
		Expect(w.Client.List(ctx, &routes, client.InNamespace(w.namespace))).To(Succeed())
		Expect(routes.Items).To(HaveLen(1))
		first := routes.Items[0]

		rival := w.NewTrack(w.namespace)
		rival.Name = "rival"
		release := w.NewRelease(w.namespace, "9.0.0")
		release.Name, release.Spec.TrackName = "rival-9-0-0", "rival"
		w.create(ctx, rival, release)
		Eventually(ctx, func(g Gomega) {
			track := &v1alpha1.ReleaseTrack{}
			g.Expect(w.Client.Get(ctx, client.ObjectKeyFromObject(rival), track)).To(Succeed())
			ready := harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).To(HavePrefix("Ready=False"))
			blocked := harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionRolloutBlocked)
			g.Expect(blocked).To(And(HavePrefix("RolloutBlocked=True"), ContainSubstring(first.Name), ContainSubstring("track shop")))
		}).WithTimeout(patience).Should(Succeed())
		time.Sleep(3 * time.Second)
		Expect(w.Client.List(ctx, &routes, client.InNamespace(w.namespace))).To(Succeed())
		Expect(routes.Items).To(HaveLen(1), "the rival got a route of its own")
		Expect(routes.Items[0].UID).To(Equal(first.UID))
		Expect(routes.Items[0].Generation).To(Equal(first.Generation))
		w.expectOnly("1.0.0", time.Time{})
	})

var _ = story("a second release with a version that has its content already is refused or stalls, and the first serves on", scenario32,
	func(ctx context.Context, w *world) {
		w.goLive(ctx, 30, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		before := w.pods(ctx, "1.0.0")
		second := w.NewRelease(w.namespace, "1.0.0", harness.Flags("--fail-after=1"))
		second.Name = "shop-again"
		if err := w.Client.Create(ctx, second); err != nil {
			Expect(err.Error()).To(ContainSubstring("1.0.0"))
			w.note("refused at admission: %v", err)
			time.Sleep(2 * time.Second)
			Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
			return
		}
		Eventually(ctx, func(g Gomega) {
			release := &v1alpha1.ImmutableRelease{}
			g.Expect(w.Client.Get(ctx, client.ObjectKeyFromObject(second), release)).To(Succeed())
			ready := harness.ConditionLine(release.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).To(And(HavePrefix("Ready=False"), ContainSubstring("1.0.0")))
		}).WithTimeout(patience).Should(Succeed())
		time.Sleep(3 * time.Second)
		var pods corev1.PodList
		Expect(w.Client.List(ctx, &pods, client.InNamespace(w.namespace), client.MatchingLabels{v1alpha1.LabelRelease: second.Name})).To(Succeed())
		Expect(pods.Items).To(BeEmpty(), "pods of the second content of 1.0.0")
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
	})

var _ = story("a release whose Service's name is somebody's stalls, leaves it alone, and goes on once it is free", scenario32,
	func(ctx context.Context, w *world) {
		w.goLive(ctx, 30, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		start := time.Now()
		theirs := &corev1.Service{Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": "somebody"},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(9)}},
		}}
		theirs.Namespace, theirs.Name = w.namespace, harness.ReleaseName("2.0.0")+"-web"
		w.create(ctx, theirs)
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		Eventually(ctx, func(g Gomega) {
			release, err := w.Release(ctx, w.namespace, "2.0.0")
			g.Expect(err).NotTo(HaveOccurred())
			ready := harness.ConditionLine(release.Status.Conditions, v1alpha1.ConditionReady)
			g.Expect(ready).To(And(HavePrefix("Ready=False NameTaken"), ContainSubstring(theirs.Name)))
			track, err := w.Track(ctx, w.namespace)
			g.Expect(err).NotTo(HaveOccurred())
			blocked := harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionRolloutBlocked)
			g.Expect(blocked).To(And(HavePrefix("RolloutBlocked=True NameTaken"), ContainSubstring(theirs.Name)))
		}).WithTimeout(patience).Should(Succeed())
		time.Sleep(2 * time.Second)
		w.expectNoWeight(ctx, "2.0.0", "1.0.0", start)
		live := &corev1.Service{}
		Expect(w.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: theirs.Name}, live)).To(Succeed())
		Expect(live.ResourceVersion).To(Equal(theirs.ResourceVersion), "somebody's Service was touched")

		Expect(w.Client.Delete(ctx, live)).To(Succeed())
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
	})
