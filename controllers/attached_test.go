package controllers

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// A user's route leads to what serves while a track attaches to it. It is given back when
// its track goes, before anything of that is let go; and when the API server refuses that,
// it is tried again, and what it leads to stays held.
func TestRouteIsGivenBackWithItsTrack(t *testing.T) {
	b := newBench(t)
	theirs := gatewayv1.HTTPRouteSpec{
		CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "public"}}},
		Rules: []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
			BackendObjectReference: gatewayv1.BackendObjectReference{Name: "main", Port: ptr.To[gatewayv1.PortNumber](80)},
		}}}}},
	}
	b.store(&gatewayv1.HTTPRoute{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "own", Labels: map[string]string{"team": "shop"}}, Spec: *theirs.DeepCopy()})
	own := func() *gatewayv1.HTTPRoute {
		t.Helper()
		route := &gatewayv1.HTTPRoute{}
		b.must(b.api.Get(t.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: "own"}, route))
		return route
	}
	b.publish("1.0")
	b.settle("shop-1.0")
	track := b.track()
	track.Spec.Traffic.Routes = append(track.Spec.Traffic.Routes, v1alpha1.Route{
		Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI,
		GatewayAPI: &v1alpha1.GatewayAPIRoute{Kind: "HTTPRoute", AttachTo: &v1alpha1.GatewayAPIAttachment{RouteName: "own", ServiceName: "main", ServicePort: 80}},
	})
	b.must(b.api.Update(t.Context(), track))
	b.pass(2)
	if refs := own().Spec.Rules[0].BackendRefs; len(refs) != 1 || refs[0].Name != "shop-1.0-web" || own().Labels[v1alpha1.LabelAttached] != "public" {
		t.Fatalf("it leads to %+v", refs)
	}
	b.writes = nil
	b.pass(2)
	if len(b.writes) > 0 {
		t.Errorf("written although nothing differs: %v", b.writes)
	}

	b.must(b.api.Delete(t.Context(), b.track()))
	b.refuse = func(_ string, object client.Object, _ bool) error {
		if object.GetName() == "own" {
			return forbidden(object, "not now")
		}
		return nil
	}
	b.pass(3)
	if b.heldBy("shop-1.0") == 0 {
		t.Error("what the route leads to was let go of")
	}
	b.refuse = nil
	b.pass(2)
	if after := own(); !equality.Semantic.DeepEqual(after.Spec, theirs) || len(after.Labels) != 1 || len(after.Annotations) > 0 {
		t.Errorf("it was given back as %+v, with %v and %v", after.Spec, after.Labels, after.Annotations)
	}
	if b.heldBy("shop-1.0") != 0 {
		t.Error("it is held without a track")
	}
}
