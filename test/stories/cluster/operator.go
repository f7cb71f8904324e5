package cluster

import (
	"context"
	"fmt"
	"net"
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
	"github.com/strata-release/strata/controllers/traffic/probe"
	"github.com/strata-release/strata/controllers/traffic/providers"
)

// Operator is one process of the operator that minds the namespaces of one story, so
// that stories do not disturb each other.
type Operator struct {
	cancel context.CancelFunc
	done   chan error
	link   *link
}

// StartOperator starts one without leader election.
func (c *Cluster) StartOperator(namespaces ...string) (*Operator, error) {
	return c.start(namespaces, Fault{}, time.Now)
}

// StartAhead starts one whose clock is ahead.
func (c *Cluster) StartAhead(namespace string, by time.Duration) (*Operator, error) {
	return c.start([]string{namespace}, Fault{}, func() time.Time { return time.Now().Add(by) })
}

// StartFaulty starts one to which something happens.
func (c *Cluster) StartFaulty(namespace string, fault Fault) (*Operator, error) {
	return c.start([]string{namespace}, fault, time.Now)
}

func (c *Cluster) start(namespaces []string, fault Fault, now func() time.Time) (*Operator, error) {
	ctx, cancel := context.WithCancel(context.Background())
	o := &Operator{cancel: cancel, done: make(chan error, 1), link: newLink(fault)}
	mgr, err := c.manager(ctx, namespaces, o.link, now)
	if err != nil {
		cancel()
		return nil, err
	}
	go func() { o.done <- mgr.Start(ctx) }()
	return o, nil
}

func (c *Cluster) manager(ctx context.Context, namespaces []string, l *link, now func() time.Time) (manager.Manager, error) {
	requests := rest.CopyConfig(c.operator)
	requests.QPS, requests.Burst = 200, 400
	requests.Wrap(l.wrap)
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
		Probes:      probe.New(probe.Options{Settle: time.Millisecond, Dial: (&net.Dialer{}).DialContext}),
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
