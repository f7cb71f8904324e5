package debug

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
)

func track(namespace, candidate, stage string, blocked *v1alpha1.BlockedBy) *v1alpha1.ReleaseTrack {
	return &v1alpha1.ReleaseTrack{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "shop"},
		Status: v1alpha1.ReleaseTrackStatus{
			StableReleaseName: "shop-1", CandidateReleaseName: candidate, WeightPercent: 20, BlockedBy: blocked,
			Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: stage}},
		},
	}
}

func get(t *testing.T, handler http.Handler, path string) string {
	t.Helper()
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, httptest.NewRequest(http.MethodGet, path, nil))
	if response.Code != http.StatusOK {
		t.Fatalf("%s answers %d: %s", path, response.Code, response.Body)
	}
	return response.Body.String()
}

func TestPageSaysWhatEachTrackWaitsFor(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	waiting := &v1alpha1.BlockedBy{Gate: "HoldOver", Reason: "Holding", Message: "20 % is held\nuntil noon"}
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(
		track("a", "shop-2", "Shifting", waiting), track("b", "", "Settled", nil), track("c", "", "Settled", nil),
	).Build()
	registry := prometheus.NewRegistry()
	depth := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "workqueue_depth"}, []string{"controller", "name"})
	registry.MustRegister(depth)
	depth.WithLabelValues("track", "track").Set(7)
	depth.WithLabelValues("another", "another").Set(99)

	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	looks := &Looks{now: func() time.Time { return now }}
	elected := make(chan struct{})
	pages := &Pages{
		Version: "v1", Cache: c, Elected: elected, Looks: looks, Metrics: registry,
		Kinds: func() []client.ObjectList { return []client.ObjectList{&v1alpha1.ReleaseTrackList{}} },
	}
	look := func(namespace string, after time.Duration, err error) {
		keep := looks.Keep(reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
			now = now.Add(5 * time.Millisecond)
			return reconcile.Result{RequeueAfter: after}, err
		}))
		_, _ = keep.Reconcile(t.Context(), reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: "shop"}})
	}
	look("a", time.Minute, nil)
	look("b", 0, errors.New("pods is forbidden"))
	look("gone", 0, nil)
	now = now.Add(10 * time.Second)

	handler := pages.Handlers()[prefix+"tracks"]
	page := get(t, handler, prefix+"tracks")
	for _, want := range []string{
		"strata v1\nleads: no", "       7 tracks wait to be looked at", "       3 ReleaseTrack\n",
		"a/shop  Shifting  shop-1  shop-2     20      10s ago    5ms   in 50s  HoldOver: 20 % is held until noon\n",
		"b/shop  Settled   shop-1  -          20      10s ago    5ms   -       error: pods is forbidden\n",
		"c/shop  Settled   shop-1  -          20      -          -     -       -\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if strings.Contains(page, "99") {
		t.Errorf("the page shows the queue of another controller:\n%s", page)
	}
	if _, kept := looks.of(types.NamespacedName{Namespace: "gone", Name: "shop"}); kept {
		t.Error("a track that is gone is remembered")
	}
	close(elected)
	if page := get(t, handler, prefix+"tracks?namespace=b"); !strings.Contains(page, "leads: yes") || strings.Contains(page, "a/shop") || !strings.Contains(page, "b/shop") {
		t.Errorf("of namespace b, led by this replica:\n%s", page)
	}
}

func TestProfilesAreServed(t *testing.T) {
	handlers := (&Pages{}).Handlers()
	if index := get(t, handlers[prefix+"pprof/"], prefix+"pprof/"); !strings.Contains(index, "goroutine") {
		t.Errorf("the index is %s", index)
	}
	if goroutines := get(t, handlers[prefix+"pprof/"], prefix+"pprof/goroutine?debug=1"); !strings.HasPrefix(goroutines, "goroutine profile:") {
		t.Errorf("the goroutines are %.80s", goroutines)
	}
	if command := get(t, handlers[prefix+"pprof/cmdline"], prefix+"pprof/cmdline"); command == "" {
		t.Error("there is no command line")
	}
}
