package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/test/stories/cluster"
)

// onlooker makes a ServiceAccount with the reader roles of config/rbac, and gives its token.
func onlooker(ctx context.Context, c *cluster.Cluster) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "strata-system", Name: "onlooker"}}
	if err := c.Client.Create(ctx, account); err != nil {
		return "", fmt.Errorf("create who asks for profiles: %w", err)
	}
	for _, name := range []string{"metrics_reader", "debug_reader"} {
		manifest, err := os.ReadFile(filepath.Join("config", "rbac", name+".yaml"))
		if err != nil {
			return "", fmt.Errorf("read the role of who asks for profiles: %w", err)
		}
		role := &rbacv1.ClusterRole{}
		if err := yaml.UnmarshalStrict(manifest, role); err != nil {
			return "", fmt.Errorf("parse config/rbac/%s.yaml: %w", name, err)
		}
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
		}
		if err := c.Client.Create(ctx, role); err != nil {
			return "", fmt.Errorf("create ClusterRole %s: %w", role.Name, err)
		}
		if err := c.Client.Create(ctx, binding); err != nil {
			return "", fmt.Errorf("create ClusterRoleBinding %s: %w", binding.Name, err)
		}
	}
	request := &authenticationv1.TokenRequest{}
	if err := c.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("ask for a token of %s: %w", account.Name, err)
	}
	return request.Status.Token, nil
}

// profileSeconds is of how many seconds a profile of the processor is: there is one after
// the other, as nobody knows how long a rollout takes. go tool pprof adds them up.
const profileSeconds = 10

// profileCPU profiles until it is told to end, with the profile that is under way then.
func (b *bench) profileCPU(ctx context.Context) (end func() error) {
	if b.profiles == "" {
		return func() error { return nil }
	}
	ended, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-ended:
				done <- nil
				return
			default:
			}
			if err := b.profile(ctx, fmt.Sprintf("cpu-%d-%02d", len(b.tracks), i), fmt.Sprintf("profile?seconds=%d", profileSeconds)); err != nil {
				done <- err
				return
			}
		}
	}()
	return func() error {
		close(ended)
		return <-done
	}
}

// profileHeap profiles what is reachable.
func (b *bench) profileHeap(ctx context.Context, when string) error {
	if b.profiles == "" {
		return nil
	}
	return b.profile(ctx, fmt.Sprintf("heap-%d-%s", len(b.tracks), when), "heap?gc=1")
}

func (b *bench) profile(ctx context.Context, name, what string) error {
	data, err := b.operator.get(ctx, "/strata/debug/pprof/"+what)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.profiles, 0o755); err != nil {
		return fmt.Errorf("make the directory of profiles: %w", err)
	}
	return os.WriteFile(filepath.Join(b.profiles, name+".pprof"), data, 0o600)
}
