package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/strata-release/strata/hack/cluster/image"
)

// writeImage makes the image that the Dockerfile describes, without a Docker
// daemon: the static binary, as user 65532. docker load, kind load image-archive
// and ctr images import take the archive. It prints the image's digest.
func writeImage(binary, reference, output string) error {
	ref, err := name.NewTag(reference)
	if err != nil {
		return fmt.Errorf("name the image: %w", err)
	}
	img, err := image.Image{
		Files:      map[string]string{"/manager": binary},
		Entrypoint: []string{"/manager"},
	}.Build()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", output, err)
	}
	if err := tarball.WriteToFile(output, ref, img); err != nil {
		return fmt.Errorf("write %s: %w", output, err)
	}
	digest, err := img.Digest()
	if err != nil {
		return fmt.Errorf("digest of the image: %w", err)
	}
	fmt.Println(digest)
	return nil
}
