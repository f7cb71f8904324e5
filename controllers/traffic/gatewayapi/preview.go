package gatewayapi

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic"
)

// cookieHeader is the header of cookies. Who asks for it by an expression asks for what
// implementations may have, or not.
const cookieHeader = "Cookie"

// preview is what leads requests with a header to the candidate alone.
type preview struct {
	header, value string
	// expression: the value is one.
	expression bool
	backend    gatewayv1.BackendRef
}

// previewOf a route by a header or a cookie; nil where it asks for neither, or lists no
// candidate yet.
func previewOf(t traffic.Track, route v1alpha1.Route, weights []v1alpha1.ReleaseWeight, backends []gatewayv1.BackendRef) *preview {
	backend := candidateOf(t, weights, backends)
	switch {
	case route.Preview == nil || backend == nil:
		return nil
	case route.Preview.CookieName != "":
		// Some compare an expression with all of a value, and some look for it in there.
		expression := fmt.Sprintf(`^(.*; *)?%s=%s *(;.*)?$`, route.Preview.CookieName, t.Candidate)
		return &preview{header: cookieHeader, value: expression, expression: true, backend: *backend}
	case route.Preview.HeaderName != "":
		return &preview{header: route.Preview.HeaderName, value: cmp.Or(route.Preview.HeaderValue, t.Candidate), backend: *backend}
	}
	return nil
}

// candidateOf the backends leads everything to the candidate; nil where there is none. A
// route has the candidate among its backends as soon as that has a Service.
func candidateOf(t traffic.Track, weights []v1alpha1.ReleaseWeight, backends []gatewayv1.BackendRef) *gatewayv1.BackendRef {
	i := slices.IndexFunc(weights, func(w v1alpha1.ReleaseWeight) bool { return w.ReleaseName == t.Candidate })
	if t.Candidate == "" || i < 0 || i >= len(backends) {
		return nil
	}
	backend := *backends[i].DeepCopy()
	backend.Weight = ptr.To[int32](100)
	return &backend
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
