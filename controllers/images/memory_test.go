package images

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
)

// retained is of how many answers the memory is measured, and maxRetained what one of them
// may take, beside the release that it is about.
const (
	retained    = 100
	maxRetained = 4 << 10
)

func inUse() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func (c *Checker) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.known)
}

// TestRetainedOfAnAnswer prints what is retained of an answer, until it is forgotten, which
// takes nobody who asks.
func TestRetainedOfAnAnswer(t *testing.T) {
	p := newPlace(t)
	key, public := newKey(t)
	web := p.image("shop/web", "amd64")
	p.sign(web, key)
	q := question(t, []corev1.PodSpec{podOf(web)}, p.demand("team", v1alpha1.PolicyDeny, public))
	p.settle(q)
	before := inUse()
	for i := range retained {
		q.Release = types.UID(fmt.Sprintf("release-%d", i))
		p.settle(q)
	}
	each := (inUse() - before) / retained
	t.Logf("%d bytes are retained of an answer", each)
	if n := p.checker.count(); n != retained+1 || each > maxRetained {
		t.Errorf("%d answers of %d bytes, of %d at most", n, each, maxRetained)
	}
	p.now.Add(int64(forgotten/time.Second) + 1)
	go p.checker.sweep(t.Context(), time.Millisecond)
	for end := time.Now().Add(10 * time.Second); p.checker.count() > 0; {
		if time.Now().After(end) {
			t.Fatalf("%d answers are kept", p.checker.count())
		}
		runtime.Gosched()
	}
}
