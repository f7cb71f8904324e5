package resources

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	indexed = regexp.MustCompile(`\[[^\]]*\]`)
	index   = regexp.MustCompile(`^\[[0-9]+\]$`)
)

// Writer says who wrote the field of a path last, by the managed fields of an object as
// they were read past the cache: a field manager, how and when; "" where nobody but the
// field manager of the operator has. A path is one of Difference's, and what follows it
// after a space is passed over. Of a field that was taken away, it is who wrote the
// object last.
func Writer(object metav1.Object, path, operator string) string {
	path, _, _ = strings.Cut(path, " ")
	var of, last *metav1.ManagedFieldsEntry
	for i := range object.GetManagedFields() {
		entry := &object.GetManagedFields()[i]
		if entry.Manager == operator {
			continue
		}
		if has(entry, path) && newer(entry, of) {
			of = entry
		}
		if entry.Subresource == "" && newer(entry, last) {
			last = entry
		}
	}
	if of == nil {
		of = last
	}
	if of == nil {
		return ""
	}
	how := strings.ToLower(string(of.Operation))
	if of.Subresource != "" {
		how += " of " + of.Subresource
	}
	if of.Time == nil {
		return fmt.Sprintf("%s (%s)", of.Manager, how)
	}
	return fmt.Sprintf("%s (%s, %s)", of.Manager, how, of.Time.UTC().Format(time.RFC3339))
}

// Born says whether a field that nobody else has written is since the creation of the
// object as it is now. So it is where its creator owns it, by what was asked for; and
// below spec, where no change of that was counted: what is added on the way into the
// cluster is owned by nobody.
func Born(object metav1.Object, path, creator string) bool {
	path, _, _ = strings.Cut(path, " ")
	if object.GetGeneration() == 1 && strings.HasPrefix(path, "spec.") {
		return true
	}
	for i := range object.GetManagedFields() {
		if entry := &object.GetManagedFields()[i]; entry.Manager == creator && has(entry, path) {
			return true
		}
	}
	return false
}

func newer(entry, than *metav1.ManagedFieldsEntry) bool {
	return than == nil || entry.Time != nil && (than.Time == nil || !entry.Time.Before(than.Time))
}

// has says whether an entry owns a field, or something in it.
func has(entry *metav1.ManagedFieldsEntry, path string) bool {
	if entry.FieldsV1 == nil {
		return false
	}
	var fields map[string]any
	if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &fields); err != nil {
		return false // What cannot be read tells of nobody.
	}
	return holds(fields, elements(path))
}

// elements of a path: spec.containers[0].image is spec, containers, [0], image.
func elements(path string) []string {
	path = indexed.ReplaceAllStringFunc(path, func(key string) string { return "\x00" + key + "\x00" })
	var parts []string
	for i, part := range strings.Split(path, "\x00") {
		if i%2 == 1 {
			parts = append(parts, part)
			continue
		}
		for _, name := range strings.Split(part, ".") {
			if name != "" {
				parts = append(parts, name)
			}
		}
	}
	return parts
}

// holds looks for a path. Managed fields know an element of a list by its keys, and not
// by its place: any will do. A field that is owned as a whole has none below it.
func holds(fields map[string]any, path []string) bool {
	if len(path) == 0 || len(fields) == 0 || len(fields) == 1 && fields["."] != nil {
		return true
	}
	if index.MatchString(path[0]) {
		for key, below := range fields {
			if element, ok := below.(map[string]any); ok && strings.HasPrefix(key, "k:") && holds(element, path[1:]) {
				return true
			}
		}
		return false
	}
	below, ok := fields["f:"+strings.Trim(path[0], "[]")].(map[string]any)
	return ok && holds(below, path[1:])
}
