package admission

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/attempts"
)

// person is somebody who may do all that RBAC can grant.
type person struct {
	client.Client
	typed kubernetes.Interface
}

func personOf(name string, groups ...string) person {
	GinkgoHelper()
	user := rest.ImpersonationConfig{UserName: name, Groups: append(groups, "system:masters", "system:authenticated")}
	impersonating := rest.CopyConfig(config)
	impersonating.Impersonate = user
	typed, err := kubernetes.NewForConfig(impersonating)
	Expect(err).NotTo(HaveOccurred())
	return person{as(user), typed}
}

// enter asks for a connection. Without a kubelet none is made: nil says that admission
// let it through.
func (p person) enter(namespace, pod, subresource string) error {
	err := p.typed.CoreV1().RESTClient().Post().RequestURI("/api/v1/namespaces/" + namespace + "/pods/" + pod + "/" + subresource).Do(ctx).Error()
	Expect(err).To(HaveOccurred(), "there is no kubelet here")
	if apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "does not have a host assigned") {
		return nil // It was let through, and has no node to go to.
	}
	return err
}

const shell = "exec?command=sh&container=app&stdout=1"

var _ = Describe("A BreakGlass", func() {
	var w *attempts.World
	var jane, bob person
	BeforeEach(func() {
		w = running("shop-1")
		jane, bob = personOf("jane", "oncall", "sre"), personOf("bob")
	})
	let := func(name, breakGlass string) {
		GinkgoHelper()
		policy := object("", "apiVersion: strata.dev/v1alpha1\nkind: ReleasePolicy\nmetadata: {name: "+w.Namespace+"-"+name+"}\nspec:\n  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "+w.Namespace+"}}\n  breakGlass: "+breakGlass+"\n")
		Expect(admin.Create(ctx, policy)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, policy)).To(Succeed()) })
	}
	action := func(by string, change ...func(*v1alpha1.ReleaseActionSpec)) *v1alpha1.ReleaseAction {
		a := &v1alpha1.ReleaseAction{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, GenerateName: "glass-"}, Spec: v1alpha1.ReleaseActionSpec{
			TrackName: w.Track, ReleaseName: w.Release, Action: v1alpha1.ActionBreakGlass, Requester: by, Reason: "it hangs", Ticket: "OPS-7", DurationSeconds: ptr.To(int32(600)),
		}}
		for _, c := range change {
			c(&a.Spec)
		}
		return a
	}
	// open notes on the namespace what the operator would.
	open := func(lines string) {
		GinkgoHelper()
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
		Expect(operator.Patch(ctx, namespace, mergePatch(fmt.Sprintf(`{"metadata":{"annotations":{"strata.dev/opened.shop":%s}}}`, lines)))).To(Succeed())
	}
	lineOf := func(a *v1alpha1.ReleaseAction, end time.Time) string {
		return fmt.Sprintf("%q", "shop-1 "+a.Name+" "+end.UTC().Format(time.RFC3339)+" "+a.Spec.Requester)
	}
	inAnHour := time.Now().Add(time.Hour)

	It("is refused unless every policy that speaks of it lets the user, for so long, with a ticket", func() {
		create := func(who person, a *v1alpha1.ReleaseAction) error { return who.Create(ctx, a, client.DryRunAll) }
		Expect(create(jane, action("jane"))).To(MatchError(ContainSubstring("spec.action: Forbidden: no ReleasePolicy of the namespace has spec.breakGlass: nobody may")))
		let("one", "{groups: [oncall], maxSeconds: 600}")
		Eventually(func() error { return create(jane, action("jane")) }).Should(Succeed())
		Expect(create(bob, action("bob"))).To(MatchError(ContainSubstring("ReleasePolicy " + w.Namespace + "-one lets members of oncall alone, and the user is none")))
		Expect(create(jane, action("bob"))).To(MatchError(ContainSubstring("STRATA-008")))
		Expect(create(jane, action("jane", func(s *v1alpha1.ReleaseActionSpec) { s.Ticket = "" }))).To(MatchError(ContainSubstring("spec.ticket: Required value: ReleasePolicy " + w.Namespace + "-one asks for a ticket")))
		Expect(create(jane, action("jane", func(s *v1alpha1.ReleaseActionSpec) { s.DurationSeconds = nil }))).To(MatchError(ContainSubstring("spec.durationSeconds: Invalid value: 3600: must be at most 600 by ReleasePolicy " + w.Namespace + "-one (what it is when unset)")))
		Expect(create(jane, action("jane", func(s *v1alpha1.ReleaseActionSpec) { s.ReleaseName = "shop-9" }))).To(MatchError(ContainSubstring(`spec.releaseName: Not found: "shop-9"`)))
		let("two", "{groups: [security, oncall], ticket: NotRequired, maxSeconds: 60}")
		Eventually(func() error { return create(jane, action("jane")) }).Should(MatchError(ContainSubstring("must be at most 60 by ReleasePolicy " + w.Namespace + "-two")))
		let("three", "{groups: [security]}")
		Eventually(func() error { return create(jane, action("jane")) }).Should(MatchError(ContainSubstring("ReleasePolicy " + w.Namespace + "-three lets members of security alone")))
	})

	It("opens the pods of its release to its user alone, and every use is written down", func() {
		let("one", "{groups: [oncall]}")
		a := action("jane")
		Eventually(func() error { return jane.Create(ctx, a) }).Should(Succeed())
		Expect(jane.enter(w.Namespace, w.Pod, shell)).To(MatchError(ContainSubstring("STRATA-050")), "not open yet")
		open(lineOf(a, inAnHour))
		Eventually(func() error { return jane.enter(w.Namespace, w.Pod, shell) }).Should(Succeed())
		Expect(jane.enter(w.Namespace, w.Pod, "attach?container=app&stdout=1")).To(Succeed())
		Expect(jane.enter(w.Namespace, w.Pod, "portforward?ports=8080")).To(Succeed())

		Expect(bob.enter(w.Namespace, w.Pod, shell)).To(MatchError(ContainSubstring("STRATA-050")))
		Expect(personOf("mary jane", "oncall").enter(w.Namespace, w.Pod, shell)).To(MatchError(ContainSubstring("STRATA-050")), "the end of her name is another's")
		Expect(personOf("jane", "sre").enter(w.Namespace, w.Pod, shell)).To(MatchError(ContainSubstring("the user is none")), "she is not on call any more")
		Expect(jane.enter(w.Namespace, "shop-2-web-5d8f-x", shell)).To(MatchError(ContainSubstring("STRATA-050")))
		Expect(jane.enter(w.Namespace, "shop-1-none", shell)).To(MatchError(ContainSubstring("there is none of that name")))
		Expect(jane.enter(w.Namespace, w.Pod, "proxy")).To(MatchError(ContainSubstring("STRATA-051")))
		Expect(jane.Delete(ctx, a)).To(MatchError(ContainSubstring("STRATA-057")))
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: w.Pod}}
		Expect(jane.Patch(ctx, pod, mergePatch(`{"metadata":{"labels":{"team":"x"}}}`))).To(MatchError(ContainSubstring("STRATA-018")))

		Expect(admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
		var ways []v1alpha1.AccessWay
		for i, use := range a.Status.Uses {
			ways = append(ways, use.Way)
			Expect(use.PodName).To(Equal(w.Pod))
			Expect(use.PodUID).To(Equal(pod.UID))
			Expect(use.ComponentName).To(Equal("web"))
			Expect(i == 0 || use.Time.After(a.Status.Uses[i-1].Time.Time)).To(BeTrue())
		}
		Expect(ways).To(Equal([]v1alpha1.AccessWay{v1alpha1.AccessExec, v1alpha1.AccessAttach, v1alpha1.AccessPortForward}))
		Expect(a.Status.Uses[0].ContainerName).To(Equal("app"))
	})

	It("opens kubectl debug, without privileges, and writes nothing down on a dry run", func() {
		let("one", "{groups: [oncall]}")
		a := action("jane")
		Eventually(func() error { return jane.Create(ctx, a) }).Should(Succeed())
		open(lineOf(a, inAnHour))
		debug := func(security *corev1.SecurityContext, options ...client.SubResourceUpdateOption) error {
			pod := &corev1.Pod{}
			Expect(admin.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: w.Pod}, pod)).To(Succeed())
			pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: fmt.Sprintf("debugger-%d", len(pod.Spec.EphemeralContainers)), Image: image, SecurityContext: security, TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullIfNotPresent,
			}})
			return jane.SubResource("ephemeralcontainers").Update(ctx, pod, options...)
		}
		addContainers := func(n int) error {
			pod := &corev1.Pod{}
			Expect(admin.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: w.Pod}, pod)).To(Succeed())
			for i := range n {
				pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
					Name: fmt.Sprintf("one-of-%d", i), Image: image, TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullIfNotPresent,
				}})
			}
			return jane.SubResource("ephemeralcontainers").Update(ctx, pod)
		}
		uses := func() []v1alpha1.AccessUse {
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(a), a)).To(Succeed())
			return a.Status.Uses
		}
		Eventually(func() error { return debug(nil, client.DryRunAll) }).Should(Succeed())
		Expect(uses()).To(BeEmpty())
		for _, security := range []*corev1.SecurityContext{
			{Privileged: ptr.To(true)},
			{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_ADMIN"}}},
			{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined}},
			{AppArmorProfile: &corev1.AppArmorProfile{Type: corev1.AppArmorProfileTypeUnconfined}},
		} {
			Expect(debug(security)).To(MatchError(ContainSubstring("STRATA-056")), "%v", security)
		}
		Expect(addContainers(2)).To(MatchError(ContainSubstring("STRATA-019: pod " + w.Pod + " is not open to jane: 2 containers are added at once")))
		Expect(uses()).To(BeEmpty())
		Expect(debug(&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}}})).To(Succeed())
		Expect(uses()).To(HaveLen(1))
		Expect(uses()[0].Way).To(Equal(v1alpha1.AccessDebug))
		Expect(uses()[0].ContainerName).To(Equal("debugger-0"))

		By("what a policy denies releases, it denies here")
		strict := object("", "apiVersion: strata.dev/v1alpha1\nkind: ReleasePolicy\nmetadata: {name: "+w.Namespace+"-strict}\nspec: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "+w.Namespace+"}}, privileges: {addedCapabilities: Deny}}\n")
		Expect(admin.Create(ctx, strict)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, strict)).To(Succeed()) })
		Eventually(func() error {
			return debug(&corev1.SecurityContext{Capabilities: &corev1.Capabilities{Add: []corev1.Capability{"SYS_PTRACE"}}}, client.DryRunAll)
		}).Should(MatchError(And(ContainSubstring("privileges.addedCapabilities"), ContainSubstring("--profile=restricted"))))
		Expect(debug(nil, client.DryRunAll)).To(Succeed())
	})

	It("opens no pod of a test, nothing after its end, and nothing by another action of its name", func() {
		let("one", "{groups: [oncall]}")
		a := action("jane")
		Eventually(func() error { return jane.Create(ctx, a) }).Should(Succeed())
		open(lineOf(a, inAnHour))
		Eventually(func() error { return jane.enter(w.Namespace, w.Pod, shell) }).Should(Succeed())
		test := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: "shop-1-probe", Labels: map[string]string{
			v1alpha1.LabelTrack: "shop", v1alpha1.LabelRelease: "shop-1", v1alpha1.LabelTest: "probe",
		}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}}}
		test.OwnerReferences = []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: w.Job, UID: "f0f1", Controller: ptr.To(true)}}
		Expect(controllerOf("job-controller").Create(ctx, test)).To(Succeed())
		Expect(jane.enter(w.Namespace, test.Name, shell)).To(MatchError(ContainSubstring("it runs a test")))

		open(lineOf(a, time.Now().Add(-time.Second)))
		Eventually(func() error { return jane.enter(w.Namespace, w.Pod, shell) }).Should(MatchError(ContainSubstring("the access of " + a.Name + " ended at")))
		other := action("jane", func(s *v1alpha1.ReleaseActionSpec) {
			s.Action, s.Ticket, s.DurationSeconds = v1alpha1.ActionRollback, "", nil
		})
		Expect(jane.Create(ctx, other)).To(Succeed())
		open(lineOf(other, inAnHour))
		Eventually(func() error { return jane.enter(w.Namespace, w.Pod, shell) }).Should(MatchError(ContainSubstring("is another one than that which opened it")))
		open("null")
		Eventually(func() error { return jane.enter(w.Namespace, w.Pod, shell) }).Should(MatchError(ContainSubstring("nobody enters its pods")))
	})

	It("opens nothing while nobody writes uses down, and what else is not guarded stays as it is", Serial, func() {
		let("one", "{groups: [oncall]}")
		a := action("jane")
		Eventually(func() error { return jane.Create(ctx, a) }).Should(Succeed())
		open(lineOf(a, inAnHour))
		Eventually(func() error { return jane.enter(w.Namespace, w.Pod, shell) }).Should(Succeed())
		elsewhere := newNamespace()
		plain := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Name: "plain"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}}}
		Expect(admin.Create(ctx, plain)).To(Succeed())
		endWebhook()
		defer func() {
			startWebhook()
			waitUntilGuarded()
		}()
		Expect(jane.enter(w.Namespace, w.Pod, shell)).To(MatchError(ContainSubstring("interactive.strata.dev")))
		Expect(bob.enter(w.Namespace, w.Pod, shell)).To(MatchError(ContainSubstring("STRATA-050")))
		Expect(bob.enter(elsewhere, "plain", shell)).To(Succeed())
		plain.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debugger", Image: image, TerminationMessagePolicy: corev1.TerminationMessageReadFile, ImagePullPolicy: corev1.PullIfNotPresent,
		}}}
		Expect(bob.SubResource("ephemeralcontainers").Update(ctx, plain)).To(Succeed())
	})
})

var _ = Describe("A namespace in which a policy denies interactive access", func() {
	It("is guarded for as long, if it has a track, and nobody but the operator says so", func() {
		namespace := newNamespace()
		policy := object("", "apiVersion: strata.dev/v1alpha1\nkind: ReleasePolicy\nmetadata: {name: "+namespace+"}\nspec: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "+namespace+"}}, interactiveAccess: Deny}\n")
		Expect(admin.Create(ctx, policy)).To(Succeed())
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "plain"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}}}
		Expect(admin.Create(ctx, pod)).To(Succeed())
		guard := func() string {
			GinkgoHelper()
			noteTrack(namespace)
			now := &corev1.Namespace{}
			Expect(admin.Get(ctx, client.ObjectKey{Name: namespace}, now)).To(Succeed())
			return now.Labels[v1alpha1.LabelGuarded]
		}
		label := func(by client.Client, value string) error {
			return by.Patch(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, mergePatch(`{"metadata":{"labels":{"strata.dev/guarded":`+value+`}}}`))
		}
		jane := personOf("jane")
		Expect(guard()).To(BeEmpty(), "there is no track")
		Expect(jane.enter(namespace, "plain", shell)).To(Succeed())
		track := newTrack(namespace, "shop")
		Expect(admin.Create(ctx, track)).To(Succeed())
		Expect(guard()).To(Equal("policy"))
		Eventually(func() error { return jane.enter(namespace, "plain", shell) }).Should(MatchError(ContainSubstring("STRATA-050")))
		for _, value := range []string{"null", `"true"`} {
			Expect(label(admin, value)).To(MatchError(ContainSubstring("STRATA-058")))
		}
		Expect(admin.Delete(ctx, policy)).To(Succeed())
		Expect(guard()).To(BeEmpty())
		Expect(label(admin, `"policy"`)).To(MatchError(ContainSubstring("STRATA-058")))
		Expect(label(operator, `"true"`)).To(MatchError(ContainSubstring("STRATA-055")))
		Expect(label(admin, `"true"`)).To(Succeed())
		Expect(guard()).To(Equal("true"), "what people put there stays")
		Expect(label(operator, "null")).To(MatchError(ContainSubstring("STRATA-055")))
	})
})
