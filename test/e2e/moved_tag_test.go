//go:build e2e

package e2e

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// imageIDs are the distinct images that the pods of a version run, by digest.
func (w *world) imageIDs(ctx context.Context, version string) map[string]bool {
	GinkgoHelper()
	pods, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	ids := map[string]bool{}
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			ids[status.ImageID[strings.LastIndex(status.ImageID, "@")+1:]] = true
		}
	}
	return ids
}

var _ = story("pods that are restarted after their tag was pushed with other bytes run the same bytes",
	Label("not-changing", "scenario-21"), func(ctx context.Context, w *world) {
		if w.RegistryURL == "" {
			Skip("STRATA_REGISTRY_URL names no registry to push to")
		}
		name, images, digest := w.images()
		tag := w.namespace
		Expect(images.moveTag(ctx, digest, tag, "first")).To(Succeed())
		first, err := images.digestOf(ctx, tag)
		Expect(err).NotTo(HaveOccurred())

		tagged := harness.Container(func(c *corev1.Container) {
			c.Image = name + ":" + tag + "@" + first
			c.ImagePullPolicy = corev1.PullAlways
		})
		w.goLive(ctx, 40, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0", tagged))
		ran := w.imageIDs(ctx, "1.0.0")
		Expect(ran).To(HaveLen(1))

		Expect(images.moveTag(ctx, digest, tag, "second")).To(Succeed())
		second, err := images.digestOf(ctx, tag)
		Expect(err).NotTo(HaveOccurred())
		Expect(second).NotTo(Equal(first), "the tag did not move")
		w.restartPods(ctx, "1.0.0")

		Expect(w.imageIDs(ctx, "1.0.0")).To(Equal(ran))
		release, err := w.Release(ctx, w.namespace, "1.0.0")
		Expect(err).NotTo(HaveOccurred())
		Expect(release.Status.Components).To(HaveLen(1))
		Expect(release.Status.Components[0].Images).To(Equal([]v1alpha1.ContainerImage{{Container: "app", Digest: first}}))
	})
