package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// How long is remembered that something is not there, or could not be asked for.
const (
	refusedFor  = 30 * time.Second
	unknownFor  = 5 * time.Second
	maxNegative = 4096
)

// Options of a client. The zero value is good.
type Options struct {
	// Timeout of one question, its redirects, its tokens and its whole answer; 15 s by
	// default.
	Timeout time.Duration
	// Now is the clock; time.Now by default.
	Now func() time.Time
	// Transport is copied for every session, for its TLS; by default Go's own.
	Transport *http.Transport
	// UserAgent of the requests.
	UserAgent string
}

// Client asks registries. It is safe for concurrent use.
type Client struct {
	options Options
	waits   *waits

	mu       sync.Mutex
	negative map[string]negative
}

type negative struct {
	err   error
	until time.Time
}

// NewClient makes a client.
func NewClient(options Options) *Client {
	if options.Timeout == 0 {
		options.Timeout = 15 * time.Second
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Transport == nil {
		options.Transport = &http.Transport{}
	}
	return &Client{
		options:  options,
		waits:    &waits{now: options.Now, until: map[string]time.Time{}},
		negative: map[string]negative{},
	}
}

// Session asks with one set of credentials, and by one set of rules. Its connections
// are its own; Close ends them.
type Session struct {
	client *Client
	guard  *guard
	puller *remote.Puller
	access Access
	// scope tells sessions apart that may be answered differently.
	scope string
}

// Session begins one.
func (c *Client) Session(access Access, credentials Credentials) (*Session, error) {
	guard := newGuard(access, c.waits, c.options.Transport)
	puller, err := remote.NewPuller(
		remote.WithTransport(guard),
		remote.WithAuthFromKeychain(credentials),
		remote.WithUserAgent(c.options.UserAgent),
		// Whoever needs the answer asks again, later, and not while others wait.
		remote.WithRetryStatusCodes(),
		remote.WithRetryPredicate(func(error) bool { return false }),
	)
	if err != nil {
		return nil, fmt.Errorf("begin to ask registries: %w", err)
	}
	scope := sha256.Sum256(fmt.Appendf(nil, "%q %q", access, credentials.entries))
	return &Session{client: c, guard: guard, puller: puller, access: access, scope: string(scope[:])}, nil
}

// Close ends the session's connections.
func (s *Session) Close() { s.guard.close() }

// Manifest is what a registry has under a reference.
type Manifest struct {
	// Reference by digest.
	Reference name.Digest
	MediaType types.MediaType
	Raw       []byte
}

// manifest reads one, by digest or by tag. What is not there is remembered for a while.
func (s *Session) manifest(ctx context.Context, ref name.Reference) (*Manifest, error) {
	key := s.scope + ref.Name()
	if err := s.client.recall(key); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.client.options.Timeout)
	defer cancel()
	got, err := s.puller.Get(ctx, ref)
	if err != nil {
		err = explain(ref.Name(), err)
		if !errors.Is(context.Cause(ctx), context.Canceled) {
			s.client.remember(key, err)
		}
		return nil, err
	}
	return &Manifest{Reference: ref.Context().Digest(got.Digest.String()), MediaType: got.MediaType, Raw: got.Manifest}, nil
}

// Tagged reads the manifest under a tag of the repository of an image. The error is an
// *Error; IsNotFound where there is none.
func (s *Session) Tagged(ctx context.Context, image name.Digest, tag string) (*Manifest, error) {
	return s.manifest(ctx, image.Context().Tag(tag))
}

// ByDigest reads a manifest of the repository of an image. The error is an *Error.
func (s *Session) ByDigest(ctx context.Context, image name.Digest, digest v1.Hash) (*Manifest, error) {
	return s.manifest(ctx, image.Context().Digest(digest.String()))
}

// Referrers are the manifests that name an image as their subject, by OCI referrers or
// the tag that stands in for them. None is no error.
func (s *Session) Referrers(ctx context.Context, image name.Digest) ([]v1.Descriptor, error) {
	ctx, cancel := context.WithTimeout(ctx, s.client.options.Timeout)
	defer cancel()
	index, err := remote.Referrers(image, remote.Reuse(s.puller), remote.WithContext(ctx))
	if err != nil {
		return nil, explain("the referrers of "+image.Name(), err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, unknown(ReasonFailing, "the referrers of %s are not a list: %s", image.Name(), clip(err.Error()))
	}
	return manifest.Manifests, nil
}

// Blob reads a blob of the repository of an image, checked against its digest. The
// error is an *Error.
func (s *Session) Blob(ctx context.Context, image name.Digest, digest v1.Hash) ([]byte, error) {
	ref := image.Context().Digest(digest.String())
	ctx, cancel := context.WithTimeout(ctx, s.client.options.Timeout)
	defer cancel()
	layer, err := s.puller.Layer(ctx, ref)
	if err != nil {
		return nil, explain(ref.Name(), err)
	}
	reader, err := layer.Compressed()
	if err != nil {
		return nil, explain(ref.Name(), err)
	}
	data, err := io.ReadAll(reader)
	if err = errors.Join(err, reader.Close()); err != nil {
		return nil, explain(ref.Name(), err)
	}
	return data, nil
}

// parse reads an image reference by digest. Registries that may be asked without TLS
// are marked as such.
func (s *Session) parse(image string) (name.Digest, error) {
	if ref, err := name.NewDigest(image, name.StrictValidation); err == nil {
		host := ref.Context().RegistryStr()
		if !strings.Contains(host, ":") {
			host += ":80"
		}
		if !listed(s.access.PlainHTTPHosts, host) {
			return ref, nil
		}
	}
	ref, err := name.NewDigest(image, name.StrictValidation, name.Insecure)
	if err != nil {
		return name.Digest{}, refused(ReasonReference, "%s is not an image by digest: registry.example.com/shop/web@sha256:<64 hexadecimal digits>", clip(image))
	}
	return ref, nil
}

func (c *Client) recall(key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.negative[key]
	if !ok {
		return nil
	}
	if !known.until.After(c.options.Now()) {
		delete(c.negative, key)
		return nil
	}
	return known.err
}

func (c *Client) remember(key string, err error) {
	var told *Error
	if !errors.As(err, &told) {
		return
	}
	keep := refusedFor
	if told.Unknown {
		keep = max(unknownFor, told.RetryAfter)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.options.Now()
	if len(c.negative) >= maxNegative {
		maps.DeleteFunc(c.negative, func(_ string, n negative) bool { return !n.until.After(now) })
	}
	if len(c.negative) >= maxNegative {
		clear(c.negative)
	}
	c.negative[key] = negative{err, now.Add(keep)}
}
