package validation

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateProbes checks the probes and hooks of a container that stays.
func validateProbes(container *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for _, probe := range probesOf(container) {
		if probe.Probe == nil {
			continue
		}
		at := path.Child(probe.name)
		errs = append(errs, validateHandler(container, probe.Exec, probe.HTTPGet, probe.TCPSocket, probe.GRPC != nil, "grpc", at)...)
		for _, number := range []struct {
			name  string
			value int32
		}{
			{"initialDelaySeconds", probe.InitialDelaySeconds}, {"timeoutSeconds", probe.TimeoutSeconds}, {"periodSeconds", probe.PeriodSeconds},
			{"successThreshold", probe.SuccessThreshold}, {"failureThreshold", probe.FailureThreshold},
		} {
			if number.value < 0 {
				errs = append(errs, field.Invalid(at.Child(number.name), number.value, "must not be negative"))
			}
		}
		if probe.name != "readinessProbe" && probe.SuccessThreshold > 1 {
			errs = append(errs, field.Invalid(at.Child("successThreshold"), probe.SuccessThreshold, "must be 1"))
		}
	}
	if container.Lifecycle == nil {
		return errs
	}
	for _, hook := range []struct {
		name    string
		handler *corev1.LifecycleHandler
	}{{"postStart", container.Lifecycle.PostStart}, {"preStop", container.Lifecycle.PreStop}} {
		if hook.handler != nil {
			errs = append(errs, validateHandler(container, hook.handler.Exec, hook.handler.HTTPGet, hook.handler.TCPSocket,
				hook.handler.Sleep != nil, "sleep", path.Child("lifecycle", hook.name))...)
		}
	}
	return errs
}

type namedProbe struct {
	name string
	*corev1.Probe
}

func probesOf(container *corev1.Container) []namedProbe {
	return []namedProbe{
		{"livenessProbe", container.LivenessProbe}, {"readinessProbe", container.ReadinessProbe}, {"startupProbe", container.StartupProbe},
	}
}

// withoutProbes refuses what a container that ends cannot have.
func withoutProbes(container *corev1.Container, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	const why = "an init container that ends has none: leave it out, or set restartPolicy: Always for a sidecar"
	for _, probe := range probesOf(container) {
		if probe.Probe != nil {
			errs = append(errs, field.Forbidden(path.Child(probe.name), why))
		}
	}
	if container.Lifecycle != nil {
		errs = append(errs, field.Forbidden(path.Child("lifecycle"), why))
	}
	return errs
}

// validateHandler checks the union of ways to ask a container. A port given by
// name must be the container's own: the kubelet would find none.
func validateHandler(container *corev1.Container, exec *corev1.ExecAction, get *corev1.HTTPGetAction, tcp *corev1.TCPSocketAction,
	other bool, otherName string, path *field.Path) field.ErrorList {
	errs := exactlyOne(path, map[string]bool{"exec": exec != nil, "httpGet": get != nil, "tcpSocket": tcp != nil, otherName: other})
	if exec != nil && len(exec.Command) == 0 {
		errs = append(errs, field.Required(path.Child("exec", "command"), "give the command and its arguments"))
	}
	if get != nil {
		errs = append(errs, validateHandlerPort(container, get.Port, path.Child("httpGet", "port"))...)
		errs = append(errs, oneOf(get.Scheme, path.Child("httpGet", "scheme"), corev1.URISchemeHTTP, corev1.URISchemeHTTPS)...)
	}
	if tcp != nil {
		errs = append(errs, validateHandlerPort(container, tcp.Port, path.Child("tcpSocket", "port"))...)
	}
	return errs
}

func validateHandlerPort(container *corev1.Container, port intstr.IntOrString, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if port.Type == intstr.Int {
		for _, problem := range validation.IsValidPortNum(port.IntValue()) {
			errs = append(errs, field.Invalid(path, port.IntValue(), problem))
		}
		return errs
	}
	for i := range container.Ports {
		if container.Ports[i].Name == port.StrVal {
			return nil
		}
	}
	return field.ErrorList{field.Invalid(path, port.StrVal, fmt.Sprintf(
		"container %s declares no port of this name: add it to its ports, or give the number", container.Name))}
}
