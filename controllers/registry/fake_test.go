package registry

import (
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/strata-release/strata/test/oci"
)

// realRegistry is one that stores what is pushed.
func realRegistry(t *testing.T) *oci.Server {
	return oci.Serve(t, oci.Registry(registry.WithReferrersSupport(true)))
}

// clock stands still.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) time() time.Time { return c.now }

// begin opens a session that trusts the servers' certificate.
func begin(t *testing.T, s *oci.Server, access Access, c *clock, credentials Credentials) *Session {
	t.Helper()
	return beginWith(t, newClient(s, c), access, credentials)
}

func newClient(s *oci.Server, c *clock) *Client {
	return NewClient(Options{Now: c.time, Transport: s.Transport()})
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

func private(servers ...*oci.Server) Access {
	var access Access
	for _, s := range servers {
		access.PrivateHosts = append(access.PrivateHosts, s.Host)
	}
	return access
}

// push stores an image or an index, and says by which reference it is there.
func push(s *oci.Server, repository string, what remote.Taggable) string {
	return s.Push(s.Repository(repository).Tag("pushed"), what).Name()
}

func indexFor(t *testing.T, platforms ...v1.Platform) v1.ImageIndex {
	t.Helper()
	var index v1.ImageIndex = empty.Index
	for _, p := range platforms {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: oci.Image(t, p.OS, p.Architecture), Descriptor: v1.Descriptor{Platform: &p},
		})
	}
	return index
}
