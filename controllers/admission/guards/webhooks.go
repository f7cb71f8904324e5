package guards

import (
	admissionv1 "k8s.io/api/admissionregistration/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// ConfigurationName names the ValidatingWebhookConfiguration and the
// MutatingWebhookConfiguration.
const ConfigurationName = "strata"

// Paths of the webhook.
const (
	PathRelease    = "/validate-release"
	PathTrack      = "/validate-track"
	PathAction     = "/validate-action"
	PathRecord     = "/validate-record"
	PathPolicy     = "/validate-policy"
	PathDeployment = "/guard-deployment"
	PathDiff       = "/explain-release"
)

// Timeouts of a call, in seconds. The answers take milliseconds; nobody waits long
// for an explanation.
const (
	timeoutSeconds        = 5
	explainTimeoutSeconds = 2
)

// Webhook is what is sent to one path. There is none on DELETE: a namespace that
// is being deleted must not wait for one.
type Webhook struct {
	Name       string
	Path       string
	Group      string
	Version    string
	Resources  []string
	Operations []admissionv1.OperationType
	// Only is the CEL condition under which the webhook is called; "" for always.
	Only string
	// Controllers of Kubernetes for which it is not called.
	Controllers []string
}

// Webhooks are the validating ones. None is called for the operator.
var Webhooks = []Webhook{
	ours("releases", PathRelease, "immutablereleases"),
	ours("tracks", PathTrack, "releasetracks"),
	ours("actions", PathAction, "releaseactions"),
	ours("records", PathRecord, "releaserecords"),
	ours("policies", PathPolicy, "releasepolicies"),
	{
		Name: "deployments.strata.dev", Path: PathDeployment,
		Group: "apps", Version: "v1",
		Resources:   []string{"deployments"},
		Operations:  []admissionv1.OperationType{update},
		Only:        ofRelease,
		Controllers: []string{deploymentController, garbageCollector},
	},
	{
		Name: "scale.deployments.strata.dev", Path: PathDeployment,
		Group: "apps", Version: "v1",
		Resources:   []string{"deployments/scale"},
		Operations:  []admissionv1.OperationType{update},
		Only:        scaleOfRelease,
		Controllers: []string{autoscaler},
	},
}

// Diff answers a change of a release's spec with what was changed, and what to do
// instead. The schema refuses such a change before validating webhooks are asked,
// with a fixed sentence; so this one stands where mutating webhooks do, ahead of
// the schema. It is called only for requests that are refused in any case, and so
// nothing that is stored ever passed through it. When it is away, the schema's
// sentence is the answer.
var Diff = Webhook{
	Name: "explain.releases.strata.dev", Path: PathDiff,
	Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
	Resources:  []string{"immutablereleases"},
	Operations: []admissionv1.OperationType{update},
	Only:       `object.spec != oldObject.spec`,
}

func ours(name, path, resource string) Webhook {
	return Webhook{
		Name: name + ".strata.dev", Path: path,
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:  []string{resource},
		Operations: []admissionv1.OperationType{create, update},
	}
}
