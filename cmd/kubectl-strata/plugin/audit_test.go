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
	if err := writeLines(&out, logOf("<a> & b", "two\nlines", "")); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{"creationTimestamp", "resourceVersion", "uid", "status", `\u003c`} {
		if strings.Contains(out.String(), given) {
			t.Errorf("%s is exported: %s", given, out.String())
		}
	}
	records, err := parseLog(out.Bytes())
	if err != nil || len(records) != 3 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if v := verifyRecords("shop", records, records[1].Spec.Digest); v.Problem != "" || v.HeadDigest != records[2].Spec.Digest {
		t.Errorf("%+v", v)
	}
	if v := verifyRecords("shop", append(records[:1:1], records[2]), ""); v.BrokenAt != 2 {
		t.Errorf("a record is missing: %+v", v)
	}
	if v := verifyRecords("shop", nil, ""); v.Problem == "" {
		t.Error("a log without records was called whole")
	}
	for _, wrong := range []string{"{", `{"kind": "Pod"}`} {
		if _, err := parseLog([]byte(wrong)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// TestSpreadsheetsRunNothing of what others wrote.
func TestSpreadsheetsRunNothing(t *testing.T) {
	var out bytes.Buffer
	if err := writeCSV(&out, logOf("=HYPERLINK(1)", " =1", "+1", "@x", "-1", "a=b, \"c\"")); err != nil {
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
