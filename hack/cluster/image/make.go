// Package image makes container images from static binaries, without Docker,
// pushes them to a registry, and is the registry of the local cluster.
package image

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"runtime"
	"sort"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// NonRoot is the user and group that images run as when nothing else is said;
// it is the one of the distroless images.
const NonRoot = "65532:65532"

// Image says what goes into an image. The same input gives the same digest.
type Image struct {
	// Files maps absolute paths in the image to files on this machine. They
	// are owned by root, and keep only whether they can be executed.
	Files      map[string]string
	Entrypoint []string
	User       string // default NonRoot
	Env        []string
	Labels     map[string]string
	// Ports are exposed ports, such as 8080/tcp.
	Ports []string
}

// Build makes the image, with one uncompressed layer: it never leaves the
// machine, and packing a layer takes longer than copying it.
func (i Image) Build() (v1.Image, error) {
	layer, err := i.layer()
	if err != nil {
		return nil, fmt.Errorf("make image: %w", err)
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.AppendLayers(base, layer)
	if err != nil {
		return nil, fmt.Errorf("make image: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("make image: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Created = v1.Time{Time: time.Unix(0, 0).UTC()}
	config.Config = v1.Config{Entrypoint: i.Entrypoint, User: i.User, Env: i.Env, Labels: i.Labels, WorkingDir: "/"}
	if i.User == "" {
		config.Config.User = NonRoot
	}
	if len(i.Ports) > 0 {
		config.Config.ExposedPorts = map[string]struct{}{}
		for _, p := range i.Ports {
			config.Config.ExposedPorts[p] = struct{}{}
		}
	}
	img, err = mutate.ConfigFile(img, config)
	if err != nil {
		return nil, fmt.Errorf("make image: %w", err)
	}
	return img, nil
}

func (i Image) layer() (v1.Layer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, dir := range i.directories() {
		mode := int64(0o755)
		if dir == "tmp/" {
			mode = 0o1777
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: mode}); err != nil {
			return nil, err
		}
	}
	for _, target := range sortedKeys(i.Files) {
		data, err := os.ReadFile(i.Files[target])
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(i.Files[target])
		if err != nil {
			return nil, err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(target, "/"), Size: int64(len(data)), Mode: fileMode(info.Mode())}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return static.NewLayer(buf.Bytes(), types.OCIUncompressedLayer), nil
}

func fileMode(m fs.FileMode) int64 {
	if m&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// directories lists every directory that the files need, parents first, and
// /tmp, which programs expect.
func (i Image) directories() []string {
	dirs := map[string]string{"tmp/": ""}
	for target := range i.Files {
		for dir := path.Dir(target); dir != "/" && dir != "."; dir = path.Dir(dir) {
			dirs[strings.TrimPrefix(dir, "/")+"/"] = ""
		}
	}
	return sortedKeys(dirs)
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// Push stores the image as repository:tag in the registry at address
// (host:port, plain HTTP on loopback) and returns its digest, sha256:...
func Push(ctx context.Context, img v1.Image, address, repository, tag string) (string, error) {
	ref, err := name.NewTag(address+"/"+repository+":"+tag, name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("push image: %w", err)
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx)); err != nil {
		return "", fmt.Errorf("push image %s: %w", ref, err)
	}
	digest, err := img.Digest()
	if err != nil {
		return "", fmt.Errorf("push image %s: %w", ref, err)
	}
	return digest.String(), nil
}
