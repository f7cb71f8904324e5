package operator

import (
	"bytes"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

func TestDigestKeyIsMadeOnceAndKept(t *testing.T) {
	c := fake.NewClientBuilder().Build()
	first, err := ensureDigestKey(t.Context(), c, "strata-system")
	if err != nil {
		t.Fatal(err)
	}
	again, err := ensureDigestKey(t.Context(), c, "strata-system")
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 32 || !bytes.Equal(first, again) {
		t.Errorf("got %d bytes, then %d; want the same 32 twice", len(first), len(again))
	}
	secret := &corev1.Secret{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "strata-system", Name: "strata-digest-key"}, secret); err != nil {
		t.Fatal(err)
	}
	if secret.Immutable == nil || !*secret.Immutable {
		t.Error("the Secret can be changed")
	}
}

func TestDamagedDigestKeyIsNotReplaced(t *testing.T) {
	c := fake.NewClientBuilder().WithObjects(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "strata-system", Name: "strata-digest-key"},
		Data:       map[string][]byte{"key": []byte("short")},
	}).Build()
	if _, err := ensureDigestKey(t.Context(), c, "strata-system"); err == nil {
		t.Error("a key of 5 bytes was accepted")
	}
}

func TestCacheHoldsOnlyWhatBelongsToTracks(t *testing.T) {
	options := CacheOptions()
	if options.DefaultLabelSelector.Matches(labels.Set{"app": "somebody-elses"}) {
		t.Error("objects without a track are cached")
	}
	if !options.DefaultLabelSelector.Matches(labels.Set{"strata.dev/track": "shop"}) {
		t.Error("objects of a track are not cached")
	}
}

func TestSlimPodKeepsWhoItIsAndHowItFares(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web-1", Namespace: "shop", UID: "u", ResourceVersion: "7",
			Labels:          map[string]string{"strata.dev/track": "shop"},
			Annotations:     map[string]string{"cni": "large"},
			OwnerReferences: []metav1.OwnerReference{{Name: "web"}},
		},
		Spec: corev1.PodSpec{
			NodeName:       "node-1",
			Containers:     []corev1.Container{{Name: "web", Image: "shop", Args: []string{"large"}}},
			ReadinessGates: []corev1.PodReadinessGate{{ConditionType: "gate"}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.1",
			ContainerStatuses: []corev1.ContainerStatus{{Name: "web", Image: "shop", ImageID: "shop@sha256:1", Ready: true, RestartCount: 2, VolumeMounts: []corev1.VolumeMountStatus{{Name: "token"}}}},
		},
	}
	slimPod(pod)
	if pod.Name != "web-1" || pod.UID != "u" || len(pod.Labels) != 1 || len(pod.OwnerReferences) != 1 ||
		len(pod.Spec.ReadinessGates) != 1 || len(pod.Spec.Containers) != 1 || pod.Spec.Containers[0].Image != "shop" || pod.Status.Phase != corev1.PodRunning {
		t.Errorf("something needed is gone: %+v", pod)
	}
	if is := pod.Status.ContainerStatuses[0]; is.Name != "web" || is.Image != "shop" || is.ImageID != "shop@sha256:1" || !is.Ready || is.RestartCount != 2 {
		t.Errorf("something needed of its container is gone: %+v", is)
	}
	if pod.Spec.Containers[0].Args != nil || pod.Annotations != nil || pod.Status.PodIP != "" || pod.Status.ContainerStatuses[0].VolumeMounts != nil {
		t.Errorf("something large is kept: %+v", pod)
	}
}

func TestSlimEndpointsKeepWhoIsReady(t *testing.T) {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "shop", Labels: map[string]string{"strata.dev/track": "shop"}, Annotations: map[string]string{"trigger": "time"}},
		Ports:      []discoveryv1.EndpointPort{{Name: ptr.To("http")}},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}, TargetRef: &corev1.ObjectReference{UID: "u", Name: "web-1"}, NodeName: ptr.To("node-1")},
			{Addresses: []string{"10.0.0.2"}},
		},
	}
	slimEndpoints(slice)
	want := []discoveryv1.Endpoint{
		{Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true)}, TargetRef: &corev1.ObjectReference{UID: "u"}},
		{Addresses: []string{"10.0.0.2"}},
	}
	if !reflect.DeepEqual(slice.Endpoints, want) || len(slice.Ports) != 1 || len(slice.Labels) != 1 || slice.Annotations != nil {
		t.Errorf("%+v", slice)
	}
}

func TestRequestsAreNotPacked(t *testing.T) {
	is := requests(&rest.Config{Host: "https://api.example.com"}, Options{QPS: 7.5, Burst: 3, Version: "1.2.3"})
	if is.Host != "https://api.example.com" || is.QPS != 7.5 || is.Burst != 3 || is.UserAgent != "strata/1.2.3" || !is.DisableCompression || is.WrapTransport == nil {
		t.Errorf("%+v", is)
	}
}

func TestOperatorMustKnowWhoItIs(t *testing.T) {
	if _, err := New(t.Context(), &rest.Config{}, Options{}); err == nil {
		t.Error("an operator without a namespace was set up")
	}
}
