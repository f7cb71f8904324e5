package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

// player is one controller that is played.
type player struct {
	name string
	kind client.Object
	// watches are further kinds, and which object of the kind each is about.
	watches   map[client.Object]handler.MapFunc
	reconcile func(context.Context, types.NamespacedName) (reconcile.Result, error)
}

// waker asks a controller to look again at all of a namespace.
type waker struct {
	list   func(ctx context.Context, namespace string) ([]client.Object, error)
	events chan event.GenericEvent
}

// stage holds what every played controller needs.
type stage struct {
	client.Client
	behaviours *behaviours
}

// players are the names of all that can be played.
var players = []string{"deployment", "kubelet", "endpoints", "job", "gateway", "ingress", "garbage"}

// play starts the controllers of some names. They end with stop, not with ctx.
func (c *Cluster) play(ctx context.Context, scheme *runtime.Scheme, plays []string) (stop func() error, err error) {
	mgr, err := manager.New(c.Config, manager.Options{
		Scheme:     scheme,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: ptr.To(true), MaxConcurrentReconciles: 4},
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager of what is played: %w", err)
	}
	s := &stage{Client: mgr.GetClient(), behaviours: &c.behaviours}
	for _, p := range []player{
		{name: "deployment", kind: &appsv1.Deployment{}, reconcile: s.deployment, watches: map[client.Object]handler.MapFunc{
			&corev1.Pod{}: ownerOf("Deployment"), &corev1.ServiceAccount{}: s.deploymentsOf,
		}},
		{name: "kubelet", kind: &corev1.Pod{}, reconcile: s.pod},
		{name: "endpoints", kind: &corev1.Service{}, reconcile: s.service, watches: map[client.Object]handler.MapFunc{&corev1.Pod{}: s.servicesOf}},
		{name: "job", kind: &batchv1.Job{}, reconcile: s.job, watches: map[client.Object]handler.MapFunc{&corev1.Pod{}: ownerOf("Job")}},
		{name: "gateway", kind: &gatewayv1.HTTPRoute{}, reconcile: s.route},
		{name: "ingress", kind: &networkingv1.Ingress{}, reconcile: s.ingress},
		{name: "garbage", kind: &v1alpha1.ImmutableRelease{}, reconcile: s.garbage},
	} {
		if !slices.Contains(plays, p.name) {
			continue
		}
		w, err := p.add(mgr)
		if err != nil {
			return nil, fmt.Errorf("add %s: %w", p.name, err)
		}
		c.wakers = append(c.wakers, w)
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() { done <- mgr.Start(running) }()
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		cancel()
		return nil, fmt.Errorf("wait for the caches of what is played: %w", <-done)
	}
	return func() error { cancel(); return <-done }, nil
}

func (p player) add(mgr manager.Manager) (waker, error) {
	events := make(chan event.GenericEvent, 1024)
	b := builder.ControllerManagedBy(mgr).Named("played-" + p.name).For(p.kind).
		WatchesRawSource(source.Channel(events, &handler.EnqueueRequestForObject{}))
	for kind, about := range p.watches {
		b = b.Watches(kind, handler.EnqueueRequestsFromMapFunc(about))
	}
	err := b.Complete(reconcile.Func(func(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
		return ignoreRaces(p.reconcile(ctx, request.NamespacedName))
	}))
	list := func(ctx context.Context, namespace string) ([]client.Object, error) {
		return listNames(ctx, mgr.GetCache(), mgr.GetScheme(), p.kind, namespace)
	}
	return waker{list: list, events: events}, err
}

// wake lets every played controller look again at a namespace.
func (c *Cluster) wake(namespace string) {
	for _, w := range c.wakers {
		objects, err := w.list(context.Background(), namespace)
		if err != nil {
			panic(err) // The cache of a running manager answers.
		}
		for _, object := range objects {
			w.events <- event.GenericEvent{Object: object}
		}
	}
}

// listNames are the objects of a kind in a namespace.
func listNames(ctx context.Context, reader client.Reader, scheme *runtime.Scheme, kind client.Object, namespace string) ([]client.Object, error) {
	gvks, _, err := scheme.ObjectKinds(kind)
	if err != nil {
		return nil, fmt.Errorf("kind of %T: %w", kind, err)
	}
	empty, err := scheme.New(gvks[0].GroupVersion().WithKind(gvks[0].Kind + "List"))
	if err != nil {
		return nil, fmt.Errorf("list of %T: %w", kind, err)
	}
	list := empty.(client.ObjectList)
	if err := reader.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list %T: %w", kind, err)
	}
	var objects []client.Object
	err = each(list, func(object client.Object) error {
		objects = append(objects, object)
		return nil
	})
	return objects, err
}

func each(list client.ObjectList, do func(client.Object) error) error {
	return meta.EachListItem(list, func(object runtime.Object) error { return do(object.(client.Object)) })
}

// again is how soon a played controller looks again at what only time changes, or
// what it lost a race for.
const again = 20 * time.Millisecond

// ignoreRaces: somebody else was faster, or the cache is behind.
func ignoreRaces(result reconcile.Result, err error) (reconcile.Result, error) {
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err) {
		return reconcile.Result{RequeueAfter: again}, nil
	}
	return result, err
}

// ownerOf asks for the owner of a kind.
func ownerOf(kind string) handler.MapFunc {
	return func(_ context.Context, object client.Object) []reconcile.Request {
		owner := metav1.GetControllerOf(object)
		if owner == nil || owner.Kind != kind {
			return nil
		}
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: object.GetNamespace(), Name: owner.Name}}}
	}
}
