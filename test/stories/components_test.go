package stories

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// internalRoute is a stable Service before component api.
func internalRoute(t *v1alpha1.ReleaseTrack) {
	t.Spec.Traffic.Routes = append(t.Spec.Traffic.Routes, v1alpha1.Route{
		Name: "internal", ComponentName: "api", PortName: "http",
		Type: v1alpha1.RouteService, Service: &v1alpha1.ServiceRoute{Name: "shop-api"},
	})
}

// worker is a component without ports.
func worker(r *v1alpha1.ImmutableRelease) {
	component := *r.Spec.Components[0].DeepCopy()
	component.Name, component.Ports, component.Activation = "worker", nil, v1alpha1.ActivationImmediate
	r.Spec.Components = append(r.Spec.Components, component)
}

// authorsVariables use those of Strata.
var authorsVariables = harness.Container(func(c *corev1.Container) {
	c.Env = append(c.Env, corev1.EnvVar{Name: "API", Value: "http://$(STRATA_HOST_API)/v1"})
})

var _ = story("three components move as one: two routes, and variables that lead to siblings of the same release", func(ctx context.Context, w *world) {
	release := func(version string) *v1alpha1.ImmutableRelease {
		return w.release(version, w.Component("api", 1), worker, authorsVariables, w.Test("smoke", v1alpha1.BeforeTraffic, 60))
	}
	w.goLive(ctx, w.track(internalRoute, harness.Steps(harness.Step(20, 2))), release("1.0.0"))
	w.create(ctx, release("2.0.0"))

	By("at 20 % the stable Service has not moved: it is all or nothing")
	w.untilWeight(ctx, "2.0.0", 20)
	Expect(w.internalRelease(ctx)).To(Equal("shop-1-0-0"))

	By("at 100 % both have")
	w.untilSettled(ctx, "2.0.0")
	Expect(w.internalRelease(ctx)).To(Equal("shop-2-0-0"))
	Expect(w.weights(ctx)).To(Equal("2.0.0:100"))
	Expect(w.deployments(ctx, "2.0.0")).To(HaveLen(3))

	By("every container has Strata's variables first")
	namespace := w.namespace
	ours := []corev1.EnvVar{
		{Name: "STRATA_RELEASE", Value: "shop-2-0-0"}, {Name: "STRATA_VERSION", Value: "2.0.0"},
		{Name: "STRATA_HOST_API", Value: "shop-2-0-0-api." + namespace + ".svc"},
		{Name: "STRATA_HOST_WEB", Value: "shop-2-0-0-web." + namespace + ".svc"},
	}
	for _, deployment := range w.deployments(ctx, "2.0.0") {
		expectVariables(deployment.Spec.Template.Spec.Containers[0].Env, ours)
		Expect(deployment.Spec.Template.Spec.EnableServiceLinks).To(HaveValue(BeFalse()))
	}
})

// expectVariables: Strata's come first, in any order, but for the component's own
// host, which it may lack; the author's last.
func expectVariables(env []corev1.EnvVar, ours []corev1.EnvVar) {
	GinkgoHelper()
	last := len(env) - 1
	Expect(env[last].Name).To(Equal("API"))
	for _, variable := range env[:last] {
		Expect(ours).To(ContainElement(variable))
	}
	Expect(env[:last]).To(ContainElements(ours[0], ours[1]))
	Expect(len(env[:last])).To(BeNumerically(">=", 3))
}

// internalRelease is the release that the stable Service selects.
func (w *world) internalRelease(ctx context.Context) string {
	GinkgoHelper()
	service := &corev1.Service{}
	Expect(w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "shop-api"}, service)).To(Succeed())
	Expect(service.Spec.Selector).To(HaveKeyWithValue(v1alpha1.LabelComponent, "api"))
	return service.Spec.Selector[v1alpha1.LabelRelease]
}

var _ = story("a test Job has the variables of its release, and so tests the candidate before it has traffic", func(ctx context.Context, w *world) {
	w.create(ctx, w.track(), w.release("1.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.untilRecord(ctx, "1.0.0", v1alpha1.EventTestStarted)
	w.untilSettled(ctx, "1.0.0")
	Expect(w.seal(ctx, "1.0.0")).To(ContainSubstring(`"STRATA_HOST_WEB"`))
})
