//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/admission/certs"
	"github.com/strata-release/strata/controllers/admission/guards"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

// tales is how many tracks roll out again and again while everything around them breaks.
const tales = 2

// whileBroken is how long what was ended stays away: less than the 40 s after which a
// node without a kubelet, and with it every pod, counts as lost.
const whileBroken = 15 * time.Second

// clockStep is what the operator's clock is stepped by: ten times as long as a hold. The
// program is built so (Makefile).
const clockStep = 30 * time.Second

// fault is something that breaks around Strata, and is mended.
type fault struct {
	name string
	// costs says why requests fail because of the fault itself; "" where none may.
	costs string
	// program is one of the local cluster's node that is ended; "" where strike breaks
	// something else.
	program string
	// local says that it needs the local cluster, as every program does.
	local  bool
	strike func(context.Context, *world, *rand.Rand)
}

var faults = []fault{
	{name: "the operator is killed", strike: func(ctx context.Context, w *world, random *rand.Rand) {
		for range 3 {
			// After the faults before, it may take a moment until there is one to kill.
			Eventually(ctx, func() error { return w.KillOperator(ctx) }).WithTimeout(patience).Should(Succeed())
			time.Sleep(time.Duration(1+random.IntN(5000)) * time.Millisecond)
		}
	}},
	{name: "the API server is restarted", program: "kube-apiserver"},
	{name: "etcd is restarted", program: "etcd"},
	{name: "the registry is down", program: "registry"},
	{name: "the kubelet is stopped", program: "kubelet"},
	{name: "the node is drained, pod by pod", strike: func(ctx context.Context, w *world, _ *rand.Rand) {
		track, err := w.Track(ctx, w.namespace)
		Expect(err).NotTo(HaveOccurred())
		stable := strings.ReplaceAll(strings.TrimPrefix(track.Status.StableReleaseName, harness.TrackName+"-"), "-", ".")
		w.drain(ctx, stable)
	}},
	{name: "the certificate of the webhook expires", strike: expireCertificate},
	{name: "the operator's clock is stepped, half a minute ahead, then behind", local: true, strike: stepClock},
	{name: "the gateway is restarted", costs: "nobody listens while the only gateway begins again", strike: restartGateway},
}

// restartGateway ends the gateway's pods, and waits until other ones answer.
func restartGateway(ctx context.Context, w *world, _ *rand.Rand) {
	ended, there := &corev1.PodList{}, client.InNamespace(w.Gateway.Namespace)
	Expect(w.Client.List(ctx, ended, there)).To(Succeed())
	Expect(ended.Items).NotTo(BeEmpty(), "namespace %s has no gateway", w.Gateway.Namespace)
	Expect(w.Client.DeleteAllOf(ctx, &corev1.Pod{}, there, client.GracePeriodSeconds(1))).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		pods := &corev1.PodList{}
		g.Expect(w.Client.List(ctx, pods, there)).To(Succeed())
		g.Expect(pods.Items).NotTo(BeEmpty())
		for _, pod := range pods.Items {
			g.Expect(ended.Items).NotTo(ContainElement(HaveField("UID", pod.UID)), "pod %s is there still", pod.Name)
			g.Expect(isReady(pod)).To(BeTrue())
		}
		_, err := w.ask(ctx, "/")
		g.Expect(err).NotTo(HaveOccurred())
	}).WithTimeout(patience).Should(Succeed())
}

// expireCertificate writes what the operator would have left behind had it slept for
// longer than its certificate lasts, and waits until that is put right.
func expireCertificate(ctx context.Context, w *world, _ *rand.Rand) {
	secret := &corev1.Secret{}
	Expect(w.Client.Get(ctx, client.ObjectKey{Namespace: w.OperatorNamespace, Name: "strata-webhook-tls"}, secret)).To(Succeed())
	long := certs.DefaultLifetimes
	expired, _, _, err := certs.Renew(certs.Material{}, []string{"strata-webhook.strata-system.svc"}, long, time.Now().Add(-2*long.Authority))
	Expect(err).NotTo(HaveOccurred())
	secret.Data = map[string][]byte{
		"ca.crt": expired.Bundle, "ca.key": expired.AuthorityKey,
		corev1.TLSCertKey: expired.Certificate, corev1.TLSPrivateKeyKey: expired.Key,
	}
	Expect(w.Client.Update(ctx, secret)).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		now := &corev1.Secret{}
		g.Expect(w.Client.Get(ctx, client.ObjectKeyFromObject(secret), now)).To(Succeed())
		g.Expect(now.Data[corev1.TLSCertKey]).NotTo(Equal(expired.Certificate), "the expired certificate is still there")
		config := &admissionv1.ValidatingWebhookConfiguration{}
		g.Expect(w.Client.Get(ctx, client.ObjectKey{Name: guards.ConfigurationName}, config)).To(Succeed())
		for _, webhook := range config.Webhooks {
			g.Expect(webhook.ClientConfig.CABundle).To(Equal(now.Data["ca.crt"]))
		}
	}).WithTimeout(foundWithin).Should(Succeed())
}

// stepClock steps the operator's clock ahead of the API server's until the log says so, then
// as far behind, and sets it right. The log does not run backwards: what is counted by its
// times stands still until the clock has come to where it was.
func stepClock(ctx context.Context, w *world, _ *rand.Rand) {
	step := func(ahead bool, says string, differs func(time.Duration) bool) {
		GinkgoHelper()
		from := len(w.records(ctx))
		Eventually(ctx, func() error { return w.StepClock(ctx, ahead) }).WithTimeout(patience).Should(Succeed())
		Eventually(ctx, func(g Gomega) {
			var by []time.Duration
			for _, r := range w.records(ctx)[from:] {
				by = append(by, r.Spec.Time.Sub(r.CreationTimestamp.Time))
			}
			g.Expect(slices.ContainsFunc(by, differs)).To(BeTrue(), "no record whose time is %s the API server's: those of all since differ by %v", says, by)
		}).WithTimeout(2 * time.Minute).WithPolling(500 * time.Millisecond).Should(Succeed())
	}
	// The API server tells whole seconds.
	step(true, "ahead of", func(ahead time.Duration) bool { return ahead > clockStep-2*time.Second })
	right := func(ahead time.Duration) bool { return ahead.Abs() < 2*time.Second }
	step(false, "that of", right)
	step(false, "behind", func(ahead time.Duration) bool { return ahead < 2*time.Second-clockStep })
	step(true, "that of", right)
}

// untilWhole waits until a Deployment gets a pod, and the gateway leads to it. When the API
// server is back, those that have watched it are not: each of them has waited longer after
// each try, and tries again within a minute, for each kind by itself. Until then nobody
// replaces what is killed, and the gateway goes on asking pods that are gone.
func (w *world) untilWhole(ctx context.Context) {
	GinkgoHelper()
	name := fmt.Sprintf("probe-%d", time.Now().UnixNano())
	host := name + "." + harness.Host(w.namespace)
	probe := w.NewProbe(w.namespace, name, host)
	for _, object := range probe {
		Expect(w.Client.Create(ctx, object)).To(Succeed())
	}
	Eventually(ctx, func() error {
		_, err := w.askHost(ctx, host, "/")
		return err
	}).WithTimeout(2 * time.Minute).Should(Succeed())
	for _, object := range probe {
		Expect(w.Client.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground))).To(Succeed())
	}
}

// happened is a fault and when it was there.
type happened struct {
	fault
	from, to time.Time
}

// explains says whether a request failed because of the fault itself: it was under way
// while the fault was there, or within the time that a gateway has to settle.
func (h happened) explains(r load.Result) bool {
	return h.costs != "" && r.Start.Before(h.to.Add(settleTime)) && r.Start.Add(r.Duration).After(h.from)
}

// tale is one track of which rounds are told: a release whose test fails, and one that goes
// live by steps and is rolled back from.
type tale struct {
	*world
	rounds int
}

func version(round, minor int) string { return fmt.Sprintf("%d.%d.0", round, minor) }

// publish creates an object, whoever is away meanwhile.
func (t *tale) publish(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Eventually(ctx, func() error { return client.IgnoreAlreadyExists(t.Client.Create(ctx, object)) }).
		WithTimeout(2 * time.Minute).WithPolling(time.Second).Should(Succeed())
}

// begin with what is gone back to in every round.
func (t *tale) begin(ctx context.Context) {
	GinkgoHelper()
	track := t.NewTrack(t.namespace, harness.Steps(harness.Step(20, 3), harness.Step(50, 3)),
		harness.Rollout(func(r *v1alpha1.RolloutSpec) { r.ProgressDeadlineSeconds = ptr.To[int32](300) }),
		func(t *v1alpha1.ReleaseTrack) { t.Spec.Retention.RecordLimit = ptr.To[int32](1000) })
	t.goLiveUnasked(ctx, track, t.NewRelease(t.namespace, "1.0.0"))
	t.load = t.asking(ctx, load.Options{Rate: 60, MaxDuration: 12 * time.Minute})
}

// round is told to its end.
func (t *tale) round(ctx context.Context) {
	GinkgoHelper()
	t.rounds++
	bad, good := version(t.rounds+1, 0), version(t.rounds+1, 1)
	t.publish(ctx, t.NewRelease(t.namespace, bad, t.Test("basket", v1alpha1.BeforeTraffic, 120, "fail")))
	t.untilEnded(ctx, bad, v1alpha1.EventFailed)
	t.publish(ctx, t.NewRelease(t.namespace, good, t.Test("basket", v1alpha1.BeforeTraffic, 120, "pass")))
	t.untilEnded(ctx, good, v1alpha1.EventPromoted)
	user, err := t.UserName(ctx)
	Expect(err).NotTo(HaveOccurred())
	back := fmt.Sprintf("back-%d", t.rounds)
	t.publish(ctx, harness.NewAction(t.namespace, back, user, v1alpha1.ActionRollback, harness.ReleaseName("1.0.0")))
	t.untilEnded(ctx, good, v1alpha1.EventRolledBack)
	Eventually(ctx, func(g Gomega) {
		track, err := t.Track(ctx, t.namespace)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(track.Status.StableReleaseName).To(Equal(harness.ReleaseName("1.0.0")))
		g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionStalled)).
			To(And(HavePrefix("Stalled=True RolledBack"), ContainSubstring(harness.ReleaseName(good))))
		g.Expect(harness.ConditionLine(track.Status.Conditions, v1alpha1.ConditionTrafficShifted)).To(HavePrefix("TrafficShifted=True"))
	}).WithTimeout(2 * time.Minute).Should(Succeed())
}

// untilEnded waits for a record of a version, and for no verdict but those of its tale.
func (t *tale) untilEnded(ctx context.Context, version string, want v1alpha1.RecordEvent) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(t.recordsOf(ctx, version, want)).NotTo(BeEmpty(), "%s of %s", want, version)
	}).WithTimeout(4 * time.Minute).WithPolling(500 * time.Millisecond).Should(Succeed())
}

// told are the records of a round: what is the same in every round, whatever happens
// meanwhile.
func (t *tale) told(ctx context.Context, round int) string {
	GinkgoHelper()
	lines := t.lines(ctx, version(round+1, 0), version(round+1, 1))
	return strings.NewReplacer(fmt.Sprintf("shop-%d-", round+1), "shop-N-", fmt.Sprintf("%d.", round+1), "N.").Replace(lines)
}

var _ = Describe("chaos", Serial, Label("chaos"), func() {
	It("whatever breaks around Strata, its tracks end where they should, by the same records, and no request fails that the fault does not cost",
		SpecTimeout(10*time.Minute), func(ctx SpecContext) {
			all := make([]*tale, tales)
			for i := range all {
				w := open(ctx, []string{"chaos"})
				DeferCleanup(w.close)
				patient, err := w.Patient()
				Expect(err).NotTo(HaveOccurred())
				w.Environment = patient
				all[i] = &tale{world: w}
			}
			together(all, func(t *tale) { t.begin(ctx); t.round(ctx) })
			By("a round was told in peace: it is what all others are held to")
			peace := all[0].told(ctx, 1)
			Expect(peace).NotTo(BeEmpty())

			var done []happened
			mended := make(chan struct{})
			go func() {
				defer GinkgoRecover()
				defer close(mended)
				done = strikeAll(ctx, all[0].world)
			}()
			together(all, func(t *tale) {
				for stop := false; !stop; {
					select {
					case <-mended:
						stop = true // one more, when all is whole again
					default:
					}
					t.round(ctx)
				}
			})
			for _, t := range all {
				t.load.Stop()
				for round := range t.rounds {
					Expect(t.told(ctx, round+1)).To(Equal(peace), "round %d of %s", round+1, t.namespace)
				}
				t.expectIntactLog(ctx)
				t.note("%d rounds, %d records, every round by the same", t.rounds, len(t.records(ctx)))
				t.forgiven = func(r load.Result) bool {
					return slices.ContainsFunc(done, func(h happened) bool { return h.explains(r) })
				}
				t.expectNoFailures()
			}
			for _, h := range done {
				failed, asked := 0, 0
				for _, t := range all {
					window := t.load.Results().Between(h.from, h.to.Add(settleTime))
					asked, failed = asked+len(window), failed+len(window.Failures())
				}
				all[0].note("%s, %.1f s: %d requests, %d failed%s", h.name, h.to.Sub(h.from).Seconds(), asked, failed, because(failed, h.costs))
			}
		})
})

func because(failed int, costs string) string {
	if failed == 0 {
		return ""
	}
	return ": " + costs
}

// together tells all tales at once.
func together(all []*tale, tell func(*tale)) {
	GinkgoHelper()
	var telling sync.WaitGroup
	for _, t := range all {
		telling.Go(func() {
			defer GinkgoRecover()
			tell(t)
		})
	}
	telling.Wait()
}

// strikeAll breaks and mends one thing after another, in an order and at times drawn by the
// suite's seed, with some seconds of peace between two.
func strikeAll(ctx context.Context, w *world) []happened {
	GinkgoHelper()
	random := rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))
	var done []happened
	for _, i := range random.Perm(len(faults)) {
		f := faults[i]
		if (f.local || f.program != "") && harness.LocalCluster() == "" {
			w.note("%s: left out, since this is not the local cluster", f.name)
			continue
		}
		time.Sleep(time.Duration(2000+random.IntN(5000)) * time.Millisecond)
		By(f.name)
		h := happened{fault: f, from: time.Now()}
		if f.program != "" {
			Expect(harness.StopProgram(ctx, f.program)).To(Succeed())
			time.Sleep(whileBroken)
			Expect(harness.StartPrograms(ctx)).To(Succeed())
			w.untilWhole(ctx)
		} else {
			f.strike(ctx, w, random)
		}
		h.to = time.Now()
		done = append(done, h)
	}
	return done
}
