// Package rbac holds what the operator and its users may do in a cluster, and reads it
// back.
package rbac

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/controllers/admission/guards"
)

var update = flag.Bool("update", false, "write the golden file anew")

// roles are those of the operator.
func roles(t *testing.T) []rbacv1.ClusterRole {
	t.Helper()
	list := read(t, "role.yaml")
	if len(list) != 2 {
		t.Fatalf("%d roles, want the ClusterRole and the Role of the operator", len(list))
	}
	return list
}

func read(t *testing.T, file string) []rbacv1.ClusterRole {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []rbacv1.ClusterRole
	for _, document := range bytes.Split(data, []byte("\n---")) {
		var role rbacv1.ClusterRole // a Role has the same fields
		if err := yaml.Unmarshal(document, &role); err != nil {
			t.Fatal(err)
		}
		if role.Name != "" {
			list = append(list, role)
		}
	}
	return list
}

// What the operator may do, and its users, is read in one place by whoever reviews a
// change of it.
func TestWhatRolesMayDo(t *testing.T) {
	for file, list := range map[string][]rbacv1.ClusterRole{"permissions.golden": roles(t), "users.golden": read(t, usersFile)} {
		var got strings.Builder
		for _, role := range list {
			where := "where it is bound"
			switch {
			case role.Kind == "Role":
				where = "in " + role.Namespace
			case file == "permissions.golden":
				where = "everywhere"
			case isAggregated(role):
				where = "and as a part of others"
			}
			fmt.Fprintf(&got, "%s %s, %s\n%s", role.Kind, role.Name, where, strings.Join(permissions(role), ""))
		}
		path := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(path, []byte(got.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("what roles may do has changed; if it is meant, go test ./config/rbac -update. It is now:\n%s", got.String())
		}
	}
}

// permissions of a role, a line for each resource, in order.
func permissions(role rbacv1.ClusterRole) []string {
	var lines []string
	for _, rule := range role.Rules {
		verbs := slices.Sorted(slices.Values(rule.Verbs))
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				if name, subresource, ok := strings.Cut(resource, "/"); group != "" && ok {
					resource = name + "." + group + "/" + subresource
				} else if group != "" {
					resource += "." + group
				}
				if len(rule.ResourceNames) > 0 {
					resource += " " + strings.Join(slices.Sorted(slices.Values(rule.ResourceNames)), ",")
				}
				lines = append(lines, fmt.Sprintf("  %s: %s\n", resource, strings.Join(verbs, " ")))
			}
		}
		for _, url := range rule.NonResourceURLs {
			lines = append(lines, fmt.Sprintf("  %s: %s\n", url, strings.Join(verbs, " ")))
		}
	}
	slices.Sort(lines)
	return lines
}

// No permission of the operator lets whoever holds its token have more than that.
func TestTheOperatorCannotGrowItsPermissions(t *testing.T) {
	for _, role := range roles(t) {
		for _, rule := range role.Rules {
			for _, verb := range rule.Verbs {
				if slices.Contains([]string{"*", "impersonate", "bind", "escalate", "deletecollection", "proxy"}, verb) {
					t.Errorf("%s: verb %s on %v", role.Name, verb, rule.Resources)
				}
			}
			for _, resource := range rule.Resources {
				_, subresource, _ := strings.Cut(resource, "/")
				writes := slices.ContainsFunc(rule.Verbs, func(verb string) bool { return !slices.Contains([]string{"get", "list", "watch"}, verb) })
				switch {
				case resource == "pods/eviction" && slices.Equal(rule.Verbs, []string{"create"}): // A pod is replaced by its owner.
				case strings.Contains(resource, "*"), subresource != "" && subresource != "status",
					slices.Contains([]string{"nodes", "serviceaccounts", "roles", "rolebindings", "clusterroles", "clusterrolebindings"}, resource) && writes,
					strings.Contains(resource, "admissionpolic") && writes && !slices.Equal(slices.Sorted(slices.Values(rule.ResourceNames)), guardNames(resource)),
					// What it may patch of a namespace is bounded by STRATA-055.
					resource == "namespaces" && slices.ContainsFunc(rule.Verbs, func(verb string) bool { return !slices.Contains([]string{"get", "list", "watch", "patch"}, verb) }),
					// A pod that is deleted is made again as it was sealed.
					resource == "pods" && slices.ContainsFunc(rule.Verbs, func(verb string) bool { return !slices.Contains([]string{"get", "list", "watch", "delete"}, verb) }):
					t.Errorf("%s: %v on %s", role.Name, rule.Verbs, resource)
				case resource == "secrets" && role.Kind == "ClusterRole" && slices.ContainsFunc(rule.Verbs, func(verb string) bool { return verb == "list" || verb == "watch" }):
					t.Errorf("%s: %v on all Secrets", role.Name, rule.Verbs)
				}
			}
		}
	}
}

// guardNames are the policies, or bindings, that the operator puts right: those that it
// comes with, and no other.
func guardNames(resource string) []string {
	if strings.HasPrefix(resource, "mutating") {
		policy, _ := guards.RequestedBy(guards.InCluster)
		return []string{policy.Name}
	}
	var names []string
	for _, binding := range guards.Bindings() {
		names = append(names, binding.Name)
	}
	slices.Sort(names)
	return names
}
