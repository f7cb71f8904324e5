package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/controllers/resources"
)

// bases are the committed CRDs' schemas, by kind.
func bases(t *testing.T) map[string]*schema {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "config", "crd", "bases", "*.yaml"))
	if err != nil || len(files) != 5 {
		t.Fatalf("want the CRDs of 5 kinds, got %v, %v", files, err)
	}
	out := map[string]*schema{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, &crd); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out[crd.Spec.Names.Kind] = crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	}
	return out
}

// eachField visits every schema of every kind, under spec and status.
func eachField(t *testing.T, visit func(kind, path string, s *schema)) {
	for kind, root := range bases(t) {
		walk("", root, func(path string, s *schema) {
			if inSpec(path) || path == "status" || strings.HasPrefix(path, "status.") {
				visit(kind, path, s)
			}
		})
	}
}

func TestSpecsAreStoredAsWritten(t *testing.T) {
	eachField(t, func(kind, path string, s *schema) {
		if !inSpec(path) {
			return
		}
		if s.Default != nil {
			t.Errorf("%s %s has a default", kind, path)
		}
		if s.XPreserveUnknownFields != nil {
			t.Errorf("%s %s takes unknown fields, which a comparison may miss", kind, path)
		}
		inContent := slices.Contains(frozenKinds, kind) || strings.HasPrefix(path, "spec.releaseTemplate.")
		if s.Type == "array" && inContent && s.XListType != nil && *s.XListType != "atomic" {
			t.Errorf("%s %s is a list without order", kind, path)
		}
		if s.XMapType != nil && *s.XMapType != "atomic" {
			t.Errorf("%s %s is a map of many owners", kind, path)
		}
		for _, r := range s.XValidations {
			if !slices.Contains(contents, path) && strings.Contains(r.Rule, "oldSelf") {
				t.Errorf("%s %s compares with an old item, which an atomic list does not have: %s", kind, path, r.Rule)
			}
		}
	})
}

var frozenKinds = []string{"ImmutableRelease", "ReleaseRecord", "ReleaseAction"}

func TestFrozenKinds(t *testing.T) {
	for kind, root := range bases(t) {
		spec := root.Properties["spec"]
		if !slices.Contains(root.Required, "spec") {
			t.Errorf("%s: spec is not required: removing it would be no change of it", kind)
		}
		if want := slices.Contains(frozenKinds, kind); isFrozen(&spec) != want || (spec.XMapType != nil) != want {
			t.Errorf("%s: frozen %t, atomic %t, want both %t", kind, isFrozen(&spec), spec.XMapType != nil, want)
		}
	}
}

func TestEverythingIsBounded(t *testing.T) {
	eachField(t, func(kind, path string, s *schema) {
		switch {
		case inTemplate(path):
		case isText(s) && s.MaxLength == nil && len(s.Enum) == 0 && s.Format != "date-time":
			t.Errorf("%s %s: a string without bounds", kind, path)
		case s.Type == "array" && s.MaxItems == nil:
			t.Errorf("%s %s: a list without bounds", kind, path)
		case s.AdditionalProperties != nil && s.MaxProperties == nil:
			t.Errorf("%s %s: a map without bounds", kind, path)
		}
	})
}

func TestEveryImageIsPinned(t *testing.T) {
	found := 0
	eachField(t, func(kind, path string, s *schema) {
		isImage := inTemplate(path) && (strings.HasSuffix(path, "ontainers[].image") || strings.HasSuffix(path, "volumes[].image.reference"))
		if !isImage {
			return
		}
		found++
		if s.Pattern != imagePattern || s.MaxLength == nil || *s.MaxLength != imageLength {
			t.Errorf("%s %s takes %q", kind, path, s.Pattern)
		}
	})
	if found != 12 {
		t.Errorf("%d places for images, want containers, init containers and volumes of components and tests, of releases and of the template in a track", found)
	}
}

// What a track creates a release from takes and refuses what the release does: nothing of
// it could not be created, and nothing is lost.
func TestTheTemplateIsARelease(t *testing.T) {
	all := bases(t)
	release, template := all["ImmutableRelease"].Properties["spec"], all["ReleaseTrack"].Properties["spec"].Properties["releaseTemplate"]
	delete(release.Properties, "trackName")
	release.Required = slices.DeleteFunc(release.Required, func(name string) bool { return name == "trackName" })
	if len(template.XValidations) != 1 || *template.XMapType != "atomic" {
		t.Errorf("the template has the rules %v and the type %v", template.XValidations, template.XMapType)
	}
	release.XValidations, template.XValidations = nil, nil
	release.Description, template.Description = "", ""
	walk("", &release, func(_ string, s *schema) { s.Description = "" })
	if diff := cmp.Diff(release, template); diff != "" {
		t.Errorf("the template is no release (-release +template):\n%s", diff)
	}
}

// imported are fields of other APIs, with their own documentation.
var imported = regexp.MustCompile(`\.(parentRefs|hostnames|matches|filters|timeouts|metrics|behavior|namespaceSelector)(\[\])?\.|^status\.conditions\[\]\.`)

func TestTheManual(t *testing.T) {
	eachField(t, func(kind, path string, s *schema) {
		if inTemplate(path) || imported.MatchString(path) || strings.HasPrefix(path, "spec.releaseTemplate.") {
			return
		}
		name := path[strings.LastIndex(path, ".")+1:]
		if strings.HasSuffix(name, "[]") || strings.HasSuffix(name, "{}") {
			return // described by the list
		}
		if word, _, _ := strings.Cut(s.Description, " "); strings.Trim(word, ",.:") != name {
			t.Errorf("%s %s: the description begins with %q", kind, path, word)
		}
	})
}

func TestManualIsForReaders(t *testing.T) {
	for kind, root := range bases(t) {
		walk("", root, func(path string, s *schema) {
			for _, mark := range []string{"<gateway:", "+optional", "+kubebuilder", "+listType"} {
				if strings.Contains(s.Description, mark) {
					t.Errorf("%s %s: the description has a mark for generators: %s", kind, path, mark)
				}
			}
			if inTemplate(path) && s.Description != "" {
				t.Errorf("%s %s: Kubernetes' own description", kind, path)
			}
		})
	}
}

// The names that users choose must fit the names that are derived from them.
func TestNamesFit(t *testing.T) {
	all := bases(t)
	for _, want := range []struct {
		kind, path string
		limit      int64
	}{
		{"ImmutableRelease", "spec.trackName", resources.MaxTrackName},
		{"ImmutableRelease", "spec.components[].name", resources.MaxComponentName},
		{"ImmutableRelease", "spec.tests[].name", resources.MaxTestName},
		{"ReleaseTrack", "spec.releaseName", resources.MaxReleaseName},
		{"ReleaseTrack", "spec.traffic.routes[].name", resources.MaxRouteName},
		{"ReleaseTrack", "spec.traffic.routes[].componentName", resources.MaxComponentName},
		{"ReleaseRecord", "spec.trackName", resources.MaxTrackName},
		{"ReleaseAction", "spec.releaseName", resources.MaxReleaseName},
	} {
		got := int64(-1)
		at(all[want.kind], want.path, func(s *schema) { got = *s.MaxLength })
		if got != want.limit {
			t.Errorf("%s %s: at most %d characters, want %d", want.kind, want.path, got, want.limit)
		}
	}
}
