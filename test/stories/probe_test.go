package stories

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// wire answers as a gateway does, by the weights of the route, unless somebody has stolen
// the requests.
func (w *world) wire(ctx context.Context, stolen *atomic.Bool) *httptest.Server {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		route := &gatewayv1.HTTPRoute{}
		if err := w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: harness.TrackName + "-public"}, route); err != nil {
			http.Error(response, err.Error(), http.StatusBadGateway)
			return
		}
		turn := asked.Add(1) % 100
		for _, backend := range route.Spec.Rules[0].BackendRefs {
			if turn -= int64(*backend.Weight); turn < 0 || stolen.Load() {
				response.Header().Set("X-Release", string(backend.Name)[:len(backend.Name)-len("-web")])
				return
			}
		}
	}))
	DeferCleanup(server.Close)
	return server
}

var _ = story("a probe that others answer keeps the next step back and says so, until the share is as asked for", func(ctx context.Context, w *world) {
	var stolen atomic.Bool
	server := w.wire(context.WithoutCancel(ctx), &stolen)
	track := w.track(harness.Steps(harness.Step(20, 0)))
	track.Spec.Traffic.Routes[0].Probe = &v1alpha1.RouteProbe{URL: server.URL, MarkerHeader: "X-Release", Requests: ptr.To[int32](100), TolerancePoints: ptr.To[int32](1)}
	w.goLive(ctx, track, w.release("1.0.0"))
	stolen.Store(true)
	w.create(ctx, w.release("2.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, And(HavePrefix("RolloutBlocked=True ShareNotObserved"),
		ContainSubstring("route public: shop-2-0-0 answered 0 of 100 requests, and 20 are asked for: see what else leads to "+server.URL)))
	Expect(w.weights(ctx)).To(Equal("1.0.0:80 2.0.0:20"))
	stolen.Store(false)
	w.untilSettled(ctx, "2.0.0")
})
