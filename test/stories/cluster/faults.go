package cluster

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// FaultKind is what happens to an operator.
type FaultKind string

// What may happen to an operator at its k-th write.
const (
	// Killed: the write never reaches the API server, nor does anything after it.
	Killed FaultKind = "Killed"
	// Unanswered: the write is carried out, and the operator is cut off without
	// hearing of it. One that the API server refuses is not carried out, and the next
	// one takes its place.
	Unanswered FaultKind = "Unanswered"
	// Asleep: the write does not leave before Wake, and until a second later no watch
	// tells anything: a leader that sleeps, and still believes that it leads.
	Asleep FaultKind = "Asleep"
	// Frozen: the write is carried out, and for freezeTime watches tell nothing.
	Frozen FaultKind = "Frozen"
	// Doubled: nothing happens to this operator; another one begins beside it.
	Doubled FaultKind = "Doubled"
)

// How long watches of an operator tell nothing.
const (
	freezeTime = 3 * time.Second
	wakingTime = time.Second
)

// Fault that happens to an operator at one of its writes.
type Fault struct {
	Kind FaultKind
	// Write from 1; 0 is no fault. Events and dry runs are no writes, and refused writes are some.
	Write int64
	// Resource is the plural of the one kind whose watch is Frozen, all where it is empty.
	Resource string
}

// link is the way of an operator to the API server: a proxy that counts its writes, and
// at one of them does what the fault says.
type link struct {
	fault Fault
	// sent are the writes so far, and strikes is the one at which the fault happens.
	sent, strikes atomic.Int64
	// cut: nothing passes any more.
	cut atomic.Bool
	// struck is closed when the fault has happened, awake when an operator that sleeps may
	// go on, and thawed when its watches may.
	struck, awake, thawed chan struct{}
	wake                  sync.Once
}

func newLink(fault Fault) *link {
	l := &link{fault: fault, struck: make(chan struct{}), awake: make(chan struct{}), thawed: make(chan struct{})}
	l.strikes.Store(fault.Write)
	return l
}

// wrap puts the link before the transport of one of the operator's clients.
func (l *link) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if l.cut.Load() {
			return nil, errCutOff
		}
		if request.Method == http.MethodGet {
			return l.read(next, request)
		}
		if strings.Contains(request.URL.Path, "/events") || request.URL.Query().Has("dryRun") {
			return next.RoundTrip(request)
		}
		switch k := l.sent.Add(1); {
		case k == l.strikes.Load():
			return l.strike(next, request)
		case l.cut.Load():
			return nil, errCutOff // Two writes at once: this one came after the last.
		}
		return next.RoundTrip(request)
	})
}

var errCutOff = errors.New("this operator is cut off")

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

func (l *link) strike(next http.RoundTripper, request *http.Request) (*http.Response, error) {
	switch l.fault.Kind {
	case Killed:
		l.cut.Store(true)
		close(l.struck)
		return nil, errCutOff
	case Unanswered:
		return l.carryOut(next, request)
	case Asleep:
		close(l.struck)
		select {
		case <-l.awake:
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	case Frozen:
		close(l.struck)
		time.AfterFunc(freezeTime, func() { close(l.thawed) })
	case Doubled:
		close(l.struck)
	}
	return next.RoundTrip(request)
}

// carryOut has a write carried out of which nobody hears. One that is refused has changed
// nothing: it is answered, and the next write is struck.
func (l *link) carryOut(next http.RoundTripper, request *http.Request) (*http.Response, error) {
	response, err := next.RoundTrip(request.WithContext(context.WithoutCancel(request.Context())))
	if err == nil && response.StatusCode >= http.StatusBadRequest {
		l.strikes.Store(l.sent.Load() + 1)
		return response, nil
	}
	l.cut.Store(true)
	close(l.struck)
	if err == nil {
		err = response.Body.Close()
	}
	return nil, errors.Join(errCutOff, err)
}

// read lets reads pass, but holds back what a watch tells while it is frozen.
func (l *link) read(next http.RoundTripper, request *http.Request) (*http.Response, error) {
	response, err := next.RoundTrip(request)
	freezes := l.fault.Kind == Asleep || l.fault.Kind == Frozen
	if err != nil || !freezes || request.URL.Query().Get("watch") != "true" ||
		l.fault.Resource != "" && !strings.HasSuffix(request.URL.Path, "/"+l.fault.Resource) {
		return response, err
	}
	response.Body = &watched{ReadCloser: response.Body, link: l, closed: make(chan struct{})}
	return response, nil
}

// watched is the body of a watch.
type watched struct {
	io.ReadCloser
	link   *link
	once   sync.Once
	closed chan struct{}
}

// Read gives what was read when the watch is not frozen any more.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	select {
	case <-w.link.struck:
		select {
		case <-w.link.thawed:
		case <-w.closed:
		}
	default:
	}
	return n, err
}

// Close implements io.Closer.
func (w *watched) Close() error {
	w.once.Do(func() { close(w.closed) })
	return w.ReadCloser.Close()
}

// Struck is closed once the fault has happened.
func (o *Operator) Struck() <-chan struct{} { return o.link.struck }

// Wake lets an operator go on that is Asleep: its write, and a second later its watches.
func (o *Operator) Wake() {
	o.link.wake.Do(func() {
		close(o.link.awake)
		time.AfterFunc(wakingTime, func() { close(o.link.thawed) })
	})
}

// Writes is how many writes it has sent, refused ones included, Events not.
func (o *Operator) Writes() int64 { return o.link.sent.Load() }

// Thawed is closed once the watches of the operator tell again what there is.
func (o *Operator) Thawed() <-chan struct{} { return o.link.thawed }
