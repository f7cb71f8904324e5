package schema

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// kubectl runs the real program and returns what it prints.
func kubectl(ctx SpecContext, args ...string) string {
	GinkgoHelper()
	command := exec.CommandContext(ctx, filepath.Join(assets(), "kubectl"), args...)
	command.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	out, err := command.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), "kubectl %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// manifest writes an object of testdata, under another name, to a file.
func manifest(file, name string) (string, *unstructured.Unstructured) {
	GinkgoHelper()
	object := load(file)
	object.SetName(name)
	text, err := yaml.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(GinkgoT().TempDir(), name+".yaml")
	Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	return path, object
}

// ways are how people and tools apply the same file again.
var ways = map[string][]string{
	"client-side apply": {"apply", "-f"},
	"server-side apply": {"apply", "--server-side", "-f"},
	"replace":           {"replace", "-f"},
	"diff":              {"diff", "-f"},
	"server-side diff":  {"diff", "--server-side", "-f"},
}

var _ = DescribeTable("The same manifest again is nothing to do",
	func(ctx SpecContext, file string) {
		// Server-side diff of what client-side apply made shows kubectl's own annotation
		// in other words, of any kind of object.
		for create, diff := range map[string]string{"client-side apply": "diff", "server-side apply": "server-side diff"} {
			path, object := manifest(file, "again-"+strings.Fields(create)[0])
			kubectl(ctx, append(ways[create], path)...)
			DeferCleanup(func(ctx SpecContext) { Expect(api.Delete(ctx, object)).To(Succeed()) })
			created := stored(ctx, object)
			Expect(specOf(created)).To(Equal(specOf(object)))

			By("the way it was created, and by diff: not a write")
			for _, way := range []string{create, create, "diff", diff} {
				kubectl(ctx, append(ways[way], path)...)
				Expect(stored(ctx, object).GetResourceVersion()).To(Equal(created.GetResourceVersion()), "%s, %s after it", create, way)
			}

			By("one way after the other: never refused, the spec as it was, and no write the second time")
			for _, way := range []string{"server-side apply", "client-side apply", "replace", "client-side apply", "replace", "server-side apply"} {
				kubectl(ctx, append(ways[way], path)...)
				once := stored(ctx, object)
				Expect(specOf(once)).To(Equal(specOf(object)))
				Expect(once.GetGeneration()).To(Equal(int64(1)))

				kubectl(ctx, append(ways[way], path)...)
				kubectl(ctx, "diff", "-f", path)
				Expect(stored(ctx, object).GetResourceVersion()).To(Equal(once.GetResourceVersion()), "%s, %s twice", create, way)
			}
		}
	},
	Entry("of a release", "release"),
	Entry("of a track", "track"),
)

var _ = Describe("kubectl get irel,rtrack", func() {
	It("is a status board", func(ctx SpecContext) {
		release, track := publish(ctx, "release", "board-1"), publish(ctx, "track", "board")
		set(release, "status", object("weightPercent", int64(20), "readyComponents", "2/2", "lastVerdict", "Promoted",
			"conditions", list(condition("Ready", "False", "Shifting", "40 s to go"))))
		Expect(api.Status().Update(ctx, release)).To(Succeed())
		set(track, "status", object("weightPercent", int64(20), "stepWeightPercent", int64(50),
			"stableReleaseName", "board-0", "candidateReleaseName", "board-1",
			"conditions", list(condition("Ready", "False", "Shifting", "40 s to go"))))
		Expect(api.Status().Update(ctx, track)).To(Succeed())

		Expect(rows(kubectl(ctx, "get", "irel", "board-1", "-n", "shop"))).To(HaveExactElements(
			"NAME TRACK VERSION WEIGHT READY VERDICT STAGE AGE", MatchRegexp(`^board-1 shop 1\.4\.2 20 2/2 Promoted Shifting \d+s$`)))
		Expect(rows(kubectl(ctx, "get", "rtrack", "board", "-n", "shop", "-o", "wide"))).To(HaveExactElements(
			"NAME STABLE CANDIDATE WEIGHT NEXT STAGE AGE MESSAGE", MatchRegexp(`^board board-0 board-1 20 50 Shifting \d+s 40 s to go$`)))
		Expect(kubectl(ctx, "get", "strata", "-n", "shop")).To(And(ContainSubstring("board-1"), ContainSubstring("releasetrack")))
	})
})

func condition(kind, status, reason, message string) map[string]any {
	return object("type", kind, "status", status, "reason", reason, "message", message,
		"lastTransitionTime", "2026-02-03T04:05:06Z")
}

// rows are the lines of a table with single spaces.
func rows(table string) []string {
	var out []string
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return out
}

var _ = Describe("kubectl explain", func() {
	It("is a manual: every field of ours begins with its name and has a sentence", func(ctx SpecContext) {
		Expect(kubectl(ctx, "explain", "irel.spec.tests.deadlineSeconds")).To(And(
			ContainSubstring("in seconds"), ContainSubstring("Unset: 600")))
	})
})
