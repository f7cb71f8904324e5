package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// SettleIn makes the namespaces in which an operator that is a program of its own has its
// Lease and its Secrets, and gives it the Roles of config/rbac in them.
func (c *Cluster) SettleIn(ctx context.Context, repository string) error {
	manifest, err := os.ReadFile(filepath.Join(repository, "config", "rbac", "role.yaml"))
	if err != nil {
		return fmt.Errorf("read the operator's role: %w", err)
	}
	for _, document := range strings.Split(string(manifest), "\n---\n") {
		role := &rbacv1.Role{}
		if err := yaml.Unmarshal([]byte(document), role); err != nil {
			return fmt.Errorf("parse the operator's role: %w", err)
		}
		if role.Kind != "Role" {
			continue
		}
		namespace := &corev1.Namespace{}
		namespace.Name = role.Namespace
		binding := &rbacv1.RoleBinding{
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: OperatorUser}},
		}
		binding.Namespace, binding.Name = role.Namespace, role.Name
		if err := c.Client.Create(ctx, namespace); err != nil {
			return fmt.Errorf("create namespace %s: %w", namespace.Name, err)
		}
		if err := c.Client.Create(ctx, role); err != nil {
			return fmt.Errorf("create Role %s: %w", role.Name, err)
		}
		if err := c.Client.Create(ctx, binding); err != nil {
			return fmt.Errorf("create RoleBinding %s: %w", binding.Name, err)
		}
	}
	return nil
}
