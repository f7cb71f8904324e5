package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
)

// ServeRegistry answers the OCI distribution API on l until ctx ends. Blobs
// and manifests are kept in dir, and are there again after a restart.
func ServeRegistry(ctx context.Context, l net.Listener, dir string) error {
	blobs, manifests := filepath.Join(dir, "blobs"), filepath.Join(dir, "manifests")
	for _, d := range []string{blobs, manifests} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return fmt.Errorf("serve registry: %w", err)
		}
	}
	store := &manifestStore{dir: manifests, next: registry.New(
		registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs)),
		registry.WithReferrersSupport(true),
		registry.Logger(log.New(os.Stderr, "registry ", log.LstdFlags)),
	)}
	if err := store.replay(); err != nil {
		return fmt.Errorf("serve registry: %w", err)
	}
	server := &http.Server{Handler: store, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve registry: %w", err)
	}
	return nil
}

// manifestStore writes each manifest to disk as it is put: the registry below
// keeps them in memory only. At start they are put again.
type manifestStore struct {
	dir  string
	next http.Handler
}

type savedManifest struct {
	Path        string `json:"path"`
	ContentType string `json:"contentType"`
	Body        []byte `json:"body"`
}

// ServeHTTP saves a manifest that was accepted.
func (s *manifestStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
		s.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	m := savedManifest{Path: r.URL.Path, ContentType: r.Header.Get("Content-Type"), Body: body}
	if err := s.save(m); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.next.ServeHTTP(w, r)
}

func (s *manifestStore) save(m savedManifest) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(m.Path))
	return os.WriteFile(filepath.Join(s.dir, hex.EncodeToString(sum[:])+".json"), data, 0o644)
}

func (s *manifestStore) replay() error {
	files, err := filepath.Glob(filepath.Join(s.dir, "*.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var m savedManifest
		if err := json.Unmarshal(data, &m); err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		req := httptest.NewRequest(http.MethodPut, m.Path, bytes.NewReader(m.Body))
		req.Header.Set("Content-Type", m.ContentType)
		s.next.ServeHTTP(httptest.NewRecorder(), req)
	}
	return nil
}
