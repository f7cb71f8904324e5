// Package load is a client that never stops asking: it puts a steady, bounded
// load on a host, keeps what came of every single request, and answers questions
// about them afterwards: how many failed, who served what share, and from when on
// every new connection reached one version.
//
// It is closed-loop: a fixed number of workers each wait for an answer before
// they ask again, so that a slow server is asked less often instead of being
// buried. There are no retries, neither here nor in the transport: a connection
// that breaks under a request is a failed request.
//
//	workers:   new connection | new connection | kept alive | kept alive ...
//	                 \               |               |           /
//	                  `--- one tick each, Rate per second -------'
//	                                 |
//	                              Result --> Log (append-only, in memory)
package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a client. The zero value of a field means its default.
type Options struct {
	// URL is asked with GET; its host and port are where the connections go.
	URL string
	// Host is the Host header; default: the one in URL.
	Host string
	// GRPC: the Health service of gRPC is called instead, at the host and port of URL,
	// without TLS; Host is the authority. A call that answers another code than OK has
	// failed. It names the service that URL has as the parameter call, if it has one.
	GRPC    bool
	service string
	// Rate is the number of requests per second, 1..2000; default 150. It is an
	// upper bound: the workers may be too slow for it.
	Rate int
	// Workers ask in parallel, 1..256; default 16. Every second one opens a new
	// connection for each request, the others keep theirs.
	Workers int
	// Timeout of one request; default 10 s.
	Timeout time.Duration
	// MaxRequests and MaxDuration end the load by themselves; default 500,000
	// requests and 15 minutes.
	MaxRequests int
	MaxDuration time.Duration
}

func (o Options) withDefaults() (Options, error) {
	o.Rate = orDefault(o.Rate, 150)
	o.Workers = orDefault(o.Workers, 16)
	o.Timeout = orDefault(o.Timeout, 10*time.Second)
	o.MaxRequests = orDefault(o.MaxRequests, 500_000)
	o.MaxDuration = orDefault(o.MaxDuration, 15*time.Minute)
	switch {
	case o.URL == "":
		return o, errors.New("load: URL is empty")
	case o.Rate < 1 || o.Rate > 2000:
		return o, fmt.Errorf("load: rate %d: must be 1..2000", o.Rate)
	case o.Workers < 1 || o.Workers > 256:
		return o, fmt.Errorf("load: %d workers: must be 1..256", o.Workers)
	}
	return o, nil
}

func orDefault[T int | time.Duration](value, otherwise T) T {
	if value == 0 {
		return otherwise
	}
	return value
}

// Client is a running load. All its methods may be called at any time.
type Client struct {
	Log
	options Options
	rate    atomic.Int64
	asked   atomic.Int64
	cancel  context.CancelFunc
	done    chan struct{}
}

// Start begins to ask at once, until Stop, the end of ctx or the bounds in o.
func Start(ctx context.Context, o Options) (*Client, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	asked, err := http.NewRequest(http.MethodGet, o.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	o.service = asked.URL.Query().Get("call")
	ctx, cancel := context.WithTimeout(ctx, o.MaxDuration)
	c := &Client{options: o, cancel: cancel, done: make(chan struct{})}
	c.rate.Store(int64(o.Rate))
	ticks := make(chan struct{}, o.Workers)
	go c.pace(ctx, ticks)

	var workers sync.WaitGroup
	for i := range o.Workers {
		workers.Go(func() { c.work(ctx, ticks, i%2 == 0) })
	}
	go func() { workers.Wait(); close(c.done) }()
	return c, nil
}

// Stop ends the load. Requests under way are waited for: they count.
func (c *Client) Stop() {
	c.cancel()
	<-c.done
}

// SetRate changes the number of requests per second, 1..2000.
func (c *Client) SetRate(perSecond int) { c.rate.Store(int64(min(max(perSecond, 1), 2000))) }

// Exhausted says whether MaxRequests ended the load: what was seen afterwards was
// seen without it.
func (c *Client) Exhausted() bool { return c.asked.Load() >= int64(c.options.MaxRequests) }

// pace hands out ticks at the rate. Ticks that no worker is free for are lost, so
// that a stall is not followed by a burst.
func (c *Client) pace(ctx context.Context, ticks chan<- struct{}) {
	defer close(ticks)
	next := time.Now()
	for {
		next = next.Add(time.Second / time.Duration(c.rate.Load()))
		if late := time.Since(next); late > 100*time.Millisecond {
			next = next.Add(late)
		}
		if wait := time.Until(next); wait > 0 {
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return
			}
		}
		if ctx.Err() != nil || c.Exhausted() {
			return
		}
		select {
		case ticks <- struct{}{}:
			c.asked.Add(1)
		default:
		}
	}
}

// work asks once for each tick, over a transport of its own.
func (c *Client) work(ctx context.Context, ticks <-chan struct{}, fresh bool) {
	// The end of the load does not cut off requests: only ticks end.
	requests := context.WithoutCancel(ctx)
	if c.options.GRPC {
		caller := &caller{options: c.options, fresh: fresh}
		defer caller.close()
		for range ticks {
			c.add(caller.call(requests))
		}
		return
	}
	transport := &http.Transport{
		DisableKeepAlives:   fresh,
		DialContext:         (&net.Dialer{Timeout: c.options.Timeout}).DialContext,
		MaxIdleConnsPerHost: 1,
		DisableCompression:  true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		Timeout:       c.options.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for range ticks {
		c.add(c.ask(requests, client))
	}
}

// ask is the result of one request.
func (c *Client) ask(ctx context.Context, client *http.Client) Result {
	result := Result{Start: time.Now()}
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { result.NewConnection = !info.Reused }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace), http.MethodGet, c.options.URL, nil)
	if err != nil {
		result.Error = err.Error()
		return result
	}
	if c.options.Host != "" {
		request.Host = c.options.Host
	}
	// Go's transport silently repeats a GET whose kept connection breaks under it,
	// unless it has a body that cannot be read twice. An empty one is not sent.
	request.Body = io.NopCloser(strings.NewReader(""))
	response, err := client.Do(request)
	if err != nil {
		result.Duration, result.Error = time.Since(result.Start), err.Error()
		return result
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	result.Duration = time.Since(result.Start)
	result.Status = response.StatusCode
	result.Version = response.Header.Get("X-Version")
	result.Release = response.Header.Get("X-Release")
	result.Pod = response.Header.Get("X-Pod")
	if err != nil {
		result.Error = fmt.Sprintf("read the answer: %v", err)
	} else if result.Failed() {
		result.Error = string(body[:min(len(body), 200)])
	}
	return result
}
