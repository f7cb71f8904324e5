package main

import (
	"regexp"
	"strings"

	"k8s.io/utils/ptr"
)

// experimental is how the Gateway API marks, in its comments, fields that only its
// experimental channel has. Its own generator reads these marks; controller-gen
// leaves them in the descriptions.
const experimental = "<gateway:experimental>"

// marks are those of the Gateway API, with what they enclose, that say nothing to a
// reader of the standard channel.
var marks = regexp.MustCompile(`(?s)\n?<gateway:experimental:description>.*?</gateway:experimental:description>` +
	`|\n?<gateway:util:excludeFromCRD>.*?</gateway:util:excludeFromCRD>` +
	`|\n?<gateway:[^\n]*`)

// dropExperimental removes the fields that clusters with the standard channel do
// not store: what a track asks for there would silently be lost.
func dropExperimental(root *schema) {
	walk("", root, func(_ string, s *schema) {
		for name, property := range s.Properties {
			if strings.Contains(property.Description, experimental) {
				delete(s.Properties, name)
			}
		}
		if strings.Contains(s.Description, "gateway:") {
			s.Description = strings.TrimSpace(marks.ReplaceAllString(s.Description, ""))
		}
	})
}

// ofGatewayAPI are the paths of its own fields.
var ofGatewayAPI = regexp.MustCompile(`^spec\.traffic\.routes\[\]\.gatewayAPI\.((parentRefs|hostnames)\[\]|(rules|grpcRules)\[\]\.(matches|filters|timeouts)[.\[])`)

// dropRouteDescriptions removes the descriptions of the Gateway API's own fields, which
// "kubectl explain httproute.spec" has: tracks would be too large for client-side apply.
func dropRouteDescriptions(root *schema) {
	walk("", root, func(path string, s *schema) {
		if ofGatewayAPI.MatchString(path) {
			s.Description = ""
		}
	})
}

// The paths that a rule may match, in characters. Upstream allows 1024; with 16
// routes of 16 rules of 16 matches, the rule that looks at every character would be
// refused for its estimated cost.
const pathLength = 256

// The names of services and methods of gRPC, in characters. Upstream allows 1024.
const callNameLength = 256

// boundPaths makes the rules on paths, and on the names of calls, affordable.
func boundPaths(root *schema) {
	for _, name := range []string{"service", "method"} {
		at(root, "spec.traffic.routes[].gatewayAPI.grpcRules[].matches[].method."+name, func(s *schema) {
			s.MaxLength = ptr.To[int64](callNameLength)
		})
	}
	at(root, "spec.traffic.routes[].gatewayAPI.rules[].matches[].path.value", func(s *schema) {
		s.MaxLength = ptr.To[int64](pathLength)
	})
}
