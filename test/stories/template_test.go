package stories

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// inPlace is the manifest of the track with a template of that version.
func (w *world) inPlace(version string, options ...harness.ReleaseOption) []*unstructured.Unstructured {
	track := w.track()
	track.Spec.ReleaseTemplate = &w.release(version, options...).Spec.ReleaseTemplate
	return []*unstructured.Unstructured{manifestOf(track)}
}

var _ = story("image automation edits one object in place, and each version is released, once", func(ctx context.Context, w *world) {
	const tool = "image-automation"
	w.sync(ctx, tool, w.inPlace("1.0.0"))
	w.untilSettled(ctx, "1.0.0")
	w.untilTrack(ctx, v1alpha1.ConditionPublished, HavePrefix("Published=True ReleasePublished"))

	By("what is created is what is stored, and all of it")
	track, release := &unstructured.Unstructured{}, &unstructured.Unstructured{}
	track.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ReleaseTrack"))
	release.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ImmutableRelease"))
	w.get(ctx, track, harness.TrackName)
	w.get(ctx, release, harness.ReleaseName("1.0.0"))
	spec, _, err := unstructured.NestedMap(release.Object, "spec")
	Expect(err).NotTo(HaveOccurred())
	Expect(spec).To(HaveKeyWithValue("trackName", harness.TrackName))
	delete(spec, "trackName")
	template, _, err := unstructured.NestedMap(track.Object, "spec", "releaseTemplate")
	Expect(err).NotTo(HaveOccurred())
	Expect(spec).To(Equal(template))

	By("the same again is no write")
	settled := w.live(ctx, w.inPlace("1.0.0"))
	Expect(w.sync(ctx, tool, w.inPlace("1.0.0"))).To(Equal(settled))

	By("other content under the same version is refused")
	other := w.inPlace("1.0.0", harness.Replicas(1))[0]
	Expect(apierrors.IsInvalid(w.Client.Apply(ctx, client.ApplyConfigurationFromUnstructured(other), client.FieldOwner(tool), client.ForceOwnership))).To(BeTrue())

	By("the next version goes live")
	w.sync(ctx, tool, w.inPlace("2.0.0", harness.Replicas(1)))
	w.untilSettled(ctx, "2.0.0")
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "2.0.0:100"}))
	Expect(w.recordsOf(ctx, "2.0.0", v1alpha1.EventPublished)).To(HaveLen(1))

	By("a version that had its release is not created again")
	w.sync(ctx, tool, w.inPlace("3.0.0"))
	w.untilSettled(ctx, "3.0.0")
	first := &v1alpha1.ImmutableRelease{}
	w.get(ctx, first, harness.ReleaseName("1.0.0"))
	Expect(w.Client.Delete(ctx, first)).To(Succeed())
	w.sync(ctx, tool, w.inPlace("1.0.0"))
	w.untilTrack(ctx, v1alpha1.ConditionPublished, HavePrefix("Published=False ReleaseGone"))
	Consistently(ctx, func() error {
		return w.Client.Get(ctx, client.ObjectKeyFromObject(first), &v1alpha1.ImmutableRelease{})
	}).WithTimeout(500 * time.Millisecond).Should(MatchError(apierrors.IsNotFound, "IsNotFound"))
	w.untilTrack(ctx, v1alpha1.ConditionReady, HavePrefix("Ready=True"))
	Expect(w.moves()).To(Equal([]string{"1.0.0:100", "2.0.0:100", "3.0.0:100"}))
})
