// Package stories tells what becomes of releases, a user story a file: the
// operator's loop against a real API server, and everything else an API server
// lacks played by test/stories/cluster. It asserts the state of the world, never the
// calls made.
package stories

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/strata-release/strata/test/stories/cluster"
)

// suite is the cluster of this process's stories.
var suite *cluster.Cluster

func TestStories(t *testing.T) {
	RegisterFailHandler(Fail)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	RunSpecs(t, "The loop against an API server")
}

var _ = BeforeSuite(func(ctx SpecContext) {
	logger := zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true))
	if *everyWrite {
		logger = logr.Discard() // Of a thousand operators nobody reads the logs.
	}
	ctrl.SetLogger(logger)
	repository, err := filepath.Abs("../..")
	Expect(err).NotTo(HaveOccurred())
	scratch, err := os.MkdirTemp("", "strata-stories-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, scratch)
	suite, err = cluster.Start(context.WithoutCancel(ctx), repository, scratch)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(suite.Stop()).To(Succeed()) })
	if GinkgoParallelProcess() == 1 && !*everyWrite {
		rollOutCounted(ctx)
	}
})
