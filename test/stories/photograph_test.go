package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
)

// photograph is all that is in the namespace of a story, the log included: the objects
// by kind and name, without what differs between two worlds in which the same happened:
// times, UIDs, resourceVersions, addresses, the name of the namespace, and the digests of
// records, which are over some of these.
type photograph struct {
	objects map[string]string
	// uids by the same names.
	uids map[string]types.UID
}

var photographed = []schema.GroupVersionKind{
	v1alpha1.GroupVersion.WithKind("ReleaseTrack"),
	v1alpha1.GroupVersion.WithKind("ImmutableRelease"),
	v1alpha1.GroupVersion.WithKind("ReleaseRecord"),
	v1alpha1.GroupVersion.WithKind("ReleaseAction"),
	{Group: gatewayv1.GroupName, Version: "v1", Kind: "HTTPRoute"},
	appsv1.SchemeGroupVersion.WithKind("Deployment"),
	appsv1.SchemeGroupVersion.WithKind("ControllerRevision"),
	autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"),
	policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"),
	batchv1.SchemeGroupVersion.WithKind("Job"),
	discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"),
	corev1.SchemeGroupVersion.WithKind("Service"),
	corev1.SchemeGroupVersion.WithKind("Pod"),
	corev1.SchemeGroupVersion.WithKind("ConfigMap"),
	corev1.SchemeGroupVersion.WithKind("Secret"),
}

// differs are the fields that do, by kind; those of "" are of all kinds.
var differs = map[string][]string{
	"":              {"metadata.uid", "metadata.resourceVersion", "metadata.creationTimestamp", "metadata.managedFields"},
	"ReleaseRecord": {"spec.digest", "spec.previousDigest"},
	"ReleaseTrack":  {"status.records.headDigest"},
	"Service":       {"spec.clusterIP", "spec.clusterIPs"},
	// Not ours: how often pods were counted on the way.
	"EndpointSlice": {"metadata.generation"},
	// In how many writes a route got where it is: two leaders see records apart that one
	// carries out together. Its weights on the way are compared, and so is what the log has
	// of the router's answer.
	"HTTPRoute": {"metadata.generation", "status"},
}

var (
	anyTime = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	anyUID  = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
)

func (w *world) photograph(ctx context.Context) photograph {
	GinkgoHelper()
	p := photograph{objects: map[string]string{}, uids: map[string]types.UID{}}
	names := map[string]string{}
	for _, kind := range photographed {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind.GroupVersion().WithKind(kind.Kind + "List"))
		Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
		for _, object := range list.Items {
			name := kind.Kind + " " + object.GetName()
			p.uids[name], names[string(object.GetUID())] = object.GetUID(), name
			for _, path := range slices.Concat(differs[""], differs[kind.Kind]) {
				unstructured.RemoveNestedField(object.Object, strings.Split(path, ".")...)
			}
			p.objects[name] = text(object.Object)
		}
	}
	for name, object := range p.objects {
		object = anyUID.ReplaceAllStringFunc(object, func(uid string) string { return "<UID of " + names[uid] + ">" })
		p.objects[name] = strings.ReplaceAll(anyTime.ReplaceAllString(object, "<time>"), w.namespace, "<namespace>")
	}
	return p
}

// text of an object, and of what a ControllerRevision has as text.
func text(object map[string]any) string {
	GinkgoHelper()
	encoded, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	lines, err := yaml.JSONToYAML(encoded)
	Expect(err).NotTo(HaveOccurred())
	return string(lines)
}

// from says how this photograph is not as the other; "" where it is.
func (p photograph) from(want photograph) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(want.objects)) {
		if is, there := p.objects[name]; !there {
			fmt.Fprintf(&b, "there is no %s\n", name)
		} else if is != want.objects[name] {
			fmt.Fprintf(&b, "%s (-want +got)\n%s\n", name, cmp.Diff(want.objects[name], is))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.objects)) {
		if _, wanted := want.objects[name]; !wanted {
			fmt.Fprintf(&b, "there is %s\n", name)
		}
	}
	return b.String()
}

// replaced are the objects that are other ones than before by the same name.
func (p photograph) replaced(before photograph) []string {
	var all []string
	for name, uid := range before.uids {
		if is, there := p.uids[name]; there && is != uid {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
