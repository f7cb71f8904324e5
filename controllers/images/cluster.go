package images

import (
	"cmp"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/controllers/registry"
	"github.com/strata-release/strata/controllers/signatures"
)

// +kubebuilder:rbac:groups="",resources=nodes,verbs=list
// +kubebuilder:rbac:groups="",resources=serviceaccounts,verbs=get

// rootKey is where a ConfigMap has its trusted root.
const rootKey = "trusted_root.json"

// readDemands reads the authorities of the policies, with the trusted roots that they
// name. What is wrong with one is of the policy, not of the release: Unknown.
func (c *check) readDemands(ctx context.Context) error {
	for _, said := range c.question.Policy.Signatures() {
		d := demand{Signatures: said}
		for i := range said.Authorities {
			spec := &said.Authorities[i]
			var trusted []byte
			if spec.Keyless != nil {
				var err error
				if trusted, err = c.readRoot(ctx, said.PolicyName, spec.Keyless.TrustedRootName); err != nil {
					return err
				}
			}
			authority, err := signatures.NewAuthority(spec, trusted)
			if err != nil {
				return unknown("PolicyUnusable", "ReleasePolicy %s cannot be kept to: %s", said.PolicyName, err)
			}
			d.authorities = append(d.authorities, authority)
		}
		c.demands = append(c.demands, d)
	}
	return nil
}

func (c *check) readRoot(ctx context.Context, policyName, name string) ([]byte, error) {
	options := c.checker.options
	config := &corev1.ConfigMap{}
	err := options.Live.Get(ctx, client.ObjectKey{Namespace: options.Namespace, Name: name}, config)
	switch {
	case apierrors.IsNotFound(err):
		return nil, unknown("TrustedRootMissing", "ConfigMap %s/%s, which ReleasePolicy %s names, is not there: create it with the trusted root under %s", options.Namespace, name, policyName, rootKey)
	case err != nil:
		return nil, fmt.Errorf("read trusted root %s/%s: %w", options.Namespace, name, err)
	case config.Data[rootKey] == "":
		return nil, unknown("TrustedRootMissing", "ConfigMap %s/%s, which ReleasePolicy %s names, has no %s", options.Namespace, name, policyName, rootKey)
	}
	return []byte(config.Data[rootKey]), nil
}

// node is what matters of one.
type node struct {
	labels   map[string]string
	platform registry.Platform
}

func (n *node) selectedBy(selector map[string]string) bool {
	for key, value := range selector {
		if n.labels[key] != value {
			return false
		}
	}
	return true
}

// readNodes reads which platforms there are. Every kubelet labels its node with its own.
func (c *check) readNodes(ctx context.Context) error {
	nodes := &metav1.PartialObjectMetadataList{}
	nodes.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("NodeList"))
	if err := c.checker.options.Live.List(ctx, nodes); err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	for i := range nodes.Items {
		labels := nodes.Items[i].Labels
		if os, architecture := labels[corev1.LabelOSStable], labels[corev1.LabelArchStable]; os != "" && architecture != "" {
			c.nodes = append(c.nodes, node{labels, registry.Platform{OS: os, Architecture: architecture}})
		}
	}
	return nil
}

// credentials are those of a pod's pull secrets, or where it names none, of its
// ServiceAccount's: as the API server and the kubelet see to it. One that is not there
// is passed by, as the kubelet does.
func (c *check) credentials(ctx context.Context, pod *corev1.PodSpec) (registry.Credentials, error) {
	namespace, live := c.question.Track.Namespace, c.checker.options.Live
	names := pod.ImagePullSecrets
	if len(names) == 0 {
		account := &corev1.ServiceAccount{}
		key := client.ObjectKey{Namespace: namespace, Name: cmp.Or(pod.ServiceAccountName, pod.DeprecatedServiceAccount, "default")}
		if err := live.Get(ctx, key, account); client.IgnoreNotFound(err) != nil {
			return registry.Credentials{}, fmt.Errorf("read ServiceAccount %s: %w", key, err)
		}
		names = account.ImagePullSecrets
	}
	var secrets []corev1.Secret
	for _, name := range names {
		secret := &corev1.Secret{}
		err := live.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name.Name}, secret)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return registry.Credentials{}, fmt.Errorf("read pull secret %s/%s: %w", namespace, name.Name, err)
		}
		secrets = append(secrets, *secret)
	}
	return registry.ReadCredentials(secrets)
}
