package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/strata-release/strata/api/v1alpha1"
)

var shopDigests = []v1alpha1.SnapshotDigest{
	{Kind: v1alpha1.ConfigMapKind, Name: "shop-settings", Copy: "any", Digest: "sha256:aa"},
	{Kind: v1alpha1.SecretKind, Name: "shop-keys", Copy: "any", Digest: "sha256:bb"},
}

func storedSpec(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "spec.json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestVectors holds digests that were computed by another program, from the words
// of the package comment alone. They never change: a digest that is computed
// otherwise has another scheme.
func TestVectors(t *testing.T) {
	spec := storedSpec(t)
	digests, err := Digests(spec, shopDigests)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := Digest(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, vector := range []struct{ name, got, want string }{
		{"content", digests.Content, "sha256:82230f1dc7a7411e4fd841de6ec73bbb9dd4b97d9639809cf161526cee119301"},
		{"release", digests.Release, "sha256:0cc71e5205e2517938eaf0d00d3a88a2ec015452d7769d2c2f63ea7697e45daa"},
		{"release without configuration", bare, "sha256:1ebc9974844c340f41bd60ba2b63919401b60f836093fb2fd0ae127495750393"},
	} {
		if vector.got != vector.want {
			t.Errorf("%s: %s, want %s", vector.name, vector.got, vector.want)
		}
	}
}

// change is one edit of a decoded spec, with its path.
type change struct {
	path string
	spec []byte
}

// everyChange makes every spec that differs from the given one in one place: a
// value changed, removed, or two neighbours of a list exchanged.
func everyChange(t *testing.T, spec []byte) []change {
	t.Helper()
	var root any
	if err := json.Unmarshal(spec, &root); err != nil {
		t.Fatal(err)
	}
	var changes []change
	note := func(path string) {
		data, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, change{path, data})
	}
	var walk func(path string, value any, set func(any))
	walk = func(path string, value any, set func(any)) {
		switch v := value.(type) {
		case map[string]any:
			for key, inner := range v {
				walk(path+"."+key, inner, func(n any) { v[key] = n })
				delete(v, key)
				note(path + "." + key)
				v[key] = inner
			}
			v["added"] = true
			note(path + ".added")
			delete(v, "added")
		case []any:
			for i, inner := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), inner, func(n any) { v[i] = n })
				if i > 0 && !reflect.DeepEqual(v[i-1], v[i]) {
					v[i-1], v[i] = v[i], v[i-1]
					note(fmt.Sprintf("%s[%d]", path, i))
					v[i-1], v[i] = v[i], v[i-1]
				}
			}
		case string:
			set(v + " ")
			note(path)
			set(v)
		case float64:
			set(v + 1)
			note(path)
			set(fmt.Sprint(v))
			note(path)
			set(v)
		}
	}
	walk("", root, nil)
	return changes
}

func hasAnyPrefix(path string, prefixes ...string) bool {
	for _, prefix := range prefixes {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

func TestEveryChangeIsAnotherDigest(t *testing.T) {
	// As a string, because encoding/json here reads numbers as doubles.
	spec := bytes.ReplaceAll(storedSpec(t), []byte("9007199254740993"), []byte(`"9007199254740993"`))
	digests, err := Digests(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	changes := everyChange(t, spec)
	if len(changes) < 100 {
		t.Fatalf("only %d changes", len(changes))
	}
	for _, c := range changes {
		changed, err := Digests(c.spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		isCapacity := hasAnyPrefix(c.path, ".components[0].replicas", ".components[0].autoscaling.minReplicas", ".components[0].autoscaling.maxReplicas")
		if same := changed.Release == digests.Release; same != isCapacity {
			t.Errorf("%s: same digest %t, is capacity %t", c.path, same, isCapacity)
		}
		isContent := c.path == ".components" || hasAnyPrefix(c.path, ".version", ".source", ".tests",
			".components[0].name", ".components[0].ports", ".components[0].template")
		if same := changed.Content == digests.Content; same == isContent {
			t.Errorf("%s: same contentDigest %t, is content %t", c.path, same, isContent)
		}
	}
}

func TestSnapshotsAreInTheDigest(t *testing.T) {
	spec := storedSpec(t)
	base, err := Digest(spec, shopDigests)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*v1alpha1.SnapshotDigest){
		"kind":   func(s *v1alpha1.SnapshotDigest) { s.Kind = v1alpha1.SecretKind },
		"name":   func(s *v1alpha1.SnapshotDigest) { s.Name = "x" },
		"digest": func(s *v1alpha1.SnapshotDigest) { s.Digest = "x" },
	} {
		edited := append([]v1alpha1.SnapshotDigest(nil), shopDigests...)
		edit(&edited[0])
		if got, err := Digest(spec, edited); err != nil || got == base {
			t.Errorf("%s of a snapshot is not in the digest (%v)", name, err)
		}
	}
	edited := append([]v1alpha1.SnapshotDigest(nil), shopDigests...)
	edited[0].Copy = "another release's copy"
	if got, err := Digest(spec, edited); err != nil || got != base {
		t.Errorf("the name of a copy is in the digest (%v)", err)
	}
}

// written writes a decoded spec with its keys in a random order and random blanks.
func written(out *bytes.Buffer, value any, random *rand.Rand) {
	blank := func() { out.WriteString([]string{"", " ", "\n\t", "  "}[random.IntN(4)]) }
	blank()
	switch v := value.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for key := range v {
			keys = append(keys, key)
		}
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		out.WriteByte('{')
		for i, key := range keys {
			if i > 0 {
				out.WriteByte(',')
			}
			blank()
			name, _ := json.Marshal(key)
			out.Write(name)
			blank()
			out.WriteByte(':')
			written(out, v[key], random)
		}
		out.WriteByte('}')
	case []any:
		out.WriteByte('[')
		for i, inner := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			written(out, inner, random)
		}
		out.WriteByte(']')
	default:
		data, _ := json.Marshal(v)
		out.Write(data)
	}
	blank()
}

func TestOneContentHasOneDigest(t *testing.T) {
	spec := storedSpec(t)
	want, err := Digests(spec, shopDigests)
	if err != nil {
		t.Fatal(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(spec))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var out bytes.Buffer
		written(&out, decoded, random)
		got, err := Digests(out.Bytes(), shopDigests)
		if err != nil || got != want {
			t.Fatalf("%+v, %v, want %+v for\n%s", got, err, want, out.Bytes())
		}
	}
}

func TestNumbers(t *testing.T) {
	with := func(number string) string {
		digest, err := Digest([]byte(`{"n":`+number+`}`), nil)
		if err != nil {
			t.Fatalf("%s: %v", number, err)
		}
		return digest
	}
	different := []string{
		"0", "1", "-1", "0.5", `"1"`, "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993",
		"9223372036854775806", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
		"100000000000000000000000000000000", "100000000000000000000000000000001", `"9007199254740993"`,
	}
	seen := map[string]string{}
	for _, number := range different {
		digest := with(number)
		if other, taken := seen[digest]; taken {
			t.Errorf("%s and %s have one digest", number, other)
		}
		seen[digest] = number
	}
	for _, same := range [][2]string{{"1", "1.0"}, {"10", "1e1"}, {"0", "-0"}, {"0.5", "5e-1"}} {
		if with(same[0]) != with(same[1]) {
			t.Errorf("%s and %s have two digests", same[0], same[1])
		}
	}
}

func TestWhatIsNoSpec(t *testing.T) {
	for _, data := range []string{``, `null`, `[]`, `1`, `{`, `{} {}`, `{"version":1e999}`} {
		if digest, err := ContentDigest([]byte(data)); err == nil {
			t.Errorf("ContentDigest of %q is %s", data, digest)
		}
		if digest, err := Digest([]byte(data), nil); err == nil {
			t.Errorf("Digest of %q is %s", data, digest)
		}
		if digests, err := Digests([]byte(data), nil); err == nil {
			t.Errorf("Digests of %q are %+v", data, digests)
		}
	}
}

func TestComponentsOfAnotherShape(t *testing.T) {
	// The schema lets none of these through; a digest of them is still one.
	seen := map[string]bool{}
	for _, data := range []string{`{}`, `{"components":null}`, `{"components":"web"}`, `{"components":["web"]}`, `{"components":[{"autoscaling":1}]}`} {
		digest, err := Digest([]byte(data), nil)
		if err != nil || seen[digest] {
			t.Errorf("%s: %s, %v", data, digest, err)
		}
		seen[digest] = true
	}
}

func FuzzDigest(f *testing.F) {
	f.Add(storedSpec(f))
	f.Add([]byte(`{"components":[{"name":"a","replicas":9223372036854775807}],"version":"\u0000"}`))
	f.Fuzz(func(t *testing.T, spec []byte) {
		digest, err := Digest(spec, nil)
		if err != nil {
			return
		}
		// What the API server would store of it has the same digest.
		decoder := json.NewDecoder(bytes.NewReader(spec))
		decoder.UseNumber()
		var decoded map[string]any
		if err := decoder.Decode(&decoded); err != nil {
			t.Fatalf("a digest of what is no JSON object: %q", spec)
		}
		var out bytes.Buffer
		written(&out, decoded, rand.New(rand.NewPCG(3, uint64(len(spec)))))
		if again, err := Digest(out.Bytes(), nil); err != nil || again != digest {
			t.Fatalf("%s, then %s (%v) for %q", digest, again, err, spec)
		}
	})
}

func BenchmarkDigests(b *testing.B) {
	spec := storedSpec(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Digests(spec, shopDigests); err != nil {
			b.Fatal(err)
		}
	}
}

// Both digests of one reading are those of two: a number that no double holds is spelled
// out in either.
func TestDigestsOfOneReading(t *testing.T) {
	spec := []byte(`{"trackName":"shop","version":"1","components":[{"name":"web","replicas":3,"template":{"spec":{"activeDeadlineSeconds":9007199254740993,"containers":[{"name":"web","ports":[{"containerPort":8080}]}]}}}],"tests":[{"name":"smoke","deadlineSeconds":9007199254740995}]}`)
	content, err := ContentDigest(spec)
	if err != nil {
		t.Fatal(err)
	}
	release, err := Digest(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	if both, err := Digests(spec, nil); err != nil || both.Content != content || both.Release != release {
		t.Errorf("%+v, %v, want %s and %s", both, err, content, release)
	}
}
