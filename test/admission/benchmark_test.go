package admission

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/strata-release/strata/test/attempts"
)

var benchmark = flag.Bool("benchmark", false, "measure what admission costs; it takes a minute, and a machine that does nothing else")

// What admission may cost on the server's side.
const (
	policyBudget   = 100 * time.Microsecond // a check, in the mean
	webhookBudget  = 5 * time.Millisecond   // 99 of 100 calls
	webhookRate    = 50                     // calls a second
	benchmarkCalls = 30 * webhookRate
)

var _ = Describe("What admission costs", Serial, func() {
	It("is within its budgets", func() {
		if !*benchmark {
			Skip("make bench-admission measures it")
		}
		w := running("bench-1")
		untilSeen(w)
		before := policyChecks()
		askWebhook(w)
		Expect(operator.Patch(ctx, heldCRD(), mergePatch(putMark))).To(Succeed())
		DeferCleanup(func() { Expect(operator.Patch(ctx, heldCRD(), mergePatch(liftMark))).To(Succeed()) })
		// One by one: what waits for a processor is no cost of the policy.
		all := w.Attempts()
		for i := range all {
			Expect(w.Run(ctx, &all[i])).To(Succeed())
		}
		checks := policyChecks()
		for name, was := range before {
			checks[name] = spent{checks[name].count - was.count, checks[name].seconds - was.seconds}
		}
		expectCheapPolicies(checks)
		expectFastWebhook()
	})
})

// askWebhook makes requests of which the webhook is told, at the rate of the budget.
func askWebhook(w *attempts.World) {
	deployment := &appsv1.Deployment{}
	Expect(admin.Get(ctx, client.ObjectKey{Namespace: w.Namespace, Name: w.Release + "-web"}, deployment)).To(Succeed())
	var calls sync.WaitGroup
	ticker := time.NewTicker(time.Second / webhookRate)
	defer ticker.Stop()
	for i := range benchmarkCalls {
		<-ticker.C
		calls.Go(func() {
			defer GinkgoRecover()
			switch i % 3 {
			case 0: // a Deployment that stays as it is
				Expect(admin.Update(ctx, deployment.DeepCopy(), client.DryRunAll)).To(Succeed())
			case 1: // a new release
				release := newRelease(w.Namespace, fmt.Sprintf("asked-%d", i), "bench", fmt.Sprint(i))
				Expect(admin.Create(ctx, release, client.DryRunAll)).To(Succeed())
			case 2: // a new track
				Expect(admin.Create(ctx, newTrack(w.Namespace, fmt.Sprintf("asked-%d", i)), client.DryRunAll)).To(Succeed())
			}
		})
	}
	calls.Wait()
}

// spent is what the API server counted of one policy.
type spent struct {
	count, seconds float64
}

var checkMetric = regexp.MustCompile(`^apiserver_validating_admission_policy_check_duration_seconds_(sum|count)\{.*\bpolicy="([^"]+)".*\} (\S+)$`)

// policyChecks reads the API server's own metrics.
func policyChecks() map[string]spent {
	GinkgoHelper()
	clientset, err := kubernetes.NewForConfig(config)
	Expect(err).NotTo(HaveOccurred())
	body, err := clientset.RESTClient().Get().AbsPath("/metrics").Stream(ctx)
	Expect(err).NotTo(HaveOccurred())
	defer body.Close()
	return readChecks(body)
}

func readChecks(body io.Reader) map[string]spent {
	checks := map[string]spent{}
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 1<<20), 1<<20)
	for lines.Scan() {
		match := checkMetric.FindStringSubmatch(lines.Text())
		if match == nil || !strings.HasPrefix(match[2], "strata-") {
			continue
		}
		value, err := strconv.ParseFloat(match[3], 64)
		Expect(err).NotTo(HaveOccurred())
		check := checks[match[2]]
		if match[1] == "sum" {
			check.seconds += value
		} else {
			check.count += value
		}
		checks[match[2]] = check
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	return checks
}

func expectCheapPolicies(checks map[string]spent) {
	GinkgoHelper()
	var total spent
	for _, name := range slices.Sorted(maps.Keys(checks)) {
		check := checks[name]
		total.count, total.seconds = total.count+check.count, total.seconds+check.seconds
		if check.count > 0 {
			fmt.Printf("%-28s %8.0f checks, %6.1f µs each\n", name, check.count, 1e6*check.seconds/check.count)
		}
	}
	Expect(total.count).To(BeNumerically(">", 0), "the API server counted no checks")
	mean := time.Duration(float64(time.Second) * total.seconds / total.count)
	fmt.Printf("%-28s %8.0f checks, %6.1f µs each; budget %s\n", "all policies", total.count, 1e6*total.seconds/total.count, policyBudget)
	Expect(mean).To(BeNumerically("<=", policyBudget))
}

// answered is how many calls the webhook answered, and how many of them in time.
type answered struct {
	calls, within uint64
}

func (a answered) String() string {
	return fmt.Sprintf("%d calls, %.2f %% of them within %s", a.calls, a.share(), webhookBudget)
}

func (a answered) share() float64 { return 100 * float64(a.within) / float64(a.calls) }

// expectFastWebhook reads how long the webhook took for its answers, and prints it path by
// path.
func expectFastWebhook() {
	GinkgoHelper()
	families, err := metrics.Registry.Gather()
	Expect(err).NotTo(HaveOccurred())
	var total answered
	for _, family := range families {
		if family.GetName() != "controller_runtime_webhook_latency_seconds" {
			continue
		}
		for _, metric := range family.GetMetric() {
			// A native histogram: spans of buckets, each a fixed factor wider than the one before,
			// and their populations as differences.
			h := metric.GetHistogram()
			path := answered{calls: h.GetSampleCount(), within: h.GetZeroCount()}
			index, population, next := int32(0), int64(0), 0
			for _, span := range h.GetPositiveSpan() {
				index += span.GetOffset()
				for range span.GetLength() {
					population += h.GetPositiveDelta()[next]
					if math.Exp2(float64(index)*math.Exp2(-float64(h.GetSchema()))) <= webhookBudget.Seconds() {
						path.within += uint64(population)
					}
					index, next = index+1, next+1
				}
			}
			total.calls, total.within = total.calls+path.calls, total.within+path.within
			if path.calls > 0 {
				fmt.Printf("%-28s %s\n", metric.GetLabel()[0].GetValue(), path)
			}
		}
	}
	Expect(total.calls).To(BeNumerically(">=", benchmarkCalls))
	fmt.Printf("the webhook answered, at %d a second, %s; budget 99 %%\n", webhookRate, total)
	Expect(total.share()).To(BeNumerically(">=", 99))
}
