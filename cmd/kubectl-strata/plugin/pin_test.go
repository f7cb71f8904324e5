package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/strata-release/strata/test/oci"
)

// run runs the command without a cluster.
func run(t *testing.T, in string, args ...string) (out, errOut string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = Run(t.Context(), args, Options{Version: "test", Streams: genericiooptions.IOStreams{In: strings.NewReader(in), Out: &o, ErrOut: &e}})
	return o.String(), e.String(), code
}

// TestPinLeavesAllElseAsItIsWritten: comments, order, quotes, anchors, blank lines and
// what stands after an image on its line.
func TestPinLeavesAllElseAsItIsWritten(t *testing.T) {
	server := oci.ServePlain(t, oci.Registry())
	web := server.Push(server.Repository("shop/web").Tag("1.4.2"), oci.Image(t, "linux", "amd64"))
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: oci.Image(t, "linux", "amd64")}, mutate.IndexAddendum{Add: oci.Image(t, "linux", "arm64")})
	both := server.Push(server.Repository("shop/both").Tag("latest"), index)

	written := `# the shop
kind: ImmutableRelease   # ours
spec:
  components:
  - name: web

    template:
      spec:
        volumes: [{name: model, image: {reference: "HOST/shop/web:1.4.2"}}]
        initContainers:
        - {image: 'HOST/shop/both', name: ü} # every platform
        containers:
        - name: web
          image: &web HOST/shop/web:1.4.2 # the shop itself
        - image: *web
          name: again
        - name: pinned
          image: HOST/shop/web:1.0.0@sha256:0000000000000000000000000000000000000000000000000000000000000000
---
image: HOST/shop/web:1.4.2 # not of a container
`
	text := strings.ReplaceAll(written, "HOST", server.Host)
	want := strings.ReplaceAll(text, `"`+server.Host+`/shop/web:1.4.2"`, `"`+server.Host+`/shop/web:1.4.2@`+web.DigestStr()+`"`)
	want = strings.ReplaceAll(want, "&web "+server.Host+"/shop/web:1.4.2", "&web "+server.Host+"/shop/web:1.4.2@"+web.DigestStr())
	want = strings.ReplaceAll(want, "/shop/both'", "/shop/both@"+both.DigestStr()+"'")

	out, told, code := run(t, text, "pin", "-f", "-")
	if code != 0 || out != want {
		t.Errorf("exit %d %s, got\n%s\nwant\n%s", code, told, out, want)
	}
	if strings.Count(told, "\n") != 2 {
		t.Errorf("each image is asked for, and told of, once: %s", told)
	}

	file := filepath.Join(t.TempDir(), "shop.yaml")
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	if out, told, code := run(t, "", "pin", "-i", "-f", file); code != 0 || out != "" {
		t.Errorf("in place: exit %d, %s%s", code, out, told)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != want {
		t.Errorf("in place: %v\n%s", err, data)
	}
	if out, _, code := run(t, want, "pin", "-f", "-"); code != 0 || out != want {
		t.Errorf("what is pinned was written anew: exit %d\n%s", code, out)
	}
}

// TestPinReachesTheTemplateOfATrack: the images of what it publishes and of its tests.
func TestPinReachesTheTemplateOfATrack(t *testing.T) {
	server := oci.ServePlain(t, oci.Registry())
	web := server.Push(server.Repository("shop/web").Tag("1.4.2"), oci.Image(t, "linux", "amd64"))
	text := strings.ReplaceAll(`kind: ReleaseTrack
spec:
  releaseTemplate:
    version: 1.4.2 # {"$imagepolicy": "shop:web:tag"}
    components:
    - name: web
      template: {spec: {containers: [{name: web, image: HOST/shop/web:1.4.2}]}}
    tests:
    - name: smoke
      template: {spec: {template: {spec: {containers: [{name: test, image: HOST/shop/web:1.4.2}]}}}}
`, "HOST", server.Host)
	want := strings.ReplaceAll(text, "/shop/web:1.4.2", "/shop/web:1.4.2@"+web.DigestStr())
	if out, told, code := run(t, text, "pin", "-f", "-"); code != 0 || out != want {
		t.Errorf("exit %d %s, got\n%s\nwant\n%s", code, told, out, want)
	}
}

// TestWhatStandsBeforeAnImageStays although it has the image's name.
func TestWhatStandsBeforeAnImageStays(t *testing.T) {
	for written, want := range map[string]string{
		"&web web # web": "&web PINNED # web", "!!str str": "!!str PINNED", "&s !!str \"s\"": "&s !!str \"PINNED\"",
	} {
		text := []byte("containers: [{image: " + written + "\n}]\n")
		nodes, err := imageNodes(text)
		if err != nil || len(nodes) != 1 {
			t.Fatalf("%s: %v, %v", written, nodes, err)
		}
		got, err := replace(text, nodes[0], "PINNED")
		if err != nil || string(got) != "containers: [{image: "+want+"\n}]\n" {
			t.Errorf("%s: %s, %v", written, got, err)
		}
	}
}

func TestPinSaysWhatIsWrong(t *testing.T) {
	server := oci.ServePlain(t, oci.Registry())
	for name, test := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"nothing there":  {"containers:\n- image: " + server.Host + "/shop/web:9\n", []string{"-f", "-"}, "-:2: ask for " + server.Host + "/shop/web:9: "},
		"no image":       {"containers:\n- image: 'Shop Web'\n", []string{"-f", "-"}, `-:2: "Shop Web" is no image`},
		"no YAML":        {"a: [", []string{"-f", "-"}, "- is not YAML"},
		"no file":        {"", nil, "-f is required"},
		"input in place": {"", []string{"-i", "-f", "-"}, "standard input is none"},
	} {
		out, told, code := run(t, test.in, append([]string{"pin"}, test.args...)...)
		if code != 3 || out != "" || !strings.HasPrefix(told, "error: ") || !strings.Contains(told, test.want) {
			t.Errorf("%s: exit %d, %q, %q", name, code, out, told)
		}
	}
}

func TestPinnedImagesNameTheirRegistry(t *testing.T) {
	for image, want := range map[string]string{
		"nginx": "docker.io/library/nginx", "nginx:1.27": "docker.io/library/nginx:1.27", "shop/web:1": "docker.io/shop/web:1",
		"docker.io/shop/web:1": "docker.io/shop/web:1", "index.docker.io/shop/web": "index.docker.io/shop/web", "localhost:5000/web:1": "localhost:5000/web:1",
	} {
		tag, err := name.NewTag(image)
		if err != nil {
			t.Fatal(err)
		}
		if got := withRegistry(image, tag); got != want {
			t.Errorf("%s: %s, want %s", image, got, want)
		}
	}
}
