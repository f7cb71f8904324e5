package harness

import (
	"os/exec"
	"strings"
	"testing"
)

const page = "# A page\n\n```sh\necho one\n```\n\nIt says:\n\n```text\no...\n```\n\n```sh\nexport A=b\necho \"$A   c\"; echo d; echo e >&2\n```\n```text\nb c\n...\n```\n\n```sh\nfalse\n```\n"

func TestPageIsRunAsItStands(t *testing.T) {
	steps, err := ReadPage(page)
	if err != nil || len(steps) != 3 || steps[0].Line != 4 || steps[2].Shows != nil {
		t.Fatalf("%+v, %v", steps, err)
	}
	output, err := exec.Command("bash", "-c", Script(steps)).CombinedOutput()
	if err == nil {
		t.Error("the last command fails, and the script does not")
	}
	outputs := Outputs(string(output))
	if len(outputs) != 3 || strings.TrimSpace(outputs[1]) != "b   c\nd\ne" {
		t.Fatalf("%q", outputs)
	}
	for i, step := range steps {
		if !step.ShownBy(outputs[i]) {
			t.Errorf("line %d shows %q, and not what the page says", step.Line, outputs[i])
		}
	}
	if steps[0].ShownBy("two\n") || steps[0].ShownBy("one\ntwo\n") || steps[1].ShownBy("a c\nd\n") {
		t.Error("something else is taken for what the page shows")
	}
}

func TestPageHasNoOtherBlocks(t *testing.T) {
	for _, text := range []string{"```yaml\na: b\n```\n", "```sh\necho\n", "```text\none\n```\n", "```sh\na\n```\n```text\nb\n```\n```text\nc\n```\n"} {
		if steps, err := ReadPage(text); err == nil {
			t.Errorf("%q has %+v", text, steps)
		}
	}
}
