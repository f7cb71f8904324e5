package certs

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// A certificate that is due serves on where its Secret cannot be written, also by a
// replica that starts then: else it would answer nobody, although it could for weeks.
func TestDueCertificateServesWhileItCannotBeRenewed(t *testing.T) {
	now := time.Now()
	hosts := []string{"strata-webhook.strata-system.svc"}
	old, _, _, err := Renew(Material{}, hosts, DefaultLifetimes, now.Add(-55*24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	name := types.NamespacedName{Namespace: "strata-system", Name: "strata-webhook-tls"}
	refused := errors.New("the API server takes no writes")
	c := fake.NewClientBuilder().WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name},
		Data: map[string][]byte{
			keyBundle: old.Bundle, keyAuthorityKey: old.AuthorityKey,
			corev1.TLSCertKey: old.Certificate, corev1.TLSPrivateKeyKey: old.Key,
		},
	}).WithInterceptorFuncs(interceptor.Funcs{
		Update: func(context.Context, client.WithWatch, client.Object, ...client.UpdateOption) error { return refused },
	}).Build()
	r := &Rotator{client: c, live: c, options: Options{Secret: name, Hosts: hosts, Lifetimes: DefaultLifetimes}, now: func() time.Time { return now }}
	if _, err := r.Reconcile(t.Context(), reconcile.Request{}); !errors.Is(err, refused) {
		t.Errorf("got %v, want the refusal, by which it is tried again", err)
	}
	served, err := r.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	if left := served.Leaf.NotAfter.Sub(now); left < 4*24*time.Hour || left > 6*24*time.Hour {
		t.Errorf("what is served lasts %s, want what is there, which lasts 5 days", left)
	}
}
