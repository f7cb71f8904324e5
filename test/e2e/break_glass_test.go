//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// kubectlAs runs kubectl in the story's namespace as a user whom RBAC lets do everything.
func (w *world) kubectlAs(ctx context.Context, user string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "kubectl", append([]string{
		"--as", user, "--as-group", "oncall", "--as-group", "system:masters", "--namespace", w.namespace,
	}, args...)...)
	output, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return string(output), nil
}

// enter runs a command in a pod.
func (w *world) enter(ctx context.Context, user, pod string) error {
	_, err := w.kubectlAs(ctx, user, "exec", pod, "--", "/app", "test", "pass")
	return err
}

// podOf a version, and the UIDs of all its pods.
func (w *world) podOf(ctx context.Context, version string) (string, map[types.UID]bool) {
	GinkgoHelper()
	pods, err := w.Pods(ctx, w.namespace, version)
	Expect(err).NotTo(HaveOccurred())
	Expect(pods).NotTo(BeEmpty())
	uids := map[types.UID]bool{}
	for i := range pods {
		uids[pods[i].UID] = true
	}
	return pods[0].Name, uids
}

var _ = story("a BreakGlass lets its user, and nobody else, into the pods of one release for a minute; then sessions end, and the pod that was entered is replaced",
	early, Label("guards", "break-glass"), func(ctx context.Context, w *world) {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
		w.patch(ctx, namespace, `{"metadata":{"labels":{"`+v1alpha1.LabelGuarded+`":"true"}}}`)
		policy := &v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}, Spec: v1alpha1.ReleasePolicySpec{
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
			BreakGlass:        &v1alpha1.BreakGlassPolicy{Groups: []string{"oncall"}},
		}}
		w.create(ctx, policy)
		DeferCleanup(func(ctx SpecContext) { Expect(w.Client.Delete(ctx, policy)).To(Succeed()) })
		w.goLive(ctx, 40, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
		w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
		w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "2.0.0")
		pod, before := w.podOf(ctx, "2.0.0")
		warm, _ := w.podOf(ctx, "1.0.0")
		Expect(w.enter(ctx, "jane", pod)).To(MatchError(ContainSubstring("STRATA-050")))

		jane, err := w.As("jane", nil, "oncall", "system:masters", "system:authenticated")
		Expect(err).NotTo(HaveOccurred())
		action := harness.NewAction(w.namespace, "glass", "jane", v1alpha1.ActionBreakGlass, harness.ReleaseName("2.0.0"))
		action.Spec.DurationSeconds, action.Spec.Ticket = ptr.To(int32(60)), "OPS-7"
		Expect(despiteRestart(ctx, func() error { return jane.Create(ctx, action) })).To(Succeed())

		By("it is open to her, and there")
		Eventually(ctx, func() error { return w.enter(ctx, "jane", pod) }).WithTimeout(30 * time.Second).Should(Succeed())
		opened := time.Since(action.CreationTimestamp.Time)
		Expect(w.enter(ctx, "bob", pod)).To(MatchError(ContainSubstring("STRATA-050")))
		Expect(w.enter(ctx, "jane", warm)).To(MatchError(ContainSubstring("STRATA-050")))
		_, err = w.kubectlAs(ctx, "bob", "debug", pod, "--image", w.AppImage, "--", "/app", "test", "pass")
		Expect(err).To(MatchError(ContainSubstring("STRATA-019")))

		By("a session that lasts ends with the access")
		ended := make(chan time.Duration, 1)
		go func() {
			_, _ = w.kubectlAs(ctx, "jane", "exec", pod, "--", "/app", "queue", "--listen=127.0.0.1:9999")
			ended <- time.Since(action.CreationTimestamp.Time)
		}()
		var session time.Duration
		Eventually(ctx, ended).WithTimeout(2 * time.Minute).Should(Receive(&session))
		Expect(session).To(BeNumerically(">", time.Minute))

		By("the pod is replaced, and no other")
		Eventually(ctx, func(g Gomega) {
			g.Expect(w.Client.Get(ctx, client.ObjectKeyFromObject(action), action)).To(Succeed())
			g.Expect(action.Status.Outcome).To(Equal(v1alpha1.ActionDone), action.Status.Message)
		}).WithTimeout(patience).Should(Succeed())
		Eventually(ctx, func(g Gomega) {
			pods, err := w.Pods(ctx, w.namespace, "2.0.0")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(pods).To(HaveLen(len(before)))
			stayed := 0
			for i := range pods {
				g.Expect(pods[i].Name).NotTo(Equal(pod))
				g.Expect(isReady(pods[i])).To(BeTrue())
				if before[pods[i].UID] {
					stayed++
				}
			}
			g.Expect(stayed).To(Equal(len(before)-1), "only the pod that was entered is replaced")
		}).WithTimeout(patience).Should(Succeed())
		other, _ := w.podOf(ctx, "2.0.0")
		Expect(w.enter(ctx, "jane", other)).To(MatchError(ContainSubstring("STRATA-050")))

		By("it is all in the log, and told")
		var reasons []string
		records, err := w.Records(ctx, w.namespace, harness.TrackName)
		Expect(err).NotTo(HaveOccurred())
		for _, record := range records {
			if record.Spec.Event == v1alpha1.EventBreakGlass {
				Expect(record.Spec.Actor).To(Equal("jane"))
				reasons = append(reasons, record.Spec.Reason)
			}
		}
		Expect(reasons).To(Equal([]string{"Opened", "Entered", "Entered", "Closed"}))
		Expect(action.Status.Uses).To(HaveLen(2))
		Eventually(ctx, func(g Gomega) {
			list := &eventsv1.EventList{}
			g.Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
			told := map[string]int{}
			for i := range list.Items {
				if list.Items[i].Regarding.UID == action.UID {
					told[list.Items[i].Reason]++
				}
			}
			g.Expect(told).To(Equal(map[string]int{"BreakGlassOpened": 1, "BreakGlassEntered": 2, "BreakGlassClosed": 1}))
		}).Should(Succeed())
		w.note("access was open %.1f s after it was asked for, and its last session ended %.1f s after that minute", opened.Seconds(), (session - time.Minute).Seconds())
	})
