package validation

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// NotSupported is a field, or some values of it, that the API has and the operator
// does not act on yet. It is refused, never ignored.
type NotSupported struct {
	Kind string
	// Field is the path below the object; [] stands for every item of a list. Empty:
	// the kind as a whole.
	Field string
	// Values that are refused; none: the field must be absent.
	Values []string
	// Instead says what there is.
	Instead string
}

// NotSupportedYet is the table.
var NotSupportedYet []NotSupported

// NotSupportedFile is where the table stands in words, from the top of the
// repository.
const NotSupportedFile = "docs/not-supported-yet.md"

// CheckSupported refuses what the table names.
func CheckSupported(kind string, object runtime.Object) field.ErrorList {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return field.ErrorList{field.InternalError(nil, fmt.Errorf("read the %s: %w", kind, err))}
	}
	var errs field.ErrorList
	for _, row := range NotSupportedYet {
		if row.Kind == kind {
			errs = append(errs, row.check(fields, row.steps(), nil)...)
		}
	}
	return errs
}

func (n *NotSupported) steps() []string {
	if n.Field == "" {
		return nil
	}
	return strings.Split(n.Field, ".")
}

// check walks down to the field. What is not there is supported.
func (n *NotSupported) check(fields map[string]any, steps []string, path *field.Path) field.ErrorList {
	if len(steps) == 0 {
		return field.ErrorList{field.Forbidden(field.NewPath("kind"), n.Kind+" is not supported yet: "+n.Instead)}
	}
	name, isList := strings.CutSuffix(steps[0], "[]")
	path = path.Child(name)
	value, found := fields[name]
	if len(steps) == 1 {
		return n.checkValue(value, found, path)
	}
	var errs field.ErrorList
	if list, ok := value.([]any); ok && isList {
		for i, item := range list {
			if inner, ok := item.(map[string]any); ok {
				errs = append(errs, n.check(inner, steps[1:], path.Index(i))...)
			}
		}
		return errs
	}
	if inner, ok := value.(map[string]any); ok {
		return n.check(inner, steps[1:], path)
	}
	return nil
}

func (n *NotSupported) checkValue(value any, found bool, path *field.Path) field.ErrorList {
	if !found {
		return nil
	}
	text, _ := value.(string)
	switch {
	case len(n.Values) == 0:
		return field.ErrorList{field.Forbidden(path, "not supported yet: "+n.Instead)}
	case slices.Contains(n.Values, text):
		return field.ErrorList{field.Invalid(path, text, "not supported yet: "+n.Instead)}
	}
	return nil
}

// NotSupportedDocument is the table in words.
func NotSupportedDocument() []byte {
	var doc strings.Builder
	doc.WriteString("# Not supported yet\n\n")
	doc.WriteString("The API has these fields, and their behaviour is still to come. Admission refuses\nthem with \"not supported yet\"; none is ever ignored. Made from the table in\n`controllers/admission/validation/unsupported.go` by `go generate ./controllers/admission/...`.\n\n")
	if len(NotSupportedYet) == 0 {
		doc.WriteString("There is none.\n")
		return []byte(doc.String())
	}
	doc.WriteString("| kind | field | refused | instead |\n|---|---|---|---|\n")
	for _, row := range NotSupportedYet {
		name, refused := "`"+row.Field+"`", "any value"
		if row.Field == "" {
			name, refused = "the kind", "all"
		}
		if len(row.Values) > 0 {
			refused = "`" + strings.Join(row.Values, "`, `") + "`"
		}
		fmt.Fprintf(&doc, "| %s | %s | %s | %s |\n", row.Kind, name, refused, row.Instead)
	}
	return []byte(doc.String())
}
