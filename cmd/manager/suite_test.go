package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

// operatorUser is whom the replicas of these stories authenticate as. It has the
// roles of config/rbac and nothing else.
const operatorUser = "system:serviceaccount:strata-system:strata"

var (
	program    string // the manager, built
	admin      client.Client
	kubeconfig string // of operatorUser
)

func TestManager(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	RunSpecs(t, "The manager, as a program")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	scratch := GinkgoT().TempDir()
	program = filepath.Join(scratch, "manager")
	build, err := exec.CommandContext(ctx, "go", "build", "-o", program, ".").CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(build))

	// No Gateway API: the manager has to start without it.
	environment := &envtest.Environment{
		CRDDirectoryPaths:     []string{filepath.Join("..", "..", "config", "crd", "bases")},
		ErrorIfCRDPathMissing: true,
	}
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		environment.BinaryAssetsDirectory = filepath.Join("..", "..", "bin", "cluster")
	}
	DeferCleanup(environment.Stop) // Also of what started half.
	config, err := environment.Start()
	Expect(err).NotTo(HaveOccurred(), "these stories need etcd and kube-apiserver: make envtest-assets")
	admin, err = client.New(config, client.Options{Scheme: scheme.Scheme})
	Expect(err).NotTo(HaveOccurred())

	namespace := &corev1.Namespace{}
	namespace.Name = "strata-system"
	Expect(admin.Create(ctx, namespace)).To(Succeed())
	for _, object := range roles() {
		Expect(admin.Create(ctx, object)).To(Succeed())
	}
	user, err := environment.AddUser(envtest.User{Name: operatorUser}, config)
	Expect(err).NotTo(HaveOccurred())
	content, err := user.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	kubeconfig = filepath.Join(scratch, "kubeconfig")
	Expect(os.WriteFile(kubeconfig, content, 0o600)).To(Succeed())
})

// roles are those of config/rbac, bound to operatorUser.
func roles() []client.Object {
	manifest, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "role.yaml"))
	Expect(err).NotTo(HaveOccurred())
	subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: operatorUser}}
	var objects []client.Object
	for _, document := range strings.Split(string(manifest), "\n---\n") {
		meta := metav1.TypeMeta{}
		Expect(yaml.Unmarshal([]byte(document), &meta)).To(Succeed())
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: meta.Kind, Name: "strata-manager"}
		if meta.Kind == "ClusterRole" {
			role, binding := &rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{RoleRef: ref, Subjects: subjects}
			Expect(yaml.UnmarshalStrict([]byte(document), role)).To(Succeed())
			binding.Name = role.Name
			objects = append(objects, role, binding)
			continue
		}
		role, binding := &rbacv1.Role{}, &rbacv1.RoleBinding{RoleRef: ref, Subjects: subjects}
		Expect(yaml.UnmarshalStrict([]byte(document), role)).To(Succeed())
		binding.Name, binding.Namespace = role.Name, role.Namespace
		objects = append(objects, role, binding)
	}
	return objects
}

// replica is one running manager.
type replica struct {
	process *exec.Cmd
	ended   chan error
	log     *logBuffer
	// URLs of its servers.
	health, metrics string
}

// start starts a replica.
func start() *replica {
	health, metrics, webhook := freePort(), freePort(), freePort()
	r := &replica{
		ended: make(chan error, 1), log: &logBuffer{},
		health:  fmt.Sprintf("http://127.0.0.1:%d", health),
		metrics: fmt.Sprintf("https://127.0.0.1:%d/metrics", metrics),
	}
	r.process = exec.Command(program,
		"--kubeconfig="+kubeconfig, "--username="+operatorUser,
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", health),
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", metrics),
		"--webhook-host=127.0.0.1", fmt.Sprintf("--webhook-port=%d", webhook))
	r.process.Stderr = r.log
	Expect(r.process.Start()).To(Succeed())
	go func() { r.ended <- r.process.Wait() }()
	return r
}

// kill ends a replica that is still running.
func (r *replica) kill() {
	if r != nil {
		_ = r.process.Process.Kill()
	}
}

func freePort() int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
