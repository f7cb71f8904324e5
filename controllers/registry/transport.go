package registry

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// MaxBytes is the longest answer that is read: a manifest, a configuration or a
// signature. No layer is ever asked for.
const MaxBytes = 4 << 20

const (
	dialTime = 5 * time.Second
	// How long a registry is left alone that asks for it: what it says, within bounds.
	leastWait   = time.Second
	defaultWait = 30 * time.Second
	mostWait    = time.Hour
	// maxWaits bounds how many registries are remembered for that.
	maxWaits = 1024
)

// guard is the transport of one session: every request, also one that a redirect or
// a challenge leads to, goes through it.
type guard struct {
	access Access
	inner  *http.Transport
	waits  *waits
}

func newGuard(access Access, waits *waits, like *http.Transport) *guard {
	g := &guard{access: access, waits: waits}
	g.inner = like.Clone()
	g.inner.Proxy = nil
	g.inner.DialContext = access.Dial
	g.inner.ForceAttemptHTTP2 = true
	g.inner.DisableCompression = true
	g.inner.TLSHandshakeTimeout = dialTime
	g.inner.MaxResponseHeaderBytes = 64 << 10
	return g
}

// errNoFallback refuses what the library tries after TLS has failed, for names that it
// takes for local. Why TLS failed is what people have to hear, and so this is no Error.
var errNoFallback = errors.New("it is not asked without TLS; a ReleasePolicy can list the host in registryAccess.plainHTTPHosts")

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(request *http.Request) (*http.Response, error) {
	err := g.access.checkURL(request.URL.Scheme, request.URL.Host)
	if reasonOf(err) == ReasonPlainHTTP {
		return nil, errNoFallback
	}
	if err != nil {
		return nil, err
	}
	if err := g.waits.check(request.URL.Host); err != nil {
		return nil, err
	}
	response, err := g.inner.RoundTrip(request)
	var mismatch tls.RecordHeaderError
	if errors.As(err, &mismatch) && string(mismatch.RecordHeader[:]) == "HTTP/" {
		// No TLS there: the reason, unless it may be asked without.
		err = errors.Join(g.access.checkURL("http", request.URL.Host), err)
	}
	if err != nil {
		return nil, err
	}
	if err := g.checkResponse(request, response); err != nil {
		return nil, errors.Join(err, response.Body.Close())
	}
	response.Body = &bounded{body: response.Body, left: MaxBytes}
	return response, nil
}

var realm = regexp.MustCompile(`(?i)\brealm\s*=\s*"([^"]*)"`)

// checkResponse refuses what is too large, and what leads to where nobody may go.
func (g *guard) checkResponse(request *http.Request, response *http.Response) error {
	if response.ContentLength > MaxBytes {
		return tooLarge()
	}
	var leads []string
	switch response.StatusCode {
	case http.StatusTooManyRequests:
		return g.waits.add(request.URL.Host, wait(response, g.waits.now()))
	case http.StatusServiceUnavailable:
		if response.Header.Get("Retry-After") != "" {
			return g.waits.add(request.URL.Host, wait(response, g.waits.now()))
		}
	case http.StatusUnauthorized:
		for _, challenge := range response.Header.Values("WWW-Authenticate") {
			for _, match := range realm.FindAllStringSubmatch(challenge, -1) {
				leads = append(leads, match[1])
			}
		}
	default:
		if location := response.Header.Get("Location"); location != "" && response.StatusCode/100 == 3 {
			leads = append(leads, location)
		}
	}
	for _, lead := range leads {
		to, err := request.URL.Parse(lead)
		if err != nil {
			return refused(ReasonAddress, "%s leads to what is no address", request.URL.Host)
		}
		if err := g.access.checkURL(to.Scheme, to.Host); err != nil {
			return err
		}
	}
	return nil
}

func (g *guard) close() { g.inner.CloseIdleConnections() }

func tooLarge() error {
	return refused(ReasonTooLarge, "the registry answers with more than %d MiB, which is no manifest", MaxBytes>>20)
}

// bounded is a body of MaxBytes at most. What is longer is an error, not cut off.
type bounded struct {
	body io.ReadCloser
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, tooLarge()
	}
	return n, err
}

// Close implements io.Closer.
func (b *bounded) Close() error { return b.body.Close() }

// wait is what an answer asks for, in seconds or as a date.
func wait(response *http.Response, now time.Time) time.Duration {
	asked, value := defaultWait, response.Header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		asked = time.Duration(seconds) * time.Second
	} else if date, err := http.ParseTime(value); err == nil {
		asked = date.Sub(now)
	}
	return min(max(asked, leastWait), mostWait)
}

// waits remembers which hosts asked to be left alone, and until when.
type waits struct {
	now   func() time.Time
	mu    sync.Mutex
	until map[string]time.Time
}

func (w *waits) check(host string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := w.until[host].Sub(w.now())
	if left <= 0 {
		delete(w.until, host)
		return nil
	}
	return busy(host, left)
}

func (w *waits) add(host string, asked time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if len(w.until) >= maxWaits {
		for other, until := range w.until {
			if len(w.until) >= maxWaits || !until.After(now) {
				delete(w.until, other)
			}
		}
	}
	w.until[host] = now.Add(asked)
	return busy(host, asked)
}

func busy(host string, left time.Duration) error {
	err := unknown(ReasonBusy, "%s asks to be asked again in %s", host, left.Round(time.Second))
	err.RetryAfter = left
	return err
}
