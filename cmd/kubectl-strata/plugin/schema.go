package plugin

import (
	"context"
	"io/fs"
	"strings"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/config/crd"
)

// schema checks objects of one kind as the API server does.
type schema struct {
	fields validation.SchemaValidator
	known  *structural.Structural
	rules  *cel.Validator
}

// schemas by kind, of the CRDs that this plugin was built with, read once.
var schemas = sync.OnceValues(readSchemas)

func readSchemas() (map[string]*schema, error) {
	all := map[string]*schema{}
	err := fs.WalkDir(crd.Bases, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := crd.Bases.ReadFile(path)
		if err != nil {
			return err
		}
		kind, read, err := readSchema(text)
		all[kind] = read
		return wrap(err, "read the schema %s", path)
	})
	return all, err
}

func readSchema(text []byte) (string, *schema, error) {
	definition := &apiextensionsv1.CustomResourceDefinition{}
	if err := yaml.Unmarshal(text, definition); err != nil {
		return "", nil, err
	}
	internal := &apiextensions.JSONSchemaProps{}
	written := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(written, internal, nil); err != nil {
		return "", nil, err
	}
	fields, _, err := validation.NewSchemaValidator(internal)
	if err != nil {
		return "", nil, err
	}
	known, err := structural.NewStructural(internal)
	if err != nil {
		return "", nil, err
	}
	return definition.Spec.Names.Kind, &schema{fields, known, cel.NewValidator(known, true, celconfig.PerCallLimit)}, nil
}

// check says what the API server would refuse of an object that is created: unknown
// fields, which it would drop or refuse, and what schema and rules do not allow.
func (s *schema) check(ctx context.Context, object *unstructured.Unstructured) field.ErrorList {
	var errs field.ErrorList
	pruned := object.DeepCopy()
	unknown := pruning.PruneWithOptions(pruned.Object, s.known, true, structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	for _, path := range unknown {
		errs = append(errs, &field.Error{Type: field.ErrorTypeForbidden, Field: path, Detail: "there is no such field: correct its name, or remove it"})
	}
	wrong := validation.ValidateCustomResource(nil, pruned.UnstructuredContent(), s.fields)
	if len(wrong) > 0 {
		return append(errs, wrong...) // Rules ask for what has the right types.
	}
	broken, _ := s.rules.Validate(ctx, nil, s.known, pruned.Object, nil, celconfig.RuntimeCELCostBudget)
	return append(errs, broken...)
}

// problem is an error of a field in one line, without the field.
func problem(err *field.Error) string {
	text := strings.TrimPrefix(err.Error(), err.Field+": ")
	return oneLine(strings.ReplaceAll(text, err.Field+" in body ", ""))
}
