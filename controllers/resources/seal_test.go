package resources

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

var update = flag.Bool("update", false, "write the golden files anew")

// shop is the release of testdata/release.yaml.
func shop(t testing.TB) *v1alpha1.ImmutableRelease {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "release.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	rel := &v1alpha1.ImmutableRelease{}
	if err := yaml.UnmarshalStrict(data, rel); err != nil {
		t.Fatal(err)
	}
	return rel
}

func shopSnapshots() []v1alpha1.SnapshotDigest {
	return []v1alpha1.SnapshotDigest{
		{Kind: v1alpha1.ConfigMapKind, Name: "shop-settings", Copy: "shop-1-4-2-shop-settings-0011223344556677", Digest: "sha256:aa"},
		{Kind: v1alpha1.SecretKind, Name: "shop-keys", Copy: "shop-1-4-2-shop-keys-8899aabbccddeeff", Digest: "sha256:bb"},
	}
}

func shopSeal(t testing.TB) *Seal {
	t.Helper()
	seal, err := Render(shop(t), Digests{Content: "sha256:cc", Release: "sha256:dd"}, shopSnapshots())
	if err != nil {
		t.Fatal(err)
	}
	return seal
}

// children are all objects that a seal makes, as one YAML stream.
func children(t *testing.T, seal *Seal) []byte {
	t.Helper()
	var out bytes.Buffer
	write := func(object any, err error) {
		if err != nil {
			t.Fatal(err)
		}
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(data)
	}
	for _, component := range seal.Components {
		service, err := seal.Service(component.Name)
		if service != nil || err != nil {
			write(service, err)
		}
		deployment, err := seal.Deployment(component.Name, 3, 7)
		write(deployment, err)
	}
	weight := int32(50)
	job, err := seal.Job("smoke", 1, nil, 8)
	write(job, err)
	job, err = seal.Job("error-rate", 2, &weight, 9)
	write(job, err)
	return out.Bytes()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", name, diff)
	}
}

func TestRenderedChildren(t *testing.T) {
	golden(t, "children.golden.yaml", children(t, shopSeal(t)))
}

// TestStoredSealMakesTheSameChildren reads a seal that was stored by the first
// version of scheme strata/1. It is never written anew: where it fails, running
// releases would be given other children than they were sealed with.
func TestStoredSealMakesTheSameChildren(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "stored-seal.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	revision := &appsv1.ControllerRevision{}
	if err := yaml.UnmarshalStrict(data, revision); err != nil {
		t.Fatal(err)
	}
	seal, err := ParseSeal(revision)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join("testdata", "stored-children.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(children(t, seal))); diff != "" {
		t.Errorf("children of a stored seal differ (-want +got):\n%s", diff)
	}
}

// A child is its caller's: what one does to it is not seen by the next one who asks.
func TestChildrenAreTheirCallers(t *testing.T) {
	revision, err := shopSeal(t).ControllerRevision(shop(t))
	if err != nil {
		t.Fatal(err)
	}
	seal, err := ParseSeal(revision)
	if err != nil {
		t.Fatal(err)
	}
	want := string(children(t, seal))
	for range 2 {
		deployment, err := seal.Deployment("web", 7, 8)
		if err != nil {
			t.Fatal(err)
		}
		deployment.Labels["changed"] = "true"
		deployment.Spec.Template.Spec.Containers[0].Image = "changed"
		job, err := seal.Job("smoke", 9, nil, 8)
		if err != nil {
			t.Fatal(err)
		}
		job.Spec.Template.Labels["changed"] = "true"
	}
	if diff := cmp.Diff(want, string(children(t, seal))); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestControllerRevisionRoundTrip(t *testing.T) {
	rel, seal := shop(t), shopSeal(t)
	revision, err := seal.ControllerRevision(rel)
	if err != nil {
		t.Fatal(err)
	}
	if revision.Name != "shop-1-4-2-seal" || revision.Labels[v1alpha1.LabelTrack] != "shop" || !metav1.IsControlledBy(revision, rel) {
		t.Errorf("metadata of the seal: %+v", revision.ObjectMeta)
	}
	// The API server decodes and encodes the data on its way to storage and back.
	var stored any
	if err := json.Unmarshal(revision.Data.Raw, &stored); err != nil {
		t.Fatal(err)
	}
	revision.Data.Raw, _ = json.Marshal(stored)

	parsed, err := ParseSeal(revision)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(children(t, seal)), string(children(t, parsed))); diff != "" {
		t.Errorf("children differ after storage (-rendered +parsed):\n%s", diff)
	}
	if diff := cmp.Diff(seal.Sealed(), parsed.Sealed()); diff != "" {
		t.Errorf("Sealed differs after storage (-rendered +parsed):\n%s", diff)
	}
	if parsed.OwnerUID() != rel.UID {
		t.Errorf("owner %q, want %q", parsed.OwnerUID(), rel.UID)
	}
}

func TestRenderIsDeterministicAndLeavesTheReleaseAlone(t *testing.T) {
	rel := shop(t)
	first, err := Render(rel, Digests{}, shopSnapshots())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(shop(t), rel); diff != "" {
		t.Errorf("the release was changed:\n%s", diff)
	}
	second, err := Render(rel, Digests{}, shopSnapshots())
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(first)
	b, _ := json.Marshal(second)
	if !bytes.Equal(a, b) {
		t.Error("two seals of one release differ")
	}
}

func TestSealedImages(t *testing.T) {
	var got []string
	for _, image := range shopSeal(t).Sealed().Images {
		got = append(got, image.Component+" "+image.Container+" "+image.Image[len("registry.example.com/shop/"):][:4])
	}
	want := []string{
		"web warmup warm", "web web web@", "web assets asse", "api api api@", "worker worker work",
		" smoke/smoke smok", " error-rate/ask ask@",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

func TestParseSealRefuses(t *testing.T) {
	tests := []struct {
		name, data, want string
	}{
		{"no JSON", `[]`, "decode seal shop-1-4-2-seal"},
		{"another scheme", `{"scheme":"strata/2","releaseName":"shop-1-4-2"}`, `scheme "strata/2"`},
		{"another release", `{"scheme":"strata/1","releaseName":"cart-1"}`, `of release "cart-1"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			revision := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: "shop-1-4-2-seal"}}
			revision.Data.Raw = []byte(test.data)
			if _, err := ParseSeal(revision); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestSealOfAnotherBuildIsNotHalfRead(t *testing.T) {
	seal := shopSeal(t)
	unknown := func(raw json.RawMessage) json.RawMessage {
		return bytes.Replace(raw, []byte(`"spec":{`), []byte(`"spec":{"notKnownYet":1,`), 1)
	}
	seal.Components[0].Deployment = unknown(seal.Components[0].Deployment)
	seal.Components[0].Service = unknown(seal.Components[0].Service)
	seal.Tests[0].Job = unknown(seal.Tests[0].Job)

	_, deploymentErr := seal.Deployment("web", 1, 1)
	_, serviceErr := seal.Service("web")
	_, jobErr := seal.Job("smoke", 1, nil, 1)
	for _, err := range []error{deploymentErr, serviceErr, jobErr} {
		if err == nil || !strings.Contains(err.Error(), "notKnownYet") {
			t.Errorf("error %v, want one that names the unknown field", err)
		}
	}
}

func TestSealWithoutSuchAPart(t *testing.T) {
	seal := shopSeal(t)
	if _, err := seal.Deployment("cart", 1, 1); err == nil {
		t.Error("a Deployment of a component that is not there")
	}
	if _, err := seal.Service("cart"); err == nil {
		t.Error("a Service of a component that is not there")
	}
	if _, err := seal.Job("load", 1, nil, 1); err == nil {
		t.Error("a Job of a test that is not there")
	}
	if service, err := seal.Service("worker"); service != nil || err != nil {
		t.Errorf("Service of a component without ports: %v, %v", service, err)
	}
}

func TestRestoredSealIsGivenAnOwner(t *testing.T) {
	rel := shop(t)
	revision, err := shopSeal(t).ControllerRevision(rel)
	if err != nil {
		t.Fatal(err)
	}
	revision.OwnerReferences = nil
	seal, err := ParseSeal(revision)
	if err != nil {
		t.Fatal(err)
	}
	if seal.OwnerUID() != "" {
		t.Errorf("owner %q of a seal without one", seal.OwnerUID())
	}
	orphan, err := seal.Service("web")
	if err != nil || len(orphan.OwnerReferences) != 0 {
		t.Errorf("child of a seal without owner: %v, %v", orphan, err)
	}
	rel.UID = "restored"
	owned, err := seal.For(rel).Service("web")
	if err != nil || !metav1.IsControlledBy(owned, rel) {
		t.Errorf("child of the restored release: %v, %v", owned, err)
	}
}

// TestSealIsEncodedAsTheServerDoes: a patch of its metadata has the API server encode
// the data anew, and a byte that changes is refused.
func TestSealIsEncodedAsTheServerDoes(t *testing.T) {
	revision, err := shopSeal(t).ControllerRevision(shop(t))
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(revision.Data.Raw, &fields); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(again), string(revision.Data.Raw)); diff != "" {
		t.Errorf("encoded anew (-) it differs from what is written (+):\n%s", diff)
	}
}

func TestSealTooLarge(t *testing.T) {
	rel := shop(t)
	rel.Spec.Components[0].Template.Annotations = map[string]string{"large": strings.Repeat("x", maxSealBytes)}
	seal, err := Render(rel, Digests{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seal.ControllerRevision(rel); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("error %v, want one that says too large", err)
	}
}

func TestStamp(t *testing.T) {
	meta := &metav1.ObjectMeta{}
	if got := StampOf(meta); got != 0 {
		t.Errorf("stamp %d without any", got)
	}
	Stamp(meta, 42)
	if got := StampOf(meta); got != 42 {
		t.Errorf("stamp %d, want 42", got)
	}
	meta.Annotations[v1alpha1.AnnotationSequence] = "forty-two"
	if got := StampOf(meta); got != 0 {
		t.Errorf("stamp %d of what is no number", got)
	}
}

func TestTestDeadline(t *testing.T) {
	rel := shop(t)
	short, long := int64(20), int64(90000)
	for _, test := range []struct {
		written *int64
		want    int64
	}{{nil, 310}, {&short, 20}, {&long, 310}} {
		rel.Spec.Tests[0].Template.Spec.ActiveDeadlineSeconds = test.written
		seal, err := Render(rel, Digests{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		job, err := seal.Job("smoke", 1, nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		if got := *job.Spec.ActiveDeadlineSeconds; got != test.want {
			t.Errorf("activeDeadlineSeconds %d, want %d", got, test.want)
		}
	}
}

func BenchmarkSealToChildren(b *testing.B) {
	revision, err := shopSeal(b).ControllerRevision(shop(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		seal, err := ParseSeal(revision)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := seal.Job("smoke", 1, nil, 1); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkClaimOf(b *testing.B) {
	seal := shopSeal(b)
	job, err := seal.Job("smoke", 1, nil, 1)
	if err != nil {
		b.Fatal(err)
	}
	live := job.DeepCopy()
	b.ReportAllocs()
	for b.Loop() {
		if claim := ClaimOf(job, live, seal.OwnerUID()); claim.Presence != rollout.Ours {
			b.Fatal(claim.Why)
		}
	}
}
