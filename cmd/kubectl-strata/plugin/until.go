package plugin

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// rewatch is how long after its end a watch is begun again, and how long changes are
// gathered before they are looked at: what was written together is seen together.
const (
	rewatch = time.Second
	gather  = 50 * time.Millisecond
)

// watched is a kind whose changes are looked at.
type watched struct {
	list    client.ObjectList
	options []client.ListOption
}

// until looks, and again whenever something of the kinds has changed or ticked, until
// look is done or fails, or ctx ends. The watches begin before the first look.
func (s *session) until(ctx context.Context, kinds []watched, ticks <-chan time.Time, look func() (done bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changed := make(chan struct{}, 1)
	for _, kind := range kinds {
		first, err := s.client.Watch(ctx, kind.list, kind.options...)
		if err != nil {
			return fmt.Errorf("watch %T: %w", kind.list, err)
		}
		go s.follow(ctx, kind, first, changed)
	}
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticks:
		case <-changed:
			pause(ctx, gather)
		}
	}
}

// follow tells of every change, and begins a watch again that has ended.
func (s *session) follow(ctx context.Context, kind watched, w watch.Interface, changed chan<- struct{}) {
	for ctx.Err() == nil {
		if w != nil {
			for range w.ResultChan() {
				notify(changed)
			}
			w.Stop()
		}
		pause(ctx, rewatch)
		next, err := s.client.Watch(ctx, kind.list, kind.options...)
		if w = next; err != nil {
			w = nil
		}
		notify(changed) // Something may have happened in between.
	}
}

func notify(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
