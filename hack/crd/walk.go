package main

import (
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

type schema = apiextensionsv1.JSONSchemaProps

// walk visits a schema and all below it, parents first. Paths are written as
// spec.components[].template.metadata.labels{}: [] for the items of a list, {} for
// the values of a map.
func walk(path string, s *schema, visit func(path string, s *schema)) {
	visit(path, s)
	for name, property := range s.Properties {
		walk(strings.TrimPrefix(path+"."+name, "."), &property, visit)
		s.Properties[name] = property
	}
	if s.Items != nil && s.Items.Schema != nil {
		walk(path+"[]", s.Items.Schema, visit)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		walk(path+"{}", s.AdditionalProperties.Schema, visit)
	}
}

// at visits the schema at one path, if there is such a path.
func at(root *schema, path string, visit func(s *schema)) {
	walk("", root, func(p string, s *schema) {
		if p == path {
			visit(s)
		}
	})
}

// inSpec says whether a path lies in spec, or is spec.
func inSpec(path string) bool {
	return path == "spec" || strings.HasPrefix(path, "spec.")
}

// contents are the paths at which a whole release stands, which is stored as written and
// compared as a whole: the release itself, and what a track creates one from.
var contents = []string{"spec", "spec.releaseTemplate"}

// Where these embed whole templates of Kubernetes.
var (
	componentTemplates = below(contents, ".components[].template")
	jobTemplates       = below(contents, ".tests[].template")
	// podTemplates are the paths of all pod templates.
	podTemplates = append(below(componentTemplates, ""), below(jobTemplates, ".spec.template")...)
	// embedded is what every path below one of them begins with.
	embedded = append(below(componentTemplates, "."), below(jobTemplates, ".")...)
)

// below adds to every path.
func below(paths []string, more string) []string {
	longer := make([]string, len(paths))
	for i, path := range paths {
		longer[i] = path + more
	}
	return longer
}

// inTemplate says whether a path lies below a template.
func inTemplate(path string) bool {
	return slices.ContainsFunc(embedded, func(t string) bool { return strings.HasPrefix(path, t) })
}

// require adds to the required properties.
func require(s *schema, names ...string) {
	for _, name := range names {
		if !slices.Contains(s.Required, name) {
			s.Required = append(s.Required, name)
		}
	}
}

// rule adds a CEL rule to a schema; field is the path of the offending field below
// it, such as .attempt, or empty for the object itself.
func rule(s *schema, field, expression, message string) {
	s.XValidations = append(s.XValidations, apiextensionsv1.ValidationRule{
		Rule: expression, Message: message, FieldPath: field,
	})
}
