package admission

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admissionv1apply "k8s.io/client-go/applyconfigurations/admissionregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/admission/upkeep"
	"github.com/strata-release/strata/controllers/ledger"
)

// startUpkeep keeps the guards as the operator does that leads, with its own role.
func startUpkeep() (stop func()) {
	mgr, err := ctrl.NewManager(operatorConfig(), ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Controller: ctrlOptions()})
	Expect(err).NotTo(HaveOccurred())
	Expect(upkeep.Setup(mgr, guards.Namespace, operatorUser().UserName)).To(Succeed())
	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(running) }()
	return func() {
		cancel()
		Eventually(ended).WithTimeout(30 * time.Second).Should(Receive(BeNil()))
	}
}

func installation(data map[string]string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: guards.Namespace, Name: guards.InstallationName}, Data: data}
}

// told are the events about a guard.
func told(g Gomega, name, reason string) []eventsv1.Event {
	list := &eventsv1.EventList{}
	g.Expect(admin.List(ctx, list)).To(Succeed())
	var events []eventsv1.Event
	for _, event := range list.Items {
		if event.Regarding.Name == name && event.Reason == reason {
			events = append(events, event)
		}
	}
	return events
}

// recorded are the messages of the guards' log, which is whole.
func recorded(g Gomega) []string {
	list := &v1alpha1.ReleaseRecordList{}
	g.Expect(admin.List(ctx, list, client.InNamespace(guards.Namespace), client.MatchingLabels{v1alpha1.LabelTrack: guards.LogName})).To(Succeed())
	g.Expect(ledger.Read(list.Items).Broken).To(BeEmpty())
	var messages []string
	for i := range list.Items {
		messages = append(messages, list.Items[i].Spec.Message)
	}
	return messages
}

// drifted is what a policy says, of itself and of the guards that it tells of.
func drifted(g Gomega, name string) metav1.Condition {
	policy := &admissionv1.ValidatingAdmissionPolicy{}
	g.Expect(admin.Get(ctx, client.ObjectKey{Name: name}, policy)).To(Succeed())
	condition := meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionDrifted)
	g.Expect(condition).NotTo(BeNil())
	g.Expect(condition.ObservedGeneration).To(Equal(policy.Generation))
	return *condition
}

// versions of all policies, by name.
func versions() map[string]string {
	list := &admissionv1.ValidatingAdmissionPolicyList{}
	Expect(admin.List(ctx, list)).To(Succeed())
	all := map[string]string{}
	for _, policy := range list.Items {
		all[policy.Name] = policy.ResourceVersion
	}
	return all
}

var _ = Describe("The operator that leads", Ordered, func() {
	BeforeAll(func() {
		Expect(admin.Create(ctx, installation(map[string]string{"webhookURL": fmt.Sprintf("https://127.0.0.1:%d", webhookPort)}))).To(Succeed())
		stop := startUpkeep()
		DeferCleanup(func() {
			stop()
			Expect(admin.Delete(ctx, installation(nil))).To(Succeed())
			install(guards.PoliciesFile)
			install(guards.WebhooksFile)
			waitUntilGuarded()
		})
	})

	It("says of every policy that it is as installed, once", func() {
		Eventually(func(g Gomega) {
			for _, binding := range guards.Bindings() {
				g.Expect(drifted(g, binding.Name)).To(And(HaveField("Status", metav1.ConditionFalse), HaveField("Reason", "AsInstalled")), binding.Name)
			}
		}).WithTimeout(10 * time.Second).Should(Succeed())
		settled := versions()
		Consistently(versions).WithTimeout(3 * time.Second).Should(Equal(settled))
	})

	It("leaves what kube-controller-manager says of a policy", func() {
		const name = "strata-endpoints"
		policy := &admissionv1.ValidatingAdmissionPolicy{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: name}, policy)).To(Succeed())
		checked := admissionv1apply.ValidatingAdmissionPolicyStatus().WithObservedGeneration(policy.Generation).WithTypeChecking(admissionv1apply.TypeChecking().
			WithExpressionWarnings(admissionv1apply.ExpressionWarning().WithFieldRef("spec.validations[0].expression").WithWarning("played")))
		Expect(admin.Status().Apply(ctx, admissionv1apply.ValidatingAdmissionPolicy(name).WithStatus(checked), client.FieldOwner("validatingadmissionpolicy-status"), client.ForceOwnership)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKey{Name: name}, policy)).To(Succeed())
		Expect(meta.FindStatusCondition(policy.Status.Conditions, v1alpha1.ConditionDrifted)).NotTo(BeNil())
		Expect(admin.Delete(ctx, &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}})).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(drifted(g, name)).To(And(HaveField("Status", metav1.ConditionFalse), HaveField("Reason", "Repaired"),
				HaveField("Message", MatchRegexp("ValidatingAdmissionPolicyBinding strata-endpoints is not as installed: it is missing.*see ReleaseRecord strata-guards-[0-9]{6}$"))))
		}).WithTimeout(10 * time.Second).Should(Succeed())
		Expect(admin.Get(ctx, client.ObjectKey{Name: name}, policy)).To(Succeed())
		Expect(policy.Status.TypeChecking.ExpressionWarnings).To(HaveExactElements(HaveField("Warning", "played")))
		Expect(policy.Status.ObservedGeneration).To(Equal(policy.Generation))
	})

	// The API server asks no policy and no webhook about a policy, nor about its status.
	It("puts right what somebody else says of a policy", func() {
		const name = "strata-endpoints"
		before := drifted(Default, name)
		for _, forged := range []string{
			`[{"op":"replace","path":"/status/conditions/0/message","value":"all is well"}]`,
			`[{"op":"remove","path":"/status/conditions"}]`,
		} {
			policy := &admissionv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
			Expect(admin.Status().Patch(ctx, policy, client.RawPatch("application/json-patch+json", []byte(forged)))).To(Succeed())
			Eventually(func(g Gomega) { g.Expect(drifted(g, name)).To(Equal(before)) }).WithTimeout(10 * time.Second).Should(Succeed())
		}
	})

	It("may write the status of its own policies alone", func() {
		other := &admissionv1.ValidatingAdmissionPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: "somebody-elses.example.com"},
			Spec: admissionv1.ValidatingAdmissionPolicySpec{
				MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create}, Rule: admissionv1.Rule{APIGroups: []string{"example.com"}, APIVersions: []string{"v1"}, Resources: []string{"things"}},
				}}}},
				Validations: []admissionv1.Validation{{Expression: "true"}},
			},
		}
		Expect(admin.Create(ctx, other)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, other)).To(Succeed()) })
		status := admissionv1apply.ValidatingAdmissionPolicyStatus().WithObservedGeneration(1)
		err := operator.Status().Apply(ctx, admissionv1apply.ValidatingAdmissionPolicy(other.Name).WithStatus(status), client.FieldOwner("strata"))
		Expect(apierrors.IsForbidden(err)).To(BeTrue(), "%v", err)
	})

	It("puts back a binding that was deleted, within 10 s", func() {
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "strata-deployments"}}
		Expect(admin.Delete(ctx, binding)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
			g.Expect(binding.Spec.ValidationActions).To(Equal([]admissionv1.ValidationAction{admissionv1.Deny}))
			g.Expect(told(g, "strata-deployments", "GuardChanged")).To(ContainElement(HaveField("Note", ContainSubstring("it is missing"))))
		}).WithTimeout(10 * time.Second).Should(Succeed())
	})

	for name, change := range map[string]struct {
		object client.Object
		patch  string
		path   string
	}{
		"strata-scale":    {&admissionv1.ValidatingAdmissionPolicy{}, `{"spec":{"matchConditions":[{"name":"never","expression":"false"}]}}`, "spec.matchConditions"},
		"strata-services": {&admissionv1.ValidatingAdmissionPolicy{}, `{"spec":{"failurePolicy":"Ignore"}}`, "spec.failurePolicy"},
		"strata-pods":     {&admissionv1.ValidatingAdmissionPolicyBinding{}, `{"spec":{"validationActions":["Audit"]}}`, "spec.validationActions"},
		"strata-seals":    {&admissionv1.ValidatingAdmissionPolicy{}, `{"metadata":{"labels":null},"spec":{"failurePolicy":"Ignore"}}`, "metadata.labels"},
	} {
		It("puts right "+change.path+" of "+name+", and says who wrote it", func() {
			key := client.ObjectKey{Name: name}
			before := change.object.DeepCopyObject().(client.Object)
			Expect(admin.Get(ctx, key, before)).To(Succeed())
			changed := before.DeepCopyObject().(client.Object)
			Expect(admin.Patch(ctx, changed, client.RawPatch("application/merge-patch+json", []byte(change.patch)), client.FieldOwner("rogue"))).To(Succeed())
			Eventually(func(g Gomega) {
				after := change.object.DeepCopyObject().(client.Object)
				g.Expect(admin.Get(ctx, key, after)).To(Succeed())
				g.Expect(after.GetGeneration()).To(BeNumerically(">", before.GetGeneration()))
				g.Expect(guardSpec(after)).To(Equal(guardSpec(before)))
				g.Expect(after.GetLabels()).To(HaveKeyWithValue(guards.Label, guards.LabelValue))
				g.Expect(told(g, name, "GuardChanged")).To(ContainElement(HaveField("Note", And(ContainSubstring(change.path), ContainSubstring("rogue")))))
				g.Expect(recorded(g)).To(ContainElement(And(ContainSubstring(" "+name+" is not as installed"), ContainSubstring(change.path), ContainSubstring("rogue"))))
				g.Expect(drifted(g, name)).To(And(HaveField("Status", metav1.ConditionFalse), HaveField("Reason", "Repaired"),
					HaveField("Message", And(ContainSubstring(" "+name+" is not as installed: "+change.path), ContainSubstring("rogue")))))
			}).WithTimeout(10 * time.Second).Should(Succeed())
		})
	}

	It("puts right the webhooks, and keeps their authority", func() {
		before := &admissionv1.ValidatingWebhookConfiguration{}
		Expect(admin.Get(ctx, client.ObjectKey{Name: guards.ConfigurationName}, before)).To(Succeed())
		changed := before.DeepCopy()
		ignore := admissionv1.Ignore
		changed.Webhooks = changed.Webhooks[1:]
		changed.Webhooks[0].FailurePolicy = &ignore
		Expect(admin.Update(ctx, changed, client.FieldOwner("rogue"))).To(Succeed())
		Eventually(func(g Gomega) {
			after := &admissionv1.ValidatingWebhookConfiguration{}
			g.Expect(admin.Get(ctx, client.ObjectKey{Name: guards.ConfigurationName}, after)).To(Succeed())
			g.Expect(after.Webhooks).To(Equal(before.Webhooks))
			g.Expect(drifted(g, "strata-releases")).To(HaveField("Message", And(ContainSubstring("ValidatingWebhookConfiguration strata is not as installed: webhooks"), ContainSubstring("rogue"))))
		}).WithTimeout(10 * time.Second).Should(Succeed())
	})

	It("puts back the stamp of who published", func() {
		policy := &admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "strata-requested-by"}}
		Expect(admin.Delete(ctx, policy)).To(Succeed())
		Eventually(func() error { return admin.Get(ctx, client.ObjectKeyFromObject(policy), policy) }).WithTimeout(10 * time.Second).Should(Succeed())
	})

	It("leaves after three repairs what is written again and again", func() {
		const name = "strata-seals"
		policy := &admissionv1.ValidatingAdmissionPolicy{}
		weaken := func() {
			Expect(admin.Get(ctx, client.ObjectKey{Name: name}, policy)).To(Succeed())
			Expect(admin.Patch(ctx, policy, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"failurePolicy":"Ignore"}}`)), client.FieldOwner("rogue"))).To(Succeed())
		}
		repaired := 1 // Above.
		Eventually(func(g Gomega) {
			for ; repaired < 3; repaired++ {
				weaken()
				g.Eventually(func() admissionv1.FailurePolicyType {
					Expect(admin.Get(ctx, client.ObjectKey{Name: name}, policy)).To(Succeed())
					return *policy.Spec.FailurePolicy
				}).WithTimeout(10 * time.Second).Should(Equal(admissionv1.Fail))
			}
		}).WithTimeout(30 * time.Second).Should(Succeed())
		weaken()
		Eventually(func(g Gomega) {
			g.Expect(told(g, name, "GuardLeft")).To(ContainElement(HaveField("Note", ContainSubstring("rogue"))))
		}).WithTimeout(10 * time.Second).Should(Succeed())
		Consistently(func() admissionv1.FailurePolicyType {
			Expect(admin.Get(ctx, client.ObjectKey{Name: name}, policy)).To(Succeed())
			return *policy.Spec.FailurePolicy
		}).WithTimeout(2 * time.Second).Should(Equal(admissionv1.Ignore))
		Expect(drifted(Default, name)).To(And(HaveField("Status", metav1.ConditionTrue), HaveField("Reason", "ChangedAgain"),
			HaveField("Message", And(ContainSubstring("spec.failurePolicy"), ContainSubstring("rogue"), ContainSubstring("put right 3 times")))))
	})

	It("leaves all alone where nobody says what was installed", func() {
		Expect(admin.Delete(ctx, installation(nil))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(told(g, guards.InstallationName, "GuardsNotCompared")).NotTo(BeEmpty())
			for _, binding := range guards.Bindings() {
				g.Expect(drifted(g, binding.Name)).To(And(HaveField("Status", metav1.ConditionUnknown), HaveField("Reason", "NotCompared")), binding.Name)
			}
		}).WithTimeout(10 * time.Second).Should(Succeed())
		binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "strata-tests"}}
		Expect(admin.Delete(ctx, binding)).To(Succeed())
		Consistently(func() bool {
			return apierrors.IsNotFound(admin.Get(ctx, client.ObjectKeyFromObject(binding), binding))
		}).WithTimeout(2 * time.Second).Should(BeTrue())

		By("and puts it back once somebody does")
		Expect(admin.Create(ctx, installation(map[string]string{"webhookURL": fmt.Sprintf("https://127.0.0.1:%d", webhookPort)}))).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(binding), binding)).To(Succeed())
			g.Expect(drifted(g, binding.Name)).To(HaveField("Reason", "Repaired"))
			g.Expect(drifted(g, "strata-pods-resize")).To(HaveField("Reason", "AsInstalled"))
		}).WithTimeout(10 * time.Second).Should(Succeed())
	})
})

func guardSpec(object client.Object) any {
	switch o := object.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		return o.Spec
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		return o.Spec
	}
	return nil
}
