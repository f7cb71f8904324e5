package rbac

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

const usersFile = "user_roles.yaml"

var (
	reads = []string{"get", "list", "watch"}
	// decides are the verbs that actions need on the track.
	decides = []string{"abort", "approve", "breakglass", "retry", "rollback", "skip"}
	// writable is what users write of our kinds, and by which verbs.
	writable = map[string][]string{
		"immutablereleases": {"create", "update", "patch", "delete", "deletecollection"},
		"releasetracks":     {"create", "update", "patch", "delete", "deletecollection"},
		"releaseactions":    {"create", "delete", "deletecollection"},
	}
	// readable is what they read besides our kinds.
	readable = []string{"httproutes.gateway.networking.k8s.io", "grpcroutes.gateway.networking.k8s.io", "ingresses.networking.k8s.io", "traefikservices.traefik.io", "virtualservices.networking.istio.io", "events.", "events.events.k8s.io"}
	// granted are the verbs that each role has on releasetracks.
	granted = map[string][]string{
		"strata-viewer": nil, "strata-editor": nil, "strata-auditor": nil,
		"strata-releaser": {"abort", "retry"},
		"strata-approver": {"approve"},
		"strata-on-call":  {"abort", "breakglass", "retry", "rollback", "skip"},
	}
)

// No role of users writes records, statuses, or anything that a release owns; none
// reads what is secret; and none makes its holder more than it says.
func TestUsersWriteWhatUsersWrite(t *testing.T) {
	for _, role := range read(t, usersFile) {
		if role.AggregationRule != nil {
			t.Errorf("%s is made of other roles", role.Name)
		}
		for _, rule := range role.Rules {
			if len(rule.NonResourceURLs) > 0 {
				t.Errorf("%s: %v", role.Name, rule.NonResourceURLs)
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						if !mayHave(group, resource, verb) {
							t.Errorf("%s: %s on %s.%s", role.Name, verb, resource, group)
						}
					}
				}
			}
		}
	}
}

func mayHave(group, resource, verb string) bool {
	if group != "strata.dev" {
		return slices.Contains(readable, resource+"."+group) && slices.Contains(reads, verb)
	}
	kinds := []string{"immutablereleases", "releasetracks", "releaserecords", "releaseactions", "releasepolicies"}
	return slices.Contains(kinds, resource) && slices.Contains(reads, verb) ||
		slices.Contains(writable[resource], verb) || resource == "releasetracks" && slices.Contains(decides, verb)
}

// Every verb that decides is granted on purpose: by no role that is a part of others, to
// nobody who only reads, and as the documentation says.
func TestVerbsAreGrantedOnPurpose(t *testing.T) {
	data, err := os.ReadFile("../../docs/people.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := rows(string(data))
	for _, role := range read(t, usersFile) {
		want, known := granted[role.Name]
		got := verbsOn(role, "releasetracks", decides)
		if !known || !slices.Equal(got, want) {
			t.Errorf("%s has %v on releasetracks, want %v (known: %t)", role.Name, got, want, known)
		}
		if row := documented[role.Name]; len(row) == 0 || !slices.Equal(row[len(row)-1], want) {
			t.Errorf("%s has %v, and docs/people.md says %v", role.Name, want, row)
		}
		writes := len(verbsOn(role, "releaseactions", []string{"create"})) > 0
		if aggregated := isAggregated(role); len(want) > 0 && (aggregated || !writes) {
			t.Errorf("%s has %v: a part of others: %t, creates actions: %t", role.Name, want, aggregated, writes)
		}
	}
	if len(documented) != len(granted) || len(read(t, usersFile)) != len(granted) {
		t.Errorf("%d roles, %v documented, want %v", len(read(t, usersFile)), slices.Collect(maps.Keys(documented)), slices.Collect(maps.Keys(granted)))
	}
}

// Whoever only reads has no other verb on anything.
func TestReadersRead(t *testing.T) {
	for _, role := range read(t, usersFile) {
		if role.Name != "strata-viewer" && role.Name != "strata-auditor" {
			continue
		}
		for _, rule := range role.Rules {
			if !slices.Equal(rule.Verbs, reads) {
				t.Errorf("%s: %v on %v", role.Name, rule.Verbs, rule.Resources)
			}
		}
	}
}

func isAggregated(role rbacv1.ClusterRole) bool {
	for label := range role.Labels {
		if strings.Contains(label, "aggregate-to-") {
			return true
		}
	}
	return false
}

// verbsOn are those of some verbs that a role has on a resource of ours, in order.
func verbsOn(role rbacv1.ClusterRole, resource string, of []string) []string {
	var verbs []string
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			if slices.Contains(rule.Resources, resource) && slices.Contains(of, verb) {
				verbs = append(verbs, verb)
			}
		}
	}
	slices.Sort(verbs)
	return verbs
}

// rows of the table of roles: by role, what is quoted in each cell after it.
func rows(document string) map[string][][]string {
	table := map[string][][]string{}
	for _, line := range strings.Split(document, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		name := strings.Trim(cells[0], "`")
		if !strings.HasPrefix(name, "strata-") || len(cells) != 3 {
			continue
		}
		for _, cell := range cells[1:] {
			var quoted []string
			for i, part := range strings.Split(cell, "`") {
				if i%2 == 1 {
					quoted = append(quoted, part)
				}
			}
			slices.Sort(quoted)
			table[name] = append(table[name], quoted)
		}
	}
	return table
}
