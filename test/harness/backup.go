package harness

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

// backedUp are the kinds that docs/restore.md keeps, in the order in which they come
// back: the track is the last.
var backedUp = []schema.GroupVersionKind{
	v1alpha1.GroupVersion.WithKind("ReleaseRecord"),
	{Version: "v1", Kind: "ConfigMap"}, {Version: "v1", Kind: "Secret"}, {Group: "apps", Version: "v1", Kind: "ControllerRevision"},
	{Version: "v1", Kind: "Service"}, {Group: "apps", Version: "v1", Kind: "Deployment"},
	{Group: "autoscaling", Version: "v2", Kind: "HorizontalPodAutoscaler"}, {Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"},
	{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "GRPCRoute"},
	v1alpha1.GroupVersion.WithKind("ImmutableRelease"), v1alpha1.GroupVersion.WithKind("ReleaseTrack"),
}

// BackUp reads what docs/restore.md keeps of a namespace, in the order in which it comes
// back: without status and owners, and without anything that a cluster gives.
func (e *Environment) BackUp(ctx context.Context, namespace string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, kind := range backedUp {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		options := []client.ListOption{client.InNamespace(namespace)}
		if kind.Group != v1alpha1.GroupVersion.Group {
			options = append(options, client.HasLabels{v1alpha1.LabelTrack})
		}
		if err := e.Client.List(ctx, list, options...); err != nil {
			return nil, fmt.Errorf("back up every %s of %s: %w", kind.Kind, namespace, err)
		}
		if kind.Kind == "ReleaseRecord" {
			slices.Reverse(list.Items) // The newest comes back first.
		}
		for i := range list.Items {
			all = append(all, plain(&list.Items[i]))
		}
	}
	return all, nil
}

// plain is an object as the backup keeps it.
func plain(object *unstructured.Unstructured) *unstructured.Unstructured {
	delete(object.Object, "status")
	for _, field := range []string{"uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	switch object.GetKind() {
	case "Service":
		unstructured.RemoveNestedField(object.Object, "spec", "clusterIP")
		unstructured.RemoveNestedField(object.Object, "spec", "clusterIPs")
	case "ImmutableRelease":
		object.SetLabels(unreserved(object.GetLabels()))
		object.SetAnnotations(unreserved(object.GetAnnotations()))
	}
	return object
}

func unreserved(from map[string]string) map[string]string {
	maps.DeleteFunc(from, func(key, _ string) bool { return strings.HasPrefix(key, v1alpha1.ReservedPrefix) })
	if len(from) == 0 {
		return nil
	}
	return from
}
