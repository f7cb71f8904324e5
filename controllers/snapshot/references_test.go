package snapshot

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
)

// everyWay names one object in each way that a pod can.
func everyWay() corev1.PodSpec {
	return corev1.PodSpec{
		ImagePullSecrets: []corev1.LocalObjectReference{named("registry")},
		InitContainers: []corev1.Container{{
			EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("s-init")}}, {Prefix: "X"}},
		}},
		Containers: []corev1.Container{{
			EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("c-from")}}},
			Env: []corev1.EnvVar{
				{Name: "PLAIN", Value: "x"},
				{Name: "FIELD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{}}},
				{Name: "C", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named("c-env")}}},
				{Name: "S", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named("s-env")}}},
			},
		}},
		Volumes: []corev1.Volume{
			{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: named("c-volume")}}},
			{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s-volume"}}},
			{VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{VolumeSource: corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{NodePublishSecretRef: &corev1.LocalObjectReference{Name: "driver"}}}},
			{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: named("c-projected")}},
				{Secret: &corev1.SecretProjection{LocalObjectReference: named("s-projected")}},
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{}},
			}}}},
		},
	}
}

func TestReferences(t *testing.T) {
	spec := &v1alpha1.ImmutableReleaseSpec{ReleaseTemplate: v1alpha1.ReleaseTemplate{
		Components: []v1alpha1.Component{{}, {}},
		Tests:      []v1alpha1.ReleaseTest{{}},
		Config: &v1alpha1.ReleaseConfig{
			Dynamic: []v1alpha1.ConfigReference{{Kind: v1alpha1.SecretKind, Name: "s-env"}, {Kind: v1alpha1.SecretKind, Name: "c-env"}},
			Frozen:  []v1alpha1.ConfigReference{{Kind: v1alpha1.SecretKind, Name: "s-volume"}},
		},
	}}
	spec.Components[0].Template.Spec = everyWay()
	spec.Components[1].Template.Spec = everyWay()
	spec.Tests[0].Template.Spec.Template.Spec.Containers = []corev1.Container{{
		EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("a-test")}}},
	}}
	want := []Reference{
		{Kind: v1alpha1.ConfigMapKind, Name: "a-test"},
		{Kind: v1alpha1.ConfigMapKind, Name: "c-env"},
		{Kind: v1alpha1.ConfigMapKind, Name: "c-from"},
		{Kind: v1alpha1.ConfigMapKind, Name: "c-projected"},
		{Kind: v1alpha1.ConfigMapKind, Name: "c-volume"},
		{Kind: v1alpha1.SecretKind, Name: "s-init"},
		{Kind: v1alpha1.SecretKind, Name: "s-projected"},
		{Kind: v1alpha1.SecretKind, Name: "s-volume", Declared: true},
	}
	if diff := cmp.Diff(want, References(spec)); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
	if errs := Check(spec); len(errs) > 0 {
		t.Errorf("errors %v", errs)
	}
}

func TestCheck(t *testing.T) {
	spec := &v1alpha1.ImmutableReleaseSpec{ReleaseTemplate: v1alpha1.ReleaseTemplate{
		Components: []v1alpha1.Component{{}},
		Tests:      []v1alpha1.ReleaseTest{{}},
		Config: &v1alpha1.ReleaseConfig{
			Dynamic: []v1alpha1.ConfigReference{{Kind: v1alpha1.SecretKind, Name: "s-env"}, {Kind: v1alpha1.SecretKind, Name: "both"}},
			Frozen:  []v1alpha1.ConfigReference{{Kind: v1alpha1.SecretKind, Name: "both"}},
			Expect: []v1alpha1.ConfigExpectation{
				{Kind: v1alpha1.SecretKind, Name: "s-env"}, {Kind: v1alpha1.SecretKind, Name: "both"}, {Kind: v1alpha1.ConfigMapKind, Name: "s-env"},
				{Kind: v1alpha1.ConfigMapKind, Name: "c-env"},
			},
		},
	}}
	pod := everyWay()
	pod.InitContainers[0].EnvFrom[0].SecretRef.Optional = ptr.To(true)
	pod.Containers[0].EnvFrom[0].ConfigMapRef.Optional = ptr.To(true)
	pod.Containers[0].Env[2].ValueFrom.ConfigMapKeyRef.Optional = ptr.To(false)
	pod.Containers[0].Env[3].ValueFrom.SecretKeyRef.Optional = ptr.To(true)
	pod.Volumes[0].ConfigMap.Optional = ptr.To(true)
	pod.Volumes[1].Secret.Optional = ptr.To(true)
	pod.Volumes[4].Projected.Sources[0].ConfigMap.Optional = ptr.To(true)
	pod.Volumes[4].Projected.Sources[1].Secret.Optional = ptr.To(true)
	spec.Components[0].Template.Spec = pod
	spec.Tests[0].Template.Spec.Template.Spec.Volumes = []corev1.Volume{
		{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{}}},
	}
	want := []string{
		"FieldValueInvalid spec.components[0].template.spec.initContainers[0].envFrom[0].secretRef.optional",
		"FieldValueInvalid spec.components[0].template.spec.containers[0].envFrom[0].configMapRef.optional",
		"FieldValueInvalid spec.components[0].template.spec.volumes[0].configMap.optional",
		"FieldValueInvalid spec.components[0].template.spec.volumes[1].secret.optional",
		"FieldValueInvalid spec.components[0].template.spec.volumes[4].projected.sources[0].configMap.optional",
		"FieldValueInvalid spec.components[0].template.spec.volumes[4].projected.sources[1].secret.optional",
		"FieldValueRequired spec.tests[0].template.spec.template.spec.volumes[0].secret",
		"FieldValueInvalid spec.config.frozen[0]",
		"FieldValueInvalid spec.config.expect[0]",
		"FieldValueInvalid spec.config.expect[1]",
		"FieldValueInvalid spec.config.expect[2]",
	}
	var got []string
	for _, err := range Check(spec) {
		got = append(got, string(err.Type)+" "+err.Field)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestReferencesWithoutAny(t *testing.T) {
	spec := &v1alpha1.ImmutableReleaseSpec{ReleaseTemplate: v1alpha1.ReleaseTemplate{Components: []v1alpha1.Component{{}}}}
	if references := References(spec); len(references) != 0 {
		t.Errorf("references %v", references)
	}
	if errs := Check(spec); len(errs) != 0 {
		t.Errorf("errors %v", errs)
	}
}
