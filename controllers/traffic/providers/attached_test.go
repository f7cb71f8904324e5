package providers_test

import (
	"context"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
)

// ownRoutes are routes as users have them, by kind. shinyNewField is one of a newer
// version of the Gateway API than Strata knows.
var ownRoutes = map[string]string{
	"HTTPRoute": `
parentRefs: [{name: public, namespace: infra, sectionName: https}, {name: private, namespace: infra}, {name: own}]
hostnames: [own.example.com]
rules:
- name: redirects
  matches: [{path: {type: PathPrefix, value: /old}}]
  filters: [{type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}]
- matches: [{path: {type: PathPrefix, value: /}}]
  shinyNewField: {of: [the, rule]}
  filters:
  - {type: RequestMirror, requestMirror: {backendRef: {name: audit, port: 80}}}
  backendRefs:
  - name: main
    port: 80
    weight: 3
    shinyNewField: {of: [the, backend]}
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: b}]}}]
  - {name: legacy, port: 8080}
- matches: [{path: {type: Exact, value: /elsewhere}}]
  backendRefs: [{name: elsewhere, port: 80}]
`,
	"GRPCRoute": `
parentRefs: [{name: public, namespace: infra, sectionName: https}, {name: private, namespace: infra}, {name: own}]
hostnames: [own-grpc.example.com]
rules:
- matches: [{method: {service: shop.Cart}}]
  shinyNewField: {of: [the, rule]}
  backendRefs:
  - name: main
    port: 80
    weight: 3
    shinyNewField: {of: [the, backend]}
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-A, value: b}]}}]
  - {name: legacy, port: 8080}
- matches: [{method: {service: shop.Elsewhere}}]
  backendRefs: [{name: elsewhere, port: 80}]
`,
}

// knowNewField makes the API server keep shinyNewField, of rules and of their backends.
func (w *world) knowNewField(ctx context.Context, plural string) {
	GinkgoHelper()
	crd := &unstructured.Unstructured{}
	crd.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"})
	Expect(w.direct.Get(ctx, client.ObjectKey{Name: plural + ".gateway.networking.k8s.io"}, crd)).To(Succeed())
	versions, _, err := unstructured.NestedSlice(crd.Object, "spec", "versions")
	Expect(err).NotTo(HaveOccurred())
	anything := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	rules := []string{"schema", "openAPIV3Schema", "properties", "spec", "properties", "rules", "items", "properties"}
	for i := range versions {
		version := versions[i].(map[string]any)
		Expect(unstructured.SetNestedField(version, anything, append(rules, "shinyNewField")...)).To(Succeed())
		Expect(unstructured.SetNestedField(version, anything, append(rules, "backendRefs", "items", "properties", "shinyNewField")...)).To(Succeed())
	}
	Expect(unstructured.SetNestedSlice(crd.Object, versions, "spec", "versions")).To(Succeed())
	Expect(w.direct.Update(ctx, crd)).To(Succeed())
}

var _ = Describe("A route of a user's own", func() {
	for kind, plural := range map[string]string{"HTTPRoute": "httproutes", "GRPCRoute": "grpcroutes"} {
		It("leads to releases while a track attaches to it, stays the user's, and is given back: "+kind, func(ctx context.Context) {
			w := suite
			t := track(w.namespace(ctx), "shop")
			kind := schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1", Kind: kind}
			route := v1alpha1.Route{
				Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI,
				GatewayAPI: &v1alpha1.GatewayAPIRoute{Kind: kind.Kind, AttachTo: &v1alpha1.GatewayAPIAttachment{RouteName: "own", ServiceName: "main", ServicePort: 80}},
			}
			get := func() *unstructured.Unstructured {
				GinkgoHelper()
				object := &unstructured.Unstructured{}
				object.SetGroupVersionKind(kind)
				Expect(w.direct.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "own"}, object)).To(Succeed())
				return object
			}
			authored := func(object *unstructured.Unstructured) string {
				GinkgoHelper()
				text, err := json.Marshal([]any{object.Object["spec"], object.GetLabels(), object.GetAnnotations()})
				Expect(err).NotTo(HaveOccurred())
				return string(text)
			}
			rule := 0
			if kind.Kind == "HTTPRoute" {
				rule = 1
			}
			rules := func(object *unstructured.Unstructured) []any {
				GinkgoHelper()
				all, _, err := unstructured.NestedSlice(object.Object, "spec", "rules")
				Expect(err).NotTo(HaveOccurred())
				return all
			}
			led := func() (all []any) {
				GinkgoHelper()
				for _, ref := range rules(get())[rule].(map[string]any)["backendRefs"].([]any) {
					fields := ref.(map[string]any)
					all = append(all, fields["name"], fields["weight"])
				}
				return all
			}

			By("there is none yet, and none is made")
			missing := w.observe(ctx, t, route)
			Expect(missing[0].Route).To(And(HaveField("Reason", traffic.ReasonAttachedMissing), HaveField("Unwatched", true)))

			w.knowNewField(ctx, plural)
			spec := map[string]any{}
			Expect(yaml.Unmarshal([]byte(ownRoutes[kind.Kind]), &spec)).To(Succeed())
			var before string
			Eventually(func(g Gomega) {
				own := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
				own.SetGroupVersionKind(kind)
				own.SetNamespace(t.Namespace)
				own.SetName("own")
				own.SetAnnotations(map[string]string{"team": "shop"})
				g.Expect(client.IgnoreNotFound(w.direct.Delete(ctx, own.DeepCopy()))).To(Succeed())
				g.Expect(w.direct.Create(ctx, own)).To(Succeed())
				g.Expect(rules(own)[rule]).To(HaveKey("shinyNewField"), "the API server knows the field by now")
				before = authored(own)
			}).WithPolling(100 * time.Millisecond).Should(Succeed())

			By("it has releases")
			Expect(w.observe(ctx, t, route)[0].Route).To(And(HaveField("Presence", rollout.Missing), HaveField("Reason", traffic.ReasonMissing)))
			Expect(w.write(ctx, t, route, 1, shares("shop-1", 100))).To(Succeed())
			Expect(led()).To(Equal([]any{"shop-1-web", int64(300), "legacy", int64(100)}))
			Expect(w.write(ctx, t, route, 2, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
			Expect(led()).To(Equal([]any{"shop-1-web", int64(240), "shop-2-web", int64(60), "legacy", int64(100)}))
			for _, leg := range rules(get())[rule].(map[string]any)["backendRefs"].([]any)[:2] {
				Expect(leg).To(And(HaveKey("filters"), HaveKey("shinyNewField")))
			}
			Expect(get().GetOwnerReferences()).To(BeEmpty())
			seen := w.fresh(ctx, t, route)
			Expect(seen[0].Route).To(And(HaveField("Current", true), HaveField("Sequence", int64(2)), HaveField("Weights", shares("shop-1", 80, "shop-2", 20)),
				HaveField("Verified", false), HaveField("Unwatched", false)))

			By("every one of its parents has to confirm it")
			report := func(sections ...string) {
				GinkgoHelper()
				object := get()
				parents, _, err := unstructured.NestedSlice(object.Object, "spec", "parentRefs")
				Expect(err).NotTo(HaveOccurred())
				var reports []any
				for i, parent := range parents {
					status := "True"
					if i < len(sections) {
						status = sections[i]
					}
					condition := func(of string) any {
						return map[string]any{"type": of, "status": status, "reason": "Because", "message": "", "observedGeneration": object.GetGeneration(),
							"lastTransitionTime": metav1.Now().UTC().Format(time.RFC3339)}
					}
					reports = append(reports, map[string]any{"parentRef": parent, "controllerName": "example.com/gateway", "conditions": []any{condition("Accepted"), condition("ResolvedRefs")}})
				}
				object.Object["status"] = map[string]any{"parents": reports}
				Expect(w.direct.Status().Update(ctx, object)).To(Succeed())
			}
			report("True", "False")
			Expect(w.fresh(ctx, t, route)[0].Route).To(And(HaveField("Reason", traffic.ReasonNotAccepted), HaveField("Message", HavePrefix("Gateway infra/private"))))
			report()
			Expect(w.fresh(ctx, t, route)[0].Route).To(And(HaveField("Verified", true), HaveField("Reason", "")))

			By("its author changes what is theirs: nothing is written")
			asked := w.askedFor(t)
			edited := get()
			edited.SetAnnotations(map[string]string{"team": "cart", v1alpha1.AnnotationAttached: edited.GetAnnotations()[v1alpha1.AnnotationAttached], v1alpha1.AnnotationSequence: "2"})
			Expect(w.direct.Update(ctx, edited)).To(Succeed())
			Eventually(func() int { return w.askedFor(t) }).Should(BeNumerically(">", asked))
			Expect(w.write(ctx, t, route, 2, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
			Expect(get().GetResourceVersion()).To(Equal(edited.GetResourceVersion()))

			By("and applies it anew: the releases come back")
			applied := get()
			applied.Object["spec"] = spec
			Expect(w.direct.Update(ctx, applied)).To(Succeed())
			Expect(led()).To(ContainElement("main"))
			Expect(w.fresh(ctx, t, route)[0].Route).To(And(HaveField("Reason", traffic.ReasonChanged), HaveField("Current", false), HaveField("Weights", BeEmpty())))
			Expect(w.write(ctx, t, route, 2, shares("shop-1", 80, "shop-2", 20))).To(Succeed())
			Expect(led()).To(Equal([]any{"shop-1-web", int64(240), "shop-2-web", int64(60), "legacy", int64(100)}))

			By("the track names it no more")
			w.fresh(ctx, t, route)
			left := w.observe(ctx, t)
			Expect(left).To(HaveLen(1))
			Expect(left[0].Route).To(And(HaveField("Orphaned", true), HaveField("Attached", kind.Kind+" own"), HaveField("Weights", shares("shop-1", 80, "shop-2", 20))))
			asked = w.askedFor(t)
			_, err := w.registry.Detach(ctx, left[0])
			Expect(err).NotTo(HaveOccurred())
			after := get()
			after.SetAnnotations(map[string]string{"team": "shop"}) // As it was before its author edited it.
			Expect(authored(after)).To(Equal(before))
			Eventually(func() int { return w.askedFor(t) }).Should(BeNumerically(">", asked))
			Eventually(func() []traffic.Observed { return w.observe(ctx, t) }).Should(BeEmpty())
			_, err = w.registry.Detach(ctx, left[0])
			Expect(traffic.IsStale(err)).To(BeTrue(), "what was given back is not written again: %v", err)
		})
	}
})
