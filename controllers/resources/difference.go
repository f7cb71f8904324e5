package resources

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
)

// SealDifference says where the data of a stored seal is first, in the order of keys,
// not that of the wanted one, and in what; "" where both say the same, however they
// are encoded.
func SealDifference(want, stored *appsv1.ControllerRevision) string {
	var a, b any
	if err := decodeNumbers(want.Data.Raw, &a); err != nil {
		return "its data: " + err.Error()
	}
	if err := decodeNumbers(stored.Data.Raw, &b); err != nil {
		return "its data: " + err.Error()
	}
	return jsonDifference("data", a, b)
}

func decodeNumbers(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}

func jsonDifference(path string, want, got any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			break
		}
		keys := maps.Clone(w)
		maps.Copy(keys, g)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			if d := jsonDifference(path+"."+key, w[key], g[key]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			if d := jsonDifference(path+"["+strconv.Itoa(i)+"]", w[i], g[i]); d != "" {
				return d
			}
		}
		return ""
	default:
		if want == got {
			return ""
		}
	}
	return fmt.Sprintf("%s, which is %s, and would be %s", path, brief(got), brief(want))
}

// brief is a JSON value in a message.
func brief(value any) string {
	if value == nil {
		return "missing"
	}
	data, err := json.Marshal(value)
	if err != nil {
		return "unreadable"
	}
	return Bound(string(data), 128)
}
