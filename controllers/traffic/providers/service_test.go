package providers_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

func stableService(name string) v1alpha1.Route {
	return v1alpha1.Route{
		Name: "internal", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteService,
		Service: &v1alpha1.ServiceRoute{Name: name},
	}
}

var _ = Describe("A route of type Service", func() {
	var (
		w *world
		t traffic.Track
	)
	BeforeEach(func(ctx context.Context) {
		w = suite
		t = track(w.namespace(ctx), "shop")
	})
	stored := func(ctx context.Context) *corev1.Service {
		GinkgoHelper()
		object := &corev1.Service{}
		Expect(w.direct.Get(ctx, types.NamespacedName{Namespace: t.Namespace, Name: "shop-web"}, object)).To(Succeed())
		return object
	}
	// endpoints writes the EndpointSlice of a Service as its controller would: with
	// the labels of the Service, and the pods given as ready, but for those whose
	// name begins with "not-".
	endpoints := func(ctx context.Context, service, portName string, pods ...string) {
		GinkgoHelper()
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: service + "-x", Labels: map[string]string{
				v1alpha1.LabelTrack: t.Name, discoveryv1.LabelServiceName: service,
			}},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: ptr.To(portName), Port: ptr.To[int32](8080)}},
		}
		for _, pod := range pods {
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses:  []string{"10.0.0.1"},
				Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(pod[:4] != "not-")},
				TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: pod, UID: types.UID(pod)},
			})
		}
		err := w.direct.Create(ctx, slice)
		if apierrors.IsAlreadyExists(err) {
			err = w.direct.Update(ctx, slice)
		}
		Expect(err).NotTo(HaveOccurred())
	}
	facts := func(ctx context.Context, route v1alpha1.Route) rollout.Route {
		return w.observe(ctx, t, route)[0].Route
	}

	It("does not exist before a release serves, and then selects that release", func(ctx context.Context) {
		route := stableService("shop-web")
		Expect(w.write(ctx, t, route, 1, nil)).To(Succeed())
		Expect(facts(ctx, route)).To(And(
			HaveField("Presence", rollout.Missing), HaveField("Reason", traffic.ReasonMissing), HaveField("AllOrNothing", true)))

		Expect(w.write(ctx, t, route, 2, shares("shop-1", 100, "shop-2", 0))).To(Succeed())
		object := stored(ctx)
		Expect(object.Spec.Selector).To(Equal(resources.Selector("shop-1", "web")))
		Expect(object.Spec.Ports).To(HaveLen(1))
		Expect(object.Spec.Ports[0]).To(Equal(corev1.ServicePort{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(80)}))
		Expect(object.Labels).To(Equal(traffic.Labels(t, "internal")))
		Expect(object.Annotations).To(HaveKeyWithValue(v1alpha1.AnnotationSequence, "2"))
		Expect(object.OwnerReferences).To(BeEmpty())

		Expect(w.write(ctx, t, route, 2, shares("shop-1", 100))).To(Succeed())
		Expect(stored(ctx).ResourceVersion).To(Equal(object.ResourceVersion), "nothing differs, and yet it was written")

		Expect(w.write(ctx, t, route, 3, shares("shop-1", 0, "shop-2", 100))).To(Succeed())
		moved := stored(ctx)
		Expect(moved.Spec.Selector).To(Equal(resources.Selector("shop-2", "web")))
		Expect(moved.Spec.ClusterIP).To(Equal(object.Spec.ClusterIP))
		Expect(w.fresh(ctx, t, route)[0].Route).To(And(
			HaveField("Weights", shares("shop-2", 100)), HaveField("Current", true), HaveField("Sequence", int64(3))))
	})

	It("is verified once its endpoints are the ready pods of the release", func(ctx context.Context) {
		route := stableService("shop-web")
		endpoints(ctx, "shop-1-web", "http", "web-a", "web-b", "not-ready")
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		w.fresh(ctx, t, route)
		behind := And(HaveField("Verified", false), HaveField("Reason", traffic.ReasonEndpointsBehind))
		verified := And(HaveField("Verified", true), HaveField("Reason", ""))

		Eventually(facts).WithArguments(ctx, route).Should(behind)
		endpoints(ctx, "shop-web", "http", "old-a", "web-a", "web-b")
		Consistently(facts, "300ms").WithArguments(ctx, route).Should(behind, "pods of the release before are still in")
		endpoints(ctx, "shop-web", "http", "web-a", "not-web-b")
		Consistently(facts, "300ms").WithArguments(ctx, route).Should(behind, "one is missing")
		endpoints(ctx, "shop-web", "other", "web-a", "web-b")
		Consistently(facts, "300ms").WithArguments(ctx, route).Should(behind, "not at the port of the route")
		endpoints(ctx, "shop-web", "http", "web-a", "web-b")
		Eventually(facts).WithArguments(ctx, route).Should(verified)

		By("also while the release has no ready pods: nothing goes elsewhere")
		endpoints(ctx, "shop-web", "http", "not-web-a")
		endpoints(ctx, "shop-1-web", "http", "not-web-a")
		Eventually(facts).WithArguments(ctx, route).Should(verified)
	})

	It("is not written over a change that was not observed", func(ctx context.Context) {
		route := stableService("shop-web")
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		seen := w.fresh(ctx, t, route)
		other := stored(ctx)
		other.Annotations["example.com/note"] = "mine"
		Expect(w.direct.Update(ctx, other)).To(Succeed())
		late := rollout.WriteRoute{Route: "internal", Weights: shares("shop-2", 100), Sequence: 2}
		_, err := w.registry.Apply(ctx, t, []v1alpha1.Route{route}, seen, late)
		Expect(err).To(MatchError(traffic.IsStale, "IsStale"))
		Expect(stored(ctx).ResourceVersion).To(Equal(other.ResourceVersion))
		_, err = w.registry.Apply(ctx, t, []v1alpha1.Route{route}, []traffic.Observed{{}}, late)
		Expect(err).To(MatchError(traffic.IsStale, "IsStale"))
	})

	It("repairs a Service that somebody edits", func(ctx context.Context) {
		route := stableService("shop-web")
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		edited := stored(ctx)
		edited.Spec.Type, edited.Spec.PublishNotReadyAddresses = corev1.ServiceTypeNodePort, true
		edited.Spec.Selector["tier"] = "front"
		Expect(w.direct.Update(ctx, edited)).To(Succeed())
		Expect(w.fresh(ctx, t, route)[0].Route).To(And(
			HaveField("Current", false), HaveField("Verified", false), HaveField("Reason", traffic.ReasonSelectorChanged)))
		Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
		Expect(w.fresh(ctx, t, route)[0].Route.Current).To(BeTrue())
		Expect(stored(ctx).Spec.Type).To(Equal(corev1.ServiceTypeClusterIP))
	})

	It("leaves a Service of the same name that is somebody else's as it is", func(ctx context.Context) {
		theirs := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "shop-web"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}, Selector: map[string]string{"app": "legacy"}},
		}
		Expect(w.direct.Create(ctx, theirs)).To(Succeed())
		seen := w.observe(ctx, t, stableService("shop-web"))
		Expect(seen[0].Route).To(And(HaveField("Presence", rollout.Foreign), HaveField("Reason", traffic.ReasonNameTaken)))
		_, err := w.registry.Apply(ctx, t, []v1alpha1.Route{stableService("shop-web")}, seen,
			rollout.WriteRoute{Route: "internal", Weights: shares("shop-1", 100), Sequence: 1})
		Expect(err).To(MatchError(traffic.ErrForeign))
		Expect(stored(ctx).ResourceVersion).To(Equal(theirs.ResourceVersion))
	})

	It("is still observed under its former name, and the Services of releases are not taken for routes", func(ctx context.Context) {
		release := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "shop-1-web", Labels: map[string]string{v1alpha1.LabelTrack: t.Name}},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
		}
		Expect(w.direct.Create(ctx, release)).To(Succeed())
		Expect(w.write(ctx, t, stableService("shop-web"), 1, shares("shop-1", 100))).To(Succeed())
		w.fresh(ctx, t, stableService("shop-web"))
		seen := w.observe(ctx, t, stableService("shop-front"))
		Expect(seen).To(HaveLen(2))
		Expect(seen[0].Route).To(And(HaveField("Presence", rollout.Missing), HaveField("Orphaned", false)))
		Expect(seen[1].Route).To(And(HaveField("Name", "internal"), HaveField("Orphaned", true), HaveField("Weights", shares("shop-1", 100))))
	})
})

var _ = Describe("A route of a type that has no provider", func() {
	It("is a fact, not an error", func(ctx context.Context) {
		t := track("default", "shop")
		route := v1alpha1.Route{Name: "edge", Type: "Mesh"}
		seen := suite.observe(ctx, t, route)
		Expect(seen[0].Route).To(And(HaveField("Reason", traffic.ReasonUnsupported), HaveField("Presence", rollout.Missing)))
		_, err := suite.registry.Apply(ctx, t, []v1alpha1.Route{route}, seen, rollout.WriteRoute{Route: "edge"})
		Expect(err).To(MatchError(ContainSubstring("not supported")))
		_, err = suite.registry.Apply(ctx, t, nil, nil, rollout.WriteRoute{Route: "edge"})
		Expect(err).To(MatchError(ContainSubstring("no such route")))
	})
})
