package providers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/providers"
)

var (
	suite *world
	names int
)

func TestProviders(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		// Where the repository builds etcd and kube-apiserver.
		assets, err := filepath.Abs("../../../bin/cluster")
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv("KUBEBUILDER_ASSETS", assets)
	}
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(20 * time.Second)
	SetDefaultEventuallyPollingInterval(20 * time.Millisecond)
	RunSpecs(t, "Traffic providers")
}

var _ = BeforeSuite(func() {
	suite = startWorld(append(gatewayCRDs("standard"), legCRDs))
})

// world is a real API server, and a manager whose cache holds only what carries
// the operator's labels, as in production. No other controller runs in it.
type world struct {
	config *rest.Config
	scheme *runtime.Scheme
	// direct reads and writes past the cache: what the rest of the world does.
	direct   client.Client
	manager  manager.Manager
	registry traffic.Registry

	mu    sync.Mutex
	asked map[types.NamespacedName]int
}

func startWorld(crds []string) *world {
	GinkgoHelper()
	w := &world{scheme: runtime.NewScheme(), asked: map[types.NamespacedName]int{}}
	Expect(clientgoscheme.AddToScheme(w.scheme)).To(Succeed())
	Expect(gatewayv1.Install(w.scheme)).To(Succeed())

	environment := &envtest.Environment{CRDDirectoryPaths: crds, ErrorIfCRDPathMissing: true}
	var err error
	DeferCleanup(func() { Expect(environment.Stop()).To(Succeed()) }) // Also of what started half.
	w.config, err = environment.Start()
	Expect(err).NotTo(HaveOccurred())
	w.direct, err = client.New(w.config, client.Options{Scheme: w.scheme})
	Expect(err).NotTo(HaveOccurred())

	ours, err := labels.NewRequirement(v1alpha1.LabelTrack, selection.Exists, nil)
	Expect(err).NotTo(HaveOccurred())
	w.manager, err = manager.New(w.config, manager.Options{
		Scheme:  w.scheme,
		Metrics: metricsserver.Options{BindAddress: "0"},
		Cache:   cache.Options{DefaultLabelSelector: labels.NewSelector().Add(*ours)},
	})
	Expect(err).NotTo(HaveOccurred())

	ctx, cancel := context.WithCancel(context.Background())
	w.registry, err = providers.New(ctx, w.manager)
	Expect(err).NotTo(HaveOccurred())
	names++
	tracks, err := controller.New(fmt.Sprintf("tracks-%d", names), w.manager, controller.Options{Reconciler: w})
	Expect(err).NotTo(HaveOccurred())
	for _, source := range w.registry.Sources(w.manager.GetCache()) {
		Expect(tracks.Watch(source)).To(Succeed())
	}
	stopped := make(chan error, 1)
	go func() { stopped <- w.manager.Start(ctx) }()
	DeferCleanup(func() {
		cancel()
		Expect(<-stopped).To(Succeed())
	})
	Expect(w.manager.GetCache().WaitForCacheSync(ctx)).To(BeTrue())
	return w
}

// Reconcile counts how often a track was asked for.
func (w *world) Reconcile(_ context.Context, request reconcile.Request) (reconcile.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked[request.NamespacedName]++
	return reconcile.Result{}, nil
}

func (w *world) askedFor(t traffic.Track) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[types.NamespacedName{Namespace: t.Namespace, Name: t.Name}]
}

// gatewayCRDs are the CRDs of the module that go.mod requires, of a channel.
func gatewayCRDs(channel string) []string {
	GinkgoHelper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	Expect(err).NotTo(HaveOccurred())
	dir := filepath.Join(strings.TrimSpace(string(out)), "config", "crd", channel)
	return []string{
		filepath.Join(dir, "gateway.networking.k8s.io_gateways.yaml"),
		filepath.Join(dir, "gateway.networking.k8s.io_httproutes.yaml"),
		filepath.Join(dir, "gateway.networking.k8s.io_grpcroutes.yaml"),
	}
}

// legCRDs are those of routers whose objects have legs, as they are published.
var legCRDs = filepath.Join("testdata", "crds")

// namespace makes a namespace of its own for a test.
func (w *world) namespace(ctx context.Context) string {
	GinkgoHelper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "shop-"}}
	Expect(w.direct.Create(ctx, namespace)).To(Succeed())
	return namespace.Name
}

// track makes a track whose releases all have port http of web: 80.
func track(namespace, name string) traffic.Track {
	return traffic.Track{Namespace: namespace, Name: name, Port: func(_, component, port string) (v1alpha1.ComponentPort, bool) {
		return v1alpha1.ComponentPort{Name: "http", Port: 80}, component == "web" && port == "http"
	}}
}

func shares(pairs ...any) []v1alpha1.ReleaseWeight {
	var all []v1alpha1.ReleaseWeight
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, v1alpha1.ReleaseWeight{ReleaseName: pairs[i].(string), WeightPercent: int32(pairs[i+1].(int))})
	}
	return all
}

// observe reads the routes of a track as the loop does.
func (w *world) observe(ctx context.Context, t traffic.Track, routes ...v1alpha1.Route) []traffic.Observed {
	GinkgoHelper()
	seen, err := w.registry.Observe(ctx, t, routes)
	Expect(err).NotTo(HaveOccurred())
	return seen
}

// write observes a route until the cache shows what the API server has, then
// applies weights to it under what was observed.
func (w *world) write(ctx context.Context, t traffic.Track, route v1alpha1.Route, sequence int64, weights []v1alpha1.ReleaseWeight) error {
	GinkgoHelper()
	routes := []v1alpha1.Route{route}
	_, err := w.registry.Apply(ctx, t, routes, w.fresh(ctx, t, route), rollout.WriteRoute{Route: route.Name, Weights: weights, Sequence: sequence})
	return err
}

// fresh is an observation no older than the API server's object.
func (w *world) fresh(ctx context.Context, t traffic.Track, route v1alpha1.Route) []traffic.Observed {
	GinkgoHelper()
	var seen []traffic.Observed
	Eventually(func(g Gomega) {
		seen = w.observe(ctx, t, route)
		if seen[0].Object == nil {
			return
		}
		now := seen[0].Object.DeepCopyObject().(client.Object)
		g.Expect(w.direct.Get(ctx, client.ObjectKeyFromObject(now), now)).To(Succeed())
		g.Expect(seen[0].Object.GetResourceVersion()).To(Equal(now.GetResourceVersion()))
	}).Should(Succeed())
	return seen
}
