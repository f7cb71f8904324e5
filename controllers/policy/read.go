package policy

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// NamespaceMetadata is what is read, and watched, of namespaces.
func NamespaceMetadata() *metav1.PartialObjectMetadata {
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	return namespace
}

// Read asks which policies select a namespace. It asks for the namespace only if there
// is a policy at all, and past the cache only for one that the cache has not seen yet.
// A namespace whose labels nobody knows is an error: no policy is passed by.
func Read(ctx context.Context, cached, live client.Reader, name string) (Effective, error) {
	var policies v1alpha1.ReleasePolicyList
	if err := cached.List(ctx, &policies, client.UnsafeDisableDeepCopy); err != nil {
		return Effective{}, fmt.Errorf("list ReleasePolicies: %w", err)
	}
	if len(policies.Items) == 0 {
		return Effective{}, nil
	}
	namespace := NamespaceMetadata()
	err := cached.Get(ctx, client.ObjectKey{Name: name}, namespace)
	if apierrors.IsNotFound(err) {
		err = live.Get(ctx, client.ObjectKey{Name: name}, namespace)
	}
	if err != nil {
		return Effective{}, fmt.Errorf("read the labels of namespace %s: %w", name, err)
	}
	return For(policies.Items, namespace.Labels)
}
