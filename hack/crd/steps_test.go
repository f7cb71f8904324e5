package main

import (
	"encoding/json"
	"regexp"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

func TestInlineDefault(t *testing.T) {
	for rule, want := range map[string]string{
		"self.type == 'Exact'":                     `(has(self.type) ? self.type : "PathPrefix") == 'Exact'`,
		"has(self.type) && self.type in ['Exact']": `true && (has(self.type) ? self.type : "PathPrefix") in ['Exact']`,
		"self.typeName == 'x'":                     "self.typeName == 'x'",
		"self.path.type == 'x'":                    "self.path.type == 'x'",
		"size(self.type) == 0":                     `size((has(self.type) ? self.type : "PathPrefix")) == 0`,
	} {
		if got := inlineDefault(rule, "type", `"PathPrefix"`); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", rule, got, want)
		}
	}
}

// properties makes an object.
func properties(p map[string]schema) schema { return schema{Type: "object", Properties: p} }

func TestDefaultsGoFromSpecAlone(t *testing.T) {
	field := schema{Type: "string", Default: &apiextensionsv1.JSON{Raw: []byte(`"x"`)}}
	root := properties(map[string]schema{
		"spec":   properties(map[string]schema{"a": field}),
		"status": properties(map[string]schema{"a": field}),
	})
	dropDefaults(&root)
	if root.Properties["spec"].Properties["a"].Default != nil {
		t.Error("spec keeps a default")
	}
	if root.Properties["status"].Properties["a"].Default == nil {
		t.Error("status lost its default")
	}
}

func TestListsOfFrozenSpecsHaveAnOrder(t *testing.T) {
	for _, frozen := range []bool{true, false} {
		spec := properties(map[string]schema{"items": {Type: "array", XListType: ptr.To("map"), XListMapKeys: []string{"name"}}})
		want := ptr.To("map")
		if frozen {
			want = nil // Atomic.
			rule(&spec, "", "self == oldSelf", "immutable")
		}
		root := properties(map[string]schema{"spec": spec})
		makeFrozenAtomic(&root)
		if got := root.Properties["spec"].Properties["items"]; !ptr.Equal(got.XListType, want) || (got.XListMapKeys == nil) != frozen {
			t.Errorf("frozen %t: a list became %s by %v", frozen, ptr.Deref(got.XListType, "atomic"), got.XListMapKeys)
		}
	}
}

func TestExperimentalFieldsGo(t *testing.T) {
	root := properties(map[string]schema{"spec": properties(map[string]schema{
		"new": {Type: "string", Description: "New is new.\n\n<gateway:experimental>"},
		"old": {Type: "string", Description: "Old is old.\n<gateway:experimental:description>\nAnd more.\n</gateway:experimental:description>\n<gateway:util:excludeFromCRD>\nNote.\n</gateway:util:excludeFromCRD>\n<gateway:experimental:validation:Enum=A;B>"},
	})})
	dropExperimental(&root)
	spec := root.Properties["spec"]
	if _, there := spec.Properties["new"]; there {
		t.Error("an experimental field stays")
	}
	if got := spec.Properties["old"].Description; got != "Old is old." {
		t.Errorf("description: %q", got)
	}
}

func TestDescriptionsFlow(t *testing.T) {
	root := schema{Description: "name of the\nthing.\n\nOne of\n- a\n- b"}
	reflowDescriptions(&root)
	if root.Description != "name of the thing.\n\nOne of\n- a\n- b" {
		t.Errorf("%q", root.Description)
	}
}

// The words of an image pattern, each by itself; test/schema has the whole table.
func TestImagePattern(t *testing.T) {
	const sum = "@sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	pattern := regexp.MustCompile(imagePattern)
	for image, want := range map[string]bool{
		"registry.example.com/shop/web" + sum:       true,
		"registry.example.com:5000/web:1.4.2" + sum: true,
		"shop/web" + sum:                            false,
		"registry.example.com/shop/web:1.4.2":       false,
	} {
		if pattern.MatchString(image) != want {
			t.Errorf("%s: want %t", image, want)
		}
	}
}

func TestEncodeLeavesStatusOut(t *testing.T) {
	crd := apiextensionsv1.CustomResourceDefinition{}
	crd.Name = "things.strata.dev"
	out, err := encode(&crd)
	if err != nil {
		t.Fatal(err)
	}
	if json.Valid(out) || regexp.MustCompile(`(?m)^status:`).Match(out) {
		t.Errorf("got %s", out)
	}
}
