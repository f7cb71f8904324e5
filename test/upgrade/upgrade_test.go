package upgrade

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

var tracks = flag.Int("tracks", 8, "how many settled tracks there are")

var (
	suite      *cluster.Cluster
	kubeconfig string // of the operators' user
)

func TestUpgrade(t *testing.T) {
	RegisterFailHandler(Fail)
	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(time.Minute)
	SetDefaultEventuallyPollingInterval(200 * time.Millisecond)
	RunSpecs(t, "An operator that replaces another one")
}

// patience is for how long a status may wait to be written with others.
const patience = 10 * time.Second

var _ = It("a newer operator writes nothing to settled tracks, and goes on with what is under way", SpecTimeout(20*time.Minute), func(ctx SpecContext) {
	older, newer := furnish(ctx)
	first := start(older)
	settled := settleTracks(ctx)
	half, migrates, back := beginHalf(ctx), beginMigration(ctx), settleRetired(ctx)
	until(ctx, half, "shop-1-0-0:50 shop-2-0-0:50")
	untilGate(ctx, half, "Approved")
	untilGate(ctx, migrates, "BeforePodsPassed")
	before := atRest(ctx)
	Expect(before.of("Deployment", settled...)).To(HaveLen(2*len(settled)+len(settled)/4*2), "%d settled tracks, with a standby each, a fourth with two components", len(settled))

	replaced := time.Now()
	second := first.replace(newer)
	second.leads(*tracks)
	time.Sleep(patience + 2*time.Second)
	expectNothing(before, photograph(ctx), replaced)
	reads := second.reads()
	Expect(reads).To(And(BeNumerically(">", 10), BeNumerically("<", 150+*tracks/4)), "a restart is a burst of reads")

	approve(ctx, half)
	until(ctx, half, "shop-2-0-0:100")
	untilStable(ctx, half, "2.0.0")
	suite.PlayTests(migrates, func(*batchv1.Job) cluster.Test { return cluster.Test{} })
	untilStable(ctx, migrates, "2.0.0")
	Expect(suite.Client.Create(ctx, harness.NewAction(back, "back", "jane", v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))).To(Succeed())
	untilStable(ctx, back, "1.0.0")
	Expect(suite.Client.Create(ctx, suite.NewRelease(settled[0], "3.0.0"))).To(Succeed())
	untilStable(ctx, settled[0], "3.0.0")

	By("what was sealed by the older one is what that made of it, and what is new is not")
	after := photograph(ctx)
	expectRendered(ctx, half, "2.0.0", olderReady)
	expectRendered(ctx, migrates, "2.0.0", olderReady)
	expectRendered(ctx, back, "1.0.0", olderReady)
	expectRendered(ctx, settled[0], "3.0.0", newerReady)
	Expect(after.of("Pod", half)).To(Equal(before.of("Pod", half)), "a pod of a rollout under way was replaced")
	Expect(after.of("Deployment", half)).To(Equal(before.of("Deployment", half)))

	By("the older one comes back")
	before, replaced = atRest(ctx), time.Now()
	second.replace(older).leads(*tracks)
	time.Sleep(patience + 2*time.Second)
	expectNothing(before, photograph(ctx), replaced)
	for _, namespace := range append(settled, half, migrates, back) {
		records, err := suite.Records(ctx, namespace, harness.TrackName)
		Expect(err).NotTo(HaveOccurred())
		Expect(ledger.Verify(records)).To(Succeed(), namespace)
	}
	AddReportEntry("upgraded", ReportEntryVisibilityAlways, fmt.Sprintf("%d tracks, %d objects: 0 writes by the newer operator, %.0f reads, and 0 writes by the older one after it", len(settled)+3, len(before), reads))
})

// furnish builds the programs and starts the cluster.
func furnish(ctx context.Context) (older, newer string) {
	GinkgoHelper()
	ctrl.SetLogger(logr.Discard())
	scratch, err := os.MkdirTemp("", "strata-upgrade-")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, scratch)
	older, newer, err = buildOperators(ctx, scratch)
	Expect(err).NotTo(HaveOccurred())
	root, err := filepath.Abs(repository)
	Expect(err).NotTo(HaveOccurred())
	suite, err = cluster.Start(context.WithoutCancel(ctx), root, scratch)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(suite.Stop()).To(Succeed()) })
	Expect(suite.SettleIn(ctx, root)).To(Succeed())
	content, err := suite.OperatorKubeconfig()
	Expect(err).NotTo(HaveOccurred())
	kubeconfig = filepath.Join(scratch, "kubeconfig")
	Expect(os.WriteFile(kubeconfig, content, 0o600)).To(Succeed())
	return older, newer
}

// settleTracks makes tracks, a namespace each, of which 2.0.0 is stable and 1.0.0 stands
// by: a fourth with configuration and a test, a fourth with two components, a fourth with
// an autoscaler and a budget. They have no more than the API demands: all else is defaults.
func settleTracks(ctx context.Context) []string {
	GinkgoHelper()
	var namespaces []string
	for i := range *tracks {
		options := []harness.ReleaseOption{harness.Replicas(1)}
		switch i % 4 {
		case 1:
			options = append(options, harness.Greeting(v1alpha1.ConfigMapKind, "settings"), withoutDeadline(suite.Test("smoke", v1alpha1.BeforeTraffic, 60)))
		case 2:
			options = append(options, suite.Component("api", 1))
		case 3:
			options = append(options, func(r *v1alpha1.ImmutableRelease) {
				r.Spec.Components[0].Autoscaling = &v1alpha1.ComponentAutoscaling{MinReplicas: 1, MaxReplicas: 3}
				r.Spec.Components[0].Disruption = &v1alpha1.ComponentDisruption{MaxUnavailable: ptr.To(intstr.FromInt32(1))}
			})
		}
		namespaces = append(namespaces, begin(ctx, func(t *v1alpha1.ReleaseTrack) {
			t.Spec.Rollout, t.Spec.Traffic.DrainSeconds, t.Spec.Retention = nil, nil, nil
		}, options...))
	}
	for _, version := range []string{"1.0.0", "2.0.0"} {
		for i, namespace := range namespaces {
			if version != "1.0.0" {
				release, err := suite.Release(ctx, namespace, "1.0.0")
				Expect(err).NotTo(HaveOccurred())
				next := &v1alpha1.ImmutableRelease{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: harness.ReleaseName(version)}, Spec: release.Spec}
				next.Spec.Version = version
				Expect(suite.Client.Create(ctx, next)).To(Succeed(), "track %d", i)
			}
		}
		for _, namespace := range namespaces {
			untilStable(ctx, namespace, version)
		}
	}
	return namespaces
}

func withoutDeadline(test harness.ReleaseOption) harness.ReleaseOption {
	return func(r *v1alpha1.ImmutableRelease) {
		test(r)
		r.Spec.Tests[len(r.Spec.Tests)-1].DeadlineSeconds = nil
	}
}

// begin makes a namespace with a track and its first release.
func begin(ctx context.Context, track harness.TrackOption, options ...harness.ReleaseOption) string {
	GinkgoHelper()
	namespace, err := suite.NewNamespace(ctx, "upgrade")
	Expect(err).NotTo(HaveOccurred())
	settings := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "settings"}, Data: map[string]string{"greeting": "hello"}}
	Expect(suite.Client.Create(ctx, settings)).To(Succeed())
	Expect(suite.Client.Create(ctx, suite.NewTrack(namespace, track))).To(Succeed())
	Expect(suite.Client.Create(ctx, suite.NewRelease(namespace, "1.0.0", options...))).To(Succeed())
	return namespace
}

// beginHalf has a release that is at 50 percent, and waits for somebody to approve the rest.
func beginHalf(ctx context.Context) string {
	GinkgoHelper()
	namespace := begin(ctx, harness.Steps(harness.Step(50, 0), v1alpha1.RolloutStep{WeightPercent: 100, Approval: v1alpha1.ApprovalRequired}))
	// A first release passes the steps, and so their approvals, too.
	untilGate(ctx, namespace, "Approved")
	approveOf(ctx, namespace, "1.0.0")
	untilStable(ctx, namespace, "1.0.0")
	Expect(suite.Client.Create(ctx, suite.NewRelease(namespace, "2.0.0"))).To(Succeed())
	return namespace
}

// beginMigration has a release that is sealed, and whose pods wait for a migration.
func beginMigration(ctx context.Context) string {
	GinkgoHelper()
	namespace := begin(ctx, func(*v1alpha1.ReleaseTrack) {})
	untilStable(ctx, namespace, "1.0.0")
	suite.PlayTests(namespace, func(*batchv1.Job) cluster.Test { return cluster.Test{Hangs: true} })
	Expect(suite.Client.Create(ctx, suite.NewRelease(namespace, "2.0.0", suite.Test("migrate", v1alpha1.BeforePods, 3600)))).To(Succeed())
	return namespace
}

// settleRetired has a release that has no pods any more.
func settleRetired(ctx context.Context) string {
	GinkgoHelper()
	namespace := begin(ctx, func(t *v1alpha1.ReleaseTrack) {
		t.Spec.Retention.WarmReleases, t.Spec.Traffic.DrainSeconds = ptr.To[int32](0), ptr.To[int32](0)
	})
	untilStable(ctx, namespace, "1.0.0")
	Expect(suite.Client.Create(ctx, suite.NewRelease(namespace, "2.0.0"))).To(Succeed())
	untilStable(ctx, namespace, "2.0.0")
	Eventually(ctx, func() ([]corev1.Pod, error) { return suite.Pods(ctx, namespace, "1.0.0") }).Should(BeEmpty())
	return namespace
}

func approve(ctx context.Context, namespace string) {
	GinkgoHelper()
	approveOf(ctx, namespace, "2.0.0")
}

func approveOf(ctx context.Context, namespace, version string) {
	GinkgoHelper()
	action := harness.NewAction(namespace, "approve-"+strings.ReplaceAll(version, ".", "-"), "jane", v1alpha1.ActionApprove, harness.ReleaseName(version))
	action.Spec.Attempt, action.Spec.WeightPercent = ptr.To[int32](1), ptr.To[int32](100)
	Expect(suite.Client.Create(ctx, action)).To(Succeed())
}

// until waits for weights that are verified.
func until(ctx context.Context, namespace, weights string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		records, err := suite.Records(ctx, namespace, harness.TrackName)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(records).NotTo(BeEmpty())
		last := records[len(records)-1]
		var shares []string
		for _, name := range slices.Sorted(maps.Keys(harness.Weights(last))) {
			shares = append(shares, fmt.Sprintf("%s:%d", name, harness.Weights(last)[name]))
		}
		g.Expect(strings.Join(shares, " ")).To(Equal(weights))
		g.Expect(last.Spec.State.Routes[0].VerifiedTime).NotTo(BeNil())
	}).Should(Succeed())
}

func untilGate(ctx context.Context, namespace, gate string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		track, err := suite.Track(ctx, namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(track.Status.BlockedBy).To(HaveField("Gate", gate))
	}).Should(Succeed())
}

func untilStable(ctx context.Context, namespace, version string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		track, err := suite.Track(ctx, namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(track.Status.StableReleaseName).To(Equal(harness.ReleaseName(version)))
		g.Expect(track.Status.CandidateReleaseName).To(BeEmpty())
	}).WithTimeout(4 * time.Minute).Should(Succeed())
}

// expectRendered holds by whom the Deployment of a release was rendered.
func expectRendered(ctx context.Context, namespace, version string, readySeconds int32) {
	GinkgoHelper()
	deployment := &appsv1.Deployment{}
	Expect(suite.Client.Get(ctx, keyOf(namespace, harness.ReleaseName(version)+"-web"), deployment)).To(Succeed())
	Expect(deployment.Spec.MinReadySeconds).To(Equal(readySeconds))
	byNewer := slices.ContainsFunc(deployment.Spec.Template.Spec.Containers[0].Env, func(v corev1.EnvVar) bool { return v.Name == newerVariable })
	Expect(byNewer).To(Equal(readySeconds == newerReady), "%v", deployment.Spec.Template.Spec.Containers[0].Env)
}

// photo is every object of the tracks: what it was written as last.
type photo map[thing]string

type thing struct{ kind, namespace, name string }

// of the objects of a kind in some namespaces.
func (p photo) of(kind string, namespaces ...string) photo {
	some := photo{}
	for object, version := range p {
		if object.kind == kind && slices.Contains(namespaces, object.namespace) {
			some[object] = strings.Split(version, " ")[0] + " " + strings.Split(version, " ")[1]
		}
	}
	return some
}

var photographed = []schema.GroupVersionKind{
	v1alpha1.GroupVersion.WithKind("ReleaseTrack"), v1alpha1.GroupVersion.WithKind("ImmutableRelease"),
	v1alpha1.GroupVersion.WithKind("ReleaseRecord"), v1alpha1.GroupVersion.WithKind("ReleaseAction"),
	{Group: gatewayv1.GroupName, Version: "v1", Kind: "HTTPRoute"}, appsv1.SchemeGroupVersion.WithKind("Deployment"),
	appsv1.SchemeGroupVersion.WithKind("ControllerRevision"), autoscalingv2.SchemeGroupVersion.WithKind("HorizontalPodAutoscaler"),
	policyv1.SchemeGroupVersion.WithKind("PodDisruptionBudget"), batchv1.SchemeGroupVersion.WithKind("Job"),
	discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"), corev1.SchemeGroupVersion.WithKind("Service"),
	corev1.SchemeGroupVersion.WithKind("Pod"), corev1.SchemeGroupVersion.WithKind("ConfigMap"),
}

// photograph has UID, generation and resourceVersion of every object of the tracks.
func photograph(ctx context.Context) photo {
	GinkgoHelper()
	all := photo{}
	for _, kind := range photographed {
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		Expect(suite.Client.List(ctx, list)).To(Succeed())
		for i := range list.Items {
			object := &list.Items[i]
			if strings.HasPrefix(object.GetNamespace(), "upgrade-") {
				all[thing{kind.Kind, object.GetNamespace(), object.GetName()}] = fmt.Sprintf("%s generation=%d version=%s", object.GetUID(), object.GetGeneration(), object.GetResourceVersion())
			}
		}
	}
	return all
}

// atRest waits until nothing is written any more, and is a photograph of that.
func atRest(ctx context.Context) photo {
	GinkgoHelper()
	last, since := photograph(ctx), time.Now()
	Eventually(ctx, func() time.Duration {
		if now := photograph(ctx); !maps.Equal(now, last) {
			last, since = now, time.Now()
		}
		return time.Since(since)
	}).WithPolling(time.Second).WithTimeout(3 * time.Minute).Should(BeNumerically(">", patience+2*time.Second))
	return last
}

// expectNothing: no object was written, and no operator has tried to.
func expectNothing(before, after photo, since time.Time) {
	GinkgoHelper()
	for object, version := range after {
		Expect(before).To(HaveKeyWithValue(object, version))
	}
	Expect(after).To(HaveLen(len(before)))
	writes, err := suite.Writes(cluster.OperatorUser, "", since)
	Expect(err).NotTo(HaveOccurred())
	Expect(writes).To(BeEmpty())
	all, err := suite.Writes(cluster.OperatorUser, "", time.Time{})
	Expect(err).NotTo(HaveOccurred())
	Expect(len(all)).To(BeNumerically(">", len(before)/4), "the audit log tells nothing")
}
