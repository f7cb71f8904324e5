package validation

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// reservedVariables begin the names of the variables that Strata sets.
const reservedVariables = "STRATA_"

// seenNames are the names within one pod.
type seenNames struct {
	containers, ports, volumes map[string]bool
}

// validate checks one container. stays: it runs as long as the pod, and so may
// have probes.
func (s seenNames) validate(container *corev1.Container, stays bool, path *field.Path) field.ErrorList {
	errs := dnsLabel(container.Name, path.Child("name"))
	if s.containers[container.Name] && container.Name != "" {
		errs = append(errs, field.Duplicate(path.Child("name"), container.Name))
	}
	s.containers[container.Name] = true
	errs = append(errs, validateImage(container.Image, path.Child("image"))...)
	errs = append(errs, oneOf(container.ImagePullPolicy, path.Child("imagePullPolicy"), corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)...)
	errs = append(errs, oneOf(container.TerminationMessagePolicy, path.Child("terminationMessagePolicy"),
		corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError)...)
	errs = append(errs, s.validatePorts(container.Ports, path.Child("ports"))...)
	errs = append(errs, validateEnv(container.Env, path.Child("env"))...)
	errs = append(errs, validateEnvFrom(container.EnvFrom, path.Child("envFrom"))...)
	errs = append(errs, s.validateMounts(container, path)...)
	errs = append(errs, validateResources(&container.Resources, path.Child("resources"))...)
	errs = append(errs, validateSecurity(container.SecurityContext, path.Child("securityContext"))...)
	if !stays {
		return append(errs, withoutProbes(container, path)...)
	}
	return append(errs, validateProbes(container, path)...)
}

func (s seenNames) validatePorts(ports []corev1.ContainerPort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range ports {
		port, at := &ports[i], path.Index(i)
		for _, problem := range validation.IsValidPortNum(int(port.ContainerPort)) {
			errs = append(errs, field.Invalid(at.Child("containerPort"), port.ContainerPort, problem))
		}
		if port.HostPort != 0 {
			errs = append(errs, field.Invalid(at.Child("hostPort"), port.HostPort,
				"two releases run side by side and cannot share a port of a node: use spec.components[].ports"))
		}
		errs = append(errs, oneOf(port.Protocol, at.Child("protocol"), corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)...)
		if port.Name == "" {
			continue
		}
		for _, problem := range validation.IsValidPortName(port.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), port.Name, problem))
		}
		if s.ports[port.Name] {
			errs = append(errs, field.Duplicate(at.Child("name"), port.Name))
		}
		s.ports[port.Name] = true
	}
	return errs
}

func validateEnv(env []corev1.EnvVar, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range env {
		variable, at := &env[i], path.Index(i)
		for _, problem := range validation.IsRelaxedEnvVarName(variable.Name) {
			errs = append(errs, field.Invalid(at.Child("name"), variable.Name, problem))
		}
		if strings.HasPrefix(variable.Name, reservedVariables) {
			errs = append(errs, field.Forbidden(at.Child("name"), variable.Name+" is set by Strata; use another name"))
		}
		if variable.ValueFrom == nil {
			continue
		}
		if variable.Value != "" {
			errs = append(errs, field.Invalid(at.Child("value"), variable.Value, "give value or valueFrom, not both"))
		}
		errs = append(errs, exactlyOne(at.Child("valueFrom"), map[string]bool{
			"fieldRef": variable.ValueFrom.FieldRef != nil, "resourceFieldRef": variable.ValueFrom.ResourceFieldRef != nil,
			"configMapKeyRef": variable.ValueFrom.ConfigMapKeyRef != nil, "secretKeyRef": variable.ValueFrom.SecretKeyRef != nil,
			"fileKeyRef": variable.ValueFrom.FileKeyRef != nil,
		})...)
		if ref := variable.ValueFrom.ConfigMapKeyRef; ref != nil && ref.Key == "" {
			errs = append(errs, field.Required(at.Child("valueFrom", "configMapKeyRef", "key"), "name a key of the ConfigMap"))
		}
		if ref := variable.ValueFrom.SecretKeyRef; ref != nil && ref.Key == "" {
			errs = append(errs, field.Required(at.Child("valueFrom", "secretKeyRef", "key"), "name a key of the Secret"))
		}
	}
	return errs
}

func validateEnvFrom(sources []corev1.EnvFromSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range sources {
		errs = append(errs, exactlyOne(path.Index(i), map[string]bool{
			"configMapRef": sources[i].ConfigMapRef != nil, "secretRef": sources[i].SecretRef != nil,
		})...)
		if strings.HasPrefix(sources[i].Prefix, reservedVariables) {
			errs = append(errs, field.Invalid(path.Index(i).Child("prefix"), sources[i].Prefix, "variables that begin with STRATA_ are set by Strata"))
		}
	}
	return errs
}

func (s seenNames) validateMounts(container *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	paths := map[string]bool{}
	known := "none"
	if len(s.volumes) > 0 {
		known = strings.Join(slices.Sorted(maps.Keys(s.volumes)), ", ")
	}
	for i := range container.VolumeMounts {
		mount, at := &container.VolumeMounts[i], path.Child("volumeMounts").Index(i)
		if !s.volumes[mount.Name] {
			errs = append(errs, field.Invalid(at.Child("name"), mount.Name, "is no volume of the pod; it has: "+known))
		}
		switch {
		case mount.MountPath == "":
			errs = append(errs, field.Required(at.Child("mountPath"), "say where in the container"))
		case paths[mount.MountPath]:
			errs = append(errs, field.Invalid(at.Child("mountPath"), mount.MountPath, "must be unique in the container"))
		}
		paths[mount.MountPath] = true
		if mount.SubPath != "" && mount.SubPathExpr != "" {
			errs = append(errs, field.Invalid(at.Child("subPathExpr"), mount.SubPathExpr, "give subPath or subPathExpr, not both"))
		}
		errs = append(errs, relativePath(mount.SubPath, at.Child("subPath"))...)
	}
	for i, device := range container.VolumeDevices {
		if !s.volumes[device.Name] {
			errs = append(errs, field.Invalid(path.Child("volumeDevices").Index(i).Child("name"), device.Name, "is no volume of the pod; it has: "+known))
		}
	}
	return errs
}

// relativePath allows the empty path.
func relativePath(value string, path *field.Path) field.ErrorList {
	if strings.HasPrefix(value, "/") {
		return field.ErrorList{field.Invalid(path, value, "must be a relative path")}
	}
	if slices.Contains(strings.Split(value, "/"), "..") {
		return field.ErrorList{field.Invalid(path, value, "must not contain '..'")}
	}
	return nil
}

// validateResources checks what of amounts the API server refuses.
func validateResources(resources *corev1.ResourceRequirements, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, list := range []struct {
		amounts corev1.ResourceList
		path    *field.Path
	}{{resources.Limits, path.Child("limits")}, {resources.Requests, path.Child("requests")}} {
		for _, name := range slices.Sorted(maps.Keys(list.amounts)) {
			amount := list.amounts[name]
			if amount.Sign() < 0 {
				errs = append(errs, field.Invalid(list.path.Key(string(name)), amount.String(), "must not be negative"))
			}
			for _, problem := range validation.IsQualifiedName(string(name)) {
				errs = append(errs, field.Invalid(list.path.Key(string(name)), string(name), problem))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(resources.Requests)) {
		request := resources.Requests[name]
		if limit, has := resources.Limits[name]; has && request.Cmp(limit) > 0 {
			errs = append(errs, field.Invalid(path.Child("requests").Key(string(name)), request.String(), "must not be above the limit of "+limit.String()))
		}
	}
	return errs
}

func validateSecurity(context *corev1.SecurityContext, path *field.Path) field.ErrorList {
	if context == nil || context.AllowPrivilegeEscalation == nil || *context.AllowPrivilegeEscalation {
		return nil
	}
	if context.Privileged != nil && *context.Privileged {
		return field.ErrorList{field.Invalid(path.Child("allowPrivilegeEscalation"), false, "must not be false where privileged is true")}
	}
	return nil
}

// exactlyOne wants one member of a union.
func exactlyOne(path *field.Path, members map[string]bool) field.ErrorList {
	var set []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if members[name] {
			set = append(set, name)
		}
	}
	switch len(set) {
	case 0:
		return field.ErrorList{field.Required(path, "give one of: "+strings.Join(slices.Sorted(maps.Keys(members)), ", "))}
	case 1:
		return nil
	}
	return field.ErrorList{field.Invalid(path, strings.Join(set, ", "), "give exactly one of them")}
}
