package stories

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// staging is a track of its own beside the shop's, without a route: its releases have
// the same content as the shop's of the same version.
func (w *world) staging() *v1alpha1.ReleaseTrack {
	track := w.track()
	track.Name, track.Spec.Traffic.Routes = "staging", nil
	return track
}

func (w *world) staged(version string, options ...harness.ReleaseOption) *v1alpha1.ImmutableRelease {
	release := w.release(version, options...)
	release.Name, release.Spec.TrackName = "staging-"+harness.ReleaseName(version), "staging"
	return release
}

var _ = story("a release waits without a pod until its content is promoted on the track that comes first, and then goes by itself", func(ctx context.Context, w *world) {
	w.create(ctx, w.staging())
	track := w.track(func(t *v1alpha1.ReleaseTrack) {
		t.Spec.Requires = []v1alpha1.RequiredTrack{{Namespace: w.namespace, TrackName: "staging"}}
	})
	w.create(ctx, track, w.release("1.0.0"))
	w.untilRelease(ctx, "1.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False NotPublishedThere"), ContainSubstring(w.namespace+"/staging")))
	Expect(w.deployments(ctx, "1.0.0")).To(BeEmpty())

	w.create(ctx, w.staged("1.0.0"))
	w.untilSettled(ctx, "1.0.0")

	By("another content of one version is not what was promoted there")
	w.create(ctx, w.staged("2.0.0", harness.Flags("--color=red")), w.release("2.0.0"))
	w.untilRelease(ctx, "2.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False OtherContentThere"), ContainSubstring("sha256:")))
	w.untilTrack(ctx, v1alpha1.ConditionRolloutBlocked, HavePrefix("RolloutBlocked=True OtherContentThere"))
	Expect(w.deployments(ctx, "2.0.0")).To(BeEmpty())

	By("the same is")
	w.create(ctx, w.staged("3.0.0"), w.release("3.0.0"))
	w.untilSettled(ctx, "3.0.0")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "3.0.0:100"}))
})
