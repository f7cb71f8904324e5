package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"sigs.k8s.io/yaml"
)

// TestPluginManifestNamesWhatIsPacked: every platform has an archive of that checksum,
// with its own binary and the licence.
func TestPluginManifestNamesWhatIsPacked(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	binaries, output := t.TempDir(), t.TempDir()
	all := map[string]string{"linux-amd64": "", "linux-arm64": "", "darwin-amd64": "", "darwin-arm64": "", "windows-amd64": ".exe"}
	for platform, suffix := range all {
		if err := write(filepath.Join(binaries, platform, "kubectl-strata"+suffix), []byte(platform)); err != nil {
			t.Fatal(err)
		}
	}
	if err := writePlugin(root, binaries, "v1.2.3", "https://example.com/v1.2.3", output); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(output, "strata.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest krewManifest
	if err := yaml.UnmarshalStrict(text, &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.Spec.Version != "v1.2.3" || len(manifest.Spec.Platforms) != len(all) {
		t.Fatalf("%s", text)
	}
	for _, p := range manifest.Spec.Platforms {
		platform := p.Selector.MatchLabels.OS + "-" + p.Selector.MatchLabels.Arch
		name := "kubectl-strata-v1.2.3-" + platform + ".tar.gz"
		if p.URI != "https://example.com/v1.2.3/"+name || p.Bin != "kubectl-strata"+all[platform] {
			t.Errorf("%+v", p)
		}
		sum, files := unpack(t, filepath.Join(output, name))
		if sum != p.SHA256 || files[p.Bin] != platform || files["LICENSE"] == "" {
			t.Errorf("%s: checksum %s, files %v", platform, sum, files)
		}
	}
	if writePlugin(root, t.TempDir(), "v1.2.3", "https://example.com", output) == nil {
		t.Error("a binary is missing, and nobody has noticed")
	}
	for _, version := range []string{"", "dev", "1.2.3", "v1.2", "v1.2.3 ", "v01.2.3", "3b18e51-dirty"} {
		if writePlugin(root, binaries, version, "https://example.com", t.TempDir()) == nil {
			t.Errorf("version %q was taken", version)
		}
	}
}

func unpack(t *testing.T, path string) (sum string, files map[string]string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	hash := sha256.New()
	zipped, err := gzip.NewReader(io.TeeReader(file, hash))
	if err != nil {
		t.Fatal(err)
	}
	files = map[string]string{}
	for packed := tar.NewReader(zipped); ; {
		header, err := packed.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(packed)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = string(data)
	}
	if _, err := io.Copy(hash, file); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(hash.Sum(nil)), files
}
