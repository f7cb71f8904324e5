package fleet

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// fleet is tracks with their logs, a Book, and who was woken since woken was emptied.
type fleet struct {
	*testing.T
	book  *Book
	heads map[types.NamespacedName]*v1alpha1.ReleaseRecord
	woken []string
}

func newFleet(t *testing.T, limit int) *fleet {
	f := &fleet{T: t, heads: map[types.NamespacedName]*v1alpha1.ReleaseRecord{}}
	f.read(limit)
	return f
}

// read makes the Book anew from the logs, as a restart does.
func (f *fleet) read(limit int) {
	f.book = New(limit)
	f.book.asked = true
	f.book.wake = func(key types.NamespacedName) { f.woken = append(f.woken, key.String()) }
	for key, head := range f.heads {
		f.book.Tell(key.Namespace, &head.Spec)
		f.book.Exists(key, true)
	}
}

func keyFor(name string) types.NamespacedName {
	namespace, name, _ := strings.Cut(name, "/")
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// record appends a record to the log of a track: it waits since so many seconds, or has
// taken its turn, or neither.
func (f *fleet) record(name string, waitsSince int, taken bool) *v1alpha1.ReleaseRecord {
	key := keyFor(name)
	record := &v1alpha1.ReleaseRecord{}
	record.Namespace, record.Spec.TrackName, record.Spec.Sequence = key.Namespace, key.Name, 1
	if before := f.heads[key]; before != nil {
		record.Spec.Sequence = before.Spec.Sequence + 1
	}
	at := metav1.NewMicroTime(noon.Add(time.Duration(waitsSince) * time.Second))
	if record.Spec.State.Candidate = new(v1alpha1.CandidateState); taken {
		record.Spec.State.Candidate.TurnTakenTime = &at
	} else if waitsSince > 0 {
		record.Spec.State.Candidate.TurnAwaitedTime = &at
	}
	f.heads[key] = record
	f.book.Exists(key, true)
	f.book.Tell(key.Namespace, &record.Spec)
	return record
}

func (f *fleet) wait(name string, since int) { f.record(name, since, false) }
func (f *fleet) take(name string)            { f.record(name, 0, true) }
func (f *fleet) end(name string)             { f.record(name, 0, false) }

func (f *fleet) turn(name string, limit int) rollout.Turn {
	return f.book.Turn(keyFor(name), limit, noon.Add(time.Hour), true)
}

func (f *fleet) expectWoken(want ...string) {
	f.Helper()
	if !slices.Equal(f.woken, want) {
		f.Errorf("woken are %v, want %v", f.woken, want)
	}
	f.woken = nil
}

func TestWithoutALimit(t *testing.T) {
	f := newFleet(t, 0)
	if turn := f.turn("shop/web", 0); !turn.Come || turn.Before != 0 {
		t.Errorf("%+v", turn)
	}
}

func TestLimitOfANamespace(t *testing.T) {
	f := newFleet(t, 0)
	f.take("shop/cart")
	f.take("shop/pay")
	f.take("bank/ledger")
	got := f.turn("shop/web", 2)
	if got.Come || got.Before != 0 || !slices.Equal(got.NamespaceUnderWay, []string{"cart", "pay"}) || got.UnderWay != 3 || got.NamespaceLimit != 2 {
		t.Errorf("%+v", got)
	}
	f.wait("shop/web", 10)
	f.wait("shop/ads", 5)
	if got := f.turn("shop/web", 2); got.Before != 1 {
		t.Errorf("%+v", got)
	}
	f.expectWoken()
	f.end("shop/pay")
	f.expectWoken("shop/ads")
	if f.turn("shop/web", 2).Come || !f.turn("shop/ads", 2).Come || !f.turn("bank/new", 0).Come {
		t.Error("the turn is not that of the oldest")
	}
	f.turn("shop/web", 3) // The limit was raised, and there is room for two.
	f.expectWoken("shop/ads")
	if !f.turn("shop/web", 3).Come {
		t.Error("the second place is not free")
	}
}

// A namespace that publishes much takes no place of another's first.
func TestFairBetweenNamespaces(t *testing.T) {
	f := newFleet(t, 3)
	for i := range 50 {
		f.wait(fmt.Sprintf("shop/t%02d", i), 1+i)
	}
	f.wait("bank/ledger", 100)
	f.wait("bank/cards", 101)
	f.wait("post/mail", 102)
	var order []string
	for range 6 {
		f.woken = nil
		f.end("nobody/ends") // Nothing changes.
		f.expectWoken()
		for _, name := range []string{"shop/t00", "shop/t01", "shop/t02", "shop/t03", "bank/ledger", "bank/cards", "post/mail"} {
			if !slices.Contains(order, name) && f.turn(name, 0).Before == 0 {
				order = append(order, name)
				f.take(name)
				break
			}
		}
		if len(order) == 3 {
			f.end(order[0])
			f.end(order[1])
			f.end(order[2])
		}
	}
	want := []string{"shop/t00", "bank/ledger", "post/mail", "shop/t01", "bank/cards", "shop/t02"}
	if !slices.Equal(order, want) {
		t.Errorf("the order is %v, want %v", order, want)
	}
}

// What line says of each agrees with letting them begin one by one, whatever the limits:
// so no two of them see the same place free, and no free place waits for nobody.
func TestLineIsTheOrderInWhichTheyBegin(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		f := newFleet(t, random.IntN(8))
		var names []string
		limits := map[string]int{}
		for n := range 4 {
			namespace := fmt.Sprintf("n%d", n)
			limits[namespace] = random.IntN(4)
			for i := range random.IntN(6) {
				name := fmt.Sprintf("%s/t%d", namespace, i)
				if random.IntN(3) == 0 {
					f.take(name)
				} else {
					names = append(names, name)
					f.wait(name, 1+random.IntN(4))
				}
			}
		}
		for _, name := range names {
			f.turn(name, limits[keyFor(name).Namespace])
		}
		want := f.beginAll(limits)
		var come []string
		for _, name := range names {
			turn := f.turn(name, limits[keyFor(name).Namespace])
			if turn.Come {
				come = append(come, name)
			}
		}
		slices.Sort(come)
		slices.Sort(want)
		if !slices.Equal(come, want) {
			t.Fatalf("seed %d: the turn of %v has come, want %v", seed, come, want)
		}
		f.woken = nil
		f.book.mu.Lock()
		f.book.wakeNext(types.NamespacedName{})
		f.book.mu.Unlock()
		slices.Sort(f.woken)
		if !slices.Equal(f.woken, want) {
			t.Fatalf("seed %d: woken are %v, want %v", seed, f.woken, want)
		}
	}
}

// beginAll says who may begin, by the rule in words: while there is a place, the one of the
// namespace with the fewest under way, of two the one that has waited longer.
func (f *fleet) beginAll(limits map[string]int) []string {
	here, all := map[string]int{}, 0
	waiting := map[string]time.Time{}
	for key, head := range f.heads {
		if c := head.Spec.State.Candidate; c.TurnTakenTime != nil {
			here[key.Namespace]++
			all++
		} else {
			waiting[key.String()] = c.TurnAwaitedTime.Time
		}
	}
	var begun []string
	for f.book.limit == 0 || all < f.book.limit {
		best := ""
		for name, since := range waiting {
			namespace := keyFor(name).Namespace
			if limit := limits[namespace]; limit > 0 && here[namespace] >= limit {
				continue
			}
			other := keyFor(best).Namespace
			switch {
			case best == "" || here[namespace] < here[other]:
				best = name
			case here[namespace] > here[other]:
			case since.Before(waiting[best]) || since.Equal(waiting[best]) && name < best:
				best = name
			}
		}
		if best == "" {
			break
		}
		delete(waiting, best)
		here[keyFor(best).Namespace]++
		all++
		begun = append(begun, best)
	}
	return begun
}

// Two that look at the same moment do not take the same place.
func TestTake(t *testing.T) {
	f := newFleet(t, 1)
	a, b := keyFor("shop/a"), keyFor("bank/b")
	if !f.turn("shop/a", 0).Come || !f.turn("bank/b", 0).Come {
		t.Fatal("the place is not free")
	}
	if !f.book.Take(a, noon) || f.book.Take(b, noon) {
		t.Fatal("the place is taken twice, or not at all")
	}
	f.book.Return(a)
	if !f.book.Take(b, noon) {
		t.Error("what was given back is not free")
	}
	if f.turn("shop/a", 0).Come {
		t.Error("it is free as well")
	}
	f.take("bank/b")
	f.wait("shop/a", 5)
	f.expectWoken()
	f.end("bank/b")
	f.expectWoken("shop/a")
}

// Who cannot take its turn holds up nobody, and is not called all the time.
func TestOneThatCannot(t *testing.T) {
	f := newFleet(t, 1)
	f.take("bank/b")
	f.wait("shop/a", 1)
	f.wait("shop/c", 2)
	f.end("bank/b")
	f.expectWoken("shop/a")
	f.turn("shop/a", 0)
	if !f.book.Take(keyFor("shop/a"), noon) {
		t.Fatal("it is not free")
	}
	f.book.Return(keyFor("shop/a"))
	f.expectWoken("shop/c")
	f.turn("shop/a", 0) // It tries again, later, and is not asked for by that.
	f.expectWoken()
	f.book.Turn(keyFor("shop/a"), 0, noon, false)
	f.expectWoken("shop/c")
	if !f.turn("shop/c", 0).Come {
		t.Error("shop/c is held up")
	}
}

// The records of a track that is gone hold no place; what the last of them says counts
// again when it comes back.
func TestTracksThatGo(t *testing.T) {
	f := newFleet(t, 1)
	f.take("bank/b")
	f.wait("shop/a", 1)
	f.book.Exists(keyFor("bank/b"), false)
	f.expectWoken("shop/a")
	if turn := f.turn("shop/a", 0); turn.UnderWay != 0 || !turn.Come {
		t.Errorf("%+v", turn)
	}
	f.book.Exists(keyFor("bank/b"), true)
	if turn := f.turn("shop/a", 0); turn.UnderWay != 1 || turn.Come {
		t.Errorf("%+v", turn)
	}
	f.expectWoken()
	f.book.Untell("bank", &f.heads[keyFor("bank/b")].Spec)
	f.expectWoken("shop/a")
	f.book.Untell("shop", &f.heads[keyFor("shop/a")].Spec)
	f.book.Exists(keyFor("shop/a"), false)
	f.book.Exists(keyFor("bank/b"), false)
	if len(f.book.tracks)+len(f.book.namespaces)+len(f.book.lines) != 0 {
		t.Errorf("something is left: %v %v %v", f.book.tracks, f.book.namespaces, f.book.lines)
	}
}

// In whatever order records are told of, a restart sees what was.
func TestRestart(t *testing.T) {
	f := newFleet(t, 2)
	f.wait("shop/a", 1)
	old := f.heads[keyFor("shop/a")]
	f.take("shop/a")
	f.take("bank/b")
	f.wait("bank/c", 4)
	f.wait("shop/d", 3)
	before := []rollout.Turn{f.turn("bank/c", 0), f.turn("shop/d", 0)}
	f.read(2)
	f.book.Tell("shop", &old.Spec)
	after := []rollout.Turn{f.turn("bank/c", 0), f.turn("shop/d", 0)}
	if fmt.Sprint(before) != fmt.Sprint(after) || before[0].Before != 1 || before[1].Before != 0 {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
}

// BenchmarkTurn: 5,000 tracks wait in 500 namespaces.
func BenchmarkTurn(b *testing.B) {
	book := New(50)
	for i := range 5000 {
		key := types.NamespacedName{Namespace: fmt.Sprintf("n%d", i%500), Name: fmt.Sprintf("t%d", i)}
		at := metav1.NewMicroTime(noon.Add(time.Duration(i) * time.Second))
		spec := &v1alpha1.ReleaseRecordSpec{TrackName: key.Name, Sequence: 1}
		spec.State.Candidate = &v1alpha1.CandidateState{TurnAwaitedTime: &at}
		book.Exists(key, true)
		book.Tell(key.Namespace, spec)
	}
	for b.Loop() {
		book.Turn(types.NamespacedName{Namespace: "n7", Name: "t4507"}, 0, noon, true)
	}
}

// The watches feed the Book, and the queue gets those whose turn has come.
func TestWatches(t *testing.T) {
	f := newFleet(t, 1)
	f.take("bank/b")
	f.wait("shop/a", 1)
	q := workqueue.NewTypedRateLimitingQueue(workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer q.ShutDown()
	book, track := New(1), func(key types.NamespacedName) *v1alpha1.ReleaseTrack {
		return &v1alpha1.ReleaseTrack{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	}
	if err := book.Source().Start(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	for key, head := range f.heads {
		book.Records().Create(t.Context(), event.CreateEvent{Object: head}, q)
		book.Tracks().Create(t.Context(), event.CreateEvent{Object: track(key)}, q)
	}
	if turn := book.Turn(keyFor("shop/a"), 0, noon, true); turn.Come || turn.UnderWay != 1 || q.Len() != 0 {
		t.Errorf("%+v, and %d are woken", turn, q.Len())
	}
	going := track(keyFor("bank/b"))
	going.DeletionTimestamp = &metav1.Time{Time: noon}
	book.Tracks().Update(t.Context(), event.UpdateEvent{ObjectOld: going, ObjectNew: going}, q)
	if q.Len() != 1 {
		t.Fatalf("%d are woken, want one", q.Len())
	}
	if woken, _ := q.Get(); woken.String() != "shop/a" {
		t.Errorf("woken is %s", woken)
	}
	book.Tracks().Delete(t.Context(), event.DeleteEvent{Object: track(keyFor("bank/b"))}, q)
	book.Records().Delete(t.Context(), event.DeleteEvent{Object: f.heads[keyFor("bank/b")]}, q)
	book.Records().Delete(t.Context(), event.DeleteEvent{Object: f.heads[keyFor("shop/a")]}, q)
	book.Tracks().Delete(t.Context(), event.DeleteEvent{Object: track(keyFor("shop/a"))}, q)
	if len(book.tracks)+len(book.namespaces)+len(book.lines) != 0 {
		t.Errorf("something is left: %v %v %v", book.tracks, book.namespaces, book.lines)
	}
}
