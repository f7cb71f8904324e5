package controllers

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/strata-release/strata/api/v1alpha1"
)

// countLive counts what is read past the cache from now on, "list PodList".
func (b *bench) countLive() map[string]int {
	reads := map[string]int{}
	note := func(verb string, object any) {
		kind := fmt.Sprintf("%T", object)
		reads[verb+" "+kind[strings.LastIndex(kind, ".")+1:]]++
	}
	b.loop.live = interceptor.NewClient(b.api.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			note("list", list)
			return c.List(ctx, list, options...)
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			note("get", object)
			return c.Get(ctx, key, object, options...)
		},
	})
	return reads
}

// Whether an attempt is opened, what people ask for decides: it is read past the cache, and
// of the log its newest record, however long that is. What runs is not. Before anything is
// made the newest record is read again.
func TestWhatARolloutReadsPastTheCache(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	reads := b.countLive()
	b.settle("shop-2.0")
	want := map[string]int{
		"get ReleaseTrack": 1, "get PartialObjectMetadata": 1, "list ImmutableReleaseList": 1, "list ReleaseActionList": 1, "list ControllerRevisionList": 1,
		"get ReleaseRecord": 4, "get Unstructured": 1, "get ControllerRevision": 1, "get Service": 1, "get Deployment": 1, "list ServiceList": 3,
	}
	if !maps.Equal(reads, want) {
		t.Errorf("read %v\nwant %v", reads, want)
	}
}

// A log that is gone, and of which the cache has not heard, is not gone on with.
func TestNoAttemptIsOpenedOnALogThatIsGone(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	before := &v1alpha1.ReleaseRecordList{}
	b.must(b.api.List(t.Context(), before))
	for i := range before.Items {
		b.must(b.api.Delete(t.Context(), before.Items[i].DeepCopy()))
	}
	b.showLists = func(list client.ObjectList) {
		if records, ok := list.(*v1alpha1.ReleaseRecordList); ok && len(records.Items) == 0 {
			before.DeepCopyInto(records)
		}
	}
	b.publish("2.0")
	b.pass(1)
	after := &v1alpha1.ReleaseRecordList{}
	b.must(b.api.List(t.Context(), after))
	for i, record := range after.Items {
		if adopted := record.Spec.Event == v1alpha1.EventAdopted; adopted != (i == 0) || record.Spec.Event == v1alpha1.EventAttemptOpened {
			t.Errorf("recorded %s; want what serves to be adopted, and nothing tried", record.Spec.Event)
		}
	}
	if len(after.Items) == 0 {
		t.Error("nothing was recorded")
	}
}
