package ledger

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

// prunedAt is the log of a rollout, cut short before a record by one more; all are
// there still.
func prunedAt(t *testing.T, before int64) []v1alpha1.ReleaseRecord {
	t.Helper()
	records := rolloutOf(t)
	e := entry(v1alpha1.EventPruned, "", 0)
	e.Pruned = &v1alpha1.PrunedRecords{BeforeSequence: before, KeptDigest: KeptDigest(records, before)}
	return append(records, *stored(t, Chain("shop", &records[len(records)-1].Spec, e, start)))
}

// left are the records that stay once all that are to go are gone.
func left(records []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
	gone := Read(records).Pruned
	return slices.DeleteFunc(slices.Clone(records), func(r v1alpha1.ReleaseRecord) bool { return slices.Contains(gone, r.Spec.Sequence) })
}

// TestPrunedLogTellsTheSame while records go, in any order, and when they are gone.
func TestPrunedLogTellsTheSame(t *testing.T) {
	records := rolloutOf(t)
	want := Read(records)
	for before := range int64(len(records)) + 1 {
		all := prunedAt(t, before+1)
		for _, list := range [][]v1alpha1.ReleaseRecord{all, left(all)} {
			got := Read(list)
			if got.Broken != "" || got.First != before+1 {
				t.Fatalf("before %d: first %d, broken %q", before+1, got.First, got.Broken)
			}
			if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(rollout.Log{}, "Head", "Count", "Tests", "Actions", "ActionsSince", "First", "Pruned")); diff != "" {
				t.Errorf("before %d (-all +left):\n%s", before+1, diff)
			}
			if diff := cmp.Diff(got, NewReader().Read(shopTrack, list), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("before %d: a Reader (-want +got):\n%s", before+1, diff)
			}
		}
		if got := Read(left(all)); len(got.Pruned) != 0 {
			t.Errorf("before %d: %v are to go again", before+1, got.Pruned)
		}
	}
}

// TestPrunedLogIsGuarded: what stays is neither taken, nor edited, nor added to.
func TestPrunedLogIsGuarded(t *testing.T) {
	whole := left(prunedAt(t, 8))
	if err := Verify(whole); err != nil || whole[0].Spec.Sequence >= 8 {
		t.Fatalf("%v; the oldest is %d", err, whole[0].Spec.Sequence)
	}
	for i := range len(whole) - 1 {
		taken := slices.Delete(slices.Clone(whole), i, i+1)
		if Verify(taken) == nil {
			t.Errorf("record %d is gone, and nobody has noticed", whole[i].Spec.Sequence)
		}
		edited := slices.Clone(whole)
		edited[i].Spec.Message = "nothing happened"
		if Verify(edited) == nil {
			t.Errorf("record %d was edited, and nobody has noticed", whole[i].Spec.Sequence)
		}
	}
	forged := entry(v1alpha1.EventPromoted, "6.6.6", 1)
	forged.State.Stable, forged.LastStamp = ref("6.6.6"), 6
	added := append(slices.Clone(whole), *stored(t, Chain("shop", nil, forged, start)))
	if err := Verify(added); err == nil || !strings.Contains(err.Error(), "not those that record") {
		t.Errorf("a record was added: %v", err)
	}
}

// TestActionsOfPrunedRecordsAreOver.
func TestActionsOfPrunedRecordsAreOver(t *testing.T) {
	records := left(prunedAt(t, 8))
	log := Read(records)
	for _, r := range records {
		if r.Spec.Sequence == 8 && !log.ActionsSince.Equal(r.Spec.Time.Time) {
			t.Errorf("actions since %s", log.ActionsSince)
		}
	}
}

// TestActionsAreOverByTheClockThatMadeThem: whoever wrote the records may have a clock that
// is behind the API server's, by which actions are created.
func TestActionsAreOverByTheClockThatMadeThem(t *testing.T) {
	records := left(prunedAt(t, 8))
	later := metav1.NewTime(start.Add(time.Hour))
	for i := range records {
		if records[i].Spec.Sequence == 8 {
			records[i].CreationTimestamp = later
		}
	}
	if log := Read(records); !log.ActionsSince.Equal(later.Time) {
		t.Errorf("pruned: actions since %s, want %s", log.ActionsSince, later)
	}

	adopted := entry(v1alpha1.EventAdopted, "1.0.0", 0)
	adopted.State.Stable, adopted.LastStamp = ref("1.0.0"), 41
	anew := chained(t, adopted)
	anew[0].CreationTimestamp = later
	if log := Read(anew); !log.LostTime.Equal(later.Time) || !log.ActionsSince.Equal(later.Time) {
		t.Errorf("lost: at %s, actions since %s, want %s", log.LostTime, log.ActionsSince, later)
	}
}

// TestRestorable: a log comes back from its newest record on, and nothing else does.
func TestRestorable(t *testing.T) {
	records := left(prunedAt(t, 8))
	for i := len(records) - 1; i >= 0; i-- {
		if err := Restorable(&records[i], records[i+1:]); err != nil {
			t.Errorf("record %d: %v", records[i].Spec.Sequence, err)
		}
		if i > 0 && Verify(records[i:]) == nil {
			t.Errorf("the log verifies from record %d on, and is not whole", records[i].Spec.Sequence)
		}
	}
	whole := rolloutOf(t)
	if Restorable(&whole[3], whole[5:]) == nil || Restorable(&whole[9], whole[:9]) == nil {
		t.Error("a record was added that the log does not ask for")
	}
	another := stored(t, Chain("shop", &whole[2].Spec, entry(v1alpha1.EventPromoted, "6.6.6", 1), start))
	if Restorable(&whole[3], whole[4:]) != nil || Restorable(another, whole[4:]) == nil {
		t.Error("a record was added that the next one does not name")
	}
	edited := whole[3]
	edited.Spec.Message = "nothing happened"
	if Restorable(&edited, whole[4:]) == nil || Restorable(&edited, nil) == nil {
		t.Error("an edited record was taken")
	}
}
