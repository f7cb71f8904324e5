package controllers

import (
	"slices"
	"testing"
	"time"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

func (b *bench) log() rollout.Log {
	b.Helper()
	list := &v1alpha1.ReleaseRecordList{}
	b.must(b.api.List(b.Context(), list, client.InNamespace(shop.Namespace)))
	log := ledger.Read(list.Items)
	if log.Broken != "" {
		b.Fatal(log.Broken)
	}
	return log
}

func (b *bench) releases() []string {
	b.Helper()
	list := &v1alpha1.ImmutableReleaseList{}
	b.must(b.api.List(b.Context(), list, client.InNamespace(shop.Namespace)))
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	return names
}

func (b *bench) retain(retention v1alpha1.RetentionSpec) {
	b.Helper()
	track := b.track()
	track.Spec.Retention = &retention
	b.must(b.api.Update(b.Context(), track))
}

// Old records and release objects go, and the log verifies and knows every version.
func TestRetention(t *testing.T) {
	b := newBench(t)
	b.retain(v1alpha1.RetentionSpec{WarmReleases: ptr.To[int32](0), HistoryLimit: ptr.To[int32](1), RecordLimit: ptr.To[int32](10)})
	versions := []string{"1.0", "2.0", "3.0", "4.0"}
	for _, version := range versions {
		b.publish(version)
		b.settle("shop-" + version)
	}
	b.pass(5)
	if log := b.log(); log.First > 1 {
		t.Errorf("records went while the last one was young: the log begins at %d", log.First)
	}
	b.now = b.now.Add(time.Hour)
	b.pass(5)
	log := b.log()
	if log.Count >= int(log.Head.Sequence) || log.First <= 1 || len(log.Pruned) > 0 {
		t.Errorf("%d records of %d, from %d on, and %v are to go", log.Count, log.Head.Sequence, log.First, log.Pruned)
	}
	for _, version := range versions {
		if log.Verdicts[version].Event != v1alpha1.EventPromoted {
			t.Errorf("verdict on %s: %+v", version, log.Verdicts[version])
		}
	}
	if left := b.releases(); !slices.Equal(left, []string{"shop-3.0", "shop-4.0"}) {
		t.Errorf("releases %v", left)
	}
	b.publish("1.0")
	b.writes = nil
	b.pass(5)
	if b.track().Status.StableReleaseName != "shop-4.0" || b.count("create") > 0 {
		t.Errorf("an old version is deployed again: %v", b.writes)
	}
}

// Without records, what serves is stable, and goes on serving.
func TestLostRecords(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	b.settle("shop-2.0")
	before := b.log().Head.Sequence
	b.must(b.api.DeleteAllOf(b.Context(), &v1alpha1.ReleaseRecord{}, client.InNamespace(shop.Namespace)))
	b.writes = nil
	b.settle("shop-2.0")
	b.pass(5)
	if log := b.log(); log.LostTime.IsZero() || log.First > before+1 {
		t.Errorf("the log goes on from %d on, lost at %s", log.First, log.LostTime)
	}
	if b.count("create *v1.Deployment") > 0 || b.count("delete *v1.Deployment shop-2.0") > 0 {
		t.Errorf("what serves was touched: %v", b.writes)
	}
	b.expect("", v1alpha1.ConditionReady, "True Settled", "shop-2.0 serves")
}
