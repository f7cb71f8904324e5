package controllers

import (
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

var webOfOne = client.ObjectKey{Namespace: shop.Namespace, Name: "shop-1.0-web"}

// changeImage of what serves, as the API server stores that. It answers with the Deployment
// as it was.
func (b *bench) changeImage(image string) *appsv1.Deployment {
	b.Helper()
	there := &appsv1.Deployment{}
	b.must(b.api.Get(b.Context(), webOfOne, there))
	before := there.DeepCopy()
	there.Generation++
	there.Spec.Template.Spec.Containers[0].Image = image
	b.must(b.api.Update(b.Context(), there))
	return before
}

// What is changed again is compared again, and put right under the stamp of its own record.
func TestDriftIsPutRightEachTime(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.pass(5)
	for n := range 2 {
		before := b.changeImage("evil:1")
		b.pass(5)
		drifts, after := b.drifts(), &appsv1.Deployment{}
		b.must(b.api.Get(b.Context(), webOfOne, after))
		if len(drifts) != n+1 || !strings.Contains(drifts[n].Message, "spec.template.spec.containers[0].image is evil:1") {
			t.Fatalf("change %d: records %+v", n, drifts)
		}
		if after.Spec.Template.Spec.Containers[0].Image != before.Spec.Template.Spec.Containers[0].Image || after.Annotations[v1alpha1.AnnotationSequence] != fmt.Sprint(drifts[n].Sequence) {
			t.Errorf("change %d: it is %s, stamped %s", n, after.Spec.Template.Spec.Containers[0].Image, after.Annotations[v1alpha1.AnnotationSequence])
		}
	}
}

// A difference that the cache alone shows is none: the object is read past it first.
func TestDriftIsReadPastTheCache(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.pass(5)
	b.showLists = func(list client.ObjectList) {
		if deployments, ok := list.(*appsv1.DeploymentList); ok {
			for i := range deployments.Items {
				deployments.Items[i].Generation++
				deployments.Items[i].Spec.Template.Spec.Containers[0].Image = "evil:1"
			}
		}
	}
	b.writes = nil
	b.pass(5)
	if drifts := b.drifts(); len(drifts) != 0 || len(b.writes) != 0 {
		t.Errorf("records %+v, written: %v", drifts, b.writes)
	}
}
