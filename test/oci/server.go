package oci

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Server is a server on loopback, with a count of its requests.
type Server struct {
	*httptest.Server
	t T
	// Host is its address with its port, as images are named by.
	Host  string
	Asked atomic.Int32
	// Down: it answers that what is behind it does not.
	Down atomic.Bool
}

// Serve speaks TLS, by a certificate that Transport trusts.
func Serve(t T, handler http.Handler) *Server { return start(t, handler, (*httptest.Server).StartTLS) }

// ServePlain speaks without TLS.
func ServePlain(t T, handler http.Handler) *Server {
	return start(t, handler, (*httptest.Server).Start)
}

func start(t T, handler http.Handler, begin func(*httptest.Server)) *Server {
	t.Helper()
	s := &Server{t: t}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Asked.Add(1)
		if s.Down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	begin(s.Server)
	_, s.Host, _ = strings.Cut(s.URL, "://")
	t.Cleanup(s.Close)
	return s
}

// Registry stores what is pushed to it.
func Registry(options ...registry.Option) http.Handler {
	return registry.New(append(options, registry.Logger(log.New(io.Discard, "", 0)))...)
}

// Transport trusts the server's certificate.
func (s *Server) Transport() *http.Transport { return s.Client().Transport.(*http.Transport) }

// Repository is one of the server's.
func (s *Server) Repository(path string) name.Repository {
	s.t.Helper()
	repository, err := name.NewRepository(s.Host + "/" + path)
	if err != nil {
		s.t.Fatal(err)
	}
	return repository
}

// Push stores an image or an index under a tag of the server's, and says by which digest
// it is there.
func (s *Server) Push(tag name.Tag, what remote.Taggable) name.Digest {
	s.t.Helper()
	var digest v1.Hash
	var err error
	switch what := what.(type) {
	case v1.Image:
		if err = remote.Write(tag, what, remote.WithTransport(s.Transport())); err == nil {
			digest, err = what.Digest()
		}
	case v1.ImageIndex:
		if err = remote.WriteIndex(tag, what, remote.WithTransport(s.Transport())); err == nil {
			digest, err = what.Digest()
		}
	default:
		s.t.Fatal("neither an image nor an index")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return tag.Context().Digest(digest.String())
}
