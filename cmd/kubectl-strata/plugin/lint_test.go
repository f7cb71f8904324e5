package plugin

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLintSamples: what is published as an example is right.
func TestLintSamples(t *testing.T) {
	for _, sample := range []string{"shop", "in-place"} {
		out, told, code := run(t, "", "lint", "-f", filepath.Join("..", "..", "..", "config", "samples", sample))
		if code != 0 || !strings.Contains(out, "nothing is wrong with them") {
			t.Errorf("%s: exit %d: %s%s", sample, code, out, told)
		}
	}
}

// TestGolden compares what is printed of files with testdata/<name>.golden.
func TestGolden(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"lint":      {[]string{"lint", "-f", "testdata/wrong.yaml"}, 1},
		"together":  {[]string{"lint", "-f", "testdata/together.yaml"}, 1},
		"lint-json": {[]string{"lint", "-f", "testdata/wrong.yaml", "-o", "json"}, 1},
		"plan":      {[]string{"plan", "--offline", "-f", "testdata/shop.yaml"}, 0},
		"template":  {[]string{"lint", "-f", "testdata/template.yaml"}, 1},
		"in-place":  {[]string{"plan", "--offline", "-f", "../../../config/samples/in-place/track.yaml"}, 0},
		"plan-json": {[]string{"plan", "--offline", "-f", "testdata/shop.yaml", "-o", "json"}, 0},
		"help":      {[]string{"help"}, 0},
	} {
		out, told, code := run(t, "", test.args...)
		if code != test.code {
			t.Errorf("%s: exit %d, want %d: %s", name, code, test.code, told)
		}
		out, _, _ = strings.Cut(out, "\nFlags:") // kubectl's own
		golden(t, name, out)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s (-update writes it anew): got\n%s\nwant\n%s", path, got, want)
	}
}

func TestFilesAreRefusedInWords(t *testing.T) {
	for name, test := range map[string]struct {
		in, want string
		args     []string
	}{
		"no file":     {"", "-f is required", []string{"lint"}},
		"not there":   {"", "no such file", []string{"lint", "-f", "testdata/none.yaml"}},
		"no object":   {"a: 1\n", "-:1: this is no object of Kubernetes", []string{"lint", "-f", "-"}},
		"twice a key": {"kind: A\nkind: B\n", `key "kind" already`, []string{"lint", "-f", "-"}},
		"not ours":    {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n", "has no object of Strata", []string{"lint", "-f", "-"}},
		"none":        {"# nothing\n---\n", "has no release and no track", []string{"plan", "--offline", "-f", "-"}},
	} {
		out, told, code := run(t, test.in, test.args...)
		if code != 3 || !strings.HasPrefix(told, "error: ") || strings.Count(told, "\n") > 2 || !strings.Contains(told, test.want) {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, told)
		}
	}
}
