package controllers

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
)

func (b *bench) heldBy(release string) int64 {
	b.Helper()
	object := &v1alpha1.ImmutableRelease{}
	b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: release}, object))
	return resources.HeldBy(object)
}

// A release is marked by one write before its route, keeps the mark while it stands
// by, and loses it with its track.
func TestWhatServesIsMarked(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	b.writes = nil
	b.settle("shop-2.0")
	for _, release := range []string{"shop-1.0", "shop-2.0"} {
		if b.heldBy(release) == 0 {
			t.Errorf("%s is not held", release)
		}
	}
	if n := b.count("patch *v1alpha1.ImmutableRelease"); n != 1 {
		t.Errorf("%d marks were written: %v", n, b.writes)
	}
	b.must(b.api.Delete(b.Context(), b.track()))
	b.pass(2)
	for _, release := range []string{"shop-1.0", "shop-2.0"} {
		if b.heldBy(release) != 0 {
			t.Errorf("%s is held without a track", release)
		}
	}
	b.writes = nil
	b.pass(2)
	if len(b.writes) > 0 {
		t.Errorf("written at rest: %v", b.writes)
	}
}

// A mark that the API server refuses is said, and keeps traffic from nowhere.
func TestRefusedMarkIsSaid(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.refuse = func(verb string, object client.Object, _ bool) error {
		if _, ok := object.(*v1alpha1.ImmutableRelease); ok && verb == "patch" {
			return forbidden(object, "labels are ours")
		}
		return nil
	}
	b.pass(10)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True ApplyFailed", "labels are ours")
	if b.count("create *v1.Service shop-web") != 1 {
		t.Errorf("the route was not written: %v", b.writes)
	}
	b.refuse = nil
	b.settle("shop-1.0")
	if b.heldBy("shop-1.0") == 0 {
		t.Error("shop-1.0 is not held")
	}
}
