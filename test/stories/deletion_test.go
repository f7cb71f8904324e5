package stories

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

var _ = story("a track is deleted: routes, Deployments and log stay, and a new track of the name goes on from there", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(internalRoute), w.release("1.0.0", w.Component("api", 1)))
	Expect(w.held(ctx)).To(Equal([]string{"shop-1-0-0"}))
	route, before, records := w.route(ctx), w.pods(ctx, "1.0.0"), len(w.records(ctx))
	stable := &corev1.Service{}
	w.get(ctx, stable, "shop-api")
	Expect(route.OwnerReferences).To(BeEmpty(), "a garbage collector would take the route along")
	Expect(stable.OwnerReferences).To(BeEmpty())

	Expect(w.Client.Delete(ctx, w.track())).To(Succeed())
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=False TrackNotFound"))
	Eventually(ctx, w.held).WithArguments(ctx).Should(BeEmpty())
	w.restartOperator()
	Consistently(ctx, func(g Gomega) {
		g.Expect(w.route(ctx).ResourceVersion).To(Equal(route.ResourceVersion))
		g.Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
		g.Expect(w.records(ctx)).To(HaveLen(records))
	}).WithTimeout(time.Second).Should(Succeed())

	w.create(ctx, w.track(internalRoute))
	w.untilSettled(ctx, "1.0.0")
	Eventually(ctx, w.held).WithArguments(ctx).Should(Equal([]string{"shop-1-0-0"}))
	Expect(w.records(ctx)).To(HaveLen(records))
	Expect(w.moves()).To(Equal([]string{"1.0.0:100"}))
	w.create(ctx, w.release("2.0.0", w.Component("api", 1)))
	w.untilSettled(ctx, "2.0.0")
})

var _ = story("the routes of a track go with it where it says so, and only from then on", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(internalRoute), w.release("1.0.0", w.Component("api", 1)))
	track, stable := w.track(), &corev1.Service{}
	Expect(w.route(ctx).OwnerReferences).To(BeEmpty())
	w.patch(ctx, track, `{"spec":{"deletionPolicy":"Delete"}}`)
	Eventually(ctx, func(g Gomega) {
		w.get(ctx, stable, "shop-api")
		for _, owners := range [][]metav1.OwnerReference{w.route(ctx).OwnerReferences, stable.OwnerReferences} {
			g.Expect(owners).To(HaveLen(1))
			g.Expect(owners[0].UID).To(Equal(track.UID))
		}
	}).Should(Succeed())
	w.patch(ctx, track, `{"spec":{"deletionPolicy":"Orphan"}}`)
	Eventually(ctx, func(g Gomega) {
		w.get(ctx, stable, "shop-api")
		g.Expect(w.route(ctx).OwnerReferences).To(BeEmpty())
		g.Expect(stable.OwnerReferences).To(BeEmpty())
	}).Should(Succeed())
	Expect(w.moves()).To(Equal([]string{"1.0.0:100"}))
})

var _ = It("records are lost: what serves is adopted, serves on, and the next release follows", SpecTimeout(time.Minute), func(ctx SpecContext) {
	w := open(ctx)
	w.startOperator()
	w.goLive(ctx, w.track(internalRoute), w.release("1.0.0", w.Component("api", 1)))
	before, last := w.pods(ctx, "1.0.0"), len(w.records(ctx))
	w.stopOperators()
	Expect(w.Client.DeleteAllOf(ctx, &v1alpha1.ReleaseRecord{}, client.InNamespace(w.namespace))).To(Succeed())
	w.startOperator()
	Eventually(ctx, func(g Gomega) {
		records := w.records(ctx)
		g.Expect(records).NotTo(BeEmpty())
		g.Expect(records[0].Spec.Event).To(Equal(v1alpha1.EventAdopted))
		g.Expect(records[0].Spec.Sequence).To(BeNumerically("<=", last+1))
	}).Should(Succeed())
	w.untilSettled(ctx, "1.0.0")
	Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
	// A release of the very second in which the records were found lost may be older.
	adopted := w.records(ctx)[0].Spec.Time.Truncate(time.Second)
	Eventually(ctx, time.Now).Should(BeTemporally(">", adopted.Add(time.Second)))
	w.create(ctx, w.release("2.0.0", w.Component("api", 1)))
	w.untilSettled(ctx, "2.0.0")
	Expect(ledger.Verify(w.records(ctx))).To(Succeed())
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "2.0.0:100"}))
})

// held are the names of the releases with a mark.
func (w *world) held(ctx context.Context) []string {
	GinkgoHelper()
	list := &v1alpha1.ImmutableReleaseList{}
	Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace), client.HasLabels{v1alpha1.LabelHeld})).To(Succeed())
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

var _ = It("everything of a namespace is deleted, whatever the order, and nothing comes back", SpecTimeout(time.Minute), func(ctx SpecContext) {
	w := open(ctx)
	w.startOperator()
	w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 60))), w.release("1.0.0"))
	w.create(ctx, w.release("2.0.0"))
	w.untilWeight(ctx, "2.0.0", 20)

	By("the namespace is terminating: nothing can be created any more")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	Expect(w.Client.Delete(ctx, namespace)).To(Succeed())
	start := time.Now()
	kinds := []client.Object{
		&corev1.Service{}, &appsv1.Deployment{}, &gatewayv1.HTTPRoute{}, &v1alpha1.ReleaseRecord{},
		&appsv1.ControllerRevision{}, &v1alpha1.ImmutableRelease{}, &v1alpha1.ReleaseTrack{},
	}
	for _, kind := range kinds {
		Expect(w.Client.DeleteAllOf(ctx, kind, client.InNamespace(w.namespace))).To(Succeed())
		time.Sleep(150 * time.Millisecond)
	}
	lists := []client.ObjectList{
		&v1alpha1.ReleaseTrackList{}, &v1alpha1.ImmutableReleaseList{}, &v1alpha1.ReleaseRecordList{},
		&appsv1.DeploymentList{}, &gatewayv1.HTTPRouteList{}, &appsv1.ControllerRevisionList{}, &corev1.PodList{},
	}
	left := func(g Gomega) {
		for _, list := range lists {
			g.Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
			g.Expect(list).To(HaveField("Items", BeEmpty()))
		}
	}
	Eventually(ctx, left).Should(Succeed())
	Consistently(ctx, left).WithTimeout(500 * time.Millisecond).Should(Succeed())
	writes, err := w.Writes(cluster.OperatorUser, w.namespace, start)
	Expect(err).NotTo(HaveOccurred())
	Expect(len(writes)).To(BeNumerically("<", 40), "a storm of refused writes:\n%s", lines(writes))
})
