//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// registry speaks as much of the OCI distribution API as it takes to let a tag
// point at other bytes.
type registry struct {
	url        string
	repository string
}

// images is where the application's image is: its name without a tag, the repository, and
// its digest.
func (w *world) images() (name string, images registry, digest string) {
	GinkgoHelper()
	tagged, digest, _ := strings.Cut(w.AppImage, "@")
	host, repository, ok := strings.Cut(tagged, "/")
	Expect(ok).To(BeTrue(), "image %s names no registry", w.AppImage)
	repository, _, _ = strings.Cut(repository, ":")
	return host + "/" + repository, registry{w.RegistryURL, repository}, digest
}

// moveTag stores the image of a digest with one more label in its configuration,
// as another image then, under the tag.
func (r registry) moveTag(ctx context.Context, digest, tag, label string) error {
	body, kind, err := r.get(ctx, "manifests/"+digest)
	if err != nil {
		return err
	}
	var manifest map[string]any
	if err := json.Unmarshal(body, &manifest); err != nil {
		return fmt.Errorf("read manifest %s: %w", digest, err)
	}
	descriptor, ok := manifest["config"].(map[string]any)
	if !ok {
		return fmt.Errorf("manifest %s has no config", digest)
	}
	content, _, err := r.get(ctx, fmt.Sprintf("blobs/%s", descriptor["digest"]))
	if err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(content, &config); err != nil {
		return fmt.Errorf("read the config of %s: %w", digest, err)
	}
	config["author"] = label
	if content, err = json.Marshal(config); err != nil {
		return err
	}
	descriptor["digest"], descriptor["size"] = fmt.Sprintf("sha256:%x", sha256.Sum256(content)), len(content)
	if err := r.putBlob(ctx, descriptor["digest"].(string), content); err != nil {
		return err
	}
	if body, err = json.Marshal(manifest); err != nil {
		return err
	}
	return r.putManifest(ctx, tag, kind, body)
}

// digestOf is what a tag points at.
func (r registry) digestOf(ctx context.Context, tag string) (string, error) {
	body, _, err := r.get(ctx, "manifests/"+tag)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("sha256:%x", sha256.Sum256(body)), nil
}

func (r registry) get(ctx context.Context, path string) (body []byte, contentType string, err error) {
	header := http.Header{"Accept": {"application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, */*"}}
	response, body, err := r.do(ctx, http.MethodGet, r.url+"/v2/"+r.repository+"/"+path, header, nil)
	if err != nil {
		return nil, "", err
	}
	return body, response.Header.Get("Content-Type"), nil
}

func (r registry) putManifest(ctx context.Context, tag, contentType string, body []byte) error {
	_, _, err := r.do(ctx, http.MethodPut, r.url+"/v2/"+r.repository+"/manifests/"+tag, http.Header{"Content-Type": {contentType}}, body)
	return err
}

func (r registry) putBlob(ctx context.Context, digest string, content []byte) error {
	response, _, err := r.do(ctx, http.MethodPost, r.url+"/v2/"+r.repository+"/blobs/uploads/", nil, nil)
	if err != nil {
		return err
	}
	location := response.Header.Get("Location")
	if strings.HasPrefix(location, "/") {
		location = r.url + location
	}
	separator := "?"
	if strings.Contains(location, "?") {
		separator = "&"
	}
	_, _, err = r.do(ctx, http.MethodPut, location+separator+"digest="+digest, http.Header{"Content-Type": {"application/octet-stream"}}, content)
	return err
}

func (r registry) do(ctx context.Context, method, url string, header http.Header, content []byte) (*http.Response, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(content))
	if err != nil {
		return nil, nil, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<20))
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if response.StatusCode >= 300 {
		return nil, nil, fmt.Errorf("%s %s: %s: %s", method, url, response.Status, body)
	}
	return response, body, nil
}
