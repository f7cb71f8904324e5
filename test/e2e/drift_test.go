//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/test/harness"
)

// foundWithin is how soon what was changed is found, recorded and put right.
const foundWithin = 10 * time.Second

// leaveGuards lets the operator leave the guards alone until the end of the story, when
// it puts back what is missing.
func (w *world) leaveGuards(ctx context.Context) {
	GinkgoHelper()
	key := types.NamespacedName{Namespace: w.OperatorNamespace, Name: guards.InstallationName}
	said := &corev1.ConfigMap{}
	Expect(w.Client.Get(ctx, key, said)).To(Succeed())
	began := time.Now()
	Expect(w.Client.Delete(ctx, said)).To(Succeed())
	DeferCleanup(w.keepGuards, said)
	w.untilEvent(ctx, key.Name, "GuardsNotCompared", began)
}

// keepGuards has the operator keep the guards again, and waits until all are there.
func (w *world) keepGuards(ctx context.Context, said *corev1.ConfigMap) {
	GinkgoHelper()
	said.SetResourceVersion("")
	Expect(client.IgnoreAlreadyExists(w.Client.Create(ctx, said))).To(Succeed())
	kept, err := guards.Installed(said.Data)
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, func(g Gomega) {
		for _, guard := range kept {
			g.Expect(w.Client.Get(ctx, client.ObjectKeyFromObject(guard), guard)).To(Succeed())
		}
		config := &admissionv1.ValidatingWebhookConfiguration{}
		g.Expect(w.Client.Get(ctx, client.ObjectKey{Name: guards.ConfigurationName}, config)).To(Succeed())
		for _, webhook := range config.Webhooks {
			g.Expect(webhook.ClientConfig.CABundle).NotTo(BeEmpty())
		}
	}).WithTimeout(foundWithin).Should(Succeed())
}

// untilEvent waits for an event about an object of a name, told since then.
func (w *world) untilEvent(ctx context.Context, name, reason string, since time.Time) eventsv1.Event {
	GinkgoHelper()
	var found eventsv1.Event
	Eventually(ctx, func(g Gomega) {
		list := &eventsv1.EventList{}
		g.Expect(w.Client.List(ctx, list)).To(Succeed())
		for _, event := range list.Items {
			last := event.EventTime.Time
			if event.Series != nil {
				last = event.Series.LastObservedTime.Time
			}
			if event.Regarding.Name == name && event.Reason == reason && !last.Before(since.Truncate(time.Second)) {
				found = event
				return
			}
		}
		g.Expect(reason).To(BeEmpty(), "no such event about %s", name)
	}).WithTimeout(foundWithin).Should(Succeed())
	return found
}

// Policies are the cluster's.
var _ = alone("a policy that an administrator switches off is put back, and so is a Deployment that he edits while it is off",
	Label("guards", "drift", "not-changing", "scenario-22"), func(ctx context.Context, w *world) {
		w.goLiveUnasked(ctx, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
	}, func(ctx context.Context, w *world) {
		w.startLoad(ctx, 40)

		By("a binding that is deleted is back within 10 s")
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "strata-deployments"}}
		began := time.Now()
		Expect(w.Client.Delete(ctx, binding)).To(Succeed())
		Eventually(ctx, func() error { return w.Client.Get(ctx, client.ObjectKeyFromObject(binding), binding) }).WithTimeout(foundWithin).WithPolling(20 * time.Millisecond).Should(Succeed())
		w.note("a binding was put back after %s", time.Since(began).Round(time.Millisecond))
		w.untilEvent(ctx, binding.Name, "GuardChanged", began)
		Eventually(ctx, func(g Gomega) {
			log := &v1alpha1.ReleaseRecordList{}
			g.Expect(w.Client.List(ctx, log, client.InNamespace(w.OperatorNamespace), client.MatchingLabels{v1alpha1.LabelTrack: guards.LogName})).To(Succeed())
			g.Expect(ledger.Read(log.Items).Broken).To(BeEmpty())
			g.Expect(log.Items).To(ContainElement(HaveField("Spec", And(
				HaveField("Reason", "GuardChanged"), HaveField("Message", ContainSubstring("ValidatingAdmissionPolicyBinding strata-deployments is not as installed: it is missing")),
				HaveField("Time", HaveField("Time", BeTemporally(">", began.Add(-time.Second))))))))
			// The policy that the binding binds says so, beside what kube-controller-manager does.
			policy := &admissionv1.ValidatingAdmissionPolicy{}
			g.Expect(w.Client.Get(ctx, client.ObjectKey{Name: binding.Name}, policy)).To(Succeed())
			g.Expect(harness.ConditionLine(policy.Status.Conditions, v1alpha1.ConditionDrifted)).To(And(HavePrefix("Drifted=False Repaired"),
				ContainSubstring("ValidatingAdmissionPolicyBinding strata-deployments is not as installed: it is missing"), ContainSubstring("see ReleaseRecord "+guards.LogName+"-")))
			g.Expect(policy.Status.TypeChecking).NotTo(BeNil())
		}).WithTimeout(foundWithin).Should(Succeed())

		By("with policy and webhook off, the Deployment is edited, and put right")
		w.leaveGuards(ctx)
		Expect(w.Client.Delete(ctx, binding)).To(Succeed())
		Expect(w.Client.Delete(ctx, &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: guards.ConfigurationName}})).To(Succeed())
		pods := w.pods(ctx, "1.0.0")
		deployment, key := &appsv1.Deployment{}, types.NamespacedName{Namespace: w.namespace, Name: harness.ReleaseName("1.0.0") + "-web"}
		Expect(w.Client.Get(ctx, key, deployment)).To(Succeed())
		name := deployment.Spec.Template.Spec.Containers[0].Name
		// The policy is forgotten a moment after its binding.
		Eventually(ctx, func() error {
			began = time.Now()
			err := w.Client.Patch(ctx, deployment.DeepCopy(), client.RawPatch(types.StrategicMergePatchType,
				fmt.Appendf(nil, `{"spec":{"template":{"spec":{"containers":[{"name":%q,"image":"registry.invalid/other:1"}]}}}}`, name)), client.FieldOwner("rogue"))
			if err != nil && !apierrors.IsForbidden(err) {
				return StopTrying("edit").Wrap(err)
			}
			return err
		}).WithTimeout(foundWithin).Should(Succeed())
		record := w.untilRecord(ctx, "1.0.0", v1alpha1.EventDrift)
		Expect(record.Spec.Message).To(And(ContainSubstring("spec.template.spec.containers[0].image"), ContainSubstring("rogue (")))
		Eventually(ctx, func(g Gomega) {
			after := &appsv1.Deployment{}
			g.Expect(w.Client.Get(ctx, key, after)).To(Succeed())
			g.Expect(after.Spec.Template.Spec.Containers[0].Image).To(Equal(w.AppImage))
		}).WithTimeout(foundWithin).Should(Succeed())
		w.note("a Deployment was put right after %s", time.Since(began).Round(time.Millisecond))
		w.untilEvent(ctx, harness.ReleaseName("1.0.0"), v1alpha1.ConditionDrifted, began)
		Eventually(ctx, func() []string { return w.pods(ctx, "1.0.0") }).WithTimeout(patience).Should(Equal(pods), "the pods are those that served before")
		Eventually(ctx, func(g Gomega) {
			release, err := w.Release(ctx, w.namespace, "1.0.0")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(harness.ConditionLine(release.Status.Conditions, v1alpha1.ConditionDrifted)).To(HavePrefix("Drifted=False Repaired"))
		}).WithTimeout(foundWithin).Should(Succeed())
	})
