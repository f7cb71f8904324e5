package guards

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Label with LabelValue is on all that is made from the table.
const (
	Label      = "app.kubernetes.io/part-of"
	LabelValue = "strata"
)

// InstallationName names the ConfigMap in the operator's namespace that says in what an
// installation differs from what config/ deploys. The overlays write it with the guards.
const InstallationName = "strata-guards"

// LogName is the track in the names of the ReleaseRecords, in the operator's namespace,
// that tell of guards which were not as installed. There is no such track.
const LogName = "strata-guards"

// Keys of that ConfigMap.
const (
	// keyOperator and keyController are the CEL expressions of the variables of these
	// names, in all policies, and in the conditions of the webhooks.
	keyOperator   = "operator"
	keyController = "controller"
	// keyRestorer is that of the variable of its name.
	keyRestorer = "restorer"
	// keyWebhookURL is where the API server calls the webhook instead of its Service:
	// https://host:port, to which the paths are added.
	keyWebhookURL = "webhookURL"
)

// Installed are all guards as an installation has them: policies, bindings and webhook
// configurations, without caBundle. said is the data of its ConfigMap; a key that is
// none of this page's is an error.
func Installed(said map[string]string) ([]client.Object, error) {
	for _, key := range slices.Sorted(maps.Keys(said)) {
		if !slices.Contains([]string{keyOperator, keyController, keyRestorer, keyWebhookURL}, key) {
			return nil, fmt.Errorf("ConfigMap %s/%s: data.%s is no key: take %s, %s, %s or %s", Namespace, InstallationName, key, keyOperator, keyController, keyRestorer, keyWebhookURL)
		}
	}
	var objects []client.Object
	bindings := Bindings()
	for i, policy := range ValidatingPolicies(InCluster) {
		sayVariables(said, policy.Spec.Variables)
		objects = append(objects, policy, bindings[i])
	}
	stamp, binding := RequestedBy(InCluster)
	sayVariables(said, stamp.Spec.Variables)
	deciding, explaining := ValidatingWebhooks(InCluster), ExplainingWebhooks(InCluster)
	for i := range deciding.Webhooks {
		install(said, &deciding.Webhooks[i].ClientConfig, deciding.Webhooks[i].MatchConditions)
	}
	for i := range explaining.Webhooks {
		install(said, &explaining.Webhooks[i].ClientConfig, explaining.Webhooks[i].MatchConditions)
	}
	return append(objects, stamp, binding, deciding, explaining), nil
}

// sayVariables writes what was said into the variables of a policy.
func sayVariables(said map[string]string, variables []admissionv1.Variable) {
	for i := range variables {
		if expression, ok := said[variables[i].Name]; ok && variables[i].Name != keyWebhookURL {
			variables[i].Expression = expression
		}
	}
}

// install writes what was said into a webhook.
func install(said map[string]string, called *admissionv1.WebhookClientConfig, conditions []admissionv1.MatchCondition) {
	for condition, key := range map[string]string{"not-the-operator": keyOperator, "not-a-controller": keyController} {
		for i := range conditions {
			if expression, ok := said[key]; ok && conditions[i].Name == condition {
				conditions[i].Expression = "!(" + expression + ")"
			}
		}
	}
	if url := strings.TrimSuffix(said[keyWebhookURL], "/"); url != "" {
		url += *called.Service.Path
		called.Service, called.URL = nil, &url
	}
}
