//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// manifests is what somebody keeps in version control for this story; it is
// written by hand as people do, with quantities and defaults that Kubernetes
// would write otherwise.
const manifests = `
apiVersion: strata.dev/v1alpha1
kind: ReleaseTrack
metadata: {name: shop}
spec:
  rollout: {progressDeadlineSeconds: 120}
  traffic:
    drainSeconds: 3
    routes:
    - name: public
      componentName: web
      portName: http
      type: GatewayAPI
      gatewayAPI:
        kind: HTTPRoute
        parentRefs: [{namespace: GATEWAY-NAMESPACE, name: GATEWAY-NAME}]
        hostnames: [HOSTNAME]
---
apiVersion: strata.dev/v1alpha1
kind: ImmutableRelease
metadata: {name: shop-1-0-0}
spec:
  trackName: shop
  version: 1.0.0
  components:
  - name: web
    replicas: 2
    ports: [{name: http, port: 80, targetPort: 8080}]
    template:
      metadata:
        annotations: {team: checkout}
      spec:
        initContainers:
        - {name: prepare, image: IMAGE, args: [test, pass]}
        containers:
        - name: app
          image: IMAGE
          args: [serve, --component=web]
          env:
          - {name: ZONE, value: "b"}
          - {name: GREETING, value: "hello from $(ZONE)"}
          ports: [{containerPort: 8080}]
          readinessProbe: {httpGet: {path: /healthz, port: 8080}, periodSeconds: 1}
          resources:
            requests: {cpu: "0.020", memory: 12288Ki}
`

// kubectl runs it in the story's namespace with the manifests in a file, and gives its
// output.
func (w *world) kubectl(ctx context.Context, file string, args ...string) (string, error) {
	var output bytes.Buffer
	err := despiteRestart(ctx, func() error {
		output.Reset()
		command := exec.CommandContext(ctx, "kubectl", append(slices.Clone(args), "--namespace", w.namespace, "--filename", file)...)
		command.Stdout, command.Stderr = &output, &output
		if err := command.Run(); err != nil {
			return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args, " "), err, output.String())
		}
		return nil
	})
	return output.String(), err
}

// expectHealthy reads health as GitOps tools do (kstatus): the generation is
// observed, Ready is True, and neither Reconciling nor Stalled is.
func expectHealthy(kind string, generation, observed int64, conditions []metav1.Condition) {
	GinkgoHelper()
	Expect(observed).To(Equal(generation), "%s: observedGeneration", kind)
	Expect(meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReady)).To(BeTrue(), "%s: %v", kind, conditions)
	Expect(meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionReconciling)).To(BeFalse(), "%s: %v", kind, conditions)
	Expect(meta.IsStatusConditionTrue(conditions, v1alpha1.ConditionStalled)).To(BeFalse(), "%s: %v", kind, conditions)
}

var _ = story("the same manifests, applied again in every way, change nothing and are never refused",
	Label("living-with-it", "scenario-29"), func(ctx context.Context, w *world) {
		text := strings.NewReplacer("IMAGE", w.AppImage, "HOSTNAME", harness.Host(w.namespace),
			"GATEWAY-NAMESPACE", w.Gateway.Namespace, "GATEWAY-NAME", w.Gateway.Name).
			Replace(manifests)
		file := filepath.Join(GinkgoT().TempDir(), "shop.yaml")
		Expect(os.WriteFile(file, []byte(text), 0o600)).To(Succeed())
		apply := func(args ...string) string {
			GinkgoHelper()
			output, err := w.kubectl(ctx, file, args...)
			Expect(err).NotTo(HaveOccurred())
			return output
		}
		apply("apply")
		w.untilVerdict(ctx, "1.0.0", v1alpha1.EventPromoted)
		w.untilAnswers(ctx, "1.0.0")
		w.startLoad(ctx, 40)
		w.untilSettled(ctx, "1.0.0")
		w.expectConfig(ctx, "1.0.0", "hello from b")
		before := w.pods(ctx, "1.0.0")
		records := len(w.records(ctx))

		const unchanged = 2
		for _, again := range [][]string{
			{"apply"}, {"apply"},
			{"apply", "--server-side", "--force-conflicts"}, {"apply", "--server-side", "--force-conflicts"},
			{"apply"}, {"apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller"},
			{"apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller"},
			{"replace"}, {"replace"}, {"apply"},
		} {
			track, err := w.Track(ctx, w.namespace)
			Expect(err).NotTo(HaveOccurred())
			release, err := w.Release(ctx, w.namespace, "1.0.0")
			Expect(err).NotTo(HaveOccurred())
			apply(again...)
			trackAfter, err := w.Track(ctx, w.namespace)
			Expect(err).NotTo(HaveOccurred())
			releaseAfter, err := w.Release(ctx, w.namespace, "1.0.0")
			Expect(err).NotTo(HaveOccurred())
			Expect(trackAfter.Generation).To(Equal(track.Generation), "kubectl %s", again)
			Expect(releaseAfter.Generation).To(Equal(release.Generation), "kubectl %s", again)
			Expect(releaseAfter.Spec).To(Equal(release.Spec), "kubectl %s", again)
		}
		Expect(strings.Count(apply("apply"), "unchanged")).To(Equal(unchanged))
		apply("diff")
		// Each way of applying keeps a note of its own, which the other's diff shows.
		apply("apply", "--server-side", "--force-conflicts")
		apply("diff", "--server-side", "--force-conflicts")

		track, err := w.Track(ctx, w.namespace)
		Expect(err).NotTo(HaveOccurred())
		expectHealthy("track", track.Generation, track.Status.ObservedGeneration, track.Status.Conditions)
		release, err := w.Release(ctx, w.namespace, "1.0.0")
		Expect(err).NotTo(HaveOccurred())
		expectHealthy("release", release.Generation, release.Status.ObservedGeneration, release.Status.Conditions)
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before))
		Expect(w.records(ctx)).To(HaveLen(records), "applying again decided something")
	})
