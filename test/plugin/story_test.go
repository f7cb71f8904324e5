package plugin

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
)

// world is a namespace with an operator that minds it.
type world struct {
	namespace string
	// jane may do everything, carl only look.
	jane, carl user
}

func open(ctx context.Context) *world {
	GinkgoHelper()
	namespace, err := suite.NewNamespace(ctx, "plugin")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			GinkgoWriter.Println(suite.Describe(ctx, namespace))
		}
	})
	return &world{
		namespace: namespace,
		jane:      user{name: "jane", group: "system:masters", namespace: namespace},
		carl:      user{name: "carl", group: "viewers", namespace: namespace},
	}
}

// operate starts an operator, which minds others too, and answers with what stops it.
func (w *world) operate(others ...*world) (stop func()) {
	GinkgoHelper()
	namespaces := []string{w.namespace}
	for _, other := range others {
		namespaces = append(namespaces, other.namespace)
	}
	operator, err := suite.StartOperator(namespaces...)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func() { Expect(operator.Stop()).To(Succeed()) })
	return func() { Expect(operator.Stop()).To(Succeed()) }
}

func (w *world) create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(suite.Client.Create(ctx, object)).To(Succeed(), "create %T %s", object, object.GetName())
	}
}

// track without a drain: a release that is promoted is at rest at once.
func (w *world) track() *v1alpha1.ReleaseTrack {
	return suite.NewTrack(w.namespace, func(t *v1alpha1.ReleaseTrack) { *t.Spec.Traffic.DrainSeconds = 0 })
}

// takeSteps gives the track a step to 20 %, and one to 50 % that asks for an approval and
// is held.
func (w *world) takeSteps(ctx context.Context) {
	GinkgoHelper()
	track, err := suite.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	steps := `{"spec":{"rollout":{"steps":[{"weightPercent":20},{"weightPercent":50,"approval":"Required","holdSeconds":3600}]}}}`
	Expect(suite.Client.Patch(ctx, track, client.RawPatch("application/merge-patch+json", []byte(steps)))).To(Succeed())
}

func (w *world) first() *v1alpha1.ImmutableRelease {
	return suite.NewRelease(w.namespace, "1.0.0", suite.Test("smoke", v1alpha1.BeforeTraffic, 60))
}

func (w *world) second() *v1alpha1.ImmutableRelease {
	return suite.NewRelease(w.namespace, "2.0.0",
		harness.Greeting(v1alpha1.ConfigMapKind, "settings"), harness.Flags("--fast"), harness.Replicas(3),
		suite.Test("smoke", v1alpha1.BeforeTraffic, 60), suite.Test("errors", v1alpha1.EveryStep, 60),
		func(r *v1alpha1.ImmutableRelease) {
			r.Spec.Source = &v1alpha1.ReleaseSource{Repository: "https://git.example.com/shop", Revision: "3b18e51"}
		})
}

// untilBlocked waits until the track says that it waits for a reason.
func (w *world) untilBlocked(ctx context.Context, reason string) {
	GinkgoHelper()
	Eventually(ctx, func() (string, error) {
		track, err := suite.Track(ctx, w.namespace)
		if err != nil || track.Status.BlockedBy == nil {
			return "", err
		}
		return track.Status.BlockedBy.Reason, nil
	}).Should(Equal(reason))
	// All tests of the step are through, and pods are reported, before it is looked at.
	Eventually(ctx, func(g Gomega) {
		for _, version := range []string{"1.0.0", "2.0.0"} {
			release, err := suite.Release(ctx, w.namespace, version)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(release.Status.ReadyComponents).To(Equal("1/1"))
		}
	}).Should(Succeed())
}

// untilRetired waits until a release has been retired for so many times.
func (w *world) untilRetired(ctx context.Context, times int) {
	GinkgoHelper()
	Eventually(ctx, func() int {
		return strings.Count(w.jane.does(ctx, "history", "shop"), string(v1alpha1.EventRetired))
	}).Should(Equal(times))
}

// toApproval brings 1.0.0 live and 2.0.0 to the step that waits for an approval.
func (w *world) toApproval(ctx context.Context) {
	GinkgoHelper()
	w.create(ctx, w.track(), w.first())
	w.jane.does(ctx, "wait", "shop", "--for", "promoted", "--timeout", "1m")
	w.takeSteps(ctx)
	w.create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "settings"}, Data: map[string]string{"greeting": "hello"}}, w.second())
	w.untilBlocked(ctx, "ApprovalRequired")
}

var _ = It("shows a rollout, lets people decide about it, and reads its log", SpecTimeout(3*time.Minute), func(ctx SpecContext) {
	w := open(ctx)
	stop := w.operate()
	w.toApproval(ctx)

	By("what it shows while an approval is waited for")
	later := w.jane // by a clock for which all is ten days old
	later.now = func() time.Time { return time.Now().Add(10*24*time.Hour + time.Hour) }
	expectGolden("status", w.carl.does(ctx, "status"))
	expectGolden("releases", later.does(ctx, "releases", "shop"))
	expectGolden("releases-wide", later.does(ctx, "releases", "-o", "wide"))
	expectGolden("explain", w.carl.does(ctx, "explain", "shop"))
	expectGolden("diff", w.carl.does(ctx, "diff", "shop-1-0-0", "shop-2-0-0"))
	Expect(w.carl.does(ctx, "diff", "shop-1-0-0", "shop-1-0-0")).To(Equal("shop-1-0-0 and shop-1-0-0 are the same\n"))

	By("what is asked for and refused")
	Expect(w.carl.fails(ctx, 1, "approve", "shop", "--reason", "mine")).To(ContainSubstring(`User "carl" cannot create resource "releaseactions"`))
	Expect(w.jane.fails(ctx, 3, "approve", "shop")).To(ContainSubstring("--reason is required"))
	Expect(w.jane.fails(ctx, 1, "approve", "shop", "--weight", "100", "--reason", "all of it")).To(
		Equal("error: Approve of shop-2-0-0 at 100 % refused: no step ahead of shop-2-0-0 that asks for an approval has that weight\n"))
	Expect(w.jane.fails(ctx, 1, "abort", "shop", "--attempt", "7", "--reason", "slow")).To(ContainSubstring("the open attempt is number 1"))
	Expect(w.jane.fails(ctx, 1, "skip-hold", "shop", "--reason", "slow")).To(ContainSubstring("no hold keeps shop-2-0-0 at 20 %"))
	Expect(w.jane.fails(ctx, 2, "wait", "shop", "--timeout", "300ms")).To(MatchRegexp(`shop-2-0-0 was not promoted within 300ms: 20 %, .*waits for a ReleaseAction Approve`))

	By("what is asked for and done")
	expectGolden("approve", w.jane.does(ctx, "approve", "shop", "--reason", "orders look right"))
	w.untilBlocked(ctx, "Holding")
	expectGolden("explain-held", w.jane.does(ctx, "explain", "shop"))
	w.jane.does(ctx, "skip-hold", "--reason", "seen enough")
	Expect(w.jane.does(ctx, "wait", "shop", "--release", "shop-2-0-0", "--timeout", "1m")).To(Equal("shop-2-0-0 is promoted\n"))
	Expect(w.jane.fails(ctx, 1, "approve", "--reason", "too late")).To(ContainSubstring("nothing is under way"))
	Expect(w.jane.does(ctx, "rollback", "shop", "--reason", "errors in checkout")).To(HavePrefix("Rollback to shop-1-0-0 done, record"))
	w.untilRetired(ctx, 1)
	Expect(w.jane.fails(ctx, 1, "wait", "shop", "--release", "shop-2-0-0")).To(ContainSubstring("attempt 1 ended as RolledBack"))
	Expect(w.jane.fails(ctx, 1, "rollback", "shop", "--reason", "further")).To(ContainSubstring("no release to go back to"))
	Expect(w.jane.does(ctx, "retry", "shop", "--reason", "it was the database")).To(HavePrefix("Retry of shop-2-0-0 done"))
	w.untilBlocked(ctx, "ApprovalRequired") // How far it gets is in the log.
	Expect(w.jane.does(ctx, "abort", "shop", "--reason", "it was not")).To(HavePrefix("Abort of shop-2-0-0 done"))

	By("what the log tells of it")
	w.untilRetired(ctx, 2)
	stop()
	expectGolden("history", w.carl.does(ctx, "history", "shop", "--release", "shop-1-0-0"))
	w.expectLog(ctx)
})

// expectLog verifies, exports and reports the log, and has each damage to it found.
func (w *world) expectLog(ctx context.Context) {
	GinkgoHelper()
	var verified struct {
		Records    int
		HeadDigest string
	}
	Expect(json.Unmarshal([]byte(w.carl.does(ctx, "audit", "verify", "shop", "-o", "json")), &verified)).To(Succeed())
	Expect(w.carl.does(ctx, "audit", "verify", "shop", "--anchor", verified.HeadDigest)).To(ContainSubstring("head: " + verified.HeadDigest))
	Expect(w.carl.fails(ctx, 1, "audit", "verify", "shop", "--anchor", "sha256:0")).To(ContainSubstring("has no record with digest sha256:0"))

	lines := w.carl.does(ctx, "audit", "export", "shop")
	Expect(strings.Split(strings.TrimSpace(lines), "\n")).To(HaveLen(verified.Records))
	Expect(w.carl.run(ctx, lines, "audit", "verify", "-f", "-").out).To(ContainSubstring("head: " + verified.HeadDigest))
	Expect(w.carl.run(ctx, lines, "audit", "verify", "cart", "-f", "-").err).To(Equal("error: - is the log of track shop, not of cart\n"))
	edited := w.carl.run(ctx, strings.Replace(lines, "orders look right", "orders look left", 1), "audit", "verify", "-f", "-")
	Expect(edited.code).To(Equal(1))
	Expect(edited.err).To(MatchRegexp(`broken at record \d+: it was edited`))
	Expect(w.carl.does(ctx, "audit", "export", "shop", "-o", "csv")).To(MatchRegexp(`(?m)^\d+,.*Z,Approved,shop-2-0-0,2\.0\.0,1,jane,approve-shop-2-0-0-.....,Approve,`))
	expectGolden("report", w.carl.run(ctx, lines, "audit", "report", "-f", "-").out)
	Expect(w.carl.does(ctx, "audit", "report", "--since", "2999-01-01")).To(ContainSubstring("refused actions: none"))

	By("a record that is gone")
	third := &v1alpha1.ReleaseRecord{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-000003"}}
	Expect(suite.Client.Delete(ctx, third)).To(Succeed())
	Expect(w.carl.fails(ctx, 1, "audit", "verify")).To(ContainSubstring("broken at record 3: it is missing"))
	Expect(w.carl.fails(ctx, 1, "audit", "export")).To(ContainSubstring("broken at record 3"))
	Expect(w.carl.run(ctx, "", "audit", "report").out).To(ContainSubstring("THE LOG IS NOT WHOLE"))
}

var _ = It("plans what a file would become, and publishes a release elsewhere", SpecTimeout(2*time.Minute), func(ctx SpecContext) {
	w := open(ctx)
	w.operate()
	w.create(ctx, w.track(), w.first())
	w.jane.does(ctx, "wait", "--timeout", "1m")
	w.takeSteps(ctx)

	By("a release that is not there")
	third := w.second()
	third.Name, third.Spec.Version = "shop-3-0-0", "3.0.0"
	expectGolden("plan", w.jane.does(ctx, "plan", "-f", w.file(third)))

	By("one that is there, and one that is changed")
	first := w.first()
	Expect(w.jane.does(ctx, "plan", "-f", w.file(first))).To(ContainSubstring("is there, unchanged"))
	first.Spec.Components[0].Replicas = 7
	refused := w.jane.run(ctx, "", "plan", "-f", w.file(first))
	Expect(refused.code).To(Equal(1))
	Expect(refused.out).To(And(ContainSubstring("would be refused"), ContainSubstring("spec is immutable")))

	By("elsewhere")
	other := open(ctx)
	other.create(ctx, other.track())
	target := []string{"promote", "shop-1-0-0", "--to", other.namespace}
	expectGolden("promote", w.jane.does(ctx, append(target, "--replicas", "web=4", "--dry-run", "client", "-o", "yaml")...))
	Expect(w.jane.fails(ctx, 3, append(target, "--replicas", "web")...)).To(ContainSubstring(`--replicas "web": say COMPONENT=NUMBER`))
	Expect(w.jane.fails(ctx, 3, append(target, "--replicas", "worker=4")...)).To(ContainSubstring("no such component: name one of web"))
	Expect(w.jane.does(ctx, append(target, "--replicas", "web=4")...)).To(ContainSubstring("published on track shop"))
	Expect(w.jane.does(ctx, append(target, "--replicas", "web=4")...)).To(ContainSubstring("is there already"))
	Expect(w.jane.fails(ctx, 1, append(target, "--replicas", "web=5")...)).To(ContainSubstring("is there already, and differs"))
	copied := &v1alpha1.ImmutableRelease{}
	Expect(suite.Client.Get(ctx, client.ObjectKey{Namespace: other.namespace, Name: "shop-1-0-0"}, copied)).To(Succeed())
	Expect(copied.Spec.Components[0].Replicas).To(BeEquivalentTo(4))
	original, err := suite.Release(ctx, w.namespace, "1.0.0")
	Expect(err).NotTo(HaveOccurred())
	copied.Spec.Components[0].Replicas = original.Spec.Components[0].Replicas
	Expect(copied.Spec).To(Equal(original.Spec))
	Expect(other.jane.fails(ctx, 1, "promote", "shop-1-0-0", "--to", w.namespace)).To(ContainSubstring("was not promoted in namespace " + other.namespace))
})

// file holds an object as a user would write it.
func (w *world) file(object client.Object) string {
	GinkgoHelper()
	object.GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ImmutableRelease"))
	data, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())
	fields := map[string]any{}
	Expect(json.Unmarshal(data, &fields)).To(Succeed())
	delete(fields, "status")
	prune(fields)
	text, err := yaml.Marshal(fields)
	Expect(err).NotTo(HaveOccurred())
	path := filepath.Join(GinkgoT().TempDir(), object.GetName()+".yaml")
	Expect(os.WriteFile(path, text, 0o600)).To(Succeed())
	return path
}

// prune leaves out what Go writes and nobody else would.
func prune(value any) {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if inner == nil {
				delete(v, key)
			}
			prune(inner)
		}
	case []any:
		for _, inner := range v {
			prune(inner)
		}
	}
}

var _ = It("says what is wrong with a question, and completes names", SpecTimeout(time.Minute), func(ctx SpecContext) {
	w := open(ctx)
	Expect(w.jane.fails(ctx, 3, "status")).To(Equal("error: namespace " + w.namespace + " has no track: choose another with -n\n"))
	w.create(ctx, w.track(), w.first())
	Expect(w.jane.fails(ctx, 3, "status", "cart")).To(Equal("error: namespace " + w.namespace + " has no track cart: it has shop\n"))
	Expect(w.jane.fails(ctx, 3, "diff", "shop-1-0-0", "shop-9")).To(ContainSubstring("has no release shop-9"))
	Expect(w.jane.fails(ctx, 3, "history", "--since", "yesterday")).To(ContainSubstring(`--since "yesterday": say how long ago`))
	Expect(w.jane.fails(ctx, 3, "releases", "-o", "xml")).To(Equal("error: --output \"xml\": choose one of table, wide, json, yaml, name\n"))
	Expect(w.jane.fails(ctx, 3, "wait", "--for", "happiness")).To(ContainSubstring("promoted is what can be waited for"))
	Expect(w.jane.fails(ctx, 1, "audit", "verify")).To(ContainSubstring("track shop has no records"))

	By("nobody answers: there is no operator")
	Expect(w.jane.fails(ctx, 2, "rollback", "--to", "shop-1-0-0", "--reason", "x", "--timeout", "300ms")).To(And(
		ContainSubstring("was not answered within 300ms"), ContainSubstring("is the operator running?")))

	By("completion")
	Expect(w.jane.does(ctx, "__complete", "status", "")).To(HavePrefix("shop\n"))
	Expect(w.jane.does(ctx, "__complete", "diff", "shop-1-0-0", "")).To(HavePrefix("shop-1-0-0\n"))
	Expect(w.jane.does(ctx, "__complete", "rollback", "--to", "")).To(HavePrefix("shop-1-0-0\n"))
	Expect(w.jane.does(ctx, "__complete", "releases", "-o", "")).To(HavePrefix("table\n"))
})

var _ = It("shows a track live, anew whenever it says something else", SpecTimeout(time.Minute), func(ctx SpecContext) {
	w := open(ctx)
	w.create(ctx, w.track(), w.first())
	watching, seenEnough := context.WithCancel(ctx)
	shown := make(chan said, 1)
	go func() {
		defer GinkgoRecover()
		shown <- w.jane.run(watching, "", "status", "shop", "--watch")
	}()
	w.operate()
	w.jane.does(ctx, "wait", "--timeout", "50s")
	Eventually(ctx, func() bool {
		track, err := suite.Track(ctx, w.namespace)
		return err == nil && track.Status.StableReleaseName == "shop-1-0-0"
	}).Should(BeTrue())
	Consistently(shown, 500*time.Millisecond).ShouldNot(Receive())
	seenEnough()
	var s said
	Eventually(shown).Should(Receive(&s))
	Expect(s.code).To(BeZero(), s.err)
	Expect(s.out).To(And(ContainSubstring("stable    none yet"), ContainSubstring("stable    shop-1-0-0"), Not(ContainSubstring("\x1b"))))
	trees := strings.Split("\n\n"+strings.TrimSpace(s.out), "\n\n"+w.namespace)[1:]
	Expect(len(trees)).To(BeNumerically(">", 1))
	for i := 1; i < len(trees); i++ {
		Expect(trees[i]).NotTo(Equal(trees[i-1]))
	}

	By("somebody who may not list pods sees the rest")
	podless := user{name: "paul", group: "podless", namespace: w.namespace}
	watching, seenEnough = context.WithCancel(ctx)
	time.AfterFunc(3*time.Second, seenEnough)
	s = podless.run(watching, "", "status", "shop", "--watch")
	Expect(s.code).To(BeZero(), s.err)
	Expect(s.out).To(And(ContainSubstring("stable    shop-1-0-0"), ContainSubstring("pods: you may not list them")))
})
