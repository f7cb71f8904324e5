package plugin

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/controllers/operator"
)

// output is how a command answers: one of the formats that it offers, its first by
// default.
type output struct {
	format  string
	offered []string
}

// outputFlag adds -o.
func outputFlag(command *cobra.Command, offered ...string) *output {
	o := &output{offered: offered}
	command.Flags().StringVarP(&o.format, "output", "o", offered[0], "format of the answer: "+strings.Join(offered, ", "))
	if err := command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(offered, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic("a flag that is there cannot be completed: " + err.Error())
	}
	return o
}

// check refuses a format that is not offered, before anything is asked.
func (o *output) check() error {
	if !slices.Contains(o.offered, o.format) {
		return fmt.Errorf("--output %q: choose one of %s", o.format, strings.Join(o.offered, ", "))
	}
	return nil
}

// write writes a value as JSON or YAML. done is false for the other formats.
func (o *output) write(out io.Writer, value any) (done bool, err error) {
	var data []byte
	switch o.format {
	case "json":
		data, err = json.MarshalIndent(value, "", "  ")
		data = append(data, '\n')
	case "yaml":
		data, err = yaml.Marshal(value)
	default:
		return false, nil
	}
	if err == nil {
		_, err = out.Write(data)
	}
	return true, wrap(err, "write the answer")
}

// named gives objects of a list their apiVersion and kind, which the client leaves out.
func named[T any, P interface {
	*T
	runtime.Object
}](items []T) (map[string]any, error) {
	scheme, err := operator.Scheme()
	if err != nil {
		return nil, err
	}
	list := make([]any, 0, len(items))
	for i := range items {
		object := P(&items[i])
		gvk, err := apiutil.GVKForObject(object, scheme)
		if err != nil {
			return nil, err
		}
		object.GetObjectKind().SetGroupVersionKind(gvk)
		list = append(list, object)
	}
	return map[string]any{"apiVersion": "v1", "kind": "List", "items": list}, nil
}

// table writes rows under headings, as kubectl does.
func table(out io.Writer, headings []string, rows [][]string) error {
	w := printers.GetNewTabWriter(out)
	for _, row := range append([][]string{headings}, rows...) {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cells[i] = oneLine(cell); cells[i] == "" {
				cells[i] = "-"
			}
		}
		if _, err := fmt.Fprintln(w, strings.Join(cells, "\t")); err != nil {
			return wrap(err, "write the answer")
		}
	}
	return wrap(w.Flush(), "write the answer")
}

// oneLine is a text that others wrote, without what would end a line or move a cursor.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }), " ")
}

// plain is likewise, for a text that may have lines.
func plain(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = oneLine(lines[i])
	}
	return strings.Join(lines, "\n")
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// age is how long ago something was, in two units at most.
func age(now, then time.Time) string {
	if then.IsZero() {
		return ""
	}
	return duration.HumanDuration(now.Sub(then))
}
