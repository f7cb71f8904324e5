package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/strata-release/strata/controllers/registry"
	"github.com/strata-release/strata/controllers/rollout"
)

const (
	// atOnce bounds the requests of one probe that are under way.
	atOnce = 4
	// answerTime is how long one request may take, and probeTime all of them: those that
	// are not made by then are lost.
	answerTime = 5 * time.Second
	probeTime  = 2 * time.Minute
	// patience is how many requests in a row, from the first one on, may be lost: then
	// nobody is there, and the others are lost too.
	patience = 20
	// maxBody is how much of an answer is read, so that its connection can be used again.
	maxBody = 64 << 10
)

// ask makes the requests of a question, and counts who answers.
func ask(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), q *Question) *rollout.Probe {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	transport := &http.Transport{
		DialContext: dial, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost: atOnce, MaxConnsPerHost: atOnce, TLSHandshakeTimeout: answerTime,
		TLSClientConfig: &tls.Config{ServerName: q.Route.Probe.Hostname, MinVersion: tls.VersionTLS12},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: answerTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	shown := &rollout.Probe{Sequence: q.Sequence, Requests: rollout.ProbeRequests(q.Route.Probe), Answers: map[string]int32{}}
	turns := make(chan bool, shown.Requests)
	for range shown.Requests {
		turns <- true
	}
	close(turns)
	var workers sync.WaitGroup
	var mu sync.Mutex
	answered := false
	for range atOnce {
		workers.Go(func() {
			for range turns {
				mu.Lock()
				nobody := !answered && shown.Lost >= patience
				if nobody {
					shown.Lost++
				}
				mu.Unlock()
				if nobody {
					continue
				}
				release, trouble, err := once(ctx, client, q)
				mu.Lock()
				answered = answered || err == nil
				switch {
				case err != nil:
					shown.Lost, shown.Trouble = shown.Lost+1, inWords(err)
				case release == "":
					shown.Trouble = trouble
				default:
					shown.Answers[release]++
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return shown
}

// once is which release of the track answers; "" where the answer names none, and then
// what it is instead.
func once(ctx context.Context, client *http.Client, q *Question) (release, trouble string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, q.Route.Probe.URL, nil)
	if err != nil {
		return "", "", err
	}
	request.Host = q.Route.Probe.Hostname
	request.Header.Set("User-Agent", "strata-probe")
	response, err := client.Do(request)
	if err != nil {
		return "", "", err
	}
	defer response.Body.Close()
	// What cannot be read to its end costs a connection, and no answer.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody))
	if named := response.Header.Values(q.Route.Probe.MarkerHeader); len(named) == 1 && slices.Contains(q.Releases, named[0]) {
		return named[0], "", nil
	}
	return "", fmt.Sprintf("the last has status %d", response.StatusCode), nil
}

// inWords is what became of a request, without anything that an answer says.
func inWords(err error) string {
	var refused *registry.Error
	var unnamed *net.DNSError
	var failed *net.OpError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &refused):
		return "its address is a loopback, link-local or metadata address, which is not asked"
	case errors.Is(err, context.Canceled):
		return "the operator stopped asking"
	case errors.As(err, &unnamed):
		return "its name is not resolved"
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("not within %s", answerTime)
	case errors.As(err, &failed) && failed.Op == "dial":
		return "it cannot be connected to"
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "its certificate is not trusted"
	}
	return "the connection failed"
}
