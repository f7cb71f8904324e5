package cluster

import (
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Pods is how the pods of a Deployment fare. The zero value: they become ready.
type Pods struct {
	// Waiting and Message are why the container does not start, as a kubelet says it
	// (ErrImagePull, CreateContainerConfigError); "" when it does.
	Waiting string
	Message string
	// Unready: the container runs, and its readiness probe fails.
	Unready bool
}

// Test is what comes of a test Job. The zero value: it succeeds.
type Test struct {
	// Hangs: it never ends.
	Hangs bool
	// Fails: its container exits with 1, and Says is its termination message.
	Fails bool
	Says  string
}

// Route is what a Gateway says of a route. The zero value: it accepts it, and
// resolves what it refers to if that is there.
type Route struct {
	// Silent: it says nothing, and what it said before stays.
	Silent bool
	// Refusal and Message are why it does not accept the route; "" when it does.
	Refusal string
	Message string
	// After is how long it takes for each generation.
	After time.Duration
}

// behaviour of the played controllers in one namespace.
type behaviour struct {
	pods  func(*appsv1.Deployment) Pods
	tests func(*batchv1.Job) Test
	route func(*gatewayv1.HTTPRoute) Route
}

// behaviours by namespace.
type behaviours struct {
	mu          sync.Mutex
	byNamespace map[string]behaviour
}

func (b *behaviours) of(namespace string) behaviour {
	b.mu.Lock()
	defer b.mu.Unlock()
	found, ok := b.byNamespace[namespace]
	if !ok {
		found = behaviour{
			pods:  func(*appsv1.Deployment) Pods { return Pods{} },
			tests: func(*batchv1.Job) Test { return Test{} },
			route: func(*gatewayv1.HTTPRoute) Route { return Route{} },
		}
	}
	return found
}

func (b *behaviours) change(namespace string, change func(*behaviour)) {
	changed := b.of(namespace)
	change(&changed)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byNamespace == nil {
		b.byNamespace = map[string]behaviour{}
	}
	b.byNamespace[namespace] = changed
}

// PlayPods says how pods fare in a namespace from now on, those that run
// included.
func (c *Cluster) PlayPods(namespace string, play func(*appsv1.Deployment) Pods) {
	c.behaviours.change(namespace, func(b *behaviour) { b.pods = play })
	c.wake(namespace)
}

// PlayTests says what comes of the test Jobs in a namespace that have not ended.
func (c *Cluster) PlayTests(namespace string, play func(*batchv1.Job) Test) {
	c.behaviours.change(namespace, func(b *behaviour) { b.tests = play })
	c.wake(namespace)
}

// PlayGateway says what the Gateway says of the routes in a namespace from now on.
func (c *Cluster) PlayGateway(namespace string, play func(*gatewayv1.HTTPRoute) Route) {
	c.behaviours.change(namespace, func(b *behaviour) { b.route = play })
	c.wake(namespace)
}
