// Package probe asks through gateways who answers, for routes that have a probe.
//
//	prober.go   questions and answers: asked from the loop, which never waits
//	ask.go      one probe: so many requests, and who answered them
//
// A question is answered at once, by what is known: nothing at first. Each route is asked by
// one worker at a time; whoever asked is told when there is an answer. An answer holds as
// long as the question stays the same; one that the weights do not explain is asked for anew.
// Answers are kept in memory alone: after a restart everything is asked again.
//
// What is asked is written by the users of a track, and asked from the operator's network.
// So it is no more than a GET of a URL without a query; loopback, link-local and metadata
// addresses are refused as a connection is made, whatever a name resolves to; no redirect is
// followed, no proxy used, and of an answer nothing is told but which release of the track
// it names.
package probe

import (
	"context"
	"net"
	"reflect"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/registry"
	"github.com/strata-release/strata/controllers/rollout"
)

// Question is who answers the requests of a route.
type Question struct {
	Track types.NamespacedName
	Route v1alpha1.Route
	// Weights that the router has confirmed, by the record of Sequence.
	Weights  []v1alpha1.ReleaseWeight
	Sequence int64
	// Object tells apart what the route objects were: an answer about others is none.
	Object string
	// Releases of the track, by name.
	Releases []string
}

// same says whether the answer to one question is that to the other.
func (q *Question) same(other *Question) bool {
	return q.Sequence == other.Sequence && q.Object == other.Object && reflect.DeepEqual(q.Route.Probe, other.Route.Probe)
}

type key struct {
	track types.NamespacedName
	route string
}

const (
	// settle is how long proxies are given that follow what has confirmed a weight.
	settle = 2 * time.Second
	// again is how long after an answer that the weights do not explain there may be another.
	again = 5 * time.Second
	// forgotten is after how long an answer goes that nobody asks for.
	forgotten = 15 * time.Minute
	// maxQueue bounds the probes that wait; who does not find room asks again.
	maxQueue = 1024
)

// Options of a prober. The zero value of a field means what it says.
type Options struct {
	// Dial connects to a host, given with its port; nil: to what registries may be asked at.
	Dial func(ctx context.Context, network, host string) (net.Conn, error)
	// Workers is how many routes are asked at once; 0 means 4.
	Workers int
	// Settle is waited before the first request of a probe; 0 means 2 seconds.
	Settle time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Prober answers questions. It is a manager's Runnable: it works while it runs.
type Prober struct {
	options Options
	queue   chan key
	told    chan event.GenericEvent

	mu    sync.Mutex
	known map[key]*entry
}

// entry is a question, and what is known of it.
type entry struct {
	question Question
	// shown is nil while nothing is known; until is when it is asked anew, zero: never.
	shown *rollout.Probe
	until time.Time
	// queued: a worker has it, or will. stop ends the probe under way.
	queued bool
	stop   context.CancelFunc
	asked  time.Time
}

// New makes a prober.
func New(options Options) *Prober {
	if options.Dial == nil {
		options.Dial = registry.Access{}.Dial
	}
	if options.Workers == 0 {
		options.Workers = 4
	}
	if options.Settle == 0 {
		options.Settle = settle
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Prober{options: options, queue: make(chan key, maxQueue), told: make(chan event.GenericEvent, maxQueue), known: map[key]*entry{}}
}

// Ask answers at once: nil while nothing is known. What was shown, and the weights do not
// explain, still counts until there is another answer.
func (p *Prober) Ask(q Question) *rollout.Probe {
	p.mu.Lock()
	defer p.mu.Unlock()
	now, k := p.options.Now(), key{q.Track, q.Route.Name}
	for other, e := range p.known {
		if !e.queued && now.Sub(e.asked) > forgotten {
			delete(p.known, other)
		}
	}
	e := p.known[k]
	if e == nil {
		e = &entry{question: q}
		p.known[k] = e
	}
	if !e.question.same(&q) {
		if e.stop != nil {
			e.stop()
		}
		e.question, e.shown, e.until = q, nil, time.Time{}
	}
	e.asked = now
	due := e.shown == nil || !e.until.IsZero() && !now.Before(e.until)
	if due && !e.queued {
		select {
		case p.queue <- k:
			e.queued = true
		default: // no room: who asked looks again
		}
	}
	return e.shown
}

// Start works until the context ends.
func (p *Prober) Start(ctx context.Context) error {
	var workers sync.WaitGroup
	for range p.options.Workers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case k := <-p.queue:
					p.work(ctx, k)
				}
			}
		})
	}
	workers.Wait()
	return nil
}

func (p *Prober) work(ctx context.Context, k key) {
	bounded, stop := context.WithCancel(ctx)
	defer stop()
	p.mu.Lock()
	e := p.known[k]
	question := e.question
	e.stop = stop
	p.mu.Unlock()

	wait, done := context.WithTimeout(bounded, p.options.Settle)
	<-wait.Done()
	done()
	shown := ask(bounded, p.options.Dial, &question)

	p.mu.Lock()
	e.queued, e.stop = false, nil
	if bounded.Err() == nil && e.question.same(&question) {
		e.shown, e.until = shown, time.Time{}
		if reason, _ := shown.Doubt(question.Route, question.Weights); reason != "" {
			e.until = p.options.Now().Add(again)
		}
	}
	p.mu.Unlock()

	track := &v1alpha1.ReleaseTrack{}
	track.Namespace, track.Name = k.track.Namespace, k.track.Name
	select {
	case p.told <- event.GenericEvent{Object: track}:
	default: // who asked looks again
	}
}

// Source asks for a track to be looked at when there is an answer for it.
func (p *Prober) Source() source.Source {
	return source.Channel(p.told, &handler.EnqueueRequestForObject{})
}
