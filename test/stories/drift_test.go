package stories

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
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// drifts are the records of what was changed.
func (w *world) drifts(ctx context.Context, version string) []v1alpha1.ReleaseRecord {
	GinkgoHelper()
	return w.recordsOf(ctx, version, v1alpha1.EventDrift)
}

// edit changes an object as somebody whom no policy keeps from it: in this cluster there
// are none.
func (w *world) edit(ctx context.Context, object client.Object, name, change string) {
	GinkgoHelper()
	object.SetNamespace(w.namespace)
	object.SetName(name)
	Expect(w.Client.Patch(ctx, object, client.RawPatch(types.StrategicMergePatchType, []byte(change)), client.FieldOwner("rogue"))).To(Succeed())
}

const otherImage = `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"registry.example.com/evil:1"}]}}}}`

var _ = Describe("what a release owns is changed past the guards", func() {
	story("and is found within 10 s, recorded, told and put right, while traffic stays where it is", func(ctx context.Context, w *world) {
		w.goLive(ctx, w.track(), w.release("1.0.0"))
		for i, change := range []struct {
			object client.Object
			patch  string
			path   string
			by     string
		}{
			{&appsv1.Deployment{}, otherImage, "spec.template.spec.containers[0].image", "rogue ("},
			{&appsv1.Deployment{}, `{"spec":{"template":{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"now"}}}}}`, "spec.template.metadata.annotations[kubectl.kubernetes.io/restartedAt]", "rogue ("},
			{&corev1.Service{}, `{"spec":{"selector":{"app":"theirs"}}}`, "spec.selector[app]", "rogue ("},
			{&corev1.Service{}, `{"metadata":{"labels":{"strata.dev/track":null}}}`, "metadata.labels[strata.dev/track]", "nothing tells by whom"}, // Who takes a field away leaves no name.
		} {
			before, began := change.object.DeepCopyObject().(client.Object), time.Now()
			w.get(ctx, before, "shop-1-0-0-web")
			w.edit(ctx, change.object, "shop-1-0-0-web", change.patch)
			Eventually(ctx, func(g Gomega) {
				records := w.drifts(ctx, "1.0.0")
				g.Expect(records).To(HaveLen(i + 1))
				g.Expect(records[i].Spec.Message).To(And(ContainSubstring(change.path), ContainSubstring(change.by)))
				after := change.object.DeepCopyObject().(client.Object)
				w.get(ctx, after, "shop-1-0-0-web")
				g.Expect(after.GetAnnotations()).To(HaveKeyWithValue(v1alpha1.AnnotationSequence, fmt.Sprint(records[i].Spec.Sequence)))
				g.Expect(after.GetLabels()).To(Equal(before.GetLabels()))
				g.Expect(specOf(after)).To(Equal(specOf(before)))
			}).WithTimeout(10*time.Second).Should(Succeed(), change.patch)
			GinkgoWriter.Printf("%s: %s\n", change.path, time.Since(began))
		}
		w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionDrifted, And(HavePrefix("Drifted=False Repaired"), ContainSubstring("metadata.labels[strata.dev/track]")))
		w.untilTrack(ctx, v1alpha1.ConditionReady, HavePrefix("Ready=True Settled"))
		Expect(w.weights(ctx)).To(Equal("1.0.0:100"))
		Eventually(ctx, func(g Gomega) {
			events := &eventsv1.EventList{}
			g.Expect(w.Client.List(ctx, events, client.InNamespace(w.namespace))).To(Succeed())
			g.Expect(events.Items).To(ContainElement(And(HaveField("Reason", "Drifted"), HaveField("Type", "Warning"), HaveField("Regarding.Kind", "ImmutableRelease"))))
		}).Should(Succeed())
	})

	story("again and again, and is left after three repairs; the track says who writes", func(ctx context.Context, w *world) {
		w.goLive(ctx, w.track(), w.release("1.0.0"))
		for i := range 4 {
			w.edit(ctx, &appsv1.Deployment{}, "shop-1-0-0-web", otherImage)
			Eventually(ctx, func() int { return len(w.drifts(ctx, "1.0.0")) }).WithTimeout(10 * time.Second).Should(Equal(i + 1))
			if i == 3 {
				break
			}
			Eventually(ctx, func(g Gomega) {
				after := &appsv1.Deployment{}
				w.get(ctx, after, "shop-1-0-0-web")
				g.Expect(after.Spec.Template.Spec.Containers[0].Image).To(Equal(w.AppImage))
			}).WithTimeout(10 * time.Second).Should(Succeed())
		}
		w.untilTrack(ctx, v1alpha1.ConditionStalled, And(HavePrefix("Stalled=True ChangedAgain"), ContainSubstring("rogue (")))
		w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionDrifted, HavePrefix("Drifted=True ChangedAgain"))
		Expect(w.weights(ctx)).To(Equal("1.0.0:100"))
		writes := w.operators[0].Writes()
		Consistently(ctx, func() int64 { return w.operators[0].Writes() }).WithTimeout(3 * time.Second).Should(Equal(writes))
	})

	story("in a pod, which is replaced once", func(ctx context.Context, w *world) {
		w.goLive(ctx, w.track(), w.release("1.0.0"))
		pods, err := w.Pods(ctx, w.namespace, "1.0.0")
		Expect(err).NotTo(HaveOccurred())
		pod := pods[0]
		w.edit(ctx, &corev1.Pod{}, pod.Name, `{"spec":{"containers":[{"name":"app","image":"registry.example.com/evil:1"}]}}`)
		Eventually(ctx, func(g Gomega) {
			records := w.drifts(ctx, "1.0.0")
			g.Expect(records).To(HaveLen(1))
			g.Expect(records[0].Spec.Reason).To(Equal("PodChanged"))
			now, err := w.Pods(ctx, w.namespace, "1.0.0")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(now).To(HaveLen(len(pods)), "as many as before")
			g.Expect(now).NotTo(ContainElement(HaveField("UID", pod.UID)), "it was not evicted")
		}).WithTimeout(10 * time.Second).Should(Succeed())
		w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionDrifted, HavePrefix("Drifted=False Repaired"))
		Expect(w.drifts(ctx, "1.0.0")).To(HaveLen(1))
	})
})

// rewrite puts another object in the place of one that nobody can edit.
func (w *world) rewrite(ctx context.Context, there, instead client.Object) {
	GinkgoHelper()
	Expect(w.Client.Delete(ctx, there, client.Preconditions{UID: ptr.To(there.GetUID())})).To(Succeed())
	instead.SetResourceVersion("")
	instead.SetUID("")
	w.create(ctx, instead)
}

var _ = Describe("snapshots are changed past the guards", func() {
	story("and what is missing is made again as it was; what has another content takes no traffic, and nothing tells of the content", func(ctx context.Context, w *world) {
		const canary = "canary-2b9e4d"
		w.create(ctx, w.configMap("settings", "hello"), w.secret("password", canary))
		w.goLive(ctx, w.track(), w.release("1.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "settings"), readsSecret("password")))
		w.create(ctx, w.release("2.0.0", harness.Greeting(v1alpha1.ConfigMapKind, "settings"), readsSecret("password")))
		w.untilSettled(ctx, "2.0.0")

		By("a Secret of the warm release gets another content: it is not gone back to, and not kept")
		configMaps, secrets := w.copies(ctx, "1.0.0")
		other := secrets[0].DeepCopy()
		other.Data = map[string][]byte{"word": []byte(canary + "-other")}
		w.rewrite(ctx, &secrets[0], other)
		w.restartOperator()
		moves := w.moves()
		action := w.act(ctx, v1alpha1.ActionRollback, "1.0.0")
		Eventually(ctx, func(g Gomega) {
			w.get(ctx, action, action.Name)
			g.Expect(action.Status.Outcome).To(Equal(v1alpha1.ActionRefused))
			g.Expect(action.Status.Message).To(And(ContainSubstring(other.Name), ContainSubstring("data[word]"), ContainSubstring("publish a new release")))
		}).Should(Succeed())
		Eventually(ctx, func() []v1alpha1.ReleaseRecord { return w.recordsOf(ctx, "1.0.0", v1alpha1.EventRetired) }).Should(HaveLen(1))
		Expect(w.drifts(ctx, "1.0.0")).To(ConsistOf(HaveField("Spec.Message", And(ContainSubstring(other.Name), ContainSubstring("data[word]")))))
		Expect(w.moves()).To(Equal(moves))

		By("it is what it was again, and a ConfigMap is missing instead: that is made again")
		w.rewrite(ctx, other, secrets[0].DeepCopy())
		Expect(w.Client.Delete(ctx, &configMaps[0])).To(Succeed())
		w.act(ctx, v1alpha1.ActionRollback, "1.0.0")
		w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventRolledBack)
		Eventually(ctx, func(g Gomega) {
			again, _ := w.copies(ctx, "1.0.0")
			g.Expect(again).To(HaveLen(1))
			g.Expect(again[0].UID).NotTo(Equal(configMaps[0].UID))
			g.Expect(again[0].Name).To(Equal(configMaps[0].Name))
			g.Expect(again[0].Data).To(Equal(configMaps[0].Data))
			g.Expect(again[0].Immutable).To(HaveValue(BeTrue()))
			g.Expect(again[0].OwnerReferences).To(Equal(configMaps[0].OwnerReferences))
		}).Should(Succeed())
		Expect(w.drifts(ctx, "1.0.0")).To(ContainElement(HaveField("Spec.Message", And(ContainSubstring(configMaps[0].Name), ContainSubstring("is missing")))))
		w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionDrifted, HavePrefix("Drifted=False Repaired"))
		for where, text := range w.written(ctx) {
			Expect(text).NotTo(ContainSubstring(canary), where)
		}
	})
})

func specOf(object client.Object) any {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return o.Spec
	case *corev1.Service:
		return o.Spec
	}
	return nil
}

// A mutating policy stands for a mutating webhook: it is the same to whoever creates.
var _ = Describe("a Deployment is changed on its way into the cluster", func() {
	story("and gets no traffic; the release says what was changed", func(ctx context.Context, w *world) {
		w.goLive(ctx, w.track(), w.release("1.0.0"))
		w.injectInto(ctx)
		w.create(ctx, w.release("2.0.0"))
		verdict := w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventFailed)
		Expect(verdict.Spec.Reason).To(Equal("ChildMutated"))
		Expect(verdict.Spec.Message).To(And(ContainSubstring("Deployment shop-2-0-0-web"), ContainSubstring("spec.template.spec.hostNetwork is true"), ContainSubstring("mutating webhook or policy")))
		Expect(w.moves()).To(Equal([]string{"1.0.0:100"}))
		Expect(w.drifts(ctx, "2.0.0")).To(BeEmpty())
	})
})

// injectInto lets a policy change the Deployments that are created in the namespace.
func (w *world) injectInto(ctx context.Context) {
	GinkgoHelper()
	name, never, fail := w.namespace, admissionv1.NeverReinvocationPolicy, admissionv1.Fail
	policy := &admissionv1.MutatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionv1.MutatingAdmissionPolicySpec{
		FailurePolicy: &fail, ReinvocationPolicy: never,
		MatchConstraints: &admissionv1.MatchResources{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
			ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule:       admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
			}}},
		},
		Mutations: []admissionv1.Mutation{{PatchType: admissionv1.PatchTypeApplyConfiguration, ApplyConfiguration: &admissionv1.ApplyConfiguration{
			Expression: `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{hostNetwork: true}}}}`,
		}}},
	}}
	binding := &admissionv1.MutatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name}}
	w.create(ctx, policy, binding)
	DeferCleanup(func(ctx SpecContext) {
		Expect(w.Client.Delete(ctx, binding)).To(Succeed())
		Expect(w.Client.Delete(ctx, policy)).To(Succeed())
	})
	probe := &appsv1.Deployment{}
	w.get(ctx, probe, harness.ReleaseName("1.0.0")+"-web")
	Eventually(ctx, func(g Gomega) {
		created := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "probe"}, Spec: *probe.Spec.DeepCopy()}
		g.Expect(w.Client.Create(ctx, created, client.DryRunAll)).To(Succeed())
		g.Expect(created.Spec.Template.Spec.HostNetwork).To(BeTrue())
	}).Should(Succeed())
}
