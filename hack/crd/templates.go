package main

import (
	"fmt"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

// An image is given by registry host, path and digest; a tag may stand before the
// digest, and means nothing. A host has a dot, a port, or is localhost: "shop/web"
// would be looked up in a registry of the node's choosing.
const (
	imageHost    = `(?:localhost(?::[0-9]{1,5})?|[a-z0-9][a-z0-9-]*:[0-9]{1,5}|[a-z0-9][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+(?::[0-9]{1,5})?)`
	imagePath    = `(?:[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*/)*[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
	imageTag     = `(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?`
	imageDigest  = `@sha256:[a-f0-9]{64}`
	imagePattern = `^` + imageHost + `/` + imagePath + imageTag + imageDigest + `$`
	imageLength  = 512
)

// pinImages demands every image by digest, of containers, init containers and image
// volumes. A pattern costs nothing, where a CEL rule over lists without bounds is
// refused for its estimated cost.
func pinImages(root *schema) {
	for _, template := range podTemplates {
		for _, list := range []string{"containers", "initContainers"} {
			at(root, template+".spec."+list+"[]", func(s *schema) { require(s, "image") })
			at(root, template+".spec."+list+"[].image", pinImage)
		}
		at(root, template+".spec.volumes[].image", func(s *schema) { require(s, "reference") })
		at(root, template+".spec.volumes[].image.reference", pinImage)
	}
}

func pinImage(s *schema) {
	s.Pattern = imagePattern
	s.MaxLength = ptr.To[int64](imageLength)
}

// refuseEphemeralContainers leaves of them a list that must be empty: without the
// field they would silently be dropped.
func refuseEphemeralContainers(root *schema) {
	for _, template := range podTemplates {
		at(root, template+".spec.ephemeralContainers", func(s *schema) {
			*s = schema{
				Type: "array", MaxItems: ptr.To[int64](0), XListType: ptr.To("atomic"),
				Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &schema{Type: "object"}},
			}
		})
	}
}

// restrictMetadata refuses what Kubernetes ignores in the metadata of a template
// (name, namespace), what would keep a namespace from being deleted (finalizers), and
// labels and annotations that the operator alone writes.
func restrictMetadata(root *schema) {
	for _, metadata := range append(below(podTemplates, ""), jobTemplates...) {
		at(root, metadata+".metadata", func(s *schema) {
			rule(s, "", "!has(self.name) && !has(self.namespace) && !has(self.finalizers)",
				"the metadata of a template may have labels and annotations only")
		})
		for _, m := range []string{"labels", "annotations"} {
			at(root, metadata+".metadata."+m, func(s *schema) {
				s.MaxProperties = ptr.To[int64](importedProperties)
				rule(s, "", "self.all(k, !k.startsWith('strata.dev/'))",
					"keys under strata.dev/ are written by the operator alone")
			})
		}
	}
}

// restrictComponentPods refuses what a Deployment refuses, and what ties pods to a
// node so that two releases cannot run beside each other.
func restrictComponentPods(root *schema) {
	for _, pod := range below(componentTemplates, ".spec") {
		at(root, pod, func(s *schema) {
			rule(s, ".activeDeadlineSeconds", "!has(self.activeDeadlineSeconds)",
				"the pods of a component run for ever: activeDeadlineSeconds is not available")
			rule(s, ".hostNetwork", "!has(self.hostNetwork) || !self.hostNetwork",
				"the pods of two releases run beside each other: hostNetwork is not available")
		})
		at(root, pod+".restartPolicy", func(s *schema) { s.Enum = enum("Always") })
		for _, list := range []string{"containers", "initContainers"} {
			at(root, pod+"."+list+"[].ports[].hostPort", func(s *schema) {
				s.Enum = []apiextensionsv1.JSON{{Raw: []byte("0")}}
			})
		}
	}
}

// restrictJobs refuses what would let a test pass, wait, vanish or claim pods by
// other means than its own success.
func restrictJobs(root *schema) {
	for _, job := range below(jobTemplates, ".spec") {
		restrictJob(root, job)
	}
}

func restrictJob(root *schema, job string) {
	at(root, job, func(s *schema) {
		for _, refused := range []struct{ field, why string }{
			{"suspend", "a test that waits for somebody is not a gate"},
			{"managedBy", "the result is that of the Job controller"},
			{"ttlSecondsAfterFinished", "the operator removes the Job when its result is recorded"},
			{"selector", "the Job's pods are its own"},
			{"manualSelector", "the Job's pods are its own"},
			{"backoffLimitPerIndex", "a test is one pod that succeeds"},
			{"maxFailedIndexes", "a test is one pod that succeeds"},
			{"successPolicy", "a test is one pod that succeeds"},
		} {
			rule(s, "."+refused.field, fmt.Sprintf("!has(self.%s)", refused.field),
				fmt.Sprintf("%s is not available: %s", refused.field, refused.why))
		}
	})
	for _, field := range []string{"parallelism", "completions"} {
		at(root, job+"."+field, func(s *schema) { s.Minimum, s.Maximum = ptr.To[float64](1), ptr.To[float64](1) })
	}
	apply(root, job, map[string]check{
		".backoffLimit":          between(0, maxID),
		".activeDeadlineSeconds": between(1, maxID),
		".completionMode":        oneOf("NonIndexed"),
		".podReplacementPolicy":  oneOf("TerminatingOrFailed", "Failed"),
	})
	at(root, job+".template.spec", func(s *schema) { require(s, "restartPolicy") })
	at(root, job+".template.spec.restartPolicy", func(s *schema) { s.Enum = enum("Never", "OnFailure") })
}

// uniqueNames gives back what the lists lost when they became atomic. Each list of
// names stands in a list of its own, so that it is made once and not for every item.
func uniqueNames(root *schema) {
	for _, template := range podTemplates {
		at(root, template+".spec", func(s *schema) {
			rule(s, "", unique("self.containers.map(c, c.name) + (has(self.initContainers) ? self.initContainers.map(c, c.name) : [])"),
				"the names of containers and init containers must be unique")
			rule(s, "", unique("has(self.volumes) ? self.volumes.map(v, v.name) : []"),
				"the names of volumes must be unique")
		})
	}
}

func unique(names string) string {
	return "[" + names + "].all(ns, ns.all(n, ns.indexOf(n) == ns.lastIndexOf(n)))"
}

// dropTemplateDescriptions removes the descriptions of Kubernetes' own fields, which
// "kubectl explain deployment.spec.template" and "kubectl explain hpa.spec" have: with them
// a CRD is 680 KB of JSON, too large for client-side apply.
func dropTemplateDescriptions(root *schema) {
	own := append(below(contents, ".components[].autoscaling.metrics[]"), below(contents, ".components[].autoscaling.behavior.")...)
	walk("", root, func(path string, s *schema) {
		if inTemplate(path) || slices.ContainsFunc(own, func(above string) bool { return strings.HasPrefix(path, above) }) {
			s.Description = ""
		}
	})
}

// dropReleaseDescriptions removes from a track the descriptions of what its template has of
// a release, which "kubectl explain irel.spec" has: with them a track would be too large.
func dropReleaseDescriptions(root *schema) {
	walk("", root, func(path string, s *schema) {
		if strings.HasPrefix(path, "spec.releaseTemplate.") {
			s.Description = ""
		}
	})
}
