package admission

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/strata-release/strata/controllers/admission"
	"github.com/strata-release/strata/controllers/admission/certs"
	"github.com/strata-release/strata/controllers/admission/guards"
)

var _ = Describe("The certificate of the webhook", func() {
	const name = "strata-short"

	// replica runs one more replica of the operator.
	replica := func(port int) {
		mgr, err := ctrl.NewManager(config, ctrl.Options{Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Controller: ctrlOptions()})
		Expect(err).NotTo(HaveOccurred())
		Expect(admission.Setup(mgr, admission.Options{
			Host: "127.0.0.1", Port: port, Hosts: []string{"127.0.0.1"}, SecretName: name, ConfigurationName: name,
			Lifetimes: certs.Lifetimes{Authority: 18 * time.Second, Serving: 8 * time.Second, SettleTime: 2 * time.Second},
		})).To(Succeed())
		running, stop := context.WithCancel(ctx)
		stopped := make(chan struct{})
		go func() {
			defer GinkgoRecover()
			defer close(stopped)
			Expect(mgr.Start(running)).To(Succeed())
		}()
		DeferCleanup(func() { stop(); Eventually(stopped).WithTimeout(90 * time.Second).Should(BeClosed()) })
	}

	// calls sends the tracks of one namespace to both replicas.
	calls := func(namespace string, ports ...int) {
		configuration := &admissionv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: name}}
		for i, port := range ports {
			address := fmt.Sprintf("https://127.0.0.1:%d%s", port, guards.PathTrack)
			webhook := guards.ValidatingWebhooks(guards.InCluster).Webhooks[1]
			webhook.Name = fmt.Sprintf("replica%d.tracks.strata.dev", i)
			webhook.ClientConfig = admissionv1.WebhookClientConfig{URL: &address}
			webhook.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}}
			configuration.Webhooks = append(configuration.Webhooks, webhook)
		}
		Expect(admin.Create(ctx, configuration)).To(Succeed())
		DeferCleanup(func() { Expect(admin.Delete(ctx, configuration)).To(Succeed()) })
	}

	It("is replaced in time, by two replicas at once, without one failed call", func() {
		namespace, first, second := newNamespace(), freePort(), freePort()
		replica(first)
		replica(second)
		calls(namespace, first, second)
		ask := func() error { return admin.Create(ctx, newTrack(namespace, "probe"), client.DryRunAll) }
		Eventually(ask).WithTimeout(10 * time.Second).Should(Succeed())

		certificates, bundles, asked := map[string]bool{}, map[string]bool{}, 0
		for end := time.Now().Add(30 * time.Second); time.Now().Before(end); asked++ {
			Expect(ask()).To(Succeed(), "call %d", asked)
			var secret corev1.Secret
			Expect(admin.Get(ctx, client.ObjectKey{Namespace: guards.Namespace, Name: name}, &secret)).To(Succeed())
			certificates[string(secret.Data[corev1.TLSCertKey])] = true
			bundles[string(secret.Data["ca.crt"])] = true
			time.Sleep(20 * time.Millisecond)
		}
		GinkgoWriter.Printf("%d calls, %d certificates, %d bundles\n", asked, len(certificates), len(bundles))
		Expect(len(certificates)).To(BeNumerically(">=", 4))
		Expect(len(bundles)).To(BeNumerically(">=", 3))
	})

	It("is put back where somebody removes it from the configuration, or the Secret", func() {
		configuration := func() *admissionv1.ValidatingWebhookConfiguration {
			var c admissionv1.ValidatingWebhookConfiguration
			Expect(admin.Get(ctx, client.ObjectKey{Name: guards.ConfigurationName}, &c)).To(Succeed())
			return &c
		}
		changed := configuration()
		before := changed.Webhooks[0].ClientConfig.CABundle
		changed.Webhooks[0].ClientConfig.CABundle = nil
		Expect(admin.Update(ctx, changed)).To(Succeed())
		Eventually(func() []byte { return configuration().Webhooks[0].ClientConfig.CABundle }).Should(Equal(before))

		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: guards.Namespace, Name: guards.ServiceName + "-tls"}}
		Expect(admin.Delete(ctx, secret)).To(Succeed())
		Eventually(func() string { return string(configuration().Webhooks[0].ClientConfig.CABundle) }).
			Should(And(Not(Equal(string(before))), HavePrefix("-----BEGIN CERTIFICATE")))
		namespace := newNamespace()
		Eventually(func() error { return admin.Create(ctx, newTrack(namespace, "probe"), client.DryRunAll) }).Should(Succeed())
		Expect(strings.Count(string(configuration().Webhooks[0].ClientConfig.CABundle), "BEGIN")).To(Equal(1))
	})
})
