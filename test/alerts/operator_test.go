package alerts

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/test/stories/cluster"
)

const (
	repository = "../.."
	namespace  = "strata-system"
	role       = "strata-manager"
)

// installation is a cluster in which the operator runs as a program, with the roles of
// config/rbac and nothing else, and which is scraped as Prometheus scrapes it.
type installation struct {
	*cluster.Cluster
	t          *testing.T
	program    string
	kubeconfig string
	// token of a ServiceAccount that may get /metrics and the debug pages, and webhookPort
	// where all replicas answer admission requests.
	token       string
	webhookPort int
	process     *exec.Cmd
	metricsPort int
}

func install(t *testing.T) *installation {
	t.Helper()
	scratch := t.TempDir()
	ctrl.SetLogger(logr.Discard()) // What is played has nothing to say.
	c, err := cluster.Start(context.Background(), must(filepath.Abs(repository))(t), scratch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	i := &installation{Cluster: c, t: t, program: filepath.Join(scratch, "manager"), kubeconfig: filepath.Join(scratch, "kubeconfig"), webhookPort: freePort(t)}
	build := exec.Command("go", "build", "-o", i.program, "./cmd/manager")
	build.Dir = repository
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the manager: %v: %s", err, out)
	}
	config := must(c.OperatorKubeconfig())(t)
	if err := os.WriteFile(i.kubeconfig, config, 0o600); err != nil {
		t.Fatal(err)
	}
	i.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	i.grantRole()
	i.token = i.scraper()
	t.Cleanup(i.stop)
	return i
}

// grantRole gives the operator the Roles of config/rbac; the cluster has its ClusterRole.
func (i *installation) grantRole() {
	for _, document := range strings.Split(string(must(os.ReadFile(filepath.Join(repository, "config", "rbac", "role.yaml")))(i.t)), "\n---\n") {
		r := &rbacv1.Role{}
		if err := yaml.Unmarshal([]byte(document), r); err != nil {
			i.t.Fatal(err)
		}
		if r.Kind != "Role" {
			continue
		}
		i.create(r, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: r.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: cluster.OperatorUser}},
		})
	}
}

// scraper makes a ServiceAccount with the reader roles of config/rbac, and gives its token.
func (i *installation) scraper() string {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "prometheus"}}
	i.create(account)
	for _, name := range []string{"metrics_reader", "debug_reader"} {
		reader := &rbacv1.ClusterRole{}
		if err := yaml.UnmarshalStrict(must(os.ReadFile(filepath.Join(repository, "config", "rbac", name+".yaml")))(i.t), reader); err != nil {
			i.t.Fatal(err)
		}
		i.create(reader, &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: reader.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: reader.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: account.Name}},
		})
	}
	clientset := must(kubernetes.NewForConfig(i.Config))(i.t)
	return must(clientset.CoreV1().ServiceAccounts(namespace).CreateToken(i.t.Context(), account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{}))(i.t).Status.Token
}

// start starts the operator, and waits until it is scraped.
func (i *installation) start(flags ...string) {
	i.t.Helper()
	i.metricsPort = freePort(i.t)
	i.process = exec.Command(i.program, append([]string{
		"--kubeconfig=" + i.kubeconfig, "--username=" + cluster.OperatorUser, "--debug-pages",
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", i.metricsPort), "--health-probe-bind-address=0",
		"--webhook-host=127.0.0.1", "--webhook-name=127.0.0.1", fmt.Sprintf("--webhook-port=%d", i.webhookPort),
	}, flags...)...)
	log := must(os.Create(filepath.Join(i.t.TempDir(), "log")))(i.t)
	i.process.Stderr = log
	i.t.Cleanup(func() {
		if i.t.Failed() {
			said, _ := os.ReadFile(log.Name())
			i.t.Logf("the operator said: %s", said[max(0, len(said)-4000):])
		}
	})
	if err := i.process.Start(); err != nil {
		i.t.Fatal(err)
	}
	i.until("the operator is scraped", func() bool { return i.get("/metrics", i.token).status == http.StatusOK })
}

func (i *installation) stop() {
	if i.process == nil {
		return
	}
	if err := i.process.Process.Signal(os.Interrupt); err != nil {
		i.t.Error(err)
	}
	if err := i.process.Wait(); err != nil {
		i.t.Errorf("the operator ended: %v", err)
	}
	i.process = nil
}

type answer struct {
	status int
	body   string
}

var anyCertificate = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

// get asks the server of the metrics; status 0 while it does not answer.
func (i *installation) get(path, token string) answer {
	i.t.Helper()
	request := must(http.NewRequestWithContext(i.t.Context(), http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d%s", i.metricsPort, path), nil))(i.t)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := anyCertificate.Do(request)
	if err != nil {
		return answer{}
	}
	defer response.Body.Close()
	return answer{response.StatusCode, string(must(io.ReadAll(response.Body))(i.t))}
}

// until waits for what must come within a minute.
func (i *installation) until(what string, holds func() bool) {
	i.t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			i.t.Fatalf("not within a minute: %s\n%s", what, i.get("/strata/debug/tracks", i.token).body)
		}
	}
}

func (i *installation) create(objects ...client.Object) {
	i.t.Helper()
	for _, object := range objects {
		if err := i.Client.Create(i.t.Context(), object); err != nil {
			i.t.Fatalf("create %T %s: %v", object, object.GetName(), err)
		}
	}
}

func (i *installation) patch(object client.Object, change string) {
	i.t.Helper()
	if err := i.Client.Patch(i.t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(change)), client.FieldOwner("rogue")); err != nil {
		i.t.Fatalf("patch %T %s: %v", object, object.GetName(), err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// must is the value of a call that must not fail.
func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
