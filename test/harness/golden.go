package harness

import (
	"fmt"
	"os"
	"regexp"

	"github.com/google/go-cmp/cmp"
)

// Varying is what differs from run to run of what a person is shown, and what stands for
// it in a golden file.
type Varying struct {
	Is *regexp.Regexp
	As string
}

// ShownVarying are times, ages at the end of a line, digests, and the random ends of the names of actions and pods.
var ShownVarying = []Varying{
	{regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`), "2026-01-31T12:00:00Z"},
	{regexp.MustCompile(`sha256:[0-9a-f]{64}`), "sha256:..."},
	{regexp.MustCompile(`(approve|abort|retry|rollback|skiphold)-(shop-\d+-\d+-\d+)-[a-z0-9]{5}\b`), "$1-$2-rrrrr"},
	{regexp.MustCompile(`\b(shop-\d+-\d+-\d+-[a-z]+)-[a-z0-9]{6,10}-[a-z0-9]{5}\b`), "$1-hhhhh-ppppp"},
	{regexp.MustCompile(`(?m)   \d+m?s?(\d+s)?$`), "   a while"},
	{regexp.MustCompile(`\b(in|for) \d+[sm](\d+s)?\b`), "$1 a while"},
}

// Golden compares a text, less what varies, with a file; with update it writes the file
// anew. The error shows the difference.
func Golden(path, text string, update bool, varying ...Varying) error {
	for _, v := range varying {
		text = v.Is.ReplaceAllString(text, v.As)
	}
	if update {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write the golden file: %w", err)
		}
		return nil
	}
	want, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the golden file: %w", err)
	}
	if difference := cmp.Diff(string(want), text); difference != "" {
		return fmt.Errorf("this is not what %s has (-) but something else (+):\n%s", path, difference)
	}
	return nil
}
