package guards

import (
	"bytes"
	"fmt"

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
	stamp, binding := RequestedBy(operator)
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
