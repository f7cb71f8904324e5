package schema

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// lastApplied is the most that client-side apply can put into its annotation.
const lastApplied = 256 << 10

var _ = Describe("The CRDs", func() {
	It("fit client-side apply", func(ctx SpecContext) {
		files, err := filepath.Glob(filepath.Join("..", "..", "config", "crd", "bases", "*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		Expect(files).To(HaveLen(5))
		for _, file := range files {
			text, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			crd := map[string]any{}
			Expect(yaml.Unmarshal(text, &crd)).To(Succeed())
			plain, err := json.Marshal(crd)
			Expect(err).NotTo(HaveOccurred())
			AddReportEntry("size", fmt.Sprintf("%s: %d KB of YAML, %d KB of JSON", filepath.Base(file), len(text)>>10, len(plain)>>10))
			Expect(len(plain)).To(BeNumerically("<", lastApplied*3/4), file)

			out := kubectl(ctx, "apply", "-f", file)
			Expect(out).To(Or(ContainSubstring("configured"), ContainSubstring("unchanged")))
		}
	})

	DescribeTable("take an object that says everything, as it was written",
		func(ctx SpecContext, file string) {
			written := load(file)
			object := publish(ctx, file, written.GetName())
			Expect(specOf(stored(ctx, object))).To(Equal(specOf(written)))
		},
		Entry("release", "release"), Entry("track", "track"), Entry("record", "record"),
		Entry("action", "action"), Entry("policy", "policy"),
	)
})
