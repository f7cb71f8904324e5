package controllers

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/gatewayapi"
	"github.com/strata-release/strata/controllers/traffic/service"
)

// bench is the loop over an API that is played in memory, whose answers a test can
// change. Its one track has a stable Service as its route; pods are ready at once.
type bench struct {
	*testing.T
	loop *TrackReconciler
	api  client.Client
	now  time.Time
	// refuse says what a write that changes something, or would, is answered; nil:
	// it is carried out. dry: it would.
	refuse func(verb string, object client.Object, dry bool) error
	// fail says what a read of a kind of list is answered; nil: it succeeds.
	fail func(list client.ObjectList) error
	// show changes what the cache answers to a Get, and showLists to a List.
	show      func(object client.Object)
	showLists func(list client.ObjectList)
	// writes are those that were carried out, "verb Kind name", statuses left out.
	writes []string
}

var shop = types.NamespacedName{Namespace: "shop", Name: "shop"}

func newBench(t *testing.T) *bench {
	t.Helper()
	scheme := clientgoscheme.Scheme
	if err := errors.Join(v1alpha1.AddToScheme(scheme), gatewayv1.Install(scheme)); err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, now: noon}
	builder := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{Create: b.create}).
		WithStatusSubresource(&v1alpha1.ReleaseTrack{}, &v1alpha1.ImmutableRelease{}, &v1alpha1.ReleaseAction{}, &appsv1.Deployment{})
	for _, index := range []func(context.Context, client.FieldIndexer) error{Indexes, traffic.SetupIndexes, gatewayapi.Indexes} {
		if err := index(t.Context(), indexer{builder}); err != nil {
			t.Fatal(err)
		}
	}
	api := builder.Build()
	b.api = api
	asked := interceptor.NewClient(api, interceptor.Funcs{
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return b.write("update", object, false, func() error { return c.Update(ctx, object, options...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
			return b.write("patch", object, false, func() error { return c.Patch(ctx, object, patch, options...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			return b.write("delete", object, false, func() error { return c.Delete(ctx, object, options...) })
		},
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			if b.fail != nil {
				if err := b.fail(list); err != nil {
					return err
				}
			}
			err := c.List(ctx, list, options...)
			if err == nil && b.showLists != nil {
				b.showLists(list)
			}
			return err
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			err := c.Get(ctx, key, object, options...)
			if err == nil && b.show != nil {
				b.show(object)
			}
			return err
		},
	})
	b.loop = New(asked, api, events.NewFakeRecorder(1000), Options{
		Traffic:     traffic.Registry{v1alpha1.RouteService: service.New(asked, api), v1alpha1.RouteGatewayAPI: gatewayapi.New(asked, api, time.Now)},
		SnapshotKey: []byte("a key of thirty-two bytes, as is"), Actor: "strata", Now: func() time.Time { return b.now },
	})
	b.store(&v1alpha1.ReleaseTrack{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name, Generation: 1},
		Spec: v1alpha1.ReleaseTrackSpec{Traffic: &v1alpha1.TrafficSpec{DrainSeconds: ptr.To[int32](0), Routes: []v1alpha1.Route{{
			Name: "internal", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteService, Service: &v1alpha1.ServiceRoute{Name: "shop-web"},
		}}}},
	})
	return b
}

// indexer registers indexes with a played API.
type indexer struct{ *fake.ClientBuilder }

func (i indexer) IndexField(_ context.Context, object client.Object, field string, extract client.IndexerFunc) error {
	i.WithIndex(object, field, extract)
	return nil
}

// create gives objects the UIDs and times that the played API does not.
func (b *bench) create(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
	asked := (&client.CreateOptions{}).ApplyOptions(options)
	if object.GetUID() == "" {
		object.SetUID(types.UID(fmt.Sprintf("%T %s", object, object.GetName())))
		object.SetCreationTimestamp(metav1.NewTime(b.now))
	}
	return b.write("create", object, len(asked.DryRun) > 0, func() error { return c.Create(ctx, object, options...) })
}

func (b *bench) write(verb string, object client.Object, dry bool, do func() error) error {
	if b.refuse != nil {
		if err := b.refuse(verb, object, dry); err != nil {
			return err
		}
	}
	if err := do(); err != nil {
		return err
	}
	if !dry {
		b.writes = append(b.writes, fmt.Sprintf("%s %T %s", verb, object, object.GetName()))
	}
	return nil
}

// store puts an object into the API, past what the test has changed of its answers.
func (b *bench) store(object client.Object) {
	b.Helper()
	if object.GetUID() == "" {
		object.SetUID(types.UID(fmt.Sprintf("%T %s", object, object.GetName())))
	}
	object.SetCreationTimestamp(metav1.NewTime(b.now))
	refuse := b.refuse
	b.refuse = nil
	defer func() { b.refuse = refuse }()
	if err := b.api.Create(b.Context(), object); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) publish(version string, changes ...func(*v1alpha1.ImmutableReleaseSpec)) {
	b.Helper()
	release := &v1alpha1.ImmutableRelease{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-" + version, Generation: 1},
		Spec: v1alpha1.ImmutableReleaseSpec{TrackName: shop.Name, ReleaseTemplate: v1alpha1.ReleaseTemplate{Version: version, Components: []v1alpha1.Component{{
			Name: "web", Replicas: 1, Ports: []v1alpha1.ComponentPort{{Name: "http", Port: 80}},
			Template: pod(),
		}}}},
	}
	for _, change := range changes {
		change(&release.Spec)
	}
	b.store(release)
}

func pod() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "shop@sha256:" + strings.Repeat("ab", 32)}}}}
}

// turn lets the loop look once, a second later, and the cluster follow.
func (b *bench) turn() (ctrl.Result, error) {
	b.Helper()
	b.now = b.now.Add(time.Second)
	result, err := b.loop.Reconcile(b.Context(), ctrl.Request{NamespacedName: shop})
	b.play()
	return result, err
}

// pass lets the loop look every second; an error that it meets is not the test's.
func (b *bench) pass(seconds int) {
	b.Helper()
	for range seconds {
		_, _ = b.turn()
	}
}

// settle lets the loop go on until a release is stable.
func (b *bench) settle(release string) {
	b.Helper()
	for range 30 {
		if _, err := b.turn(); err != nil {
			b.Fatal(err)
		}
		if t := b.track(); t.Status.StableReleaseName == release && t.Status.CandidateReleaseName == "" {
			return
		}
	}
	b.Fatalf("%s is not stable: %+v", release, b.track().Status)
}

// play is the cluster: pods are ready, and every Service has those that it selects.
func (b *bench) play() {
	b.Helper()
	deployments, services := &appsv1.DeploymentList{}, &corev1.ServiceList{}
	b.must(b.api.List(b.Context(), deployments), b.api.List(b.Context(), services))
	for i := range deployments.Items {
		d := &deployments.Items[i]
		d.Status = appsv1.DeploymentStatus{
			ObservedGeneration: d.Generation, Replicas: *d.Spec.Replicas, ReadyReplicas: *d.Spec.Replicas, AvailableReplicas: *d.Spec.Replicas,
			Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, LastTransitionTime: d.CreationTimestamp}},
		}
		b.must(b.api.Status().Update(b.Context(), d))
	}
	for i := range services.Items {
		b.playEndpoints(&services.Items[i], deployments.Items)
	}
}

func (b *bench) playEndpoints(s *corev1.Service, deployments []appsv1.Deployment) {
	b.Helper()
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: s.Name, Labels: map[string]string{}}}
	for k, v := range s.Labels {
		slice.Labels[k] = v
	}
	slice.Labels[discoveryv1.LabelServiceName] = s.Name
	slice.Ports = []discoveryv1.EndpointPort{{Name: ptr.To("http"), Port: ptr.To[int32](80)}}
	for i := range deployments {
		d := &deployments[i]
		if d.Labels[v1alpha1.LabelRelease] != s.Spec.Selector[v1alpha1.LabelRelease] || d.Labels[v1alpha1.LabelComponent] != s.Spec.Selector[v1alpha1.LabelComponent] {
			continue
		}
		for n := range *d.Spec.Replicas {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)},
				TargetRef: &corev1.ObjectReference{Kind: "Pod", UID: types.UID(fmt.Sprintf("pod %d of %s", n, d.Name))},
			})
		}
	}
	b.must(client.IgnoreNotFound(b.api.Delete(b.Context(), slice.DeepCopy())), b.api.Create(b.Context(), slice))
	b.writes = slices.DeleteFunc(b.writes, func(w string) bool { return strings.Contains(w, "EndpointSlice") })
}

func (b *bench) must(errs ...error) {
	b.Helper()
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) track() *v1alpha1.ReleaseTrack {
	b.Helper()
	track := &v1alpha1.ReleaseTrack{}
	b.must(b.api.Get(b.Context(), shop, track))
	return track
}

// expect holds a condition of the track, or of a release, as "Status Reason", and
// words of its message.
func (b *bench) expect(release, kind, want, words string) {
	b.Helper()
	list := b.track().Status.Conditions
	if release != "" {
		object := &v1alpha1.ImmutableRelease{}
		b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: release}, object))
		list = object.Status.Conditions
	}
	c := meta.FindStatusCondition(list, kind)
	if c == nil {
		b.Fatalf("%s of %q is not there, want %s", kind, release, want)
	}
	if got := string(c.Status) + " " + c.Reason; got != want || !strings.Contains(c.Message, words) {
		b.Errorf("%s of %q: %s: %s; want %s: %s", kind, release, got, c.Message, want, words)
	}
}

func (b *bench) count(write string) int {
	n := 0
	for _, w := range b.writes {
		if strings.Contains(w, write) {
			n++
		}
	}
	return n
}

var errAway = errors.New("the API server is away")

func forbidden(object client.Object, why string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: fmt.Sprintf("%T", object)}, object.GetName(), errors.New(why))
}

// What cannot be read is said, but not what lasts for a moment: on the track, and
// on the release whose author waits; what serves is left to say that it does.
func TestUnreadIsSaid(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	b.fail = func(list client.ObjectList) error {
		if _, ok := list.(*corev1.PodList); ok {
			return errAway
		}
		return nil
	}
	before := b.track().Status
	if _, err := b.turn(); !errors.Is(err, errAway) {
		t.Errorf("the error is kept for oneself: %v", err)
	}
	b.expect("", v1alpha1.ConditionRolloutBlocked, "False NothingBlocks", "")
	b.pass(5)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True ObserveFailed", errAway.Error())
	b.expect("shop-2.0", v1alpha1.ConditionReady, "False ObserveFailed", errAway.Error())
	b.expect("shop-2.0", v1alpha1.ConditionReconciling, "True ObserveFailed", errAway.Error())
	b.expect("shop-1.0", v1alpha1.ConditionReady, "True Stable", "")
	if after := b.track().Status; after.StableReleaseName != before.StableReleaseName || after.BlockedBy == nil {
		t.Errorf("%+v", after)
	}
	b.fail = nil
	b.settle("shop-2.0")
	b.expect("", v1alpha1.ConditionRolloutBlocked, "False NothingBlocks", "")
}

// A track whose attempt has just been opened is not called settled because it cannot be
// read from then on.
func TestUnreadWhileAnAttemptIsOpen(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	opened := b.track().Status.Records.Count + 1
	b.fail = func(list client.ObjectList) error {
		record := &v1alpha1.ReleaseRecord{}
		name := types.NamespacedName{Namespace: shop.Namespace, Name: resources.RecordName(shop.Name, opened)}
		if _, ok := list.(*corev1.PodList); ok && b.api.Get(t.Context(), name, record) == nil {
			return errAway
		}
		return nil
	}
	b.pass(6)
	b.expect("", v1alpha1.ConditionReady, "False ObserveFailed", errAway.Error())
	b.expect("", v1alpha1.ConditionReconciling, "True ObserveFailed", errAway.Error())
	b.fail = nil
	b.settle("shop-2.0")
}

// A seal that the API server refuses for good is an obstacle with its words, not an
// error that comes again and again.
func TestRefusedSealIsAnObstacle(t *testing.T) {
	b := newBench(t)
	b.refuse = func(_ string, object client.Object, _ bool) error {
		if _, ok := object.(*appsv1.ControllerRevision); ok {
			return forbidden(object, "no more than 0 of them")
		}
		return nil
	}
	b.publish("1.0")
	b.pass(15)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True ChildRefused", "no more than 0 of them")
	b.expect("shop-1.0", v1alpha1.ConditionSealed, "False ChildRefused", "no more than 0 of them")
	if result, err := b.turn(); err != nil || result.RequeueAfter <= 0 {
		t.Errorf("it is to be looked at again, without an error: %+v, %v", result, err)
	}
	b.refuse = nil
	b.settle("shop-1.0")
}

// A child that only the API server can judge is asked about, and then not tried
// again; what it answers is what the author reads.
func TestRefusedChildIsAnObstacle(t *testing.T) {
	b := newBench(t)
	tries := 0
	b.refuse = func(_ string, object client.Object, dry bool) error {
		if _, ok := object.(*appsv1.Deployment); !ok {
			return nil
		}
		if !dry {
			tries++
		}
		return forbidden(object, "exceeded quota: compute")
	}
	b.publish("1.0")
	b.pass(15)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True ChildRefused", "exceeded quota: compute")
	b.expect("shop-1.0", v1alpha1.ConditionReady, "False ChildRefused", "exceeded quota: compute")
	tried := tries
	if _, err := b.turn(); err != nil || tries != tried {
		t.Errorf("%v, and %d tries more", err, tries-tried)
	}
	b.refuse = nil
	b.settle("shop-1.0")
}

// A route that is refused keeps nothing from being made, and everything from being
// taken away.
func TestRefusedRouteKeepsNothingFromBeingMade(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	b.refuse = func(verb string, object client.Object, _ bool) error {
		if verb == "update" && object.GetName() == "shop-web" {
			return forbidden(object, "services are frozen today")
		}
		return nil
	}
	b.pass(8)
	b.expect("", v1alpha1.ConditionReady, "False Baking", "services are frozen today")
	b.must(b.api.Delete(b.Context(), &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-2.0-web"}}))
	b.writes = nil
	b.pass(1)
	if b.count("create *v1.Deployment shop-2.0-web") != 1 {
		t.Errorf("the Deployment was not made: %v", b.writes)
	}
	if b.count("delete") != 0 {
		t.Errorf("something was taken away: %v", b.writes)
	}
	b.refuse = nil
	b.settle("shop-2.0")
}

// What this process has written, and its cache does not show yet, is not written
// again; and that is no error.
func TestWhatTheCacheIsBehindIsNotWrittenAgain(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	old := &corev1.Service{}
	b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: "shop-web"}, old))
	b.show = func(object client.Object) {
		if s, ok := object.(*corev1.Service); ok && s.Name == old.Name {
			old.DeepCopyInto(s)
		}
	}
	b.writes = nil
	for range 20 {
		if _, err := b.turn(); err != nil {
			t.Fatal(err)
		}
		if n := b.count("update *v1.Service shop-web"); n > 0 {
			break
		}
	}
	for range 2 {
		result, err := b.turn()
		if err != nil || result.RequeueAfter != rereadAfter {
			t.Errorf("a cache that is behind is to be read again soon: %+v, %v", result, err)
		}
	}
	if n := b.count("update *v1.Service shop-web"); n != 1 {
		t.Errorf("%d writes of the route", n)
	}
	b.show = nil
	b.settle("shop-2.0")
}
