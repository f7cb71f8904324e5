package guards

import (
	"fmt"
	"strings"

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
	PathExplain    = "/explain-release"
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

// Explaining are webhooks that refuse in words what the schema refuses in any
// case. The schema is asked before validating webhooks, and has fixed sentences, or
// a regular expression; so these stand where mutating webhooks do, ahead of it.
// Each is called only for requests that the schema will refuse: nothing that is
// stored ever passed through one. When they are away, the schema's words are the
// answer.
var Explaining = []Webhook{
	{
		// What was changed in a spec, and what to do instead.
		Name: "explain-change.releases.strata.dev", Path: PathExplain,
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:  []string{"immutablereleases"},
		Operations: []admissionv1.OperationType{update},
		Only:       `object.spec != oldObject.spec`,
	},
	{
		// Images by tag, and what else is wrong with such a release.
		Name: "explain-images.releases.strata.dev", Path: PathExplain,
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:  []string{"immutablereleases"},
		Operations: []admissionv1.OperationType{create},
		Only: `object.spec.components.exists(c, ` + byTag("c.template.spec") + `) || ` +
			`(has(object.spec.tests) && object.spec.tests.exists(t, ` + byTag("t.template.spec.template.spec") + `))`,
	},
}

// byTag is the CEL expression that is true for a pod with an image that is not
// given by digest.
func byTag(pod string) string {
	among := func(list, item, image string) string {
		return fmt.Sprintf("(has(%s.%s) && %s.%s.exists(%s, %s && !%s.contains('@sha256:')))", pod, list, pod, list, item, hasAll(image), image)
	}
	return among("containers", "k", "k.image") + " || " + among("initContainers", "k", "k.image") + " || " + among("volumes", "v", "v.image.reference")
}

// hasAll is the CEL expression that is true where every field of a path is there.
func hasAll(path string) string {
	var parts []string
	for i, c := range path {
		if c == '.' && i > strings.Index(path, ".") {
			parts = append(parts, "has("+path[:i]+")")
		}
	}
	return strings.Join(append(parts, "has("+path+")"), " && ")
}

func ours(name, path, resource string) Webhook {
	return Webhook{
		Name: name + ".strata.dev", Path: path,
		Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version,
		Resources:  []string{resource},
		Operations: []admissionv1.OperationType{create, update},
	}
}
