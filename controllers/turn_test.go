package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/fleet"
)

// line is a bench with several tracks, of which each has its first release under way.
type line struct {
	*bench
	tracks []types.NamespacedName
	// most is how many were under way at once, in all and by namespace.
	most map[string]int
}

// newLine has tracks that are called namespace/name, published a second after each other,
// under a limit of all namespaces and, if there is one, a policy for each namespace.
func newLine(t *testing.T, limit int, policy *int32, names ...string) *line {
	t.Helper()
	l := &line{bench: newBench(t), most: map[string]int{}}
	l.loop.fleet = fleet.New(limit)
	b := l.bench
	b.must(b.api.Delete(b.Context(), b.track()))
	if policy != nil {
		b.store(&v1alpha1.ReleasePolicy{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Spec: v1alpha1.ReleasePolicySpec{NamespaceSelector: &metav1.LabelSelector{}, MaxRollouts: policy}})
	}
	for i, name := range names {
		namespace, name, _ := strings.Cut(name, "/")
		key := types.NamespacedName{Namespace: namespace, Name: name}
		if !slices.ContainsFunc(l.tracks, func(k types.NamespacedName) bool { return k.Namespace == namespace }) {
			b.store(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
		}
		l.tracks = append(l.tracks, key)
		b.store(&v1alpha1.ReleaseTrack{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Generation: 1, UID: types.UID(fmt.Sprintf("track %d", i))},
			Spec: v1alpha1.ReleaseTrackSpec{
				Rollout: &v1alpha1.RolloutSpec{BakeSeconds: ptr.To[int32](5)},
				Traffic: &v1alpha1.TrafficSpec{DrainSeconds: ptr.To[int32](0), Routes: []v1alpha1.Route{{
					Name: "internal", ComponentName: "web", PortName: "http", Type: v1alpha1.RouteService, Service: &v1alpha1.ServiceRoute{Name: name + "-web"},
				}}},
			},
		})
		b.store(&v1alpha1.ImmutableRelease{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name + "-1", Generation: 1, UID: types.UID(fmt.Sprintf("release %d", i))},
			Spec: v1alpha1.ImmutableReleaseSpec{TrackName: name, ReleaseTemplate: v1alpha1.ReleaseTemplate{Version: "1", Components: []v1alpha1.Component{{
				Name: "web", Replicas: 1, Ports: []v1alpha1.ComponentPort{{Name: "http", Port: 80}}, Template: pod(),
			}}}},
		})
	}
	return l
}

func (l *line) look(key types.NamespacedName) ctrl.Result {
	l.Helper()
	result, err := l.loop.Reconcile(l.Context(), ctrl.Request{NamespacedName: key})
	if err != nil {
		l.Fatalf("%s: %v", key, err)
	}
	l.count()
	return result
}

// count who is under way, as the world shows it: tracks with pods that have no stable release.
func (l *line) count() {
	l.Helper()
	under := map[string]int{}
	for _, key := range l.tracks {
		pods := l.api.Get(l.Context(), types.NamespacedName{Namespace: key.Namespace, Name: key.Name + "-1-web"}, &appsv1.Deployment{})
		track := l.trackOf(key)
		head := l.head(key)
		if client.IgnoreNotFound(pods) != nil {
			l.Fatal(pods)
		}
		if pods == nil && track.UID != "" && (head == nil || head.State.Stable == nil) {
			under[""]++
			under[key.Namespace]++
		}
	}
	for where, n := range under {
		l.most[where] = max(l.most[where], n)
	}
}

// pass lets time pass, and every track be looked at each second, in an order that changes.
func (l *line) pass(seconds int) {
	l.Helper()
	for range seconds {
		l.now = l.now.Add(time.Second)
		for i := range l.tracks {
			l.look(l.tracks[(i+int(l.now.Unix()))%len(l.tracks)])
		}
		l.play()
	}
}

func (l *line) trackOf(key types.NamespacedName) *v1alpha1.ReleaseTrack {
	l.Helper()
	track := &v1alpha1.ReleaseTrack{}
	l.must(client.IgnoreNotFound(l.api.Get(l.Context(), key, track)))
	return track
}

func (l *line) head(key types.NamespacedName) *v1alpha1.ReleaseRecordSpec {
	l.Helper()
	records := &v1alpha1.ReleaseRecordList{}
	l.must(l.api.List(l.Context(), records, client.InNamespace(key.Namespace), client.MatchingFields{indexTrackName: key.Name}))
	var head *v1alpha1.ReleaseRecordSpec
	for i := range records.Items {
		if spec := &records.Items[i].Spec; head == nil || spec.Sequence > head.Sequence {
			head = spec
		}
	}
	return head
}

// stable are the tracks whose release is.
func (l *line) stable() int {
	n := 0
	for _, key := range l.tracks {
		if head := l.head(key); head != nil && head.State.Stable != nil {
			n++
		}
	}
	return n
}

// settleAll lets time pass until every track is stable.
func (l *line) settleAll() {
	l.Helper()
	for range 60 {
		if l.stable() == len(l.tracks) {
			return
		}
		l.pass(1)
	}
	l.Fatalf("%d of %d tracks are stable", l.stable(), len(l.tracks))
}

// expectWaiting holds how many tracks say, in words that begin so, that they wait.
func (l *line) expectWaiting(want int, words string) {
	l.Helper()
	n := 0
	for _, key := range l.tracks {
		if b := l.trackOf(key).Status.BlockedBy; b != nil && b.Gate == "TurnTaken" && b.Reason == "RolloutsUnderWay" && strings.HasPrefix(b.Message, words) {
			n++
		}
	}
	if n != want {
		l.Errorf("%d tracks say that they wait: %s...; want %d", n, words, want)
	}
}

func TestNoMoreRolloutsThanTheLimit(t *testing.T) {
	l := newLine(t, 2, nil, "shop/a", "shop/b", "shop/c", "bank/d")
	l.pass(3)
	l.expectWaiting(2, "2 of 2 rollouts of all namespaces are under way")
	l.settleAll()
	if l.most[""] != 2 {
		t.Errorf("at most %d rollouts were under way at once, want 2", l.most[""])
	}
}

func TestNoMoreRolloutsThanPoliciesLetBe(t *testing.T) {
	l := newLine(t, 0, ptr.To[int32](1), "shop/a", "shop/b", "bank/c", "bank/d")
	l.pass(3)
	l.expectWaiting(2, "1 of 1 rollouts of the namespace are under way (")
	l.settleAll()
	if l.most["shop"] != 1 || l.most["bank"] != 1 || l.most[""] != 2 {
		t.Errorf("at most as many rollouts were under way at once: %v", l.most)
	}
}

// A restart, or another leader, knows from the logs who is under way and whose turn it is.
func TestTurnsAfterARestart(t *testing.T) {
	l := newLine(t, 1, nil, "shop/a", "shop/b", "shop/c")
	l.pass(2)
	writes := len(l.writes)
	again := func() {
		l.loop = New(l.loop.Client, l.loop.live, l.loop.recorder, l.loop.options)
		l.loop.fleet = fleet.New(1)
		records := &v1alpha1.ReleaseRecordList{}
		l.must(l.api.List(l.Context(), records))
		for i := range records.Items {
			l.loop.fleet.Tell(records.Items[i].Namespace, &records.Items[i].Spec)
		}
		for _, key := range l.tracks {
			l.loop.fleet.Exists(key, true)
		}
	}
	again()
	l.tracks = append(l.tracks[1:], l.tracks[0])
	for _, key := range l.tracks {
		l.look(key)
	}
	if made := l.writes[writes:]; slices.ContainsFunc(made, func(w string) bool { return strings.Contains(w, "create") }) {
		t.Errorf("after a restart: %v", made)
	}
	for range 5 {
		again()
		l.pass(3)
	}
	l.settleAll()
	if l.most[""] != 1 {
		t.Errorf("%d rollouts were under way at once, want 1", l.most[""])
	}
}

// A place whose record may be there although its answer was lost is nobody else's; one whose
// record is refused is the next one's.
func TestPlaceIsKeptUntilTheAnswerIsKnown(t *testing.T) {
	a, b := types.NamespacedName{Namespace: "shop", Name: "a"}, types.NamespacedName{Namespace: "shop", Name: "b"}
	takes := func(object client.Object, key types.NamespacedName) bool {
		record, ok := object.(*v1alpha1.ReleaseRecord)
		return ok && record.Spec.TrackName == key.Name && record.Spec.Event == v1alpha1.EventTurnTaken
	}
	for name, c := range map[string]struct {
		stored  bool
		answer  error
		theirs  bool
		atTheir string
	}{
		"lost, and there":     {true, apierrors.NewTimeoutError("no answer", 1), false, "a"},
		"lost, and not there": {false, apierrors.NewTimeoutError("no answer", 1), false, "a"},
		"refused":             {false, apierrors.NewForbidden(v1alpha1.GroupVersion.WithResource("releaserecords").GroupResource(), "a", errAway), true, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLine(t, 1, nil, "shop/a", "shop/b")
			failed := false
			l.refuse = func(verb string, object client.Object, _ bool) error {
				if failed || verb != "create" || !takes(object, a) {
					return nil
				}
				failed = true
				if c.stored {
					l.must(l.api.Create(l.Context(), object.DeepCopyObject().(client.Object)))
				}
				return c.answer
			}
			if _, err := l.loop.Reconcile(l.Context(), ctrl.Request{NamespacedName: a}); err == nil {
				t.Fatal("the error is kept for oneself")
			}
			l.look(b)
			if theirs := l.head(b).State.Candidate.TurnTakenTime != nil; theirs != c.theirs {
				t.Errorf("the other one has the place: %t, want %t", theirs, c.theirs)
			}
			l.look(a)
			l.look(b)
			for _, key := range l.tracks {
				if has := l.head(key).State.Candidate.TurnTakenTime != nil; has != (key.Name == c.atTheir) {
					t.Errorf("%s has the place: %t", key, has)
				}
			}
		})
	}
}

// Tracks that failed together do not come back together, however often, and none waits for
// longer than the longest wait.
func TestRetriesAreSpread(t *testing.T) {
	limiter := RateLimiter()
	for try := range 15 {
		whole := min(firstRetry<<try, lastRetry)
		seen := map[time.Duration]bool{}
		for i := range 100 {
			wait := limiter.When(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: "shop", Name: fmt.Sprint(i)}})
			if wait < whole/2 || wait > whole {
				t.Errorf("try %d is after %s, want %s to %s", try+1, wait, whole/2, whole)
			}
			seen[wait] = true
		}
		if len(seen) < 90 {
			t.Errorf("try %d of 100 tracks is at %d different times", try+1, len(seen))
		}
	}
}
