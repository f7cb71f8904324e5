package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/test/harness"
)

// OperatorUser is who the operator is to the API server.
const OperatorUser = "system:serviceaccount:strata-system:strata"

// Cluster is an API server, and the controllers played beside it.
type Cluster struct {
	// Environment has the administrator's client, and makes releases and tracks.
	*harness.Environment
	environment *envtest.Environment
	// operator is the configuration of the operator's own user.
	operator   *rest.Config
	user       *envtest.AuthenticatedUser
	behaviours behaviours
	wakers     []waker
	stop       func() error
	// programs are those that play no part: see StartWhole.
	programs []*program
}

// auditPolicy logs what the operator asked of objects, and nothing else; of its Lease, nothing.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  resources: [{group: coordination.k8s.io}]
- level: None
  nonResourceURLs: ["*"]
- level: Metadata
  users: ["` + OperatorUser + `"]
- level: None
`

// Start starts the API server with the CRDs of a repository, whose path is given,
// and plays the controllers. scratch is a directory that outlives the cluster.
func Start(ctx context.Context, repository, scratch string) (*Cluster, error) {
	return start(ctx, repository, scratch, players)
}

// start starts the API server, and plays some of the controllers.
func start(ctx context.Context, repository, scratch string, plays []string) (*Cluster, error) {
	assets, err := findAssets(repository)
	if err != nil {
		return nil, err
	}
	gatewayCRDs, err := moduleDirectory(ctx, repository, "sigs.k8s.io/gateway-api", "config", "crd", "standard")
	if err != nil {
		return nil, err
	}
	policy, audit := filepath.Join(scratch, "audit-policy.yaml"), filepath.Join(scratch, "audit.log")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("write the audit policy: %w", err)
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets,
		ErrorIfCRDPathMissing: true,
		CRDDirectoryPaths: []string{
			filepath.Join(repository, "config", "crd", "bases"),
			filepath.Join(gatewayCRDs, "gateway.networking.k8s.io_gateways.yaml"),
			filepath.Join(gatewayCRDs, "gateway.networking.k8s.io_httproutes.yaml"),
			filepath.Join(gatewayCRDs, "gateway.networking.k8s.io_grpcroutes.yaml"),
		},
	}
	environment.ControlPlane.GetAPIServer().Configure().
		Set("audit-policy-file", policy).Set("audit-log-path", audit).Set("audit-log-maxsize", "4096").
		// A namespace controller is not played, and so no Service ever goes: room for all.
		Set("service-cluster-ip-range", "10.0.0.0/16")
	environment.ControlPlane.Etcd = &envtest.Etcd{}
	environment.ControlPlane.Etcd.Configure().Set("quota-backend-bytes", "8589934592") // Thousands of tracks, and their past.
	config, err := environment.Start()
	if err != nil {
		// Of what started half, nothing is left.
		return nil, errors.Join(fmt.Errorf("start the API server: %w", err), environment.Stop())
	}
	c := &Cluster{environment: environment, Environment: &harness.Environment{
		Config:   config,
		Gateway:  types.NamespacedName{Namespace: "gateway", Name: "public"},
		AppImage: "registry.example.com/shop/app@sha256:" + strings.Repeat("ab", 32),
		AuditLog: audit,
	}}
	if err := c.furnish(ctx, repository, plays); err != nil {
		return nil, errors.Join(err, environment.Stop())
	}
	return c, nil
}

// furnish makes the clients, gives the operator its permissions, and starts what
// is played.
func (c *Cluster) furnish(ctx context.Context, repository string, plays []string) error {
	c.Config.QPS, c.Config.Burst = 500, 1000
	scheme, err := harness.Scheme()
	if err != nil {
		return err
	}
	if c.Client, err = client.NewWithWatch(c.Config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("make the administrator's client: %w", err)
	}
	user, err := c.environment.AddUser(envtest.User{Name: OperatorUser}, c.Config)
	if err != nil {
		return fmt.Errorf("add the operator's user: %w", err)
	}
	c.user, c.operator = user, user.Config()
	if err := c.makeGateway(ctx); err != nil {
		return err
	}
	if err := c.grant(ctx, filepath.Join(repository, "config", "rbac", "role.yaml")); err != nil {
		return err
	}
	c.stop, err = c.play(ctx, scheme, plays)
	return err
}

// makeGateway makes the Gateway that the stories' routes name.
func (c *Cluster) makeGateway(ctx context.Context) error {
	gateway := &gatewayv1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Namespace: c.Gateway.Namespace, Name: c.Gateway.Name},
		Spec: gatewayv1.GatewaySpec{
			GatewayClassName: "played",
			Listeners:        []gatewayv1.Listener{{Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType}},
		},
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: c.Gateway.Namespace}}
	for _, object := range []client.Object{namespace, gateway} {
		if err := c.Client.Create(ctx, object); err != nil {
			return fmt.Errorf("create %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

// grant gives the operator the ClusterRole of a file, and nothing more.
func (c *Cluster) grant(ctx context.Context, path string) error {
	manifest, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the operator's role: %w", err)
	}
	for _, document := range strings.Split(string(manifest), "\n---\n") {
		role := &rbacv1.ClusterRole{}
		if err := yaml.Unmarshal([]byte(document), role); err != nil {
			return fmt.Errorf("parse %s: %w", path, err)
		}
		if role.Kind != "ClusterRole" {
			continue
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: OperatorUser}},
		}
		for _, object := range []client.Object{role, binding} {
			if err := c.Client.Create(ctx, object); err != nil {
				return fmt.Errorf("create %T %s: %w", object, object.GetName(), err)
			}
		}
	}
	return nil
}

// OperatorKubeconfig is for an operator that is a program of its own.
func (c *Cluster) OperatorKubeconfig() ([]byte, error) { return c.user.KubeConfig() }

// DropNamespace takes a namespace away at once, and leaves what is in it where it is: there
// is no namespace controller. Every operator that starts is told of all namespaces.
func (c *Cluster) DropNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{}
	if err := c.Client.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return fmt.Errorf("get namespace %s: %w", name, err)
	}
	if err := c.Client.Delete(ctx, namespace); err != nil {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	namespace.Spec.Finalizers = nil
	namespace.ResourceVersion = ""
	if err := c.Client.SubResource("finalize").Update(ctx, namespace); err != nil {
		return fmt.Errorf("finalize namespace %s: %w", name, err)
	}
	return nil
}

// Stop ends what is played, and the API server.
func (c *Cluster) Stop() error {
	failed := []error{c.stop()}
	for _, p := range slices.Backward(c.programs) {
		failed = append(failed, p.stop())
	}
	return errors.Join(append(failed, c.environment.Stop())...)
}

// findAssets is where etcd and kube-apiserver are.
func findAssets(repository string) (string, error) {
	assets := cmp.Or(os.Getenv("KUBEBUILDER_ASSETS"), filepath.Join(repository, "bin", "cluster"))
	for _, program := range []string{"etcd", "kube-apiserver"} {
		if _, err := os.Stat(filepath.Join(assets, program)); err != nil {
			return "", fmt.Errorf("these stories need etcd and kube-apiserver: build them by `make envtest-assets`, or set KUBEBUILDER_ASSETS to where they are: %w", err)
		}
	}
	return assets, nil
}

// moduleDirectory is a directory of a module that go.mod requires.
func moduleDirectory(ctx context.Context, repository, module string, elements ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module)
	command.Dir = repository
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("find module %s: %w", module, err)
	}
	return filepath.Join(append([]string{strings.TrimSpace(string(out))}, elements...)...), nil
}
