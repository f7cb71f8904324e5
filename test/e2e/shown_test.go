//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/strata-release/strata/cmd/kubectl-strata/plugin"
	"github.com/strata-release/strata/test/harness"
)

// expectShown compares what `kubectl strata` prints with testdata/<name>.golden, which
// STRATA_UPDATE=1 writes anew.
func (w *world) expectShown(ctx context.Context, name string, args ...string) {
	GinkgoHelper()
	var out, problems bytes.Buffer
	code := plugin.Run(ctx, append(args, "-n", w.namespace, "--cache-dir", GinkgoT().TempDir()), plugin.Options{
		Streams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &problems}, Version: "test",
	})
	Expect(code).To(BeZero(), "kubectl strata %s: %s", strings.Join(args, " "), problems.String())
	user, err := w.UserName(ctx)
	Expect(err).NotTo(HaveOccurred())
	image, _, _ := strings.Cut(w.AppImage, "@")
	var varying []harness.Varying
	for is, as := range map[string]string{w.namespace: "shop-ns", user: "an-administrator", image: "registry/app"} {
		varying = append(varying, harness.Varying{Is: regexp.MustCompile(regexp.QuoteMeta(is)), As: as})
	}
	varying = append(varying, harness.ShownVarying...)
	path := filepath.Join(repository(), "test", "e2e", "testdata", name+".golden")
	Expect(harness.Golden(path, out.String(), os.Getenv("STRATA_UPDATE") != "", varying...)).To(Succeed(), "STRATA_UPDATE=1 writes it anew")
}
