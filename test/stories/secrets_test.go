package stories

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/stories/cluster"
)

// written is all that stands of a namespace anywhere but in Secrets: objects, events,
// metrics, and the operator's log of this story.
func (w *world) written(ctx context.Context) map[string]string {
	GinkgoHelper()
	all := map[string]string{"log": CurrentSpecReport().CapturedGinkgoWriterOutput}
	for _, list := range []client.ObjectList{
		&v1alpha1.ImmutableReleaseList{}, &v1alpha1.ReleaseTrackList{}, &v1alpha1.ReleaseRecordList{}, &v1alpha1.ReleaseActionList{},
		&appsv1.DeploymentList{}, &appsv1.ControllerRevisionList{}, &batchv1.JobList{}, &corev1.ConfigMapList{}, &corev1.ServiceList{}, &eventsv1.EventList{},
	} {
		Expect(w.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
		text, err := json.Marshal(list)
		Expect(err).NotTo(HaveOccurred())
		all[fmt.Sprintf("%T", list)] = string(text)
	}
	metrics, err := ctrlmetrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	all["metrics"] = fmt.Sprint(metrics)
	return all
}

var _ = story("what is in a Secret is told nowhere but in its copies: not by a test that fails, content that is not expected, a Secret that is missing, or an edit that is refused", func(ctx context.Context, w *world) {
	const canary = "canary-7f3a9c1e5b"
	w.create(ctx, w.secret("password", canary), w.secret("other", canary+"-other"))
	w.goLive(ctx, w.track(), w.release("1.0.0", readsSecret("password")))
	_, copies := w.copies(ctx, "1.0.0")
	Expect(copies).To(HaveLen(1))
	Expect(copies[0].Data).To(HaveKeyWithValue("word", []byte(canary)))

	w.PlayTests(w.namespace, of("2.0.0", cluster.Test{Fails: true, Says: "no"}))
	w.create(ctx, w.release("2.0.0", readsSecret("password"), readsSecret("other"), w.Test("smoke", v1alpha1.BeforeTraffic, 60)))
	w.untilVerdict(ctx, "2.0.0", 1, v1alpha1.EventFailed)

	w.create(ctx, w.release("3.0.0", readsSecret("other"), config(v1alpha1.ReleaseConfig{
		Expect: []v1alpha1.ConfigExpectation{{Kind: v1alpha1.SecretKind, Name: "other", SHA256: strings.Repeat("0", 64)}},
	})))
	w.untilRelease(ctx, "3.0.0", v1alpha1.ConditionReady, HavePrefix("Ready=False ConfigUnexpected"))

	w.create(ctx, w.release("4.0.0", readsSecret("missing"), readsSecret("other")))
	w.untilRelease(ctx, "4.0.0", v1alpha1.ConditionReady, And(HavePrefix("Ready=False"), ContainSubstring("missing")))

	edited := copies[0].DeepCopy()
	edited.Data["word"] = []byte(canary + "-edited")
	Expect(w.Client.Update(ctx, edited)).To(MatchError(Not(ContainSubstring(canary))))

	for where, text := range w.written(ctx) {
		Expect(text).NotTo(BeEmpty(), where)
		for _, form := range []string{canary, base64.StdEncoding.EncodeToString([]byte(canary))[:len(canary)]} {
			Expect(text).NotTo(ContainSubstring(form), where)
		}
	}
})
