package admission

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/strata-release/strata/controllers/admission/guards"
)

// An API server that begins again asks which kinds there are, often before it knows those
// of CRDs, and then not again for 30 s. A policy whose parameters are of one of them refuses
// until then all that it matches, for the sake of its rules. One without the CRDs does so
// for ever: it is what can be looked at.
var _ = Describe("An API server that does not know our kinds", func() {
	It("lets everybody write what is not of a release", func() {
		begun := &envtest.Environment{Scheme: scheme, BinaryAssetsDirectory: assets()}
		config, err := begun.Start()
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(func() { Expect(begun.Stop()).To(Succeed()) })
		admin, err := client.New(config, client.Options{Scheme: scheme})
		Expect(err).NotTo(HaveOccurred())
		Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guards.Namespace}})).To(Succeed())
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
		plain := metav1.ObjectMeta{Namespace: namespace.Name, Name: "plain", Labels: map[string]string{"app": "plain"}}
		template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: plain.Labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}}}
		deployment := &appsv1.Deployment{ObjectMeta: plain, Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: plain.Labels}, Template: template}}
		service := &corev1.Service{ObjectMeta: plain, Spec: corev1.ServiceSpec{Selector: plain.Labels, Ports: []corev1.ServicePort{{Port: 80}}}}
		ingress := &networkingv1.Ingress{ObjectMeta: plain, Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: "plain.example.com"}}}}
		for _, object := range []client.Object{namespace, deployment, service, ingress} {
			Expect(admin.Create(ctx, object)).To(Succeed())
		}

		apply(admin, guards.PoliciesFile)
		By("the policies are in force")
		ours := &corev1.Service{ObjectMeta: *plain.DeepCopy(), Spec: service.Spec}
		ours.Name, ours.Labels = "ours", map[string]string{"strata.dev/track": "shop", "strata.dev/route": "internal"}
		ours.Spec.ClusterIP, ours.Spec.ClusterIPs = "", nil
		Expect(admin.Create(ctx, ours)).To(Succeed())
		Eventually(func() error { return admin.Delete(ctx, ours, client.DryRunAll) }).WithTimeout(20 * time.Second).
			Should(MatchError(And(ContainSubstring("strata-routes"), ContainSubstring("failed to find resource referenced by paramKind"))))
		Eventually(func() error { return admin.Create(ctx, impostor("probe"), client.DryRunAll) }).WithTimeout(20 * time.Second).Should(MatchError(ContainSubstring("STRATA-072")))

		By("and what is somebody's own is written")
		for _, object := range []client.Object{deployment, service, ingress, namespace} {
			Expect(admin.Patch(ctx, object, mergePatch(`{"metadata":{"labels":{"example.com/written":"yes"}}}`))).To(Succeed(), "%T", object)
		}
		Expect(admin.Create(ctx, &corev1.Pod{ObjectMeta: plain, Spec: template.Spec})).To(Succeed())
		Expect(admin.Delete(ctx, service)).To(Succeed())
	})
})
