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
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
	"github.com/strata-release/strata/controllers/rollout"
	"github.com/strata-release/strata/controllers/snapshot"
)

func auditCommand(s *session) *cobra.Command {
	command := &cobra.Command{Use: "audit", Short: "Verify, export and report the log of a track"}
	command.AddCommand(auditVerifyCommand(s), auditExportCommand(s), auditReportCommand(s))
	return command
}

func auditVerifyCommand(s *session) *cobra.Command {
	var file, anchor string
	command := s.trackArgument(&cobra.Command{
		Use:   "verify [TRACK]",
		Short: "Compute the log of a track anew, and name the first record that is not as it was written",
		Long: `Compute the log of a track anew, and name the first record that is not as it was written.

Every record is hashed and must follow the one before it; every release that is there must
have the content that the log has for its version. The head that is printed is worth
keeping elsewhere: given back as --anchor, it proves that the log was not written anew.`,
		Example: `  kubectl strata audit verify shop
  kubectl strata audit verify shop --anchor sha256:...
  kubectl strata audit verify -f log.jsonl`,
	})
	command.Flags().StringVarP(&file, "filename", "f", "", "verify an exported log (JSON lines, - for standard input) instead of the cluster's")
	command.Flags().StringVar(&anchor, "anchor", "", "digest of a record that the log must contain")
	out := outputFlag(command, "text", "json", "yaml")
	command.RunE = func(c *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		verified, err := s.verifyLog(c.Context(), file, anchor, args)
		if err != nil {
			return err
		}
		switch done, err := out.write(s.Streams.Out, verified); {
		case err != nil:
			return err
		case !done && verified.Problem == "":
			fmt.Fprintf(s.Streams.Out, "the log of track %s is whole: %d records, %d to %d\nhead: %s\n",
				verified.Track, verified.Records, verified.First, verified.Last, verified.HeadDigest)
			if verified.Releases > 0 {
				fmt.Fprintf(s.Streams.Out, "releases with the content that the log has for them: %d\n", verified.Releases)
			}
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
	// Releases is how many were found to have the content that the log has for them.
	Releases int `json:"releases,omitempty"`
	// Problem is the first that was found, and BrokenAt the record that has it; "" and 0
	// for none.
	Problem  string `json:"problem,omitempty"`
	BrokenAt int64  `json:"brokenAtSequence,omitempty"`
}

func (s *session) verifyLog(ctx context.Context, file, anchor string, args []string) (*verified, error) {
	records, track, err := s.readLog(ctx, file, args)
	if err != nil {
		return nil, err
	}
	v := verifyRecords(track, records, anchor)
	if v.Problem == "" && file == "" {
		v.Releases, v.Problem, err = s.verifyContent(ctx, track, ledger.Read(records))
	}
	return v, err
}

// readLog reads the records of a track, from the cluster or from a file that has those of
// one track.
func (s *session) readLog(ctx context.Context, file string, args []string) ([]v1alpha1.ReleaseRecord, string, error) {
	if file == "" {
		track, err := s.logName(ctx, args)
		if err != nil {
			return nil, "", err
		}
		records, err := s.records(ctx, track)
		return records, track, err
	}
	data, err := s.readFile(file)
	if err != nil {
		return nil, "", err
	}
	records, err := parseLog(data)
	if err != nil {
		return nil, "", fmt.Errorf("read %s: %w", file, err)
	}
	if len(records) == 0 {
		return nil, "", fmt.Errorf("%s has no records: export them by kubectl strata audit export", file)
	}
	track := records[0].Spec.TrackName
	if len(args) > 0 && args[0] != track {
		return nil, "", fmt.Errorf("%s is the log of track %s, not of %s", file, track, args[0])
	}
	return records, track, nil
}

// readFile reads a file, or standard input for -.
func (s *session) readFile(name string) ([]byte, error) {
	if name == "-" {
		data, err := io.ReadAll(s.Streams.In)
		return data, wrap(err, "read standard input")
	}
	return os.ReadFile(name) //nolint:gosec // the user names it
}

// parseLog reads JSON lines, one record each.
func parseLog(data []byte) ([]v1alpha1.ReleaseRecord, error) {
	var records []v1alpha1.ReleaseRecord
	lines := bufio.NewReader(bytes.NewReader(data))
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if text := bytes.TrimSpace(line); len(text) > 0 {
			var record v1alpha1.ReleaseRecord
			if err := json.Unmarshal(text, &record); err != nil {
				return nil, fmt.Errorf("line %d is no record: %w", n, err)
			}
			if record.Kind != "ReleaseRecord" {
				return nil, fmt.Errorf("line %d is of kind %q, not ReleaseRecord: export the log as jsonl", n, record.Kind)
			}
			records = append(records, record)
		}
		if errors.Is(err, io.EOF) {
			sortRecords(records)
			return records, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// verifyRecords verifies the chain, and that it holds the anchor.
func verifyRecords(track string, records []v1alpha1.ReleaseRecord, anchor string) *verified {
	v := &verified{Track: track, Records: len(records)}
	if len(records) > 0 {
		head := &records[len(records)-1].Spec
		v.First, v.Last, v.HeadDigest = records[0].Spec.Sequence, head.Sequence, head.Digest
	}
	var broken *ledger.BrokenError
	if err := ledger.Verify(records); err != nil {
		v.Problem = err.Error()
		if errors.As(err, &broken) {
			v.BrokenAt = broken.Sequence
		}
		return v
	}
	if len(records) == 0 {
		v.Problem = fmt.Sprintf("track %s has no records: its log was lost, or the operator has not begun it", track)
		return v
	}
	if anchor == "" {
		return v
	}
	for i := range records {
		if records[i].Spec.Digest == anchor {
			return v
		}
	}
	v.Problem = fmt.Sprintf("the log of track %s is whole, and has no record with digest %s: it was written anew, or that record was pruned, or it is of another track", track, anchor)
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
