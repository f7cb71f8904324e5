package metrics

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/strata-release/strata/api/v1alpha1"
)

func TestSeriesOfATrackComeAndGo(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	if err := Register(registry); err != nil {
		t.Fatal(err)
	}
	RecordVerdict("shop", "web", v1alpha1.EventPromoted)
	RecordVerdict("shop", "web", v1alpha1.EventFailed)
	RecordVerdict("shop", "web", v1alpha1.EventWeightSet)
	ObserveStage("Testing", 3*time.Second)
	SetWeight("shop", "web", 20)
	SetBlocked("shop", "web", "HoldOver", "Holding")
	SetBlocked("shop", "web", "TestsPassed", "TestRunning")
	SetBlocked("shop", "api", "Approved", "WaitingForApproval")

	expect(t, registry, `
		# HELP strata_rollouts_total Attempts of releases that ended, by verdict.
		# TYPE strata_rollouts_total counter
		strata_rollouts_total{namespace="shop",track="web",verdict="Failed"} 1
		strata_rollouts_total{namespace="shop",track="web",verdict="Promoted"} 1
		# HELP strata_track_blocked 1 while the gate keeps the weight of the track's candidate from rising.
		# TYPE strata_track_blocked gauge
		strata_track_blocked{gate="Approved",namespace="shop",reason="WaitingForApproval",track="api"} 1
		strata_track_blocked{gate="TestsPassed",namespace="shop",reason="TestRunning",track="web"} 1
		# HELP strata_track_weight_percent Share of traffic of the release that the track moves to, as recorded; 100 when settled.
		# TYPE strata_track_weight_percent gauge
		strata_track_weight_percent{namespace="shop",track="web"} 20
	`)

	ForgetTrack("shop", "web")
	SetBlocked("shop", "api", "", "")
	expect(t, registry, "")
}

func expect(t *testing.T, registry prometheus.Gatherer, want string) {
	t.Helper()
	names := []string{"strata_rollouts_total", "strata_track_weight_percent", "strata_track_blocked"}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct{ method, path, verb, resource string }{
		{"GET", "/api/v1/namespaces/shop/services/web", "", ""},
		{"POST", "/api/v1/namespaces/shop/services", "create", "services"},
		{"PATCH", "/apis/apps/v1/namespaces/shop/deployments/web", "patch", "deployments"},
		{"PATCH", "/apis/strata.dev/v1alpha1/namespaces/shop/releasetracks/web/status", "patch", "releasetracks/status"},
		{"DELETE", "/apis/batch/v1/namespaces/shop/jobs/smoke", "delete", "jobs"},
		{"DELETE", "/apis/batch/v1/namespaces/shop/jobs", "deletecollection", "jobs"},
		{"PUT", "/apis/coordination.k8s.io/v1/namespaces/strata-system/leases/strata", "update", "leases"},
		{"PATCH", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/strata", "patch", "validatingwebhookconfigurations"},
		{"PATCH", "/api/v1/namespaces/shop", "patch", "namespaces"},
		{"PUT", "/api/v1/namespaces/shop/finalize", "update", "namespaces/finalize"},
		{"POST", "/apis/authentication.k8s.io/v1/tokenreviews", "", ""},
		{"POST", "/version", "", ""},
	} {
		verb, resource := classify(c.method, c.path)
		if verb != c.verb || resource != c.resource {
			t.Errorf("%s %s: got %q %q, want %q %q", c.method, c.path, verb, resource, c.verb, c.resource)
		}
	}
}

func TestWritesAreCountedOnTheWay(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	client := &http.Client{Transport: CountWrites(http.DefaultTransport)}
	before := testutil.ToFloat64(writes.WithLabelValues("create", "services"))
	for range 2 {
		response, err := client.Post(server.URL+"/api/v1/namespaces/shop/services", "application/json", nil)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if got := testutil.ToFloat64(writes.WithLabelValues("create", "services")) - before; got != 2 {
		t.Errorf("counted %v writes, want 2", got)
	}
}
