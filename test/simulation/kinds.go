package simulation

import (
	"fmt"
	"reflect"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// kind of objects that the API server stores. Each has a watch, and a cache, of its
// own.
type kind int

const (
	tracks kind = iota
	releases
	records
	actions
	deployments
	revisions
	jobs
	services
	pods
	endpointSlices
	httpRoutes
	// grpcRoutes are looked for, and there are none: the provider treats both kinds
	// alike.
	grpcRoutes
	ingresses
	traefikServices
	autoscalers
	budgets
	// elsewhere are the records of the track that this one requires.
	elsewhere
	configMaps
	secrets
	kinds
)

var kindNames = [kinds]string{
	"ReleaseTrack", "ImmutableRelease", "ReleaseRecord", "ReleaseAction", "Deployment", "ControllerRevision", "Job",
	"Service", "Pod", "EndpointSlice", "HTTPRoute", "GRPCRoute", "Ingress", "TraefikService", "HorizontalPodAutoscaler",
	"PodDisruptionBudget", "ReleaseRecord", "ConfigMap", "Secret",
}

func (k kind) String() string { return kindNames[k] }

// resource names a kind in errors.
func (k kind) resource() schema.GroupResource { return schema.GroupResource{Resource: k.String()} }

// ours: everything of these kinds is cached; of others what carries the label of a
// track.
func (k kind) ours() bool { return k <= actions || k == elsewhere }

// kindOf is the kind of an object or of a list of them.
func kindOf(object any) kind {
	switch object.(type) {
	case *v1alpha1.ReleaseTrack, *v1alpha1.ReleaseTrackList:
		return tracks
	case *v1alpha1.ImmutableRelease, *v1alpha1.ImmutableReleaseList:
		return releases
	case *v1alpha1.ReleaseRecord, *v1alpha1.ReleaseRecordList:
		return recordsIn(object)
	case *v1alpha1.ReleaseAction, *v1alpha1.ReleaseActionList:
		return actions
	case *appsv1.Deployment, *appsv1.DeploymentList:
		return deployments
	case *appsv1.ControllerRevision, *appsv1.ControllerRevisionList:
		return revisions
	case *batchv1.Job, *batchv1.JobList:
		return jobs
	case *corev1.Service, *corev1.ServiceList:
		return services
	case *corev1.Pod, *corev1.PodList:
		return pods
	case *discoveryv1.EndpointSlice, *discoveryv1.EndpointSliceList:
		return endpointSlices
	case *gatewayv1.HTTPRoute, *gatewayv1.HTTPRouteList:
		return httpRoutes
	case *gatewayv1.GRPCRoute, *gatewayv1.GRPCRouteList:
		return grpcRoutes
	case *networkingv1.Ingress, *networkingv1.IngressList:
		return ingresses
	case *unstructured.Unstructured, *unstructured.UnstructuredList:
		return traefikServices // Releases and tracks that are read as they are stored have been told apart.
	case *autoscalingv2.HorizontalPodAutoscaler, *autoscalingv2.HorizontalPodAutoscalerList:
		return autoscalers
	case *policyv1.PodDisruptionBudget, *policyv1.PodDisruptionBudgetList:
		return budgets
	case *corev1.ConfigMap:
		return configMaps
	case *corev1.Secret:
		return secrets
	}
	panic(fmt.Sprintf("nobody was expected to ask for a %T", object))
}

// recordsIn are those of the world's track, or of the one that it requires.
func recordsIn(object any) kind {
	if record, ok := object.(*v1alpha1.ReleaseRecord); ok && record.Namespace == RequiredNamespace {
		return elsewhere
	}
	return records
}

// shallow is an object that shares all that it refers to with another one.
func shallow(object client.Object) client.Object {
	shared := reflect.New(reflect.TypeOf(object).Elem())
	shared.Elem().Set(reflect.ValueOf(object).Elem())
	return shared.Interface().(client.Object)
}

// copyInto fills an object that a caller brought with one that is stored.
func copyInto(from, into client.Object) {
	switch o := from.(type) {
	case *v1alpha1.ReleaseTrack:
		o.DeepCopyInto(into.(*v1alpha1.ReleaseTrack))
	case *v1alpha1.ImmutableRelease:
		o.DeepCopyInto(into.(*v1alpha1.ImmutableRelease))
	case *v1alpha1.ReleaseRecord:
		o.DeepCopyInto(into.(*v1alpha1.ReleaseRecord))
	case *v1alpha1.ReleaseAction:
		o.DeepCopyInto(into.(*v1alpha1.ReleaseAction))
	case *appsv1.Deployment:
		o.DeepCopyInto(into.(*appsv1.Deployment))
	case *appsv1.ControllerRevision:
		o.DeepCopyInto(into.(*appsv1.ControllerRevision))
	case *batchv1.Job:
		o.DeepCopyInto(into.(*batchv1.Job))
	case *corev1.Service:
		o.DeepCopyInto(into.(*corev1.Service))
	case *corev1.Pod:
		o.DeepCopyInto(into.(*corev1.Pod))
	case *discoveryv1.EndpointSlice:
		o.DeepCopyInto(into.(*discoveryv1.EndpointSlice))
	case *gatewayv1.HTTPRoute:
		o.DeepCopyInto(into.(*gatewayv1.HTTPRoute))
	case *networkingv1.Ingress:
		o.DeepCopyInto(into.(*networkingv1.Ingress))
	case *unstructured.Unstructured:
		o.DeepCopyInto(into.(*unstructured.Unstructured))
	case *autoscalingv2.HorizontalPodAutoscaler:
		o.DeepCopyInto(into.(*autoscalingv2.HorizontalPodAutoscaler))
	case *policyv1.PodDisruptionBudget:
		o.DeepCopyInto(into.(*policyv1.PodDisruptionBudget))
	case *corev1.ConfigMap:
		o.DeepCopyInto(into.(*corev1.ConfigMap))
	case *corev1.Secret:
		o.DeepCopyInto(into.(*corev1.Secret))
	}
}

// fill puts objects into a list as a cache does that is asked not to copy: the items
// share their maps and slices with what is stored.
func fill(list client.ObjectList, objects []client.Object) {
	switch l := list.(type) {
	case *v1alpha1.ReleaseTrackList:
		l.Items = items[v1alpha1.ReleaseTrack](objects)
	case *v1alpha1.ImmutableReleaseList:
		l.Items = items[v1alpha1.ImmutableRelease](objects)
	case *v1alpha1.ReleaseRecordList:
		l.Items = items[v1alpha1.ReleaseRecord](objects)
	case *v1alpha1.ReleaseActionList:
		l.Items = items[v1alpha1.ReleaseAction](objects)
	case *appsv1.DeploymentList:
		l.Items = items[appsv1.Deployment](objects)
	case *appsv1.ControllerRevisionList:
		l.Items = items[appsv1.ControllerRevision](objects)
	case *batchv1.JobList:
		l.Items = items[batchv1.Job](objects)
	case *corev1.ServiceList:
		l.Items = items[corev1.Service](objects)
	case *corev1.PodList:
		l.Items = items[corev1.Pod](objects)
	case *discoveryv1.EndpointSliceList:
		l.Items = items[discoveryv1.EndpointSlice](objects)
	case *gatewayv1.HTTPRouteList:
		l.Items = items[gatewayv1.HTTPRoute](objects)
	case *gatewayv1.GRPCRouteList:
		l.Items = items[gatewayv1.GRPCRoute](objects)
	case *networkingv1.IngressList:
		l.Items = items[networkingv1.Ingress](objects)
	case *unstructured.UnstructuredList:
		l.Items = items[unstructured.Unstructured](objects)
	case *autoscalingv2.HorizontalPodAutoscalerList:
		l.Items = items[autoscalingv2.HorizontalPodAutoscaler](objects)
	case *policyv1.PodDisruptionBudgetList:
		l.Items = items[policyv1.PodDisruptionBudget](objects)
	default:
		panic(fmt.Sprintf("nobody was expected to list %T", list))
	}
}

func items[T any](objects []client.Object) []T {
	all := make([]T, len(objects))
	for i := range objects {
		all[i] = *any(objects[i]).(*T)
	}
	return all
}

// takeStatus gives an object the status of another one of its kind.
func takeStatus(to, from client.Object) {
	switch o := to.(type) {
	case *v1alpha1.ReleaseTrack:
		o.Status = from.(*v1alpha1.ReleaseTrack).Status
	case *v1alpha1.ImmutableRelease:
		o.Status = from.(*v1alpha1.ImmutableRelease).Status
	case *v1alpha1.ReleaseAction:
		o.Status = from.(*v1alpha1.ReleaseAction).Status
	case *appsv1.Deployment:
		o.Status = from.(*appsv1.Deployment).Status
	case *batchv1.Job:
		o.Status = from.(*batchv1.Job).Status
	case *corev1.Service:
		o.Status = from.(*corev1.Service).Status
	case *corev1.Pod:
		o.Status = from.(*corev1.Pod).Status
	case *gatewayv1.HTTPRoute:
		o.Status = from.(*gatewayv1.HTTPRoute).Status
	case *networkingv1.Ingress:
		o.Status = from.(*networkingv1.Ingress).Status
	case *autoscalingv2.HorizontalPodAutoscaler:
		o.Status = from.(*autoscalingv2.HorizontalPodAutoscaler).Status
	}
}

// sameSpec says whether an object asks for the same as another one; ok is false for
// kinds that have no generation.
func sameSpec(a, b client.Object) (same, ok bool) {
	switch o := a.(type) {
	case *v1alpha1.ReleaseTrack:
		return equality.Semantic.DeepEqual(o.Spec, b.(*v1alpha1.ReleaseTrack).Spec), true
	case *v1alpha1.ImmutableRelease:
		return equality.Semantic.DeepEqual(o.Spec, b.(*v1alpha1.ImmutableRelease).Spec), true
	case *v1alpha1.ReleaseRecord:
		return equality.Semantic.DeepEqual(o.Spec, b.(*v1alpha1.ReleaseRecord).Spec), true
	case *v1alpha1.ReleaseAction:
		return equality.Semantic.DeepEqual(o.Spec, b.(*v1alpha1.ReleaseAction).Spec), true
	case *appsv1.Deployment:
		return equality.Semantic.DeepEqual(o.Spec, b.(*appsv1.Deployment).Spec), true
	case *batchv1.Job:
		return equality.Semantic.DeepEqual(o.Spec, b.(*batchv1.Job).Spec), true
	case *gatewayv1.HTTPRoute:
		return equality.Semantic.DeepEqual(o.Spec, b.(*gatewayv1.HTTPRoute).Spec), true
	case *networkingv1.Ingress:
		return equality.Semantic.DeepEqual(o.Spec, b.(*networkingv1.Ingress).Spec), true
	case *unstructured.Unstructured:
		return equality.Semantic.DeepEqual(o.Object["spec"], b.(*unstructured.Unstructured).Object["spec"]), true
	case *policyv1.PodDisruptionBudget:
		return equality.Semantic.DeepEqual(o.Spec, b.(*policyv1.PodDisruptionBudget).Spec), true
	}
	return false, false
}

// clearStatus: what a create says of the status is not stored.
func clearStatus(object client.Object) {
	switch o := object.(type) {
	case *v1alpha1.ReleaseTrack:
		o.Status = v1alpha1.ReleaseTrackStatus{}
	case *v1alpha1.ImmutableRelease:
		o.Status = v1alpha1.ImmutableReleaseStatus{}
	case *v1alpha1.ReleaseAction:
		o.Status = v1alpha1.ReleaseActionStatus{}
	case *appsv1.Deployment:
		o.Status = appsv1.DeploymentStatus{}
	case *batchv1.Job:
		o.Status = batchv1.JobStatus{}
	case *networkingv1.Ingress:
		o.Status = networkingv1.IngressStatus{}
	}
}
