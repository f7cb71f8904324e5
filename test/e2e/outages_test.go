//go:build e2e

package e2e

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// whileUnknown is how long a weight is looked at that must not move: longer than Strata
// waits anywhere before it looks again.
const whileUnknown = 10 * time.Second

// expectNothingMoves: meanwhile no record gives any release another weight.
func (w *world) expectNothingMoves(ctx context.Context) {
	GinkgoHelper()
	weights := func() map[string]int32 {
		all := w.records(ctx)
		return harness.Weights(all[len(all)-1])
	}
	before := weights()
	Consistently(ctx, weights).WithTimeout(whileUnknown).WithPolling(500 * time.Millisecond).Should(Equal(before))
}

// twoLive settles a track with 2.0.0 stable and 1.0.0 warm behind it, of which ann may roll
// back.
func (w *world) twoLive(ctx context.Context, track *v1alpha1.ReleaseTrack) {
	GinkgoHelper()
	w.goLiveUnasked(ctx, track, w.NewRelease(w.namespace, "1.0.0"))
	w.create(ctx, w.NewRelease(w.namespace, "2.0.0"))
	w.untilVerdict(ctx, "2.0.0", v1alpha1.EventPromoted)
	w.untilSettled(ctx, "2.0.0")
	w.allow(ctx, "ann", "rollback")
}

// rollBack asks for it as ann, and says when.
func (w *world) rollBack(ctx context.Context, version string) (intent time.Time) {
	GinkgoHelper()
	intent = time.Now()
	Expect(w.as(ctx, "ann", harness.NewAction(w.namespace, "back", "ann", v1alpha1.ActionRollback, harness.ReleaseName(version)))).To(Succeed())
	return intent
}

// untilWritten waits until the route carries a weight of 100 of the version alone, and says
// since when.
func (w *world) untilWritten(ctx context.Context, version string, since time.Time) time.Time {
	GinkgoHelper()
	Eventually(ctx, func() []string { return w.moves(since) }).WithTimeout(patience).WithPolling(20 * time.Millisecond).Should(Equal([]string{version + ":100"}))
	states, err := w.routes.Since(since)
	Expect(err).NotTo(HaveOccurred())
	return harness.Moves(states)[0].Time
}

// shown lets a TraefikService prove what it carries, as it has no status: by a probe where
// weight rises. Nothing proves that a release has none any more: the drain outlasts the fault.
func (w *world) shown(t *v1alpha1.ReleaseTrack) {
	if w.Router == v1alpha1.RouteTraefik {
		w.probed(t)
		t.Spec.Traffic.DrainSeconds = ptr.To[int32](60)
	}
}

// It cuts off the gateway of all.
var _ = alone("a gateway that hears nothing and reports nothing gets no more weight to carry; a rollback is written meanwhile, and nothing goes that it may still lead to",
	Label("traffic", "living-with-it", breaksAll, "scenario-25"), func(ctx context.Context, w *world) {
		w.twoLive(ctx, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 0), harness.Step(50, 12)), w.shown))
	}, func(ctx context.Context, w *world) {
		onlyOnLocal()
		w.startLoad(ctx, 60)
		stable, start := w.pods(ctx, "2.0.0"), time.Now()
		w.whileCutOff(ctx, func() {
			w.create(ctx, w.NewRelease(w.namespace, "3.0.0"))
			Eventually(ctx, func(g Gomega) {
				track, err := w.Track(ctx, w.namespace)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(track.Status.BlockedBy).NotTo(BeNil())
				g.Expect(track.Status.BlockedBy.Gate).To(Equal("RouteVerified"))
				g.Expect(track.Status.BlockedBy.Reason).To(BeElementOf("RouteNotReported", "ShareNotObserved"))
			}).WithTimeout(patience).Should(Succeed())
			w.expectNothingMoves(ctx)
			w.expectOnly("2.0.0", start)
		})
		By("the gateway is back: the rollout goes on")
		w.untilWeight(ctx, "3.0.0", 50)
		w.expectShare(ctx, "3.0.0", 50)
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "3.0.0")
		Expect(w.moves(start)).To(Equal([]string{"2.0.0:80 3.0.0:20", "2.0.0:50 3.0.0:50", "3.0.0:100"}))

		candidate, shifted := w.pods(ctx, "3.0.0"), time.Now().Add(settleTime)
		time.Sleep(2 * settleTime)
		w.expectOnly("3.0.0", shifted)
		w.whileCutOff(ctx, func() {
			intent := w.rollBack(ctx, "2.0.0")
			written := w.untilWritten(ctx, "2.0.0", intent)
			w.note("rollback while the gateway is cut off: intent to weights written %s", written.Sub(intent).Round(time.Millisecond))
			Expect(written.Sub(intent)).To(BeNumerically("<=", 1500*time.Millisecond))
			w.expectNothingMoves(ctx)
			w.expectOnly("3.0.0", intent)
			Expect(w.pods(ctx, "3.0.0")).To(Equal(candidate), "the gateway leads to them still")
		})
		By("the gateway is back: the rollback is on the wire")
		Eventually(ctx, func() string {
			last := w.load.Results().Last(1)
			return last[0].Version
		}).WithTimeout(patience).Should(Equal("2.0.0"))
		w.untilWeight(ctx, "2.0.0", 100)
		w.expectOnly("2.0.0", time.Now().Add(settleTime))
		Expect(w.pods(ctx, "2.0.0")).To(Equal(stable))
	})

// whileCutOff does something while gateway and API server hear nothing of each other.
func (w *world) whileCutOff(ctx context.Context, do func()) {
	GinkgoHelper()
	By("the gateway is cut off from the API server")
	mend, err := w.CutOffGateway(ctx)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(mend)
	do()
	Expect(mend()).To(Succeed())
}

// It keeps the API server from all that the operator asks.
var _ = alone("while the API server is slow and answers 429 no weight moves; what was asked for meanwhile is done when it lets it",
	Label("traffic", "living-with-it", breaksAll, "scenario-25"), func(ctx context.Context, w *world) {
		w.twoLive(ctx, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 12))))
	}, func(ctx context.Context, w *world) {
		w.startLoad(ctx, 60)
		stable, start := w.pods(ctx, "2.0.0"), time.Now()
		w.create(ctx, w.NewRelease(w.namespace, "3.0.0"))
		w.untilWeight(ctx, "3.0.0", 20)
		w.whileShed(ctx, func() {
			w.expectShare(ctx, "3.0.0", 20)
			w.expectNothingMoves(ctx)
			Expect(w.weightsSet(ctx, "3.0.0")).To(Equal([]int32{20}), "the hold is over")
		})
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventPromoted)
		w.untilSettled(ctx, "3.0.0")
		Expect(w.moves(start)).To(Equal([]string{"2.0.0:80 3.0.0:20", "3.0.0:100"}))

		var intent time.Time
		w.whileShed(ctx, func() {
			intent = w.rollBack(ctx, "2.0.0")
			w.expectNothingMoves(ctx)
		})
		let := time.Now()
		written := w.untilWritten(ctx, "2.0.0", intent)
		w.note("rollback that was asked for meanwhile: weights written %s after the API server let it", written.Sub(let).Round(time.Millisecond))
		Expect(written.Sub(let)).To(BeNumerically("<=", 10*time.Second))
		w.untilWeight(ctx, "2.0.0", 100)
		w.expectOnly("2.0.0", time.Now().Add(settleTime))
		Expect(w.pods(ctx, "2.0.0")).To(Equal(stable))
	})

// whileShed does something while the API server sheds the operator's load: of its requests
// one waits, and all others are answered 429. Its Lease (whose loss is another story) and
// what its webhook asks in the name of others have a flow of their own.
func (w *world) whileShed(ctx context.Context, do func()) {
	GinkgoHelper()
	By("the API server sheds the load of the operator")
	user, err := w.OperatorUser(ctx)
	Expect(err).NotTo(HaveOccurred())
	level := &flowcontrolv1.PriorityLevelConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: w.namespace},
		Spec: flowcontrolv1.PriorityLevelConfigurationSpec{
			Type: flowcontrolv1.PriorityLevelEnablementLimited,
			Limited: &flowcontrolv1.LimitedPriorityLevelConfiguration{
				NominalConcurrencyShares: ptr.To[int32](0), BorrowingLimitPercent: ptr.To[int32](0),
				LimitResponse: flowcontrolv1.LimitResponse{
					Type:    flowcontrolv1.LimitResponseTypeQueue,
					Queuing: &flowcontrolv1.QueuingConfiguration{Queues: 1, HandSize: 1, QueueLengthLimit: 1},
				},
			},
		},
	}
	flow := func(name, level string, precedence int32, groups, resources []string) *flowcontrolv1.FlowSchema {
		return &flowcontrolv1.FlowSchema{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: flowcontrolv1.FlowSchemaSpec{
				PriorityLevelConfiguration: flowcontrolv1.PriorityLevelConfigurationReference{Name: level},
				MatchingPrecedence:         precedence,
				Rules: []flowcontrolv1.PolicyRulesWithSubjects{{
					Subjects:      []flowcontrolv1.Subject{{Kind: flowcontrolv1.SubjectKindUser, User: &flowcontrolv1.UserSubject{Name: user}}},
					ResourceRules: []flowcontrolv1.ResourcePolicyRule{{Verbs: []string{"*"}, APIGroups: groups, Resources: resources, ClusterScope: true, Namespaces: []string{"*"}}},
				}},
			},
		}
	}
	objects := []client.Object{
		flow(w.namespace+"-lease", "workload-high", 10, []string{"coordination.k8s.io", "authorization.k8s.io"}, []string{"leases", "subjectaccessreviews"}),
		level, flow(w.namespace, level.Name, 11, []string{"*"}, []string{"*"}),
	}
	end := func(ctx context.Context) {
		for _, object := range objects {
			Expect(client.IgnoreNotFound(w.Client.Delete(ctx, object))).To(Succeed())
		}
	}
	DeferCleanup(func(ctx SpecContext) { end(ctx) })
	w.create(ctx, objects...)
	w.untilShed(ctx, user)
	since := time.Now()
	records := len(w.records(ctx))
	do()
	Expect(w.records(ctx)).To(HaveLen(records), "the operator was let in")
	shed := w.shed(ctx, level.Name)
	w.note("%d requests of the operator were answered 429 in %s", shed, time.Since(since).Round(time.Second))
	Expect(shed).To(BeNumerically(">", 0))
	// Who waits is let in, which the end of a level would not do.
	w.patch(ctx, level, `{"spec":{"limited":{"nominalConcurrencyShares":30}}}`)
	end(ctx)
}

// untilShed waits until the API server lets a user in no more: who asks waits, or is sent
// away because somebody waits.
func (w *world) untilShed(ctx context.Context, user string) {
	GinkgoHelper()
	clientset, err := kubernetes.NewForConfig(w.Config)
	Expect(err).NotTo(HaveOccurred())
	Eventually(ctx, func() bool {
		once, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		err := clientset.CoreV1().RESTClient().Get().MaxRetries(0).SetHeader("Impersonate-User", user).
			Namespace(w.namespace).Resource("pods").Do(once).Error()
		return errors.Is(err, context.DeadlineExceeded) || apierrors.IsTooManyRequests(err)
	}).WithTimeout(patience).Should(BeTrue())
}

// shed is how many requests of a priority level the API server has answered 429.
func (w *world) shed(ctx context.Context, level string) int {
	GinkgoHelper()
	clientset, err := kubernetes.NewForConfig(w.Config)
	Expect(err).NotTo(HaveOccurred())
	metrics, err := clientset.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	Expect(err).NotTo(HaveOccurred())
	shed := 0
	for line := range strings.Lines(string(metrics)) {
		if strings.HasPrefix(line, "apiserver_flowcontrol_rejected_requests_total{") && strings.Contains(line, `priority_level="`+level+`"`) {
			n, err := strconv.Atoi(strings.TrimSpace(line[strings.LastIndex(line, " "):]))
			Expect(err).NotTo(HaveOccurred(), line)
			shed += n
		}
	}
	return shed
}

// It takes away the registry of all.
var _ = alone("while the registry is down a release whose image nobody has gets no weight, and a rollback is as quick as ever",
	Label("traffic", "living-with-it", breaksAll, "scenario-25"), func(ctx context.Context, w *world) {
		w.twoLive(ctx, w.NewTrack(w.namespace, harness.Steps(harness.Step(20, 12))))
	}, func(ctx context.Context, w *world) {
		onlyOnLocal()
		image := w.pushAnother(ctx)
		w.startLoad(ctx, 60)
		before, shifted := w.pods(ctx, "1.0.0"), time.Now().Add(settleTime)
		time.Sleep(2 * settleTime)
		w.expectOnly("2.0.0", shifted)

		By("the registry is down")
		DeferCleanup(harness.StartPrograms)
		Expect(harness.StopProgram(ctx, "registry")).To(Succeed())
		intent := w.rollBack(ctx, "1.0.0")
		w.untilRecord(ctx, "2.0.0", v1alpha1.EventRolledBack)
		w.untilWeight(ctx, "1.0.0", 100)
		time.Sleep(2 * settleTime)
		done, all := w.load.Since(intent).NewConnections().AllFrom("1.0.0")
		Expect(all).To(BeTrue(), "new connections still reach 2.0.0")
		w.note("rollback while the registry is down: to every new connection %s", done.Sub(intent).Round(time.Millisecond))
		Expect(done.Sub(intent)).To(BeNumerically("<=", 1500*time.Millisecond))
		Expect(w.pods(ctx, "1.0.0")).To(Equal(before), "the same pods serve again")

		w.create(ctx, w.NewRelease(w.namespace, "3.0.0", harness.Container(func(c *corev1.Container) { c.Image = image })))
		Eventually(ctx, func(g Gomega) {
			pods, err := w.Pods(ctx, w.namespace, "3.0.0")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(pods).NotTo(BeEmpty())
			for _, pod := range pods {
				g.Expect(pod.Status.ContainerStatuses).To(HaveLen(1))
				g.Expect(pod.Status.ContainerStatuses[0].State.Waiting).To(HaveValue(HaveField("Reason", BeElementOf("ErrImagePull", "ImagePullBackOff"))))
			}
		}).WithTimeout(patience).Should(Succeed())
		w.expectNothingMoves(ctx)
		Expect(w.weightsSet(ctx, "3.0.0")).To(BeEmpty())
		w.expectOnly("1.0.0", done.Add(settleTime))

		By("the registry is back: the rollout goes on")
		Expect(harness.StartPrograms(ctx)).To(Succeed())
		w.untilWeight(ctx, "3.0.0", 20)
		w.expectShare(ctx, "3.0.0", 20)
		w.untilVerdict(ctx, "3.0.0", v1alpha1.EventPromoted)
		Expect(w.moves(intent)).To(Equal([]string{"1.0.0:100", "1.0.0:80 3.0.0:20", "3.0.0:100"}))
	})

// pushAnother pushes the application as an image that no node has, and names it by digest.
func (w *world) pushAnother(ctx context.Context) string {
	GinkgoHelper()
	name, images, digest := w.images()
	Expect(images.moveTag(ctx, digest, w.namespace, w.namespace)).To(Succeed())
	another, err := images.digestOf(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	return name + "@" + another
}
