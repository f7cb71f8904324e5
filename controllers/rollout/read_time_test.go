package rollout_test

import (
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// TestNotedNotBeforeSeen: what an operator saw that slept while it read may have begun
// long after it began to read. No clock that counts from it begins before it was seen.
func TestNotedNotBeforeSeen(t *testing.T) {
	o := observed(1, 0, 0)
	o.Releases = []rollout.Release{published(1), published(2)}
	o.ReadTime = o.Now.Add(time.Minute)
	e := rollout.Compute(o).Append
	if e == nil || e.Event != v1alpha1.EventAttemptOpened || !e.State.Candidate.StartTime.Time.Equal(o.ReadTime) {
		t.Errorf("%+v", e)
	}
}
