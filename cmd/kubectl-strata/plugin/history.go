package plugin

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/strata-release/strata/api/v1alpha1"
)

func historyCommand(s *session) *cobra.Command {
	var release, since string
	command := s.trackArgument(&cobra.Command{
		Use:   "history [TRACK]",
		Short: "List what was decided about a track, the newest last",
		Example: `  kubectl strata history shop --release shop-1-4-2
  kubectl strata history shop --since 24h -o wide`,
	})
	command.Flags().StringVar(&release, "release", "", "only what is about this release")
	sinceFlag(command, &since)
	out := outputFlag(command, "table", "wide", "json", "yaml")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		from, err := parseSince(since, s.Now())
		if err != nil {
			return err
		}
		name, err := s.logName(c.Context(), args)
		if err != nil {
			return err
		}
		records, err := s.records(c.Context(), name)
		if err != nil {
			return err
		}
		records = slices.DeleteFunc(records, func(r v1alpha1.ReleaseRecord) bool {
			other := release != "" && (r.Spec.Release == nil || r.Spec.Release.Name != release)
			return other || r.Spec.Time.Time.Before(from)
		})
		list, err := named(records)
		if err != nil {
			return err
		}
		if done, err := out.write(s.Streams.Out, list); done || err != nil {
			return err
		}
		if len(records) == 0 {
			fmt.Fprintf(s.Streams.ErrOut, "No such records of track %s.\n", name)
			return nil
		}
		return s.recordTable(records, out.format == "wide")
	}
	return command
}

func (s *session) recordTable(records []v1alpha1.ReleaseRecord, wide bool) error {
	headings := []string{"SEQUENCE", "TIME", "EVENT", "RELEASE", "REASON", "ACTOR", "WEIGHTS"}
	if wide {
		headings = append(headings, "ACTION", "MESSAGE")
	}
	var rows [][]string
	for i := range records {
		spec := &records[i].Spec
		about := ""
		if spec.Release != nil {
			about = spec.Release.Name
		}
		row := []string{strconv.FormatInt(spec.Sequence, 10), stamp(spec.Time.Time), string(spec.Event), about, spec.Reason, spec.Actor, weightsOf(&spec.State)}
		if wide {
			row = append(row, spec.ActionName, spec.Message)
		}
		rows = append(rows, row)
	}
	return table(s.Streams.Out, headings, rows)
}

// weightsOf are the positive weights after a record, as shop-1:80 shop-2:20; for each
// route where they differ. A track without routes has activated its candidate or not.
func weightsOf(state *v1alpha1.TrackState) string {
	var routes, texts []string
	for _, route := range state.Routes {
		var shares []string
		for _, w := range route.Weights {
			if w.WeightPercent > 0 {
				shares = append(shares, fmt.Sprintf("%s:%d", w.ReleaseName, w.WeightPercent))
			}
		}
		text := strings.Join(shares, " ")
		texts = append(texts, text)
		routes = append(routes, route.Name+"="+orNone(text, "none"))
	}
	if len(state.Routes) == 0 && state.Candidate != nil && state.Candidate.ActivatedTime != nil {
		return state.Candidate.Name + ":100"
	}
	if len(slices.Compact(slices.Clone(texts))) <= 1 {
		return strings.Join(slices.Compact(texts), "")
	}
	return strings.Join(routes, "; ")
}

func sinceFlag(command *cobra.Command, since *string) {
	command.Flags().StringVar(since, "since", "", "only what is not older: 24h, 7d, 2026-01-31 or 2026-01-31T12:00:00Z")
}

// parseSince reads how far back to look; zero for "".
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since %q: say how long ago (24h, 7d) or since when, in UTC (2026-01-31, 2026-01-31T12:00:00Z)", text)
}
