package plugin

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
)

func auditExportCommand(s *session) *cobra.Command {
	var since string
	var by signed
	command := s.trackArgument(&cobra.Command{
		Use:   "export [TRACK]",
		Short: "Write the log of a track as JSON lines, whole, or as CSV",
		Long: `Write the log of a track as JSON lines, or as CSV.

JSON lines hold every record whole, the oldest first: audit verify -f and audit import read
them. With --since the first line tells the record that the others follow, and so a part
is verified as well. CSV is for spreadsheets and holds no chain. The log is verified first:
a broken one is written all the same, told with exit code 1, and not signed.

With --sign-key the signature over what is written goes into the file that --signature
names: audit verify --key tells whether content and key are those.`,
		Example: `  kubectl strata audit export shop > shop.jsonl
  kubectl strata audit export shop --sign-key shop.key --signature shop.jsonl.sig > shop.jsonl
  kubectl strata audit export shop --since 30d -o csv > shop.csv`,
	})
	sinceFlag(command, &since)
	signKeyFlag(command, &by.key, "the export")
	command.Flags().StringVar(&by.signature, "signature", "", "file to write the signature to; best that of the export, and .sig")
	out := outputFlag(command, "jsonl", "csv")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		if (by.key == "") != (by.signature == "") {
			return errors.New("--sign-key and --signature go together: the key, and the file for the signature")
		}
		from, err := parseSince(since, s.Now())
		if err != nil {
			return err
		}
		log, err := s.readLog(c.Context(), "", signed{}, args)
		if err != nil {
			return err
		}
		v, part := log.verify(""), log.since(from)
		var content bytes.Buffer
		write := part.writeLines
		if out.format == "csv" {
			part.records = slices.DeleteFunc(slices.Clone(part.records), func(r v1alpha1.ReleaseRecord) bool { return r.Spec.Time.Time.Before(from) })
			write = part.writeCSV
		}
		if err := write(&content); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		if by.key != "" && v.Problem == "" {
			if err := by.write(content.Bytes()); err != nil {
				return err
			}
		}
		if _, err := s.Streams.Out.Write(content.Bytes()); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		if v.Problem != "" {
			return no("%s", v.Problem)
		}
		fmt.Fprintf(s.Streams.ErrOut, "%d records of track %s; head of the log: %s\n", len(part.records), log.track, v.HeadDigest)
		return nil
	}
	return command
}

// since is the part of a log from a time on. It begins in the chain, or is all of it:
// what is left of the time before a log was cut follows nothing that is there.
func (l *trackLog) since(from time.Time) *trackLog {
	i := slices.IndexFunc(l.records, func(r v1alpha1.ReleaseRecord) bool { return !r.Spec.Time.Time.Before(from) })
	if i < 0 {
		i = len(l.records)
	}
	if i == 0 || l.records[i-1].Spec.Sequence < ledger.Read(l.records).First {
		return l
	}
	before := &l.records[i-1].Spec
	return &trackLog{track: l.track, records: l.records[i:], after: &logPart{
		TypeMeta:  metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: partKind},
		TrackName: l.track, AfterSequence: before.Sequence, AfterDigest: before.Digest,
	}}
}

// writeLines writes each record as it can be created again.
func (l *trackLog) writeLines(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	if l.after != nil {
		if err := encoder.Encode(l.after); err != nil {
			return err
		}
	}
	records := l.records
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

var csvHeadings = []string{"sequence", "time", "event", "release", "version", "attempt", "actor", "action", "reason", "message", "weights", "contentDigest", "digest"}

func (l *trackLog) writeCSV(out io.Writer) error {
	w := csv.NewWriter(out)
	rows := [][]string{slices.Clone(csvHeadings)}
	for i := range l.records {
		spec := &l.records[i].Spec
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
