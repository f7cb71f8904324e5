package stories

import (
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

// world is what one story has to itself: a namespace, and an operator that minds
// it.
type world struct {
	*cluster.Cluster
	namespace string
	operators []*cluster.Operator
	routes    *harness.RouteHistory
}

// story is a spec in a world of its own. At its end the log must verify, and the
// routes must never have carried anything but 100 %, or been somebody's.
func story(text string, args ...any) bool {
	tell, ok := args[len(args)-1].(func(context.Context, *world))
	if !ok {
		panic("the last argument of story is what it tells")
	}
	spec := func(ctx SpecContext) {
		w := open(ctx)
		w.startOperator()
		tell(ctx, w)
		w.expectIntact(ctx)
	}
	decorations := append(args[:len(args)-1:len(args)-1], Offset(1), SpecTimeout(2*time.Minute), spec)
	return It(text, decorations...)
}

// open makes a world without an operator.
func open(ctx context.Context) *world {
	GinkgoHelper()
	namespace, err := suite.NewNamespace(ctx, "story")
	Expect(err).NotTo(HaveOccurred())
	w := &world{Cluster: suite, namespace: namespace}
	w.routes, err = w.WatchRoutes(context.WithoutCancel(ctx), namespace)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(func(ctx SpecContext) {
		if CurrentSpecReport().Failed() {
			GinkgoWriter.Println(w.Describe(ctx, namespace))
		}
		w.stopOperators()
		w.routes.Stop()
	})
	return w
}

func (w *world) startOperator() {
	GinkgoHelper()
	operator, err := w.StartOperator(w.namespace)
	Expect(err).NotTo(HaveOccurred())
	w.operators = append(w.operators, operator)
}

func (w *world) stopOperators() {
	GinkgoHelper()
	for _, operator := range w.operators {
		Expect(operator.Stop()).To(Succeed())
	}
	w.operators = nil
}

func (w *world) restartOperator() {
	GinkgoHelper()
	w.stopOperators()
	w.startOperator()
}

// expectIntact: the log is a chain from its first record, and every state that the
// routes had sums to 100.
func (w *world) expectIntact(ctx context.Context) {
	GinkgoHelper()
	records := w.records(ctx)
	Expect(ledger.Verify(records)).To(Succeed())
	for i, r := range records {
		Expect(r.Spec.Sequence).To(BeEquivalentTo(i+1), "a record is missing")
	}
	states, err := w.routes.Since(time.Time{})
	Expect(err).NotTo(HaveOccurred())
	for _, s := range states {
		sum := int32(0)
		for _, weight := range s.Weights {
			sum += weight
		}
		Expect(sum).To(Or(BeEquivalentTo(100), BeZero()), "a route carried %s", s)
	}
}

// create stores objects as the cluster administrator.
func (w *world) create(ctx context.Context, objects ...client.Object) {
	GinkgoHelper()
	for _, object := range objects {
		Expect(w.Client.Create(ctx, object)).To(Succeed(), "create %T %s", object, object.GetName())
	}
}

// patch merges a change into a live object.
func (w *world) patch(ctx context.Context, object client.Object, change string) {
	GinkgoHelper()
	Expect(w.Client.Patch(ctx, object, client.RawPatch("application/merge-patch+json", []byte(change)))).To(Succeed())
}

func (w *world) get(ctx context.Context, object client.Object, name string) {
	GinkgoHelper()
	Expect(w.Client.Get(ctx, client.ObjectKey{Namespace: w.namespace, Name: name}, object)).To(Succeed())
}

// goLive has the track settle on its first release.
func (w *world) goLive(ctx context.Context, track *v1alpha1.ReleaseTrack, release *v1alpha1.ImmutableRelease) {
	GinkgoHelper()
	w.create(ctx, track, release)
	w.untilSettled(ctx, release.Spec.Version)
}

// track of the story: no drain, one warm release.
func (w *world) track(options ...harness.TrackOption) *v1alpha1.ReleaseTrack {
	track := w.NewTrack(w.namespace)
	*track.Spec.Traffic.DrainSeconds = 0
	for _, option := range options {
		option(track)
	}
	return track
}

// warm sets how many warm releases the track keeps.
func warm(n int32) harness.TrackOption {
	return func(t *v1alpha1.ReleaseTrack) { t.Spec.Retention.WarmReleases = &n }
}

// giveUpAfter sets how long the cluster may take to bring a candidate up.
func (w *world) giveUpAfter(ctx context.Context, seconds int32) {
	GinkgoHelper()
	track, err := w.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	w.patch(ctx, track, fmt.Sprintf(`{"spec":{"rollout":{"progressDeadlineSeconds":%d}}}`, seconds))
}

func (w *world) release(version string, options ...harness.ReleaseOption) *v1alpha1.ImmutableRelease {
	return w.NewRelease(w.namespace, version, options...)
}

// act creates an action of a user and returns it.
func (w *world) act(ctx context.Context, kind v1alpha1.ActionType, version string, options ...func(*v1alpha1.ReleaseActionSpec)) *v1alpha1.ReleaseAction {
	GinkgoHelper()
	name := strings.ToLower(string(kind)) + "-" + strings.ReplaceAll(version, ".", "-")
	action := harness.NewAction(w.namespace, "", "jane", kind, harness.ReleaseName(version))
	action.GenerateName = name + "-"
	for _, option := range options {
		option(&action.Spec)
	}
	w.create(ctx, action)
	return action
}

func attempt(n int32) func(*v1alpha1.ReleaseActionSpec) {
	return func(s *v1alpha1.ReleaseActionSpec) { s.Attempt = &n }
}

func atWeight(percent int32) func(*v1alpha1.ReleaseActionSpec) {
	return func(s *v1alpha1.ReleaseActionSpec) { s.WeightPercent = &percent }
}

// moves are the positive weights that the public route had one after the other,
// each as "1.0.0:80 2.0.0:20".
func (w *world) moves() []string {
	GinkgoHelper()
	states, err := w.routes.Since(time.Time{})
	Expect(err).NotTo(HaveOccurred())
	var moves []string
	for _, s := range harness.Moves(states) {
		moves = append(moves, weightsText(s.Weights))
	}
	return moves
}

// versionOf a release's name, or of one of its children's.
func versionOf(name string) string {
	name = strings.TrimPrefix(name, harness.TrackName+"-")
	digits := strings.SplitN(name, "-", 4)
	return strings.Join(digits[:min(3, len(digits))], ".")
}
