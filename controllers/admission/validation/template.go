package validation

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateTemplate says what would keep the API server from creating, or the
// kubelet from starting, pods of a template. It covers what people get wrong, not
// all of the API server's own checks: what slips through ends as a condition on
// the release.
func validateTemplate(template *corev1.PodTemplateSpec, path *field.Path) field.ErrorList {
	meta, pod, at := path.Child("metadata"), &template.Spec, path.Child("spec")
	errs := reservedTemplateMetadata(&template.ObjectMeta, meta)
	errs = append(errs, metav1validation.ValidateLabels(template.Labels, meta.Child("labels"))...)
	errs = append(errs, apivalidation.ValidateAnnotations(template.Annotations, meta.Child("annotations"))...)
	errs = append(errs, validatePod(pod, at)...)
	volumes, volumeErrs := validateVolumes(pod.Volumes, at.Child("volumes"))
	errs = append(errs, volumeErrs...)

	if len(pod.Containers) == 0 {
		errs = append(errs, field.Required(at.Child("containers"), "a pod has at least one container"))
	}
	seen := seenNames{containers: map[string]bool{}, ports: map[string]bool{}, volumes: volumes}
	for i := range pod.InitContainers {
		container := &pod.InitContainers[i]
		sidecar := container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
		errs = append(errs, seen.validate(container, sidecar, at.Child("initContainers").Index(i))...)
	}
	for i := range pod.Containers {
		errs = append(errs, seen.validate(&pod.Containers[i], true, at.Child("containers").Index(i))...)
	}
	if len(pod.EphemeralContainers) > 0 {
		errs = append(errs, field.Forbidden(at.Child("ephemeralContainers"), "they are added to running pods, which never change; leave them out"))
	}
	return errs
}

// validatePod checks what is neither a container nor a volume.
func validatePod(pod *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	errs = append(errs, oneOf(pod.DNSPolicy, path.Child("dnsPolicy"),
		corev1.DNSClusterFirst, corev1.DNSClusterFirstWithHostNet, corev1.DNSDefault, corev1.DNSNone)...)
	if pod.DNSPolicy == corev1.DNSNone && (pod.DNSConfig == nil || len(pod.DNSConfig.Nameservers) == 0) {
		errs = append(errs, field.Required(path.Child("dnsConfig", "nameservers"), "dnsPolicy None needs at least one"))
	}
	if grace := pod.TerminationGracePeriodSeconds; grace != nil && *grace < 0 {
		errs = append(errs, field.Invalid(path.Child("terminationGracePeriodSeconds"), *grace, "must not be negative"))
	}
	if pod.ServiceAccountName != "" {
		errs = append(errs, dnsName(pod.ServiceAccountName, path.Child("serviceAccountName"))...)
	}
	for i, secret := range pod.ImagePullSecrets {
		errs = append(errs, dnsName(secret.Name, path.Child("imagePullSecrets").Index(i).Child("name"))...)
	}
	errs = append(errs, metav1validation.ValidateLabels(pod.NodeSelector, path.Child("nodeSelector"))...)
	for i, alias := range pod.HostAliases {
		errs = append(errs, validation.IsValidIP(path.Child("hostAliases").Index(i).Child("ip"), alias.IP)...)
	}
	for i := range pod.Tolerations {
		errs = append(errs, validateToleration(&pod.Tolerations[i], path.Child("tolerations").Index(i))...)
	}
	for i := range pod.TopologySpreadConstraints {
		constraint, at := &pod.TopologySpreadConstraints[i], path.Child("topologySpreadConstraints").Index(i)
		if constraint.MaxSkew < 1 {
			errs = append(errs, field.Invalid(at.Child("maxSkew"), constraint.MaxSkew, "must be at least 1"))
		}
		if constraint.TopologyKey == "" {
			errs = append(errs, field.Required(at.Child("topologyKey"), "name the label of nodes to spread over"))
		}
		errs = append(errs, mustBeOneOf(constraint.WhenUnsatisfiable, at.Child("whenUnsatisfiable"), corev1.DoNotSchedule, corev1.ScheduleAnyway)...)
	}
	return errs
}

func validateToleration(toleration *corev1.Toleration, path *field.Path) field.ErrorList {
	errs := oneOf(toleration.Operator, path.Child("operator"), corev1.TolerationOpExists, corev1.TolerationOpEqual, "Lt", "Gt")
	errs = append(errs, oneOf(toleration.Effect, path.Child("effect"),
		corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)...)
	switch {
	case toleration.Key == "" && toleration.Operator != corev1.TolerationOpExists:
		errs = append(errs, field.Invalid(path.Child("operator"), toleration.Operator, "must be Exists where key is empty"))
	case toleration.Operator == corev1.TolerationOpExists && toleration.Value != "":
		errs = append(errs, field.Invalid(path.Child("value"), toleration.Value, "must be empty where operator is Exists"))
	}
	return errs
}

// oneOf allows the empty value, which the API server fills in.
func oneOf[T ~string](value T, path *field.Path, allowed ...T) field.ErrorList {
	if value == "" {
		return nil
	}
	return mustBeOneOf(value, path, allowed...)
}

func mustBeOneOf[T ~string](value T, path *field.Path, allowed ...T) field.ErrorList {
	if slices.Contains(allowed, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(path, value, allowed)}
}

func dnsName(name string, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, problem := range validation.IsDNS1123Subdomain(name) {
		errs = append(errs, field.Invalid(path, name, problem))
	}
	return errs
}

func dnsLabel(name string, path *field.Path) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "must be named")}
	}
	var errs field.ErrorList
	for _, problem := range validation.IsDNS1123Label(name) {
		errs = append(errs, field.Invalid(path, name, problem))
	}
	return errs
}
