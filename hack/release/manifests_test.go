package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

type rule struct {
	APIGroups       []string `json:"apiGroups"`
	Resources       []string `json:"resources"`
	ResourceNames   []string `json:"resourceNames"`
	NonResourceURLs []string `json:"nonResourceURLs"`
	Verbs           []string `json:"verbs"`
}

type object struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name   string            `json:"name"`
		Labels map[string]string `json:"labels"`
	} `json:"metadata"`
	Rules []rule         `json:"rules"`
	Spec  map[string]any `json:"spec"`
}

// rendered is config/default as it is published.
func rendered(t *testing.T) []object {
	t.Helper()
	output := filepath.Join(t.TempDir(), "install.yaml")
	if err := writeManifests(filepath.Join("..", ".."), "registry.example.com/strata@sha256:0123", output); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(data), "image: registry.example.com/strata@sha256:0123\n"); got != 1 {
		t.Errorf("the image is there %d times, want 1", got)
	}
	var objects []object
	for _, document := range strings.Split(string(data), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	return objects
}

func TestOrderIsThatOfWhatDependsOnWhat(t *testing.T) {
	var kinds []string
	for _, o := range rendered(t) {
		kinds = append(kinds, o.Kind)
	}
	if got := slices.Compact(slices.Clone(kinds)); got[0] != "Namespace" || got[1] != "CustomResourceDefinition" {
		t.Errorf("begins with %v, want Namespace, CustomResourceDefinition", got[:2])
	}
	if last := kinds[len(kinds)-1]; last != "ValidatingWebhookConfiguration" {
		t.Errorf("ends with %s, want ValidatingWebhookConfiguration", last)
	}
}

func TestRolesNameWhatTheyGrant(t *testing.T) {
	for _, o := range rendered(t) {
		for _, r := range o.Rules {
			for _, granted := range slices.Concat(r.APIGroups, r.Resources, r.ResourceNames, r.NonResourceURLs, r.Verbs) {
				if strings.Contains(granted, "*") {
					t.Errorf("%s %s has a wildcard: %+v", o.Kind, o.Metadata.Name, r)
				}
			}
			if slices.Contains(r.Resources, "secrets") && len(r.ResourceNames) == 0 && !only(r.Verbs, "get", "create") {
				t.Errorf("%s %s may %v any Secret", o.Kind, o.Metadata.Name, r.Verbs)
			}
			if slices.Contains(r.Resources, "releaserecords") && !only(r.Verbs, "get", "list", "watch", "create", "delete") {
				t.Errorf("%s %s may %v records, which are appended, and pruned, and never changed", o.Kind, o.Metadata.Name, r.Verbs)
			}
			for _, verb := range []string{"escalate", "bind", "impersonate"} {
				if slices.Contains(r.Verbs, verb) {
					t.Errorf("%s %s may %s", o.Kind, o.Metadata.Name, verb)
				}
			}
		}
	}
}

// TestUsersRoles: what the cluster's own roles gain neither writes records nor
// decides what actions are for.
func TestUsersRoles(t *testing.T) {
	seen := 0
	for _, o := range rendered(t) {
		aggregated := false
		for label := range o.Metadata.Labels {
			aggregated = aggregated || strings.HasPrefix(label, "rbac.authorization.k8s.io/aggregate-to-")
		}
		if !aggregated {
			continue
		}
		seen++
		for _, r := range o.Rules {
			if !only(r.Verbs, "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection") {
				t.Errorf("%s grants %v on %v", o.Metadata.Name, r.Verbs, r.Resources)
			}
			if slices.Contains(r.Resources, "releaserecords") && !only(r.Verbs, "get", "list", "watch") {
				t.Errorf("%s writes records", o.Metadata.Name)
			}
			if slices.Contains(r.Resources, "releasepolicies") && !only(r.Verbs, "get", "list", "watch") {
				t.Errorf("%s writes policies", o.Metadata.Name)
			}
		}
	}
	if seen != 2 {
		t.Errorf("%d roles are aggregated, want view and edit", seen)
	}
}

func only(verbs []string, allowed ...string) bool {
	for _, verb := range verbs {
		if !slices.Contains(allowed, verb) {
			return false
		}
	}
	return true
}
