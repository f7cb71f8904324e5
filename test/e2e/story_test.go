//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/load"
)

// patience is how long a story waits for what has no clock of its own: pods on a
// busy machine of two cores.
const patience = 90 * time.Second

// early is for stories that take about a minute by clocks of their own: none of them
// begins when the others have ended.
const early = SpecPriority(1)

// world is what one story has to itself.
type world struct {
	*harness.Environment
	namespace string
	load      *load.Client
	// rate is how many requests a second the load asks.
	rate   int
	routes *harness.RouteHistory
	// path is what the load asks for.
	path string
	// calls: the load calls gRPC.
	calls bool
	// forgiven says which failed requests the story is about; by default none.
	forgiven func(load.Result) bool
	closed   bool
}

// story is a spec that is told under load, in a namespace of its own.
func story(text string, args ...any) bool {
	tell, ok := args[len(args)-1].(func(context.Context, *world))
	if !ok {
		panic("the last argument of story is what it tells")
	}
	spec := func(ctx SpecContext) {
		w := open(ctx, CurrentSpecReport().Labels())
		DeferCleanup(w.close)
		w.hear(ctx, tell)
		if w.Load > 1 {
			w.expectShares(ctx)
		}
	}
	decorations := append(args[:len(args)-1:len(args)-1], Offset(1), SpecTimeout(5*time.Minute), spec)
	return It(text, decorations...)
}

// hear a story to its end, and what holds at the end of all.
func (w *world) hear(ctx context.Context, tell func(context.Context, *world)) {
	GinkgoHelper()
	tell(ctx, w)
	if w.Load > 1 { // Figures are wanted: what a short story ends with is asked for on.
		Eventually(ctx, func() int { return len(w.load.Results()) - len(w.load.Results().Failures()) }).WithTimeout(time.Minute).Should(BeNumerically(">=", 5000))
	}
	w.expectNoFailures()
	w.expectIntactLog(ctx)
}

// open makes the world of a story with these labels; close ends it.
func open(ctx SpecContext, labels []string) *world {
	GinkgoHelper()
	return openIn(ctx, environment, labels)
}

// openIn does so where another kind of route is asked for.
func openIn(ctx SpecContext, environment *harness.Environment, labels []string) *world {
	GinkgoHelper()
	Expect(labels).NotTo(BeEmpty(), "a story is labelled with its scenario")
	namespace, err := environment.NewNamespace(ctx, labels[len(labels)-1])
	Expect(err).NotTo(HaveOccurred())
	w := &world{Environment: environment, namespace: namespace, path: "/", calls: environment.GRPC, forgiven: func(load.Result) bool { return false }}
	// Contexts of specs end before the clean-up; the watch and the load do not.
	w.routes, err = w.WatchRoutes(context.WithoutCancel(ctx), namespace)
	Expect(err).NotTo(HaveOccurred())
	return w
}

func (w *world) close(ctx SpecContext) {
	if w.closed {
		return
	}
	w.closed = true
	w.routes.Stop()
	if w.load != nil {
		w.load.Stop()
		w.noteLoad()
	}
	if CurrentSpecReport().Failed() {
		GinkgoWriter.Println(w.Describe(ctx, w.namespace))
		if states, err := w.routes.Since(time.Time{}); err == nil {
			GinkgoWriter.Println(states)
		}
		GinkgoWriter.Println(w.OperatorLog(ctx, 60))
	}
	Expect(w.DeleteNamespace(ctx, w.namespace)).To(Succeed())
}

// note is a line in the report at the end of the suite.
func (w *world) note(format string, args ...any) {
	AddReportEntry(noteEntry, ReportEntryVisibilityFailureOrVerbose, fmt.Sprintf(format, args...))
}

// noteLoad is the line of requests and failures.
func (w *world) noteLoad() {
	results := w.load.Results()
	forgiven := len(results.Failures().Where(w.forgiven))
	line := results.Where(func(r load.Result) bool { return !r.Failed() || !w.forgiven(r) }).Summary()
	if forgiven > 0 {
		line += fmt.Sprintf("; and %d that were to fail", forgiven)
	}
	w.note("%s", line)
}

// despiteRestart repeats a write while the webhook does not answer, because another
// story restarts the operator. Whatever the API server answers itself is returned.
func despiteRestart(ctx context.Context, write func() error) error {
	for end := time.Now().Add(30 * time.Second); ; {
		err := write()
		unanswered := apierrors.IsInternalError(err) || err != nil && strings.Contains(err.Error(), "failed calling webhook")
		if !unanswered || time.Now().After(end) || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// startLoad begins to ask the story's hostname, rate times a second, or as many times more
// often as the environment has it.
func (w *world) startLoad(ctx context.Context, rate int) {
	GinkgoHelper()
	w.rate = rate * w.Load
	w.load = w.asking(ctx, load.Options{Rate: w.rate, MaxDuration: 6 * time.Minute})
}

// asking begins to ask the story's hostname.
func (w *world) asking(ctx context.Context, options load.Options) *load.Client {
	GinkgoHelper()
	options.URL, options.Host, options.GRPC = w.GatewayURL+w.path, harness.Host(w.namespace), w.calls
	client, err := load.Start(context.WithoutCancel(ctx), options)
	Expect(err).NotTo(HaveOccurred())
	return client
}

// expectNoFailures: every request was answered well, but for the forgiven.
func (w *world) expectNoFailures() {
	GinkgoHelper()
	Expect(w.load).NotTo(BeNil(), "a story is told under load")
	results := w.load.Results()
	Expect(results).NotTo(BeEmpty())
	Expect(w.load.Exhausted()).To(BeFalse(), "the load ended before the story")
	failures := results.Failures().Where(func(r load.Result) bool { return !w.forgiven(r) })
	Expect(failures).To(BeEmpty(), "failed requests:\n%s", failures.Describe(10))
}

// create stores objects as the cluster administrator.
func (w *world) create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(despiteRestart(ctx, func() error { return w.Client.Create(ctx, object) })).To(Succeed(), "create %T %s", object, object.GetName())
	}
}

// patch merges a change into a live object.
func (w *world) patch(ctx context.Context, object client.Object, change string) {
	GinkgoHelper()
	Expect(despiteRestart(ctx, func() error {
		return w.Client.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(change)))
	})).To(Succeed())
}

// goLive creates the track and its first release, waits until the release is
// promoted and its answers arrive, and starts the load.
func (w *world) goLive(ctx context.Context, rate int, track, release client.Object) {
	GinkgoHelper()
	w.goLiveUnasked(ctx, track, release)
	w.startLoad(ctx, rate)
}

// goLiveUnasked does so without a load.
func (w *world) goLiveUnasked(ctx context.Context, track, release client.Object) {
	GinkgoHelper()
	if w.Router == v1alpha1.RouteTraefik {
		w.create(ctx, harness.IngressRoute(w.namespace))
	}
	w.create(ctx, track, release)
	Expect(track.GetName()).To(Equal(harness.TrackName))
	version := versionOf(release)
	w.untilVerdict(ctx, version, "Promoted")
	w.untilAnswers(ctx, version)
}

func versionOf(object runtime.Object) string {
	name := object.(client.Object).GetName()
	return strings.ReplaceAll(strings.TrimPrefix(name, harness.TrackName+"-"), "-", ".")
}

// moves are the changes of positive weights on the route since t, each as
// "release:weight release:weight".
func (w *world) moves(since time.Time) []string {
	GinkgoHelper()
	states, err := w.routes.Since(time.Time{})
	Expect(err).NotTo(HaveOccurred())
	var moves []string
	for _, s := range harness.Moves(states) {
		if !s.Time.Before(since) {
			moves = append(moves, weightsText(s.Weights))
		}
	}
	return moves
}

// weightsText is "1.0.0:80 2.0.0:20", zeros left out, by version.
func weightsText(weights map[string]int32) string {
	byVersion := map[string]int32{}
	for service, weight := range weights {
		release := strings.TrimSuffix(service, "-web")
		byVersion[strings.ReplaceAll(strings.TrimPrefix(release, harness.TrackName+"-"), "-", ".")] = weight
	}
	maps.DeleteFunc(byVersion, func(_ string, weight int32) bool { return weight == 0 })
	return strings.Trim(fmt.Sprint(byVersion), "map[]")
}
