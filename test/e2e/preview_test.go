//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// untilPreviewed waits until who sends the header with a release is answered by a version.
func (w *world) untilPreviewed(ctx context.Context, release, version string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		got, err := w.ask(ctx, "/", "X-Preview: "+release)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(got.Version).To(Equal(version))
	}).WithTimeout(patience).Should(Succeed())
}

// expectPreviewed asks a few hundred times.
func (w *world) expectPreviewed(ctx context.Context, release, version string) {
	GinkgoHelper()
	for range 300 {
		got, err := w.ask(ctx, "/", "X-Preview: "+release)
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Version).To(Equal(version))
	}
}

var _ = story("a candidate is seen by those who send a header, and by nobody else before it has traffic",
	Label("traffic", "preview"), func(ctx context.Context, w *world) {
		track := w.NewTrack(w.namespace, func(t *v1alpha1.ReleaseTrack) {
			t.Spec.Traffic.Routes[0].Preview = &v1alpha1.RoutePreview{HeaderName: "X-Preview"}
		})
		w.goLive(ctx, 60, track, w.NewRelease(w.namespace, "1.0.0"))
		w.patch(ctx, track, `{"spec":{"rollout":{"steps":[
			{"weightPercent":20,"approval":"Required"},{"weightPercent":50,"approval":"Required"}]}}}`)
		w.allow(ctx, "ann", "approve", "abort")
		approve := func(version string, percent int32) {
			GinkgoHelper()
			action := harness.NewAction(w.namespace, "", "ann", v1alpha1.ActionApprove, harness.ReleaseName(version))
			action.GenerateName, action.Spec.Attempt, action.Spec.WeightPercent = "approve-", new(int32(1)), &percent
			Expect(w.as(ctx, "ann", action)).To(Succeed())
		}

		By("without any traffic")
		start := time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		second := harness.ReleaseName("2.0.0")
		w.untilPreviewed(ctx, second, "2.0.0")
		w.expectPreviewed(ctx, second, "2.0.0")
		w.expectPreviewed(ctx, "shop-9", "1.0.0")
		w.expectNoWeight(ctx, "2.0.0", "1.0.0", start)

		By("with a part of it")
		approve("2.0.0", 20)
		w.untilWeight(ctx, "2.0.0", 20)
		time.Sleep(settleTime)
		w.expectPreviewed(ctx, second, "2.0.0")
		w.expectShare(ctx, "2.0.0", 20)

		By("with all of it, and no header is looked at any more")
		approve("2.0.0", 50)
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
		w.expectNoPreview(ctx)
		w.expectPreviewed(ctx, second, "2.0.0")

		By("one whose attempt has ended is seen by nobody")
		w.create(ctx, w.NewRelease(w.namespace, "3.0.0"))
		third := harness.ReleaseName("3.0.0")
		w.untilPreviewed(ctx, third, "3.0.0")
		abort := harness.NewAction(w.namespace, "enough", "ann", v1alpha1.ActionAbort, third)
		abort.Spec.Attempt = new(int32(1))
		Expect(w.as(ctx, "ann", abort)).To(Succeed())
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventAborted)
		w.untilGone(ctx, "3.0.0")
		w.expectNoPreview(ctx)
		w.expectPreviewed(ctx, third, "2.0.0")
	})

// answerOf asks once, by another hostname than the story's: the status, and the version.
func (w *world) answerOf(ctx context.Context, hostname string) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.GatewayURL+"/", nil)
	Expect(err).NotTo(HaveOccurred())
	request.Host, request.Close = hostname, true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	return fmt.Sprint(response.StatusCode, " ", response.Header.Get("X-Version"))
}

var _ = story("a candidate has a hostname of its own, and testers reach it by a cookie, until its attempt ends",
	Label("traffic", "preview-hostname"), func(ctx context.Context, w *world) {
		next := "next-" + harness.Host(w.namespace)
		track := w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 600)), func(t *v1alpha1.ReleaseTrack) {
			t.Spec.Traffic.Routes[0].Preview = &v1alpha1.RoutePreview{Hostname: next, CookieName: "preview"}
		})
		w.goLive(ctx, 60, track, w.NewRelease(w.namespace, "1.0.0"))
		// The first release had a preview too, until it was promoted.
		Eventually(ctx, w.answerOf).WithArguments(ctx, next).WithTimeout(10 * time.Second).Should(HavePrefix("404"))
		w.allow(ctx, "ann", "abort")

		w.create(ctx, w.NewRelease(w.namespace, "2.0.0", w.Test("wait", v1alpha1.BeforeTraffic, 60, "pass", "--delay=15s")))
		Eventually(ctx, w.answerOf).WithArguments(ctx, next).WithTimeout(patience).Should(Equal("200 2.0.0"))
		expectShown := func() {
			GinkgoHelper()
			for range 100 {
				Expect(w.answerOf(ctx, next)).To(Equal("200 2.0.0"))
				got, err := w.ask(ctx, "/", "Cookie: other=1; preview="+harness.ReleaseName("2.0.0")+"; more=2")
				Expect(err).NotTo(HaveOccurred())
				Expect(got.Version).To(Equal("2.0.0"))
			}
		}
		expectShown()
		Expect(w.weightsSet(ctx, "2.0.0")).To(BeEmpty(), "it has no traffic yet")
		w.untilWeight(ctx, "2.0.0", 20)
		time.Sleep(settleTime)
		expectShown()
		w.expectShare(ctx, "2.0.0", 20)

		abort := harness.NewAction(w.namespace, "enough", "ann", v1alpha1.ActionAbort, harness.ReleaseName("2.0.0"))
		abort.Spec.Attempt = new(int32(1))
		Expect(w.as(ctx, "ann", abort)).To(Succeed())
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventAborted)
		Eventually(ctx, w.answerOf).WithArguments(ctx, next).WithTimeout(patience).Should(HavePrefix("404"))
		w.untilGone(ctx, "2.0.0")
		w.expectNoPreview(ctx)
		gone := w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: harness.TrackName + "-public-preview"}, &gatewayv1.HTTPRoute{})
		Expect(apierrors.IsNotFound(gone)).To(BeTrue(), "%v", gone)
		got, err := w.ask(ctx, "/", "Cookie: preview="+harness.ReleaseName("2.0.0"))
		Expect(err).NotTo(HaveOccurred())
		Expect(got.Version).To(Equal("1.0.0"))
	})

// expectNoPreview: the route object has the rule of the track, and no other.
func (w *world) expectNoPreview(ctx context.Context) {
	GinkgoHelper()
	object := &gatewayv1.HTTPRoute{}
	Expect(w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: harness.TrackName + "-public"}, object)).To(Succeed())
	Expect(object.Spec.Rules).To(HaveLen(1))
	Expect(object.Annotations).NotTo(HaveKey(v1alpha1.AnnotationPreview))
}
