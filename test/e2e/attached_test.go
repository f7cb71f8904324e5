//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// ownRoute is a route as users have it: what goes to the shop, with a header on the
// answer; what has moved; and what goes to the shop in part.
func (w *world) ownRoute() *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	Expect(yaml.Unmarshal(fmt.Appendf(nil, `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: front, namespace: %s, labels: {team: shop}}
spec:
  parentRefs: [{namespace: %s, name: %s}]
  hostnames: [%s]
  rules:
  - matches: [{path: {type: PathPrefix, value: /}}]
    filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: X-Front, value: shop}]}}]
    backendRefs: [{name: shop-web, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /new}, statusCode: 301}}]
  - matches: [{path: {type: PathPrefix, value: /}, headers: [{name: X-Beta, value: "1"}]}]
    backendRefs: [{name: shop-web, port: 80, weight: 1}, {name: shop-stable, port: 80, weight: 1}]
`, w.namespace, w.Gateway.Namespace, w.Gateway.Name, harness.Host(w.namespace)), &object.Object)).To(Succeed())
	return object
}

// stored is the users' route as it is stored.
func (w *world) stored(ctx context.Context) *unstructured.Unstructured {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(schema.GroupVersionKind{Group: "gateway.networking.k8s.io", Version: "v1", Kind: "HTTPRoute"})
	Expect(w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: "front"}, object)).To(Succeed())
	return object
}

// authored is all of it that its author writes.
func authored(object *unstructured.Unstructured) string {
	GinkgoHelper()
	text, err := json.Marshal(map[string]any{"spec": object.Object["spec"], "labels": object.GetLabels(), "annotations": object.GetAnnotations()})
	Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// ledBy are the backends of a rule and their weights.
func ledBy(object *unstructured.Unstructured, rule int) string {
	GinkgoHelper()
	rules, _, err := unstructured.NestedSlice(object.Object, "spec", "rules")
	Expect(err).NotTo(HaveOccurred())
	var all []string
	refs, _ := rules[rule].(map[string]any)["backendRefs"].([]any)
	for _, ref := range refs {
		fields := ref.(map[string]any)
		all = append(all, fmt.Sprintf("%s:%d", strings.TrimSuffix(fields["name"].(string), "-web"), fields["weight"]))
	}
	return strings.Join(all, " ")
}

// answered asks once, without following anybody elsewhere.
func (w *world) answered(ctx context.Context, path string) *http.Response {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.GatewayURL+path, nil)
	Expect(err).NotTo(HaveOccurred())
	request.Host, request.Close = harness.Host(w.namespace), true
	response, err := http.DefaultTransport.RoundTrip(request)
	Expect(err).NotTo(HaveOccurred())
	Expect(response.Body.Close()).To(Succeed())
	return response
}

// expectFiltered: what else the route does, it does still.
func (w *world) expectFiltered(ctx context.Context) {
	GinkgoHelper()
	Expect(w.answered(ctx, "/").Header.Get("X-Front")).To(Equal("shop"))
	moved := w.answered(ctx, "/old/cart")
	Expect(moved.StatusCode).To(Equal(http.StatusMovedPermanently))
	Expect(moved.Header.Get("Location")).To(HaveSuffix("/new"))
}

var _ = story("requests shift by a route of the users' own, to a candidate and back, and the route is given back to the byte",
	early, Label("traffic", "attached"), func(ctx context.Context, w *world) {
		stable := func(name, service string) v1alpha1.Route {
			return v1alpha1.Route{Name: name, ComponentName: "web", PortName: "http", Type: v1alpha1.RouteService, Service: &v1alpha1.ServiceRoute{Name: service}}
		}
		services := []v1alpha1.Route{stable("stable", "shop-web"), stable("other", "shop-stable")}
		track := w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 14), harness.Step(50, 14)), func(t *v1alpha1.ReleaseTrack) {
			public := v1alpha1.Route{
				Name: "public", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteGatewayAPI,
				GatewayAPI: &v1alpha1.GatewayAPIRoute{Kind: "HTTPRoute", AttachTo: &v1alpha1.GatewayAPIAttachment{RouteName: "front", ServiceName: "shop-web", ServicePort: 80}},
			}
			t.Spec.Traffic.Routes = append([]v1alpha1.Route{public}, services...)
		})
		w.create(ctx, w.ownRoute())
		before := authored(w.stored(ctx))
		w.goLive(ctx, 60, track, w.NewRelease(w.namespace, "1.0.0"))
		first, second := harness.ReleaseName("1.0.0"), harness.ReleaseName("2.0.0")
		w.untilSettled(ctx, "1.0.0")
		Expect(ledBy(w.stored(ctx), 0)).To(Equal(first + ":100"))

		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		for _, percent := range []int32{20, 50} {
			w.untilWeight(ctx, "2.0.0", percent)
			w.expectShare(ctx, "2.0.0", float64(percent))
			w.expectFiltered(ctx)
			route := w.stored(ctx)
			Expect(ledBy(route, 0)).To(Equal(fmt.Sprintf("%s:%d %s:%d", first, 100-percent, second, percent)))
			Expect(ledBy(route, 1)).To(BeEmpty())
			Expect(ledBy(route, 2)).To(Equal(fmt.Sprintf("%s:%d %s:%d shop-stable:100", first, 100-percent, second, percent)))
		}

		By("its author applies it anew while the candidate has half")
		again := w.ownRoute()
		Expect(w.Client.Patch(ctx, again, client.Merge, client.FieldOwner("author"))).To(Succeed())
		Expect(ledBy(again, 0)).To(Equal("shop:1"), "what was applied")
		applied := time.Now()
		Eventually(ctx, func() string { return ledBy(w.stored(ctx), 0) }).WithPolling(5 * time.Millisecond).WithTimeout(10 * time.Second).Should(HaveSuffix(second + ":50"))
		w.note("the releases were back in the route %s after it was applied anew", time.Since(applied).Round(time.Millisecond))

		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.expectShare(ctx, "2.0.0", 100)
		Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{20, 50, 100}))
		w.untilSettled(ctx, "2.0.0")

		By("and back")
		w.allow(ctx, "ann", "rollback")
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, first))).To(Succeed())
		w.untilWeight(ctx, "1.0.0", 100)
		w.expectShare(ctx, "1.0.0", 100)
		w.expectFiltered(ctx)

		By("the track names it no more")
		text, err := json.Marshal(map[string]any{"spec": map[string]any{"traffic": map[string]any{"routes": services}}})
		Expect(err).NotTo(HaveOccurred())
		w.patch(ctx, track, string(text))
		Eventually(ctx, func() string { return authored(w.stored(ctx)) }).WithTimeout(10 * time.Second).Should(Equal(before))
		time.Sleep(settleTime)
		w.expectShare(ctx, "1.0.0", 100)
		w.expectFiltered(ctx)
		Expect(len(w.load.Results())).To(BeNumerically(">=", 5000))
	})
