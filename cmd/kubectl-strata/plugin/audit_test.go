package plugin

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
)

// logOf is a log whose records have these messages.
func logOf(messages ...string) []v1alpha1.ReleaseRecord {
	var records []v1alpha1.ReleaseRecord
	var head *v1alpha1.ReleaseRecordSpec
	for _, message := range messages {
		spec := ledger.Chain("shop", head, rollout.Entry{Event: v1alpha1.EventDrift, Reason: "Found", Message: message, Actor: "jane"}, noon)
		records, head = append(records, *ledger.Record("shop", spec)), &spec
	}
	return records
}

// TestExportIsTheLog: what is exported verifies, and can be created again as it is.
func TestExportIsTheLog(t *testing.T) {
	var out bytes.Buffer
	written := &trackLog{records: logOf("<a> & b", "two\nlines", "")}
	if err := written.writeLines(&out); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{"creationTimestamp", "resourceVersion", "uid", "status", `\u003c`} {
		if strings.Contains(out.String(), given) {
			t.Errorf("%s is exported: %s", given, out.String())
		}
	}
	log, err := parseLog(out.Bytes())
	if err != nil || log.track != "shop" || len(log.records) != 3 {
		t.Fatalf("%+v, %v", log, err)
	}
	records := log.records
	if v := log.verify(records[1].Spec.Digest); v.Problem != "" || v.HeadDigest != records[2].Spec.Digest {
		t.Errorf("%+v", v)
	}
	if v := (&trackLog{records: append(records[:1:1], records[2])}).verify(""); v.BrokenAt != 2 {
		t.Errorf("a record is missing: %+v", v)
	}
	if v := (&trackLog{}).verify(""); v.Problem == "" {
		t.Error("a log without records was called whole")
	}
	for _, wrong := range []string{"{", `{"kind": "Pod"}`} {
		if _, err := parseLog([]byte(wrong)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// hourly is a log with a record an hour.
func hourly(messages ...string) *trackLog {
	l := &trackLog{track: "shop"}
	var head *v1alpha1.ReleaseRecordSpec
	for i, message := range messages {
		entry := rollout.Entry{Event: v1alpha1.EventDrift, Reason: "Found", Message: message, Actor: "jane"}
		spec := ledger.Chain("shop", head, entry, noon.Add(time.Duration(i)*time.Hour))
		l.records, head = append(l.records, *ledger.Record("shop", spec)), &spec
	}
	return l
}

// exported is a log after its way through a file.
func exported(t *testing.T, l *trackLog) *trackLog {
	t.Helper()
	var out bytes.Buffer
	if err := l.writeLines(&out); err != nil {
		t.Fatal(err)
	}
	again, err := parseLog(out.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// TestPartIsVerified: a part follows the record that its first line names, and nothing
// else.
func TestPartIsVerified(t *testing.T) {
	all := hourly("a", "b", "c", "d")
	if whole := exported(t, all.since(noon)); whole.after != nil || len(whole.records) != 4 {
		t.Errorf("all of it: %+v", whole)
	}
	second := all.records[1].Spec.Digest
	part := exported(t, all.since(noon.Add(90*time.Minute)))
	if v := part.verify(second); v.Problem != "" || v.Records != 2 || v.First != 3 || v.After.AfterSequence != 2 || v.After.AfterDigest != second {
		t.Errorf("a part: %+v", v)
	}
	if v := exported(t, all.since(noon.Add(24*time.Hour))).verify(""); v.Problem != "" || v.Records != 0 || v.HeadDigest != all.records[3].Spec.Digest {
		t.Errorf("nothing since: %+v", v)
	}
	for name, damage := range map[string]func(*trackLog){
		"its first record is missing": func(l *trackLog) { l.records = l.records[1:] },
		"it follows another record":   func(l *trackLog) { l.after.AfterDigest = "sha256:0" },
		"a record was edited":         func(l *trackLog) { l.records[0].Spec.Message = "x" },
		"it is of another track":      func(l *trackLog) { l.after.TrackName, l.track = "cart", "cart" },
	} {
		damaged := exported(t, part)
		damage(damaged)
		if v := damaged.verify(""); v.BrokenAt != 3 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if _, err := parseLog([]byte(`{"kind":"LogPart","trackName":"shop"}` + "\n" + `{"kind":"LogPart"}`)); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("two parts: %v", err)
	}
}

// TestPartOfCutLog: what is left of the time before a log was cut begins no part.
func TestPartOfCutLog(t *testing.T) {
	l := hourly("a", "b", "c", "d")
	cut := rollout.Entry{Event: v1alpha1.EventPruned, Reason: "Cut", Actor: "strata"}
	cut.Pruned = &v1alpha1.PrunedRecords{BeforeSequence: 3, KeptDigest: ledger.KeptDigest(l.records, 3)}
	l.records = append(l.records, *ledger.Record("shop", ledger.Chain("shop", &l.records[3].Spec, cut, noon.Add(5*time.Hour))))
	if part := l.since(noon.Add(30 * time.Minute)); part.after != nil || len(part.records) != 5 {
		t.Errorf("before the cut: %+v", part.after)
	}
	if v := exported(t, l.since(noon.Add(2*time.Hour+time.Minute))).verify(""); v.Problem != "" || v.First != 4 {
		t.Errorf("behind the cut: %+v", v)
	}
}

// TestSpreadsheetsRunNothing of what others wrote.
func TestSpreadsheetsRunNothing(t *testing.T) {
	var out bytes.Buffer
	log := &trackLog{records: logOf("=HYPERLINK(1)", " =1", "+1", "@x", "-1", "a=b, \"c\"")}
	if err := log.writeCSV(&out); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"message", "'=HYPERLINK(1)", "' =1", "'+1", "'@x", "'-1", "a=b, \"c\""} {
		if rows[i][9] != want {
			t.Errorf("row %d: %q, want %q", i, rows[i][9], want)
		}
	}
}

func TestSince(t *testing.T) {
	for text, want := range map[string]time.Time{
		"": {}, "24h": noon.Add(-24 * time.Hour), "7d": noon.AddDate(0, 0, -7), "0d": noon,
		"2026-01-30": noon.Add(-36 * time.Hour), "2026-01-31T11:00:00+01:00": noon.Add(-2 * time.Hour),
	} {
		if got, err := parseSince(text, noon); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, wrong := range []string{"d", "-1h", "-1d", "1w", "yesterday", "2026-13-01"} {
		if _, err := parseSince(wrong, noon); err == nil {
			t.Errorf("%q was taken", wrong)
		}
	}
}
