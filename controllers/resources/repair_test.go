package resources_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/controllers/resources"
)

// TestRepairedIsAsSealed: what was changed is as sealed again; the size, and what the
// cluster chose, stays.
func TestRepairedIsAsSealed(t *testing.T) {
	labels := metav1.ObjectMeta{Name: "shop-1-web", Labels: map[string]string{"strata.dev/release": "shop-1"}}
	other := metav1.ObjectMeta{Name: "shop-1-web", ResourceVersion: "7", Labels: map[string]string{"strata.dev/release": "theirs", "extra": "stays"}}
	for _, pair := range [][2]client.Object{
		{
			&appsv1.Deployment{ObjectMeta: labels, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](0), MinReadySeconds: 2}},
			&appsv1.Deployment{ObjectMeta: other, Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](5), MinReadySeconds: 9, Paused: true}},
		},
		{
			&corev1.Service{ObjectMeta: labels, Spec: corev1.ServiceSpec{Selector: map[string]string{"a": "b"}}},
			&corev1.Service{ObjectMeta: other, Spec: corev1.ServiceSpec{ClusterIP: "10.0.0.1", ClusterIPs: []string{"10.0.0.1"}, ExternalIPs: []string{"192.0.2.1"}}},
		},
		{
			&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: labels, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: ptr.To[int32](4), MaxReplicas: 9}},
			&autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: other, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: ptr.To[int32](3), MaxReplicas: 8, Behavior: &autoscalingv2.HorizontalPodAutoscalerBehavior{}}},
		},
		{&policyv1.PodDisruptionBudget{ObjectMeta: labels}, &policyv1.PodDisruptionBudget{ObjectMeta: other, Spec: policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}}},
	} {
		sealed, live := pair[0], pair[1]
		before := live.DeepCopyObject()
		if resources.Difference(sealed, live, resources.AsSealed) == "" {
			t.Errorf("%T: nothing differs", live)
		}
		repaired := resources.Repaired(sealed, live)
		if d := resources.Difference(sealed, repaired, resources.AsSealed); d != "" {
			t.Errorf("%T: %s", live, d)
		}
		if d := resources.Difference(sealed, before.(client.Object), resources.AsSealed); d == "" {
			t.Errorf("%T: what was observed was changed", live)
		}
		if repaired.GetLabels()["extra"] != "stays" || repaired.GetResourceVersion() != "7" {
			t.Errorf("%T: %v", live, repaired.GetLabels())
		}
		switch o := repaired.(type) {
		case *appsv1.Deployment:
			if *o.Spec.Replicas != 5 {
				t.Error("the size was changed")
			}
		case *autoscalingv2.HorizontalPodAutoscaler:
			if *o.Spec.MinReplicas != 4 || o.Spec.MaxReplicas != 9 {
				t.Error("the bounds are not those that were asked for")
			}
		case *corev1.Service:
			if o.Spec.ClusterIP != "10.0.0.1" {
				t.Error("the address was changed")
			}
		}
	}
	if resources.Repaired(&corev1.Pod{}, &corev1.Pod{}) != nil {
		t.Error("a Pod is no child")
	}
}

func TestWriterIsWhoOwnsTheField(t *testing.T) {
	at := func(minute int) *metav1.Time {
		return ptr.To(metav1.NewTime(time.Date(2026, 1, 1, 12, minute, 0, 0, time.UTC)))
	}
	entry := func(manager, subresource string, minute int, fields string) metav1.ManagedFieldsEntry {
		return metav1.ManagedFieldsEntry{Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Subresource: subresource, Time: at(minute), FieldsV1: metav1.NewFieldsV1(fields)}
	}
	const image = `{"f:spec":{"f:template":{"f:spec":{"f:containers":{"k:{\"name\":\"web\"}":{".":{},"f:image":{}}}}}}}`
	const label = `{"f:metadata":{"f:labels":{"f:strata.dev/track":{}}}}`
	ours := entry("strata", "", 1, image)
	for name, test := range map[string]struct {
		path    string
		entries []metav1.ManagedFieldsEntry
		want    string
	}{
		"nobody but the operator":    {"spec.template.spec.containers[0].image is x", []metav1.ManagedFieldsEntry{ours, entry("kube-controller-manager", "status", 9, `{"f:status":{}}`)}, ""},
		"who owns it":                {"spec.template.spec.containers[0].image is x", []metav1.ManagedFieldsEntry{ours, entry("kubectl-edit", "", 2, image), entry("other", "", 3, label)}, "kubectl-edit (update, 2026-01-01T12:02:00Z)"},
		"who owns what is above":     {"spec.template.spec.containers has 2 entries, sealed 1", []metav1.ManagedFieldsEntry{entry("injector", "", 2, image)}, "injector (update, 2026-01-01T12:02:00Z)"},
		"a label, by its status":     {"metadata.labels[strata.dev/track] is \"x\"", []metav1.ManagedFieldsEntry{entry("sneak", "status", 4, label), entry("other", "", 5, image)}, "sneak (update of status, 2026-01-01T12:04:00Z)"},
		"who took it away":           {"metadata.labels[strata.dev/track] is \"\"", []metav1.ManagedFieldsEntry{ours, entry("first", "", 2, image), entry("last", "", 3, image)}, "last (update, 2026-01-01T12:03:00Z)"},
		"the newest of those":        {"spec.template.spec.containers[0].image is x", []metav1.ManagedFieldsEntry{entry("new", "", 6, image), entry("old", "", 2, image)}, "new (update, 2026-01-01T12:06:00Z)"},
		"fields that cannot be read": {"spec.paused is true", []metav1.ManagedFieldsEntry{entry("odd", "", 2, `{`)}, "odd (update, 2026-01-01T12:02:00Z)"},
	} {
		got := resources.Writer(&metav1.ObjectMeta{ManagedFields: test.entries}, test.path, "strata")
		if got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	by := &metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{ours}}
	if !resources.Born(by, "spec.template.spec.containers[0].image is x", "strata") || resources.Born(by, "metadata.labels[strata.dev/track] is \"\"", "strata") || resources.Born(by, "spec.template.spec.containers[0].image is x", "other") {
		t.Error("the operator wrote the image, and nothing else")
	}
	added := "spec.template.spec.hostNetwork is true, sealed false"
	for generation, born := range map[int64]bool{0: false, 1: true, 2: false} {
		if by.Generation = generation; resources.Born(by, added, "strata") != born || resources.Born(by, "metadata.labels[team] is \"\"", "strata") {
			t.Errorf("generation %d: want %t of what nobody owns in spec, and no of labels", generation, born)
		}
	}
}

func TestWhatAPodRuns(t *testing.T) {
	digest := func(c string) string { return "sha256:" + strings.Repeat(c, 64) }
	reference := "registry.example.com/shop@" + digest("1")
	known := map[string][]string{reference: {digest("2"), digest("3")}}
	template := &corev1.PodSpec{
		InitContainers: []corev1.Container{{Name: "init", Image: reference}},
		Containers:     []corev1.Container{{Name: "web", Image: reference}},
	}
	pod := func(image, id string) *corev1.Pod {
		return &corev1.Pod{
			Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "sidecar", Image: "theirs"}, {Name: "web", Image: image}}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "sidecar", ImageID: "theirs@" + digest("9")}, {Name: "web", ImageID: id}}},
		}
	}
	for name, test := range map[string]struct {
		pod     *corev1.Pod
		known   map[string][]string
		differs string
	}{
		"the index":                      {pod(reference, "registry.example.com/shop@"+digest("1")), known, ""},
		"a platform of it":               {pod(reference, "registry.example.com/shop@"+digest("3")), known, ""},
		"another repository, same image": {pod(reference, "mirror.example.com/shop@"+digest("2")), known, ""},
		"docker's way to say it":         {pod(reference, "docker-pullable://registry.example.com/shop@"+digest("2")), known, ""},
		"something else":                 {pod(reference, "registry.example.com/shop@"+digest("9")), known, "status.containerStatuses[web].imageID"},
		"something, nobody was asked":    {pod(reference, "registry.example.com/shop@"+digest("9")), nil, ""},
		"the digest of a configuration":  {pod(reference, digest("9")), known, ""},
		"not started":                    {pod(reference, ""), known, ""},
		"edited":                         {pod("evil:1", ""), nil, "spec.containers[web].image"},
	} {
		got := resources.PodDifference(template, test.pod) + resources.ImageDifference(template, test.pod, test.known)
		if test.differs == "" && got != "" || !strings.HasPrefix(got, test.differs) {
			t.Errorf("%s: %q, want %q", name, got, test.differs)
		}
	}
}
