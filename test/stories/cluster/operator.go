package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/strata-release/strata/controllers"
	"github.com/strata-release/strata/controllers/images"
	"github.com/strata-release/strata/controllers/operator"
	"github.com/strata-release/strata/controllers/registry"
	"github.com/strata-release/strata/controllers/traffic/providers"
)

// Operator is one process of the operator that minds the namespaces of one story, so
// that stories do not disturb each other.
type Operator struct {
	cancel context.CancelFunc
	done   chan error
	writes writes
}

// StartOperator starts one without leader election.
func (c *Cluster) StartOperator(namespaces ...string) (*Operator, error) {
	return c.start(namespaces, 0, time.Now)
}

// StartAhead starts one whose clock is ahead.
func (c *Cluster) StartAhead(namespace string, by time.Duration) (*Operator, error) {
	return c.start([]string{namespace}, 0, func() time.Time { return time.Now().Add(by) })
}

// StartCrashing starts an operator that is cut off from the API server at its
// k-th write, which is carried out, but never answered. It never is where k is 0.
func (c *Cluster) StartCrashing(namespace string, k int64) (*Operator, error) {
	return c.start([]string{namespace}, k, time.Now)
}

func (c *Cluster) start(namespaces []string, k int64, now func() time.Time) (*Operator, error) {
	ctx, cancel := context.WithCancel(context.Background())
	o := &Operator{cancel: cancel, done: make(chan error, 1), writes: writes{limit: k}}
	mgr, err := c.manager(ctx, namespaces, &o.writes, now)
	if err != nil {
		cancel()
		return nil, err
	}
	go func() { o.done <- mgr.Start(ctx) }()
	return o, nil
}

func (c *Cluster) manager(ctx context.Context, namespaces []string, w *writes, now func() time.Time) (manager.Manager, error) {
	requests := rest.CopyConfig(c.operator)
	requests.QPS, requests.Burst = 200, 400
	requests.Wrap(w.wrap)
	scheme, err := operator.Scheme()
	if err != nil {
		return nil, fmt.Errorf("make the operator's scheme: %w", err)
	}
	caches := operator.CacheOptions()
	caches.DefaultNamespaces = map[string]cache.Config{}
	for _, namespace := range namespaces {
		caches.DefaultNamespaces[namespace] = cache.Config{}
	}
	mgr, err := manager.New(requests, manager.Options{
		Scheme:     scheme,
		Cache:      caches,
		Client:     operator.ClientOptions(),
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
	})
	if err != nil {
		return nil, fmt.Errorf("make the operator's manager: %w", err)
	}
	routes, err := providers.New(ctx, mgr)
	if err != nil {
		return nil, fmt.Errorf("set up traffic: %w", err)
	}
	return mgr, controllers.Setup(mgr, controllers.Options{
		Traffic:     routes,
		SnapshotKey: []byte("a key of thirty-two bytes, as is"),
		Actor:       OperatorUser,
		Now:         now,
		Images:      images.NewChecker(images.Options{Registry: registry.NewClient(registry.Options{}), Live: mgr.GetAPIReader(), Namespace: namespaces[0]}),
	})
}

// Stop ends the operator and waits for it.
func (o *Operator) Stop() error {
	o.cancel()
	err := <-o.done
	o.done <- nil
	return err
}

// Writes is how many writes it has sent, refused ones included, Events not.
func (o *Operator) Writes() int64 { return o.writes.sent.Load() }

// Crashed says whether it has been cut off.
func (o *Operator) Crashed() bool { return o.writes.cut.Load() }

// writes counts the writes of a process, and cuts it off at a limit.
type writes struct {
	limit int64
	sent  atomic.Int64
	cut   atomic.Bool
}

var errCutOff = errors.New("this operator is cut off")

func (w *writes) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if w.cut.Load() {
			return nil, errCutOff
		}
		if request.Method == http.MethodGet || strings.Contains(request.URL.Path, "/events") {
			return next.RoundTrip(request)
		}
		last := w.sent.Add(1) == w.limit
		if last {
			w.cut.Store(true)
		}
		response, err := next.RoundTrip(request)
		if !last {
			return response, err
		}
		if err == nil {
			err = response.Body.Close()
		}
		return nil, errors.Join(errCutOff, err)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
