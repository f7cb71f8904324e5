package operator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/strata-release/strata/controllers"
	"github.com/strata-release/strata/controllers/admission"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/admission/upkeep"
	"github.com/strata-release/strata/controllers/debug"
	"github.com/strata-release/strata/controllers/images"
	"github.com/strata-release/strata/controllers/metrics"
	"github.com/strata-release/strata/controllers/registry"
	"github.com/strata-release/strata/controllers/traffic/probe"
	"github.com/strata-release/strata/controllers/traffic/providers"
)

// leaseName is the Lease that replicas compete for.
const leaseName = "strata-leader"

// shutdownTime is how long running reconciles may take to end. The Deployment's
// terminationGracePeriodSeconds is longer.
const shutdownTime = 20 * time.Second

// Options of the operator. The zero value of a field means what it says, unless a
// default is named.
type Options struct {
	// Namespace that the operator lives in, with its Lease and its Secrets.
	Namespace string
	// ServiceAccount that it runs as, with a token that is bound to its pod.
	ServiceAccount string
	// Username is who the operator is to the API server where it runs outside the
	// cluster; empty inside. The policies must name the same user.
	Username string

	// LeaderElection lets one replica at a time move tracks. Without it there must
	// be no other.
	LeaderElection bool
	// MaxConcurrentReconciles is how many tracks are worked on at once.
	MaxConcurrentReconciles int
	// MaxRollouts is how many rollouts may be under way at once in all namespaces; 0: any
	// number, as far as policies let it.
	MaxRollouts int
	// QPS and Burst bound the requests to the API server, per second and at once.
	QPS   float64
	Burst int

	// MetricsAddress is host:port, or "0" for none.
	MetricsAddress string
	// MetricsSecure serves metrics by TLS, to those alone whom the API server lets
	// get /metrics.
	MetricsSecure bool
	// DebugPages serves what package debug shows, where metrics are served, and to those
	// alone whom the API server lets get it: MetricsSecure must be set.
	DebugPages bool
	// HealthAddress is host:port of /healthz and /readyz, or "0" for none.
	HealthAddress string
	// WebhookHost and WebhookPort are where admission requests are answered; all
	// addresses where the host is empty.
	WebhookHost string
	WebhookPort int
	// WebhookNames are further names or addresses under which the API server calls
	// the webhook, for an operator outside the cluster.
	WebhookNames []string
	// Version of the operator, in the user agent of its requests.
	Version string
}

// username is who the operator is to the API server.
func (o Options) username() string {
	if o.Username != "" {
		return o.Username
	}
	return "system:serviceaccount:" + o.Namespace + ":" + o.ServiceAccount
}

// New makes the manager of the operator; its Start runs it. On the first start it
// creates the Secret with the key of digests.
func New(ctx context.Context, config *rest.Config, options Options) (ctrl.Manager, error) {
	if options.Namespace == "" || options.ServiceAccount == "" {
		return nil, errors.New("set up the operator: its namespace and its ServiceAccount must be told")
	}
	if options.DebugPages && (!options.MetricsSecure || options.MetricsAddress == "0") {
		return nil, errors.New("set up the operator: debug pages are served with the metrics, to those who may get them: metrics must be on, and secure")
	}
	if options.MaxRollouts < 0 {
		return nil, fmt.Errorf("set up the operator: --max-rollouts is %d: it must be 0, for any number, or more", options.MaxRollouts)
	}
	config = requests(config, options)
	managerOptions, err := managerOptions(options)
	if err != nil {
		return nil, err
	}
	mgr, err := ctrl.NewManager(config, managerOptions)
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	if err := addControllers(ctx, mgr, options); err != nil {
		return nil, err
	}
	if err := mgr.Add(newAtRest()); err != nil {
		return nil, fmt.Errorf("add what gives memory back: %w", err)
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return nil, fmt.Errorf("add health check: %w", err)
	}
	return mgr, nil
}

// requests is the configuration of every client of the operator.
func requests(config *rest.Config, options Options) *rest.Config {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = float32(options.QPS), options.Burst
	config.UserAgent = "strata/" + options.Version
	config.DisableCompression = true // The API server is near: to unpack what it sends takes longer than to send it.
	config.Wrap(metrics.CountWrites)
	return config
}

func managerOptions(options Options) (ctrl.Options, error) {
	scheme, err := Scheme()
	if err != nil {
		return ctrl.Options{}, err
	}
	serving := metricsserver.Options{
		BindAddress:   options.MetricsAddress,
		SecureServing: options.MetricsSecure,
		TLSOpts:       []func(*tls.Config){http1},
	}
	if options.MetricsSecure {
		serving.FilterProvider = metrics.Protect
	}
	return ctrl.Options{
		Scheme:                        scheme,
		Cache:                         CacheOptions(),
		Client:                        ClientOptions(),
		Metrics:                       serving,
		HealthProbeBindAddress:        options.HealthAddress,
		LeaderElection:                options.LeaderElection,
		LeaderElectionID:              leaseName,
		LeaderElectionNamespace:       options.Namespace,
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       ptr.To(shutdownTime),
	}, nil
}

// http1 turns HTTP/2 off, whose streams have been a way to exhaust servers; none of
// the clients needs it.
func http1(config *tls.Config) { config.NextProtos = []string{"http/1.1"} }

func addControllers(ctx context.Context, mgr ctrl.Manager, options Options) error {
	if err := metrics.Register(ctrlmetrics.Registry); err != nil {
		return err
	}
	uncached, err := client.New(mgr.GetConfig(), client.Options{Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper()})
	if err != nil {
		return fmt.Errorf("make the client of the digest key: %w", err)
	}
	key, err := ensureDigestKey(ctx, uncached, options.Namespace)
	if err != nil {
		return err
	}
	routes, err := providers.New(ctx, mgr)
	if err != nil {
		return fmt.Errorf("set up traffic: %w", err)
	}
	looks, err := addDebugPages(mgr, options)
	if err != nil {
		return err
	}
	if err := controllers.Setup(mgr, controllers.Options{
		Traffic:     routes,
		SnapshotKey: key,
		Images: images.NewChecker(images.Options{
			Registry:  registry.NewClient(registry.Options{UserAgent: "strata/" + options.Version}),
			Live:      mgr.GetAPIReader(),
			Namespace: options.Namespace,
		}),
		Probes:                  probe.New(probe.Options{}),
		Actor:                   options.username(),
		MaxConcurrentReconciles: options.MaxConcurrentReconciles,
		MaxRollouts:             options.MaxRollouts,
		Looks:                   looks,
	}); err != nil {
		return err
	}
	for _, setup := range []func(ctrl.Manager) error{controllers.SetupCRDs, controllers.SetupNamespaces} {
		if err := setup(mgr); err != nil {
			return err
		}
	}
	if err := upkeep.Setup(mgr, options.Namespace, options.username()); err != nil {
		return err
	}
	return admission.Setup(mgr, admission.Options{
		Operator:  guards.Identity{Username: options.username(), Bound: options.Username == ""},
		Namespace: options.Namespace,
		Host:      options.WebhookHost,
		Port:      options.WebhookPort,
		Hosts:     options.WebhookNames,
	})
}

// addDebugPages adds them to the server of the metrics; nil where nobody wants them.
func addDebugPages(mgr ctrl.Manager, options Options) (*debug.Looks, error) {
	if !options.DebugPages {
		return nil, nil
	}
	pages := debug.Pages{
		Version: options.Version, Cache: mgr.GetCache(), Kinds: controllers.Cached, Elected: mgr.Elected(),
		Looks: debug.NewLooks(), Metrics: ctrlmetrics.Registry,
	}
	for path, handler := range pages.Handlers() {
		if err := mgr.AddMetricsServerExtraHandler(path, handler); err != nil {
			return nil, fmt.Errorf("serve %s: %w", path, err)
		}
	}
	return pages.Looks, nil
}
