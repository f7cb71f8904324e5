package validation

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
)

// samples are the objects of config/samples of one kind, as JSON.
func samples(f *testing.F, kind string) [][]byte {
	f.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "..", "config", "samples", "*", "*.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	var all [][]byte
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for document := range strings.SplitSeq(string(content), "\n---\n") {
			data, err := yaml.YAMLToJSON([]byte(document))
			if err != nil {
				f.Fatalf("%s: %v", file, err)
			}
			if strings.Contains(string(data), `"kind":"`+kind+`"`) {
				all = append(all, data)
			}
		}
	}
	if len(all) == 0 {
		f.Fatalf("no sample of a %s", kind)
	}
	return all
}

// FuzzValidateRelease: whatever is asked for is answered, twice with the same, and every
// refusal has a path and says why.
func FuzzValidateRelease(f *testing.F) {
	for _, sample := range samples(f, "ImmutableRelease") {
		f.Add(sample)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var release v1alpha1.ImmutableRelease
		if json.Unmarshal(data, &release) != nil {
			t.Skip()
		}
		before := release.DeepCopy()
		errs := ValidateRelease(&release)
		if !reflect.DeepEqual(before, &release) {
			t.Error("what was looked at was changed")
		}
		for _, err := range errs {
			if err.Field == "" || err.ErrorBody() == "" {
				t.Errorf("a refusal that helps nobody: %+v", err)
			}
		}
		if again := ValidateRelease(&release); len(again) != len(errs) {
			t.Errorf("%v, then %v", errs, again)
		}
	})
}

// FuzzValidateTrack does so for tracks.
func FuzzValidateTrack(f *testing.F) {
	for _, sample := range samples(f, "ReleaseTrack") {
		f.Add(sample)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var track v1alpha1.ReleaseTrack
		if json.Unmarshal(data, &track) != nil {
			t.Skip()
		}
		for _, err := range ValidateTrack(&track) {
			if err.Field == "" || err.ErrorBody() == "" {
				t.Errorf("a refusal that helps nobody: %+v", err)
			}
		}
	})
}

// FuzzValidatePolicy does so for policies, whose patterns and keys are anybody's.
func FuzzValidatePolicy(f *testing.F) {
	for _, sample := range samples(f, "ReleasePolicy") {
		f.Add(sample)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var policy v1alpha1.ReleasePolicy
		if json.Unmarshal(data, &policy) != nil {
			t.Skip()
		}
		for _, err := range ValidatePolicy(&policy) {
			if err.Field == "" || err.ErrorBody() == "" {
				t.Errorf("a refusal that helps nobody: %+v", err)
			}
		}
	})
}

// FuzzSpecChanges: two specs differ exactly where a difference is told of, and the same
// way round.
func FuzzSpecChanges(f *testing.F) {
	f.Add([]byte(`{"spec":{"a":[{"name":"x"},{"name":"y"}]}}`), []byte(`{"spec":{"a":[{"name":"y"},{"name":"x"}]}}`))
	f.Add([]byte(`{"spec":{"a":0.5}}`), []byte(`{"spec":{"a":"500m"}}`))
	f.Add([]byte(`{"spec":{"a":[{"name":"x"},{"name":"x"}],"b":null}}`), []byte(`{"spec":{"a":[{"name":"x"}]}}`))
	f.Add([]byte(`{}`), []byte(`{"speC":{"":[]}}`))
	f.Fuzz(func(t *testing.T, old, now []byte) {
		there, err := SpecChanges(old, now)
		if err != nil {
			return
		}
		back, err := SpecChanges(now, old)
		if err != nil || len(back) != len(there) {
			t.Fatalf("%v there, %v back: %v", there, back, err)
		}
		if differ := !reflect.DeepEqual(specOf(t, old), specOf(t, now)); differ != (len(there) > 0) {
			t.Errorf("differ %t, told %v", differ, there)
		}
		_ = Summarize(there)
	})
}

// FuzzValidateImage: what passes is a reference by digest that every client of registries
// reads, and with the very digest.
func FuzzValidateImage(f *testing.F) {
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	for _, image := range []string{"shop@" + digest, "registry.example.com:5000/shop/app:1.4.2@" + digest, "shop:1", "[::1]:5000/a@" + digest, "a//b@" + digest, "a@" + digest + "@" + digest} {
		f.Add(image)
	}
	f.Fuzz(func(t *testing.T, image string) {
		errs := validateImage(image, field.NewPath("image"))
		for _, err := range errs {
			if err.ErrorBody() == "" {
				t.Errorf("a refusal that helps nobody: %+v", err)
			}
		}
		if len(errs) > 0 {
			return
		}
		reference, err := name.NewDigest(image)
		if err != nil || !strings.HasSuffix(image, "@"+reference.DigestStr()) {
			t.Errorf("%q passes, and is read as %s: %v", image, reference, err)
		}
	})
}

// specOf an object. The name is spec and nothing else, as for the API server.
func specOf(t *testing.T, data []byte) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		t.Fatal(err)
	}
	return object["spec"]
}
