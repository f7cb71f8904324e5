//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/strata-release/strata/test/harness"
)

// environment is the cluster of this process's stories.
var environment *harness.Environment

func TestStories(t *testing.T) {
	RegisterFailHandler(Fail)
	log.SetLogger(GinkgoLogr)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	tellAlone()
	RunSpecs(t, "Strata on a real cluster")
}

// noteEntry names the report entries that the table at the end is made of.
const noteEntry = "note"

var _ = ReportAfterSuite("requests and failures of every story", func(report Report) {
	for _, spec := range report.SpecReports {
		if len(spec.ReportEntries) == 0 {
			continue
		}
		fmt.Printf("\n%s  %s  %s  (%s)\n", strings.ToUpper(spec.State.String()), strings.Join(spec.Labels(), " "),
			spec.LeafNodeText, spec.RunTime.Round(time.Second/10))
		for _, entry := range spec.ReportEntries {
			if entry.Name == noteEntry {
				fmt.Println("    " + entry.StringRepresentation())
			}
		}
	}
})

var _ = BeforeSuite(func(ctx SpecContext) {
	var err error
	environment, err = harness.Connect(context.WithoutCancel(ctx))
	Expect(err).NotTo(HaveOccurred())
})
