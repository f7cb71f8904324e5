//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// noPass tells the story of a test that did not pass: release 2.0.0 has it, disturb
// is called once its Job is recorded, and the verdict is Failed with a message that
// contains want.
func noPass(ctx context.Context, w *world, test []harness.ReleaseOption, want string, disturb func(job *batchv1.Job)) {
	GinkgoHelper()
	w.goLive(ctx, 30, w.NewTrack(w.namespace), w.NewRelease(w.namespace, "1.0.0"))
	start := time.Now()
	w.create(ctx, w.NewRelease(w.namespace, "2.0.0", test...))
	started := w.untilRecord(ctx, "2.0.0", v1alpha1.EventTestStarted)
	if disturb != nil {
		job := &batchv1.Job{}
		key := client.ObjectKey{Namespace: w.namespace, Name: started.Spec.Release.Test.JobName}
		Expect(w.Client.Get(ctx, key, job)).To(Succeed())
		Expect(job.UID).To(Equal(started.Spec.Release.Test.JobUID))
		disturb(job)
	}
	verdict := w.untilVerdict(ctx, "2.0.0", v1alpha1.EventFailed)
	Expect(verdict.Spec.Message).To(ContainSubstring(want))
	for _, finished := range w.recordsOf(ctx, "2.0.0", v1alpha1.EventTestFinished) {
		Expect(finished.Spec.Release.Test.Outcome).To(Equal(v1alpha1.TestFailed))
	}
	time.Sleep(2 * time.Second)
	w.expectNoWeight(ctx, "2.0.0", "1.0.0", start)
}

var scenario9 = Label("not-going-live", "scenario-9")

var _ = story("a test that hangs is no pass", scenario9, func(ctx context.Context, w *world) {
	hang := []harness.ReleaseOption{w.Test("smoke", v1alpha1.BeforeTraffic, 6, "hang")}
	noPass(ctx, w, hang, "not finished within 6s", nil)
})

var _ = story("a test whose image cannot be pulled is no pass", scenario9, func(ctx context.Context, w *world) {
	repository, _, _ := strings.Cut(w.AppImage, "@")
	nowhere := repository + "@sha256:" + strings.Repeat("0", 64)
	unpullable := []harness.ReleaseOption{w.Test("smoke", v1alpha1.BeforeTraffic, 8, "smoke"), harness.TestImage(nowhere)}
	noPass(ctx, w, unpullable, "ErrImagePull", nil)
})

var _ = story("a test whose Job is deleted before it finished is no pass", scenario9, func(ctx context.Context, w *world) {
	slow := []harness.ReleaseOption{w.Test("smoke", v1alpha1.BeforeTraffic, 60, "smoke", "--delay=30s")}
	noPass(ctx, w, slow, "deleted", func(job *batchv1.Job) {
		Expect(w.Client.Delete(ctx, job, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
	})
})

// forgeries are ways by which somebody with all rights may try to let a hanging
// test look passed. Each may be refused; none may count.
var forgeries = map[string]func(ctx context.Context, w *world, job *batchv1.Job) error{
	"a status that says Complete": func(ctx context.Context, w *world, job *batchv1.Job) error {
		now := metav1.Now()
		original := job.DeepCopy()
		job.Status.Active, job.Status.Ready = 0, nil
		job.Status.Succeeded, job.Status.CompletionTime = 1, &now
		if job.Status.StartTime == nil {
			job.Status.StartTime = &now
		}
		for _, kind := range []batchv1.JobConditionType{batchv1.JobSuccessCriteriaMet, batchv1.JobComplete} {
			job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{
				Type: kind, Status: "True", LastTransitionTime: now, LastProbeTime: now,
			})
		}
		return w.Client.Status().Patch(ctx, job, client.MergeFrom(original))
	},
	"another Job of the same name": func(ctx context.Context, w *world, job *batchv1.Job) error {
		if err := w.Client.Delete(ctx, job, client.GracePeriodSeconds(0), client.PropagationPolicy(metav1.DeletePropagationBackground)); err != nil {
			return err
		}
		forged := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: job.Name, Labels: job.Labels, Annotations: job.Annotations, OwnerReferences: job.OwnerReferences,
		}, Spec: *job.Spec.DeepCopy()}
		forged.Spec.Selector = nil
		forged.Spec.Template.Labels = nil
		forged.Spec.Template.Spec.Containers[0].Args = []string{"test", "smoke"}
		var err error
		for range 50 {
			if err = w.Client.Create(ctx, forged.DeepCopy()); err == nil {
				return nil
			}
			time.Sleep(20 * time.Millisecond)
		}
		return err
	},
}

var _ = func() bool {
	for name, forge := range forgeries {
		story(fmt.Sprintf("a success that is forged by %s is no pass", name), scenario9, func(ctx context.Context, w *world) {
			hang := []harness.ReleaseOption{w.Test("smoke", v1alpha1.BeforeTraffic, 8, "hang")}
			noPass(ctx, w, hang, "", func(job *batchv1.Job) {
				outcome := "accepted by the API server, and not counted"
				if err := forge(ctx, w, job); err != nil {
					outcome = "refused: " + err.Error()
				}
				w.note("forged by %s: %s", name, outcome)
			})
		})
	}
	return true
}()
