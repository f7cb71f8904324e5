package registry

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// server is a server on loopback that speaks TLS, with a count of its requests.
type server struct {
	*httptest.Server
	host  string
	asked atomic.Int32
}

func serve(t *testing.T, handler http.Handler) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		handler.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.host = strings.TrimPrefix(s.URL, "https://")
	t.Cleanup(s.Close)
	return s
}

// realRegistry is one that stores what is pushed.
func realRegistry(t *testing.T) *server {
	return serve(t, registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithReferrersSupport(true)))
}

// clock stands still.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) time() time.Time { return c.now }

// begin opens a session that trusts the servers' certificate.
func begin(t *testing.T, s *server, access Access, c *clock, credentials Credentials) *Session {
	t.Helper()
	return beginWith(t, newClient(s, c), access, credentials)
}

func newClient(s *server, c *clock) *Client {
	return NewClient(Options{Now: c.time, Transport: s.Client().Transport.(*http.Transport)})
}

func beginWith(t *testing.T, client *Client, access Access, credentials Credentials) *Session {
	t.Helper()
	session, err := client.Session(access, credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return session
}

func private(servers ...*server) Access {
	var access Access
	for _, s := range servers {
		access.PrivateHosts = append(access.PrivateHosts, s.host)
	}
	return access
}

// push stores an image or an index, and says by which reference it is there.
func push(t *testing.T, s *server, repository string, what remote.Taggable) string {
	t.Helper()
	tag, err := name.NewTag(s.host + "/" + repository + ":pushed")
	if err != nil {
		t.Fatal(err)
	}
	switch what := what.(type) {
	case v1.Image:
		err = remote.Write(tag, what, remote.WithTransport(s.Client().Transport))
	case v1.ImageIndex:
		err = remote.WriteIndex(tag, what, remote.WithTransport(s.Client().Transport))
	}
	if err != nil {
		t.Fatal(err)
	}
	got, err := remote.Get(tag, remote.WithTransport(s.Client().Transport))
	if err != nil {
		t.Fatal(err)
	}
	return tag.Context().Digest(got.Digest.String()).Name()
}

func imageFor(t *testing.T, os, architecture string) v1.Image {
	t.Helper()
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS, config.Architecture = os, architecture
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

func indexFor(t *testing.T, platforms ...v1.Platform) v1.ImageIndex {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, p := range platforms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: imageFor(t, p.OS, p.Architecture), Descriptor: v1.Descriptor{Platform: &p},
		})
	}
	return index
}
