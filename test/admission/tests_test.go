package admission

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
)

var _ = Describe("The result of a test", func() {
	labels := map[string]string{v1alpha1.LabelRelease: "shop-1", v1alpha1.LabelTest: "smoke"}
	forged := mergePatch(`{"status":{"succeeded":1}}`)

	It("is written by the job controller alone", func() {
		job := &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: newNamespace(), Name: "shop-1-smoke-1", Labels: labels, OwnerReferences: ownedBy("shop-1")},
			Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "test", Image: image}},
			}}},
		}
		Expect(operator.Create(ctx, job)).To(Succeed())
		Expect(admin.Status().Patch(ctx, job.DeepCopy(), forged)).To(MatchError(And(ContainSubstring("STRATA-014"), ContainSubstring("release shop-1"))))
		Expect(admin.Patch(ctx, job.DeepCopy(), mergePatch(`{"spec":{"suspend":true}}`))).To(MatchError(ContainSubstring("STRATA-014")))
		job.Status.Active = 1
		Expect(controllerOf("job-controller").Status().Update(ctx, job)).To(Succeed())
	})

	It("is not forged by the status of its pod", func() {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: newNamespace(), Name: "shop-1-smoke-1-x", Labels: labels},
			Spec:       corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "test", Image: image}}},
		}
		Expect(admin.Create(ctx, newTrack(pod.Namespace, "shop"))).To(Succeed())
		noteTrack(pod.Namespace)
		Eventually(func() error { return admin.Create(ctx, pod.DeepCopy(), client.DryRunAll) }).Should(MatchError(ContainSubstring("STRATA-040")))
		Expect(controllerOf("job-controller").Create(ctx, pod)).To(Succeed())
		Expect(admin.Status().Patch(ctx, pod.DeepCopy(), mergePatch(`{"status":{"phase":"Succeeded"}}`))).To(MatchError(ContainSubstring("STRATA-015")))
		scheduler := as(rest.ImpersonationConfig{UserName: "system:kube-scheduler", Groups: []string{"system:authenticated"}})
		Expect(scheduler.Status().Patch(ctx, pod.DeepCopy(), mergePatch(`{"status":{"nominatedNodeName":"n"}}`))).To(Succeed())
	})
})

// controllerOf is a controller of kube-controller-manager.
func controllerOf(name string) client.Client {
	return as(rest.ImpersonationConfig{
		UserName: "system:serviceaccount:kube-system:" + name,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"},
	})
}
