package plugin

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/strata-release/strata/api/v1alpha1"
	"github.com/strata-release/strata/controllers/ledger"
)

func auditImportCommand(s *session) *cobra.Command {
	var file string
	var by signed
	command := s.trackArgument(&cobra.Command{
		Use:   "import [TRACK] -f FILE",
		Short: "Bring the exported log of a track back to where it has no records",
		Long: `Bring the exported log of a track back to where it has no records.

The file is verified first. It needs the verb restore on the track, and create on
releaserecords. The newest record comes first, and the operator decides nothing until the
log is whole: an import that was interrupted is repeated, and goes on where it ended. A
track that has other records is left alone. The name of the track is a part of its
records; the namespace is not, and is that of -n.`,
		Example: `  kubectl strata audit import -f shop.jsonl
  kubectl strata audit import -f shop.jsonl --key shop.pub -n shop`,
	})
	command.Flags().StringVarP(&file, "filename", "f", "", "exported log (JSON lines, - for standard input; required)")
	verifyKeyFlags(command, &by)
	command.RunE = func(c *cobra.Command, args []string) error {
		if file == "" {
			return errors.New("-f is required: the log, as kubectl strata audit export wrote it")
		}
		log, err := s.readLog(c.Context(), file, by, args)
		if err != nil {
			return err
		}
		return s.importLog(c.Context(), file, log)
	}
	return command
}

// importLog creates what is missing of a log, the newest record first.
func (s *session) importLog(ctx context.Context, file string, log *trackLog) error {
	v := log.verify("")
	switch {
	case log.spreadsheet:
		return no("%s is CSV, and holds no whole record: export the log as jsonl", file)
	case log.after != nil:
		return no("%s is a part of the log of track %s, from record %d on: export all of it, without --since", file, log.track, log.after.AfterSequence+1)
	case v.Problem != "":
		return no("%s", v.Problem)
	}
	if err := s.connect(); err != nil {
		return err
	}
	if err := s.mayRestore(ctx, log.track); err != nil {
		return err
	}
	there, err := s.records(ctx, log.track)
	if err != nil {
		return err
	}
	missing, err := log.missing(there)
	if err != nil {
		return no("track %s/%s has other records: %v; a log is brought back only where it was lost", s.namespace, log.track, err)
	}
	for _, spec := range missing {
		if err := s.restore(ctx, spec); err != nil {
			return err
		}
	}
	return s.tellImported(ctx, log, v, len(missing))
}

// missing are the records that are not there, the newest first. It fails, with the first
// of those that are there and are not of this log.
func (l *trackLog) missing(there []v1alpha1.ReleaseRecord) ([]*v1alpha1.ReleaseRecordSpec, error) {
	ours := map[int64]string{}
	for i := range l.records {
		ours[l.records[i].Spec.Sequence] = l.records[i].Spec.Digest
	}
	known := map[int64]bool{}
	for i := range there {
		spec := &there[i].Spec
		if ours[spec.Sequence] != spec.Digest || ledger.Digest(spec) != spec.Digest {
			return nil, fmt.Errorf("record %d there, with digest %s, is not of this log", spec.Sequence, spec.Digest)
		}
		known[spec.Sequence] = true
	}
	var missing []*v1alpha1.ReleaseRecordSpec
	for i := range slices.Backward(l.records) {
		if spec := &l.records[i].Spec; !known[spec.Sequence] {
			missing = append(missing, spec)
		}
	}
	return missing, nil
}

// mayRestore asks before anything is created: half a log helps nobody.
func (s *session) mayRestore(ctx context.Context, track string) error {
	for _, asked := range []authorizationv1.ResourceAttributes{
		{Verb: "restore", Resource: "releasetracks", Name: track}, {Verb: "create", Resource: "releaserecords"},
	} {
		asked.Group, asked.Namespace = v1alpha1.GroupVersion.Group, s.namespace
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &asked}}
		if err := s.client.Create(ctx, review); err != nil {
			return fmt.Errorf("ask whether you may %s %s: %w", asked.Verb, asked.Resource, err)
		}
		if !review.Status.Allowed {
			return no("you may not %s %s in namespace %s: who brings a log back needs the verb restore on releasetracks/%s, and create on releaserecords",
				asked.Verb, asked.Resource, s.namespace, track)
		}
	}
	return nil
}

// restore creates a record as it was. One that is there meanwhile must be the same.
func (s *session) restore(ctx context.Context, spec *v1alpha1.ReleaseRecordSpec) error {
	record := ledger.Record(s.namespace, *spec)
	err := s.client.Create(ctx, record, client.FieldOwner("kubectl-strata"))
	if apierrors.IsAlreadyExists(err) {
		created := &v1alpha1.ReleaseRecord{}
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(record), created); err != nil {
			return fmt.Errorf("read record %d: %w", spec.Sequence, err)
		}
		if created.Spec.Digest != spec.Digest {
			return no("record %d was written by somebody else meanwhile: the track has a log of its own now", spec.Sequence)
		}
		return nil
	}
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return no("record %d was not let in: %v", spec.Sequence, err)
	}
	return wrap(err, "create record %d (repeat the import, and it goes on from here)", spec.Sequence)
}

// tellImported reads the log again, and says what comes next.
func (s *session) tellImported(ctx context.Context, log *trackLog, exported *verified, created int) error {
	records, err := s.records(ctx, log.track)
	if err != nil {
		return err
	}
	now := (&trackLog{track: log.track, records: records}).verify(exported.HeadDigest)
	if now.Problem != "" {
		return no("%s", now.Problem)
	}
	out := s.Streams.Out
	fmt.Fprintf(out, "the log of track %s/%s is whole: %d records, %d of them brought back\nhead: %s\n",
		s.namespace, log.track, now.Records, created, now.HeadDigest)
	if log.signedBy != "" {
		fmt.Fprintf(out, "signed with key: %s\n", log.signedBy)
	}
	err = s.client.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: log.track}, &v1alpha1.ReleaseTrack{})
	switch {
	case err == nil:
		fmt.Fprintf(out, "next: the operator goes on from there: kubectl strata status %s -n %s\n", log.track, s.namespace)
	case apierrors.IsNotFound(err):
		fmt.Fprintf(out, "next: bring back what the releases own, the releases, and then ReleaseTrack %s: nothing is decided before that\n", log.track)
	default:
		return fmt.Errorf("read track %s: %w", log.track, err)
	}
	return nil
}
