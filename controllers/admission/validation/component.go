package validation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// validateComponent checks what becomes a Deployment and a Service.
func validateComponent(component *v1alpha1.Component, path *field.Path) field.ErrorList {
	template := path.Child("template")
	errs := validateTemplate(&component.Template, template)
	errs = append(errs, validateAsDeployment(&component.Template.Spec, template.Child("spec"))...)
	errs = append(errs, validatePorts(component, path.Child("ports"))...)
	return errs
}

// validateAsDeployment refuses what cannot run as several pods, twice at the same
// time, and be replaced at any moment.
func validateAsDeployment(pod *corev1.PodSpec, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if pod.RestartPolicy != "" && pod.RestartPolicy != corev1.RestartPolicyAlways {
		errs = append(errs, field.NotSupported(path.Child("restartPolicy"), pod.RestartPolicy, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	if pod.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Forbidden(path.Child("activeDeadlineSeconds"), "the pods of a component have no end; leave it out"))
	}
	if pod.HostNetwork {
		errs = append(errs, field.Invalid(path.Child("hostNetwork"), true,
			"two releases run side by side and cannot share the ports of a node: use spec.components[].ports"))
	}
	for i := range pod.Volumes {
		volume := path.Child("volumes").Index(i)
		if claim := pod.Volumes[i].PersistentVolumeClaim; claim != nil && !claim.ReadOnly {
			errs = append(errs, field.Invalid(volume.Child("persistentVolumeClaim"), claim.ClaimName,
				"two releases run side by side and would both write to this claim: set readOnly: true, or keep state outside of the release, for example in a StatefulSet or a database"))
		}
	}
	return errs
}

// validatePorts checks that every port of the Service leads somewhere, once.
func validatePorts(component *v1alpha1.Component, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	names, numbers := map[string]bool{}, map[string]bool{}
	declared := portNames(&component.Template.Spec)
	for i := range component.Ports {
		port, at := &component.Ports[i], path.Index(i)
		if names[port.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), port.Name))
		}
		names[port.Name] = true
		number := fmt.Sprintf("%d/%s", port.Port, protocol(port.Protocol))
		if numbers[number] {
			errs = append(errs, field.Duplicate(at.Child("port"), port.Port))
		}
		numbers[number] = true
		if target := port.TargetPort; target != nil && target.Type == intstr.String && !declared[target.StrVal+"/"+string(protocol(port.Protocol))] {
			errs = append(errs, field.Invalid(at.Child("targetPort"), target.StrVal, fmt.Sprintf(
				"no container of the component declares a %s port of this name: add it to a container's ports, or give the number", protocol(port.Protocol))))
		}
	}
	return errs
}

// portNames are the named ports of the containers, as name/protocol. A sidecar
// is an init container that stays.
func portNames(pod *corev1.PodSpec) map[string]bool {
	names := map[string]bool{}
	collect := func(containers []corev1.Container) {
		for i := range containers {
			for _, port := range containers[i].Ports {
				if port.Name != "" {
					names[port.Name+"/"+string(protocol(port.Protocol))] = true
				}
			}
		}
	}
	collect(pod.Containers)
	for i := range pod.InitContainers {
		if policy := pod.InitContainers[i].RestartPolicy; policy != nil && *policy == corev1.ContainerRestartPolicyAlways {
			collect(pod.InitContainers[i : i+1])
		}
	}
	return names
}

func protocol(p corev1.Protocol) corev1.Protocol {
	if p == "" {
		return corev1.ProtocolTCP
	}
	return p
}
