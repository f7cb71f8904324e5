// Package plugin tells what `kubectl strata` says, and does, of a track that the
// operator's loop moves on a real API server. What it prints is compared whole, with what
// differs from run to run taken out: go test ./test/plugin -update writes it anew.
package plugin

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/cmd/kubectl-strata/plugin"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

var update = flag.Bool("update", false, "write the golden files anew")

var (
	suite *cluster.Cluster
	// kubeconfig is the cluster administrator's.
	kubeconfig string
)

func TestPlugin(t *testing.T) {
	RegisterFailHandler(Fail)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "kubectl strata")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	ctrl.SetLogger(zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true)))
	repository, err := filepath.Abs("../..")
	Expect(err).NotTo(HaveOccurred())
	scratch, err := os.MkdirTemp("", "strata-plugin-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, scratch)
	suite, err = cluster.Start(context.WithoutCancel(ctx), repository, scratch)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(suite.Stop()).To(Succeed()) })
	kubeconfig = filepath.Join(scratch, "kubeconfig")
	Expect(writeKubeconfig(kubeconfig)).To(Succeed())
	grantView(ctx, repository)
})

func writeKubeconfig(path string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: suite.Config.Host, CertificateAuthorityData: suite.Config.CAData}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{ClientCertificateData: suite.Config.CertData, ClientKeyData: suite.Config.KeyData}
	// What is elsewhere is the same cluster to this test, and another to the plugin.
	for _, name := range []string{"x", "elsewhere"} {
		config.Contexts[name] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	}
	config.CurrentContext = "x"
	return clientcmd.WriteToFile(*config, path)
}

// grantView lets the group viewers see what the cluster's role view, with what Strata adds
// to it, lets people see; and the group podless what Strata adds alone.
func grantView(ctx context.Context, repository string) {
	GinkgoHelper()
	manifest, err := os.ReadFile(filepath.Join(repository, "config", "rbac", "user_roles.yaml"))
	Expect(err).NotTo(HaveOccurred())
	for _, document := range strings.Split(string(manifest), "\n---\n") {
		role := &rbacv1.ClusterRole{}
		Expect(yaml.Unmarshal([]byte(document), role)).To(Succeed())
		Expect(suite.Client.Create(ctx, role)).To(Succeed())
	}
	group := func(name string) rbacv1.Subject {
		return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}
	}
	for role, subjects := range map[string][]rbacv1.Subject{
		"system:aggregate-to-view": {group("viewers")}, "strata-viewer": {group("viewers"), group("podless")},
		"strata-auditor": {group("auditors")},
	} {
		Expect(suite.Client.Create(ctx, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "viewers-" + strings.ReplaceAll(role, ":", "-")},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   subjects,
		})).To(Succeed())
	}
}

// said is what a run of the command said, and its exit code.
type said struct {
	out, err string
	code     int
}

// user runs the command in a namespace.
type user struct {
	name, group, namespace string
	now                    func() time.Time
}

func (u user) run(ctx context.Context, in string, args ...string) said {
	var out, errOut bytes.Buffer
	flags := []string{"--kubeconfig", kubeconfig, "-n", u.namespace, "--as", u.name, "--as-group", u.group, "--cache-dir", GinkgoT().TempDir()}
	if args[0] == "__complete" {
		args = append([]string{"__complete"}, append(flags, args[1:]...)...)
	} else {
		args = append(args, flags...)
	}
	code := plugin.Run(ctx, args, plugin.Options{
		Streams: genericiooptions.IOStreams{In: strings.NewReader(in), Out: &out, ErrOut: &errOut},
		Version: "test", Now: u.now,
	})
	return said{out.String(), errOut.String(), code}
}

// does runs a command that has to succeed, and answers with what it printed.
func (u user) does(ctx context.Context, args ...string) string {
	GinkgoHelper()
	s := u.run(ctx, "", args...)
	Expect(s.code).To(BeZero(), "kubectl strata %s: %s%s", strings.Join(args, " "), s.out, s.err)
	return s.out
}

// fails runs a command that has to fail, with one error, and answers with it.
func (u user) fails(ctx context.Context, code int, args ...string) string {
	GinkgoHelper()
	s := u.run(ctx, "", args...)
	Expect(s.code).To(Equal(code), "kubectl strata %s: %s%s", strings.Join(args, " "), s.out, s.err)
	Expect(strings.Count(s.err, "error: ")).To(Equal(1), s.err)
	Expect(s.err).NotTo(ContainSubstring("Usage:"))
	return s.err
}

// namespaces differ from run to run.
var namespaces = harness.Varying{Is: regexp.MustCompile(`plugin-[a-z0-9]{5}\b`), As: "plugin-nsnsn"}

// expectGolden compares a text with testdata/<name>.golden.
func expectGolden(name, text string) {
	GinkgoHelper()
	path := filepath.Join("testdata", name+".golden")
	Expect(harness.Golden(path, text, *update, append([]harness.Varying{namespaces}, harness.ShownVarying...)...)).To(Succeed(), "-update writes it anew")
}
