package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
)

// steps are applied in this order to the schema of every kind. A step that finds
// nothing to do in a kind leaves it as it is.
var steps = []func(root *schema){
	// Rules may point at it.
	declareName,

	// What comes from the Gateway API (gateway.go).
	dropExperimental,
	boundPaths,

	// Stored as written, compared whole.
	inlineDefaults,
	dropDefaults,
	makeFrozenAtomic,
	dropNestedTransitionRules,

	// Pod and Job templates (templates.go).
	pinImages,
	refuseEphemeralContainers,
	restrictMetadata,
	restrictComponentPods,
	restrictJobs,
	boundPods,
	checkPods,
	uniqueNames,
	dropTemplateDescriptions,
	dropRouteDescriptions,
	dropReleaseDescriptions,

	boundImportedFields,
	reflowDescriptions,
}

func process(crd *apiextensionsv1.CustomResourceDefinition) {
	for i := range crd.Spec.Versions {
		root := crd.Spec.Versions[i].Schema.OpenAPIV3Schema
		for _, step := range steps {
			step(root)
		}
	}
}

// declareName names metadata.name in the schema of kinds with a rule on it, so that
// the refusal can give it as the path.
func declareName(root *schema) {
	for _, r := range root.XValidations {
		if r.FieldPath == ".metadata.name" {
			root.Properties["metadata"] = schema{Type: "object", Properties: map[string]schema{"name": {Type: "string"}}}
		}
	}
}

// inlineDefaults writes the defaults of fields into the rules that read them.
// Upstream rules such as "self.type in ['Exact']" count on a default; without it
// they would fail with "no such key".
func inlineDefaults(root *schema) {
	walk("", root, func(path string, s *schema) {
		if !inSpec(path) {
			return
		}
		for name, property := range s.Properties {
			if property.Default == nil {
				continue
			}
			for i := range s.XValidations {
				s.XValidations[i].Rule = inlineDefault(s.XValidations[i].Rule, name, string(property.Default.Raw))
			}
		}
	})
}

// inlineDefault replaces every read of self.<field> by a read that falls back to
// the value, and has(self.<field>), which holds where there is a default, by true.
func inlineDefault(rule, field, value string) string {
	reads := regexp.MustCompile(`has\(self\.` + field + `\)|\bself\.` + field + `\b`)
	return reads.ReplaceAllStringFunc(rule, func(read string) string {
		if strings.HasPrefix(read, "has(") {
			return "true"
		}
		return fmt.Sprintf("(has(%s) ? %s : %s)", read, read, value)
	})
}

// dropDefaults removes every default under spec. A default added in a later
// version would change specs at the same resourceVersion; removed again it would
// make the original manifest a refused change; and client-side apply would find a
// difference for ever.
func dropDefaults(root *schema) {
	walk("", root, func(path string, s *schema) {
		if inSpec(path) {
			s.Default = nil
		}
	})
}

// makeFrozenAtomic makes what never changes, or never under one version, and all lists
// and maps in it, atomic. Items of a keyed list have no order for the API server: init
// containers that change places would be equal to what was there, be admitted and stored.
// It also makes managedFields a tenth. All else keeps its keyed lists: several writers may
// own items of them, and keys are unique at no cost.
func makeFrozenAtomic(root *schema) {
	for _, content := range contents {
		at(root, content, func(s *schema) {
			if isFrozen(s) {
				makeAtomic(s)
			}
		})
	}
}

// makeAtomic leaves unsaid that a list is atomic, which it is where nothing is said, and
// that an object below an atomic one is: that is 13 KB of JSON each time.
func makeAtomic(root *schema) {
	walk("", root, func(_ string, s *schema) { s.XListType, s.XListMapKeys, s.XMapType = nil, nil, nil })
	root.XMapType = ptr.To("atomic")
}

// isFrozen says whether a schema compares itself as a whole with what was there.
func isFrozen(s *schema) bool {
	return slices.ContainsFunc(s.XValidations, func(r apiextensionsv1.ValidationRule) bool { return strings.HasSuffix(r.Rule, "self == oldSelf") })
}

// dropNestedTransitionRules removes the rules below these that read oldSelf: in an
// atomic list there is no old item to compare with, and the CRD would be refused.
func dropNestedTransitionRules(root *schema) {
	walk("", root, func(path string, s *schema) {
		if !inSpec(path) || slices.Contains(contents, path) {
			return
		}
		var kept apiextensionsv1.ValidationRules
		for _, r := range s.XValidations {
			if !strings.Contains(r.Rule, "oldSelf") {
				kept = append(kept, r)
			}
		}
		s.XValidations = kept
	})
}

// Bounds for what embedded types leave open.
const (
	importedString     = 253
	importedList       = 64
	importedProperties = 64
)

// boundImportedFields bounds the strings, lists and maps of embedded types outside
// the templates, which are bounded by the size of a request alone.
func boundImportedFields(root *schema) {
	walk("", root, func(path string, s *schema) {
		if path == "" || inTemplate(path) || !(inSpec(path) || strings.HasPrefix(path, "status.")) {
			return
		}
		if isText(s) && s.MaxLength == nil && len(s.Enum) == 0 && s.Format != "date-time" {
			s.MaxLength = ptr.To[int64](importedString)
		}
		if s.Type == "array" && s.MaxItems == nil {
			s.MaxItems = ptr.To[int64](importedList)
		}
		if s.AdditionalProperties != nil && s.MaxProperties == nil {
			s.MaxProperties = ptr.To[int64](importedProperties)
		}
	})
}

func isText(s *schema) bool {
	return s.Type == "string" || s.XIntOrString
}

// block is the begin of a line that is not the middle of a sentence: lists, code,
// headings, markup.
var block = regexp.MustCompile("(?m)^([-*+`#<>{|\\s]|[0-9]+[.)])")

// reflowDescriptions joins the lines of each paragraph, for "kubectl explain" breaks
// lines itself, and would break each of them twice.
func reflowDescriptions(root *schema) {
	walk("", root, func(_ string, s *schema) {
		paragraphs := strings.Split(s.Description, "\n\n")
		for i, p := range paragraphs {
			if !block.MatchString(p) {
				paragraphs[i] = strings.ReplaceAll(p, "\n", " ")
			}
		}
		s.Description = strings.Join(paragraphs, "\n\n")
	})
}
