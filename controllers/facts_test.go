package controllers

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// An endpoint counts once, and only when somebody calls it ready.
func TestReadyEndpoints(t *testing.T) {
	endpoint := func(pod string, ready *bool) discoveryv1.Endpoint {
		e := discoveryv1.Endpoint{Conditions: discoveryv1.EndpointConditions{Ready: ready}}
		if pod != "" {
			e.TargetRef = &corev1.ObjectReference{UID: types.UID(pod)}
		}
		return e
	}
	yes, no := ptr.To(true), ptr.To(false)
	for name, c := range map[string]struct {
		slices [][]discoveryv1.Endpoint
		want   int32
	}{
		"ready":                  {[][]discoveryv1.Endpoint{{endpoint("a", yes), endpoint("b", yes)}}, 2},
		"not ready":              {[][]discoveryv1.Endpoint{{endpoint("a", no)}}, 0},
		"nobody says":            {[][]discoveryv1.Endpoint{{endpoint("a", nil)}}, 0},
		"no pod":                 {[][]discoveryv1.Endpoint{{endpoint("", yes)}}, 0},
		"in two slices":          {[][]discoveryv1.Endpoint{{endpoint("a", yes)}, {endpoint("a", yes)}}, 1},
		"ready in one of slices": {[][]discoveryv1.Endpoint{{endpoint("a", no)}, {endpoint("a", yes)}}, 1},
	} {
		var slices []discoveryv1.EndpointSlice
		for i, endpoints := range c.slices {
			slices = append(slices, discoveryv1.EndpointSlice{
				ObjectMeta: metav1.ObjectMeta{Name: string(rune('a' + i)), Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
				Endpoints:  endpoints,
			})
		}
		if got := readyEndpoints(slices)["web"]; got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// What a Deployment was before it was changed says nothing of what it is.
func TestObserveDeployment(t *testing.T) {
	changed := noon.Add(-time.Minute)
	for name, c := range map[string]struct {
		observed int64
		status   corev1.ConditionStatus
		want     rollout.Component
	}{
		"available":           {2, corev1.ConditionTrue, rollout.Component{Available: true, AvailableChange: changed, AvailableReplicas: 2}},
		"not available":       {2, corev1.ConditionFalse, rollout.Component{AvailableChange: changed, AvailableReplicas: 2}},
		"was available":       {1, corev1.ConditionTrue, rollout.Component{}},
		"was not available":   {1, corev1.ConditionFalse, rollout.Component{AvailableChange: changed}},
		"nothing is said yet": {0, "", rollout.Component{AvailableChange: noon}},
	} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: 2, CreationTimestamp: metav1.NewTime(noon)}, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)}}
		d.Status = appsv1.DeploymentStatus{ObservedGeneration: c.observed, AvailableReplicas: 2}
		if c.status != "" {
			d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: c.status, LastTransitionTime: metav1.NewTime(changed)}}
		}
		got := rollout.Component{}
		observeDeployment(&got, d, nil)
		if got.Available != c.want.Available || !got.AvailableChange.Equal(c.want.AvailableChange) || got.AvailableReplicas != c.want.AvailableReplicas || got.Replicas != 2 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A pod tells of the Job that controls it, and of no other one of the same test.
func TestPodsOfAJob(t *testing.T) {
	pod := func(name string, job types.UID) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{{UID: job, Controller: ptr.To(true)}}}}
	}
	w := &world{}
	w.children.pods = map[podGroup][]*corev1.Pod{{release: "shop-1.0", test: "smoke"}: {pod("first", "1"), pod("second", "2"), {}}}
	if pods := w.podsOf("shop-1.0", "smoke", "2"); len(pods) != 1 || pods[0].Name != "second" {
		t.Errorf("%+v", pods)
	}
}

// What has the name of a release's child, and is not its own, is left alone, and said.
func TestForeignObjectsAreLeftAlone(t *testing.T) {
	another := []metav1.OwnerReference{{APIVersion: "strata.dev/v1alpha1", Kind: "ImmutableRelease", Name: "shop-1.0", UID: "deleted", Controller: ptr.To(true)}}
	for name, c := range map[string]struct {
		object client.Object
		reason string
	}{
		"a Deployment":                    {&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "shop-1.0-web"}}, "NameTaken"},
		"a Deployment with our label":     {&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "shop-1.0-web", Labels: map[string]string{v1alpha1.LabelTrack: "shop"}, OwnerReferences: another}}, "NameTaken"},
		"a Service":                       {&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "shop-1.0-web"}}, "NameTaken"},
		"the seal of a namesake":          {&appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: "shop-1.0-seal", Labels: map[string]string{v1alpha1.LabelTrack: "shop"}, OwnerReferences: another}}, "NameTaken"},
		"a Service that selects its pods": {&corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "spy"}, Spec: corev1.ServiceSpec{Selector: map[string]string{v1alpha1.LabelVersion: "1.0"}}}, "ForeignSelector"},
		"a Service of another track that selects them": {&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "spy", Labels: map[string]string{v1alpha1.LabelTrack: "another"}},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{v1alpha1.LabelVersion: "1.0"}},
		}, "ForeignSelector"},
		"a Service of another track that selects its release": {&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "spy", Labels: map[string]string{v1alpha1.LabelTrack: "another"}},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{v1alpha1.LabelRelease: "shop-1.0"}},
		}, "ForeignSelector"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			c.object.SetNamespace(shop.Namespace)
			if d, ok := c.object.(*appsv1.Deployment); ok {
				d.Spec.Replicas = ptr.To[int32](1)
			}
			b.store(c.object)
			before := c.object.DeepCopyObject().(client.Object)
			b.publish("1.0")
			b.pass(8)
			b.expect("", v1alpha1.ConditionRolloutBlocked, "True "+c.reason, c.object.GetName())
			b.must(b.api.Get(b.Context(), client.ObjectKeyFromObject(before), c.object))
			if _, played := c.object.(*appsv1.Deployment); !played && c.object.GetResourceVersion() != before.GetResourceVersion() {
				t.Errorf("it was written: %+v", c.object)
			}
			if n := b.count("patch *v1.Deployment") + b.count("update *v1.Service"); n > 0 {
				t.Errorf("written: %v", b.writes)
			}
		})
	}
}

// However many releases of other tracks a namespace has, a look at a candidate reads none of
// their Services.
func TestServicesOfOtherReleasesAreNotRead(t *testing.T) {
	b := newBench(t)
	for i := range 20 {
		release := fmt.Sprintf("another-%d", i)
		b.store(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: release + "-web", Labels: map[string]string{v1alpha1.LabelTrack: "another"}},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{v1alpha1.LabelRelease: release, v1alpha1.LabelComponent: "web"}},
		})
	}
	b.store(&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "somebody-elses"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "else"}}})
	read := map[string]bool{}
	note := func(list client.ObjectList) {
		if services, ok := list.(*corev1.ServiceList); ok {
			for _, service := range services.Items {
				read[service.Name] = true
			}
		}
	}
	b.showLists = note
	b.loop.live = listing{b.loop.live, note}
	b.publish("1.0")
	b.settle("shop-1.0")
	if len(read) != 3 || !read["shop-1.0-web"] || !read["shop-web"] || !read["somebody-elses"] {
		t.Errorf("read: %v", read)
	}
}

// listing tells of what lists were answered with.
type listing struct {
	client.Reader
	tell func(client.ObjectList)
}

func (l listing) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	err := l.Reader.List(ctx, list, options...)
	l.tell(list)
	return err
}

// A version has one content for ever, also where nothing but the log remembers it.
func TestAVersionHasOneContent(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	b.publish("2.0")
	b.settle("shop-2.0")
	b.must(
		b.api.Delete(b.Context(), &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-1.0"}}),
		b.api.Delete(b.Context(), &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "shop-1.0-seal"}}),
	)
	b.publish("1.0", func(spec *v1alpha1.ImmutableReleaseSpec) { spec.Components[0].Ports[0].Port = 81 })
	track := &v1alpha1.ReleaseTrack{}
	b.meddle(track, shop.Name, func() { track.Spec.ReleaseName, track.Generation = "shop-1.0", 2 })
	b.pass(4)
	b.expect("", v1alpha1.ConditionRolloutBlocked, "True VersionReused", "1.0")
}

// What was stored of another object is not digested as the release's.
func TestStoredSpecIsOfThisRelease(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	release := &v1alpha1.ImmutableRelease{}
	b.must(b.api.Get(b.Context(), types.NamespacedName{Namespace: shop.Namespace, Name: "shop-1.0"}, release))
	if _, err := b.loop.storedSpec(b.Context(), release); err != nil {
		t.Error(err)
	}
	release.UID = "the one before"
	if spec, err := b.loop.storedSpec(b.Context(), release); err == nil {
		t.Errorf("%s", spec)
	}
}

// The oldest action that waits is answered first, whatever its name.
func TestOldestActionFirst(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.settle("shop-1.0")
	for _, name := range []string{"z", "m", "a"} {
		b.now = b.now.Add(time.Second)
		b.store(&v1alpha1.ReleaseAction{
			ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: name},
			Spec:       v1alpha1.ReleaseActionSpec{TrackName: shop.Name, ReleaseName: "shop-1.0", Action: v1alpha1.ActionRollback, Requester: "ann", Reason: "because"},
		})
	}
	b.pass(1)
	answered := ""
	for _, record := range b.records() {
		answered += record.Spec.ActionName
	}
	if answered != "zma" {
		t.Errorf("answered in the order %q", answered)
	}
}

// Looking writes nothing, also where it asks the API server what it would take.
func TestLookingWritesNothing(t *testing.T) {
	for name, missing := range map[string]client.Object{
		"no seal":       &appsv1.ControllerRevision{},
		"no Deployment": &appsv1.Deployment{},
		"no Service":    &corev1.Service{},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.refuse = func(_ string, object client.Object, dry bool) error {
				if sameKind(object, missing) && !dry {
					return errAway
				}
				return nil
			}
			b.publish("1.0")
			b.pass(5)
			b.refuse, b.writes = nil, nil
			b.observed()
			if len(b.writes) > 0 {
				t.Errorf("%v", b.writes)
			}
		})
	}
}

func sameKind(a, b client.Object) bool {
	switch a.(type) {
	case *appsv1.ControllerRevision:
		_, same := b.(*appsv1.ControllerRevision)
		return same
	case *appsv1.Deployment:
		_, same := b.(*appsv1.Deployment)
		return same
	case *corev1.Service:
		_, same := b.(*corev1.Service)
		return same
	}
	return false
}

// In a namespace that is being deleted nothing is done, and nothing is said.
func TestNamespaceThatIsBeingDeleted(t *testing.T) {
	b := newBench(t)
	b.publish("1.0")
	b.refuse = func(verb string, object client.Object, _ bool) error {
		if verb != "create" {
			return nil
		}
		var refused *apierrors.StatusError
		if !errors.As(forbidden(object, "it is being terminated"), &refused) {
			t.Fatal("not an answer of an API server")
		}
		refused.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
		return refused
	}
	for range 10 {
		if result, err := b.turn(); err != nil || result.RequeueAfter != 0 {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	if conditions := b.track().Status.Conditions; len(conditions) > 0 {
		t.Errorf("%+v", conditions)
	}
}
