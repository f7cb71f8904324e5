package operator

import (
	"context"
	"crypto/rand"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// The Secret that holds the key of the digests of Secrets. Names of snapshots and
// records carry such digests: without a key, whoever may read those could try out
// what a short password is.
const (
	digestKeySecret = "strata-digest-key" //nolint:gosec // a name, not a credential
	digestKeyField  = "key"
	digestKeyBytes  = 32
)

// ensureDigestKey returns the key of this installation, 32 bytes. The first
// operator that starts makes it at random; it is never changed, because a Secret
// whose digest changed would look like one whose content did. The client must not
// read from a cache.
func ensureDigestKey(ctx context.Context, c client.Client, namespace string) ([]byte, error) {
	name := client.ObjectKey{Namespace: namespace, Name: digestKeySecret}
	secret := &corev1.Secret{}
	err := c.Get(ctx, name, secret)
	if apierrors.IsNotFound(err) {
		if secret, err = newDigestKey(namespace); err != nil {
			return nil, err
		}
		err = c.Create(ctx, secret)
		if apierrors.IsAlreadyExists(err) {
			err = c.Get(ctx, name, secret)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("get or create Secret %s: %w", name, err)
	}
	key := secret.Data[digestKeyField]
	if len(key) != digestKeyBytes {
		return nil, fmt.Errorf("read Secret %s: %s has %d bytes, not %d; restore it from a backup, "+
			"or delete it to have a new one made: Secrets then get new digests", name, digestKeyField, len(key), digestKeyBytes)
	}
	return key, nil
}

func newDigestKey(namespace string) (*corev1.Secret, error) {
	key := make([]byte, digestKeyBytes)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make digest key: %w", err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace,
			Name:      digestKeySecret,
			Labels:    map[string]string{"app.kubernetes.io/name": "strata", "app.kubernetes.io/managed-by": "strata"},
		},
		Immutable: ptr.To(true),
		Type:      corev1.SecretTypeOpaque,
		Data:      map[string][]byte{digestKeyField: key},
	}, nil
}
