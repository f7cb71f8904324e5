package guards

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
)

func TestManifestsAreUpToDate(t *testing.T) {
	files, err := Manifests(InCluster)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join("..", "..", "..", path))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the table makes: go generate ./controllers/admission/...", path)
		}
	}
}

func TestEveryRuleHasAnIDOfItsOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, policy := range guarded() {
		for _, rule := range policy.Rules {
			if seen[rule.ID] || !strings.HasPrefix(rule.ID, "STRATA-") || rule.Says == "" || rule.Instead == "" {
				t.Errorf("%s: rule %q says %q", policy.Name, rule.ID, rule.Says)
			}
			seen[rule.ID] = true
		}
	}
}

// What a schema refuses under the ID of a rule is what the rule says of it, with the route,
// and the document tells of both.
func TestSchemasSayTheRulesOfTheTable(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d CRDs: %v", len(files), err)
	}
	said := map[string][]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatal(err)
		}
		spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
		for _, rule := range append(spec.XValidations, spec.Properties["releaseTemplate"].XValidations...) {
			if id, _, ok := strings.Cut(rule.Message, ": "); ok && strings.HasPrefix(id, "STRATA-") {
				said[id] = append(said[id], crd.Spec.Names.Plural)
				if !strings.HasSuffix(rule.Message, " (UPDATE "+crd.Spec.Names.Plural+")") {
					t.Errorf("%s does not tell the route: %s", crd.Name, rule.Message)
				}
			}
		}
	}
	for _, route := range guarded() {
		for _, rule := range route.Rules {
			var of []string
			if rule.Invalid == bySchema {
				of = route.Targets[0].Resources
			}
			if !slices.Equal(slices.Sorted(slices.Values(said[rule.ID])), slices.Sorted(slices.Values(of))) {
				t.Errorf("%s: schemas of %v say it, and the table knows of %v", rule.ID, said[rule.ID], of)
			}
		}
	}
}

// Overlays name other users at these places.
func TestWhoIsExemptStandsFirst(t *testing.T) {
	for _, policy := range ValidatingPolicies(InCluster) {
		if policy.Spec.Variables[0].Name != "operator" || policy.Spec.Variables[1].Name != "controller" {
			t.Errorf("%s: variables are %v", policy.Name, policy.Spec.Variables)
		}
	}
	for _, webhook := range ValidatingWebhooks(InCluster).Webhooks {
		if webhook.MatchConditions[0].Name != "not-the-operator" {
			t.Errorf("%s: first condition is %s", webhook.Name, webhook.MatchConditions[0].Name)
		}
		for _, rule := range webhook.Rules {
			for _, operation := range rule.Operations {
				if operation == "DELETE" || operation == "*" {
					t.Errorf("%s is called on %s", webhook.Name, operation)
				}
			}
		}
	}
}

// What explains refuses nothing by being away, and is told of nobody whom the rule lets
// pass. What the API server calls invalid has somebody who explains it.
func TestWhatIsInvalidIsExplained(t *testing.T) {
	explained := map[string]bool{}
	webhooks := ExplainingWebhooks(InCluster).Webhooks
	for i, webhook := range webhooks {
		conditions := webhook.MatchConditions
		if conditions[0].Name != "not-the-operator" || *webhook.FailurePolicy != "Ignore" || *webhook.SideEffects != "None" || *webhook.TimeoutSeconds > 2 {
			t.Errorf("%s: %v, %v, %v, %d s", webhook.Name, conditions, *webhook.FailurePolicy, *webhook.SideEffects, *webhook.TimeoutSeconds)
		}
		id := Explaining[i].Rule.ID
		if id == "" {
			continue
		}
		explained[id] = true
		if webhook.ObjectSelector == nil {
			t.Errorf("%s is asked of what no release has", webhook.Name)
		}
		for _, route := range guarded() {
			for _, rule := range route.Rules {
				if rule.ID == id && (len(route.Controllers) > 0) != strings.Contains(conditions[1].Expression, anyOf(route.Controllers)) {
					t.Errorf("%s: %v, and the rule exempts %v", webhook.Name, conditions, route.Controllers)
				}
			}
		}
	}
	for _, route := range guarded() {
		for _, rule := range route.Rules {
			if explained[rule.ID] != (rule.Invalid != "" && rule.Invalid != bySchema) {
				t.Errorf("%s: %q, and it is explained: %v", rule.ID, rule.Invalid, explained[rule.ID])
			}
		}
	}
}

// An API server that has just begun refuses whatever a policy matches whose parameters are of
// a kind that it does not know yet: nothing but what carries our labels, then.
func TestPoliciesByOurKindsAreForWhatIsOurs(t *testing.T) {
	found := 0
	for _, policy := range ValidatingPolicies(InCluster) {
		if kind := policy.Spec.ParamKind; kind == nil || !strings.HasPrefix(kind.APIVersion, v1alpha1.ReservedPrefix) {
			continue
		}
		found++
		selector := policy.Spec.MatchConstraints.ObjectSelector
		if selector == nil || len(selector.MatchExpressions) == 0 {
			t.Errorf("%s looks at %s, and matches what is nobody's of ours", policy.Name, policy.Spec.ParamKind.Kind)
			continue
		}
		for _, label := range selector.MatchExpressions {
			if label.Operator != "Exists" || !strings.HasPrefix(label.Key, v1alpha1.ReservedPrefix) {
				t.Errorf("%s selects by %v", policy.Name, label)
			}
		}
		for _, rule := range policy.Spec.MatchConstraints.ResourceRules {
			for _, resource := range rule.Resources {
				if strings.HasSuffix(resource, "/scale") || slices.Contains(rule.Operations, "CONNECT") {
					t.Errorf("%s: %s %v has no labels to select by", policy.Name, resource, rule.Operations)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no policy has parameters of our kinds: this test looks at nothing")
	}
}

func TestCRDDepth(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d CRDs: %v", len(files), err)
	}
	type schema = apiextensionsv1.JSONSchemaProps
	var depth func(schema) int
	depth = func(s schema) int {
		if s.Items != nil {
			s = *s.Items.Schema
		}
		deepest := 0
		for _, field := range s.Properties {
			deepest = max(deepest, 1+depth(field))
		}
		return deepest
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd apiextensionsv1.CustomResourceDefinition
		if err := yaml.Unmarshal(data, &crd); err != nil {
			t.Fatal(err)
		}
		if got := depth(crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]); got == 0 || got > crdDepth {
			t.Errorf("%s: spec is %d fields deep, STRATA-035 looks at %d", file, got, crdDepth)
		}
	}
}

func TestIdentity(t *testing.T) {
	inPod := func(but string) map[string]authenticationv1.ExtraValue {
		extra := map[string]authenticationv1.ExtraValue{}
		for _, key := range bound {
			if key != but {
				extra[key] = authenticationv1.ExtraValue{"7c0d7d2b"}
			}
		}
		return extra
	}
	outside := Identity{Username: "strata"}
	for name, c := range map[string]struct {
		identity Identity
		user     authenticationv1.UserInfo
		is       bool
	}{
		"the pod's token":               {InCluster, authenticationv1.UserInfo{Username: InCluster.Username, Extra: inPod("")}, true},
		"a minted token":                {InCluster, authenticationv1.UserInfo{Username: InCluster.Username}, false},
		"a token without its node":      {InCluster, authenticationv1.UserInfo{Username: InCluster.Username, Extra: inPod(bound[2])}, false},
		"another pod":                   {InCluster, authenticationv1.UserInfo{Username: "system:serviceaccount:shop:default", Extra: inPod("")}, false},
		"outside the cluster":           {outside, authenticationv1.UserInfo{Username: "strata"}, true},
		"nobody, with nobody as Strata": {Identity{}, authenticationv1.UserInfo{}, false},
	} {
		if got := c.identity.Is(c.user); got != c.is {
			t.Errorf("%s: %v", name, got)
		}
	}
	if strings.Contains(outside.Expression(), bound[0]) || !strings.Contains(InCluster.Expression(), bound[0]) {
		t.Error("the bound token is demanded of the wrong one")
	}
}
