package resources

import (
	"reflect"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// anything stands for a value that the cluster chooses.
var anything = new(struct{})

// defaults are what the API server, and the Job controller, write into fields that
// a seal may leave out, by type and field. Kubernetes adds none to pod templates
// any more: a new one would roll every Deployment of every cluster.
var defaults = map[reflect.Type]map[string]any{
	reflect.TypeFor[corev1.PodSpec](): {
		"RestartPolicy":                 corev1.RestartPolicyAlways,
		"DNSPolicy":                     corev1.DNSClusterFirst,
		"SchedulerName":                 corev1.DefaultSchedulerName,
		"TerminationGracePeriodSeconds": int64(corev1.DefaultTerminationGracePeriodSeconds),
	},
	reflect.TypeFor[corev1.Container](): {
		// Every image is given by digest, so the policy is never Always by default,
		// but for one whose tag beside the digest is latest.
		"ImagePullPolicy":          anything,
		"TerminationMessagePath":   corev1.TerminationMessagePathDefault,
		"TerminationMessagePolicy": corev1.TerminationMessageReadFile,
	},
	reflect.TypeFor[corev1.ContainerPort](): {"Protocol": corev1.ProtocolTCP},
	reflect.TypeFor[corev1.Probe](): {
		"TimeoutSeconds":   int32(1),
		"PeriodSeconds":    int32(10),
		"SuccessThreshold": int32(1),
		"FailureThreshold": int32(3),
	},
	reflect.TypeFor[corev1.HTTPGetAction](): {
		"Path":     "/",
		"Scheme":   corev1.URISchemeHTTP,
		"Protocol": corev1.HTTPProtocolHTTP1,
	},
	reflect.TypeFor[corev1.ObjectFieldSelector]():           {"APIVersion": "v1"},
	reflect.TypeFor[corev1.SecretVolumeSource]():            {"DefaultMode": corev1.SecretVolumeSourceDefaultMode},
	reflect.TypeFor[corev1.ConfigMapVolumeSource]():         {"DefaultMode": corev1.ConfigMapVolumeSourceDefaultMode},
	reflect.TypeFor[corev1.DownwardAPIVolumeSource]():       {"DefaultMode": corev1.DownwardAPIVolumeSourceDefaultMode},
	reflect.TypeFor[corev1.ProjectedVolumeSource]():         {"DefaultMode": corev1.ProjectedVolumeSourceDefaultMode},
	reflect.TypeFor[corev1.ServiceAccountTokenProjection](): {"ExpirationSeconds": int64(3600)},
	reflect.TypeFor[corev1.HostPathVolumeSource]():          {"Type": corev1.HostPathUnset},
	reflect.TypeFor[corev1.ImageVolumeSource]():             {"PullPolicy": anything},
	reflect.TypeFor[corev1.PersistentVolumeClaimSpec]():     {"VolumeMode": corev1.PersistentVolumeFilesystem},
	reflect.TypeFor[corev1.ServiceSpec](): {
		"ClusterIP":             anything,
		"ClusterIPs":            anything,
		"IPFamilies":            anything,
		"IPFamilyPolicy":        anything,
		"InternalTrafficPolicy": corev1.ServiceInternalTrafficPolicyCluster,
		"SessionAffinity":       corev1.ServiceAffinityNone,
	},
	// Behaviour that is given in part is filled up.
	reflect.TypeFor[autoscalingv2.HorizontalPodAutoscalerBehavior](): {"ScaleUp": anything, "ScaleDown": anything},
	reflect.TypeFor[autoscalingv2.HPAScalingRules]():                 {"SelectPolicy": anything, "StabilizationWindowSeconds": anything, "Policies": anything},
	// Of the guards. The authority of a webhook is its certificate's affair.
	reflect.TypeFor[admissionv1.MatchResources]():      {"MatchPolicy": admissionv1.Equivalent},
	reflect.TypeFor[admissionv1.Rule]():                {"Scope": admissionv1.AllScopes},
	reflect.TypeFor[admissionv1.ValidatingWebhook]():   {"MatchPolicy": admissionv1.Equivalent},
	reflect.TypeFor[admissionv1.MutatingWebhook]():     {"MatchPolicy": admissionv1.Equivalent},
	reflect.TypeFor[admissionv1.WebhookClientConfig](): {"CABundle": anything},
	reflect.TypeFor[batchv1.JobSpec](): {
		"CompletionMode":       batchv1.NonIndexedCompletion,
		"Suspend":              false,
		"ManualSelector":       false,
		"PodReplacementPolicy": anything,
		"Selector":             anything,
	},
	reflect.TypeFor[batchv1.PodFailurePolicyOnPodConditionsPattern](): {"Status": corev1.ConditionTrue},
}

// jobLabels are put on the pods of a Job by its controller, which selects by them.
var jobLabels = []string{
	"controller-uid", "job-name", batchv1.ControllerUidLabel, batchv1.JobNameLabel,
}

// isDefault says whether a field that was not sealed holds what the API server
// writes into it.
func isDefault(object reflect.Value, i int) bool {
	name, value := object.Type().Field(i).Name, object.Field(i)
	switch {
	case name == "DeprecatedServiceAccount":
		// The deprecated alias is kept in step with the name in use.
		return value.Equal(object.FieldByName("ServiceAccountName"))
	case name == "HostPort" && object.Type() == reflect.TypeFor[corev1.ContainerPort]():
		// On the host's network a container's port is the host's.
		return value.Equal(object.FieldByName("ContainerPort"))
	}
	known, ok := defaults[object.Type()][name]
	if !ok {
		return false
	}
	if value.Kind() == reflect.Pointer && known != any(anything) {
		value = value.Elem()
	}
	return known == any(anything) || value.Interface() == known
}

// isSize says whether a field is the size of a Deployment, or bounds it: that is
// capacity and not content.
func isSize(object reflect.Type, i int) bool {
	switch object {
	case reflect.TypeFor[appsv1.DeploymentSpec]():
		return object.Field(i).Name == "Replicas"
	case reflect.TypeFor[autoscalingv2.HorizontalPodAutoscalerSpec]():
		name := object.Field(i).Name
		return name == "MinReplicas" || name == "MaxReplicas"
	}
	return false
}
