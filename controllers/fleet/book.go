package fleet

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/metrics"
	"github.com/strata-release/strata/controllers/rollout"
)

// Book is who is under way, and who waits. It may be used by many at once.
type Book struct {
	// limit of all namespaces; 0: none.
	limit int
	// wake lets a track look at its turn.
	wake func(types.NamespacedName)

	mu         sync.Mutex
	tracks     map[types.NamespacedName]*track
	namespaces map[string]*namespace
	// lines are the namespaces in which tracks wait.
	lines map[string]*namespace
	// asked: a track is moved. Until then all are about to be, and none has to be woken.
	asked bool
	// underWay and waiting count the tracks of all namespaces.
	underWay, waiting int
}

// track is what the newest record of a track says.
type track struct {
	exists   bool
	sequence int64
	// awaited is since when it waits; zero: it does not.
	awaited time.Time
	taken   bool
	// reserved: it is about to take its turn. out: it cannot, for now, and holds up nobody.
	reserved, out bool
	place         place
}

// place of a track in the Book.
type place int

const (
	nowhere place = iota
	waits
	underWay
)

func (t *track) placed() place {
	switch {
	case !t.exists:
		return nowhere
	case t.taken || t.reserved:
		return underWay
	case !t.awaited.IsZero() && !t.out:
		return waits
	}
	return nowhere
}

// namespace has the tracks of one.
type namespace struct {
	// limit that policies set, as it was seen last; 0: none.
	limit int
	// underWay by name, in order, and waiting, whose turn comes first first.
	underWay []string
	waiting  []waiting
}

// room is how many of those that wait the limit of the namespace lets begin now.
func (n *namespace) room() int {
	if n.limit == 0 {
		return len(n.waiting)
	}
	return min(max(n.limit-len(n.underWay), 0), len(n.waiting))
}

// waiting is a track that waits, since when.
type waiting struct {
	key   types.NamespacedName
	since time.Time
}

func (w waiting) compare(other waiting) int {
	return cmp.Or(w.since.Compare(other.since), strings.Compare(w.key.Namespace, other.key.Namespace), strings.Compare(w.key.Name, other.key.Name))
}

// New makes an empty Book. limit is of all namespaces together; 0: none.
func New(limit int) *Book {
	return &Book{
		limit: limit, wake: func(types.NamespacedName) {},
		tracks: map[types.NamespacedName]*track{}, namespaces: map[string]*namespace{}, lines: map[string]*namespace{},
	}
}

// Tell takes in a record of a namespace, in any order: the newest of a track counts.
func (b *Book) Tell(namespace string, spec *v1alpha1.ReleaseRecordSpec) {
	b.change(types.NamespacedName{Namespace: namespace, Name: spec.TrackName}, func(t *track) {
		if spec.Sequence <= t.sequence {
			return
		}
		t.sequence, t.awaited, t.taken, t.reserved = spec.Sequence, time.Time{}, false, false
		if c := spec.State.Candidate; c != nil {
			t.taken = c.TurnTakenTime != nil
			if c.TurnAwaitedTime != nil && !t.taken {
				t.awaited = c.TurnAwaitedTime.Time
			}
		}
	})
}

// Untell takes a record out that is gone. Where it was the newest, nobody knows any more.
func (b *Book) Untell(namespace string, spec *v1alpha1.ReleaseRecordSpec) {
	b.change(types.NamespacedName{Namespace: namespace, Name: spec.TrackName}, func(t *track) {
		if spec.Sequence == t.sequence {
			*t = track{exists: t.exists, place: t.place}
		}
	})
}

// Exists says whether a track is there: the records of one that is gone hold no place.
func (b *Book) Exists(key types.NamespacedName, exists bool) {
	b.change(key, func(t *track) { t.exists = exists })
}

// Turn of a track that is there. limit is of its namespace, 0 for none; since is when it
// would begin to wait, if it does not yet. One that is not able to take its turn now is
// passed over until it asks again.
func (b *Book) Turn(key types.NamespacedName, limit int, since time.Time, able bool) rollout.Turn {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = true
	changed := b.edit(key, func(t *track) { t.exists, t.reserved, t.out = true, false, !able })
	here := b.namespace(key.Namespace)
	if changed || here.limit != limit {
		here.limit = limit
		b.wakeNext(key) // It is looking already.
	}
	before, come := b.line(b.asWaiting(key, since))
	return rollout.Turn{
		NamespaceLimit: limit, Limit: b.limit, NamespaceUnderWay: slices.Clone(here.underWay), UnderWay: b.underWay,
		Before: before, Come: come,
	}
}

// Take keeps a place for a track that is about to record that it takes it; false: there is
// none for it any more. Tell, Return, or the next Turn ends that.
func (b *Book) Take(key types.NamespacedName, since time.Time) bool {
	come := false
	b.change(key, func(t *track) {
		if _, come = b.line(b.asWaiting(key, since)); come {
			t.reserved = true
		}
	})
	return come
}

// Return gives back what Take kept, as nothing was recorded. Others are let past until the
// track asks again: whatever keeps it from recording may last.
func (b *Book) Return(key types.NamespacedName) {
	b.change(key, func(t *track) { t.reserved, t.out = false, true })
}

// change a track, and wake whose turn has come by that.
func (b *Book) change(key types.NamespacedName, change func(*track)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.edit(key, change) {
		b.wakeNext(types.NamespacedName{})
	}
}

// edit a track, and say whether that has changed its place.
func (b *Book) edit(key types.NamespacedName, change func(*track)) bool {
	t := b.tracks[key]
	if t == nil {
		t = &track{}
		b.tracks[key] = t
	}
	since := t.awaited
	change(t)
	if !t.exists && t.sequence == 0 {
		delete(b.tracks, key)
	}
	was, is := t.place, t.placed()
	if was == is && since.Equal(t.awaited) {
		return false
	}
	t.place = is
	b.move(waiting{key, since}, was, -1)
	b.move(waiting{key, t.awaited}, is, 1)
	metrics.SetTurns(b.underWay, b.waiting)
	return true
}

// move puts a track where it belongs (by 1), or takes it from there (by -1).
func (b *Book) move(w waiting, where place, by int) {
	here := b.namespace(w.key.Namespace)
	switch where {
	case underWay:
		b.underWay += by
		here.underWay = put(here.underWay, w.key.Name, strings.Compare, by)
	case waits:
		b.waiting += by
		here.waiting = put(here.waiting, w, waiting.compare, by)
	}
	delete(b.lines, w.key.Namespace)
	if len(here.waiting) > 0 {
		b.lines[w.key.Namespace] = here
	} else if len(here.underWay) == 0 && here.limit == 0 {
		delete(b.namespaces, w.key.Namespace)
	}
}

// put one where it belongs in what is ordered (by 1), or take it out (by -1).
func put[T any](ordered []T, one T, compare func(a, b T) int, by int) []T {
	i, _ := slices.BinarySearchFunc(ordered, one, compare)
	if by > 0 {
		return slices.Insert(ordered, i, one)
	}
	return slices.Delete(ordered, i, i+1)
}

func (b *Book) namespace(name string) *namespace {
	if b.namespaces[name] == nil {
		b.namespaces[name] = &namespace{}
	}
	return b.namespaces[name]
}

// asWaiting is a track in the line, or at the place that it would have.
func (b *Book) asWaiting(key types.NamespacedName, since time.Time) waiting {
	if t := b.tracks[key]; t != nil && !t.awaited.IsZero() {
		since = t.awaited
	}
	return waiting{key, since}
}

// free is how many rollouts the limit of all namespaces lets begin now.
func (b *Book) free() int {
	if b.limit == 0 {
		return b.waiting + 1
	}
	return max(b.limit-b.underWay, 0)
}

// line is how many tracks begin before one that waits, or would, if nothing ends
// meanwhile, and whether it may begin now. Where its namespace is full, or nothing else
// limits it, these are the tracks of its namespace.
func (b *Book) line(w waiting) (before int, come bool) {
	here := b.namespace(w.key.Namespace)
	ahead, _ := slices.BinarySearchFunc(here.waiting, w, waiting.compare)
	if full := here.limit > 0 && len(here.underWay)+ahead >= here.limit; full || b.limit == 0 {
		return ahead, !full
	}
	before, level := ahead, len(here.underWay)+ahead
	for name, there := range b.lines {
		if name == w.key.Namespace {
			continue
		}
		// Each of them begins while its namespace has fewer under way than this one has then.
		lower := level - len(there.underWay)
		if lower >= 0 && lower < there.room() && there.waiting[lower].compare(w) < 0 {
			lower++
		}
		before += min(max(lower, 0), there.room())
	}
	return before, before < b.free()
}

// wakeNext lets those look at their turn whose turn has come, but for one.
func (b *Book) wakeNext(but types.NamespacedName) {
	if !b.asked {
		return
	}
	next := map[*namespace]int{}
	for range b.free() {
		var first *namespace
		var level int
		for _, n := range b.lines {
			if next[n] >= n.room() {
				continue
			}
			at := len(n.underWay) + next[n]
			if first == nil || at < level || at == level && n.waiting[next[n]].compare(first.waiting[next[first]]) < 0 {
				first, level = n, at
			}
		}
		if first == nil {
			return
		}
		if key := first.waiting[next[first]].key; key != but {
			b.wake(key)
		}
		next[first]++
	}
}
