package main

import (
	"encoding/json"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

// podBounds bound the lists of a pod whose items have rules, for only then are the
// rules affordable; by the path below a pod template.
var podBounds = map[string]int64{
	".spec.containers":                    32,
	".spec.initContainers":                32,
	".spec.volumes":                       128,
	".spec.tolerations":                   64,
	".spec.containers[].volumeMounts":     128,
	".spec.initContainers[].volumeMounts": 128,
}

// podName is the most that a name in a pod may have, in characters.
const podName = 63

// boundPods sets these bounds.
func boundPods(root *schema) {
	for _, template := range podTemplates {
		for path, limit := range podBounds {
			at(root, template+path, func(s *schema) { s.MaxItems = ptr.To(limit) })
		}
	}
}

// check is one thing that a Deployment or a Job would refuse when its pods are made.
// What costs next to nothing is refused when the release is published; the rest, such
// as the names of extended resources, ends as a condition of the release.
type check func(s *schema)

func oneOf(values ...string) check {
	return func(s *schema) { s.Enum = enum(values...) }
}

func matching(pattern string, length int64) check {
	return func(s *schema) { s.Pattern, s.MaxLength = pattern, ptr.To(length) }
}

func between(least, most float64) check {
	return func(s *schema) { s.Minimum, s.Maximum = ptr.To(least), ptr.To(most) }
}

func demand(field, expression, message string) check {
	return func(s *schema) { rule(s, field, expression, message) }
}

// address is an IP address of either family.
func address(s *schema) {
	s.AnyOf = []schema{{Format: "ipv4"}, {Format: "ipv6"}}
}

const (
	dnsLabel      = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	dnsName       = `^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`
	labelValue    = `^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`
	qualifiedName = `^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`
	configKey     = `^[-._a-zA-Z0-9]+$`
	sysctlName    = `^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`
	headerName    = `^[-A-Za-z0-9]+$`
	podField      = `^(metadata\.(name|namespace|uid|labels|annotations|(labels|annotations)\['[^']+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIPs?|podIPs?))$`
	containerRes  = `^((requests|limits)\.(cpu|memory|ephemeral-storage|hugepages-[A-Za-z0-9.]+))$`

	maxID = 1<<31 - 1
)

// podChecks are by the path below a pod template.
var podChecks = map[string]check{
	".metadata.labels{}":                        matching(labelValue, podName),
	".spec.containers[].name":                   matching(dnsLabel, podName),
	".spec.initContainers[].name":               matching(dnsLabel, podName),
	".spec.volumes[].name":                      matching(dnsLabel, podName),
	".spec.dnsConfig.nameservers[]":             address,
	".spec.dnsPolicy":                           oneOf("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"),
	".spec.hostAliases[].ip":                    address,
	".spec.hostAliases[].hostnames[]":           matching(dnsName, importedString),
	".spec.hostname":                            matching(dnsLabel, podName),
	".spec.subdomain":                           matching(dnsLabel, podName),
	".spec.os.name":                             oneOf("linux", "windows"),
	".spec.preemptionPolicy":                    oneOf("PreemptLowerPriority", "Never"),
	".spec.priorityClassName":                   matching(dnsName, importedString),
	".spec.runtimeClassName":                    matching(dnsName, importedString),
	".spec.readinessGates[].conditionType":      matching(qualifiedName, 317),
	".spec.schedulingGates[].name":              matching(qualifiedName, 317),
	".spec.securityContext.sysctls[].name":      matching(sysctlName, importedString),
	".spec.tolerations[].operator":              oneOf("Exists", "Equal", "Lt", "Gt"),
	".spec.tolerations[].effect":                oneOf("NoSchedule", "PreferNoSchedule", "NoExecute"),
	".spec.topologySpreadConstraints[].maxSkew": between(1, maxID),
	".spec.resourceClaims[]": demand("", "has(self.resourceClaimName) != has(self.resourceClaimTemplateName)",
		"exactly one of resourceClaimName and resourceClaimTemplateName must be set"),
	".spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight":    between(1, 100),
	".spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight":     between(1, 100),
	".spec.affinity.podAntiAffinity.preferredDuringSchedulingIgnoredDuringExecution[].weight": between(1, 100),
	".spec.tolerations[]": demand(".effect", "!has(self.tolerationSeconds) || has(self.effect) && self.effect == 'NoExecute'",
		"must be NoExecute where tolerationSeconds is set"),
	".spec.securityContext.fsGroup":              between(0, maxID),
	".spec.securityContext.supplementalGroups[]": between(0, maxID),
}

// identityChecks are of the security context of a pod and of a container.
var identityChecks = map[string]check{
	".runAsUser":           between(0, maxID),
	".runAsGroup":          between(0, maxID),
	".seccompProfile.type": oneOf("RuntimeDefault", "Localhost", "Unconfined"),
	".seccompProfile": demand(".localhostProfile", "has(self.localhostProfile) == (self.type == 'Localhost')",
		"must be set when type is Localhost, and only then"),
}

// containerChecks are by the path below a container.
var containerChecks = map[string]check{
	".imagePullPolicy":                           oneOf("Always", "IfNotPresent", "Never"),
	".terminationMessagePolicy":                  oneOf("File", "FallbackToLogsOnError"),
	".env[].valueFrom.fieldRef.fieldPath":        matching(podField, 1024),
	".env[].valueFrom.resourceFieldRef.resource": matching(containerRes, 128),
	".env[].valueFrom.secretKeyRef.key":          matching(configKey, importedString),
	".env[].valueFrom.configMapKeyRef.key":       matching(configKey, importedString),
	".envFrom[].prefix":                          matching(`^[ -<>-~]*$`, 1024),
	".ports[].protocol":                          oneOf("TCP", "UDP", "SCTP"),
	".ports[].containerPort":                     between(1, 65535),
	".volumeMounts[].mountPropagation":           oneOf("None", "HostToContainer", "Bidirectional"),
	".volumeMounts[].recursiveReadOnly":          oneOf("Disabled", "IfPossible", "Enabled"),
	".resizePolicy[].restartPolicy":              oneOf("NotRequired", "RestartContainer"),
	".securityContext.procMount":                 oneOf("Default", "Unmasked"),
	".volumeMounts[]": demand(".recursiveReadOnly", "!has(self.recursiveReadOnly) || self.recursiveReadOnly == 'Disabled' || has(self.readOnly) && self.readOnly",
		"needs readOnly: true"),
	".readinessProbe": demand(".terminationGracePeriodSeconds", "!has(self.terminationGracePeriodSeconds)",
		"not available for readiness probes"),
}

// probeChecks are by the path below a probe.
var probeChecks = map[string]check{
	".grpc.port":                  between(1, 65535),
	".httpGet.scheme":             oneOf("HTTP", "HTTPS"),
	".httpGet.httpHeaders[].name": matching(headerName, importedString),
}

// checkPods adds these checks to all pod templates.
func checkPods(root *schema) {
	for _, template := range podTemplates {
		at(root, template+".spec.containers", func(s *schema) { s.MinItems = ptr.To[int64](1) })
		apply(root, template, podChecks)
		apply(root, template+".spec.securityContext", identityChecks)
		for _, container := range []string{".spec.containers[]", ".spec.initContainers[]"} {
			apply(root, template+container, containerChecks)
			apply(root, template+container+".securityContext", identityChecks)
			for _, probe := range []string{".readinessProbe", ".livenessProbe", ".startupProbe"} {
				apply(root, template+container+probe, probeChecks)
			}
		}
	}
}

// apply adds checks below a path.
func apply(root *schema, path string, checks map[string]check) {
	for below, check := range checks {
		at(root, path+below, check)
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
