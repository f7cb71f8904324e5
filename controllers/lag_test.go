package controllers

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

// lag keeps what the cache shows of a kind as it is now, for good.
func (b *bench) lag(list client.ObjectList) {
	b.Helper()
	b.must(b.api.List(b.Context(), list))
	builder := fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithLists(list)
	b.must(Indexes(b.Context(), indexer{builder}))
	old := builder.Build()
	kind, item := reflect.TypeOf(list), reflect.TypeOf(list).Elem().String()
	b.loop.Client = interceptor.NewClient(b.loop.Client.(client.WithWatch), interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, into client.ObjectList, options ...client.ListOption) error {
			if reflect.TypeOf(into) == kind {
				return old.List(ctx, into, options...)
			}
			return c.List(ctx, into, options...)
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if reflect.TypeOf(into).Elem().String()+"List" == item {
				return old.Get(ctx, key, into, options...)
			}
			return c.Get(ctx, key, into, options...)
		},
	})
}

func (b *bench) records() []v1alpha1.ReleaseRecord {
	b.Helper()
	list := &v1alpha1.ReleaseRecordList{}
	b.must(b.api.List(b.Context(), list))
	return list.Items
}

// What is to be confirmed is read past the cache: a release that is gone by now is
// not taken up, however long the cache shows it.
func TestWhatIsConfirmedIsReadLive(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	b.lag(&v1alpha1.ImmutableReleaseList{})
	b.must(b.api.Delete(b.Context(), &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-2.0"}}))
	before := len(b.records())
	b.pass(3)
	if after := len(b.records()); after != before {
		t.Errorf("%d records about a release that is gone", after-before)
	}
}

// A decision follows the log as it was before all else was read: what another leader has
// decided since, on what is newer, is not decided over.
func TestTheLogIsReadFirst(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	var elsewhere *v1alpha1.ReleaseRecord
	live := b.loop.live
	b.loop.live = readsBetween{Reader: live, releases: func() {
		if elsewhere != nil {
			return
		}
		all := b.records()
		var err error
		elsewhere, err = ledger.Append(b.Context(), b.api, shop.Namespace, ledger.Chain(shop.Name, &all[len(all)-1].Spec, rollout.Entry{
			Event: v1alpha1.EventRefused, Reason: "Test", Message: "by another leader", Actor: "strata", State: all[len(all)-1].Spec.State,
		}, b.now))
		b.must(err)
	}}
	if _, err := b.turn(); err != nil {
		t.Fatal(err)
	}
	all := b.records()
	if elsewhere == nil || all[len(all)-1].Name != elsewhere.Name {
		t.Errorf("decided after %s, which was appended while all else was read: %s", elsewhere.GetName(), all[len(all)-1].Name)
	}
	b.loop.live = live
	b.settle("shop-2.0")
}

// readsBetween has something happen after the releases were read.
type readsBetween struct {
	client.Reader
	releases func()
}

func (r readsBetween) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	err := r.Reader.List(ctx, list, options...)
	if _, ok := list.(*v1alpha1.ImmutableReleaseList); ok && err == nil {
		r.releases()
	}
	return err
}

// A process never reads a log that lacks what it wrote itself: with a cache of
// records that shows none at all, a release is served all the same.
func TestOwnRecordsAreKnown(t *testing.T) {
	b := newBench(t)
	b.lag(&v1alpha1.ReleaseRecordList{})
	b.publish("1.0")
	b.settle("shop-1.0")
}

// The records that a reconcile has appended do not always follow what the cache shows:
// what an earlier one wrote may be missing in between. That is no broken log.
func TestOwnRecordsLeaveNoGap(t *testing.T) {
	b := newBench(t)
	b.lag(&v1alpha1.ReleaseRecordList{})
	b.publish("1.0")
	b.settle("shop-1.0")
	all := b.records()
	w, err := b.loop.observe(b.Context(), shop, reading{appended: all[len(all)-1:]})
	b.must(err)
	if head := w.Log.Head; w.Log.Broken != "" || head == nil || head.Sequence != all[len(all)-1].Spec.Sequence {
		t.Errorf("%s; head %+v", w.Log.Broken, head)
	}
}

// A leader whose cache lacks a record of another one carries out nothing of what it
// thinks is to be done.
func TestNothingIsCarriedOutForAnOlderRecord(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.refuse = func(_ string, object client.Object, _ bool) error {
		if _, ok := object.(*appsv1.ControllerRevision); ok {
			return errAway
		}
		return nil
	}
	b.pass(1)
	b.lag(&v1alpha1.ReleaseRecordList{})
	head := &b.records()[0].Spec
	_, err := ledger.Append(b.Context(), b.api, shop.Namespace, ledger.Chain(shop.Name, head, rollout.Entry{
		Event: v1alpha1.EventSuperseded, Reason: "Test", Message: "by another leader", Actor: "strata",
	}, b.now))
	b.must(err)
	b.refuse, b.writes = nil, nil
	result, err := b.turn()
	if err != nil || result.RequeueAfter != rereadAfter {
		t.Errorf("the world is to be read again soon: %+v, %v", result, err)
	}
	if len(b.writes) > 0 {
		t.Errorf("written for an older record: %v", b.writes)
	}
}

// What a release is sealed with is what the API server has of its configuration, and
// not what a cache says of it.
func TestConfigurationIsReadLive(t *testing.T) {
	b := newBench(t)
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "settings"}, Data: map[string]string{"level": "new"}}
	b.store(settings)
	b.show = func(object client.Object) {
		if c, ok := object.(*corev1.ConfigMap); ok && c.Name == settings.Name {
			c.Data = map[string]string{"level": "old"}
		}
	}
	b.publish("1.0", func(spec *v1alpha1.ImmutableReleaseSpec) {
		spec.Components[0].Template.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{
			ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: settings.Name}},
		}}
	})
	b.settle("shop-1.0")
	copies := &corev1.ConfigMapList{}
	b.must(b.api.List(b.Context(), copies, client.MatchingLabels{v1alpha1.LabelRelease: "shop-1.0"}))
	if len(copies.Items) != 1 || copies.Items[0].Data["level"] != "new" {
		t.Errorf("frozen: %+v", copies.Items)
	}
}

// The children of a release that the cache does not show yet are not made again.
func TestChildrenAreLookedUpBeforeTheyAreMade(t *testing.T) {
	b := newBench(t)
	tries := map[string]int{}
	b.refuse = func(verb string, object client.Object, dry bool) error {
		if verb == "create" && !dry {
			tries[fmt.Sprintf("%T %s", object, object.GetName())]++
		}
		return nil
	}
	b.lag(&appsv1.DeploymentList{})
	b.publish("1.0")
	b.settle("shop-1.0")
	if n := tries["*v1.Deployment shop-1.0-web"]; n != 1 {
		t.Errorf("%d tries to create the Deployment", n)
	}
}

// An operator that read the log when it was empty, and the routes when another one had
// written them, adopts nothing: no record was lost.
func TestNothingIsAdoptedFromATornRead(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	for b.count("create *v1.Service shop-web") == 0 {
		b.pass(1)
	}
	b.loop.notes.forget(shop)
	hide := 2 // By the cache, and then by the live read.
	hidden := interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if _, ok := list.(*v1alpha1.ReleaseRecordList); ok && hide > 0 {
			hide--
			return nil
		}
		return c.List(ctx, list, options...)
	}}
	b.loop.Client = interceptor.NewClient(b.loop.Client.(client.WithWatch), hidden)
	b.loop.live = interceptor.NewClient(b.api.(client.WithWatch), hidden)
	b.settle("shop-1.0")
	list := &v1alpha1.ReleaseRecordList{}
	b.must(b.api.List(b.Context(), list))
	if err := ledger.Verify(list.Items); err != nil || hide > 0 {
		t.Errorf("%d reads are left, and the log is no chain: %v", hide, err)
	}
}

// A process that was asleep between its look at the world and its decision writes
// nothing, and looks again.
func TestWhoSleptLooksAgain(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	before := len(b.records())
	b.fail = func(list client.ObjectList) error {
		if _, ok := list.(*corev1.PodList); ok {
			b.now = b.now.Add(rollout.MaxThought + time.Second)
		}
		return nil
	}
	b.writes = nil
	result, err := b.turn()
	if err != nil || result.RequeueAfter != rereadAfter {
		t.Errorf("%+v, %v", result, err)
	}
	if len(b.records()) != before || len(b.writes) > 0 {
		t.Errorf("%d records were appended, and written: %v", len(b.records())-before, b.writes)
	}
	b.fail = nil
	b.settle("shop-2.0")
}

// What a release has left behind is given to nobody while the cache still shows that
// one: the garbage collector would take it away, and it serves.
func TestNothingIsTakenOverForAReleaseThatIsGone(t *testing.T) {
	for name, goes := range map[string]func(*bench, *v1alpha1.ImmutableRelease){
		"gone": func(b *bench, was *v1alpha1.ImmutableRelease) { b.must(b.api.Delete(b.Context(), was)) },
		"another": func(b *bench, was *v1alpha1.ImmutableRelease) {
			b.must(b.api.Delete(b.Context(), was))
			b.store(&v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: was.Namespace, Name: was.Name, UID: "another"}, Spec: was.Spec})
		},
		"goes": func(b *bench, was *v1alpha1.ImmutableRelease) {
			was.Finalizers = []string{metav1.FinalizerOrphanDependents}
			b.must(b.api.Update(b.Context(), was), b.api.Delete(b.Context(), was))
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.publish("1.0")
			b.settle("shop-1.0")
			b.lag(&v1alpha1.ImmutableReleaseList{})
			was, left := &v1alpha1.ImmutableRelease{}, &corev1.Service{}
			b.must(b.api.Get(b.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "shop-1.0"}, was),
				b.api.Get(b.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "shop-1.0-web"}, left))
			left.OwnerReferences = nil
			b.must(b.api.Update(b.Context(), left))
			goes(b, was)
			b.writes = nil
			result, err := b.turn()
			if err != nil || result.RequeueAfter != rereadAfter {
				t.Errorf("the world is to be read again soon: %+v, %v", result, err)
			}
			if len(b.writes) > 0 {
				t.Errorf("taken over: %v", b.writes)
			}
		})
	}
}
