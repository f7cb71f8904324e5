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
	PathAccess     = "/guard-access"
	PathExplain    = "/explain-release"
)

// Timeouts of a call, in seconds. The answers take milliseconds; nobody waits long
// for an explanation.
const (
	timeoutSeconds        = 5
	explainTimeoutSeconds = 2
)

// Explanation is what is sent to one path to be refused in good words.
type Explanation struct {
	Name       string
	Path       string
	Targets    []Target
	Operations []admissionv1.OperationType
	// Only is the CEL condition under which the webhook is called.
	Only string
	// Controllers of Kubernetes for which it is not called.
	Controllers []string
	// Labelled: it is called only for what carries this label, or did; "" for all.
	Labelled string
	// Rule of the table that is explained; the zero one where a schema is.
	Rule Rule
}

// Explaining are webhooks that refuse in words what the API server's own validation
// refuses in any case. It is asked before validating webhooks and policies, and has fixed
// sentences, or a regular expression, and a 422 for what is no mistake; so these stand
// where mutating webhooks do, ahead of it.
// Each is called only for requests that the validation, or else a policy, will refuse:
// nothing that is stored ever passed through one, but the sizes that a named writer gives
// pods. When they are away, the API server's words are the answer.
var Explaining = append(bySchemas, byRules()...)

// byRules are the rules of the table of which the API server refuses something by itself.
func byRules() []Explanation {
	var list []Explanation
	for _, route := range guarded() {
		for _, rule := range route.Rules {
			if rule.InvalidWhere == "" {
				continue
			}
			list = append(list, Explanation{
				Name: "explain-change." + strings.TrimPrefix(route.Name, "strata-") + ".strata.dev", Path: "/explain-" + strings.ToLower(rule.ID),
				Targets: route.Targets, Operations: route.Operations, Controllers: route.Controllers, Labelled: v1alpha1.LabelRelease,
				Only: all(route.Only, rule.InvalidWhere), Rule: rule,
			})
		}
	}
	return list
}

// bySchemas are what the schemas of our own kinds refuse.
var bySchemas = []Explanation{
	{
		// What was changed in a spec, and what to do instead.
		Name: "explain-change.releases.strata.dev", Path: PathExplain,
		Targets:    ours("immutablereleases"),
		Operations: []admissionv1.OperationType{update},
		Only:       `object.spec != oldObject.spec`,
	},
	{
		// The same, with another thing to do instead.
		Name: "explain-change.log.strata.dev", Path: PathExplain,
		Targets:    ours("releaseactions", "releaserecords"),
		Operations: []admissionv1.OperationType{update},
		Only:       `object.spec != oldObject.spec`,
	},
	{
		// Images by tag, and what else is wrong with such a release.
		Name: "explain-images.releases.strata.dev", Path: PathExplain,
		Targets:    ours("immutablereleases"),
		Operations: []admissionv1.OperationType{create},
		Only:       hasTags("object.spec"),
	},
	{
		// The same of the template of a track.
		Name: "explain-change.tracks.strata.dev", Path: PathExplain,
		Targets:    ours("releasetracks"),
		Operations: []admissionv1.OperationType{update},
		Only: `has(object.spec.releaseTemplate) && has(oldObject.spec.releaseTemplate) && object.spec.releaseTemplate.version == oldObject.spec.releaseTemplate.version && ` +
			`object.spec.releaseTemplate != oldObject.spec.releaseTemplate`,
	},
	{
		Name: "explain-images.tracks.strata.dev", Path: PathExplain,
		Targets:    ours("releasetracks"),
		Operations: []admissionv1.OperationType{create, update},
		Only:       `has(object.spec.releaseTemplate) && (` + hasTags("object.spec.releaseTemplate") + `)`,
	},
}

// hasTags is the CEL expression that is true for what has an image that is not given by
// digest, in a component or in a test.
func hasTags(content string) string {
	return content + `.components.exists(c, ` + byTag("c.template.spec") + `) || ` +
		`(has(` + content + `.tests) && ` + content + `.tests.exists(t, ` + byTag("t.template.spec.template.spec") + `))`
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
