package plugin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/snapshot"
)

func auditCommand(s *session) *cobra.Command {
	command := &cobra.Command{Use: "audit", Short: "Verify, export, import and report the log of a track"}
	command.AddCommand(auditVerifyCommand(s), auditExportCommand(s), auditImportCommand(s), auditReportCommand(s))
	return command
}

func auditVerifyCommand(s *session) *cobra.Command {
	var file, anchor string
	var by signed
	command := s.trackArgument(&cobra.Command{
		Use:   "verify [TRACK]",
		Short: "Compute the log of a track anew, and name the first record that is not as it was written",
		Long: `Compute the log of a track anew, and name the first record that is not as it was written.

Every record is hashed and must follow the one before it; every release that is there must
have the content that the log has for its version. The head that is printed is worth
keeping elsewhere: given back as --anchor, it proves that the log was not written anew.

An exported file that was signed is verified with --key: its content first, whatever it
holds, and then the log in it. A part of a log, exported with --since, is verified from
the record that it follows on; CSV holds no chain, and only its signature is verified.`,
		Example: `  kubectl strata audit verify shop
  kubectl strata audit verify shop --anchor sha256:...
  kubectl strata audit verify -f shop.jsonl
  kubectl strata audit verify -f shop.jsonl --key shop.pub`,
	})
	command.Flags().StringVarP(&file, "filename", "f", "", "verify an exported log (- for standard input) instead of the cluster's")
	verifyKeyFlags(command, &by)
	command.Flags().StringVar(&anchor, "anchor", "", "digest of a record that the log must contain")
	out := outputFlag(command, "text", "json", "yaml")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		verified, err := s.verifyLog(c.Context(), file, anchor, by, args)
		if err != nil {
			return err
		}
		switch done, err := out.write(s.Streams.Out, verified); {
		case err != nil:
			return err
		case !done && verified.Problem == "":
			verified.tell(s.Streams.Out)
		}
		if verified.Problem != "" {
			return no("%s", verified.Problem)
		}
		return nil
	}
	return command
}

// verified is what came of verifying a log.
type verified struct {
	Track   string `json:"trackName"`
	Records int    `json:"records"`
	First   int64  `json:"firstSequence,omitempty"`
	Last    int64  `json:"lastSequence,omitempty"`
	// HeadDigest is what to keep elsewhere.
	HeadDigest string `json:"headDigest,omitempty"`
	// After is the record that a part of a log follows; unset for a whole one.
	After *logPart `json:"after,omitempty"`
	// SignedBy is the digest of the key that signed the file; "" where none was given.
	SignedBy string `json:"signedByKeyDigest,omitempty"`
	// Releases is how many were found to have the content that the log has for them.
	Releases int `json:"releases,omitempty"`
	// Problem is the first that was found, and BrokenAt the record that has it; "" and 0
	// for none.
	Problem  string `json:"problem,omitempty"`
	BrokenAt int64  `json:"brokenAtSequence,omitempty"`
}

// tell says that all is well.
func (v *verified) tell(out io.Writer) {
	switch {
	case v.Track == "":
		fmt.Fprintln(out, "the content is as it was signed; it is no log in JSON lines, and no chain is verified")
	case v.After != nil:
		fmt.Fprintf(out, "the part of the log of track %s is whole: %d records after record %d with digest %s\nhead: %s\n",
			v.Track, v.Records, v.After.AfterSequence, v.After.AfterDigest, v.HeadDigest)
	default:
		fmt.Fprintf(out, "the log of track %s is whole: %d records, %d to %d\nhead: %s\n", v.Track, v.Records, v.First, v.Last, v.HeadDigest)
	}
	if v.SignedBy != "" {
		fmt.Fprintf(out, "signed with key: %s\n", v.SignedBy)
	}
	if v.Releases > 0 {
		fmt.Fprintf(out, "releases with the content that the log has for them: %d\n", v.Releases)
	}
}

func verifyKeyFlags(command *cobra.Command, by *signed) {
	command.Flags().StringVar(&by.key, "key", "", "public key in PEM with which the file must be signed")
	command.Flags().StringVar(&by.signature, "signature", "", "file with the signature; default: that of the export, and .sig")
}

func (s *session) verifyLog(ctx context.Context, file, anchor string, by signed, args []string) (*verified, error) {
	log, err := s.readLog(ctx, file, by, args)
	if err != nil {
		return nil, err
	}
	if log.spreadsheet {
		return &verified{SignedBy: log.signedBy}, nil
	}
	v := log.verify(anchor)
	if v.Problem == "" && file == "" {
		v.Releases, v.Problem, err = s.verifyContent(ctx, log.track, ledger.Read(log.records))
	}
	return v, err
}

// trackLog is the log of a track as it was read, from the cluster or from an export.
type trackLog struct {
	track   string
	records []v1alpha1.ReleaseRecord
	// after is what an exported part follows; nil for all that there is.
	after *logPart
	// signedBy is the digest of the key that an export was verified with.
	signedBy string
	// spreadsheet: it was exported as CSV, and is verified by its signature alone.
	spreadsheet bool
}

// logPart is the first line of an export that begins in the middle of a log: the record
// that its first one follows.
type logPart struct {
	metav1.TypeMeta `json:",inline"`
	TrackName       string `json:"trackName"`
	AfterSequence   int64  `json:"afterSequence"`
	AfterDigest     string `json:"afterDigest"`
}

// partKind is the kind of that line.
const partKind = "LogPart"

// readLog reads the records of a track, from the cluster or from a file that has those of
// one track. A file is verified by its signature before anything else, where a key is given.
func (s *session) readLog(ctx context.Context, file string, by signed, args []string) (*trackLog, error) {
	if file == "" {
		if by != (signed{}) {
			return nil, errors.New("--key and --signature are for an exported file: name it with -f")
		}
		track, err := s.logName(ctx, args)
		if err != nil {
			return nil, err
		}
		records, err := s.records(ctx, track)
		return &trackLog{track: track, records: records}, err
	}
	data, err := s.readFile(file)
	if err != nil {
		return nil, err
	}
	if by.key == "" && by.signature != "" {
		return nil, errors.New("--signature is verified with a public key: name it with --key")
	}
	signedBy := ""
	if by.key != "" {
		if signedBy, err = by.verify(file, data); err != nil {
			return nil, err
		}
	}
	if by.key != "" && bytes.HasPrefix(data, []byte(csvHeadings[0]+","+csvHeadings[1])) {
		return &trackLog{signedBy: signedBy, spreadsheet: true}, nil
	}
	log, err := parseLog(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if log.track == "" {
		return nil, fmt.Errorf("%s has no records: export them by kubectl strata audit export", file)
	}
	if len(args) > 0 && args[0] != log.track {
		return nil, fmt.Errorf("%s is the log of track %s, not of %s", file, log.track, args[0])
	}
	log.signedBy = signedBy
	return log, nil
}

// readFile reads a file, or standard input for -.
func (s *session) readFile(name string) ([]byte, error) {
	if name == "-" {
		data, err := io.ReadAll(s.Streams.In)
		return data, wrap(err, "read standard input")
	}
	return os.ReadFile(name) //nolint:gosec // the user names it
}

// parseLog reads JSON lines, one record each; a first one may say what they follow.
func parseLog(data []byte) (*trackLog, error) {
	log := &trackLog{}
	lines := bufio.NewReader(bytes.NewReader(data))
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if text := bytes.TrimSpace(line); len(text) > 0 {
			if err := log.parseLine(text); err != nil {
				return nil, fmt.Errorf("line %d %w", n, err)
			}
		}
		if errors.Is(err, io.EOF) {
			sortRecords(log.records)
			return log, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (l *trackLog) parseLine(text []byte) error {
	var is metav1.TypeMeta
	if err := json.Unmarshal(text, &is); err != nil {
		return fmt.Errorf("is no record: %w", err)
	}
	switch is.Kind {
	case "ReleaseRecord":
		var record v1alpha1.ReleaseRecord
		if err := json.Unmarshal(text, &record); err != nil {
			return fmt.Errorf("is no record: %w", err)
		}
		l.records = append(l.records, record)
		if l.track == "" {
			l.track = record.Spec.TrackName
		}
		return nil
	case partKind:
		if l.after != nil || len(l.records) > 0 {
			return errors.New("begins another part of a log: verify each file by itself")
		}
		l.after = &logPart{}
		if err := json.Unmarshal(text, l.after); err != nil {
			return fmt.Errorf("does not say what the records follow: %w", err)
		}
		l.track = l.after.TrackName
		return nil
	}
	return fmt.Errorf("is of kind %q, not ReleaseRecord: export the log as jsonl", is.Kind)
}

// verify verifies the chain, and that it holds the anchor.
func (l *trackLog) verify(anchor string) *verified {
	v := &verified{Track: l.track, Records: len(l.records), After: l.after, SignedBy: l.signedBy}
	chain := ledger.Verify
	if l.after != nil {
		v.Last, v.HeadDigest = l.after.AfterSequence, l.after.AfterDigest
		chain = func(records []v1alpha1.ReleaseRecord) error {
			return ledger.VerifyAfter(l.track, l.after.AfterSequence, l.after.AfterDigest, records)
		}
	}
	if len(l.records) > 0 {
		head := &l.records[len(l.records)-1].Spec
		v.First, v.Last, v.HeadDigest = l.records[0].Spec.Sequence, head.Sequence, head.Digest
	}
	var broken *ledger.BrokenError
	if err := chain(l.records); err != nil {
		v.Problem = err.Error()
		if errors.As(err, &broken) {
			v.BrokenAt = broken.Sequence
		}
		return v
	}
	if v.HeadDigest == "" {
		v.Problem = fmt.Sprintf("track %s has no records: its log was lost, or the operator has not begun it", l.track)
		return v
	}
	if anchor == "" || l.after != nil && l.after.AfterDigest == anchor {
		return v
	}
	for i := range l.records {
		if l.records[i].Spec.Digest == anchor {
			return v
		}
	}
	v.Problem = fmt.Sprintf("the log of track %s is whole, and has no record with digest %s: it was written anew, or that record was pruned, or it is of another track", l.track, anchor)
	return v
}

// verifyContent compares the content of every release that is there with what the log has
// for its version.
func (s *session) verifyContent(ctx context.Context, track string, log rollout.Log) (int, string, error) {
	stored := &unstructured.UnstructuredList{}
	stored.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("ImmutableReleaseList"))
	if err := s.client.List(ctx, stored, s.ofTrack(track)...); err != nil {
		return 0, "", fmt.Errorf("list the releases of track %s: %w", track, err)
	}
	same := 0
	for i := range stored.Items {
		version, _, _ := unstructured.NestedString(stored.Items[i].Object, "spec", "version")
		want := log.ContentDigests[version]
		if want == "" {
			continue
		}
		digest, err := contentDigest(&stored.Items[i])
		if err != nil {
			return same, "", err
		}
		if digest != want {
			return same, fmt.Sprintf("release %s has content %s, and the log has %s for version %s: it is not what was tried",
				stored.Items[i].GetName(), digest, want, version), nil
		}
		same++
	}
	return same, "", nil
}

// contentDigest of a release as it is stored.
func contentDigest(release *unstructured.Unstructured) (string, error) {
	spec, err := json.Marshal(release.Object["spec"])
	if err != nil {
		return "", fmt.Errorf("encode release %s: %w", release.GetName(), err)
	}
	digest, err := snapshot.ContentDigest(spec)
	return digest, wrap(err, "digest of release %s", release.GetName())
}
