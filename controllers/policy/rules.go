package policy

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// rule is a question that policies answer with Deny, Warn or Allow.
type rule struct {
	// field of the policy's spec.
	field string
	ask   func(*v1alpha1.ReleasePolicySpec) v1alpha1.PolicyMode
	// find is where a pod has it.
	find func(pod) []*field.Path
	// instead says what to use.
	instead string
}

// pod is a template, and where it is in the release.
type pod struct {
	spec *corev1.PodSpec
	path *field.Path
}

// privileges begin the names of the rules of what a container may do to its node.
const privileges = "privileges."

// rules, in the order in which they are reported.
var rules = []rule{
	{"externalState.hostPath", state(func(p *v1alpha1.ExternalStatePolicy) v1alpha1.PolicyMode { return p.HostPath }), hostPaths,
		"a hostPath volume is state of a node, that no release has under control: use an emptyDir with a sizeLimit for scratch space, a ConfigMap for files, and keep state in a database or object store"},
	{"externalState.writableVolumes", state(func(p *v1alpha1.ExternalStatePolicy) v1alpha1.PolicyMode { return p.WritableVolumes }), writableVolumes,
		"what a release writes to a volume outlives it, and the release that is gone back to finds it changed: mount it with readOnly: true, and keep state in a database or object store"},
	{"externalState.unlimitedEmptyDirs", state(func(p *v1alpha1.ExternalStatePolicy) v1alpha1.PolicyMode { return p.UnlimitedEmptyDirs }), unlimitedEmptyDirs,
		"an emptyDir without a limit can fill its node: set sizeLimit"},
	{"externalState.writableRootFilesystem", state(func(p *v1alpha1.ExternalStatePolicy) v1alpha1.PolicyMode { return p.WritableRootFilesystem }), writableRoots,
		"what is written into the root file system is not what was released: set readOnlyRootFilesystem: true, and mount an emptyDir with a sizeLimit where the program has to write"},
	{privileges + "privilegedContainers", privilege(func(p *v1alpha1.PrivilegePolicy) v1alpha1.PolicyMode { return p.PrivilegedContainers }), privileged,
		"a privileged container is root on its node: leave privileged and hostProcess out, and add the one capability that the program needs"},
	{privileges + "hostNamespaces", privilege(func(p *v1alpha1.PrivilegePolicy) v1alpha1.PolicyMode { return p.HostNamespaces }), hostNamespaces,
		"a pod in the node's own namespaces sees and reaches what is not its own: leave hostNetwork, hostPID and hostIPC out, and use a Service, or shareProcessNamespace within the pod"},
	{privileges + "addedCapabilities", privilege(func(p *v1alpha1.PrivilegePolicy) v1alpha1.PolicyMode { return p.AddedCapabilities }), addedCapabilities,
		"added capabilities are more than a program usually needs: leave capabilities.add out; to listen on a port below 1024, listen above and let the Service map it"},
	{privileges + "privilegeEscalation", privilege(func(p *v1alpha1.PrivilegePolicy) v1alpha1.PolicyMode { return p.PrivilegeEscalation }), escalation,
		"a process may gain more privileges than its parent: set allowPrivilegeEscalation: false"},
	{privileges + "rootUser", privilege(func(p *v1alpha1.PrivilegePolicy) v1alpha1.PolicyMode { return p.RootUser }), rootUsers,
		"the container may run as root: set runAsNonRoot: true, and a runAsUser other than 0 where the image names none"},
}

func state(ask func(*v1alpha1.ExternalStatePolicy) v1alpha1.PolicyMode) func(*v1alpha1.ReleasePolicySpec) v1alpha1.PolicyMode {
	return func(spec *v1alpha1.ReleasePolicySpec) v1alpha1.PolicyMode {
		if spec.ExternalState == nil {
			return ""
		}
		return ask(spec.ExternalState)
	}
}

func privilege(ask func(*v1alpha1.PrivilegePolicy) v1alpha1.PolicyMode) func(*v1alpha1.ReleasePolicySpec) v1alpha1.PolicyMode {
	return func(spec *v1alpha1.ReleasePolicySpec) v1alpha1.PolicyMode {
		if spec.Privileges == nil {
			return ""
		}
		return ask(spec.Privileges)
	}
}

func hostPaths(p pod) []*field.Path {
	return p.volumes(func(v *corev1.Volume) (string, bool) { return "hostPath", v.HostPath != nil })
}

func unlimitedEmptyDirs(p pod) []*field.Path {
	return p.volumes(func(v *corev1.Volume) (string, bool) {
		none := v.VolumeSource == corev1.VolumeSource{} // is an emptyDir
		return "emptyDir", none || v.EmptyDir != nil && (v.EmptyDir.SizeLimit == nil || v.EmptyDir.SizeLimit.Sign() <= 0)
	})
}

// volumes are those that a check finds, with the member that it names.
func (p pod) volumes(check func(*corev1.Volume) (string, bool)) []*field.Path {
	var found []*field.Path
	for i := range p.spec.Volumes {
		if member, has := check(&p.spec.Volumes[i]); has {
			found = append(found, p.path.Child("volumes").Index(i).Child(member))
		}
	}
	return found
}

// writableVolumes are claims, and volumes of other servers, that a container mounts to
// write, or has as a device.
func writableVolumes(p pod) []*field.Path {
	outside := map[string]bool{}
	for i := range p.spec.Volumes {
		if v := &p.spec.Volumes[i]; isOutside(&v.VolumeSource) {
			outside[v.Name] = true
		}
	}
	return p.containers(func(c *corev1.Container, at *field.Path) []*field.Path {
		var found []*field.Path
		for i := range c.VolumeMounts {
			if mount := &c.VolumeMounts[i]; outside[mount.Name] && !mount.ReadOnly {
				found = append(found, at.Child("volumeMounts").Index(i))
			}
		}
		for i := range c.VolumeDevices {
			if outside[c.VolumeDevices[i].Name] {
				found = append(found, at.Child("volumeDevices").Index(i))
			}
		}
		return found
	})
}

// isOutside says whether what is written to a volume outlives the pod. A claim, or a
// server, that says readOnly itself cannot be written to.
func isOutside(s *corev1.VolumeSource) bool {
	if s.PersistentVolumeClaim != nil {
		return !s.PersistentVolumeClaim.ReadOnly
	}
	if s.NFS != nil {
		return !s.NFS.ReadOnly
	}
	if s.CSI != nil {
		return s.CSI.ReadOnly == nil || !*s.CSI.ReadOnly
	}
	inside := s.EmptyDir != nil || s.ConfigMap != nil || s.Secret != nil || s.Projected != nil || s.DownwardAPI != nil ||
		s.Ephemeral != nil || s.Image != nil || s.HostPath != nil || s.GitRepo != nil
	return !inside && *s != corev1.VolumeSource{}
}

// containers are all of a pod, in the order written.
func (p pod) containers(find func(*corev1.Container, *field.Path) []*field.Path) []*field.Path {
	var found []*field.Path
	for i := range p.spec.InitContainers {
		found = append(found, find(&p.spec.InitContainers[i], p.path.Child("initContainers").Index(i))...)
	}
	for i := range p.spec.Containers {
		found = append(found, find(&p.spec.Containers[i], p.path.Child("containers").Index(i))...)
	}
	return found
}

// settings are the containers whose security settings a check finds wanting, with the
// setting. Those that a container leaves out are empty.
func (p pod) settings(name string, wanting func(corev1.SecurityContext) bool) []*field.Path {
	return p.containers(func(c *corev1.Container, at *field.Path) []*field.Path {
		var settings corev1.SecurityContext
		if c.SecurityContext != nil {
			settings = *c.SecurityContext
		}
		if wanting(settings) {
			return []*field.Path{at.Child("securityContext", name)}
		}
		return nil
	})
}

func writableRoots(p pod) []*field.Path {
	return p.settings("readOnlyRootFilesystem", func(s corev1.SecurityContext) bool { return !isTrue(s.ReadOnlyRootFilesystem) })
}

func privileged(p pod) []*field.Path {
	inherited := p.spec.SecurityContext != nil && p.spec.SecurityContext.WindowsOptions != nil && isTrue(p.spec.SecurityContext.WindowsOptions.HostProcess)
	return p.settings("privileged", func(s corev1.SecurityContext) bool {
		return isTrue(s.Privileged) || inherited || s.WindowsOptions != nil && isTrue(s.WindowsOptions.HostProcess)
	})
}

func addedCapabilities(p pod) []*field.Path {
	return p.settings("capabilities.add", func(s corev1.SecurityContext) bool { return s.Capabilities != nil && len(s.Capabilities.Add) > 0 })
}

func escalation(p pod) []*field.Path {
	return p.settings("allowPrivilegeEscalation", func(s corev1.SecurityContext) bool {
		return s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation
	})
}

func rootUsers(p pod) []*field.Path {
	var inherited corev1.PodSecurityContext
	if p.spec.SecurityContext != nil {
		inherited = *p.spec.SecurityContext
	}
	return p.settings("runAsNonRoot", func(s corev1.SecurityContext) bool {
		if s.RunAsNonRoot == nil {
			s.RunAsNonRoot = inherited.RunAsNonRoot
		}
		return !isTrue(s.RunAsNonRoot)
	})
}

func hostNamespaces(p pod) []*field.Path {
	var found []*field.Path
	for _, name := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		if map[string]bool{"hostNetwork": p.spec.HostNetwork, "hostPID": p.spec.HostPID, "hostIPC": p.spec.HostIPC}[name] {
			found = append(found, p.path.Child(name))
		}
	}
	return found
}

func isTrue(value *bool) bool { return value != nil && *value }

// allowed says in words what is, for a message.
func allowed[T ~string](list []T) string {
	if len(list) == 0 {
		return "none, as policies exclude each other"
	}
	var text string
	for i, item := range slices.Sorted(slices.Values(list)) {
		if i > 0 {
			text += ", "
		}
		text += string(item)
	}
	return text
}
