package stories

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

var (
	everyWrite = flag.Bool("every-write", false, "disturb the operator at every write, and not at a few")
	onlyTale   = flag.String("tale", "", "of -every-write, the one tale")
	onlyFault  = flag.String("fault", "", "of -every-write, the one fault")
)

// tale is what an operator is disturbed in.
type tale struct {
	name string
	// before settles the world in which the tale begins; nil: it is empty.
	before func(context.Context, *world)
	// begins is what people do. The rest is the operator's.
	begins func(context.Context, *world)
	// moves of the tale's route from the first record on, and an event of which there is a
	// record in the end.
	moves []string
	ends  v1alpha1.RecordEvent
}

// settle is a track with these releases, the last one being stable.
func settle(track func(*world) *v1alpha1.ReleaseTrack, versions ...string) func(context.Context, *world) {
	return func(ctx context.Context, w *world) {
		w.goLive(ctx, track(w), w.release(versions[0]))
		for _, version := range versions[1:] {
			w.create(ctx, w.release(version))
			w.untilSettled(ctx, version)
		}
	}
}

func keepsWarm(n int32) func(*world) *v1alpha1.ReleaseTrack {
	return func(w *world) *v1alpha1.ReleaseTrack { return w.track(warm(n)) }
}

// rich has all that a release can own. No two of its tests run at the same time: which of
// them ends first would be nobody's decision.
func (w *world) rich(version string) *v1alpha1.ImmutableRelease {
	return w.release(version,
		harness.Greeting(v1alpha1.ConfigMapKind, "settings"),
		w.Test("migrate", v1alpha1.BeforePods, 60),
		w.Test("smoke", v1alpha1.BeforeTraffic, 60),
		w.Test("errors", v1alpha1.EveryStep, 60),
		w.Component("api", 1),
		func(r *v1alpha1.ImmutableRelease) {
			one := intstr.FromInt32(1)
			r.Spec.Components[0].Disruption = &v1alpha1.ComponentDisruption{MaxUnavailable: &one}
			r.Spec.Components[1].Autoscaling = &v1alpha1.ComponentAutoscaling{MinReplicas: 1, MaxReplicas: 3}
		})
}

func (w *world) rollBackTo(ctx context.Context, version string) {
	w.create(ctx, harness.NewAction(w.namespace, "back", "jane", v1alpha1.ActionRollback, harness.ReleaseName(version)))
}

var tales = []*tale{{
	name: "retirement", before: settle(keepsWarm(1), "1.0.0", "2.0.0"),
	begins: func(ctx context.Context, w *world) {
		track, err := w.Track(ctx, w.namespace)
		Expect(err).NotTo(HaveOccurred())
		w.patch(ctx, track, `{"spec":{"retention":{"warmReleases":0}}}`)
	},
	moves: []string{"1.0.0:100", "2.0.0:100"}, ends: v1alpha1.EventRetired,
}, {
	name: "first release",
	begins: func(ctx context.Context, w *world) {
		w.create(ctx, w.track(), w.release("1.0.0", w.Test("smoke", v1alpha1.BeforeTraffic, 60), w.Test("orders", v1alpha1.AfterPromotion, 60)))
	},
	moves: []string{"1.0.0:100"}, ends: v1alpha1.EventPromoted,
}, {
	name: "rollout",
	before: func(ctx context.Context, w *world) {
		w.create(ctx, w.configMap("settings", "hello"))
		w.goLive(ctx, w.track(warm(0), harness.Steps(harness.Step(50, 0))), w.rich("1.0.0"))
	},
	begins: func(ctx context.Context, w *world) { w.create(ctx, w.rich("2.0.0")) },
	moves:  []string{"1.0.0:100", "1.0.0:50 2.0.0:50", "2.0.0:100"}, ends: v1alpha1.EventRetired,
}, {
	name: "failure",
	before: func(ctx context.Context, w *world) {
		w.goLive(ctx, w.track(harness.Steps(harness.Step(20, 0), harness.Step(50, 0))), w.release("1.0.0"))
		w.PlayTests(w.namespace, func(job *batchv1.Job) cluster.Test {
			return cluster.Test{Fails: strings.HasSuffix(job.Name, "-50"), Says: "too many errors"}
		})
	},
	begins: func(ctx context.Context, w *world) {
		w.create(ctx, w.release("2.0.0", w.Test("errors", v1alpha1.EveryStep, 60)))
	},
	moves: []string{"1.0.0:100", "1.0.0:80 2.0.0:20", "1.0.0:50 2.0.0:50", "1.0.0:100"}, ends: v1alpha1.EventRetired,
}, {
	name: "rollback to a warm release", before: settle(keepsWarm(1), "1.0.0", "2.0.0"),
	begins: func(ctx context.Context, w *world) { w.rollBackTo(ctx, "1.0.0") },
	moves:  []string{"1.0.0:100", "2.0.0:100", "1.0.0:100"}, ends: v1alpha1.EventRolledBack,
}, {
	name: "rollback to a retired release", before: settle(keepsWarm(0), "1.0.0", "2.0.0"),
	begins: func(ctx context.Context, w *world) { w.rollBackTo(ctx, "1.0.0") },
	moves:  []string{"1.0.0:100", "2.0.0:100", "1.0.0:100"}, ends: v1alpha1.EventRolledBack,
}}

// undisturbed is how a tale goes.
type undisturbed struct {
	*tale
	writes int64
	end    photograph
}

// faults are those that are played, in this order.
var faults = []cluster.FaultKind{cluster.Killed, cluster.Unanswered, cluster.Asleep, cluster.Doubled, cluster.Frozen}

// watchedKinds freeze in turn: all of them, or one alone.
var watchedKinds = []string{"", "releaserecords", "deployments", "httproutes", "endpointslices", "jobs", "releasetracks", "immutablereleases"}

// faultAt is the fault of a kind at the k-th write.
func faultAt(kind cluster.FaultKind, k int64) cluster.Fault {
	fault := cluster.Fault{Kind: kind, Write: k}
	if kind == cluster.Frozen {
		fault.Resource = watchedKinds[k%int64(len(watchedKinds))]
	}
	return fault
}

// disturbance is one fault in one telling of a tale.
type disturbance struct {
	*undisturbed
	fault cluster.Fault
	// again: the operator that follows is disturbed likewise, and so on.
	again bool
}

func (d disturbance) String() string {
	text := fmt.Sprintf("%s, %s at write %d", d.name, d.fault.Kind, d.fault.Write)
	switch {
	case d.again:
		return fmt.Sprintf("%s, %s at every write, one after the other", d.name, d.fault.Kind)
	case d.fault.Resource != "":
		return text + ", " + d.fault.Resource
	}
	return text
}

// allDisturbances are every fault at every write of every tale.
func allDisturbances(told []*undisturbed) []disturbance {
	var all []disturbance
	for _, t := range told {
		for _, kind := range faults {
			if *onlyFault != "" && *onlyFault != string(kind) {
				continue
			}
			for k := range t.writes {
				all = append(all, disturbance{t, faultAt(kind, k+1), false})
			}
		}
		all = append(all, disturbance{t, faultAt(cluster.Unanswered, 1), true})
	}
	return all
}

// someDisturbances are Killed at every write of the first tale, and of the others two
// faults of different kinds.
func someDisturbances(told []*undisturbed, random *rand.Rand) []disturbance {
	var some []disturbance
	for k := range told[0].writes {
		some = append(some, disturbance{told[0], faultAt(cluster.Killed, k+1), false})
	}
	for _, t := range told[1:] {
		for _, kind := range random.Perm(len(faults))[:2] {
			some = append(some, disturbance{t, faultAt(faults[kind], 1+random.Int64N(t.writes)), false})
		}
	}
	return some
}

var _ = It("the operator is stopped at any write, or loses its lease, or sees the past: the same end, the same decisions, the same weights", SpecTimeout(2*time.Hour), func(ctx SpecContext) {
	told := tellAll(ctx)
	all, together := someDisturbances(told, rand.New(rand.NewPCG(uint64(GinkgoRandomSeed()), 0))), 14
	if *everyWrite {
		all, together = allDisturbances(told), 24
	}
	var outcomes []outcome
	for batch := range slices.Chunk(all, together) {
		outcomes = append(outcomes, disturbTogether(ctx, batch)...)
		if *everyWrite {
			fmt.Printf("%s: %d of %d\n%s", time.Now().Format(time.TimeOnly), len(outcomes), len(all), problemsOf(outcomes[len(outcomes)-len(batch):]))
		}
	}
	AddReportEntry("disturbed", ReportEntryVisibilityAlways, tableOf(told, outcomes))
	if problems := problemsOf(outcomes); problems != "" {
		Fail("these went otherwise:\n" + problems)
	}
	never := slices.DeleteFunc(slices.Clone(outcomes), func(o outcome) bool { return o.struck })
	// A fault at the last writes may come too late: statuses are sometimes written together.
	Expect(len(never)).To(BeNumerically("<=", len(all)/10), "faults that did not happen: %v", never)
})

func problemsOf(outcomes []outcome) string {
	var b strings.Builder
	for _, o := range outcomes {
		if o.problem != "" {
			fmt.Fprintf(&b, "%s: %s\n", o.disturbance, o.problem)
		}
	}
	return b.String()
}

// tableOf says how many faults of each kind happened, of how many that were tried.
func tableOf(told []*undisturbed, outcomes []outcome) string {
	var b strings.Builder
	for _, t := range told {
		fmt.Fprintf(&b, "\n%s, %d writes, %d records:", t.name, t.writes, t.records())
		for _, kind := range faults {
			tried, struck := 0, 0
			for _, o := range outcomes {
				if o.undisturbed == t && o.fault.Kind == kind {
					tried++
					if o.struck {
						struck++
					}
				}
			}
			if tried > 0 {
				fmt.Fprintf(&b, " %s %d of %d", kind, struck, tried)
			}
		}
	}
	return b.String()
}

func (u *undisturbed) records() int {
	records := 0
	for name := range u.end.objects {
		if strings.HasPrefix(name, "ReleaseRecord ") {
			records++
		}
	}
	return records
}

// tellAll tells every tale as it goes.
func tellAll(ctx context.Context) []*undisturbed {
	GinkgoHelper()
	var told []*undisturbed
	var group sync.WaitGroup
	for _, t := range tales {
		if *everyWrite && *onlyTale != "" && *onlyTale != t.name {
			continue
		}
		u := &undisturbed{tale: t}
		told = append(told, u)
		w := open(ctx)
		group.Go(func() {
			defer GinkgoRecover()
			w.startOperator()
			if t.before != nil {
				t.before(ctx, w)
			}
			w.restartOperator()
			t.begins(ctx, w)
			w.untilRecorded(ctx, t.ends)
			untilAtRest(ctx, w.operators[0], mayWait)
			u.writes, u.end = w.operators[0].Writes(), w.photograph(ctx)
			Expect(w.moves()).To(Equal(t.moves), t.name)
			w.expectIntact(ctx)
			w.close(ctx)
		})
	}
	group.Wait()
	Expect(told).NotTo(BeEmpty(), "there is no tale %q", *onlyTale)
	for _, u := range told {
		Expect(u.writes).To(BeNumerically(">", 3), u.name)
	}
	return told
}

func (w *world) untilRecorded(ctx context.Context, event v1alpha1.RecordEvent) {
	GinkgoHelper()
	Eventually(ctx, func() []v1alpha1.RecordEvent { return events(w.records(ctx)) }).WithTimeout(patient).Should(ContainElement(event))
}

// mayWait is longer than anything waits to be written with others.
const mayWait = 11 * time.Second

// untilAtRest waits until an operator has not written for so long.
func untilAtRest(ctx context.Context, operator *cluster.Operator, quiet time.Duration) {
	GinkgoHelper()
	last, since := int64(-1), time.Now()
	Eventually(ctx, func() time.Duration {
		if writes := operator.Writes(); writes != last {
			last, since = writes, time.Now()
		}
		return time.Since(since)
	}).WithTimeout(time.Minute).Should(BeNumerically(">", quiet))
}

// close ends what would go on until the end of the spec.
func (w *world) close(ctx context.Context) {
	GinkgoHelper()
	w.stopOperators()
	w.routes.Stop()
	Expect(w.DropNamespace(ctx, w.namespace)).To(Succeed())
}

// outcome of a disturbance: whether the fault has happened, and what was not as in the
// undisturbed tale.
type outcome struct {
	disturbance
	struck  bool
	problem string
}

// disturbTogether settles worlds by one operator, and disturbs each.
func disturbTogether(ctx context.Context, batch []disturbance) []outcome {
	GinkgoHelper()
	worlds, namespaces := make([]*world, len(batch)), make([]string, len(batch))
	for i := range batch {
		worlds[i] = open(ctx)
		namespaces[i] = worlds[i].namespace
	}
	settling, err := suite.StartOperator(namespaces...)
	Expect(err).NotTo(HaveOccurred())
	inParallel(batch, func(i int, d disturbance) {
		if d.before != nil {
			d.before(ctx, worlds[i])
		}
	})
	Expect(settling.Stop()).To(Succeed())
	outcomes := make([]outcome, len(batch))
	inParallel(batch, func(i int, d disturbance) {
		outcomes[i].disturbance = d
		outcomes[i].struck, outcomes[i].problem = worlds[i].disturb(ctx, d)
		worlds[i].close(ctx)
	})
	return outcomes
}

func inParallel[T any](all []T, do func(int, T)) {
	var group sync.WaitGroup
	for i := range all {
		group.Go(func() {
			defer GinkgoRecover()
			do(i, all[i])
		})
	}
	group.Wait()
}

// disturb tells a tale to its end by operators to which something happens.
func (w *world) disturb(ctx context.Context, d disturbance) (struck bool, problem string) {
	GinkgoHelper()
	before := w.photograph(ctx)
	first := w.startFaulty(d.fault)
	d.begins(ctx, w)
	struck = w.untilStruck(ctx, first, d)
	switch d.fault.Kind {
	case cluster.Killed, cluster.Unanswered:
		for going, rounds := struck && d.again, int64(0); going; rounds++ {
			if rounds > 10*d.writes {
				return struck, fmt.Sprintf("%d operators in a row got nowhere", rounds)
			}
			w.stopOperators()
			going = w.untilStruck(ctx, w.startFaulty(d.fault), d)
		}
		w.restartOperator()
	case cluster.Asleep:
		if struck {
			w.startOperator()
			if problem := w.untilAsIn(ctx, d); problem != "" {
				return struck, "before the first leader wakes up: " + problem
			}
			first.Wake()
		}
	case cluster.Doubled:
		w.startOperator()
	}
	if struck && (d.fault.Kind == cluster.Asleep || d.fault.Kind == cluster.Frozen) {
		Eventually(ctx, first.Thawed()).Should(BeClosed())
		untilAtRest(ctx, first, time.Second)
	}
	if problem := w.untilAsIn(ctx, d); problem != "" {
		return struck, problem
	}
	w.stopOperators()
	end := w.photograph(ctx)
	if problem := end.from(d.end); problem != "" {
		return struck, "after the end: " + problem
	}
	if replaced := end.replaced(before); len(replaced) > 0 {
		return struck, fmt.Sprintf("replaced: %v", replaced)
	}
	if moves := w.moves(); !slices.Equal(moves, d.moves) {
		return struck, fmt.Sprintf("weights went %q", moves)
	}
	if err := ledger.Verify(w.records(ctx)); err != nil {
		return struck, err.Error()
	}
	w.expectIntact(ctx)
	return struck, ""
}

func (w *world) startFaulty(fault cluster.Fault) *cluster.Operator {
	GinkgoHelper()
	operator, err := w.StartFaulty(w.namespace, fault)
	Expect(err).NotTo(HaveOccurred())
	w.operators = append(w.operators, operator)
	return operator
}

// lookAgain is how often worlds are compared, of which there are many at once.
const lookAgain = 500 * time.Millisecond

// untilStruck waits for a fault, and says whether it came before the end of the tale.
func (w *world) untilStruck(ctx context.Context, operator *cluster.Operator, d disturbance) bool {
	GinkgoHelper()
	for deadline := time.Now().Add(patient); time.Now().Before(deadline); {
		select {
		case <-operator.Struck():
			return true
		case <-ctx.Done():
			return false
		case <-time.After(lookAgain):
		}
		if len(w.records(ctx)) == d.records() && w.photograph(ctx).from(d.end) == "" {
			return false
		}
	}
	return false
}

// patient is how long a world may take to its end on a machine that is busy.
const patient = 90 * time.Second

// untilAsIn waits until the world is as at the end of the undisturbed tale, and says what
// is different if it does not get there.
func (w *world) untilAsIn(ctx context.Context, d disturbance) (problem string) {
	GinkgoHelper()
	for deadline := time.Now().Add(patient); ; time.Sleep(lookAgain) {
		records := w.records(ctx)
		if len(records) == d.records() {
			if problem = w.photograph(ctx).from(d.end); problem == "" {
				return ""
			}
		}
		if time.Now().After(deadline) || ctx.Err() != nil || len(records) > d.records() {
			return w.photograph(ctx).from(d.end)
		}
	}
}
