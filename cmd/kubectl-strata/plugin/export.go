package plugin

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
)

func auditExportCommand(s *session) *cobra.Command {
	var since string
	command := s.trackArgument(&cobra.Command{
		Use:   "export [TRACK]",
		Short: "Write the log of a track as JSON lines, whole, or as CSV",
		Long: `Write the log of a track as JSON lines, or as CSV.

JSON lines hold every record whole, the oldest first: audit verify -f reads them, and so
does a restore. CSV is for spreadsheets and cannot be verified. The log is verified first:
a broken one is written all the same, and told with exit code 1.`,
		Example: `  kubectl strata audit export shop > shop.jsonl
  kubectl strata audit export shop --since 30d -o csv > shop.csv`,
	})
	sinceFlag(command, &since)
	out := outputFlag(command, "jsonl", "csv")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		from, err := parseSince(since, s.Now())
		if err != nil {
			return err
		}
		all, track, err := s.readLog(c.Context(), "", args)
		if err != nil {
			return err
		}
		var records []v1alpha1.ReleaseRecord
		for i := range all {
			if !all[i].Spec.Time.Time.Before(from) {
				records = append(records, all[i])
			}
		}
		write := writeLines
		if out.format == "csv" {
			write = writeCSV
		}
		if err := write(s.Streams.Out, records); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		v := verifyRecords(track, all, "")
		if v.Problem != "" {
			return no("%s", v.Problem)
		}
		fmt.Fprintf(s.Streams.ErrOut, "%d records of track %s; head of the log: %s\n", len(records), track, v.HeadDigest)
		return nil
	}
	return command
}

// writeLines writes each record as it can be created again.
func writeLines(out io.Writer, records []v1alpha1.ReleaseRecord) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for i := range records {
		err := encoder.Encode(map[string]any{
			"apiVersion": v1alpha1.GroupVersion.String(), "kind": "ReleaseRecord",
			"metadata": metav1.ObjectMeta{Name: records[i].Name, Namespace: records[i].Namespace, Labels: records[i].Labels},
			"spec":     records[i].Spec,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func writeCSV(out io.Writer, records []v1alpha1.ReleaseRecord) error {
	w := csv.NewWriter(out)
	rows := [][]string{{"sequence", "time", "event", "release", "version", "attempt", "actor", "action", "reason", "message", "weights", "contentDigest", "digest"}}
	for i := range records {
		spec := &records[i].Spec
		about := v1alpha1.RecordedRelease{}
		if spec.Release != nil {
			about = *spec.Release
		}
		attempt := ""
		if about.Attempt > 0 {
			attempt = strconv.Itoa(int(about.Attempt))
		}
		rows = append(rows, []string{
			strconv.FormatInt(spec.Sequence, 10), stamp(spec.Time.Time), string(spec.Event), about.Name, about.Version, attempt,
			spec.Actor, spec.ActionName, spec.Reason, spec.Message, weightsOf(&spec.State), about.ContentDigest, spec.Digest,
		})
	}
	for _, row := range rows {
		for i := range row {
			row[i] = noFormula(row[i])
		}
	}
	return w.WriteAll(rows)
}

// noFormula keeps a spreadsheet from running what somebody else wrote into a message.
func noFormula(cell string) string {
	if strings.HasPrefix(strings.TrimLeft(cell, " \t\r\n"), "=") || cell != "" && strings.ContainsRune("+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}
