package ledger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

var shopTrack = types.NamespacedName{Namespace: "shop", Name: "shop"}

func wantLog(records []v1alpha1.ReleaseRecord) rollout.Log {
	at := func(sequence int) time.Time { return records[sequence-1].Spec.Time.Time }
	verdict := func(event v1alpha1.RecordEvent, version string, attempt int32, sequence int64) rollout.Verdict {
		release := about(version, attempt)
		return rollout.Verdict{Event: event, ReleaseName: release.Name, UID: release.UID, CreationTime: release.CreationTime.Time,
			Attempt: attempt, Sequence: sequence, Reason: "Because", Message: "<why> & wherefore"}
	}
	return rollout.Log{
		Head:  &records[9].Spec,
		Count: 10,
		Verdicts: map[string]rollout.Verdict{
			"1.0.0": verdict(v1alpha1.EventPromoted, "1.0.0", 1, 2),
			"1.1.0": verdict(v1alpha1.EventRolledBack, "1.1.0", 2, 9),
			"1.2.0": verdict(v1alpha1.EventSuperseded, "1.2.0", 0, 10),
		},
		Promotions: map[string]rollout.Promotion{
			"1.0.0": {ReleaseName: "shop-1-0-0", UID: "uid-1.0.0", Sequence: 9, Time: at(9)},
			"1.1.0": {ReleaseName: "shop-1-1-0", UID: "uid-1.1.0", Sequence: 7, Time: at(7)},
		},
		Attempts:       map[string]int32{"1.0.0": 1, "1.1.0": 2},
		ContentDigests: map[string]string{"1.0.0": "sha256:one", "1.1.0": "sha256:two"},
		Digests:        map[string]rollout.RecordedDigest{},
		Tests: map[string][]v1alpha1.TestResult{"1.1.0": {
			{Name: "smoke", JobName: "smoke-2", Outcome: v1alpha1.TestPassed},
			{Name: "errors", JobName: "errors-2", Outcome: v1alpha1.TestPassed},
		}},
		First: 1,
		Actions: map[string]rollout.ActionRecord{
			"retry-1": {Sequence: 5, Time: at(5)}, "abort-1": {Sequence: 8, Time: at(8)}, "rollback-1": {Sequence: 9, Time: at(9)},
		},
	}
}

func TestRead(t *testing.T) {
	records := rolloutOf(t)
	want := wantLog(records)
	random := rand.New(rand.NewPCG(5, 6))
	reader := NewReader()
	for range 20 {
		shuffled := slices.Clone(records)
		random.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if diff := cmp.Diff(want, Read(shuffled)); diff != "" {
			t.Fatalf("Read (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(want, reader.Read(shopTrack, shuffled)); diff != "" {
			t.Fatalf("Reader.Read (-want +got):\n%s", diff)
		}
	}
}

func TestReadPinnedVerdict(t *testing.T) {
	log := Read(rolloutOf(t)[:4])
	if verdict := log.Verdicts["1.1.0"]; !verdict.Pinned || verdict.Event != v1alpha1.EventFailed {
		t.Errorf("verdict %+v", verdict)
	}
}

func TestReadNothing(t *testing.T) {
	want := rollout.Log{}
	for name, got := range map[string]rollout.Log{"Read": Read(nil), "Reader": NewReader().Read(shopTrack, nil)} {
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAdoptedBecomesStable(t *testing.T) {
	adopted := entry(v1alpha1.EventAdopted, "", 0)
	adopted.State.Stable = ref("1.0.0")
	log := Read(chained(t, adopted))
	if promotion := log.Promotions["1.0.0"]; promotion.Sequence != 1 || promotion.UID != "uid-1.0.0" {
		t.Errorf("promotion %+v", promotion)
	}
	if len(log.Verdicts) != 0 {
		t.Errorf("verdicts %+v", log.Verdicts)
	}
}

// TestALostLogGoesOn after the newest stamp, and says what it does not know.
func TestALostLogGoesOn(t *testing.T) {
	adopted := entry(v1alpha1.EventAdopted, "1.0.0", 0)
	adopted.State.Stable, adopted.LastStamp = ref("1.0.0"), 41
	log := Read(chained(t, adopted))
	if log.Head.Sequence != 42 || log.Broken != "" {
		t.Errorf("head %d, broken %q", log.Head.Sequence, log.Broken)
	}
	if verdict := log.Verdicts["1.0.0"]; verdict.Event != v1alpha1.EventPromoted {
		t.Errorf("verdict %+v", verdict)
	}
	if at := log.Head.Time.Time; !log.LostTime.Equal(at) || !log.ActionsSince.Equal(at) {
		t.Errorf("lost at %s, actions since %s", log.LostTime, log.ActionsSince)
	}
}

// TestReaderFollowsTheLog reads after every record, and says each time what Read
// says; answers given before stay as they were.
func TestReaderFollowsTheLog(t *testing.T) {
	records := rolloutOf(t)
	reader := NewReader()
	var before []rollout.Log
	for n := range len(records) + 1 {
		got := reader.Read(shopTrack, records[:n])
		if diff := cmp.Diff(Read(records[:n]), got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("after %d records (-want +got):\n%s", n, diff)
		}
		before = append(before, got)
	}
	for n, log := range before {
		if diff := cmp.Diff(Read(records[:n]), log, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("the answer after %d records was changed later (-want +got):\n%s", n, diff)
		}
	}
}

func TestReaderFindsWhatChanges(t *testing.T) {
	records := rolloutOf(t)
	tests := map[string]func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord{
		"edited": func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[3].Spec.Message, r[3].ResourceVersion = "x", "999"
			return r
		},
		"made anew": func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[3].Spec.Message, r[3].UID = "x", "999"
			return r
		},
		"missing": func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord { return append(r[:3], r[4:]...) },
		"shorter": func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord { return r[:5] },
		"cut":     func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord { return r[2:] },
		"another track's": func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[9].Spec.TrackName, r[9].ResourceVersion = "cart", "999"
			return r
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			reader := NewReader()
			reader.Read(shopTrack, records)
			changed := change(slices.Clone(records))
			want := Read(changed)
			// Twice: a broken log is looked at again, until it is put right.
			for range 2 {
				if diff := cmp.Diff(want, reader.Read(shopTrack, changed)); diff != "" {
					t.Errorf("log (-want +got):\n%s", diff)
				}
			}
			if diff := cmp.Diff(Read(records), reader.Read(shopTrack, records)); diff != "" {
				t.Errorf("put right again (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReaderForgets(t *testing.T) {
	records, reader := rolloutOf(t), NewReader()
	reader.Read(shopTrack, records)
	reader.Forget(shopTrack)
	if len(reader.tracks) != 0 {
		t.Errorf("%d tracks remembered", len(reader.tracks))
	}
	if diff := cmp.Diff(Read(records), reader.Read(shopTrack, records)); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// longLog has 500 records about 100 versions.
func longLog(b *testing.B) []v1alpha1.ReleaseRecord {
	var entries []rollout.Entry
	for i := range 100 {
		version := fmt.Sprintf("1.%d.0", i)
		promoted := entry(v1alpha1.EventPromoted, version, 1)
		promoted.State.Stable = ref(version)
		entries = append(entries, entry(v1alpha1.EventAttemptOpened, version, 1),
			entry(v1alpha1.EventWeightSet, version, 1), entry(v1alpha1.EventWeightVerified, version, 1),
			promoted, entry(v1alpha1.EventRetired, version, 1))
	}
	return chained(b, entries...)
}

func BenchmarkRead500(b *testing.B) {
	records := longLog(b)
	b.ReportAllocs()
	for b.Loop() {
		if log := Read(records); log.Broken != "" {
			b.Fatal(log.Broken)
		}
	}
}

func BenchmarkReaderRead500(b *testing.B) {
	records, reader := longLog(b), NewReader()
	b.ReportAllocs()
	for b.Loop() {
		if log := reader.Read(shopTrack, records); log.Broken != "" {
			b.Fatal(log.Broken)
		}
	}
}

func BenchmarkChain(b *testing.B) {
	records := rolloutOf(b)
	e := entry(v1alpha1.EventPromoted, "1.0.0", 1)
	b.ReportAllocs()
	for b.Loop() {
		Chain("shop", &records[9].Spec, e, start)
	}
}
