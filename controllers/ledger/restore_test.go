package ledger

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// cameBack is the log of a release that was promoted and came back twice, and of one
// whose newest attempt was of an object that came back.
func cameBack(t *testing.T) []v1alpha1.ReleaseRecord {
	t.Helper()
	about := func(event v1alpha1.RecordEvent, version string, uid, former, digest string) rollout.Entry {
		e := entry(event, version, 1)
		e.Release.UID, e.Release.FormerUID, e.Release.Digest = types.UID(uid), types.UID(former), digest
		return e
	}
	promoted := about(v1alpha1.EventPromoted, "1.0.0", "a", "", "sha256:one")
	stable := *ref("1.0.0")
	stable.UID = "a"
	promoted.State.Stable = &stable
	return chained(t,
		about(v1alpha1.EventAttemptOpened, "1.0.0", "a", "", ""), promoted,
		about(v1alpha1.EventRestored, "1.0.0", "b", "a", "sha256:one"),
		about(v1alpha1.EventFailed, "2.0.0", "x", "", "sha256:two"),
		about(v1alpha1.EventRestored, "2.0.0", "y", "x", "sha256:two"),
		about(v1alpha1.EventFailed, "2.0.0", "y", "", "sha256:other"),
		about(v1alpha1.EventRestored, "1.0.0", "c", "b", "sha256:one"),
		about(v1alpha1.EventSuperseded, "3.0.0", "z", "", ""),
	)
}

// TestReadRestored: what was said of an object holds for the one that came back in its
// place, however often, and also when what is not needed any more is gone.
func TestReadRestored(t *testing.T) {
	records := cameBack(t)
	want := Read(records)
	if v, p := want.Verdicts["1.0.0"], want.Promotions["1.0.0"]; v.UID != "c" || v.Event != v1alpha1.EventPromoted || p.UID != "c" || p.Sequence != 2 {
		t.Errorf("1.0.0: %+v, %+v", v, p)
	}
	if v, d := want.Verdicts["2.0.0"], want.Digests["2.0.0"]; v.UID != "y" || d != (rollout.RecordedDigest{ReleaseName: d.ReleaseName, UID: "y", Digest: "sha256:other"}) {
		t.Errorf("2.0.0: %+v, %+v", v, d)
	}
	if d, ok := want.Digests["3.0.0"]; ok {
		t.Errorf("3.0.0 was never sealed: %+v", d)
	}
	for before := range int64(len(records)) + 1 {
		e := entry(v1alpha1.EventPruned, "", 0)
		e.Pruned = &v1alpha1.PrunedRecords{BeforeSequence: before + 1, KeptDigest: KeptDigest(records, before+1)}
		all := append(slices.Clone(records), *stored(t, Chain("shop", &records[len(records)-1].Spec, e, start)))
		got := Read(left(all))
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(rollout.Log{}, "Head", "Count", "Tests", "Actions", "ActionsSince", "First", "Pruned")); diff != "" {
			t.Errorf("before %d (-all +left):\n%s", before+1, diff)
		}
	}
	reader := NewReader()
	for n := range records {
		if diff := cmp.Diff(Read(records[:n+1]), reader.Read(shopTrack, records[:n+1]), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("record %d: a Reader (-want +got):\n%s", n+1, diff)
		}
	}
}
