package stories

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// seal is the data of a version's seal, byte for byte.
func (w *world) seal(ctx context.Context, version string) string {
	GinkgoHelper()
	revision := &appsv1.ControllerRevision{}
	w.get(ctx, revision, harness.ReleaseName(version)+"-seal")
	return string(revision.Data.Raw)
}

var _ = story("a seal is the same bytes after everything", func(ctx context.Context, w *world) {
	w.goLive(ctx, w.track(warm(0)), w.release("1.0.0"))
	sealed := w.seal(ctx, "1.0.0")
	w.create(ctx, w.release("2.0.0"))
	w.untilSettled(ctx, "2.0.0")
	w.untilGone(ctx, "1.0.0")
	w.restartOperator()
	w.act(ctx, v1alpha1.ActionRollback, "1.0.0")
	w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventRolledBack)
	w.untilServed(ctx, "1.0.0:100")
	Expect(w.seal(ctx, "1.0.0")).To(Equal(sealed))
})

var _ = story("the same release has the same contentDigest in two namespaces", func(ctx context.Context, w *world) {
	other := open(ctx)
	other.startOperator()
	for i, at := range []*world{w, other} {
		release := at.release("1.0.0", harness.Replicas(int32(i+1)))
		at.goLive(ctx, at.track(), release)
	}
	digests := func(at *world) (string, string) {
		release, err := at.Release(ctx, at.namespace, "1.0.0")
		Expect(err).NotTo(HaveOccurred())
		return release.Status.ContentDigest, release.Status.Digest
	}
	content, whole := digests(w)
	otherContent, otherWhole := digests(other)
	Expect(content).To(MatchRegexp("^sha256:[0-9a-f]{64}$"))
	Expect(otherContent).To(Equal(content), "size is not content")
	Expect(whole).To(MatchRegexp("^sha256:[0-9a-f]{64}$"))
	Expect(otherWhole).To(Equal(whole), "capacity is in no digest")
})
