package certs

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/controllers/metrics"
)

// Keys of the Secret beside the standard tls.crt and tls.key.
const (
	keyBundle       = "ca.crt"
	keyAuthorityKey = "ca.key"
)

// Options of a Rotator.
type Options struct {
	// Secret holds the certificates; it is created where it does not exist.
	Secret types.NamespacedName
	// Configuration names the ValidatingWebhookConfiguration and the
	// MutatingWebhookConfiguration whose caBundle is kept. They need not exist.
	Configuration string
	// Hosts are the DNS names and IP addresses that the API server calls.
	Hosts     []string
	Lifetimes Lifetimes
}

// Rotator keeps the certificate in the Secret, in memory and in the webhook
// configurations.
type Rotator struct {
	client  client.Client
	live    client.Reader
	options Options
	now     func() time.Time
	serving atomic.Pointer[tls.Certificate]
}

// +kubebuilder:rbac:groups="",namespace=strata-system,resources=secrets,verbs=create
// +kubebuilder:rbac:groups="",namespace=strata-system,resources=secrets,resourceNames=strata-webhook-tls,verbs=get;list;watch;update
// +kubebuilder:rbac:groups=admissionregistration.k8s.io,resources=validatingwebhookconfigurations;mutatingwebhookconfigurations,resourceNames=strata,verbs=get;list;watch;update

// New adds a Rotator to a manager. It runs in every replica, before and without
// leader election. It reads only what it is named: caches of its own hold one
// Secret and two webhook configurations.
func New(mgr ctrl.Manager, options Options) (*Rotator, error) {
	r := &Rotator{client: mgr.GetClient(), live: mgr.GetAPIReader(), options: options, now: time.Now}
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	watched, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(),
		Mapper: mgr.GetRESTMapper(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Namespaces: map[string]cache.Config{
				options.Secret.Namespace: {FieldSelector: named(options.Secret.Name)},
			}},
			&admissionv1.ValidatingWebhookConfiguration{}: {Field: named(options.Configuration)},
			&admissionv1.MutatingWebhookConfiguration{}:   {Field: named(options.Configuration)},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("watch the certificate of the webhook: %w", err)
	}
	if err := mgr.Add(everyReplica{watched}); err != nil {
		return nil, fmt.Errorf("watch the certificate of the webhook: %w", err)
	}
	everywhere := false
	c, err := controller.New("webhook-certificate", mgr, controller.Options{Reconciler: r, NeedLeaderElection: &everywhere})
	if err != nil {
		return nil, fmt.Errorf("set up the controller of the webhook's certificate: %w", err)
	}
	same := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: options.Secret}}
	})
	for _, kind := range []client.Object{&corev1.Secret{}, &admissionv1.ValidatingWebhookConfiguration{}, &admissionv1.MutatingWebhookConfiguration{}} {
		if err := c.Watch(source.Kind(watched, kind, same)); err != nil {
			return nil, fmt.Errorf("watch %T: %w", kind, err)
		}
	}
	return r, c.Watch(source.Func(begin(options.Secret)))
}

// GetCertificate serves the newest certificate that this replica has read.
func (r *Rotator) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if cert := r.serving.Load(); cert != nil {
		return cert, nil
	}
	return nil, errors.New("the serving certificate has not been read yet")
}

// Ready is a readiness check: it fails until there is a certificate to serve.
func (r *Rotator) Ready(*http.Request) error {
	_, err := r.GetCertificate(nil)
	return err
}

// Reconcile renews what is due, serves it, and makes it known. It reads live: a
// stale cache must not take back what another replica has just renewed.
func (r *Rotator) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	material, next, err := r.renew(ctx)
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
		// Another replica was first: take what it wrote.
		material, next, err = r.renew(ctx)
	}
	if err != nil && len(material.Certificate) > 0 {
		// What is due and cannot be renewed serves for as long as it lasts.
		return reconcile.Result{}, errors.Join(err, r.serve(material))
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if err := r.serve(material); err != nil {
		return reconcile.Result{}, err
	}
	if err := r.inject(ctx, material.Bundle); err != nil {
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: next}, nil
}

// renew is what the Secret holds now, also where that could not be renewed; nothing where
// it could not be read.
func (r *Rotator) renew(ctx context.Context) (Material, time.Duration, error) {
	secret := &corev1.Secret{}
	err := r.live.Get(ctx, r.options.Secret, secret)
	missing := apierrors.IsNotFound(err)
	if err != nil && !missing {
		return Material{}, 0, fmt.Errorf("read Secret %s: %w", r.options.Secret, err)
	}
	held := Material{
		Bundle: secret.Data[keyBundle], AuthorityKey: secret.Data[keyAuthorityKey],
		Certificate: secret.Data[corev1.TLSCertKey], Key: secret.Data[corev1.TLSPrivateKeyKey],
	}
	renewed, changed, next, err := Renew(held, r.options.Hosts, r.options.Lifetimes, r.now())
	if err != nil || !changed {
		return held, next, err
	}
	secret.Data = map[string][]byte{
		keyBundle: renewed.Bundle, keyAuthorityKey: renewed.AuthorityKey,
		corev1.TLSCertKey: renewed.Certificate, corev1.TLSPrivateKeyKey: renewed.Key,
	}
	if missing {
		secret.ObjectMeta = metav1.ObjectMeta{Namespace: r.options.Secret.Namespace, Name: r.options.Secret.Name}
		secret.Type = corev1.SecretTypeTLS
		err = r.client.Create(ctx, secret)
	} else {
		err = r.client.Update(ctx, secret)
	}
	if err != nil {
		return held, 0, fmt.Errorf("write Secret %s: %w", r.options.Secret, err)
	}
	log.FromContext(ctx).Info("Renewed the certificate of the webhook", "secret", r.options.Secret.String())
	return renewed, next, nil
}

func (r *Rotator) serve(m Material) error {
	cert, err := tls.X509KeyPair(m.Certificate, m.Key)
	if err != nil {
		return fmt.Errorf("load the serving certificate of Secret %s: %w", r.options.Secret, err)
	}
	if served := r.serving.Load(); served == nil || !bytes.Equal(served.Certificate[0], cert.Certificate[0]) {
		r.serving.Store(&cert)
		metrics.SetCertificateExpiry(cert.Leaf.NotAfter)
	}
	return nil
}

// inject puts the bundle into every webhook of the configurations.
func (r *Rotator) inject(ctx context.Context, bundle []byte) error {
	validating := &admissionv1.ValidatingWebhookConfiguration{}
	mutating := &admissionv1.MutatingWebhookConfiguration{}
	for _, object := range []client.Object{validating, mutating} {
		err := r.live.Get(ctx, types.NamespacedName{Name: r.options.Configuration}, object)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read %T %s: %w", object, r.options.Configuration, err)
		}
		changed := false
		for i := range validating.Webhooks {
			changed = setBundle(&validating.Webhooks[i].ClientConfig, bundle) || changed
		}
		for i := range mutating.Webhooks {
			changed = setBundle(&mutating.Webhooks[i].ClientConfig, bundle) || changed
		}
		if !changed {
			continue
		}
		if err := r.client.Update(ctx, object); err != nil {
			return fmt.Errorf("write the caBundle of %T %s: %w", object, r.options.Configuration, err)
		}
	}
	return nil
}

func setBundle(config *admissionv1.WebhookClientConfig, bundle []byte) bool {
	if bytes.Equal(config.CABundle, bundle) {
		return false
	}
	config.CABundle = bundle
	return true
}
