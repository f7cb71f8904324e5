package main

import (
	"encoding/json"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

// Bounds of a pod: what the rules below look at must be bounded for them to be
// affordable.
const (
	podContainers = 32
	podVolumes    = 128
	podName       = 63
)

// boundPods bounds the lists of a pod that have names, and these names.
func boundPods(root *schema) {
	for list, limit := range map[string]int64{"containers": podContainers, "initContainers": podContainers, "volumes": podVolumes} {
		for _, template := range podTemplates {
			at(root, template+".spec."+list, func(s *schema) { s.MaxItems = ptr.To(limit) })
			at(root, template+".spec."+list+"[].name", func(s *schema) { s.MaxLength = ptr.To[int64](podName) })
		}
	}
}

// What a Deployment or a Job would refuse when its pods are made, as far as it costs
// next to nothing to refuse it when the release is published.
var (
	podLabels = map[string]string{
		".spec.containers[].name":     dnsLabel,
		".spec.initContainers[].name": dnsLabel,
		".spec.volumes[].name":        dnsLabel,
	}
	podEnums = map[string][]string{
		".spec.dnsPolicy": {"ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"},
	}
	containerEnums = map[string][]string{
		".imagePullPolicy":          {"Always", "IfNotPresent", "Never"},
		".terminationMessagePolicy": {"File", "FallbackToLogsOnError"},
		".ports[].protocol":         {"TCP", "UDP", "SCTP"},
	}
)

const (
	dnsLabel   = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	labelValue = `^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
)

// checkPods adds these checks to all pod templates.
func checkPods(root *schema) {
	for _, template := range podTemplates {
		for path, pattern := range podLabels {
			at(root, template+path, func(s *schema) { s.Pattern = pattern })
		}
		for path, values := range podEnums {
			at(root, template+path, func(s *schema) { s.Enum = enum(values...) })
		}
		at(root, template+".spec.containers", func(s *schema) { s.MinItems = ptr.To[int64](1) })
		at(root, template+".metadata.labels{}", func(s *schema) {
			s.Pattern, s.MaxLength = labelValue, ptr.To[int64](podName)
		})
		for _, container := range []string{".spec.containers[]", ".spec.initContainers[]"} {
			for path, values := range containerEnums {
				at(root, template+container+path, func(s *schema) { s.Enum = enum(values...) })
			}
			at(root, template+container+".ports[].containerPort", func(s *schema) {
				s.Minimum, s.Maximum = ptr.To[float64](1), ptr.To[float64](65535)
			})
		}
	}
}

func enum(values ...string) []apiextensionsv1.JSON {
	out := make([]apiextensionsv1.JSON, len(values))
	for i, v := range values {
		raw, _ := json.Marshal(v) // a string always marshals
		out[i] = apiextensionsv1.JSON{Raw: raw}
	}
	return out
}
