package admission

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/certs"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/controllers/policy"
)

// Options of the webhook. The zero value is what config/ deploys.
type Options struct {
	// Operator is who the operator is to the API server; guards.InCluster by default.
	// The policies name it too.
	Operator guards.Identity
	// Namespace that the operator runs in, "strata-system" by default.
	Namespace string
	// ServiceName of the webhook in that namespace, "strata-webhook" by default.
	ServiceName string
	// SecretName of the serving certificate, "strata-webhook-tls" by default.
	SecretName string
	// ConfigurationName of the webhook configurations, "strata" by default.
	ConfigurationName string
	// Hosts are further DNS names or IP addresses under which the API server calls
	// the webhook: for an operator outside the cluster.
	Hosts []string
	// Host and Port to listen on; all addresses, and 9443, by default.
	Host string
	Port int
	// Lifetimes of the certificates, certs.DefaultLifetimes by default.
	Lifetimes certs.Lifetimes
}

func (o Options) withDefaults() Options {
	orElse := func(value *string, standard string) {
		if *value == "" {
			*value = standard
		}
	}
	orElse(&o.Namespace, guards.Namespace)
	orElse(&o.ServiceName, guards.ServiceName)
	orElse(&o.SecretName, guards.ServiceName+"-tls")
	orElse(&o.ConfigurationName, guards.ConfigurationName)
	if o.Operator.Username == "" {
		o.Operator = guards.InCluster
	}
	if o.Lifetimes == (certs.Lifetimes{}) {
		o.Lifetimes = certs.DefaultLifetimes
	}
	return o
}

// hosts are the names that the API server uses, the Service's own first.
func (o Options) hosts() []string {
	return append([]string{o.ServiceName + "." + o.Namespace + ".svc"}, o.Hosts...)
}

// +kubebuilder:rbac:groups=strata.dev,resources=immutablereleases;releasetracks;releasepolicies,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=authorization.k8s.io,resources=subjectaccessreviews,verbs=create
// +kubebuilder:rbac:groups="",resources=pods,verbs=get
// +kubebuilder:rbac:groups=strata.dev,resources=releaseactions,verbs=get
// +kubebuilder:rbac:groups=strata.dev,resources=releaseactions/status,verbs=patch

// Setup adds the webhook to a manager: its server, which runs in every replica
// whether it leads or not, its certificate, and the readiness checks "webhook"
// and "webhook-certificate". The scheme must know our kinds, apps/v1,
// autoscaling/v1, authorization/v1 and admissionregistration/v1. It fails where
// the manager cannot take them.
func Setup(mgr ctrl.Manager, options Options) error {
	options = options.withDefaults()
	rotator, err := certs.New(mgr, certs.Options{
		Secret:        types.NamespacedName{Namespace: options.Namespace, Name: options.SecretName},
		Configuration: options.ConfigurationName,
		Hosts:         options.hosts(),
		Lifetimes:     options.Lifetimes,
	})
	if err != nil {
		return err
	}
	server := webhook.NewServer(webhook.Options{
		Host: options.Host,
		Port: options.Port,
		TLSOpts: []func(*tls.Config){func(config *tls.Config) {
			config.MinVersion = tls.VersionTLS12
			config.GetCertificate = rotator.GetCertificate
		}},
	})
	if err := register(mgr, server, options.Operator); err != nil {
		return err
	}
	// Read from the start: the first request must not wait for a cache to fill.
	for _, object := range []client.Object{&v1alpha1.ReleaseTrack{}, &v1alpha1.ReleasePolicy{}, policy.NamespaceMetadata()} {
		if _, err := mgr.GetCache().GetInformer(context.Background(), object, cache.BlockUntilSynced(false)); err != nil {
			return fmt.Errorf("watch %T: %w", object, err)
		}
	}
	if err := mgr.Add(server); err != nil {
		return fmt.Errorf("add the webhook server: %w", err)
	}
	for name, check := range map[string]func(*http.Request) error{
		"webhook": server.StartedChecker(), "webhook-certificate": rotator.Ready,
	} {
		if err := mgr.AddReadyzCheck(name, check); err != nil {
			return fmt.Errorf("add readiness check %s: %w", name, err)
		}
	}
	return nil
}

func register(mgr ctrl.Manager, server webhook.Server, operator guards.Identity) error {
	decoder := admission.NewDecoder(mgr.GetScheme())
	versions, err := newVersions(mgr)
	if err != nil {
		return err
	}
	judges := published{versions, &policies{reader: mgr.GetClient(), live: mgr.GetAPIReader(), writer: mgr.GetClient()}}
	for path, handler := range map[string]admission.Handler{
		guards.PathRelease:    &releaseHandler{decoder: decoder, operator: operator, published: judges},
		guards.PathExplain:    &explainHandler{decoder: decoder},
		guards.PathTrack:      &trackHandler{decoder: decoder, operator: operator, published: judges},
		guards.PathAction:     &actionHandler{decoder: decoder, operator: operator, reader: mgr.GetClient(), live: mgr.GetAPIReader(), writer: mgr.GetClient()},
		guards.PathRecord:     &recordHandler{decoder: decoder, operator: operator, live: mgr.GetAPIReader(), writer: mgr.GetClient()},
		guards.PathPolicy:     &policyHandler{decoder: decoder},
		guards.PathDeployment: &deploymentHandler{operator: operator, reader: mgr.GetClient(), live: mgr.GetAPIReader()},
		guards.PathAccess:     &accessHandler{reader: mgr.GetClient(), live: mgr.GetAPIReader(), writer: mgr.GetClient(), now: time.Now},
	} {
		server.Register(path, &admission.Webhook{Handler: handler})
	}
	for _, explained := range guards.Explaining {
		if explained.Rule.ID != "" {
			server.Register(explained.Path, &admission.Webhook{Handler: &invalidHandler{rule: explained.Rule, reader: mgr.GetClient(), live: mgr.GetAPIReader()}})
		}
	}
	return nil
}
