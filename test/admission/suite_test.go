package admission

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers"
	"github.com/strata-release/strata/controllers/admission"
	"github.com/strata-release/strata/controllers/admission/guards"
)

var (
	ctx     = context.Background()
	scheme  = runtime.NewScheme()
	cluster *envtest.Environment
	config  *rest.Config
	// admin is the cluster administrator, operator the operator itself.
	admin, operator client.Client
	kubeconfig      string
	webhookPort     int
	stopWebhook     context.CancelFunc
	webhookStopped  chan struct{}
)

func TestAdmission(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Admission")
}

var _ = BeforeSuite(func() {
	log.SetLogger(zap.New(zap.WriteTo(GinkgoWriter)))
	Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	cluster = &envtest.Environment{
		Scheme:                scheme,
		CRDDirectoryPaths:     []string{repository("config/crd/bases"), repository("controllers/traffic/providers/testdata/crds")},
		ErrorIfCRDPathMissing: true,
		BinaryAssetsDirectory: assets(),
	}
	var err error
	config, err = cluster.Start()
	Expect(err).NotTo(HaveOccurred())
	config.QPS, config.Burst = 1000, 1000
	DeferCleanup(func() { Expect(cluster.Stop()).To(Succeed()) })

	admin, err = client.New(config, client.Options{Scheme: scheme})
	Expect(err).NotTo(HaveOccurred())
	operator = as(operatorUser())
	user, err := cluster.AddUser(envtest.User{Name: "administrator", Groups: []string{"system:masters"}}, nil)
	Expect(err).NotTo(HaveOccurred())
	data, err := user.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	kubeconfig = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(kubeconfig, data, 0o600)).To(Succeed())

	Expect(admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: guards.Namespace}})).To(Succeed())
	for _, file := range []string{"config/rbac/service_account.yaml", "config/rbac/role.yaml", "config/rbac/role_binding.yaml", "config/rbac/user_roles.yaml", guards.PoliciesFile} {
		install(file)
	}
	anotherLeads()
	webhookPort = freePort()
	startWebhook()
	install(guards.WebhooksFile)
	waitUntilGuarded()
})

var _ = AfterSuite(func() {
	if stopWebhook != nil {
		endWebhook()
	}
})

// assets is where etcd, kube-apiserver and kubectl are.
func assets() string {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir
	}
	return repository("bin/cluster")
}

func repository(path string) string {
	absolute, err := filepath.Abs(filepath.Join("..", "..", path))
	Expect(err).NotTo(HaveOccurred())
	return absolute
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

const leaderLease = "strata-leader"

// anotherLeads gives the Lease to another replica for the whole test: this one
// must serve all the same.
func anotherLeads() {
	holder, seconds, now := "another-replica", int32(3600), metav1.NowMicro()
	Expect(admin.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: guards.Namespace, Name: leaderLease},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, AcquireTime: &now, RenewTime: &now},
	})).To(Succeed())
}

// noteTrack has the operator note on a namespace that it has a track, and what else
// admission has to know of it.
func noteTrack(namespace string) {
	GinkgoHelper()
	_, err := controllers.NewNamespaces(operator, operator).Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKey{Name: namespace}})
	Expect(err).NotTo(HaveOccurred())
}

// startWebhook runs the webhook as the operator does, with its own role.
func startWebhook() {
	mgr, err := ctrl.NewManager(operatorConfig(), ctrl.Options{
		Scheme:           scheme,
		Metrics:          metricsserver.Options{BindAddress: "0"},
		LeaderElection:   true,
		LeaderElectionID: leaderLease, LeaderElectionNamespace: guards.Namespace,
		Controller: ctrlOptions(),
	})
	Expect(err).NotTo(HaveOccurred())
	Expect(admission.Setup(mgr, admission.Options{Host: "127.0.0.1", Port: webhookPort, Hosts: []string{"127.0.0.1"}})).To(Succeed())
	var running context.Context
	running, stopWebhook = context.WithCancel(ctx)
	webhookStopped = make(chan struct{})
	go func() {
		defer GinkgoRecover()
		defer close(webhookStopped)
		Expect(mgr.Start(running)).To(Succeed())
	}()
}

func endWebhook() {
	stopWebhook()
	Eventually(webhookStopped).WithTimeout(90 * time.Second).Should(BeClosed())
	stopWebhook = nil
}

// install applies a manifest of the repository, the webhook by address.
func install(file string) { apply(admin, file) }

func apply(by client.Client, file string) {
	GinkgoHelper()
	data, err := os.ReadFile(repository(file))
	Expect(err).NotTo(HaveOccurred())
	for _, document := range bytes.Split(data, []byte("\n---")) {
		object := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal(document, &object.Object)).To(Succeed(), file)
		if len(object.Object) == 0 {
			continue
		}
		byAddress(object)
		Expect(by.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("test"), client.ForceOwnership)).To(Succeed(), file)
	}
}

// byAddress calls the webhook where this process serves it.
func byAddress(object *unstructured.Unstructured) {
	webhooks, found, err := unstructured.NestedSlice(object.Object, "webhooks")
	Expect(err).NotTo(HaveOccurred())
	if !found {
		return
	}
	for _, webhook := range webhooks {
		called := webhook.(map[string]any)["clientConfig"].(map[string]any)
		path, _, err := unstructured.NestedString(called, "service", "path")
		Expect(err).NotTo(HaveOccurred())
		delete(called, "service")
		called["url"] = fmt.Sprintf("https://127.0.0.1:%d%s", webhookPort, path)
	}
	Expect(unstructured.SetNestedSlice(object.Object, webhooks, "webhooks")).To(Succeed())
}

// waitUntilGuarded waits until the API server has taken up policies and webhook,
// and the webhook's certificate has been made known to it.
func waitUntilGuarded() {
	namespace := newNamespace()
	Eventually(func(g Gomega) {
		var config admissionv1.ValidatingWebhookConfiguration
		g.Expect(admin.Get(ctx, client.ObjectKey{Name: guards.ConfigurationName}, &config)).To(Succeed())
		for _, webhook := range config.Webhooks {
			g.Expect(webhook.ClientConfig.CABundle).NotTo(BeEmpty())
		}
		// Refused by the webhook.
		track := newTrack(namespace, "probe")
		track.Spec.Traffic = &v1alpha1.TrafficSpec{Routes: []v1alpha1.Route{{
			Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteIngress,
			Ingress: &v1alpha1.IngressRoute{Dialect: v1alpha1.DialectALB, Name: "shop", ClassName: "alb", Rules: []v1alpha1.IngressRule{{Host: "shop.example.com"}},
				Annotations: map[string]v1alpha1.AnnotationValue{"alb.ingress.kubernetes.io/target-type": "instance"}},
		}}}
		g.Expect(admin.Create(ctx, track)).To(MatchError(ContainSubstring("readiness gates are of pods")))
		// Refused by the last policy of the table.
		deployment := versioned(namespace, "probe-1", "web")
		g.Expect(client.IgnoreAlreadyExists(operator.Create(ctx, deployment))).To(Succeed())
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
		deployment.Status.Replicas = 7
		g.Expect(admin.Status().Update(ctx, deployment)).To(MatchError(ContainSubstring("STRATA-013")))
		g.Expect(admin.Create(ctx, impostor("probe"), client.DryRunAll)).To(MatchError(ContainSubstring("STRATA-072")))
		// Stamped.
		rel := newRelease(namespace, "probe-1", "probe", "1")
		g.Expect(admin.Create(ctx, rel, client.DryRunAll)).To(Succeed())
		g.Expect(rel.Annotations).To(HaveKey(v1alpha1.AnnotationRequestedBy))
	}).WithTimeout(30 * time.Second).WithPolling(200 * time.Millisecond).Should(Succeed())
}

// impostor is a pod that runs as the operator.
func impostor(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: guards.Namespace, Name: name},
		Spec:       corev1.PodSpec{ServiceAccountName: guards.ServiceAccount, Containers: []corev1.Container{{Name: "manager", Image: image}}},
	}
}

// kubectl runs a command as the cluster administrator.
func kubectl(environment []string, args ...string) (string, error) {
	command := exec.Command(filepath.Join(assets(), "kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...)
	command.Env = append(os.Environ(), environment...)
	output, err := command.CombinedOutput()
	return string(output), err
}

// withoutPolicies runs a test with the bindings of the policies gone.
func withoutPolicies(test func()) {
	for _, binding := range guards.Bindings() {
		Expect(admin.Delete(ctx, binding)).To(Succeed())
	}
	defer func() {
		install(guards.PoliciesFile)
		waitUntilGuarded()
	}()
	// The last of them is gone when the status of a Deployment can be written.
	namespace := newNamespace()
	deployment := versioned(namespace, "probe-1", "web")
	Expect(operator.Create(ctx, deployment)).To(Succeed())
	Eventually(func(g Gomega) {
		g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(deployment), deployment)).To(Succeed())
		deployment.Status.Replicas++
		g.Expect(admin.Status().Update(ctx, deployment)).To(Succeed())
		g.Expect(admin.Create(ctx, newRelease("kube-system", "probe-1", "probe", "1"), client.DryRunAll)).To(Succeed())
		g.Expect(admin.Create(ctx, impostor("probe"), client.DryRunAll)).To(Succeed())
	}).WithTimeout(20 * time.Second).Should(Succeed())
	test()
}
