package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"sigs.k8s.io/yaml"
)

// semantic are the versions that krew takes.
var semantic = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

// krewManifest is as much of one as has to be put in.
type krewManifest struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       struct {
		Version          string         `json:"version"`
		Homepage         string         `json:"homepage"`
		ShortDescription string         `json:"shortDescription"`
		Description      string         `json:"description"`
		Platforms        []krewPlatform `json:"platforms"`
	} `json:"spec"`
}

type krewPlatform struct {
	Selector struct {
		MatchLabels struct {
			OS   string `json:"os"`
			Arch string `json:"arch"`
		} `json:"matchLabels"`
	} `json:"selector"`
	URI    string `json:"uri"`
	SHA256 string `json:"sha256"`
	Bin    string `json:"bin"`
}

// writePlugin packs the plugin's binary of every platform of config/krew, which is at
// <binaries>/<os>-<arch>/, with the licence, and writes the manifest that names the
// archives below url. All of it goes into the directory output.
func writePlugin(root, binaries, version, url, output string) error {
	if !semantic.MatchString(version) {
		return fmt.Errorf("version %q: krew takes vX.Y.Z alone: check out a tag, or say VERSION=vX.Y.Z", version)
	}
	text, err := os.ReadFile(filepath.Join(root, "config", "krew", "strata.yaml"))
	if err != nil {
		return fmt.Errorf("read the manifest of the plugin: %w", err)
	}
	var manifest krewManifest
	if err := yaml.UnmarshalStrict(text, &manifest); err != nil {
		return fmt.Errorf("read the manifest of the plugin: %w", err)
	}
	manifest.Spec.Version = version
	for i := range manifest.Spec.Platforms {
		p := &manifest.Spec.Platforms[i]
		platform := p.Selector.MatchLabels.OS + "-" + p.Selector.MatchLabels.Arch
		name := "kubectl-strata-" + version + "-" + platform + ".tar.gz"
		p.URI = url + "/" + name
		if p.SHA256, err = pack(filepath.Join(output, name), filepath.Join(binaries, platform, p.Bin), filepath.Join(root, "LICENSE")); err != nil {
			return err
		}
	}
	data, err := yaml.Marshal(manifest)
	if err != nil {
		return fmt.Errorf("write the manifest of the plugin: %w", err)
	}
	return write(filepath.Join(output, "strata.yaml"), data)
}

// pack writes files into an archive that is the same every time, and answers with its
// checksum.
func pack(output string, files ...string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return "", fmt.Errorf("write %s: %w", output, err)
	}
	archive, err := os.Create(output)
	if err != nil {
		return "", fmt.Errorf("write %s: %w", output, err)
	}
	sum := sha256.New()
	zipped := gzip.NewWriter(io.MultiWriter(archive, sum))
	packed := tar.NewWriter(zipped)
	for _, file := range files {
		err = errors.Join(err, packFile(packed, file))
	}
	if err = errors.Join(err, packed.Close(), zipped.Close(), archive.Close()); err != nil {
		return "", fmt.Errorf("write %s: %w", output, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func packFile(into *tar.Writer, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	mode := int64(0o755)
	if filepath.Base(file) == "LICENSE" {
		mode = 0o644
	}
	if err := into.WriteHeader(&tar.Header{Name: filepath.Base(file), Mode: mode, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err = into.Write(data)
	return err
}
