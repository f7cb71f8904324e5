package ledger

import (
	"strconv"
	"testing"
)

// The digests that are kept are those of the newest JSON, and not more than twice as many
// as there must be.
func TestRecentDigestsAreBounded(t *testing.T) {
	var d digests
	for i := range 10 * maxRecent {
		d.put(strconv.Itoa(i), "of "+strconv.Itoa(i))
		for back := range min(i+1, maxRecent) {
			if of := strconv.Itoa(i - back); d.get([]byte(of)) != "of "+of {
				t.Fatalf("after %d, the digest of %s is %q", i, of, d.get([]byte(of)))
			}
		}
		if kept := len(d.newer) + len(d.older); kept > 2*maxRecent {
			t.Fatalf("after %d, %d are kept", i, kept)
		}
	}
	if d.get([]byte("0")) != "" {
		t.Error("the first is kept still")
	}
}
