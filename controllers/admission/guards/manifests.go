package guards

import (
	"bytes"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Where the manifests stand, from the top of the repository.
const (
	PoliciesFile = "config/policies/policies.yaml"
	WebhooksFile = "config/webhook/webhooks.yaml"
)

const header = "# Made by `go generate ./controllers/admission/...` from the table in\n# controllers/admission/guards; changes belong there.\n"

// Manifests renders what is made from the table, by path.
func Manifests(operator Identity) (map[string][]byte, error) {
	var policies []runtime.Object
	bindings := Bindings()
	for i, policy := range ValidatingPolicies(operator) {
		policies = append(policies, policy, bindings[i])
	}
	stamp, binding := RequestedBy()
	policies = append(policies, stamp, binding)

	files := map[string][]byte{DocumentFile: Document()}
	var err error
	if files[PoliciesFile], err = encode(policies...); err != nil {
		return nil, err
	}
	files[WebhooksFile], err = encode(ValidatingWebhooks(operator), ExplainingWebhooks(operator))
	return files, err
}

func encode(objects ...runtime.Object) ([]byte, error) {
	var file bytes.Buffer
	file.WriteString(header)
	for _, object := range objects {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err != nil {
			return nil, fmt.Errorf("encode %T: %w", object, err)
		}
		delete(fields, "status")
		if meta, ok := fields["metadata"].(map[string]any); ok {
			delete(meta, "creationTimestamp")
		}
		data, err := yaml.Marshal(fields)
		if err != nil {
			return nil, fmt.Errorf("encode %T %v: %w", object, object.(metav1.Object).GetName(), err)
		}
		file.WriteString("---\n")
		file.Write(data)
	}
	return file.Bytes(), nil
}

// DocumentFile lists the rules by their IDs, from the top of the repository.
const DocumentFile = "docs/guards.md"

// Document is the table in words, for somebody who was refused.
func Document() []byte {
	var doc bytes.Buffer
	doc.WriteString(`# What the guards refuse

Every refusal of a policy begins with the ID of its rule. The policies are decided
inside the API server and hold while the operator is down; cluster administrators
are not exempt. Exempt are the operator itself, known by a token that is bound to its
pod, and the controllers of Kubernetes that are named here. Made from the table in
` + "`controllers/admission/guards` by `go generate ./controllers/admission/...`" + `.

| rule | on | of | what the refusal says | exempt |
|---|---|---|---|---|
`)
	for i := range Policies {
		policy := &Policies[i]
		for _, rule := range policy.Rules {
			fmt.Fprintf(&doc, "| %s | %s | %s | %s | %s |\n", rule.ID, policy.operations(rule),
				strings.Join(policy.Resources, ", "), rule.Message, policy.exempt(rule))
		}
	}
	doc.WriteString(`
An operator that runs outside of the cluster is named by ` + "`config/overlays/out-of-cluster`" + `;
a kube-controller-manager whose controllers share one user, by
` + "`config/overlays/shared-controllers`" + `. Both are kustomizations to start from.

## To give the same manifest again

Applying the manifest of a release again, or replacing the release by it, changes
nothing, also while the release is held: a MutatingAdmissionPolicy keeps who published
it, and its mark. Where a cluster has no MutatingAdmissionPolicies, a replacement of a
release that is held is refused by STRATA-003; apply it instead.

## To change something that is refused

Publish a new ImmutableRelease with the change: its track rolls it out, tests it
before it takes traffic, and takes it back when it disappoints. To go back to an
earlier release, create a ReleaseAction with action Rollback.
`)
	return doc.Bytes()
}

// operations are those of a policy that a rule is about.
func (p *Policy) operations(rule Rule) string {
	var all, named []string
	for _, operation := range p.Operations {
		all = append(all, string(operation))
		if strings.Contains(rule.Expression, "request.operation != '"+string(operation)+"'") {
			named = append(named, string(operation))
		}
	}
	if len(named) > 0 {
		all = named
	}
	return strings.Join(all, ", ")
}

// exempt are the users to whom a rule does not apply.
func (p *Policy) exempt(rule Rule) string {
	var users []string
	if strings.Contains(rule.Expression, "variables.operator") {
		users = append(users, "the operator")
	}
	if strings.Contains(rule.Expression, "variables.controller") {
		for _, user := range p.Controllers {
			users = append(users, user[strings.LastIndexByte(user, ':')+1:])
		}
	}
	if strings.Contains(rule.Expression, "'system:nodes'") {
		users = append(users, "nodes")
	}
	if len(users) == 0 {
		return "nobody"
	}
	return strings.Join(users, ", ")
}
