package schema

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// segment is a field and, where the field is a list, an index of it.
var segment = regexp.MustCompile(`^([^\[\]]+)(?:\[([0-9]+)\])?$`)

// set puts a value at a path such as spec.components[0].ports[1].name, in which ~1
// stands for a dot within a name; an index one beyond the end appends. A nil value
// removes the field or item.
func set(object *unstructured.Unstructured, path string, value any) {
	GinkgoHelper()
	object.Object = put(object.Object, strings.Split(path, "."), value)
}

func put(object map[string]any, path []string, value any) map[string]any {
	GinkgoHelper()
	parts := segment.FindStringSubmatch(strings.ReplaceAll(path[0], "~1", "."))
	Expect(parts).NotTo(BeNil(), "path segment %q", path[0])
	if object == nil {
		object = map[string]any{}
	}
	field, last := parts[1], len(path) == 1
	if parts[2] == "" {
		switch {
		case last && value == nil:
			delete(object, field)
		case last:
			object[field] = value
		default:
			below, _ := object[field].(map[string]any)
			object[field] = put(below, path[1:], value)
		}
		return object
	}
	index, err := strconv.Atoi(parts[2])
	Expect(err).NotTo(HaveOccurred())
	list, _ := object[field].([]any)
	switch {
	case index == len(list):
		list = append(list, value)
	case last && value == nil:
		list = append(list[:index:index], list[index+1:]...)
	case last:
		list[index] = value
	default:
		list[index] = put(list[index].(map[string]any), path[1:], value)
	}
	object[field] = list
	return object
}

// at reads the value at a path.
func at(object *unstructured.Unstructured, path string) any {
	GinkgoHelper()
	var value any = object.Object
	for _, s := range strings.Split(path, ".") {
		parts := segment.FindStringSubmatch(s)
		value = value.(map[string]any)[parts[1]]
		if parts[2] != "" {
			index, err := strconv.Atoi(parts[2])
			Expect(err).NotTo(HaveOccurred())
			value = value.([]any)[index]
		}
	}
	Expect(value).NotTo(BeNil(), fmt.Sprintf("nothing at %s", path))
	return value
}

// object makes a map of alternating keys and values.
func object(pairs ...any) map[string]any {
	made := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		made[pairs[i].(string)] = pairs[i+1]
	}
	return made
}

// list makes a list.
func list(items ...any) []any { return append([]any{}, items...) }

// times makes a list of n items.
func times(n int, item func(i int) any) []any {
	made := make([]any, n)
	for i := range made {
		made[i] = item(i)
	}
	return made
}
