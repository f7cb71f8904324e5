package simulation

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers"
	"github.com/strata-release/strata/controllers/traffic"
	"github.com/strata-release/strata/controllers/traffic/gatewayapi"
	"github.com/strata-release/strata/controllers/traffic/ingress"
	"github.com/strata-release/strata/controllers/traffic/service"
	"github.com/strata-release/strata/controllers/traffic/traefik"
)

// process is one operator: the real loop, with caches and a work queue of its own.
// It runs as a coroutine of the world, and so can be left waiting, or killed, before
// any request that it makes.
type process struct {
	w       *World
	name    string
	views   [kinds]view
	watches [kinds][]watch
	loop    *controllers.TrackReconciler
	limiter workqueue.TypedRateLimiter[reconcile.Request]

	// queued: the track is in the work queue. wake is when it comes there by itself;
	// zero: never.
	queued bool
	wake   time.Time

	// resume runs the process until it pauses, or has nothing to do; stop kills it.
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	// busy: a reconcile has begun, and waits before a request.
	busy bool

	// asleep is for how many steps of the world the process does not go on, whatever
	// it was about to write.
	asleep int

	// appended are the records of the reconcile under way.
	appended []client.Object
	// seen is what the reconcile under way has read.
	seen seen
	// ahead is by how much the clock of the process differs from the API server's.
	ahead      time.Duration
	registries registries
	probes     probes
	// failed is the error of the last reconcile.
	failed error
}

// killed is what a process dies of in the middle of a request.
type killed struct{}

var request = reconcile.Request{NamespacedName: types.NamespacedName{Namespace: Namespace, Name: TrackName}}

// start starts a process. Its caches hold what there is.
func (w *World) start(name string) *process {
	p := &process{w: w, name: name, limiter: controllers.RateLimiter()}
	cached, live := connection{p: p}, connection{p: p, live: true}
	now := func() time.Time { return w.Now.Add(p.ahead) }
	routes, ingressRoutes, legRoutes := gatewayapi.New(cached, live, now), ingress.New(cached, live, now), traefik.New(cached, cached, live, now)
	p.watches = watchesOf(cached, routes.Handler(), ingressRoutes.Handler(), legRoutes.Handler())
	p.loop = controllers.New(cached, live, recorder{p}, controllers.Options{
		Traffic: traffic.Registry{
			v1alpha1.RouteGatewayAPI: routes, v1alpha1.RouteIngress: ingressRoutes, v1alpha1.RouteTraefik: legRoutes, v1alpha1.RouteService: service.New(cached, live),
		},
		SnapshotKey: []byte("a key of thirty-two bytes, as is"), Actor: Actor,
		Images: &p.registries, Probes: &p.probes, Now: now,
	})
	p.probes = probes{p: p, asked: map[string]time.Time{}}
	p.registries = registries{p: p, asked: map[types.UID]time.Time{}, passed: map[types.UID]bool{}}
	if w.skewed && !w.fair {
		p.ahead = w.drawAhead()
	}
	for k := range kinds {
		p.relist(k)
	}
	p.resume, p.stop = iter.Pull(p.run)
	return p
}

// run is the coroutine: one reconcile after the other, until it is killed.
func (p *process) run(yield func(struct{}) bool) {
	defer func() {
		if died := recover(); died != nil && died != (killed{}) {
			p.w.violate("Panic", "the operator panics: %v", died)
		}
	}()
	p.yield = yield
	ctx := log.IntoContext(context.Background(), logr.Discard())
	for {
		p.busy, p.appended = true, nil
		result, err := p.loop.Reconcile(ctx, request)
		p.busy = false
		p.done(result, err)
		if !yield(struct{}{}) {
			return
		}
	}
}

// done asks for the next reconcile, as a controller does.
func (p *process) done(result ctrl.Result, err error) {
	p.failed = err
	switch {
	case err != nil:
		p.wakeAfter(p.limiter.When(request))
	case result.RequeueAfter > 0:
		p.limiter.Forget(request)
		p.wakeAfter(result.RequeueAfter)
	default:
		p.limiter.Forget(request)
	}
	if err != nil && p.w.telling {
		p.w.tell("%s: error: %v", p.name, err)
	}
}

func (p *process) wakeAfter(d time.Duration) {
	if at := p.w.Now.Add(d); p.wake.IsZero() || at.Before(p.wake) {
		p.wake = at
	}
}

// due says whether there is something to do.
func (p *process) due() bool {
	if !p.wake.IsZero() && !p.w.Now.Before(p.wake) {
		p.queued, p.wake = true, time.Time{}
	}
	return p.busy || p.queued
}

// goOn lets the process run to its next pause, or to the end of its reconcile.
func (p *process) goOn() {
	if !p.busy {
		p.queued = false
	}
	if p.w.skewed && !p.w.fair && p.w.dice.chance(2) {
		p.ahead = p.w.drawAhead()
		p.w.tell("%s: its clock steps, to %s of the API server's", p.name, p.ahead)
	}
	p.resume()
}

// leave is a request on its way to the API server: the process pauses, and the
// request may fail before it arrives.
func (p *process) leave(verb string) error {
	if p.w.fair {
		return nil
	}
	if !p.yield(struct{}{}) {
		panic(killed{})
	}
	if !p.w.dice.chance(2) {
		return nil
	}
	p.w.tell("%s: %s fails", p.name, verb)
	return pick(p.w.dice, apierrors.NewTooManyRequestsError("slow down"), apierrors.NewTimeoutError("try again", 1))
}

// write is a request that changes something: the rules are held to it. Its answer
// may get lost after it was carried out.
func (p *process) write(verb string, object client.Object, do func() error) error {
	if verb != "status" && kindOf(object) != records {
		p.w.mayDoze(p)
	}
	if err := p.leave(verb); err != nil {
		return err
	}
	k, name := kindOf(object), object.GetName()
	before := p.w.shelves[k].get(name)
	p.w.noteTraffic()
	if err := do(); err != nil {
		p.w.tell("%s: %s %s %s: %s", p.name, verb, k, name, apierrors.ReasonForError(err))
		return err
	}
	p.w.noteTraffic()
	p.w.Writes++
	p.w.wrote = p.w.Now
	write := written{verb: verb, kind: k, before: before, after: p.w.shelves[k].get(name)}
	if p.w.telling {
		p.w.tell("%s: %s", p.name, write)
	}
	p.w.check(p, write)
	p.w.fight(write)
	if k == records && write.after != nil {
		p.appended = append(p.appended, write.after)
	}
	if !p.w.fair && p.w.dice.chance(2) {
		p.w.tell("%s: and the answer is lost", p.name)
		return errLost
	}
	return nil
}

// recorder hears the events.
type recorder struct{ p *process }

func (r recorder) Eventf(regarding runtime.Object, _ runtime.Object, _, reason, _, note string, args ...any) {
	if r.p.w.telling {
		r.p.w.tell("%s: event %s %s: %s", r.p.name, regarding.(client.Object).GetName(), reason, fmt.Sprintf(note, args...))
	}
}
