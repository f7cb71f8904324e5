//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/test/harness"
)

// repository is the directory above this one that has the module.
func repository() string {
	GinkgoHelper()
	directory, err := os.Getwd()
	Expect(err).NotTo(HaveOccurred())
	for directory != "/" {
		if _, err := os.Stat(filepath.Join(directory, "PROJECT")); err == nil {
			return directory
		}
		directory = filepath.Dir(directory)
	}
	Fail("the tests do not run in a checkout")
	return ""
}

// The page finds in the environment what is at hand here, and makes it otherwise.
var _ = It("the tutorial does what it says, command for command", Label("tutorial"), early, SpecTimeout(5*time.Minute), func(ctx SpecContext) {
	text, err := os.ReadFile(filepath.Join(repository(), "docs", "tutorial.md"))
	Expect(err).NotTo(HaveOccurred())
	steps, err := harness.ReadPage(string(text))
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) { Expect(environment.DeleteNamespace(ctx, "tutorial")).To(Succeed()) })

	command := exec.CommandContext(ctx, "bash", "-c", harness.Script(steps))
	command.Dir = repository()
	command.Env = append(os.Environ(), "IMAGE="+os.Getenv("STRATA_IMAGE"), "APP="+environment.AppImage, "GATEWAY="+environment.GatewayURL)
	output, failed := command.CombinedOutput()
	outputs := harness.Outputs(string(output))
	if failed != nil {
		GinkgoWriter.Println(environment.Describe(ctx, "tutorial"))
	}
	var others []string
	for i, shown := range outputs {
		if !steps[i].ShownBy(shown) {
			others = append(others, fmt.Sprintf("docs/tutorial.md, line %d:\n%s\nshows\n%s", steps[i].Line, steps[i].Commands, shown))
		}
	}
	Expect(others).To(BeEmpty(), "%s", strings.Join(others, "\n"))
	Expect(failed).NotTo(HaveOccurred(), "%s", output)
	Expect(outputs).To(HaveLen(len(steps)))
})
