package registry

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// TestRetainedOfRegistries prints what is retained of what is not there, and of registries
// that asked to be left alone, when there are more than it remembers.
func TestRetainedOfRegistries(t *testing.T) {
	inUse := func() int64 {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int64(stats.HeapAlloc)
	}
	before := inUse()
	client := NewClient(Options{})
	for i := range 3 * maxNegative {
		client.remember(fmt.Sprintf("%064d registry-%d.example.com/shop/web:1.0", i, i), refused(ReasonSecret, "registry-%d.example.com has no such image", i))
		_ = client.waits.add(fmt.Sprintf("registry-%d.example.com", i), time.Hour)
	}
	all := inUse() - before
	t.Logf("%d bytes are retained of at most %d refusals and %d hosts", all, maxNegative, maxWaits)
	if len(client.negative) > maxNegative || len(client.waits.until) > maxWaits || all > 4<<20 {
		t.Errorf("%d refusals and %d hosts in %d bytes", len(client.negative), len(client.waits.until), all)
	}
	runtime.KeepAlive(client)
}
