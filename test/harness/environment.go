// Package harness is what the end-to-end stories and the demo have in common: a
// cluster and its gateway, the shop that is deployed again and again, and ways to
// see what became of it. It asserts nothing.
//
// Everything is found through KUBECONFIG. These variables say what the cluster
// itself does not:
//
//	STRATA_APP_IMAGE     the image of test/app, by digest (required)
//	STRATA_GATEWAY_NAME  namespace/name of the Gateway; default gateway/public
//	STRATA_GATEWAY_URL   where it answers; default: its first address and HTTP port
//	STRATA_NAMESPACE     where the operator runs; default strata-system
//	STRATA_AUDIT_LOG     the API server's audit log; without it writes are not counted
//	STRATA_REGISTRY_URL  a registry to push to, for tags that move; without it they do not
//	STRATA_LOAD          how many times as often as usual stories ask; default 1
//	STRATA_ROUTER        GatewayAPI or Traefik, the type of public routes; default GatewayAPI
//	STRATA_PROTOCOL      HTTP or gRPC, which web is asked by; default HTTP
package harness

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// Environment is a cluster in which Strata runs.
type Environment struct {
	// Client is the cluster administrator's; it reads from the API server.
	Client client.WithWatch
	// Config is what Client was made from.
	Config *rest.Config
	// Gateway is the Gateway that routes attach to, GatewayURL where it answers.
	Gateway    types.NamespacedName
	GatewayURL string
	// AppImage is the image of test/app, by digest.
	AppImage string
	// OperatorNamespace is where the operator runs.
	OperatorNamespace string
	// AuditLog is the path of the API server's audit log, and RegistryURL a
	// registry that can be pushed to; "" where there is none.
	AuditLog    string
	RegistryURL string
	// Load is how many times as often as usual stories ask, at least 1.
	Load int
	// Router is the type of public routes, and GRPC whether web is asked by gRPC; zero is
	// the Gateway API, and HTTP.
	Router v1alpha1.RouteType
	GRPC   bool
}

var byDigest = regexp.MustCompile(`^[^@]+@sha256:[0-9a-f]{64}$`)

// Connect finds the cluster and what stands in it.
func Connect(ctx context.Context) (*Environment, error) {
	env := &Environment{
		AppImage:          os.Getenv("STRATA_APP_IMAGE"),
		OperatorNamespace: cmp.Or(os.Getenv("STRATA_NAMESPACE"), "strata-system"),
		AuditLog:          os.Getenv("STRATA_AUDIT_LOG"),
		RegistryURL:       strings.TrimSuffix(os.Getenv("STRATA_REGISTRY_URL"), "/"),
	}
	if !byDigest.MatchString(env.AppImage) {
		return nil, fmt.Errorf("STRATA_APP_IMAGE %q is not an image with a digest", env.AppImage)
	}
	var err error
	if env.Load, err = strconv.Atoi(cmp.Or(os.Getenv("STRATA_LOAD"), "1")); err != nil || env.Load < 1 {
		return nil, fmt.Errorf("STRATA_LOAD %q is not a whole number from 1 on", os.Getenv("STRATA_LOAD"))
	}
	env.Router = v1alpha1.RouteType(cmp.Or(os.Getenv("STRATA_ROUTER"), string(v1alpha1.RouteGatewayAPI)))
	if env.Router != v1alpha1.RouteGatewayAPI && env.Router != v1alpha1.RouteTraefik {
		return nil, fmt.Errorf("STRATA_ROUTER %q is neither GatewayAPI nor Traefik", env.Router)
	}
	switch protocol := cmp.Or(os.Getenv("STRATA_PROTOCOL"), "HTTP"); protocol {
	case "HTTP", "gRPC":
		env.GRPC = protocol == "gRPC"
	default:
		return nil, fmt.Errorf("STRATA_PROTOCOL %q is neither HTTP nor gRPC", protocol)
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read KUBECONFIG: %w", err)
	}
	config.QPS, config.Burst = 100, 200
	env.Config = config
	if env.Client, err = newClient(config); err != nil {
		return nil, err
	}
	return env, env.findGateway(ctx)
}

// Scheme has all kinds that stories read and write.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("make the scheme: %w", err)
		}
	}
	return scheme, nil
}

func newClient(config *rest.Config) (client.WithWatch, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return c, nil
}

// As is a client that acts as another user, in these groups and no others.
func (e *Environment) As(user string, extra map[string][]string, groups ...string) (client.WithWatch, error) {
	config := rest.CopyConfig(e.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups, Extra: extra}
	return newClient(config)
}

// findGateway reads where the Gateway answers from its status.
func (e *Environment) findGateway(ctx context.Context) error {
	namespace, name, ok := strings.Cut(cmp.Or(os.Getenv("STRATA_GATEWAY_NAME"), "gateway/public"), "/")
	if !ok {
		return fmt.Errorf("STRATA_GATEWAY_NAME %q is not namespace/name", os.Getenv("STRATA_GATEWAY_NAME"))
	}
	e.Gateway = types.NamespacedName{Namespace: namespace, Name: name}
	if e.GatewayURL = strings.TrimSuffix(os.Getenv("STRATA_GATEWAY_URL"), "/"); e.GatewayURL != "" {
		return nil
	}
	var gateway gatewayv1.Gateway
	if err := e.Client.Get(ctx, e.Gateway, &gateway); err != nil {
		return fmt.Errorf("get Gateway %s: %w", e.Gateway, err)
	}
	for _, listener := range gateway.Spec.Listeners {
		if listener.Protocol == gatewayv1.HTTPProtocolType && len(gateway.Status.Addresses) > 0 {
			e.GatewayURL = fmt.Sprintf("http://%s:%d", gateway.Status.Addresses[0].Value, listener.Port)
			return nil
		}
	}
	return fmt.Errorf("Gateway %s has no address yet, or no HTTP listener", e.Gateway)
}

// UserName is who the API server takes the holder of KUBECONFIG for.
func (e *Environment) UserName(ctx context.Context) (string, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := e.Client.Create(ctx, review); err != nil {
		return "", fmt.Errorf("ask who I am: %w", err)
	}
	return review.Status.UserInfo.Username, nil
}

// NewNamespace creates a namespace for one story.
func (e *Environment) NewNamespace(ctx context.Context, prefix string) (string, error) {
	namespace := &corev1.Namespace{}
	namespace.GenerateName = prefix + "-"
	namespace.Labels = map[string]string{"strata-story": prefix}
	if err := e.Client.Create(ctx, namespace); err != nil {
		return "", fmt.Errorf("create a namespace: %w", err)
	}
	return namespace.Name, nil
}

// DeleteNamespace asks for the end of a story's namespace and does not wait.
func (e *Environment) DeleteNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{}
	namespace.Name = name
	if err := client.IgnoreNotFound(e.Client.Delete(ctx, namespace)); err != nil {
		return fmt.Errorf("delete namespace %s: %w", name, err)
	}
	return nil
}
