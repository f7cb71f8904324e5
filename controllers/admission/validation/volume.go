package validation

import (
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateVolumes checks the volumes of a pod, and answers their names.
func validateVolumes(volumes []corev1.Volume, path *field.Path) (map[string]bool, field.ErrorList) {
	var errs field.ErrorList
	names := map[string]bool{}
	for i := range volumes {
		volume, at := &volumes[i], path.Index(i)
		errs = append(errs, dnsLabel(volume.Name, at.Child("name"))...)
		if names[volume.Name] && volume.Name != "" {
			errs = append(errs, field.Duplicate(at.Child("name"), volume.Name))
		}
		names[volume.Name] = true
		if sources := sourcesOf(&volume.VolumeSource); len(sources) > 1 {
			errs = append(errs, field.Invalid(at, strings.Join(sources, ", "), "a volume has one source"))
		}
		errs = append(errs, validateSource(&volume.VolumeSource, at)...)
	}
	return names, errs
}

// sourcesOf names the members of the union that are set. None is an emptyDir.
func sourcesOf(source *corev1.VolumeSource) []string {
	var set []string
	value := reflect.ValueOf(source).Elem()
	for i := range value.NumField() {
		if member := value.Field(i); member.Kind() == reflect.Pointer && !member.IsNil() {
			name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
			set = append(set, name)
		}
	}
	return set
}

func validateSource(source *corev1.VolumeSource, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if image := source.Image; image != nil {
		errs = append(errs, validateImage(image.Reference, path.Child("image", "reference"))...)
		errs = append(errs, oneOf(image.PullPolicy, path.Child("image", "pullPolicy"), corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever)...)
	}
	if host := source.HostPath; host != nil && host.Path == "" {
		errs = append(errs, field.Required(path.Child("hostPath", "path"), "say which path of the node"))
	}
	if claim := source.PersistentVolumeClaim; claim != nil && claim.ClaimName == "" {
		errs = append(errs, field.Required(path.Child("persistentVolumeClaim", "claimName"), "name the claim"))
	}
	if config := source.ConfigMap; config != nil {
		errs = append(errs, validateItems(config.Items, path.Child("configMap", "items"))...)
		errs = append(errs, validateMode(config.DefaultMode, path.Child("configMap", "defaultMode"))...)
	}
	if secret := source.Secret; secret != nil {
		errs = append(errs, validateItems(secret.Items, path.Child("secret", "items"))...)
		errs = append(errs, validateMode(secret.DefaultMode, path.Child("secret", "defaultMode"))...)
	}
	if projected := source.Projected; projected != nil {
		errs = append(errs, validateMode(projected.DefaultMode, path.Child("projected", "defaultMode"))...)
		for i := range projected.Sources {
			errs = append(errs, validateProjection(&projected.Sources[i], path.Child("projected", "sources").Index(i))...)
		}
	}
	return errs
}

func validateProjection(projection *corev1.VolumeProjection, path *field.Path) field.ErrorList {
	errs := exactlyOne(path, map[string]bool{
		"secret": projection.Secret != nil, "configMap": projection.ConfigMap != nil, "downwardAPI": projection.DownwardAPI != nil,
		"serviceAccountToken": projection.ServiceAccountToken != nil, "clusterTrustBundle": projection.ClusterTrustBundle != nil,
		"podCertificate": projection.PodCertificate != nil,
	})
	if projection.Secret != nil {
		errs = append(errs, validateItems(projection.Secret.Items, path.Child("secret", "items"))...)
	}
	if projection.ConfigMap != nil {
		errs = append(errs, validateItems(projection.ConfigMap.Items, path.Child("configMap", "items"))...)
	}
	return errs
}

func validateItems(items []corev1.KeyToPath, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range items {
		at := path.Index(i)
		if items[i].Key == "" {
			errs = append(errs, field.Required(at.Child("key"), "name a key"))
		}
		if items[i].Path == "" {
			errs = append(errs, field.Required(at.Child("path"), "say where in the volume"))
		}
		errs = append(errs, relativePath(items[i].Path, at.Child("path"))...)
		errs = append(errs, validateMode(items[i].Mode, at.Child("mode"))...)
	}
	return errs
}

func validateMode(mode *int32, path *field.Path) field.ErrorList {
	if mode == nil || (*mode >= 0 && *mode <= 0o777) {
		return nil
	}
	return field.ErrorList{field.Invalid(path, *mode, "must be between 0 and 0777 (octal)")}
}
