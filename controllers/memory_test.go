package controllers

import (
	"runtime"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
)

// retainedTracks is of how many tracks the memory is measured.
const retainedTracks = 5

// maxRetained is what the loop may keep of a settled track, beside what the cache has.
const maxRetained = 16 << 10

// inUse is the heap that is reachable.
func inUse() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// settled leaves of a track that has rolled out two configured releases what the loop
// remembers of it.
func settled(t *testing.T) (*notebook, *ledger.Reader) {
	t.Helper()
	b := newBench(t)
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: shop.Namespace, Name: name} }
	b.store(&corev1.ConfigMap{ObjectMeta: meta("settings"), Data: map[string]string{"greeting": "hello"}})
	b.store(&corev1.Secret{ObjectMeta: meta("password"), Data: map[string][]byte{"word": []byte("one")}})
	large := func(spec *v1alpha1.ImmutableReleaseSpec) {
		spec.Components[0].Template.Annotations = map[string]string{"example.com/text": strings.Repeat("x", 32<<10)}
	}
	for _, version := range []string{"1.0", "2.0"} {
		b.publishConfigured(version, large)
		b.settle("shop-" + version)
	}
	b.within(time.Minute) // As often as it asks to: what was written last is seen by nobody then.
	return b.loop.notes.of(shop), b.loop.log
}

// TestRetainedOfATrack prints what the loop retains of a settled track: its notebook,
// and what was read of its log. Whatever else of the track is reachable from these counts:
// a specification of 32 KiB would be seen.
func TestRetainedOfATrack(t *testing.T) {
	settled(t) // What is made once counts for no track.
	notes, logs := make([]*notebook, retainedTracks), make([]*ledger.Reader, retainedTracks)
	before := inUse()
	for i := range retainedTracks {
		notes[i], logs[i] = settled(t)
	}
	each := (int64(inUse()) - int64(before)) / retainedTracks
	t.Logf("%d bytes are retained of a settled track", each)
	if each > maxRetained {
		t.Errorf("%d bytes, of %d at most", each, maxRetained)
	}
	runtime.KeepAlive(notes)
	runtime.KeepAlive(logs)
}
