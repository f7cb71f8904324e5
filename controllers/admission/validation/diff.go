package validation

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Change is one field that differs. Old and New are JSON, empty where there is no
// such field.
type Change struct {
	Path     string
	Old, New string
}

// Limits of a summary.
const (
	maxChanges     = 8
	maxValueLength = 160
)

// SpecChanges lists in what the specs of two objects differ, by path. It compares
// text, as the API server does: "0.5" is not "500m". Items of a list that have
// names are paired by name, others by position. old and now are the JSON of the
// objects.
func SpecChanges(old, now []byte) ([]Change, error) { return partChanges("spec", old, now) }

// StatusChanges lists the same of their statuses.
func StatusChanges(old, now []byte) ([]Change, error) { return partChanges("status", old, now) }

func partChanges(part string, old, now []byte) ([]Change, error) {
	var before, after map[string]any
	if err := decodeExact(old, &before); err != nil {
		return nil, fmt.Errorf("decode the stored object: %w", err)
	}
	if err := decodeExact(now, &after); err != nil {
		return nil, fmt.Errorf("decode the changed object: %w", err)
	}
	return changes(part, before[part], after[part]), nil
}

// metadataThatCounts are the parts of an object's metadata that are somebody's: the
// others are the API server's.
var metadataThatCounts = []string{"labels", "annotations", "ownerReferences", "finalizers"}

// InPlaceChanges lists in what two versions of one object differ, by path: in all but
// the status and what the API server writes. old and now are the JSON of the objects
// as the API server has them.
func InPlaceChanges(old, now []byte) ([]Change, error) {
	before, err := content(old)
	if err != nil {
		return nil, fmt.Errorf("decode the stored object: %w", err)
	}
	after, err := content(now)
	if err != nil {
		return nil, fmt.Errorf("decode the changed object: %w", err)
	}
	var list []Change
	for _, change := range changedFields("", before, after) {
		change.Path = strings.TrimPrefix(change.Path, ".")
		list = append(list, change)
	}
	return list, nil
}

// content is what counts of an object.
func content(data []byte) (map[string]any, error) {
	var object map[string]any
	if err := decodeExact(data, &object); err != nil {
		return nil, err
	}
	metadata, _ := object["metadata"].(map[string]any)
	counts := map[string]any{}
	for _, field := range metadataThatCounts {
		if value, ok := metadata[field]; ok {
			counts[field] = value
		}
	}
	for _, field := range []string{"apiVersion", "kind", "status"} {
		delete(object, field)
	}
	object["metadata"] = counts
	return object, nil
}

// decodeExact keeps numbers as they are written.
func decodeExact(data []byte, into any) error {
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// Summarize writes changes, each on a line of its own: path: old -> new.
func Summarize(list []Change) string {
	return summarize(list, func(c Change) string {
		return fmt.Sprintf("%s: %s -> %s", c.Path, orNothing(c.Old), orNothing(c.New))
	})
}

// Paths writes where the changes are, and none of the values: they may be secrets.
func Paths(list []Change) string {
	return summarize(list, func(c Change) string { return c.Path })
}

func summarize(list []Change, say func(Change) string) string {
	var lines strings.Builder
	for _, change := range list[:min(len(list), maxChanges)] {
		lines.WriteString("\n  " + say(change))
	}
	if more := len(list) - maxChanges; more > 0 {
		fmt.Fprintf(&lines, "\n  and %d fields more", more)
	}
	return lines.String()
}

func orNothing(value string) string {
	if value == "" {
		return "(nothing)"
	}
	return value
}

// changes compares two values that stand at a path.
func changes(path string, old, now any) []Change {
	switch before := old.(type) {
	case map[string]any:
		if after, ok := now.(map[string]any); ok {
			return changedFields(path, before, after)
		}
	case []any:
		if after, ok := now.([]any); ok {
			return changedItems(path, before, after)
		}
	}
	if reflect.DeepEqual(old, now) {
		return nil
	}
	return []Change{{Path: path, Old: text(old), New: text(now)}}
}

func changedFields(path string, old, now map[string]any) []Change {
	keys := maps.Clone(old)
	maps.Copy(keys, now)
	var list []Change
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		before, had := old[key]
		after, has := now[key]
		at := path + "." + key
		if strings.ContainsAny(key, "./") {
			at = path + "[" + key + "]"
		}
		switch {
		case !had:
			list = append(list, Change{Path: at, New: text(after)})
		case !has:
			list = append(list, Change{Path: at, Old: text(before)})
		default:
			list = append(list, changes(at, before, after)...)
		}
	}
	return list
}

func changedItems(path string, old, now []any) []Change {
	before, after := namesOf(old), namesOf(now)
	if before == nil || after == nil {
		before, after = positions(old), positions(now)
	}
	var list []Change
	for i, name := range before {
		at := path + "[" + name + "]"
		if j := slices.Index(after, name); j >= 0 {
			list = append(list, changes(at, old[i], now[j])...)
		} else {
			list = append(list, Change{Path: at, Old: text(old[i])})
		}
	}
	for j, name := range after {
		if !slices.Contains(before, name) {
			list = append(list, Change{Path: path + "[" + name + "]", New: text(now[j])})
		}
	}
	if len(list) == 0 && !slices.Equal(before, after) {
		list = append(list, Change{Path: "order of " + path, Old: strings.Join(before, ", "), New: strings.Join(after, ", ")})
	}
	return list
}

// namesOf are the names of the items of a list; nil where one has none, or two
// have the same.
func namesOf(list []any) []string {
	names := make([]string, 0, len(list))
	for _, item := range list {
		fields, _ := item.(map[string]any)
		name, _ := fields["name"].(string)
		if name == "" || slices.Contains(names, name) {
			return nil
		}
		names = append(names, name)
	}
	return names
}

func positions(list []any) []string {
	indices := make([]string, len(list))
	for i := range list {
		indices[i] = strconv.Itoa(i)
	}
	return indices
}

func text(value any) string {
	var buffer strings.Builder
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // for people, not for browsers
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	data := strings.TrimSuffix(buffer.String(), "\n")
	if len(data) > maxValueLength {
		return strings.ToValidUTF8(data[:maxValueLength], "") + "..."
	}
	return data
}
