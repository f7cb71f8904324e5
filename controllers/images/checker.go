package images

import (
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/policy"
	"github.com/strata-release/strata/controllers/registry"
)

// Outcome of a check.
type Outcome int

const (
	// Pending: there is no answer yet.
	Pending Outcome = iota
	// Passed: all is as it should be; the answer holds the evidence.
	Passed
	// Refused: an image is not what policies and nodes ask for.
	Refused
	// Unknown: a registry, or something else that tells, could not be asked.
	Unknown
)

// Answer is what is known of the images of a release.
type Answer struct {
	Outcome Outcome
	// Reason and Message of what is refused or unknown.
	Reason, Message string
	// Signatures are the evidence, by image as the release names it.
	Signatures map[string][]v1alpha1.ImageSignature
	// Platforms are, by reference, the digests of the manifests that nodes run.
	Platforms map[string][]string
	// Warnings are of signatures that are missing, and only wished for.
	Warnings []string
}

// Question is about the images of one release.
type Question struct {
	Track   types.NamespacedName
	Release types.UID
	Spec    *v1alpha1.ImmutableReleaseSpec
	Policy  policy.Effective
}

// key tells questions apart that may have different answers.
func (q *Question) key() string { return string(q.Release) + " " + q.Policy.Version() }

// How long answers count, and how long they are kept that nobody asks for.
const (
	passedFor  = 10 * time.Minute
	refusedFor = 30 * time.Second
	unknownFor = 10 * time.Second
	forgotten  = 15 * time.Minute
)

// Options of a checker.
type Options struct {
	// Registry is asked for images.
	Registry *registry.Client
	// Live reads pull secrets, nodes and trusted roots past any cache.
	Live client.Reader
	// Namespace of the operator, where the trusted roots are.
	Namespace string
	// Workers is how many releases are checked at once; 0 means 4.
	Workers int
	// Timeout of one check; 0 means 2 minutes.
	Timeout time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Checker answers questions. It is a manager's Runnable: it works while it runs.
type Checker struct {
	options Options
	queue   chan string
	told    chan event.GenericEvent

	mu    sync.Mutex
	known map[string]*entry
}

// entry is a question, and what is known of it.
type entry struct {
	question Question
	answer   Answer
	// until when the answer counts; zero: there is none.
	until time.Time
	// queued: a worker has it, or will.
	queued bool
	asked  time.Time
}

// maxQueue bounds the checks that wait; who does not find room asks again.
const maxQueue = 1024

// NewChecker makes a checker.
func NewChecker(options Options) *Checker {
	if options.Workers == 0 {
		options.Workers = 4
	}
	if options.Timeout == 0 {
		options.Timeout = 2 * time.Minute
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	return &Checker{
		options: options, queue: make(chan string, maxQueue), told: make(chan event.GenericEvent, maxQueue),
		known: map[string]*entry{},
	}
}

// Ask answers at once. An answer whose time is over still holds until there is another.
func (c *Checker) Ask(q Question) Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.options.Now()
	c.forget(now)
	e := c.known[q.key()]
	if e == nil {
		e = &entry{question: q}
		c.known[q.key()] = e
	}
	e.asked = now
	if !e.queued && !now.Before(e.until) {
		select {
		case c.queue <- q.key():
			e.queued = true
		default: // no room: who asked looks again
		}
	}
	return e.answer
}

func (c *Checker) forget(now time.Time) {
	for key, e := range c.known {
		if !e.queued && now.Sub(e.asked) > forgotten {
			delete(c.known, key)
		}
	}
}

// Start works until the context ends.
func (c *Checker) Start(ctx context.Context) error {
	var workers sync.WaitGroup
	for range c.options.Workers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case key := <-c.queue:
					c.work(ctx, key)
				}
			}
		})
	}
	workers.Go(func() { c.sweep(ctx, forgotten) })
	workers.Wait()
	return nil
}

// sweep forgets what nobody asks for any more, also while nobody asks for anything.
func (c *Checker) sweep(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.mu.Lock()
			c.forget(c.options.Now())
			c.mu.Unlock()
		}
	}
}

func (c *Checker) work(ctx context.Context, key string) {
	c.mu.Lock()
	question := c.known[key].question
	c.mu.Unlock()

	bounded, cancel := context.WithTimeout(ctx, c.options.Timeout)
	answer, keep := c.check(bounded, &question)
	cancel()

	c.mu.Lock()
	e := c.known[key]
	e.answer, e.until, e.queued = answer, c.options.Now().Add(keep), false
	c.mu.Unlock()

	track := &v1alpha1.ReleaseTrack{}
	track.Namespace, track.Name = question.Track.Namespace, question.Track.Name
	select {
	case c.told <- event.GenericEvent{Object: track}:
	default: // who asked looks again
	}
}

// Source asks for a track to be looked at when there is an answer for it.
func (c *Checker) Source() source.Source {
	return source.Channel(c.told, &handler.EnqueueRequestForObject{})
}
