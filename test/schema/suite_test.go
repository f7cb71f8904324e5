// Package schema tries the installed CRDs on a real API server: what they let
// through, what they refuse and how they say it, and that a spec stays as it was.
package schema

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"
)

var (
	// api is the API server as system:masters.
	api client.Client
	// kubeconfig is a file for kubectl, for the same user.
	kubeconfig string
)

// assets is where etcd, kube-apiserver and kubectl are.
func assets() string {
	if dir := os.Getenv("KUBEBUILDER_ASSETS"); dir != "" {
		return dir
	}
	return filepath.Join("..", "..", "bin", "cluster")
}

func TestSchema(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Schema")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	Expect(filepath.Join(assets(), "kube-apiserver")).To(BeAnExistingFile(),
		"run `make envtest-assets`, or set KUBEBUILDER_ASSETS")
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets(),
		CRDDirectoryPaths:     append(gatewayCRDs(ctx), filepath.Join("..", "..", "config", "crd", "bases")),
		ErrorIfCRDPathMissing: true,
	}
	DeferCleanup(environment.Stop) // Also of what started half.
	config, err := environment.Start()
	Expect(err).NotTo(HaveOccurred())

	api, err = client.New(config, client.Options{})
	Expect(err).NotTo(HaveOccurred())
	Expect(api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})).To(Succeed())

	user, err := environment.AddUser(envtest.User{Name: "admin", Groups: []string{"system:masters"}}, nil)
	Expect(err).NotTo(HaveOccurred())
	content, err := user.KubeConfig()
	Expect(err).NotTo(HaveOccurred())
	kubeconfig = filepath.Join(GinkgoT().TempDir(), "kubeconfig")
	Expect(os.WriteFile(kubeconfig, content, 0o600)).To(Succeed())
})

// load reads a valid object of testdata.
func load(name string) *unstructured.Unstructured {
	GinkgoHelper()
	content, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
	Expect(err).NotTo(HaveOccurred())
	plain, err := yaml.YAMLToJSON(content)
	Expect(err).NotTo(HaveOccurred())
	object := &unstructured.Unstructured{}
	Expect(object.UnmarshalJSON(plain)).To(Succeed())
	return object
}

// publish creates an object of testdata under a name of its own, and removes it
// after the test.
func publish(ctx SpecContext, file, name string) *unstructured.Unstructured {
	GinkgoHelper()
	object := load(file)
	object.SetName(name)
	Expect(api.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(api.Delete(ctx, object))).To(Succeed())
	})
	return object
}

// stored is an object as it is in etcd now.
func stored(ctx SpecContext, object *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	now := &unstructured.Unstructured{}
	now.SetGroupVersionKind(object.GroupVersionKind())
	Expect(api.Get(ctx, client.ObjectKeyFromObject(object), now)).To(Succeed())
	return now
}

// specOf is the spec of an object as JSON text, lists in their order.
func specOf(object *unstructured.Unstructured) string {
	GinkgoHelper()
	text, err := json.Marshal(object.Object["spec"])
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}
