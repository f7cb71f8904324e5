package resources

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/strata-release/strata/api/v1alpha1"
)

// ConfigUse is one place in a pod template that names a ConfigMap or Secret.
type ConfigUse struct {
	Kind v1alpha1.ConfigKind
	// Name points into the template: writing to it rewrites the reference.
	Name *string
	// Optional is whether pods start without the object.
	Optional bool
	Path     *field.Path
}

// VisitConfig calls visit for every place in a pod spec from which containers
// read configuration: env, envFrom, volumes and projected volumes, of containers
// and init containers, in the order written. Image pull secrets, service account
// tokens and the credentials of storage drivers are not configuration.
func VisitConfig(spec *corev1.PodSpec, path *field.Path, visit func(ConfigUse)) {
	for i := range spec.InitContainers {
		visitContainer(&spec.InitContainers[i], path.Child("initContainers").Index(i), visit)
	}
	for i := range spec.Containers {
		visitContainer(&spec.Containers[i], path.Child("containers").Index(i), visit)
	}
	for i := range spec.Volumes {
		visitVolume(&spec.Volumes[i], path.Child("volumes").Index(i), visit)
	}
}

func visitContainer(container *corev1.Container, path *field.Path, visit func(ConfigUse)) {
	for i := range container.EnvFrom {
		from, at := &container.EnvFrom[i], path.Child("envFrom").Index(i)
		if ref := from.ConfigMapRef; ref != nil {
			visit(ConfigUse{v1alpha1.ConfigMapKind, &ref.Name, isTrue(ref.Optional), at.Child("configMapRef")})
		}
		if ref := from.SecretRef; ref != nil {
			visit(ConfigUse{v1alpha1.SecretKind, &ref.Name, isTrue(ref.Optional), at.Child("secretRef")})
		}
	}
	for i := range container.Env {
		source, at := container.Env[i].ValueFrom, path.Child("env").Index(i).Child("valueFrom")
		if source == nil {
			continue
		}
		if ref := source.ConfigMapKeyRef; ref != nil {
			visit(ConfigUse{v1alpha1.ConfigMapKind, &ref.Name, isTrue(ref.Optional), at.Child("configMapKeyRef")})
		}
		if ref := source.SecretKeyRef; ref != nil {
			visit(ConfigUse{v1alpha1.SecretKind, &ref.Name, isTrue(ref.Optional), at.Child("secretKeyRef")})
		}
	}
}

func visitVolume(volume *corev1.Volume, path *field.Path, visit func(ConfigUse)) {
	if ref := volume.ConfigMap; ref != nil {
		visit(ConfigUse{v1alpha1.ConfigMapKind, &ref.Name, isTrue(ref.Optional), path.Child("configMap")})
	}
	if ref := volume.Secret; ref != nil {
		visit(ConfigUse{v1alpha1.SecretKind, &ref.SecretName, isTrue(ref.Optional), path.Child("secret")})
	}
	if volume.Projected == nil {
		return
	}
	for i := range volume.Projected.Sources {
		source, at := &volume.Projected.Sources[i], path.Child("projected", "sources").Index(i)
		if ref := source.ConfigMap; ref != nil {
			visit(ConfigUse{v1alpha1.ConfigMapKind, &ref.Name, isTrue(ref.Optional), at.Child("configMap")})
		}
		if ref := source.Secret; ref != nil {
			visit(ConfigUse{v1alpha1.SecretKind, &ref.Name, isTrue(ref.Optional), at.Child("secret")})
		}
	}
}

// rewriteConfig makes a template read the copies instead of the live objects.
// What has no copy stays live.
func rewriteConfig(spec *corev1.PodSpec, snapshots []v1alpha1.SnapshotDigest) {
	copies := make(map[v1alpha1.ConfigReference]string, len(snapshots))
	for _, s := range snapshots {
		copies[v1alpha1.ConfigReference{Kind: s.Kind, Name: s.Name}] = s.Copy
	}
	VisitConfig(spec, nil, func(use ConfigUse) {
		if name, ok := copies[v1alpha1.ConfigReference{Kind: use.Kind, Name: *use.Name}]; ok {
			*use.Name = name
		}
	})
}

func isTrue(b *bool) bool { return b != nil && *b }
