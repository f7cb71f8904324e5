package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/rollout"
)

var start = time.Date(2026, 3, 1, 9, 0, 0, 123456789, time.FixedZone("CET", 3600))

func about(version string, attempt int32) *v1alpha1.RecordedRelease {
	return &v1alpha1.RecordedRelease{
		Name:         "shop-" + strings.ReplaceAll(version, ".", "-"),
		UID:          types.UID("uid-" + version),
		CreationTime: metav1.NewTime(start.Truncate(time.Second)),
		Version:      version,
		Attempt:      attempt,
	}
}

func ref(version string) *v1alpha1.ReleaseRef {
	release := about(version, 0)
	return &v1alpha1.ReleaseRef{Name: release.Name, UID: release.UID, Version: version}
}

// entry decides something about a release, or about the track alone for "".
func entry(event v1alpha1.RecordEvent, version string, attempt int32) rollout.Entry {
	e := rollout.Entry{Event: event, Reason: "Because", Message: "<why> & wherefore", Actor: "system:serviceaccount:strata-system:strata"}
	if version != "" {
		e.Release = about(version, attempt)
	}
	return e
}

// chained are the records of the entries, a second apart, as they are stored.
func chained(t testing.TB, entries ...rollout.Entry) []v1alpha1.ReleaseRecord {
	t.Helper()
	var records []v1alpha1.ReleaseRecord
	var head *v1alpha1.ReleaseRecordSpec
	for i, e := range entries {
		spec := Chain("shop", head, e, start.Add(time.Duration(i)*time.Second))
		records = append(records, *stored(t, spec))
		head = &spec
	}
	return records
}

// stored is a record after its way through the API server.
func stored(t testing.TB, spec v1alpha1.ReleaseRecordSpec) *v1alpha1.ReleaseRecord {
	t.Helper()
	data, err := json.Marshal(Record("shop", spec))
	if err != nil {
		t.Fatal(err)
	}
	record := &v1alpha1.ReleaseRecord{}
	if err := json.Unmarshal(data, record); err != nil {
		t.Fatal(err)
	}
	record.UID = types.UID(record.Name)
	record.ResourceVersion = fmt.Sprint(100 + spec.Sequence)
	return record
}

// rolloutOf is a log with one of everything that the index reads.
func rolloutOf(t testing.TB) []v1alpha1.ReleaseRecord {
	promoted := entry(v1alpha1.EventPromoted, "1.0.0", 1)
	promoted.Release.ContentDigest = "sha256:one"
	promoted.State.Stable = ref("1.0.0")
	failed := entry(v1alpha1.EventFailed, "1.1.0", 1)
	failed.State.Stable = ref("1.0.0")
	failed.Release.Pinned = true
	failed.Release.Test = &v1alpha1.TestResult{Name: "smoke", JobName: "smoke-1", Outcome: v1alpha1.TestFailed}
	retry := entry(v1alpha1.EventAttemptOpened, "1.1.0", 2)
	retry.ActionName = "retry-1"
	retry.State.Stable = ref("1.0.0")
	sealed := entry(v1alpha1.EventTestStarted, "1.1.0", 2)
	sealed.Release.ContentDigest = "sha256:two"
	sealed.Release.Test = &v1alpha1.TestResult{Name: "smoke", JobName: "smoke-2", Outcome: v1alpha1.TestRunning}
	again := entry(v1alpha1.EventPromoted, "1.1.0", 2)
	again.Release.ContentDigest = "sha256:three"
	again.State.Stable = ref("1.1.0")
	again.Release.Test = &v1alpha1.TestResult{Name: "smoke", JobName: "smoke-2", Outcome: v1alpha1.TestPassed}
	refused := entry(v1alpha1.EventRefused, "", 0)
	refused.ActionName = "abort-1"
	refused.State.Stable = ref("1.1.0")
	back := entry(v1alpha1.EventRolledBack, "1.1.0", 2)
	back.ActionName = "rollback-1"
	back.State.Stable = ref("1.0.0")
	back.Release.Test = &v1alpha1.TestResult{Name: "errors", JobName: "errors-2", Outcome: v1alpha1.TestPassed}
	return chained(t,
		entry(v1alpha1.EventAttemptOpened, "1.0.0", 1), promoted,
		entry(v1alpha1.EventAttemptOpened, "1.1.0", 1), failed,
		retry, sealed, again, refused, back,
		entry(v1alpha1.EventSuperseded, "1.2.0", 0),
	)
}

// What others say is quoted in messages, and may be of any length: the API server
// takes the record all the same.
func TestChainBoundsMessages(t *testing.T) {
	for _, said := range []string{strings.Repeat("é", 40_000), strings.Repeat("\x80", 40_000), "short"} {
		long := entry(v1alpha1.EventFailed, "1.0.0", 1)
		long.Message = said
		spec := Chain("shop", nil, long, start)
		if n := utf8.RuneCountInString(spec.Message); n > 32768 || !utf8.ValidString(spec.Message) {
			t.Errorf("%d characters, %q...", n, spec.Message[:8])
		}
		if len(said) < 100 && spec.Message != said {
			t.Errorf("a short message became %q", spec.Message)
		}
		if err := Verify([]v1alpha1.ReleaseRecord{*stored(t, spec)}); err != nil {
			t.Error(err)
		}
	}
}

func TestChain(t *testing.T) {
	records := rolloutOf(t)
	first, second := &records[0].Spec, &records[1].Spec
	if first.Sequence != 1 || first.PreviousDigest != "" || records[0].Name != "shop-000001" {
		t.Errorf("first record: %s, %+v", records[0].Name, first)
	}
	if second.Sequence != 2 || second.PreviousDigest != first.Digest {
		t.Errorf("second record: %+v", second)
	}
	if want := start.UTC().Truncate(time.Microsecond); !first.Time.Time.Equal(want) {
		t.Errorf("time %s, want %s", first.Time, want)
	}
	if err := Verify(records); err != nil {
		t.Error(err)
	}
}

func TestChainKeepsWhatIsStored(t *testing.T) {
	e := entry(v1alpha1.EventWeightSet, "1.0.0", 1)
	e.State.Routes = []v1alpha1.RouteState{{Name: "public", SetTime: metav1.NewMicroTime(start), VerifiedTime: &metav1.MicroTime{}}}
	spec := Chain("shop", nil, e, start)
	if diff := cmp.Diff(stored(t, spec).Spec, spec); diff != "" {
		t.Errorf("the record changes when it is stored (-stored +chained):\n%s", diff)
	}
}

func TestTimeNeverRunsBackwards(t *testing.T) {
	head := Chain("shop", nil, entry(v1alpha1.EventAdopted, "", 0), start)
	next := Chain("shop", &head, entry(v1alpha1.EventWeightSet, "", 0), start.Add(-time.Hour))
	if !next.Time.Equal(&head.Time) {
		t.Errorf("time %s after %s", next.Time, head.Time)
	}
	last := Chain("shop", &next, entry(v1alpha1.EventWeightSet, "", 0), start.Add(time.Microsecond))
	if !next.Time.Before(&last.Time) {
		t.Errorf("time %s after %s", last.Time, next.Time)
	}
}

// TestDigestVector holds a digest that another program computed from the JSON of
// the record. It never changes: logs outlive the operator that wrote them.
func TestDigestVector(t *testing.T) {
	e := entry(v1alpha1.EventPromoted, "1.0.0", 1)
	e.State.Stable = ref("1.0.0")
	e.State.Routes = []v1alpha1.RouteState{{Name: "public", SetSequence: 1, SetTime: metav1.NewMicroTime(start),
		Weights: []v1alpha1.ReleaseWeight{{ReleaseName: "shop-1-0-0", WeightPercent: 100}}}}
	spec := Chain("shop", nil, e, start)
	const want = "sha256:fd596ceabc50ab0e5c31044f275ce57e2def0cb092a708b30cf763235dc60ef9"
	if spec.Digest != want {
		data, _ := json.Marshal(spec)
		t.Errorf("digest %s, want %s, of\n%s", spec.Digest, want, data)
	}
}

func TestVerifyNamesTheFirstBadRecord(t *testing.T) {
	tests := []struct {
		name     string
		change   func([]v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord
		sequence int64
		problem  string
	}{
		{"edited", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[3].Spec.Message = "nothing happened"
			return r
		}, 4, "edited"},
		{"edited, first", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[0].Spec.Actor = "somebody"
			return r
		}, 1, "edited"},
		{"edited, last", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[9].Spec.State.Stable = ref("1.2.0")
			return r
		}, 10, "edited"},
		{"edited, with its own digest made anew", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[3].Spec.Message = "nothing happened"
			r[3].Spec.Digest = Digest(&r[3].Spec)
			return r
		}, 5, "follows a record with digest"},
		{"missing", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord { return append(r[:4], r[5:]...) }, 5, "missing; the next one is 6"},
		{"several missing", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord { return append(r[:1], r[8:]...) }, 2, "missing; the next one is 9"},
		{"exchanged", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[4].Spec, r[5].Spec = r[5].Spec, r[4].Spec
			return r
		}, 5, "its name is shop-000006"},
		{"renumbered", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[4].Spec.Sequence, r[5].Spec.Sequence = 6, 5
			r[4].Name, r[5].Name = r[5].Name, r[4].Name
			return r
		}, 5, "edited"},
		{"there twice", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			twin := r[4]
			twin.Name = "shop-000005-copy"
			return append(r, twin)
		}, 5, "there twice, the second time as shop-000005-copy"},
		{"of another track", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[6].Spec.TrackName = "cart"
			return r
		}, 7, "belongs to track cart"},
		{"without digest", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[9].Spec.Digest = ""
			return r
		}, 10, "edited"},
		{"older than the one before", func(r []v1alpha1.ReleaseRecord) []v1alpha1.ReleaseRecord {
			r[9].Spec.Time = metav1.NewMicroTime(start.Add(-time.Hour))
			r[9].Spec.Digest = Digest(&r[9].Spec)
			return r
		}, 10, "older"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			records := test.change(rolloutOf(t))
			random := rand.New(rand.NewPCG(1, 1))
			random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
			err := Verify(records)
			var broken *BrokenError
			if !errors.As(err, &broken) || broken.Sequence != test.sequence || !strings.Contains(broken.Problem, test.problem) {
				t.Fatalf("%v, want record %d: %s", err, test.sequence, test.problem)
			}
			if log := Read(records); log.Broken != err.Error() || log.Count != len(records) {
				t.Errorf("Broken %q, want %q", log.Broken, err)
			}
		})
	}
}

// TestVerifyAccepts a log from its beginning on, however far it goes; one that begins
// later only where a record says why.
func TestVerifyAccepts(t *testing.T) {
	records := rolloutOf(t)
	for n := range len(records) + 1 {
		if err := Verify(records[:n]); err != nil {
			t.Errorf("%d records: %v", n, err)
		}
	}
	for oldest := 1; oldest < len(records); oldest++ {
		if err := Verify(records[oldest:]); err == nil || !strings.Contains(err.Error(), "it is missing; the oldest is") {
			t.Errorf("records from %d on: %v", oldest+1, err)
		}
	}
}

// FuzzChain edits one byte of a stored log: either the log still says the same,
// or it does not verify.
func FuzzChain(f *testing.F) {
	f.Add(uint16(0), uint16(40), byte('x'), int64(1))
	f.Add(uint16(3), uint16(400), byte('1'), int64(7_000_000))
	f.Fuzz(func(t *testing.T, at, position uint16, value byte, nanoseconds int64) {
		records := rolloutOf(t)
		head := records[len(records)-1].Spec
		next := Chain("shop", &head, entry(v1alpha1.EventRetired, "1.1.0", 0), start.Add(time.Duration(nanoseconds)))
		records = append(records, *stored(t, next))
		if err := Verify(records); err != nil {
			t.Fatal(err)
		}
		i := int(at) % len(records)
		data, err := json.Marshal(records[i].Spec)
		if err != nil {
			t.Fatal(err)
		}
		data[int(position)%len(data)] = value
		var edited v1alpha1.ReleaseRecordSpec
		if json.Unmarshal(data, &edited) != nil {
			t.Skip()
		}
		same := cmp.Equal(edited, records[i].Spec)
		records[i].Spec = edited
		if err := Verify(records); (err == nil) != same {
			t.Fatalf("same %t, but %v", same, err)
		}
	})
}

func TestDigestOfEveryField(t *testing.T) {
	spec := Chain("shop", nil, entry(v1alpha1.EventPromoted, "1.0.0", 1), start)
	for name, change := range map[string]func(*v1alpha1.ReleaseRecordSpec){
		"trackName":      func(s *v1alpha1.ReleaseRecordSpec) { s.TrackName = "cart" },
		"sequence":       func(s *v1alpha1.ReleaseRecordSpec) { s.Sequence = 1 << 60 },
		"sequence + 1":   func(s *v1alpha1.ReleaseRecordSpec) { s.Sequence = 2 },
		"previousDigest": func(s *v1alpha1.ReleaseRecordSpec) { s.PreviousDigest = "x" },
		"time":           func(s *v1alpha1.ReleaseRecordSpec) { s.Time = metav1.NewMicroTime(s.Time.Add(time.Microsecond)) },
		"actor":          func(s *v1alpha1.ReleaseRecordSpec) { s.Actor = "x" },
		"event":          func(s *v1alpha1.ReleaseRecordSpec) { s.Event = v1alpha1.EventFailed },
		"reason":         func(s *v1alpha1.ReleaseRecordSpec) { s.Reason = "x" },
		"message":        func(s *v1alpha1.ReleaseRecordSpec) { s.Message = "" },
		"actionName":     func(s *v1alpha1.ReleaseRecordSpec) { s.ActionName = "x" },
		"release":        func(s *v1alpha1.ReleaseRecordSpec) { s.Release = nil },
		"state":          func(s *v1alpha1.ReleaseRecordSpec) { s.State.Stable = ref("1.0.0") },
		"test": func(s *v1alpha1.ReleaseRecordSpec) {
			s.State.Tests = []v1alpha1.TestResult{{WeightPercent: ptr.To[int32](0)}}
		},
	} {
		changed := *spec.DeepCopy()
		change(&changed)
		if Digest(&changed) == spec.Digest {
			t.Errorf("%s is not in the digest", name)
		}
	}
	spec.Digest = "another"
	if Digest(&spec) == "another" {
		t.Error("the digest is in the digest")
	}
}
