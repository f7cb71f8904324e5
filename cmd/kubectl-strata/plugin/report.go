package plugin

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/strata-release/strata/api/v1alpha1"
)

func auditReportCommand(s *session) *cobra.Command {
	var file, since string
	command := s.trackArgument(&cobra.Command{
		Use:   "report [TRACK]",
		Short: "Report who asked, who approved, what ran, which tests passed, and the weights over time",
		Example: `  kubectl strata audit report shop --since 30d
  kubectl strata audit report -f shop.jsonl -o json`,
	})
	command.Flags().StringVarP(&file, "filename", "f", "", "report of an exported log (JSON lines, - for standard input) instead of the cluster's")
	sinceFlag(command, &since)
	out := outputFlag(command, "text", "json", "yaml")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		from, err := parseSince(since, s.Now())
		if err != nil {
			return err
		}
		log, err := s.readLog(c.Context(), file, signed{}, args)
		if err != nil {
			return err
		}
		r := reportOf(log.verify(""), log.records)
		r.keepSince(metav1.NewMicroTime(from))
		done, err := out.write(s.Streams.Out, r)
		if !done && err == nil {
			err = r.write(s.Streams.Out)
		}
		if err == nil && r.Log.Problem != "" {
			err = no("%s", r.Log.Problem)
		}
		return err
	}
	return command
}

// auditReport is a log in the words of people.
type auditReport struct {
	Log *verified `json:"log"`
	// Since is unset for all that the log has.
	Since    *metav1.MicroTime `json:"since,omitempty"`
	Attempts []*tried          `json:"attempts,omitempty"`
	// Refused are the actions that were asked for and not carried out.
	Refused []happening `json:"refusedActions,omitempty"`
	// Emergency is every use of emergency access, and Drift what was found changed.
	Emergency []happening `json:"emergencyAccess,omitempty"`
	Drift     []happening `json:"drift,omitempty"`
	// Other is what became of the log itself, and of releases without an attempt.
	Other []happening `json:"other,omitempty"`
}

// tried is one attempt of a release.
type tried struct {
	Release       string                    `json:"releaseName"`
	Version       string                    `json:"version"`
	Attempt       int32                     `json:"attempt"`
	PublishedBy   string                    `json:"publishedBy,omitempty"`
	OpenedBy      happening                 `json:"opened"`
	Source        *v1alpha1.ReleaseSource   `json:"source,omitempty"`
	Digest        string                    `json:"digest,omitempty"`
	ContentDigest string                    `json:"contentDigest,omitempty"`
	Images        []v1alpha1.RecordedImage  `json:"images,omitempty"`
	Config        []v1alpha1.SnapshotDigest `json:"config,omitempty"`
	// Promotions are those on other tracks by which it passed.
	Promotions []v1alpha1.RecordedPromotion `json:"promotions,omitempty"`
	Tests      []v1alpha1.TestResult        `json:"tests,omitempty"`
	// People is every word of a human about the attempt: approvals, skipped holds.
	People   []happening `json:"people,omitempty"`
	Weights  []weighed   `json:"weights,omitempty"`
	Verdicts []happening `json:"verdicts,omitempty"`
}

// happening is a record in short.
type happening struct {
	Sequence int64            `json:"sequence"`
	Time     metav1.MicroTime `json:"time"`
	Event    string           `json:"event"`
	Release  string           `json:"releaseName,omitempty"`
	Actor    string           `json:"actor"`
	Action   string           `json:"actionName,omitempty"`
	Reason   string           `json:"reason"`
	Message  string           `json:"message,omitempty"`
}

// weighed is what the routes were given at a time.
type weighed struct {
	Sequence int64             `json:"sequence"`
	Time     metav1.MicroTime  `json:"time"`
	Weights  string            `json:"weights"`
	Verified *metav1.MicroTime `json:"verifiedTime,omitempty"`
}

func happened(spec *v1alpha1.ReleaseRecordSpec) happening {
	h := happening{
		Sequence: spec.Sequence, Time: spec.Time, Event: string(spec.Event), Actor: spec.Actor,
		Action: spec.ActionName, Reason: spec.Reason, Message: spec.Message,
	}
	if spec.Release != nil {
		h.Release = spec.Release.Name
	}
	return h
}

// reportOf reads a log, the oldest record first.
func reportOf(log *verified, records []v1alpha1.ReleaseRecord) *auditReport {
	r := &auditReport{Log: log}
	weights := ""
	var last *tried // whose the newest weights are
	for i := range records {
		spec := &records[i].Spec
		attempt := r.attempt(spec)
		switch {
		case spec.Event == v1alpha1.EventRefused:
			r.Refused = append(r.Refused, happened(spec))
		case spec.Event == v1alpha1.EventBreakGlass:
			r.Emergency = append(r.Emergency, happened(spec))
		case spec.Event == v1alpha1.EventDrift:
			r.Drift = append(r.Drift, happened(spec))
		case attempt == nil:
			r.Other = append(r.Other, happened(spec))
		default:
			attempt.add(spec)
		}
		if now := weightsOf(&spec.State); attempt != nil && now != weights {
			attempt.Weights = append(attempt.Weights, weighed{Sequence: spec.Sequence, Time: spec.Time, Weights: now})
			weights, last = now, attempt
		}
		if spec.Event == v1alpha1.EventWeightVerified && last != nil {
			last.Weights[len(last.Weights)-1].Verified = &spec.Time
		}
	}
	return r
}

// attempt is the one that a record is about; nil for none.
func (r *auditReport) attempt(spec *v1alpha1.ReleaseRecordSpec) *tried {
	about := spec.Release
	if about == nil || about.Attempt == 0 || spec.Event == v1alpha1.EventRetired || spec.Event == v1alpha1.EventRestored || spec.Event == v1alpha1.EventAdopted {
		return nil
	}
	i := slices.IndexFunc(r.Attempts, func(t *tried) bool {
		return t.Release == about.Name && t.Version == about.Version && t.Attempt == about.Attempt
	})
	if i < 0 {
		r.Attempts = append(r.Attempts, &tried{Release: about.Name, Version: about.Version, Attempt: about.Attempt, OpenedBy: happened(spec)})
		i = len(r.Attempts) - 1
	}
	return r.Attempts[i]
}

func (t *tried) add(spec *v1alpha1.ReleaseRecordSpec) {
	about := spec.Release
	t.PublishedBy, t.Digest, t.ContentDigest = orNone(about.RequestedBy, t.PublishedBy), orNone(about.Digest, t.Digest), orNone(about.ContentDigest, t.ContentDigest)
	if about.Source != nil {
		t.Source = about.Source
	}
	if len(about.Images) > 0 {
		t.Images = about.Images
	}
	if len(about.Snapshots) > 0 {
		t.Config = about.Snapshots
	}
	if len(about.Promotions) > 0 {
		t.Promotions = about.Promotions
	}
	if test := about.Test; test != nil {
		i := slices.IndexFunc(t.Tests, func(r v1alpha1.TestResult) bool { return r.JobName == test.JobName })
		if i < 0 {
			t.Tests, i = append(t.Tests, v1alpha1.TestResult{}), len(t.Tests)
		}
		t.Tests[i] = *test
	}
	switch {
	case spec.Event == v1alpha1.EventApproved || spec.Event == v1alpha1.EventHoldSkipped:
		t.People = append(t.People, happened(spec))
	case spec.Event.IsVerdict():
		t.Verdicts = append(t.Verdicts, happened(spec))
	}
}

// keepSince drops what was over before a time: attempts are reported whole.
func (r *auditReport) keepSince(from metav1.MicroTime) {
	if from.IsZero() {
		return
	}
	r.Since = &from
	before := func(h happening) bool { return h.Time.Before(&from) }
	r.Attempts = slices.DeleteFunc(r.Attempts, func(t *tried) bool {
		return len(t.Verdicts) > 0 && before(t.Verdicts[len(t.Verdicts)-1])
	})
	for _, list := range []*[]happening{&r.Refused, &r.Emergency, &r.Drift, &r.Other} {
		*list = slices.DeleteFunc(*list, before)
	}
}

func (r *auditReport) write(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "track %s", r.Log.Track)
	if r.Since != nil {
		fmt.Fprintf(&b, " since %s", stamp(r.Since.Time))
	}
	b.WriteByte('\n')
	if r.Log.Problem == "" {
		whole := "log"
		if r.Log.After != nil {
			whole = "part of the log"
		}
		fmt.Fprintf(&b, "the %s is whole: %d records, %d to %d, head %s\n", whole, r.Log.Records, r.Log.First, r.Log.Last, r.Log.HeadDigest)
	} else {
		fmt.Fprintln(&b, "THE LOG IS NOT WHOLE: what follows is not proven")
	}
	for _, t := range r.Attempts {
		b.WriteByte('\n')
		t.write(&b)
	}
	writeHappenings(&b, "refused actions", r.Refused)
	writeHappenings(&b, "emergency access", r.Emergency)
	writeHappenings(&b, "drift", r.Drift)
	writeHappenings(&b, "other records", r.Other)
	_, err := io.WriteString(out, b.String())
	return wrap(err, "write the report")
}

func (t *tried) write(b *strings.Builder) {
	ended := "open"
	if n := len(t.Verdicts); n > 0 {
		ended = t.Verdicts[n-1].Event
	}
	fmt.Fprintf(b, "%s, version %s, attempt %d: %s\n", t.Release, t.Version, t.Attempt, ended)
	line := func(label, format string, args ...any) {
		fmt.Fprintf(b, "  %-10s %s\n", label, oneLine(fmt.Sprintf(format, args...)))
	}
	line("published", "by %s", orNone(t.PublishedBy, "a user who is not known"))
	line("opened", "%s", t.OpenedBy.text())
	if t.Source != nil {
		line("source", "%s %s", t.Source.Repository, t.Source.Revision)
		if t.Source.BuildURL != "" {
			line("build", "%s", t.Source.BuildURL)
		}
	}
	if t.ContentDigest != "" {
		line("content", "%s", t.ContentDigest)
		line("sealed as", "%s", t.Digest)
	}
	for _, image := range t.Images {
		line("image", "%s %s", strings.TrimPrefix(image.Component+"/"+image.Container, "/"), image.Image)
		for _, signature := range image.Signatures {
			line("signed", "for authority %s, %s", signature.Authority, orNone(signature.Subject, signature.KeyDigest))
		}
	}
	for _, c := range t.Config {
		line("config", "%s %s %s", c.Kind, c.Name, c.Digest)
	}
	for _, p := range t.Promotions {
		proof := ""
		if p.KeyDigest != "" {
			proof = fmt.Sprintf(" with digest %s, signed with key %s", p.Digest, p.KeyDigest)
		}
		line("promoted", "before on track %s/%s, record %d%s", p.Namespace, p.TrackName, p.Sequence, proof)
	}
	for _, test := range t.Tests {
		line("test", "%s", resultText(test))
	}
	for _, h := range t.People {
		line(strings.ToLower(strings.TrimPrefix(h.Event, "Hold")), "%s", h.text())
	}
	for _, w := range t.Weights {
		verified := "not verified"
		if w.Verified != nil {
			verified = "verified " + stamp(w.Verified.Time)
		}
		line("weights", "%s %s, %s", stamp(w.Time.Time), orNone(w.Weights, "none"), verified)
	}
	for _, h := range t.Verdicts {
		line("verdict", "%s %s", h.Event, h.text())
	}
}

func resultText(test v1alpha1.TestResult) string {
	text := test.Name
	if test.WeightPercent != nil {
		text += fmt.Sprintf(" at %d %%", *test.WeightPercent)
	}
	text += " " + string(test.Outcome)
	if test.CompletionTime != nil {
		text += " in " + duration.HumanDuration(test.CompletionTime.Sub(test.StartTime.Time))
	}
	if test.Message != "" {
		text += ": " + test.Message
	}
	return text
}

// text is a happening without its event: when, who and why.
func (h happening) text() string {
	text := stamp(h.Time.Time) + " by " + h.Actor
	if h.Action != "" {
		text += " (" + h.Action + ")"
	}
	return text + ": " + orNone(h.Message, h.Reason)
}

func writeHappenings(b *strings.Builder, title string, list []happening) {
	fmt.Fprintf(b, "\n%s: ", title)
	if len(list) == 0 {
		b.WriteString("none\n")
		return
	}
	fmt.Fprintf(b, "%d\n", len(list))
	for _, h := range list {
		about := ""
		if h.Release != "" {
			about = " of " + h.Release
		}
		fmt.Fprintf(b, "  %d %s%s, %s\n", h.Sequence, h.Event, about, oneLine(h.text()))
	}
}
