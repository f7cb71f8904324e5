package gatewayapi

import (
	"maps"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic"
)

// preview is what leads requests with a header to the candidate alone.
type preview struct {
	header, value string
	backend       gatewayv1.BackendRef
}

// previewOf a route; nil where it asks for none, or lists no candidate yet. A route has
// the candidate among its backends as soon as that has a Service.
func previewOf(t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, backends []gatewayv1.BackendRef) *preview {
	if route.Preview == nil || t.Candidate == "" {
		return nil
	}
	for i, weight := range weights {
		if weight.ReleaseName == t.Candidate && i < len(backends) {
			backend := *backends[i].DeepCopy()
			backend.Weight = ptr.To[int32](100)
			value := route.Preview.HeaderValue
			if value == "" {
				value = t.Candidate
			}
			return &preview{header: route.Preview.HeaderName, value: value, backend: backend}
		}
	}
	return nil
}

// previewHeader of a route object; "" where it has no preview.
func previewHeader(object routeObject) string {
	return object.GetAnnotations()[v1alpha1.AnnotationPreview]
}

// markPreview notes the header on an object, or that there is none.
func markPreview(object routeObject, header string) {
	annotations := maps.Clone(object.GetAnnotations())
	delete(annotations, v1alpha1.AnnotationPreview)
	if header != "" {
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[v1alpha1.AnnotationPreview] = header
	}
	object.SetAnnotations(annotations)
}
