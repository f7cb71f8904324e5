package stories

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

func lasting(seconds int32) func(*v1alpha1.ReleaseActionSpec) {
	return func(s *v1alpha1.ReleaseActionSpec) { s.DurationSeconds = &seconds }
}

// opened is what the namespace says is open.
func (w *world) opened(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{}
	Expect(w.Client.Get(ctx, client.ObjectKey{Name: w.namespace}, namespace)).To(Succeed())
	return namespace.Annotations[v1alpha1.AnnotationOpenedPrefix+harness.TrackName]
}

func (w *world) untilOpen(ctx context.Context, action *v1alpha1.ReleaseAction) {
	GinkgoHelper()
	Eventually(ctx, func() string { return w.opened(ctx) }).Should(Equal(
		action.Spec.ReleaseName + " " + action.Name + " " + action.EndTime().UTC().Format(time.RFC3339) + " jane"))
}

// enter writes down, as admission does, that somebody is let into the first pod of a
// version. It answers with that pod.
func (w *world) enter(ctx context.Context, action *v1alpha1.ReleaseAction, version string) corev1.Pod {
	GinkgoHelper()
	pods, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, func() error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(action), action); err != nil {
			return err
		}
		action.Status.Uses = append(action.Status.Uses, v1alpha1.AccessUse{
			Time: metav1.NowMicro(), Way: v1alpha1.AccessExec, PodName: pods[0].Name, PodUID: pods[0].UID, ComponentName: "web", ContainerName: "app",
		})
		return w.Client.Status().Update(ctx, action)
	}).Should(Succeed())
	return pods[0]
}

// uidsOf the pods of a version, by name.
func (w *world) uidsOf(ctx context.Context, version string) map[string]types.UID {
	GinkgoHelper()
	pods, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	uids := map[string]types.UID{}
	for i := range pods {
		uids[pods[i].Name] = pods[i].UID
	}
	return uids
}

// told are the reasons of the events about an action.
func (w *world) told(ctx context.Context, action *v1alpha1.ReleaseAction) map[string]int {
	GinkgoHelper()
	list := &eventsv1.EventList{}
	Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace), client.MatchingFields{"regarding.uid": string(action.UID)})).To(Succeed())
	reasons := map[string]int{}
	for i := range list.Items {
		reasons[list.Items[i].Reason]++
		if series := list.Items[i].Series; series != nil {
			reasons[list.Items[i].Reason] += int(series.Count) - 1
		}
	}
	return reasons
}

func (w *world) reasonsOf(ctx context.Context, action *v1alpha1.ReleaseAction) []string {
	GinkgoHelper()
	var reasons []string
	for _, record := range w.records(ctx) {
		if record.Spec.ActionName == action.Name {
			Expect(record.Spec.Event).To(Equal(v1alpha1.EventBreakGlass))
			Expect(record.Spec.Actor).To(Equal("jane"))
			reasons = append(reasons, record.Spec.Reason)
		}
	}
	return reasons
}

var _ = story("a BreakGlass opens a release, every use is a record and an event, and the pod that was entered is replaced when it ends", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(), w.release("1.0.0"))
	before := w.uidsOf(ctx, "1.0.0")
	action := w.act(ctx, v1alpha1.ActionBreakGlass, "1.0.0", lasting(60))
	w.untilOpen(ctx, action)
	entered := w.enter(ctx, action, "1.0.0")
	w.enter(ctx, action, "1.0.0")
	Eventually(ctx, func() []string { return w.reasonsOf(ctx, action) }).Should(Equal([]string{"Opened", "Entered", "Entered"}))
	Eventually(ctx, func() map[string]int { return w.told(ctx, action) }).Should(Equal(map[string]int{"BreakGlassOpened": 1, "BreakGlassEntered": 2}))
	Expect(w.Client.Get(ctx, client.ObjectKeyFromObject(action), action)).To(Succeed())
	Expect(action.Status.Outcome).To(BeEmpty())
	Expect(action.Status.Uses).To(HaveLen(2))

	By("a restart changes nothing")
	w.restartOperator()
	Consistently(ctx, func() map[string]types.UID { return w.uidsOf(ctx, "1.0.0") }).WithTimeout(time.Second).Should(Equal(before))
	w.untilOpen(ctx, action)

	By("it ends while the operator is away, and was used until then")
	w.stopOperators()
	w.enter(ctx, action, "1.0.0")
	late, err := w.StartAhead(w.namespace, time.Minute)
	Expect(err).NotTo(HaveOccurred())
	w.operators = append(w.operators, late)
	w.untilAnswered(ctx, action, v1alpha1.ActionDone)
	Expect(w.reasonsOf(ctx, action)).To(Equal([]string{"Opened", "Entered", "Entered", "Entered", "Closed"}))
	Eventually(ctx, func() map[string]int { return w.told(ctx, action) }).Should(HaveKeyWithValue("BreakGlassClosed", 1))
	Expect(w.opened(ctx)).To(BeEmpty())
	Expect(action.Status.Uses).To(HaveLen(3))
	Eventually(ctx, func(g Gomega) {
		after := w.uidsOf(ctx, "1.0.0")
		g.Expect(after).To(HaveLen(len(before)))
		for name, uid := range before {
			if name == entered.Name {
				g.Expect(after[name]).NotTo(Equal(uid), "it was entered")
			} else {
				g.Expect(after[name]).To(Equal(uid), "nobody entered it")
			}
		}
	}).Should(Succeed())
	w.untilServed(ctx, "1.0.0:100")
})

var _ = story("a BreakGlass of a release that has no pods is refused, and one ends with the pods of its release", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(warm(0)), w.release("1.0.0"))
	action := w.act(ctx, v1alpha1.ActionBreakGlass, "1.0.0", lasting(3600))
	w.untilOpen(ctx, action)
	w.enter(ctx, action, "1.0.0")
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
	w.untilGone(ctx, "1.0.0")
	w.untilAnswered(ctx, action, v1alpha1.ActionDone)
	Expect(w.opened(ctx)).To(BeEmpty())
	Expect(w.untilAnswered(ctx, w.act(ctx, v1alpha1.ActionBreakGlass, "1.0.0"), v1alpha1.ActionRefused)).To(ContainSubstring("has no pods"))
})

var _ = story("access ends with its track", func(ctx context.Context, w *world) {
	track := w.track()
	w.goLive(ctx, track, w.release("1.0.0"))
	action := w.act(ctx, v1alpha1.ActionBreakGlass, "1.0.0", lasting(3600))
	w.untilOpen(ctx, action)
	entered := w.enter(ctx, action, "1.0.0")
	Eventually(ctx, func() []string { return w.reasonsOf(ctx, action) }).Should(Equal([]string{"Opened", "Entered"}))
	Expect(w.Client.Delete(ctx, track)).To(Succeed())
	Eventually(ctx, func() string { return w.opened(ctx) }).Should(BeEmpty())
	Eventually(ctx, func() bool {
		pod := &corev1.Pod{}
		err := w.Client.Get(ctx, client.ObjectKeyFromObject(&entered), pod)
		return apierrors.IsNotFound(err) || err == nil && pod.UID != entered.UID
	}).Should(BeTrue(), "the pod that was entered is still there")
	Expect(w.untilAnswered(ctx, action, v1alpha1.ActionDone)).To(ContainSubstring("the track was deleted"))
	Expect(action.Status.Uses).To(HaveLen(1))
})
