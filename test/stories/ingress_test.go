package stories

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// ingressRoute makes the public route of a track an Ingress that is given a second.
func ingressRoute(t *v1alpha1.ReleaseTrack) {
	public := &t.Spec.Traffic.Routes[0]
	public.Type, public.GatewayAPI = v1alpha1.RouteIngress, nil
	public.Ingress = &v1alpha1.IngressRoute{
		Dialect: v1alpha1.DialectNGINX, Name: "shop", ClassName: "nginx", SettleSeconds: ptr.To[int32](1),
		Rules: []v1alpha1.IngressRule{{Host: harness.Host(t.Namespace), Paths: []v1alpha1.IngressPath{{Path: "/", PathType: "Prefix"}, {Path: "/healthz", PathType: "Exact"}}}},
		TLS:   []v1alpha1.IngressTLS{{Hosts: []string{harness.Host(t.Namespace)}, SecretName: "shop-tls"}},
		Annotations: map[string]v1alpha1.AnnotationValue{
			"nginx.ingress.kubernetes.io/proxy-body-size": "8m", "nginx.ingress.kubernetes.io/affinity": "cookie", "cert-manager.io/cluster-issuer": "public",
		},
	}
}

// albRoute makes it one with an action, likewise.
func albRoute(t *v1alpha1.ReleaseTrack) {
	ingressRoute(t)
	route := t.Spec.Traffic.Routes[0].Ingress
	route.Dialect, route.ClassName, route.StickinessSeconds, route.DeregistrationDelaySeconds = v1alpha1.DialectALB, "alb", ptr.To[int32](600), ptr.To[int32](0)
	route.Annotations = map[string]v1alpha1.AnnotationValue{"alb.ingress.kubernetes.io/scheme": "internet-facing", "cert-manager.io/cluster-issuer": "public"}
}

// ingressClass makes the class that a route names.
func (w *world) ingressClass(ctx context.Context, name string) {
	GinkgoHelper()
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: networkingv1.IngressClassSpec{Controller: "example.com/" + name}}
	if err := w.Client.Create(ctx, class); !apierrors.IsAlreadyExists(err) {
		Expect(err).NotTo(HaveOccurred())
	}
}

// ingressHistory keeps what is written of the Ingresses of a namespace, but for stamps.
type ingressHistory struct {
	mu   sync.Mutex
	told []string
}

func (w *world) watchIngresses(ctx context.Context) *ingressHistory {
	GinkgoHelper()
	watcher, err := w.Client.Watch(context.WithoutCancel(ctx), &networkingv1.IngressList{}, client.InNamespace(w.namespace))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(watcher.Stop)
	h := &ingressHistory{}
	verbs := map[watch.EventType]string{watch.Added: "create", watch.Modified: "update", watch.Deleted: "delete"}
	go func() {
		defer GinkgoRecover()
		seen := map[types.UID]string{}
		for event := range watcher.ResultChan() {
			live, ok := event.Object.(*networkingv1.Ingress)
			if !ok || event.Type == watch.Modified && seen[live.UID] == ingressText(live, w.namespace) {
				continue
			}
			seen[live.UID] = ingressText(live, w.namespace)
			line := verbs[event.Type] + " " + live.Name
			if action, ok := live.Annotations["alb.ingress.kubernetes.io/actions.public"]; ok {
				line += ": " + targetsOf(action)
			} else if event.Type != watch.Deleted {
				line += ": " + versionOf(live.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name)
				if weight, isCanary := live.Annotations["nginx.ingress.kubernetes.io/canary-weight"]; isCanary {
					line += " " + weight
				}
			}
			h.tell(line)
		}
	}()
	return h
}

// targetsOf an action, as versions with weights, and whether clients stay with one.
func targetsOf(text string) string {
	GinkgoHelper()
	var action struct {
		ForwardConfig struct {
			TargetGroups []struct {
				ServiceName string
				Weight      int32
			}
			TargetGroupStickinessConfig struct{ Enabled bool }
		}
	}
	Expect(json.Unmarshal([]byte(text), &action)).To(Succeed())
	var told []string
	for _, t := range action.ForwardConfig.TargetGroups {
		told = append(told, fmt.Sprintf("%s %d", versionOf(t.ServiceName), t.Weight))
	}
	if action.ForwardConfig.TargetGroupStickinessConfig.Enabled {
		told = append(told, "sticky")
	}
	return strings.Join(told, ", ")
}

func (h *ingressHistory) tell(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.told = append(h.told, line)
}

func (h *ingressHistory) lines() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.told)
}

// ingressText is what the controller of an Ingress goes by.
func ingressText(live *networkingv1.Ingress, namespace string) string {
	annotations := maps.Clone(live.Annotations)
	delete(annotations, v1alpha1.AnnotationSequence)
	text, err := yaml.Marshal(map[string]any{"annotations": annotations, "labels": live.Labels, "spec": live.Spec})
	Expect(err).NotTo(HaveOccurred())
	return "    " + strings.ReplaceAll(strings.TrimSpace(strings.ReplaceAll(string(text), namespace, "shop")), "\n", "\n    ") + "\n"
}

func (w *world) ingress(ctx context.Context, name string) (*networkingv1.Ingress, error) {
	live := &networkingv1.Ingress{}
	return live, w.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: name}, live)
}

// untilNoCanary waits until the canary is gone.
func (w *world) untilNoCanary(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func() bool { _, err := w.ingress(ctx, "shop-canary"); return apierrors.IsNotFound(err) }).Should(BeTrue())
}

var _ = story("an Ingress and its canary, through a rollout, a rollback, an abort and the deletion of the track", func(ctx context.Context, w *world) {
	w.ingressClass(ctx, "nginx")
	history := w.watchIngresses(ctx)
	begin := func(what string) { history.tell("# " + what) }

	begin("1.0.0, the first release")
	w.goLive(ctx, w.track(ingressRoute, harness.Steps(harness.Step(20, 1))), w.release("1.0.0"))

	begin("2.0.0, by a step of 20")
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")

	begin("a rollback to 1.0.0, which is warm; 2.0.0 is not kept")
	w.act(ctx, v1alpha1.ActionRollback, "1.0.0")
	w.untilRecord(ctx, "2.0.0", v1alpha1.EventRolledBack)
	w.untilNoCanary(ctx)

	begin("3.0.0, aborted at 20")
	track, err := w.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	w.patch(ctx, track, `{"spec":{"rollout":{"steps":[{"weightPercent":20,"holdSeconds":600}]}}}`)
	w.create(ctx, w.release("3.0.0"))
	w.untilWeight(ctx, "3.0.0", 20)
	w.act(ctx, v1alpha1.ActionAbort, "3.0.0", attempt(1))
	w.untilVerdict(ctx, "3.0.0", 1, v1alpha1.EventAborted)
	w.untilNoCanary(ctx)

	begin("the track is deleted: the Ingress serves on")
	Expect(w.Client.Delete(ctx, track)).To(Succeed())
	Consistently(ctx, func() error { _, err := w.ingress(ctx, "shop"); return err }).WithTimeout(1e9).Should(Succeed())

	Expect(history.lines()).To(Equal([]string{
		"# 1.0.0, the first release", "create shop: 1.0.0",
		"# 2.0.0, by a step of 20", "create shop-canary: 2.0.0 0", "update shop-canary: 2.0.0 20", "update shop: 2.0.0", "update shop-canary: 1.0.0 0",
		"# a rollback to 1.0.0, which is warm; 2.0.0 is not kept", "update shop: 1.0.0", "update shop-canary: 2.0.0 0", "delete shop-canary",
		"# 3.0.0, aborted at 20", "create shop-canary: 3.0.0 0", "update shop-canary: 3.0.0 20", "update shop-canary: 3.0.0 0", "delete shop-canary",
		"# the track is deleted: the Ingress serves on",
	}))
})

var _ = story("an Ingress that somebody edits in the middle of a rollout is put right, and the rollout goes on", func(ctx context.Context, w *world) {
	w.ingressClass(ctx, "nginx")
	w.goLive(ctx, w.track(ingressRoute, harness.Steps(harness.Step(20, 3))), w.release("1.0.0"))
	w.create(ctx, w.release("2.0.0"))
	w.untilWeight(ctx, "2.0.0", 20)
	for _, name := range []string{"shop", "shop-canary"} {
		live, err := w.ingress(ctx, name)
		Expect(err).NotTo(HaveOccurred())
		w.patch(ctx, live.DeepCopy(), `{"metadata":{"annotations":{"nginx.ingress.kubernetes.io/canary-weight":"90","nginx.ingress.kubernetes.io/canary":null}},"spec":{"rules":[{"host":"other.example.com"}]}}`)
		Eventually(ctx, func(g Gomega) {
			now, err := w.ingress(ctx, name)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(ingressText(now, w.namespace)).To(Equal(ingressText(live, w.namespace)))
		}).Should(Succeed())
	}
	w.untilSettled(ctx, "2.0.0")
})

var _ = story("an IngressClass that does not exist is said so, and waited for", func(ctx context.Context, w *world) {
	w.create(ctx, w.track(ingressRoute, func(t *v1alpha1.ReleaseTrack) { t.Spec.Traffic.Routes[0].Ingress.ClassName = "late" }), w.release("1.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionTrafficShifted, And(HavePrefix("TrafficShifted=False IngressClassMissing"), ContainSubstring("IngressClass late does not exist")))
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "late"}, Spec: networkingv1.IngressClassSpec{Controller: "k8s.io/ingress-nginx"}}
	w.create(ctx, class)
	DeferCleanup(func(ctx SpecContext) { Expect(w.Client.Delete(ctx, class)).To(Succeed()) })
	w.untilSettled(ctx, "1.0.0")
})

var _ = story("what the Ingress of somebody else claims is left to it: by name, and by host and path", func(ctx context.Context, w *world) {
	w.ingressClass(ctx, "nginx")
	theirs := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop"},
		Spec: networkingv1.IngressSpec{IngressClassName: ptr.To("nginx"), Rules: []networkingv1.IngressRule{{
			Host: harness.Host(w.namespace),
			IngressRuleValue: networkingv1.IngressRuleValue{HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
				Path: "/", PathType: ptr.To(networkingv1.PathTypeImplementationSpecific),
				Backend: networkingv1.IngressBackend{Service: &networkingv1.IngressServiceBackend{Name: "theirs", Port: networkingv1.ServiceBackendPort{Number: 80}}},
			}}}},
		}}},
	}
	w.create(ctx, theirs, w.track(ingressRoute), w.release("1.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, HavePrefix("RolloutBlocked=True RouteNameTaken"))
	Expect(w.Client.Delete(ctx, theirs)).To(Succeed())
	theirs.Name, theirs.ResourceVersion = "theirs", ""
	w.create(ctx, theirs)
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True RouteConflict"), ContainSubstring("Ingress "+w.namespace+"/theirs has the same class, host and path")))
	Expect(w.Client.Delete(ctx, theirs)).To(Succeed())
	w.untilSettled(ctx, "1.0.0")
})

var _ = story("an action with weighted target groups, through a rollout, a rollback, an abort and the deletion of the track", func(ctx context.Context, w *world) {
	w.ingressClass(ctx, "alb")
	history := w.watchIngresses(ctx)
	begin := func(what string) { history.tell("# " + what) }
	// listedAlone waits until nobody without weight is listed any more.
	listedAlone := func(version string) {
		GinkgoHelper()
		Eventually(ctx, func() string { lines := history.lines(); return lines[len(lines)-1] }).Should(Equal("update shop: " + version + " 100"))
	}

	begin("1.0.0, the first release")
	w.goLive(ctx, w.track(albRoute, harness.Steps(harness.Step(20, 1))), w.release("1.0.0"))

	begin("2.0.0, by a step of 20")
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
	pods := &corev1.PodList{}
	Expect(w.Client.List(ctx, pods, client.InNamespace(w.namespace))).To(Succeed())
	gated := map[string]int{}
	for i := range pods.Items {
		gated[versionOf(pods.Items[i].Name)] += len(pods.Items[i].Spec.ReadinessGates)
	}
	Expect(gated["2.0.0"]).To(BeNumerically(">", 0), "its pods came after the action listed it")

	begin("a rollback to 1.0.0, which is warm; 2.0.0 is not kept")
	w.act(ctx, v1alpha1.ActionRollback, "1.0.0")
	w.untilRecord(ctx, "2.0.0", v1alpha1.EventRolledBack)
	listedAlone("1.0.0")

	begin("3.0.0, aborted at 20")
	track, err := w.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	w.patch(ctx, track, `{"spec":{"rollout":{"steps":[{"weightPercent":20,"holdSeconds":600}]}}}`)
	w.create(ctx, w.release("3.0.0"))
	w.untilWeight(ctx, "3.0.0", 20)
	w.act(ctx, v1alpha1.ActionAbort, "3.0.0", attempt(1))
	w.untilVerdict(ctx, "3.0.0", 1, v1alpha1.EventAborted)
	listedAlone("1.0.0")

	begin("the track is deleted: the Ingress serves on")
	Expect(w.Client.Delete(ctx, track)).To(Succeed())
	Consistently(ctx, func() error { _, err := w.ingress(ctx, "shop"); return err }).WithTimeout(1e9).Should(Succeed())

	Expect(history.lines()).To(Equal([]string{
		"# 1.0.0, the first release", "create shop: 1.0.0 100",
		"# 2.0.0, by a step of 20", "update shop: 1.0.0 100, 2.0.0 0", "update shop: 1.0.0 80, 2.0.0 20, sticky", "update shop: 1.0.0 0, 2.0.0 100",
		"# a rollback to 1.0.0, which is warm; 2.0.0 is not kept", "update shop: 1.0.0 100, 2.0.0 0", "update shop: 1.0.0 100",
		"# 3.0.0, aborted at 20", "update shop: 1.0.0 100, 3.0.0 0", "update shop: 1.0.0 80, 3.0.0 20, sticky", "update shop: 1.0.0 100, 3.0.0 0", "update shop: 1.0.0 100",
		"# the track is deleted: the Ingress serves on",
	}))
})
