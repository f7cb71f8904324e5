package plugin

import (
	"context"
	"encoding/json"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/resources"
	"github.com/strata-release/strata/test/harness"
	"github.com/strata-release/strata/test/stories/cluster"
)

// safe is the log of a world as etcd has it, to be damaged and put back.
type safe struct {
	etcd   cluster.Etcd
	world  *world
	stored [][]byte // by sequence number, from 1
}

func (w *world) openSafe(ctx context.Context) *safe {
	GinkgoHelper()
	s := &safe{etcd: suite.Etcd(), world: w, stored: [][]byte{nil}}
	list := &v1alpha1.ReleaseRecordList{}
	Expect(suite.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
	for sequence := range len(list.Items) {
		value, err := s.etcd.Get(ctx, s.key(sequence+1))
		Expect(err).NotTo(HaveOccurred())
		s.stored = append(s.stored, value)
	}
	return s
}

func (s *safe) last() int { return len(s.stored) - 1 }

func (s *safe) key(sequence int) string {
	name := resources.RecordName(harness.TrackName, int64(sequence))
	return cluster.Key("releaserecords", types.NamespacedName{Namespace: s.world.namespace, Name: name})
}

// record as it was stored.
func (s *safe) record(sequence int) *v1alpha1.ReleaseRecord {
	GinkgoHelper()
	record := &v1alpha1.ReleaseRecord{}
	Expect(json.Unmarshal(s.stored[sequence], record)).To(Succeed())
	return record
}

// put stores a record under a number, as somebody with a key to etcd would.
func (s *safe) put(ctx context.Context, sequence int, record *v1alpha1.ReleaseRecord) {
	GinkgoHelper()
	value, err := json.Marshal(record)
	Expect(err).NotTo(HaveOccurred())
	Expect(s.etcd.Put(ctx, s.key(sequence), value)).To(Succeed())
}

// edit changes what a record says, and nothing else of it.
func (s *safe) edit(ctx context.Context, sequence int, edit func(*v1alpha1.ReleaseRecordSpec)) {
	GinkgoHelper()
	record := s.record(sequence)
	edit(&record.Spec)
	s.put(ctx, sequence, record)
}

// remove removes the records from one number to another at once.
func (s *safe) remove(ctx context.Context, from, to int) {
	GinkgoHelper()
	Expect(s.etcd.Delete(ctx, s.key(from), s.key(to+1))).To(Succeed())
}

// swap gives two records the names of each other.
func (s *safe) swap(ctx context.Context, one, other int) {
	GinkgoHelper()
	first, second := s.record(one), s.record(other)
	first.Spec, second.Spec = second.Spec, first.Spec
	s.put(ctx, one, first)
	s.put(ctx, other, second)
}

// mend puts everything back as it was, the newest first: what is there is a log again
// with the last of them.
func (s *safe) mend(ctx context.Context) {
	GinkgoHelper()
	for sequence := s.last(); sequence > 0; sequence-- {
		Expect(s.etcd.Put(ctx, s.key(sequence), s.stored[sequence])).To(Succeed())
	}
}

func lookLeft(spec *v1alpha1.ReleaseRecordSpec) { spec.Message = "orders look left" }

// forge is an edit that leaves no trace in the record itself.
func forge(spec *v1alpha1.ReleaseRecordSpec) {
	lookLeft(spec)
	spec.Digest = ledger.Digest(spec)
}

// stalled is why the track is; "" while it is not.
func (w *world) stalled(ctx context.Context) string {
	GinkgoHelper()
	track, err := suite.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	condition := meta.FindStatusCondition(track.Status.Conditions, v1alpha1.ConditionStalled)
	if condition == nil || condition.Status != metav1.ConditionTrue {
		return ""
	}
	return condition.Reason + ": " + condition.Message
}

// warned are the reasons of the warnings about the track.
func (w *world) warned(ctx context.Context) []string {
	GinkgoHelper()
	track, err := suite.Track(ctx, w.namespace)
	Expect(err).NotTo(HaveOccurred())
	list := &eventsv1.EventList{}
	Expect(suite.Client.List(ctx, list, client.InNamespace(w.namespace), client.MatchingFields{"regarding.uid": string(track.UID)})).To(Succeed())
	var reasons []string
	for i := range list.Items {
		if list.Items[i].Type == corev1.EventTypeWarning {
			reasons = append(reasons, list.Items[i].Reason)
		}
	}
	return reasons
}

var _ = It("finds what is done to the log in etcd, behind the API server's back, and keeps up what serves", SpecTimeout(3*time.Minute), func(ctx SpecContext) {
	w := open(ctx)
	w.operate()
	auditor := user{name: "olga", group: "auditors", namespace: w.namespace}
	routes, err := suite.WatchRoutes(context.WithoutCancel(ctx), w.namespace)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(routes.Stop)
	w.create(ctx, w.track(), suite.NewRelease(w.namespace, "1.0.0"))
	w.jane.does(ctx, "wait", "--timeout", "1m")
	Expect(w.jane.fails(ctx, 1, "rollback", "--to", "shop-1-0-0", "--reason", "one record more")).To(ContainSubstring("is stable already"))
	s := w.openSafe(ctx)
	Expect(s.last()).To(BeNumerically(">=", 5))
	head := s.record(s.last()).Spec.Digest

	for _, damage := range []struct {
		is    string
		done  func()
		finds string
	}{
		{"a record is edited", func() { s.edit(ctx, 2, lookLeft) }, "broken at record 2: it was edited"},
		{"a record is edited, and hashed anew", func() { s.edit(ctx, 2, forge) }, "broken at record 3: it follows a record with digest"},
		{"a record is removed", func() { s.remove(ctx, 3, 3) }, "broken at record 3: it is missing"},
		{"the first is removed", func() { s.remove(ctx, 1, 1) }, "broken at record 1: it is missing"},
		{"two are swapped", func() { s.swap(ctx, 2, 4) }, "broken at record 2: its name is shop-000004, not shop-000002"},
	} {
		By(damage.is)
		damage.done()
		Eventually(ctx, func() string { return w.stalled(ctx) }).Should(And(HavePrefix("LogBroken: "), ContainSubstring(damage.finds)))
		Expect(auditor.fails(ctx, 1, "audit", "verify")).To(ContainSubstring(damage.finds))
		s.mend(ctx)
		Eventually(ctx, func() string { return w.stalled(ctx) }).Should(BeEmpty())
		Expect(auditor.does(ctx, "audit", "verify", "--anchor", head)).To(ContainSubstring("is whole"))
	}
	Eventually(ctx, func() []string { return w.warned(ctx) }).Should(ContainElement("LogBroken"))

	By("all from one on are removed: what is left is a log, of which routes and a head kept elsewhere know better")
	s.remove(ctx, 2, s.last())
	Eventually(ctx, func() string { return w.stalled(ctx) }).Should(And(HavePrefix("RecordsLost: "), ContainSubstring("newer records than record 1")))
	Expect(auditor.does(ctx, "audit", "verify")).To(ContainSubstring("is whole"))
	Expect(auditor.fails(ctx, 1, "audit", "verify", "--anchor", head)).To(ContainSubstring("has no record with digest " + head))
	s.mend(ctx)
	Eventually(ctx, func() string { return w.stalled(ctx) }).Should(BeEmpty())

	By("the newest is edited, and hashed anew: nothing follows it, and only a head kept elsewhere knows better")
	s.edit(ctx, s.last(), forge)
	Expect(auditor.does(ctx, "audit", "verify")).To(ContainSubstring("is whole"))
	Expect(auditor.fails(ctx, 1, "audit", "verify", "--anchor", head)).To(ContainSubstring("has no record with digest " + head))
	s.mend(ctx)

	By("while the log is broken nothing new is tried, and what serves is made again")
	s.edit(ctx, 2, lookLeft)
	Eventually(ctx, func() string { return w.stalled(ctx) }).Should(HavePrefix("LogBroken: "))
	w.create(ctx, suite.NewRelease(w.namespace, "2.0.0"))
	serving := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "shop-1-0-0-web"}}
	Expect(suite.Client.Delete(ctx, serving)).To(Succeed())
	Eventually(ctx, func() (int32, error) {
		err := suite.Client.Get(ctx, client.ObjectKeyFromObject(serving), serving)
		return serving.Status.ReadyReplicas, client.IgnoreNotFound(err)
	}).Should(BeEquivalentTo(2))
	list := &v1alpha1.ReleaseRecordList{}
	Expect(suite.Client.List(ctx, list, client.InNamespace(w.namespace))).To(Succeed())
	Expect(list.Items).To(HaveLen(s.last()))
	states, err := routes.Since(time.Time{})
	Expect(err).NotTo(HaveOccurred())
	for _, move := range harness.Moves(states) {
		Expect(move.Weights).To(Equal(map[string]int32{"shop-1-0-0-web": 100}))
	}

	By("the log is as it was, and the track goes on")
	s.mend(ctx)
	Expect(w.jane.does(ctx, "wait", "--release", "shop-2-0-0", "--timeout", "1m")).To(Equal("shop-2-0-0 is promoted\n"))
	Expect(auditor.does(ctx, "audit", "verify", "--anchor", head)).To(ContainSubstring("is whole"))
	Expect(auditor.does(ctx, "audit", "report", "--since", "1h")).To(ContainSubstring("shop-2-0-0"))
})
