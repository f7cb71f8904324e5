//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/traffic/traefik"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

// byTraefik makes the public route of a track a TraefikService. Traefik here takes a change
// over at once.
func byTraefik(t *v1alpha1.ReleaseTrack) {
	public := &t.Spec.Traffic.Routes[0]
	public.Type, public.GatewayAPI = v1alpha1.RouteTraefik, nil
	public.Traefik = &v1alpha1.TraefikRoute{Name: "shop", StickyCookieName: "shop", SettleSeconds: ptr.To[int32](1)}
}

// meet asks once, with a cookie unless it is "": who answers, and the cookie that they set.
func (w *world) meet(ctx context.Context, cookie string) (version, set string) {
	GinkgoHelper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.GatewayURL+w.path, nil)
	Expect(err).NotTo(HaveOccurred())
	request.Host, request.Close = harness.Host(w.namespace), true
	if cookie != "" {
		request.AddCookie(&http.Cookie{Name: "shop", Value: cookie})
	}
	response, err := http.DefaultClient.Do(request)
	Expect(err).NotTo(HaveOccurred())
	defer response.Body.Close()
	Expect(response.StatusCode).To(Equal(http.StatusOK))
	var got answer
	Expect(json.NewDecoder(response.Body).Decode(&got)).To(Succeed())
	for _, c := range response.Cookies() {
		if c.Name == "shop" {
			set = c.Value
		}
	}
	return got.Version, set
}

// stays: whoever has the cookie meets the version, however often they come.
func (w *world) stays(ctx context.Context, cookie, version string) {
	GinkgoHelper()
	for range 40 {
		met, _ := w.meet(ctx, cookie)
		Expect(met).To(Equal(version), "with the cookie %s", cookie)
	}
}

// legs of the TraefikService, by version.
func (w *world) legs(ctx context.Context) string {
	GinkgoHelper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(traefik.Router.Kind)
	Expect(w.Client.Get(ctx, types.NamespacedName{Namespace: w.namespace, Name: "shop"}, object)).To(Succeed())
	spec, _, err := unstructured.NestedMap(object.Object, "spec")
	Expect(err).NotTo(HaveOccurred())
	all, ok := traefik.Router.Read(spec)
	Expect(ok).To(BeTrue(), "%v", spec)
	weights := map[string]int32{}
	for _, leg := range all {
		weights[leg.Service] = int32(leg.Weight)
	}
	return weightsText(weights)
}

var _ = story("requests shift by a TraefikService that an IngressRoute leads to, to a candidate and back, and none is lost",
	early, Label("traffic", "traefik"), func(ctx context.Context, w *world) {
		w.create(ctx, harness.IngressRoute(w.namespace))
		w.goLive(ctx, 60, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 12), harness.Step(50, 12)), byTraefik), w.NewRelease(w.namespace, "1.0.0"))
		before := w.pods(ctx, "1.0.0")
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		cookie := ""
		for _, percent := range []int32{20, 50} {
			w.untilWeight(ctx, "2.0.0", percent)
			for version, set := "", ""; cookie == ""; {
				if version, set = w.meet(ctx, ""); version == "2.0.0" {
					cookie = set
				}
			}
			w.stays(ctx, cookie, "2.0.0")
			Expect(w.legs(ctx)).To(Equal(fmt.Sprintf("1.0.0:%d 2.0.0:%d", 100-percent, percent)))
			w.expectShare(ctx, "2.0.0", float64(percent))
		}
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		Expect(w.legs(ctx)).To(Equal("2.0.0:100"), "no leg without weight")
		w.expectShare(ctx, "2.0.0", 100)
		Expect(w.weightsSet(ctx, "2.0.0")).To(Equal([]int32{20, 50, 100}))
		w.untilSettled(ctx, "2.0.0")

		w.allow(ctx, "ann", "rollback")
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))).To(Succeed())
		w.untilWeight(ctx, "1.0.0", 100)
		w.expectShare(ctx, "1.0.0", 100)
		w.stays(ctx, cookie, "1.0.0")
		Expect(w.legs(ctx)).To(Equal("1.0.0:100"))
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before), "the same pods serve again")
		w.untilGone(ctx, "2.0.0")
		w.expectShare(ctx, "1.0.0", 100)
		Expect(len(w.load.Results())).To(BeNumerically(">=", 5000))
	})

var _ = story("a candidate that dies at 20 % loses its leg of a TraefikService, and costs requests of a moment only",
	Label("traffic", "traefik"), func(ctx context.Context, w *world) {
		w.create(ctx, harness.IngressRoute(w.namespace))
		w.goLive(ctx, 60, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 600)), byTraefik, func(t *v1alpha1.ReleaseTrack) {
			t.Spec.Rollout.FailureSeconds = ptr.To[int32](15)
		}), w.NewRelease(w.namespace, "1.0.0"))
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", harness.Flags("--unready-after=25s")))
		weighted := w.untilWeight(ctx, "2.0.0", 20).Spec.Time.Time
		Expect(w.legs(ctx)).To(Equal("1.0.0:80 2.0.0:20"))

		Eventually(ctx, w.legs).WithArguments(ctx).WithTimeout(patience).Should(Equal("1.0.0:100"))
		out := time.Now()
		// Between the last endpoint that goes and the leg that goes there is nobody to ask.
		w.forgiven = func(r load.Result) bool {
			return r.Start.After(weighted) && r.Start.Before(out.Add(settleTime)) && r.Status == 503
		}
		Expect(harness.Weights(w.records(ctx)[len(w.records(ctx))-1])).To(HaveKeyWithValue(harness.ReleaseName("2.0.0"), int32(20)), "no record has taken its weight")
		Eventually(ctx, func(g Gomega) {
			track, err := w.Track(ctx, w.namespace)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionTrafficShifted)).
				To(And(HavePrefix("TrafficShifted=False RouteNotResolved"), ContainSubstring(harness.ReleaseName("2.0.0")+" has no ready endpoints")))
		}).WithTimeout(10 * time.Second).Should(Succeed())
		w.expectOnly("1.0.0", out.Add(settleTime))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventFailed)
		w.untilGone(ctx, "2.0.0")
		w.expectOnly("1.0.0", out.Add(settleTime))
		lost := w.load.Results().Failures()
		w.note("%d of %d requests met the candidate that was gone", len(lost), len(w.load.Results()))
		Expect(len(lost)).To(BeNumerically("<", w.rate), "of a second's, a fifth of which it had")
	})

var _ = story("gRPC calls shift by a TraefikService, to a candidate and back, and none is lost",
	early, Label("traffic", "traefik", "grpc"), func(ctx context.Context, w *world) {
		w.calls = true
		w.create(ctx, harness.IngressRoute(w.namespace), w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 12)), byTraefik), w.NewRelease(w.namespace, "1.0.0", harness.H2C))
		w.untilVerdict(ctx, "1.0.0", v1alpha1.EventPromoted)
		w.untilAnyAnswer(ctx, "1.0.0")
		w.startLoad(ctx, 60)

		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", harness.H2C))
		w.untilWeight(ctx, "2.0.0", 20)
		w.expectShare(ctx, "2.0.0", 20)
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.expectShare(ctx, "2.0.0", 100)

		w.allow(ctx, "ann", "rollback")
		Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))).To(Succeed())
		w.untilWeight(ctx, "1.0.0", 100)
		w.expectShare(ctx, "1.0.0", 100)
		Expect(len(w.load.Results())).To(BeNumerically(">=", 5000))
	})
